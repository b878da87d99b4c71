//! Provides the tables of phpinfo().
#![allow(unsafe_code)]

use ext_php_rs::ffi::{php_info_print_table_end, php_info_print_table_row, php_info_print_table_start};
use std::ffi::CString;

/// A name and a value.
pub struct Row<'a>(pub &'a str, pub &'a str);

/// Prints a table.
pub fn table(rows: &[Row<'_>]) {
    // SAFETY: called while phpinfo() runs.
    unsafe { php_info_print_table_start() };
    for Row(name, value) in rows {
        if let (Ok(name), Ok(value)) = (CString::new(*name), CString::new(*value)) {
            // SAFETY: as many C strings as announced, which live during the call.
            unsafe { php_info_print_table_row(2, name.as_ptr(), value.as_ptr()) };
        }
    }
    // SAFETY: as above.
    unsafe { php_info_print_table_end() };
}

//! Provides PHP's error log.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int};

const LOG_WARNING: c_int = 4;

// SAFETY: as in main.h of PHP 8.1 to 8.5.
unsafe extern "C" {
    fn php_log_err_with_severity(message: *const c_char, severity: c_int);
}

/// Writes a line to where `error_log` points. Runs no PHP code, and works behind a request's end.
pub fn write(line: &str) {
    if let Ok(line) = CString::new(line.replace('\0', "\\0")) {
        // SAFETY: PHP copies the C string.
        unsafe { php_log_err_with_severity(line.as_ptr(), LOG_WARNING) };
    }
}

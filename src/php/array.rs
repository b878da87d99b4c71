//! Provides the values of PHP arrays, without the look at each key that `ext-php-rs` takes.
#![allow(unsafe_code)]

use ext_php_rs::ffi::{zend_hash_get_current_data_ex, zend_hash_move_forward_ex};
use ext_php_rs::types::{ZendHashTable, Zval};

/// The values, behind their references, in order.
pub fn values(array: &ZendHashTable) -> impl Iterator<Item = &Zval> {
    let table = std::ptr::from_ref(array).cast_mut();
    let mut position = 0;
    std::iter::from_fn(move || {
        // SAFETY: the array is borrowed for as long as the iterator lives; both functions only read it, and check the position themselves.
        let value = unsafe { zend_hash_get_current_data_ex(table, &raw mut position).as_ref() }?;
        // SAFETY: as above.
        unsafe { zend_hash_move_forward_ex(table, &raw mut position) };
        Some(value.dereference())
    })
}

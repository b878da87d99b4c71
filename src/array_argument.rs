//! Provides the array arguments of hand-written functions, refused as PHP refuses them.

use crate::shown;
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::ce;

/// The argument at `index`; none where it was not given.
///
/// # Errors
/// A TypeError where it is no array.
pub fn optional<'a>(
    given: &'a [Zval],
    index: usize,
    function: &str,
    name: &str,
) -> Result<Option<&'a ZendHashTable>, PhpException> {
    let Some(value) = given.get(index).map(Zval::dereference) else { return Ok(None) };
    value.array().map(Some).ok_or_else(|| {
        let message =
            format!("{function}(): Argument #{} (${name}) must be of type array, {} given", index + 1, shown::kind(value));
        PhpException::new(message, 0, ce::type_error())
    })
}

/// The first argument, which must be given.
///
/// # Errors
/// A TypeError where it is no array, an ArgumentCountError where there is none.
pub fn first<'a>(given: &'a [Zval], function: &str, name: &str) -> Result<&'a ZendHashTable, PhpException> {
    optional(given, 0, function, name)?.ok_or_else(|| {
        PhpException::new(format!("{function}() expects at least 1 argument, 0 given"), 0, ce::argument_count_error())
    })
}

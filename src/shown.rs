//! Provides how messages show a refused value: numbers, booleans and short strings as JSON, the rest by its type. The package's doubles do the
//! same.

use crate::php::json::Buffer;
use crate::php::throwable::class_name;
use ext_php_rs::types::Zval;

const MOST: usize = 64;

/// The value as a message shows it.
#[must_use]
pub fn value(value: &Zval) -> String {
    let value = value.dereference();
    if let Some(text) = value.zend_str() {
        if text.len() > MOST {
            return format!("a string of {} bytes", text.len());
        }
        if std::str::from_utf8(text.as_bytes()).is_err() {
            return "a string that is not UTF-8".into();
        }
    }
    if let Some(number) = value.double().filter(|number| !number.is_finite()) {
        return number_word(number).into();
    }
    if value.is_string() || value.is_long() || value.is_double() || value.is_bool() {
        let mut buffer = Buffer::default();
        return buffer.encode(value).map(|json| String::from_utf8_lossy(json).into_owned()).unwrap_or_default();
    }
    kind(value)
}

/// INF, -INF or NAN.
#[must_use]
pub fn number_word(number: f64) -> &'static str {
    if number.is_nan() {
        "NAN"
    } else if number > 0.0 {
        "INF"
    } else {
        "-INF"
    }
}

/// The value's type, as `get_debug_type()` tells it.
#[must_use]
pub fn kind(value: &Zval) -> String {
    let value = value.dereference();
    if let Some(object) = value.object() {
        return class_name(object);
    }
    let word = if value.is_null() {
        "null"
    } else if value.is_bool() {
        "bool"
    } else if value.is_long() {
        "int"
    } else if value.is_double() {
        "float"
    } else if value.is_string() {
        "string"
    } else if value.is_array() {
        "array"
    } else {
        "resource"
    };
    word.into()
}

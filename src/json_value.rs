//! Provides settings as the core reads them: PHP's values as JSON values. For settings only; params never take this way.

use crate::entries;
use crate::exceptions::{self, Configuration};
use crate::php::array::values;
use crate::php::class;
use crate::php::spl;
use crate::php::throwable::class_name;
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::{ZendHashTable, Zval};
use serde_json::{Map, Number, Value};

/// As deep as settings may nest; ends circles.
const MAX_DEPTH: usize = 16;

/// The map as a JSON object, or as a list where its keys are 0, 1, 2 and so on. `path` is the key that messages begin with.
///
/// # Errors
/// A Configuration exception for what settings can't be: objects other than string-backed enums, resources, binary strings.
pub fn from_array(array: &ZendHashTable, path: &str) -> Result<Value, PhpException> {
    array_value(array, path, 0)
}

fn array_value(array: &ZendHashTable, path: &str, depth: usize) -> Result<Value, PhpException> {
    if depth == MAX_DEPTH {
        return Err(exceptions::new::<Configuration>(format!("{path}: nests deeper than {MAX_DEPTH} arrays")));
    }
    if array.has_sequential_keys() {
        let items = values(array).enumerate().map(|(index, value)| value_of(value, &format!("{path}[{index}]"), depth));
        return items.collect::<Result<Vec<_>, _>>().map(Value::Array);
    }
    let mut map = Map::new();
    for (key, value) in entries::of(array) {
        let key = key.text();
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let value = value_of(value, &path, depth)?;
        map.insert(key, value);
    }
    Ok(Value::Object(map))
}

fn value_of(value: &Zval, path: &str, depth: usize) -> Result<Value, PhpException> {
    let value = value.dereference();
    let refuse = |what: &str| exceptions::new::<Configuration>(format!("{path}: {what} is not allowed in settings"));
    if value.is_null() {
        return Ok(Value::Null);
    }
    if let Some(boolean) = value.bool() {
        return Ok(Value::Bool(boolean));
    }
    if let Some(number) = value.long() {
        return Ok(Value::Number(number.into()));
    }
    if let Some(number) = value.double() {
        return Number::from_f64(number).map(Value::Number).ok_or_else(|| refuse("INF or NAN"));
    }
    if let Some(text) = value.zend_str() {
        return std::str::from_utf8(text.as_bytes()).map(Value::from).map_err(|_| refuse("a string that is not UTF-8"));
    }
    if let Some(array) = value.array() {
        return array_value(array, path, depth + 1);
    }
    if let Some(object) = value.object() {
        if object.instance_of(spl::backed_enum()) {
            return value_of(&class::property(object.get_class_entry(), object, "value"), path, depth + 1);
        }
        return Err(refuse(&format!("an object ({})", class_name(object))));
    }
    Err(refuse("a resource"))
}

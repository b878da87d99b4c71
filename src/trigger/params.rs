//! Encodes params, and tells what in them JSON can't say.
//!
//! Arrays and scalars go to PHP's encoder as they are. Params that hold an object are made plain first, because the encoder would make `{}` of an
//! object whose properties are private; and where the encoder refuses, that second look finds the path of what it refuses.

use super::Refused;
use crate::entries::{self, Key};
use crate::exceptions::{self, Unencodable};
use crate::php::array::values;
use crate::php::class;
use crate::php::json::{Buffer, MAX_DEPTH};
use crate::php::spl;
use crate::php::throwable::class_name;
use crate::shown;
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::{ZendHashTable, ZendObject, Zval};
use ext_php_rs::zend::ExecutorGlobals;

/// The params as JSON, in the buffer. None, and what is no array, are empty params.
pub fn encode<'a>(buffer: &'a mut Buffer, params: Option<&Zval>) -> Result<&'a [u8], Refused> {
    let Some((value, array)) = params.and_then(|value| value.array().map(|array| (value, array))) else { return Ok(b"[]") };
    if array.is_empty() {
        return Ok(b"[]");
    }
    let made;
    let value = if holds_objects(array, 1) {
        made = plain(value, "params", 1)?;
        &made
    } else {
        value
    };
    if buffer.encode(value).is_none() {
        plain(value, "params", 1)?;
        return Err(unencodable("params can't be encoded as JSON".into()));
    }
    Ok(buffer.text())
}

fn unencodable(message: String) -> Refused {
    exceptions::new::<Unencodable>(message).into()
}

fn too_deep() -> Refused {
    unencodable(format!("params are nested deeper than {MAX_DEPTH} levels, or contain themselves"))
}

/// Whether there is an object in it, as far as the encoder would follow; beyond that, the second look says so.
fn holds_objects(array: &ZendHashTable, depth: usize) -> bool {
    depth > MAX_DEPTH
        || values(array).any(|value| value.is_object() || value.array().is_some_and(|inner| holds_objects(inner, depth + 1)))
}

/// The value made of arrays, scalars, and objects of stdClass, which the encoder can't take wrongly. `depth` is that of the array or object it would
/// be.
fn plain(value: &Zval, path: &str, depth: usize) -> Result<Zval, Refused> {
    let value = value.dereference().dereference();
    if let Some(text) = value.zend_str() {
        let valid = std::str::from_utf8(text.as_bytes()).is_ok();
        return if valid { Ok(value.shallow_clone()) } else { Err(unencodable(format!("{path} is not valid UTF-8"))) };
    }
    if let Some(number) = value.double().filter(|number| !number.is_finite()) {
        return Err(unencodable(format!("{path} is {}, which JSON has no number for", shown::number_word(number))));
    }
    if let Some(array) = value.array() {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let mut made = ZendHashTable::with_capacity(array.len().try_into().unwrap_or(8));
        for (key, entry) in entries::of(array) {
            let entry = entry_of(&key, entry, path, depth)?;
            made.insert(key.as_array_key(), entry).map_err(failed)?;
        }
        let mut result = Zval::new();
        result.set_hashtable(made);
        return Ok(result);
    }
    if let Some(object) = value.object() {
        return plain_object(value, object, path, depth);
    }
    if value.is_resource() {
        return Err(unencodable(format!("{path} is a resource, which has no meaning in another process")));
    }
    Ok(value.shallow_clone())
}

fn entry_of(key: &Key, entry: &Zval, path: &str, depth: usize) -> Result<Zval, Refused> {
    match key {
        Key::Index(index) => plain(entry, &format!("{path}[{index}]"), depth + 1),
        Key::Name(_) => match key.bytes().map(std::str::from_utf8) {
            Some(Ok(name)) => plain(entry, &format!("{path}['{name}']"), depth + 1),
            _ => Err(unencodable(format!("{path} has a key that is not valid UTF-8"))),
        },
    }
}

fn plain_object(value: &Zval, object: &ZendObject, path: &str, depth: usize) -> Result<Zval, Refused> {
    if object.instance_of(spl::unit_enum()) {
        if object.instance_of(spl::backed_enum()) {
            return Ok(class::property(object.get_class_entry(), object, "value"));
        }
        return Err(unencodable(format!("{path} is {}, an enum without values", class_name(object))));
    }
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    if object.instance_of(spl::closure()) {
        return Err(unencodable(format!("{path} is a Closure, which has no meaning in another process")));
    }
    if object.instance_of(spl::json_serializable()) {
        let given = object.try_call_method("jsonSerialize", vec![]);
        if ExecutorGlobals::has_exception() {
            // What the application's code threw is its own.
            return Err(Refused::Pending);
        }
        let given = given.map_err(failed)?;
        // An object may answer itself: then it is encoded by its properties.
        if !given.object().is_some_and(|answer| std::ptr::eq(answer, object)) {
            return plain(&given, path, depth);
        }
    }
    let properties = class::json_properties(value);
    let mut made = ZendObject::new_stdclass();
    let mut any = false;
    for (key, entry) in properties.array().into_iter().flat_map(entries::of) {
        // Keys of hidden properties begin with NUL; a typed property that was never set has no value.
        if key.bytes().is_some_and(|name| name.starts_with(b"\0")) || entry.dereference().get_type() == DataType::Undef {
            continue;
        }
        any = true;
        made.set_property(&key.text(), entry_of(&key, entry, path, depth)?).map_err(failed)?;
    }
    if !any && !may_be_empty(value, object) {
        return Err(unencodable(format!("{path} is {}: not JsonSerializable, no public properties", class_name(object))));
    }
    let mut result = Zval::new();
    result.set_object(&mut made);
    Ok(result)
}

/// Whether `{}` is what the object means.
fn may_be_empty(value: &Zval, object: &ZendObject) -> bool {
    object.get_class_entry().name() == Some("stdClass")
        || value.is_traversable() && object.get_class_entry().instance_of(spl::array_object())
}

fn failed(error: ext_php_rs::error::Error) -> Refused {
    PhpException::from(error.to_string()).into()
}

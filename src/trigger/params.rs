//! Reads trigger()'s second argument and encodes it; tells what in it JSON can't say.

use super::{Refused, invalid, kind, type_error};
use crate::exceptions::{self, Unencodable};
use crate::json_value::key_text;
use crate::php::json::{self, Buffer};
use crate::php::spl;
use crate::php::throwable::class_name;
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::{ZendHashTable, ZendObject, Zval};
use ext_php_rs::zend::ExecutorGlobals;

/// The second argument; none where it was not given.
pub fn argument(given: &[Zval]) -> Result<Option<&Zval>, PhpException> {
    let Some(params) = given.get(1).map(Zval::dereference) else { return Ok(None) };
    if params.is_array() {
        return Ok(Some(params));
    }
    // Laminas' habit is trigger($name, $target, $params): its own message.
    if params.is_object() || params.is_null() && given.len() > 2 {
        return Err(invalid(format!(
            "params: {} given as the second argument: unlike an EventManager's, this trigger() takes no target, as no object crosses a process: pass the params as the \
             second argument, trigger('name', ['id' => 7])",
            kind(params)
        )));
    }
    Err(type_error(2, "params", params))
}

/// The params as JSON, in the buffer.
pub fn encode<'a>(buffer: &'a mut Buffer, params: Option<&Zval>) -> Result<&'a [u8], Refused> {
    let Some(params) = params else { return Ok(b"[]") };
    let Some(array) = params.array() else { return Ok(b"[]") };
    if array.is_empty() {
        return Ok(b"[]");
    }
    if !is_plain(array, None) {
        return Err(unencodable(&explain(array).unwrap_or_else(|| "params: hold an object that JSON can't say".into())));
    }
    match buffer.encode(params) {
        Some(json) => Ok(json),
        // What the application's jsonSerialize() threw is its own.
        None if ExecutorGlobals::has_exception() => Err(Refused::Pending),
        None => Err(unencodable(&explain(array).unwrap_or_else(|| "params: PHP's json_encode() refuses them".into()))),
    }
}

fn unencodable(message: &str) -> Refused {
    exceptions::new::<Unencodable>(message).into()
}

/// The arrays that a walk is in, the innermost first: a reference may lead back to one of them.
struct Within<'a> {
    array: &'a ZendHashTable,
    outer: Option<&'a Within<'a>>,
}

impl Within<'_> {
    fn holds(&self, array: &ZendHashTable) -> bool {
        std::ptr::eq(self.array, array) || self.outer.is_some_and(|outer| outer.holds(array))
    }

    fn depth(&self) -> usize {
        1 + self.outer.map_or(0, Within::depth)
    }
}

/// Whether no object in it would become `{}` or stop the encoder. Everything else is left to the encoder, which is quicker.
fn is_plain(array: &ZendHashTable, outer: Option<&Within<'_>>) -> bool {
    if array.values().all(|value| value.dereference().is_scalar_like()) {
        return true;
    }
    let within = Within { array, outer };
    array.values().all(|value| {
        let value = value.dereference();
        if let Some(inner) = value.array() {
            // The encoder tells of circles and of depth.
            return within.depth() > json::MAX_DEPTH || within.holds(inner) || is_plain(inner, Some(&within));
        }
        value.object().is_none_or(|object| refusal(object).is_none() && properties_are_plain(object, &within))
    })
}

fn properties_are_plain(object: &ZendObject, within: &Within<'_>) -> bool {
    if within.depth() > json::MAX_DEPTH || speaks_for_itself(object) {
        return true;
    }
    public_properties(object).is_none_or(|properties| within.holds(properties) || is_plain_public(properties, within))
}

fn is_plain_public(properties: &ZendHashTable, outer: &Within<'_>) -> bool {
    let within = Within { array: properties, outer: Some(outer) };
    properties.iter().filter(|(key, _)| !key_text(key).starts_with('\0')).all(|(_, value)| {
        let value = behind(value);
        if let Some(inner) = value.array() {
            return within.holds(inner) || is_plain(inner, Some(&within));
        }
        value.object().is_none_or(|object| refusal(object).is_none() && properties_are_plain(object, &within))
    })
}

/// Whether the object says itself what it is as JSON: what that holds is not looked into.
fn speaks_for_itself(object: &ZendObject) -> bool {
    object.instance_of(spl::json_serializable()) || object.instance_of(spl::unit_enum()) || object.instance_of(spl::date_time())
}

/// Why the object can't be said in JSON.
fn refusal(object: &ZendObject) -> Option<&'static str> {
    if object.instance_of(spl::closure()) {
        return Some("a closure, which JSON can't say");
    }
    if object.instance_of(spl::unit_enum()) && !object.instance_of(spl::backed_enum()) && !object.instance_of(spl::json_serializable()) {
        return Some("an enum without values, which JSON can't say");
    }
    if speaks_for_itself(object) || object.get_class_entry().name() == Some("stdClass") {
        return None;
    }
    let any = public_properties(object).is_some_and(|properties| {
        properties.iter().any(|(key, value)| !key_text(&key).starts_with('\0') && !is_undefined(behind(value)))
    });
    if any { None } else { Some("not JsonSerializable, no public properties") }
}

fn public_properties(object: &ZendObject) -> Option<&ZendHashTable> {
    object.get_properties().ok()
}

/// The value behind a declared property's slot and a reference.
fn behind(value: &Zval) -> &Zval {
    value.dereference().dereference()
}

fn is_undefined(value: &Zval) -> bool {
    value.get_type() == ext_php_rs::flags::DataType::Undef
}

/// The first thing in the params that JSON can't say, with its path. Slow: for what has failed already.
fn explain(params: &ZendHashTable) -> Option<String> {
    explain_in(params, "params", None)
}

fn explain_in(array: &ZendHashTable, path: &str, outer: Option<&Within<'_>>) -> Option<String> {
    let within = Within { array, outer };
    if within.depth() > json::MAX_DEPTH {
        return Some(format!("params: nest deeper than {} arrays, from {} on", json::MAX_DEPTH, shortened(path)));
    }
    array.iter().find_map(|(key, value)| {
        let name = key_text(&key);
        if name.starts_with('\0') {
            return None;
        }
        let quoted = match key {
            ext_php_rs::types::ArrayKey::Long(index) => format!("{path}[{index}]"),
            _ => format!("{path}['{name}']"),
        };
        if let ext_php_rs::types::ArrayKey::ZendString(key) = &key
            && std::str::from_utf8(key.as_bytes()).is_err()
        {
            return Some(format!("{quoted}: its key is not valid UTF-8"));
        }
        explain_value(behind(value), &quoted, &within)
    })
}

fn explain_value(value: &Zval, path: &str, within: &Within<'_>) -> Option<String> {
    if let Some(text) = value.zend_str() {
        let invalid = std::str::from_utf8(text.as_bytes()).err()?;
        return Some(format!("{path} is not valid UTF-8 at byte {}: encode binary data, with base64_encode() for example", invalid.valid_up_to()));
    }
    if let Some(number) = value.double() {
        return (!number.is_finite()).then(|| format!("{path} is {}, which JSON can't say", if number.is_nan() { "NAN" } else { "INF" }));
    }
    if value.is_resource() {
        return Some(format!("{path} is a resource, which JSON can't say"));
    }
    if let Some(array) = value.array() {
        if within.holds(array) {
            return Some(format!("{path} contains itself"));
        }
        return explain_in(array, path, Some(within));
    }
    let object = value.object()?;
    if let Some(reason) = refusal(object) {
        return Some(format!("{path} is {}: {reason}", class_name(object)));
    }
    if speaks_for_itself(object) {
        return None;
    }
    let properties = public_properties(object)?;
    if within.holds(properties) {
        return Some(format!("{path} contains itself"));
    }
    explain_in(properties, path, Some(within))
}

fn shortened(path: &str) -> String {
    path.char_indices().nth(60).map_or_else(|| path.to_owned(), |(end, _)| format!("{}…", &path[..end]))
}

/// What the encoder needs no help with.
trait ScalarLike {
    fn is_scalar_like(&self) -> bool;
}

impl ScalarLike for Zval {
    fn is_scalar_like(&self) -> bool {
        !self.is_array() && !self.is_object()
    }
}

//! Reads trigger()'s first argument: a name, or any object that looks like an event.

use super::{Refused, invalid};
use crate::entries;
use crate::php::throwable::class_name;
use crate::shown;
use ext_php_rs::types::{ZendCallable, ZendObject, Zval};
use ext_php_rs::zend::{ClassEntry, ExecutorGlobals};
use proletarier_core::name;

/// What is triggered.
pub enum Event<'a> {
    /// A name, and params that the caller holds.
    Named(&'a str, Option<&'a Zval>),
    /// An object's name (checked UTF-8) and params, the caller's merged over them.
    Object(String, Zval),
}

impl<'a> Event<'a> {
    pub fn of(event: &'a Zval, params: Option<&'a Zval>) -> Result<Self, Refused> {
        if let Some(name) = event.zend_str() {
            return Ok(Self::Named(check(name.as_bytes())?, params));
        }
        match event.object() {
            Some(object) => Self::of_object(object, params),
            None => Err(no_name(event)),
        }
    }

    fn of_object(object: &ZendObject, given: Option<&Zval>) -> Result<Self, Refused> {
        if !has_method(object, "getname") || !has_method(object, "getparams") {
            let message =
                format!("event is {}, which has no getName() and getParams(): give a name or an event", class_name(object));
            return Err(invalid(message).into());
        }
        let name = called(object, "getname")?;
        let name = match name.zend_str() {
            Some(name) => check(name.as_bytes())?.to_owned(),
            None => return Err(no_name(&name)),
        };
        let mut params = as_array(called(object, "getparams")?)?;
        if let Some(given) = given.and_then(Zval::array)
            && let Some(merged) = params.array_mut()
        {
            for (key, value) in entries::of(given) {
                merged.insert(key.as_array_key(), value.shallow_clone()).map_err(|error| invalid(error.to_string()))?;
            }
        }
        Ok(Self::Object(name, params))
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Named(name, _) => name,
            Self::Object(name, _) => name,
        }
    }

    /// The params; none where they are empty.
    pub fn params(&self) -> Option<&Zval> {
        match self {
            Self::Named(_, params) => *params,
            Self::Object(_, params) => Some(params),
        }
    }
}

fn check(name: &[u8]) -> Result<&str, Refused> {
    name::check_name(name).map_err(|error| invalid(error.to_string()).into())
}

fn no_name(value: &Zval) -> Refused {
    let limit = name::MAX_NAME_LENGTH;
    invalid(format!("an event's name is {}: 1 to {limit} bytes of UTF-8 are allowed", shown::value(value))).into()
}

/// An event's params as an array: the entries of what can be traversed, the public properties of other objects.
fn as_array(params: Zval) -> Result<Zval, Refused> {
    if params.is_array() {
        return Ok(params);
    }
    let function = if params.is_traversable() { "iterator_to_array" } else { "get_object_vars" };
    if !params.is_object() {
        return Ok(Zval::new_array());
    }
    let array = ZendCallable::try_from_name(function).and_then(|function| function.try_call(vec![&params]));
    if ExecutorGlobals::has_exception() {
        return Err(Refused::Pending);
    }
    array.map_err(|error| invalid(error.to_string()).into())
}

fn has_method(object: &ZendObject, name: &str) -> bool {
    let class: &ClassEntry = object.get_class_entry();
    class.function_table.get(name).is_some()
}

fn called(object: &ZendObject, name: &str) -> Result<Zval, Refused> {
    let value = object.try_call_method(name, vec![]);
    // What it threw, or its exit(), goes on to the caller.
    if ExecutorGlobals::has_exception() {
        return Err(Refused::Pending);
    }
    value.map_err(|error| invalid(error.to_string()).into())
}

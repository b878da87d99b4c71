//! Reads trigger()'s first argument: a name, or any object that looks like an event.

use super::{Refused, invalid, kind};
use ext_php_rs::types::{ZendObject, Zval};
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
            None => Err(invalid(format!(
                "event: {} given: pass a name (1 to 255 bytes of UTF-8), or an object with getName() and getParams()",
                kind(event)
            ))
            .into()),
        }
    }

    fn of_object(object: &ZendObject, given: Option<&Zval>) -> Result<Self, Refused> {
        if !has_method(object, "getname") || !has_method(object, "getparams") {
            return Err(invalid(format!("event: {} has no getName() and getParams(): pass a name or an event", class(object))).into());
        }
        let name = called(object, "getname")?;
        let name = match name.zend_str() {
            Some(name) => check(name.as_bytes())?.to_owned(),
            None => return Err(invalid(format!("event: {}::getName() gave {}, no string", class(object), kind(&name))).into()),
        };
        let mut params = called(object, "getparams")?;
        if params.is_null() {
            params = Zval::new_array();
        }
        if !params.is_array() {
            return Err(invalid(format!("event: {}::getParams() gave {}: only an array can be triggered", class(object), kind(&params))).into());
        }
        if let Some(given) = given.and_then(Zval::array)
            && let Some(merged) = params.array_mut()
        {
            for (key, value) in given {
                let value = value.dereference().shallow_clone();
                merged.insert(key, value).map_err(|error| invalid(error.to_string()))?;
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

fn class(object: &ZendObject) -> String {
    crate::php::throwable::class_name(object)
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

//! Reads the listeners that `proletarier_run()` gets, before anything forks.

use super::identity;
use crate::entries::{self, Key};
use crate::exceptions::{self, Configuration};
use crate::json_value;
use crate::php::throwable::class_name;
use crate::shown;
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::{ZendHashTable, ZendObject, Zval};
use proletarier_core::name;
use proletarier_core::settings::ListenerOptions;
use serde_json::{Map, Value};
use std::collections::HashMap;

const ENTRY: &str = "an entry is [event, listener, priority?, options?], a map with the keys event and listener (and priority, id, timeout, retry, \
                     parallel), an object with attach(), or false for none";

/// One entry.
#[derive(Debug)]
pub enum Listener {
    /// A callable for one event, or for all ('*').
    Callable {
        /// What it listens to.
        event: String,
        /// What is called.
        callable: Zval,
        /// Higher ones run first.
        priority: i64,
        /// Its options.
        options: ListenerOptions,
        /// What it is known by over deploys.
        id: String,
    },
    /// An object that attaches listeners by itself.
    Aggregate {
        /// The object.
        object: Zval,
        /// The priority that its attach() is given.
        priority: i64,
    },
}

/// Reads them all.
///
/// # Errors
/// A Configuration exception that names the entry and what is accepted.
pub fn read(entries: &ZendHashTable) -> Result<Vec<Listener>, PhpException> {
    let mut listeners = Vec::with_capacity(entries.len());
    let mut places: HashMap<String, String> = HashMap::new();
    for (key, value) in entries::of(entries) {
        let entry = Entry::of(&key);
        let Some(listener) = entry.read(value)? else { continue };
        if let Listener::Callable { id, .. } = &listener
            && let Some(other) = places.insert(id.clone(), entry.place.clone())
        {
            return Err(
                entry.refuse(&format!("its identity is \"{id}\", as that of {other}: give one of them an `id` of its own"))
            );
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Where an entry stands.
struct Entry {
    /// Its key, where that is a string: an identity that outlives deploys.
    key: Option<String>,
    /// As messages name it.
    place: String,
}

impl Entry {
    fn of(key: &Key) -> Self {
        match key {
            Key::Index(index) => Self { key: None, place: format!("listeners[{index}]") },
            key => {
                let key = key.text();
                Self { place: format!("listeners['{key}']"), key: Some(key) }
            }
        }
    }

    fn refuse(&self, problem: &str) -> PhpException {
        exceptions::new::<Configuration>(format!("{}: {problem}", self.place))
    }

    fn read(&self, value: &Zval) -> Result<Option<Listener>, PhpException> {
        if value.is_false() || value.is_null() {
            return Ok(None);
        }
        if let Some(object) = value.object() {
            return self.aggregate(value, object, 1).map(Some);
        }
        match value.array() {
            Some(map) if map.get("listener").is_some() || map.get("event").is_some() => self.map(map).map(Some),
            Some(list) if list.get_index(0).is_some() => self.list(list).map(Some),
            _ => Err(self.refuse(&format!("{} is no entry: {ENTRY}", shown::value(value)))),
        }
    }

    fn aggregate(&self, value: &Zval, object: &ZendObject, priority: i64) -> Result<Listener, PhpException> {
        if object.get_class_entry().function_table.get("attach").is_none() {
            return Err(self.refuse(&format!("{} has no attach(): {ENTRY}", class_name(object))));
        }
        Ok(Listener::Aggregate { object: value.shallow_clone(), priority })
    }

    fn list(&self, list: &ZendHashTable) -> Result<Listener, PhpException> {
        let at = |index| list.get_index(index).map(Zval::dereference).filter(|value| !value.is_null());
        if let Some((key, _)) = entries::of(list).find(|(key, _)| !matches!(key, Key::Index(0..=3))) {
            return Err(self.refuse(&format!("nothing belongs at '{}': {ENTRY}", key.text())));
        }
        let options = match at(3).map(|value| (value, value.array())) {
            None => Value::Null,
            Some((_, Some(options))) => json_value::from_array(options, &self.place)?,
            Some((value, None)) => return Err(self.refuse(&format!("options are {}: give a map", shown::value(value)))),
        };
        self.callable(at(0), at(1), at(2), &options)
    }

    fn map(&self, map: &ZendHashTable) -> Result<Listener, PhpException> {
        let mut options = Map::new();
        for (key, value) in entries::of(map) {
            let key = key.text();
            if !matches!(key.as_str(), "event" | "listener" | "priority") {
                let mut one = ZendHashTable::new();
                one.insert(key.as_str(), value.shallow_clone()).map_err(|error| self.refuse(&error.to_string()))?;
                if let Value::Object(one) = json_value::from_array(&one, &self.place)? {
                    options.extend(one);
                }
            }
        }
        let at = |key: &str| map.get(key).map(Zval::dereference).filter(|value| !value.is_null());
        if at("event").is_none()
            && let Some(value) = at("listener")
            && let Some(object) = value.object()
        {
            return self.aggregate(value, object, self.priority(at("priority"))?);
        }
        self.callable(at("event"), at("listener"), at("priority"), &Value::Object(options))
    }

    fn callable(
        &self,
        event: Option<&Zval>,
        callable: Option<&Zval>,
        priority: Option<&Zval>,
        options: &Value,
    ) -> Result<Listener, PhpException> {
        let event = self.event(event)?;
        let callable = callable.ok_or_else(|| self.refuse(&format!("the listener is missing: {ENTRY}")))?;
        if !callable.is_callable() {
            return Err(self.refuse(&format!("{} is not callable: {ENTRY}", shown_callable(callable))));
        }
        let options = ListenerOptions::read(options).map_err(|error| self.refuse(&error.to_string()))?;
        let id = options.id.clone().or_else(|| self.key.clone()).unwrap_or_else(|| identity::of(&event, callable));
        Ok(Listener::Callable { callable: callable.shallow_clone(), priority: self.priority(priority)?, options, id, event })
    }

    fn event(&self, value: Option<&Zval>) -> Result<String, PhpException> {
        let value = value.ok_or_else(|| self.refuse(&format!("the event is missing: {ENTRY}")))?;
        let Some(text) = value.zend_str() else {
            return Err(self.refuse(&format!("the event is {}: give a name, or '*' for all", shown::value(value))));
        };
        if text.as_bytes() == b"*" {
            return Ok("*".into());
        }
        name::check_name(text.as_bytes()).map(str::to_owned).map_err(|error| self.refuse(&error.to_string()))
    }

    fn priority(&self, value: Option<&Zval>) -> Result<i64, PhpException> {
        match value {
            None => Ok(1),
            Some(value) if value.is_long() => Ok(value.long().unwrap_or(1)),
            Some(value) => Err(self.refuse(&format!("the priority is {}: give an integer", shown::value(value)))),
        }
    }
}

/// A value that was to be callable, as it was written.
fn shown_callable(value: &Zval) -> String {
    let pair = value.array().and_then(|pair| Some((pair.get_index(0)?.dereference(), pair.get_index(1)?.dereference())));
    match pair {
        Some((target, method)) => {
            let target = target.str().map_or_else(|| shown::kind(target), str::to_owned);
            format!("[{target}, {}]", shown::value(method))
        }
        None => shown::value(value),
    }
}

//! Defines `Proletarier\Event`, the event that listeners get where no framework is there, and that a framework's event asks for the rest.

use crate::exceptions::{self, InvalidArgument};
use crate::interfaces;
use crate::php::spl;
use ext_php_rs::convert::IntoZval;
use ext_php_rs::flags::{ClassFlags, DataType};
use ext_php_rs::prelude::*;
use ext_php_rs::types::{ZendHashTable, ZendObject, Zval};
use std::cell::Cell;

/// An event, as a worker got it. Only the worker makes one.
#[php_class]
#[php(
    name = "Proletarier\\Event",
    flags = ClassFlags::Final,
    implements(ce = interfaces::event, stub = "\\Proletarier\\EventInterface")
)]
pub struct Event {
    name: String,
    target: Zval,
    /// Always an array.
    params: Zval,
    id: String,
    attempt: u16,
    triggered_at: u64,
    headers: Vec<(String, String)>,
    stopped: bool,
    last: Cell<bool>,
}

/// What an event is made of.
pub struct Parts<'a> {
    /// What trigger() returned.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// An array.
    pub params: Zval,
    /// From 1.
    pub attempt: u16,
    /// Microseconds since 1970.
    pub triggered_at: u64,
    /// Names and values.
    pub headers: Vec<(String, String)>,
}

impl Event {
    /// An event of these parts.
    pub fn new(parts: Parts<'_>) -> Self {
        Self {
            name: parts.name.to_owned(),
            target: Zval::null(),
            params: parts.params,
            id: parts.id.to_owned(),
            attempt: parts.attempt,
            triggered_at: parts.triggered_at,
            headers: parts.headers,
            stopped: false,
            last: Cell::new(false),
        }
    }

    /// Whether the listener that runs next runs for the last time if it fails.
    pub fn set_last(&self, last: bool) {
        self.last.set(last);
    }

    /// Whether listeners behind the present one are to be left out.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }
}

#[php_impl]
impl Event {
    /// The name it was triggered with.
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// Always null at first: no object crosses a process.
    pub fn get_target(&self) -> Zval {
        self.target.shallow_clone()
    }

    /// The params, objects in them as arrays.
    pub fn get_params(&self) -> Array {
        Array(self.params.shallow_clone())
    }

    /// One of the params, or the default.
    #[php(optional = default)]
    pub fn get_param(&self, name: &str, default: Option<&Zval>) -> Zval {
        let value = self.params.array().and_then(|params| params.get(name));
        value.or(default).map_or_else(Zval::null, |value| value.dereference().shallow_clone())
    }

    /// Changes the name that listeners behind this one see.
    pub fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Changes the target that listeners behind this one see.
    pub fn set_target(&mut self, target: &Zval) {
        self.target = target.dereference().shallow_clone();
    }

    /// Changes the params that listeners behind this one see; a retry gets the original ones.
    pub fn set_params(&mut self, params: &ZendHashTable) {
        let mut copy = Zval::new();
        copy.set_hashtable(params.to_owned());
        self.params = copy;
    }

    /// Changes one of them.
    pub fn set_param(&mut self, name: &str, value: &Zval) -> PhpResult<()> {
        let value = value.dereference().shallow_clone();
        let Some(params) = self.params.array_mut() else { return Ok(()) };
        params.insert(name, value).map_err(|error| exceptions::new::<InvalidArgument>(error.to_string()))
    }

    /// Keeps the listeners behind this one from running, in this delivery.
    #[php(defaults(flag = true), optional = flag)]
    pub fn stop_propagation(&mut self, flag: bool) {
        self.stopped = flag;
    }

    /// Whether stopPropagation() was called.
    pub fn propagation_is_stopped(&self) -> bool {
        self.stopped
    }

    /// What trigger() returned; the same for every attempt.
    pub fn get_id(&self) -> &str {
        &self.id
    }

    /// Which attempt this is, from 1.
    pub fn get_attempt(&self) -> i64 {
        self.attempt.into()
    }

    /// Whether no further attempt follows if the present listener fails.
    pub fn is_last_attempt(&self) -> bool {
        self.last.get()
    }

    /// When trigger() was called, to the microsecond, in UTC.
    pub fn get_triggered_at(&self) -> PhpResult<DateTimeImmutable> {
        DateTimeImmutable::at(self.triggered_at)
    }

    /// The headers that were given to trigger().
    pub fn get_headers(&self) -> PhpResult<Array> {
        let mut map = ZendHashTable::new();
        for (name, value) in &self.headers {
            map.insert(name.as_str(), value.as_str()).map_err(|error| error.to_string())?;
        }
        let mut headers = Zval::new();
        headers.set_hashtable(map);
        Ok(Array(headers))
    }
}

/// A value that is an array, so that the method's type says so.
pub struct Array(Zval);

impl IntoZval for Array {
    const TYPE: DataType = DataType::Array;
    const NULLABLE: bool = false;

    fn set_zval(self, target: &mut Zval, _persistent: bool) -> ext_php_rs::error::Result<()> {
        *target = self.0;
        Ok(())
    }
}

/// A new object of PHP's class of this name.
pub struct DateTimeImmutable(Zval);

impl DateTimeImmutable {
    fn at(micros: u64) -> PhpResult<Self> {
        let mut object = ZendObject::new(spl::date_time_immutable());
        let text = format!("@{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        object.try_call_method("__construct", vec![&text]).map_err(|error| error.to_string())?;
        let mut value = Zval::new();
        value.set_object(&mut object);
        Ok(Self(value))
    }
}

impl IntoZval for DateTimeImmutable {
    const TYPE: DataType = DataType::object("DateTimeImmutable");
    const NULLABLE: bool = false;

    fn set_zval(self, target: &mut Zval, _persistent: bool) -> ext_php_rs::error::Result<()> {
        *target = self.0;
        Ok(())
    }
}

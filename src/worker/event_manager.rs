//! Defines what listener aggregates attach to where there is no framework.

use super::registry::Registry;
use super::wrap::wrap;
use crate::exceptions::{self, Configuration};
use ext_php_rs::flags::ClassFlags;
use ext_php_rs::prelude::*;
use ext_php_rs::types::Zval;
use std::rc::Rc;

/// Takes the listeners of aggregates. Not for applications, which get it as attach()'s argument.
#[php_class]
#[php(name = "Proletarier\\Internal\\EventManager", flags = ClassFlags::Final)]
pub struct EventManager {
    registry: Rc<Registry>,
}

impl EventManager {
    /// One that adds to this registry.
    #[must_use]
    pub fn new(registry: Rc<Registry>) -> Self {
        Self { registry }
    }
}

#[php_impl]
impl EventManager {
    /// Attaches a listener, as Laminas' EventManager does, and gives what stands for it.
    #[php(defaults(priority = 1), optional = priority)]
    pub fn attach(&self, event_name: &str, listener: &Zval, priority: i64) -> PhpResult<Zval> {
        if !listener.is_callable() {
            return Err(exceptions::new::<Configuration>(format!("the listener of '{event_name}' is not callable")));
        }
        wrap(&self.registry, event_name, listener, priority)
    }
}

//! Provides the ways to the listeners of an event: the framework's EventManager where there is one, else the worker's own table in the same order.

use super::event_manager::EventManager;
use super::guard;
use super::listeners::Listener;
use super::registry::Registry;
use super::wrap::Wrap;
use crate::php::call::{self, Ended};
use crate::php::throwable::Throwable;
use ext_php_rs::convert::IntoZval;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::ClassEntry;
use proletarier_core::listener::ListenerIndex;
use std::collections::HashMap;
use std::rc::Rc;

/// The class of the package that knows the frameworks.
const FRAMEWORK: &str = "Proletarier\\Framework\\Framework";

/// How events get to listeners.
pub enum Dispatch {
    /// Through an object of [`FRAMEWORK`].
    Framework(Zval),
    /// By this table.
    Table(Table),
}

/// The order of listeners, by the event's name.
#[derive(Default)]
pub struct Table {
    named: HashMap<String, Rc<[ListenerIndex]>>,
    others: Rc<[ListenerIndex]>,
}

/// Loads what forks are to share.
pub fn preload() {
    let _ = ClassEntry::try_find(FRAMEWORK);
}

impl Dispatch {
    /// Attaches the listeners, in their order.
    ///
    /// # Errors
    /// What an aggregate's attach(), or the framework, threw.
    pub fn attach(registry: &Rc<Registry>, listeners: &[Listener]) -> Result<Self, Ended> {
        match framework(registry)? {
            Some(framework) => {
                attach_all(registry, listeners, &framework, "attachAggregate")?;
                Ok(Self::Framework(framework))
            }
            None => {
                let manager = zval(EventManager::new(Rc::clone(registry)))?;
                attach_all(registry, listeners, &manager, "")?;
                Ok(Self::Table(Table::of(registry)))
            }
        }
    }

    /// Runs the listeners of the event, a native one, whose name is this.
    ///
    /// # Errors
    /// What was thrown outside of listeners, whose own failures their guards keep.
    pub fn run(&self, registry: &Registry, name: &str, event: &Zval) -> Result<(), Ended> {
        match self {
            Self::Framework(framework) => method(framework, "dispatch", &mut [event.shallow_clone()]).map(drop),
            Self::Table(table) => {
                for index in table.of_event(name).iter() {
                    if registry.is_stopped() {
                        break;
                    }
                    guard::run(registry, *index, &mut [event.shallow_clone()], false);
                }
                Ok(())
            }
        }
    }
}

impl Table {
    fn of(registry: &Registry) -> Self {
        let listeners = registry.listeners();
        let order = |name: Option<&str>| -> Rc<[ListenerIndex]> {
            let takes = |event: &str| event == "*" || name == Some(event);
            let mut order: Vec<_> = (0..).zip(listeners.iter()).filter(|(_, listener)| takes(&listener.spec.event)).collect();
            // As Laminas: by priority, then named before '*', then in the order of attaching, which the sort keeps.
            order.sort_by_key(|(_, listener)| (std::cmp::Reverse(listener.priority), listener.spec.event == "*"));
            order.into_iter().map(|(index, _)| index).collect()
        };
        let names = listeners.iter().map(|listener| listener.spec.event.as_str()).filter(|event| *event != "*");
        Self { named: names.map(|name| (name.to_owned(), order(Some(name)))).collect(), others: order(None) }
    }

    fn of_event(&self, name: &str) -> Rc<[ListenerIndex]> {
        Rc::clone(self.named.get(name).unwrap_or(&self.others))
    }
}

/// The framework's side, where there is a framework, and the package.
fn framework(registry: &Rc<Registry>) -> Result<Option<Zval>, Ended> {
    if ClassEntry::try_find(FRAMEWORK).is_none() {
        call::clear_pending();
        return Ok(None);
    }
    let wrap = zval(Wrap::new(Rc::clone(registry)))?;
    let create = zval(format!("{FRAMEWORK}::create"))?;
    call::callable(&create, &mut [wrap]).map(|framework| framework.is_object().then_some(framework))
}

/// Attaches each to `target`, whose method for aggregates is this; with none, the aggregate's own attach() gets the target.
fn attach_all(registry: &Rc<Registry>, listeners: &[Listener], target: &Zval, for_aggregates: &str) -> Result<(), Ended> {
    for listener in listeners {
        match listener {
            Listener::Callable { event, callable, priority, options, id } => {
                let mut arguments = [zval(event.as_str())?, callable.shallow_clone(), zval(*priority)?];
                registry.attaching(id, options, || method(target, "attach", &mut arguments))?;
            }
            Listener::Aggregate { object, priority } if for_aggregates.is_empty() => {
                method(object, "attach", &mut [target.shallow_clone(), zval(*priority)?])?;
            }
            Listener::Aggregate { object, priority } => {
                method(target, for_aggregates, &mut [object.shallow_clone(), zval(*priority)?])?;
            }
        }
    }
    Ok(())
}

fn method(target: &Zval, name: &str, arguments: &mut [Zval]) -> Result<Zval, Ended> {
    match target.object() {
        Some(object) => call::method(object, name, arguments),
        None => Err(Ended::Thrown(Throwable::described("Error", "not an object"))),
    }
}

fn zval(value: impl IntoZval) -> Result<Zval, Ended> {
    value.into_zval(false).map_err(|error| Ended::Thrown(Throwable::described("Error", &error.to_string())))
}

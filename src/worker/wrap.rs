//! Defines the callable that `Proletarier\Framework\Framework::create()` gets: it makes the guard that is attached in a listener's place.

use super::guard::Guard;
use super::registry::Registry;
use ext_php_rs::convert::IntoZval;
use ext_php_rs::exception::PhpResult;
use ext_php_rs::flags::ClassFlags;
use ext_php_rs::prelude::*;
use ext_php_rs::types::Zval;
use proletarier_engine::application::Level;
use std::rc::Rc;

/// Makes guards. Not for applications.
#[php_class]
#[php(name = "Proletarier\\Internal\\Wrap", flags = ClassFlags::Final)]
pub struct Wrap {
    registry: Rc<Registry>,
}

impl Wrap {
    /// One that adds to this registry.
    #[must_use]
    pub fn new(registry: Rc<Registry>) -> Self {
        Self { registry }
    }
}

#[php_impl]
impl Wrap {
    /// The guard of this listener. A listener that is attached while events are handled is given back as it is: the broker knows nothing of it.
    #[php(name = "__invoke", defaults(priority = 1), optional = priority)]
    pub fn invoke(&self, event: &str, listener: &Zval, priority: i64) -> PhpResult<Zval> {
        wrap(&self.registry, event, listener, priority)
    }
}

/// What is attached in this listener's place.
pub fn wrap(registry: &Rc<Registry>, event: &str, listener: &Zval, priority: i64) -> PhpResult<Zval> {
    let listener = listener.dereference();
    match registry.add(event, listener, priority) {
        Some(index) => Guard::new(Rc::clone(registry), index).into_zval(false).map_err(|error| error.to_string().into()),
        None => {
            let id = super::identity::of(event, listener);
            registry.voice.log(
                Level::Warning,
                "a listener was attached too late: its failures are not its own",
                &[("listener", &id)],
            );
            Ok(listener.shallow_clone())
        }
    }
}

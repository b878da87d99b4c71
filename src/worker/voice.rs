//! Provides what a worker says: log lines, and the internal events.

use crate::php::call::{self, Ended};
use ext_php_rs::convert::IntoZval;
use ext_php_rs::types::{ZendHashTable, Zval};
use proletarier_engine::application::Level;
use proletarier_engine::log_line;
use std::cell::{Cell, RefCell};
use std::fmt::Display;

/// Where words go.
#[derive(Debug, Default)]
pub struct Voice {
    /// The callable that gets internal events.
    pub events: Option<Zval>,
    /// An object with PSR-3's `log()`.
    pub logger: Option<Zval>,
    /// Whether no PHP code may be called any more.
    pub muted: Cell<bool>,
    /// Internal events that the callable answered with false: nobody listens to them.
    pub deaf: RefCell<Vec<String>>,
}

/// The params of an internal event, or the context of a log line.
pub struct Params(Zval);

impl Params {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        let mut array = Zval::new();
        array.set_hashtable(ZendHashTable::new());
        Self(array)
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl IntoZval) -> Self {
        if let Some(array) = self.0.array_mut() {
            // Fails only where PHP has no memory, which it would not survive either.
            let _ = array.insert(name, value);
        }
        self
    }
}

impl Voice {
    /// From now on no PHP code is called: log lines take the engine's way.
    pub fn mute(&self) {
        self.muted.set(true);
    }

    /// Tells the application of something; the params are made only where somebody listens. A callable that answers false is not told of this name
    /// again.
    ///
    /// # Errors
    /// What the application threw, or how it ended the process.
    pub fn tell(&self, name: &str, params: impl FnOnce() -> Params) -> Result<(), Ended> {
        let Some(events) = self.events.as_ref().filter(|_| !self.muted.get()) else { return Ok(()) };
        if self.deaf.borrow().iter().any(|deaf| deaf == name) {
            return Ok(());
        }
        let mut text = Zval::new();
        // As above.
        let _ = text.set_string(name, false);
        let answer = call::callable(events, &mut [text, params().0])?;
        if answer.is_false() {
            self.deaf.borrow_mut().push(name.to_owned());
        }
        Ok(())
    }

    /// Writes a line to the log.
    pub fn log(&self, level: Level, message: &str, fields: &[(&str, &dyn Display)]) {
        let Some(logger) = self.logger.as_ref().filter(|_| !self.muted.get()).and_then(Zval::object) else {
            return log_line(level, message, fields);
        };
        let mut context = Params::new();
        for (name, value) in fields {
            let text = value.to_string();
            // A number stays one, as in the engine's own lines.
            context = match text.parse::<i64>() {
                Ok(number) => context.with(name, number),
                Err(_) => context.with(name, text),
            };
        }
        let (mut word, mut text) = (Zval::new(), Zval::new());
        let _ = word.set_string(psr_level(level), false);
        let _ = text.set_string(message, false);
        if let Err(ended) = call::method(logger, "log", &mut [word, text, context.0]) {
            call::clear_pending();
            log_line(level, message, fields);
            log_line(Level::Error, "the logger failed", &[("error", &super::failure::of(&ended).message)]);
        }
    }
}

fn psr_level(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

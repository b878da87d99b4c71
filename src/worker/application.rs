//! Provides the engine's [`Application`] for PHP.

use super::dispatch::{self, Dispatch};
use super::listeners::Listener;
use super::registry::Registry;
use super::voice::Voice;
use super::{failure, guard, limit, memory_limit, moments};
use crate::event::{Event, Parts};
use crate::php::call::{self, Ended};
use crate::php::{json, process};
use crate::recycle;
use crate::request_end;
use ext_php_rs::convert::IntoZval;
use ext_php_rs::types::Zval;
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::listener::ListenerSpec;
use proletarier_core::settings::{MemoryLimit, Settings};
use proletarier_engine::application::{Alarm, Application, Attempt, Level, Moment, Outcome, Watch, WorkerInfo};
use std::fmt::Display;
use std::rc::Rc;

/// A PHP application: its listeners, and whom it tells of what happens. Made before any fork; each worker has its own copy.
pub struct PhpApplication {
    listeners: Vec<Listener>,
    registry: Rc<Registry>,
    memory_limit: MemoryLimit,
    /// Once launched.
    dispatch: Option<Dispatch>,
}

impl PhpApplication {
    /// One of these listeners.
    #[must_use]
    pub fn new(listeners: Vec<Listener>, voice: Voice, settings: &Settings) -> Self {
        dispatch::preload();
        Self {
            listeners,
            registry: Rc::new(Registry::new(voice, settings.retry, settings.worker.parallel)),
            memory_limit: settings.worker.memory_limit,
            dispatch: None,
        }
    }

    /// Goes on after a call of the application's that is no listener: what it threw is logged, and what ends the process ends it.
    fn survive(&self, what: &str, result: Result<(), Ended>) {
        match result {
            Ok(()) => {}
            Err(ended @ Ended::Thrown(_)) => {
                let failure = failure::of(&ended);
                drop(ended);
                call::clear_pending();
                let fields: [(&str, &dyn Display); 5] = [
                    ("of", &what),
                    ("class", &failure.class),
                    ("error", &failure.message),
                    ("file", &failure.file),
                    ("line", &failure.line),
                ];
                self.registry.voice.log(Level::Error, "a listener of an internal event failed", &fields);
            }
            Err(ended) => guard::die(&self.registry, None, &ended),
        }
    }
}

fn boot_failure(ended: &Ended) -> Failure {
    let failure = failure::of(ended);
    call::clear_pending();
    failure
}

impl Application for PhpApplication {
    fn launch(&mut self, worker: WorkerInfo) -> Result<Vec<ListenerSpec>, Failure> {
        process::begin();
        recycle::begin();
        memory_limit::apply(self.memory_limit);
        moments::launch(&self.registry.voice, worker).map_err(|ended| boot_failure(&ended))?;
        let dispatch = Dispatch::attach(&self.registry, &self.listeners).map_err(|ended| boot_failure(&ended))?;
        self.dispatch = Some(dispatch);
        Ok(self.registry.close())
    }

    fn handle(&mut self, attempt: &Attempt<'_>, watch: &mut dyn Watch) -> Outcome {
        let Some(dispatch) = &self.dispatch else {
            return Err(Failure::new(FailureKind::Malformed, "Error", "the worker was not launched"));
        };
        let record = &attempt.event;
        let params = json::decode(record.params).filter(Zval::is_array);
        let params = params.ok_or_else(|| {
            Failure::new(FailureKind::Malformed, "JSON", "the params are no JSON that PHP reads, of at most 512 levels")
        })?;
        let headers = record.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let parts = Parts {
            id: record.id,
            name: record.name,
            params,
            attempt: attempt.number,
            triggered_at: record.triggered_at,
            headers,
        };
        let event =
            Event::new(parts).into_zval(false).map_err(|error| Failure::new(FailureKind::Thrown, "Error", error.to_string()))?;
        let registry = &self.registry;
        let ended = registry.watch.during(watch, || {
            registry.handling(&event, attempt.number, attempt.only, || {
                let ended = dispatch.run(registry, record.name, &event);
                match ended {
                    Err(ended @ (Ended::Exit(_) | Ended::Fatal(_))) => guard::die(registry, None, &ended),
                    other => other,
                }
            })
        });
        drop(event);
        if let Some(stray) = call::stray() {
            // The end of something that a listener had put into the event.
            self.survive("an event's end", Err(stray));
        }
        ended.map_err(|ended| boot_failure(&ended))
    }

    fn tell(&mut self, moment: &Moment<'_>) {
        let told = moments::tell(&self.registry.voice, moment);
        self.survive("an internal event", told);
    }

    fn settle_triggered(&mut self) {
        request_end::settle();
    }

    fn alarm(&self) -> Option<Alarm> {
        Some(limit::ALARM)
    }

    fn take_recycling(&mut self) -> Option<String> {
        recycle::take()
    }

    fn log(&mut self, level: Level, message: &str, fields: &[(&str, &dyn Display)]) {
        self.registry.voice.log(level, message, fields);
    }

    fn title(&mut self, title: &str) {
        process::set_title(title);
    }

    fn end(&mut self, status: i32) -> ! {
        guard::end(&self.registry, status)
    }
}

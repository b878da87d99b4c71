//! Defines the guard that is attached in a listener's place: it keeps one listener's failure from the others, and the engine informed.

use super::failure;
use super::registry::Registry;
use super::voice::Params;
use crate::php::call::{self, Ended};
use crate::php::{arguments, output, process};
use crate::request_end;
use ext_php_rs::args::Arg;
use ext_php_rs::builders::{ClassBuilder, FunctionBuilder};
use ext_php_rs::flags::{ClassFlags, DataType, MethodFlags};
use ext_php_rs::prelude::*;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{ExecuteData, run_handler};
use proletarier_core::listener::ListenerIndex;
use proletarier_engine::application::{Level, Outcome};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

/// What an EventManager gets in a listener's place. Not for applications.
#[php_class]
#[php(name = "Proletarier\\Internal\\Guard", flags = ClassFlags::Final, modifier = add_invoke)]
pub struct Guard {
    registry: Rc<Registry>,
    index: ListenerIndex,
}

impl Guard {
    /// The guard of the listener at `index`.
    #[must_use]
    pub fn new(registry: Rc<Registry>, index: ListenerIndex) -> Self {
        Self { registry, index }
    }
}

fn add_invoke(builder: ClassBuilder) -> ClassBuilder {
    let arguments = Arg::new("arguments", DataType::Mixed).is_variadic();
    builder.method(
        FunctionBuilder::new("__invoke", invoke).arg(arguments).returns(DataType::Mixed, false, false),
        MethodFlags::Public,
    )
}

extern "C" fn invoke(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| {
        let (guard, given) = arguments::of_method::<Guard>(call);
        if let Some(guard) = guard {
            let (registry, index) = (Rc::clone(&guard.registry), guard.index);
            *result = run(&registry, index, given, true);
        }
    }));
}

/// Runs the listener, if the attempt is for it, with these arguments; gives what it returned, where that is wanted, or null.
pub fn run(registry: &Registry, index: ListenerIndex, arguments: &mut [Zval], wants_result: bool) -> Zval {
    let Some(callable) = registry.callable(index) else { return Zval::null() };
    if !registry.is_between_listeners() {
        return pass(&callable, arguments);
    }
    if !registry.is_selected(index) {
        return Zval::null();
    }
    registry.watch.with(|watch| watch.enter(index));
    let ended = registry.running(index, || {
        let result = call::callable(&callable, arguments)?;
        if wants_result {
            return Ok(result);
        }
        // The end of an unwanted object is the listener's still, with what it may throw.
        drop(result);
        call::stray().map_or_else(|| Ok(Zval::null()), Err)
    });
    // Whatever PHP code runs from here on, such as the logger's, is not the listener's to be interrupted in.
    proletarier_engine::is_returning();
    match ended {
        Ok(value) => {
            log_output(registry, index);
            leave(registry, index, Ok(()));
            value
        }
        Err(ended @ Ended::Thrown(_)) => {
            let failure = failure::of(&ended);
            // What was thrown holds objects, whose destructors may print or throw: its end belongs to the listener.
            drop(ended);
            call::clear_pending();
            log_output(registry, index);
            leave(registry, index, Err(failure));
            Zval::null()
        }
        Err(ended) => die(registry, Some(index), &ended),
    }
}

/// Tells that the listener came to its end. What it triggered is kept before: it is not run again for that once this is told.
fn leave(registry: &Registry, index: ListenerIndex, outcome: Outcome) {
    request_end::settle();
    registry.watch.with(|watch| watch.leave(index, outcome));
}

/// Calls a listener that something else than the worker triggers: nothing of it is the worker's.
fn pass(callable: &Zval, arguments: &mut [Zval]) -> Zval {
    match call::callable(callable, arguments) {
        Ok(value) => value,
        Err(Ended::Thrown(throwable)) => {
            throwable.rethrow();
            Zval::null()
        }
        // exit() is pending still, and goes on to the guard that waits for it.
        Err(Ended::Exit(_)) => Zval::null(),
        Err(Ended::Fatal(_)) => call::bail_out(),
    }
}

fn log_output(registry: &Registry, index: ListenerIndex) {
    if let Some(output) = output::take() {
        registry.voice.log(
            Level::Info,
            "output",
            &[("event", &registry.event_id()), ("listener", &registry.id(index)), ("output", &output)],
        );
    }
}

/// Ends the process, of which PHP has no further use: never returns, because there is nothing left to return to.
pub fn die(registry: &Registry, index: Option<ListenerIndex>, ended: &Ended) -> ! {
    let failure = failure::of(ended);
    registry.watch.with(|watch| watch.last_words(&failure));
    call::clear_pending();
    let Ended::Exit(status) = ended else {
        // After a fatal error PHP code may fail without a word, the application's logger too.
        registry.voice.mute();
        end(registry, 255)
    };
    if let Some(index) = index {
        log_output(registry, index);
    }
    // The process ends, whatever this throws.
    let _ = registry.voice.tell("worker.exit", || Params::new().with("status", i64::from(*status)));
    end(registry, *status)
}

/// Ends the process with this status: shutdown functions run, what was triggered is confirmed, and the rest is forgotten.
pub fn end(registry: &Registry, status: i32) -> ! {
    process::last_rites();
    if let Some(output) = output::take() {
        registry.voice.log(Level::Info, "output", &[("output", &output)]);
    }
    request_end::settle();
    proletarier_engine::exit_now(status)
}

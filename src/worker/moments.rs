//! Provides the internal events: names as in the original, params as maps.

use super::voice::{Params, Voice};
use crate::php::call::Ended;
use ext_php_rs::types::{ZendHashTable, Zval};
use proletarier_core::failure::Failure;
use proletarier_engine::application::{Attempt, Moment, WorkerInfo};

/// `worker.launch`: the first thing in a worker.
///
/// # Errors
/// What the application threw: the worker can't boot.
pub fn launch(voice: &Voice, worker: WorkerInfo) -> Result<(), Ended> {
    voice.tell("worker.launch", || {
        Params::new()
            .with("worker", i64::from(worker.slot) + 1)
            .with("pid", i64::from(std::process::id()))
            .with("generation", i64::from(worker.generation))
    })
}

/// Tells of a moment.
///
/// # Errors
/// What the application threw.
pub fn tell(voice: &Voice, moment: &Moment<'_>) -> Result<(), Ended> {
    match moment {
        Moment::Read(attempt) => voice.tell("worker.read", || of(attempt)),
        Moment::ReadError(error) => voice.tell("worker.read.error", || Params::new().with("error", *error)),
        Moment::Result(attempt, failed, seconds) => {
            voice.tell("worker.result", || of(attempt).with("failed", list(failed)).with("seconds", *seconds))
        }
        Moment::Error(attempt, listener, failure) => {
            voice.tell("worker.error", || with_failure(of(attempt).with("listener", *listener), failure))
        }
        Moment::Idle => voice.tell("worker.idle", Params::new),
        Moment::Shutdown(reason) => voice.tell("worker.shutdown", || Params::new().with("reason", *reason)),
        Moment::Exit(status) => voice.tell("worker.exit", || Params::new().with("status", i64::from(*status))),
    }
}

fn of(attempt: &Attempt<'_>) -> Params {
    Params::new().with("id", attempt.event.id).with("name", attempt.event.name).with("attempt", i64::from(attempt.number))
}

fn with_failure(params: Params, failure: &Failure) -> Params {
    params
        .with("class", failure.class.as_str())
        .with("message", failure.message.as_str())
        .with("file", failure.file.as_str())
        .with("line", i64::from(failure.line))
        .with("trace", failure.trace.as_str())
}

fn list(items: &[&str]) -> Zval {
    let mut array = ZendHashTable::new();
    for item in items {
        // Fails only where PHP has no memory.
        let _ = array.push(*item);
    }
    let mut list = Zval::new();
    list.set_hashtable(array);
    list
}

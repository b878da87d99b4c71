//! Provides what becomes of a listener that is over its time limit: a TimeoutError is thrown where it is.

use crate::exceptions::{self, TimeoutError};
use crate::php::{interrupt, place};
use proletarier_engine::application::Alarm;

/// Lets running listeners be interrupted. Only while the module starts.
pub fn hook() {
    interrupt::hook(throw_if_overdue);
}

/// How the engine reaches a listener.
pub const ALARM: Alarm = Alarm { interrupt: interrupt::request, place: place::current };

/// Throws into the running listener, if that is over its limit and was not told. Within finally blocks it waits: the engine asks again.
fn throw_if_overdue() {
    let Some(overdue) = proletarier_engine::overdue() else { return };
    if interrupt::is_in_finally() {
        return;
    }
    let (listener, limit) = (overdue.listener, overdue.limit.as_secs_f64());
    let message = format!("the listener \"{listener}\" ran for longer than its limit of {limit} s");
    overdue.tell();
    exceptions::new::<TimeoutError>(message).throw();
}

//! Provides what happens to unconfirmed events when a request, and at last the process, ends.

use crate::php::{interrupt, log, sapi};
use proletarier_core::record::Record;
use proletarier_engine::client::{self, Lost};
use serde_json::json;

/// Lets [`settle`] run behind each request's end. Only while the module starts.
pub fn hook() {
    sapi::after_request(settle);
}

/// Waits until what was triggered is confirmed, at most the client's timeout. What is not goes to PHP's error log, whole, one line of JSON each.
pub fn settle() {
    client::settle();
    tell_lost();
}

/// Writes events that were given up to PHP's error log. Called by each trigger() as well: a process that runs for long must not gather them.
pub fn tell_lost() {
    if client::has_lost() {
        for lost in client::take_lost() {
            log::write(&line(&lost));
        }
        for notice in client::take_notices() {
            log::write(&format!("proletarier: {notice}"));
        }
    }
}

/// The module's end (MSHUTDOWN).
pub extern "C" fn module_shutdown(_type: i32, _module: i32) -> i32 {
    sapi::forget_after_request();
    interrupt::unhook();
    // A panic must not leave through PHP's frames.
    let ended = std::panic::catch_unwind(|| {
        settle();
        client::shutdown();
    });
    i32::from(ended.is_err())
}

fn line(lost: &Lost) -> String {
    let Ok(record) = Record::decode(&lost.record) else {
        return format!("proletarier: an event was lost: {}", lost.reason);
    };
    let params: serde_json::Value = serde_json::from_slice(record.params).unwrap_or_default();
    let headers: serde_json::Map<_, _> = record.headers.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let event = json!({
        "proletarier": "lost",
        "reason": lost.reason,
        "id": record.id,
        "name": record.name,
        "triggered_at": record.triggered_at as f64 / 1e6,
        "at": record.at.map(|at| at as f64 / 1e6),
        "delay": record.delay.map(|delay| delay as f64 / 1e6),
        "expires": record.expires.map(|expires| expires as f64 / 1e6),
        "queue": record.queue,
        "key": record.key,
        "unique": record.unique,
        "headers": headers,
        "params": params,
    });
    event.to_string()
}

//! Decides when a worker asks to be replaced: after so many events, with so much memory, at an age, or because the application says so.
//!
//! It asks between events, and goes on working until its parent lets it go, which is when its replacement is there. Nothing that it was given counts as
//! tried for that.

use crate::{clock, memory};
use proletarier_core::settings::WorkerSettings;
use proletarier_core::time::Mono;
use std::time::Duration;

/// Memory is looked at no more often, in microseconds, ...
const LOOK_AFTER: u64 = 1_000_000;
/// ... but after so many events.
const LOOK_AFTER_EVENTS: u32 = 1_000;
/// Lifetimes are shorter by up to this part, so that workers that began together do not end together.
const JITTER: f64 = 0.1;

/// What a worker has behind it.
pub(super) struct Wear {
    handled: u32,
    most: Option<u32>,
    memory: Option<u64>,
    /// What it had when it was new, where that was more than it should ever have.
    pub heavy: Option<u64>,
    look_at: Mono,
    look_at_event: u32,
    old_at: Option<Mono>,
}

impl Wear {
    /// Of a new worker. `dice` are random bits.
    pub fn new(settings: &WorkerSettings, now: Mono, dice: u64) -> Self {
        let old_at = settings.max_lifetime.map(|lifetime| {
            let part = 1.0 - JITTER * (dice as f64 / u64::MAX as f64);
            now.plus((lifetime.as_micros() as f64 * part) as u64)
        });
        // An application that takes more by booting would be booted again and again.
        let heavy = settings.max_memory.and_then(memory::private_above);
        let memory = settings.max_memory.map(|most| heavy.map_or(most, |bytes| bytes + most / 2));
        Self {
            handled: 0,
            most: settings.max_events,
            memory,
            heavy,
            look_at: now.plus(LOOK_AFTER),
            look_at_event: LOOK_AFTER_EVENTS,
            old_at,
        }
    }

    /// A delivery was handled.
    pub fn handled(&mut self) {
        self.handled = self.handled.saturating_add(1);
    }

    /// Why the worker should be replaced: the setting by which, and how much it has of that.
    pub fn reason(&mut self, now: Mono) -> Option<(&'static str, u64)> {
        if self.most.is_some_and(|most| self.handled >= most) {
            return Some(("max_events", self.handled.into()));
        }
        if self.old_at.is_some_and(|old_at| now >= old_at) {
            return Some(("max_lifetime", 0));
        }
        let most = self.memory?;
        if now < self.look_at && self.handled < self.look_at_event {
            return None;
        }
        self.look_at = now.plus(LOOK_AFTER);
        self.look_at_event = self.handled.saturating_add(LOOK_AFTER_EVENTS);
        memory::private_above(most).map(|bytes| ("max_memory", bytes))
    }

    /// How long a worker with nothing to do may sleep.
    pub fn rest(&self) -> Option<Duration> {
        self.old_at.map(|old_at| Duration::from_micros(old_at.since(clock::mono())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proletarier_core::settings::Settings;
    use serde_json::json;

    fn wear(worker: &serde_json::Value, dice: u64) -> Wear {
        let settings = Settings::read(&json!({ "state_dir": "/s", "worker": worker })).unwrap();
        Wear::new(&settings.worker, Mono(0), dice)
    }

    #[test]
    fn events_are_counted() {
        let mut wear = wear(&json!({ "max_events": 2 }), 0);
        wear.handled();
        assert_eq!(wear.reason(Mono(1)), None);
        wear.handled();
        assert_eq!(wear.reason(Mono(1)), Some(("max_events", 2)));
    }

    #[test]
    fn lifetimes_differ_by_a_tenth_and_are_never_longer() {
        let age = |dice| wear(&json!({ "max_lifetime": 100, "max_memory": false }), dice).old_at.unwrap();
        assert_eq!((age(0), age(u64::MAX)), (Mono(100_000_000), Mono(90_000_000)));
        let mut wear = wear(&json!({ "max_lifetime": 100, "max_memory": false }), 0);
        assert_eq!((wear.reason(Mono(99_999_999)), wear.reason(Mono(100_000_000))), (None, Some(("max_lifetime", 0))));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_looked_at_now_and_then() {
        let mut wear = wear(&json!({ "max_memory": "1M", "max_lifetime": false }), 0);
        let own = std::hint::black_box(vec![1u8; 4 << 20]);
        assert_eq!(wear.reason(Mono(999_999)), None, "not yet");
        assert!(matches!(wear.reason(Mono(1_000_000)), Some(("max_memory", 1_048_577..))));
        assert_eq!(wear.reason(Mono(1_000_001)), None, "not again so soon");
        (0..1_000).for_each(|_| wear.handled());
        assert!(wear.reason(Mono(1_000_002)).is_some(), "unless it has handled many");
        assert_eq!(wear.rest(), None);
        drop(own);
    }
}

//! Writes what the broker has to tell an operator: dead letters, and peers that send what can't be read, the latter not more often than helps.

use crate::application::Level;
use crate::clock;
use crate::log;
use crate::spool::Unreadable;
use proletarier_core::delivery::{DeadLetter, Delivery};
use proletarier_core::failure::FailureKind;
use proletarier_core::record::Record;
use proletarier_core::time::Mono;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;

/// At most one line about what one source sends in so many microseconds. By source: garbage from one must not hide a hint about another.
const PAUSE: u64 = 10_000_000;
/// Event names that were warned about; beyond this many nobody reads on.
const MAX_NAMES: usize = 1_000;

/// At most one line in so many microseconds about what lasts: overload, dead letters beyond their limits.
const MINUTE: u64 = 60_000_000;

/// What was told so far.
#[derive(Default)]
pub(super) struct Notices {
    malformed: HashMap<&'static str, Told>,
    unheard: HashSet<String>,
    overload: Told,
    swept: Told,
    spool: Told,
    drained: Told,
    unblocked: Told,
    /// How many are counted of those.
    known_unblocked: u64,
}

/// What was told of one source.
#[derive(Default)]
struct Told {
    at: Option<Mono>,
    since: u64,
}

impl Told {
    /// Counts on, and tells how often it was, with this time, since it was last told of, where it may be told again.
    fn again(&mut self, more: u64, pause: u64) -> Option<u64> {
        self.since += more;
        let now = clock::mono();
        if self.at.is_some_and(|at| now.since(at) <= pause) {
            return None;
        }
        let count = self.since;
        *self = Self { at: Some(now), since: 0 };
        Some(count)
    }
}

impl Notices {
    /// An event, or a listener of it, is dead.
    pub fn dead(&mut self, letter: &DeadLetter) {
        let (Ok(record), Some(reason)) = (Record::decode(&letter.delivery.record), letter.reason()) else { return };
        if reason.kind == FailureKind::NoListener {
            if self.unheard.len() < MAX_NAMES && self.unheard.insert(record.name.to_owned()) {
                log::line(Level::Warning, &reason.message, &[("event", &record.name), ("id", &record.id)]);
            }
            return;
        }
        let listener = letter.delivery.only().map(|only| only.join(", ")).unwrap_or_default();
        log::line(
            Level::Error,
            "dead letter: it will not be tried again by itself",
            &[
                ("event", &record.name),
                ("id", &record.id),
                ("listener", &listener),
                ("attempts", &letter.delivery.attempt),
                ("class", &reason.class),
                ("error", &reason.message),
            ],
        );
    }

    /// A frame could not be read.
    pub fn malformed(&mut self, from: &'static str, error: &dyn Display) {
        if let Some(count) = self.malformed.entry(from).or_default().again(1, PAUSE) {
            let fields: [(&str, &dyn Display); 3] = [("from", &from), ("error", error), ("count", &count)];
            log::line(Level::Warning, "what came could not be read, and is dropped", &fields);
        }
    }

    /// An event expired before anybody started it.
    pub fn expired(&self, delivery: &Delivery) {
        let record = Record::decode(&delivery.record).unwrap_or_default();
        let fields: [(&str, &dyn Display); 3] = [("event", &record.name), ("id", &record.id), ("attempt", &delivery.attempt)];
        log::line(Level::Debug, "an event expired before it was started, and is dropped", &fields);
    }

    /// Events ask for a queue that there is not.
    pub fn unknown_queue(&self, name: &str) {
        let words = "events ask for a queue that is not configured: they go where their names send them";
        log::line(Level::Warning, words, &[("queue", &name)]);
    }

    /// Events are refused.
    pub fn overload(&mut self, reason: &str, pulls: bool) {
        if self.overload.again(1, MINUTE).is_some() {
            let words = if pulls {
                "events are refused, and those of broker.pull are left waiting at their senders"
            } else {
                "events are refused: clients spool them, or are told"
            };
            log::line(Level::Warning, words, &[("reason", &reason)]);
        }
    }

    /// The spool can't be drained.
    pub fn spool(&mut self, error: &dyn Display) {
        if self.spool.again(1, MINUTE).is_some() {
            log::line(Level::Error, "the spool can't be drained, and what is in it waits", &[("error", error)]);
        }
    }

    /// So many events came from the spool, which is empty by now.
    pub fn drained(&mut self, count: u64) {
        if count > 0
            && let Some(count) = self.drained.again(count, MINUTE)
        {
            log::line(Level::Info, "events from the spool were taken in", &[("count", &count)]);
        }
    }

    /// So many failed events have lost their keys since the broker began.
    pub fn unblocked(&mut self, count: u64) {
        let more = count - self.known_unblocked.min(count);
        if more > 0 {
            self.known_unblocked = count;
            if let Some(count) = self.unblocked.again(more, MINUTE) {
                let words =
                    "failed events no longer hold up those of their keys: too many keys are blocked, or too much waits for them";
                log::line(Level::Warning, words, &[("count", &count)]);
            }
        }
    }

    /// Part of a spool file could not be read.
    pub fn unreadable(&self, unreadable: &Unreadable) {
        log::line(Level::Error, "part of a spool file is damaged, and was set aside", &[("what", unreadable)]);
    }

    /// So many dead letters were removed.
    pub fn swept(&mut self, count: usize) {
        if count > 0
            && let Some(count) = self.swept.again(count as u64, MINUTE)
        {
            let words = "dead letters were removed: they were older than dead.keep, or more than dead.max";
            log::line(Level::Warning, words, &[("count", &count)]);
        }
    }
}

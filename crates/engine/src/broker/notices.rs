//! Writes what the broker has to tell an operator: dead letters, and peers that send what can't be read, the latter not more often than helps.

use crate::application::Level;
use crate::clock;
use crate::log;
use proletarier_core::delivery::DeadLetter;
use proletarier_core::failure::FailureKind;
use proletarier_core::record::Record;
use proletarier_core::time::Mono;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;

/// At most one line about what one source sends in so many microseconds. By source: garbage from one must not hide a hint about another.
const PAUSE: u64 = 10_000_000;
/// Event names that were warned about; beyond this many nobody reads on.
const MAX_NAMES: usize = 1_000;

/// What was told so far.
#[derive(Default)]
pub(super) struct Notices {
    malformed: HashMap<&'static str, Told>,
    unheard: HashSet<String>,
}

/// What was told of one source.
#[derive(Default)]
struct Told {
    at: Option<Mono>,
    since: u64,
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
        let told = self.malformed.entry(from).or_default();
        told.since += 1;
        let now = clock::mono();
        if told.at.is_none_or(|at| now.since(at) > PAUSE) {
            let fields: [(&str, &dyn Display); 3] = [("from", &from), ("error", error), ("count", &told.since)];
            log::line(Level::Warning, "what came could not be read, and is dropped", &fields);
            *told = Told { at: Some(now), since: 0 };
        }
    }
}

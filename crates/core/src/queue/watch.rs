//! Follows single events for somebody who waits for what becomes of them (`trigger --wait`).

use crate::backlog::{Replacement, Settlement};
use crate::delivery::{DeadLetter, Delivery};
use crate::record::Record;
use crate::time::Mono;
use std::collections::{HashMap, VecDeque};

/// Most events that are followed at once; one more, and the first is no longer.
pub const MAX_WATCHED: usize = 1_024;
/// How long an event is followed, in microseconds: an hour.
const WATCHED_FOR: u64 = 3_600 * 1_000_000;

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was not to be followed, or is no longer.
    Unknown,
    /// It has not come yet, or waits, or runs.
    Waiting,
    /// All of its listeners succeeded.
    Handled,
    /// One of its listeners is dead, or it expired; why, in words. Others may wait still.
    Failed(String),
    /// It was cancelled, or an event with its unique key was there already; in words.
    Cancelled(String),
}

#[derive(Debug)]
struct Watched {
    since: Mono,
    /// Deliveries that are not settled; none while it has not come.
    open: Option<u32>,
    fate: Fate,
}

/// The events that are followed, by id.
#[derive(Debug, Default)]
pub(super) struct Watches {
    watched: HashMap<Box<str>, Watched>,
    /// The ids in the order in which they were asked for.
    order: VecDeque<(Mono, Box<str>)>,
}

impl Watches {
    /// Follows this event from now on.
    pub fn watch(&mut self, id: &str, now: Mono) {
        self.watched.entry(id.into()).or_insert(Watched { since: now, open: None, fate: Fate::Waiting }).since = now;
        self.order.push_back((now, id.into()));
        while let Some((since, oldest)) = self.order.front()
            && (self.order.len() > MAX_WATCHED || now.since(*since) >= WATCHED_FOR)
        {
            // One that was asked for again stands behind once more.
            if self.watched.get(oldest).is_some_and(|watched| watched.since == *since) {
                self.watched.remove(oldest);
            }
            self.order.pop_front();
        }
    }

    pub fn fate(&self, id: &str) -> Fate {
        self.watched.get(id).map_or(Fate::Unknown, |watched| watched.fate.clone())
    }

    pub fn taken(&mut self, id: &str) {
        if let Some(watched) = self.watched.get_mut(id) {
            watched.open = Some(watched.open.unwrap_or(0) + 1);
        }
    }

    /// It comes to its end in another way than by its listeners.
    pub fn ended(&mut self, delivery: &Delivery, fate: impl FnOnce() -> Fate) {
        if let Some(watched) = self.of(delivery) {
            watched.end(fate());
        }
    }

    pub fn refused(&mut self, id: &str, fate: impl FnOnce() -> Fate) {
        if let Some(watched) = self.watched.get_mut(id) {
            watched.end(fate());
        }
    }

    /// A delivery is settled.
    pub fn settled(&mut self, delivery: &Delivery, settlement: &Settlement) {
        let Some(watched) = self.of(delivery) else { return };
        // It may have come before somebody asked.
        let mut open = watched.open.unwrap_or(1).saturating_sub(1);
        if let Settlement::Replace(replacements) = settlement {
            for replacement in replacements {
                match replacement {
                    // One that announces a death beside it counts, too: that has ended it already.
                    Replacement::Delivery(_) => open += 1,
                    Replacement::Dead(letter) => watched.end(Fate::Failed(words(letter))),
                }
            }
        }
        watched.open = Some(open);
        if open == 0 {
            watched.end(Fate::Handled);
        }
    }

    fn of(&mut self, delivery: &Delivery) -> Option<&mut Watched> {
        // Most of the time nobody waits for anything, and no record need be looked into.
        if self.watched.is_empty() {
            return None;
        }
        self.watched.get_mut(Record::decode(&delivery.record).ok()?.id)
    }
}

impl Watched {
    /// The first end is the one that is told.
    fn end(&mut self, fate: Fate) {
        if self.fate == Fate::Waiting {
            self.fate = fate;
        }
    }
}

fn words(letter: &DeadLetter) -> String {
    let reason = letter.reason().map(|failure| failure.in_words()).unwrap_or_default();
    match letter.delivery.only() {
        Some(only) => format!("{}: {reason}", only.join(", ")),
        None => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_thousand_are_followed_and_none_for_longer_than_an_hour() {
        let mut watches = Watches::default();
        for number in 0..=MAX_WATCHED {
            watches.watch(&number.to_string(), Mono(number as u64));
        }
        assert_eq!((watches.fate("0"), watches.fate("1")), (Fate::Unknown, Fate::Waiting));
        watches.watch("1", Mono(WATCHED_FOR));
        watches.watch("new", Mono(WATCHED_FOR + 10));
        assert_eq!((watches.fate("10"), watches.fate("11")), (Fate::Unknown, Fate::Waiting));
        assert_eq!(watches.fate("1"), Fate::Waiting, "asked for again");
        assert_eq!(watches.watched.len(), watches.order.len());
    }
}

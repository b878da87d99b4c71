//! Keeps unique keys: while an event that has one waits or runs, no other with that key is taken in.
//!
//! A key is held by an event, not by its first delivery: a listener that is tried again, alone, keeps it. It is free when the event's last
//! delivery is done, dead, cancelled or expired, and at the latest when its time is up: a lock that outlives what it guards is the
//! complaint that users of such locks make.

use crate::backlog::{Replacement, Settlement};
use crate::delivery::{Delivery, Due, Unique};
use crate::record::{Record, UNIQUE_FOR};
use crate::time::{Now, Wall};
use std::collections::HashMap;
use std::sync::Arc;

/// Who holds a key.
#[derive(Debug)]
struct Holder {
    id: Box<str>,
    /// Deliveries of it that are not settled.
    open: u32,
    until: Wall,
}

impl Holder {
    /// Whether this is the event that holds the key, and has since: one that lost it and was replayed holds it anew, until later.
    fn is(&self, unique: &Unique, id: &str) -> bool {
        self.until == unique.until && *self.id == *id
    }
}

/// The keys that are held.
#[derive(Debug, Default)]
pub(super) struct Uniques(HashMap<Arc<str>, Holder>);

/// The key that an event asks for, if it does: held from now, or from when the event is due, for as long as it says.
pub(super) fn of(record: &Record<'_>, due: Option<Due>, now: Now) -> Option<Unique> {
    let key = record.unique?;
    let due = match due {
        Some(Due::At(at)) => at.max(now.wall),
        Some(Due::After(at)) => now.wall.plus(at.since(now.mono)),
        None => now.wall,
    };
    Some(Unique { key: key.into(), until: due.plus(record.unique_for.unwrap_or(UNIQUE_FOR)) })
}

impl Uniques {
    /// The id of the event that holds the key.
    pub fn holder(&self, key: &str, now: Now) -> Option<&str> {
        let holder = self.0.get(key)?;
        (holder.until > now.wall).then_some(&*holder.id)
    }

    /// How an event that is here already may hold the key: as its other deliveries do, or, where nobody has it, by itself. None: another has it.
    pub fn claim(&self, mut unique: Unique, id: &str, now: Now) -> Option<Unique> {
        match self.0.get(&unique.key).filter(|holder| holder.until > now.wall) {
            Some(holder) if *holder.id == *id => unique.until = holder.until,
            Some(_) => return None,
            None => {}
        }
        Some(unique)
    }

    /// A delivery of the event holds the key. Whoever held it before, in another event or before its time was up, does no more.
    pub fn hold(&mut self, unique: &Unique, id: &str) {
        match self.0.get_mut(&unique.key) {
            Some(holder) if holder.is(unique, id) => holder.open += 1,
            _ => drop(self.0.insert(unique.key.clone(), Holder { id: id.into(), open: 1, until: unique.until })),
        }
    }

    /// The same for what a backlog kept: of two the one that came later holds the key.
    pub fn restore(&mut self, unique: &Unique, id: &str) {
        let later = self.0.get(&unique.key).is_some_and(|holder| !holder.is(unique, id) && holder.until > unique.until);
        if !later {
            self.hold(unique, id);
        }
    }

    /// Deliveries that hold a key, by key and event.
    #[cfg(test)]
    pub fn open(&self) -> std::collections::BTreeMap<(String, String), u32> {
        self.0.iter().map(|(key, holder)| ((key.to_string(), holder.id.to_string()), holder.open)).collect()
    }

    /// A delivery of an event that has a key is settled.
    pub fn settled(&mut self, unique: &Unique, delivery: &Delivery, settlement: &Settlement) {
        let Ok(record) = Record::decode(&delivery.record) else { return };
        let Some(holder) = self.0.get_mut(&unique.key).filter(|holder| holder.is(unique, record.id)) else { return };
        let more = match settlement {
            Settlement::Done => 0,
            Settlement::Replace(replacements) => {
                let holds =
                    |replacement: &&Replacement| matches!(replacement, Replacement::Delivery(next) if next.unique().is_some());
                replacements.iter().filter(holds).count() as u32
            }
        };
        holder.open = (holder.open + more).saturating_sub(1);
        if holder.open == 0 {
            self.0.remove(&unique.key);
        }
    }
}

//! Settles what workers left that died before they met this broker. Their slots of the scoreboard, this daemon's or one's before it, say how far
//! they were; the store says what they had; and what the places in their marks mean, a live worker with the same listeners says.

use super::Broker;
use super::peers::local_id;
use crate::clock;
use crate::scoreboard::{Slot, State};
use proletarier_core::backlog::{Backlog, Reserved, Token};
use proletarier_core::delivery::Delivery;
use proletarier_core::frame::{ChunkWriter, Held, Hello, Ready};
use proletarier_core::listener::{ListenerSpec, ListenerTable};
use proletarier_core::queue::{Remains, WorkerId};
use proletarier_core::time::Now;
use std::path::PathBuf;

/// What one worker left.
#[derive(Clone, Debug)]
pub struct Legacy {
    /// Its slot waits to be used again.
    grave: Option<WorkerId>,
    /// The fingerprint of its listeners.
    table: u64,
    remains: Remains,
    /// What it had claimed, as the store names it, by chunk.
    chunks: Vec<(u32, Vec<Token>)>,
}

/// What daemons before have left.
#[derive(Clone, Debug, Default)]
pub struct Estate {
    /// What their workers left.
    pub legacies: Vec<Legacy>,
    /// The files that say so, which go when all is settled.
    pub files: Vec<PathBuf>,
}

impl Legacy {
    /// What the worker in a slot left, or leaves to claim no more of.
    pub(crate) fn of(slot: &Slot) -> Self {
        Self { grave: None, table: slot.table(), chunks: slot.revoke_all(), remains: slot.remains() }
    }

    fn tokens(&self) -> impl Iterator<Item = Token> {
        self.chunks.iter().flat_map(|(_, tokens)| tokens.iter().copied())
    }
}

impl Estate {
    /// What stands in the slots of a scoreboard that nobody has any more.
    pub(crate) fn add<'a>(&mut self, slots: impl Iterator<Item = &'a Slot>) {
        let left = slots.filter(|slot| slot.state() != State::Free).map(Legacy::of);
        self.legacies.extend(left.filter(|legacy| legacy.tokens().next().is_some()));
    }
}

/// What this broker has yet to settle.
#[derive(Default)]
pub(super) struct Legacies {
    left: Vec<Legacy>,
    /// The listeners of the worker that introduced itself last.
    table: Option<(u64, Vec<ListenerSpec>)>,
    /// Files that go when all is settled.
    files: Vec<PathBuf>,
}

/// Takes a hand-out over from the broker before, if it is there.
fn adopt(backlog: &mut dyn Backlog, token: Token) -> Option<Delivery> {
    backlog.adopt(&Reserved { token, delivery: Delivery::first(bytes::Bytes::new()) })
}

impl Broker<'_> {
    /// Reserves what workers have claimed, dead or alive: before anything is fetched. A live one claims nothing before it has met this broker.
    pub(super) fn reserve_what_is_claimed(&mut self, estate: &Estate) {
        self.legacies.files.clone_from(&estate.files);
        for legacy in &estate.legacies {
            self.inherit(legacy.clone());
        }
        for (_, slot) in self.post.scoreboard.slots().filter(|(_, slot)| slot.state() != State::Free) {
            for token in Legacy::of(slot).tokens() {
                self.reserve(token);
            }
        }
    }

    /// Whether it is there, and reserved: its key is its event's from now on.
    fn reserve(&mut self, token: Token) -> bool {
        let delivery = adopt(&mut *self.backlog, token);
        let is_there = delivery.is_some();
        delivery.into_iter().for_each(|delivery| self.queue.hold(Reserved { token, delivery }));
        is_there
    }

    /// A worker is dead that this broker has not met.
    pub(super) fn inherit_from(&mut self, number: u32, slot: &Slot) {
        let grave = Some(local_id(number, slot.incarnation()));
        self.inherit(Legacy { grave, ..Legacy::of(slot) });
    }

    fn inherit(&mut self, legacy: Legacy) {
        let had = legacy.tokens().filter(|token| self.reserve(*token)).count();
        if had == 0 {
            // All of it is settled, or it had nothing.
            if let Some(grave) = legacy.grave {
                self.queue.handle_death(grave, Some(&legacy.remains), clock::now(), &mut self.effects);
            }
            return;
        }
        self.legacies.left.push(legacy);
    }

    /// A worker has introduced itself, with these listeners.
    pub(super) fn learn_table(&mut self, listeners: Vec<ListenerSpec>) {
        if let Ok(table) = ListenerTable::new(listeners) {
            self.legacies.table = Some((table.fingerprint(), table.all().to_vec()));
        }
    }

    /// Settles what can be by now.
    pub(super) fn settle_legacies(&mut self, now: Now) {
        let Some((fingerprint, listeners)) = self.legacies.table.clone().filter(|_| !self.legacies.left.is_empty()) else {
            return;
        };
        let (known, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.legacies.left).into_iter().partition(|legacy| legacy.table == fingerprint);
        for legacy in known {
            self.settle_legacy(&legacy, listeners.clone(), now);
        }
        if self.awaited.is_empty() {
            // Nobody is left who could have the listeners that they had: the code is another.
            others.iter().for_each(|legacy| self.settle_untold(legacy, now));
        } else {
            self.legacies.left = others;
        }
    }

    /// As if the worker had introduced itself and died.
    fn settle_legacy(&mut self, legacy: &Legacy, listeners: Vec<ListenerSpec>, now: Now) {
        let id = legacy.grave.unwrap_or_else(|| self.peers.remote_id());
        let backlog = &mut *self.backlog;
        let held = legacy.chunks.iter().map(|(number, tokens)| {
            let mut frame = Vec::new();
            let mut writer = ChunkWriter::begin(&mut frame, 0, *number, 0);
            for token in tokens {
                match adopt(backlog, *token) {
                    Some(delivery) => {
                        let only = delivery.only().map(|only| only.iter().map(String::as_str));
                        writer.push(*token, delivery.attempt, only, &delivery.record);
                    }
                    // It is settled; the places of the others stay.
                    None => writer.push(*token, 0, None::<std::iter::Empty<&str>>, &[]),
                }
            }
            let claimed = tokens.len() as u16;
            Held { frame: frame.into(), finished: 0, claimed, limit: claimed, failures: Vec::new() }
        });
        let held = held.collect();
        let last_chunk = legacy.chunks.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let hello = Hello { last_chunk, listeners, ..Hello::default() };
        let introduced =
            self.queue.handle_ready(id, Ready { hello, held }, &mut |held| backlog.adopt(held), now, &mut self.effects);
        if introduced.is_ok() {
            self.queue.handle_death(id, Some(&legacy.remains), now, &mut self.effects);
        }
    }

    fn settle_untold(&mut self, legacy: &Legacy, now: Now) {
        let (mut finished, mut others) = (Vec::new(), Vec::new());
        for (number, tokens) in &legacy.chunks {
            let chunk = legacy.remains.chunks.iter().find(|chunk| chunk.number == *number);
            for (place, token) in (0..).zip(tokens) {
                let Some(delivery) = adopt(&mut *self.backlog, *token) else { continue };
                let reserved = Reserved { token: *token, delivery };
                let done = chunk.is_some_and(|chunk| {
                    place < chunk.finished && chunk.marks.iter().all(|mark| mark.delivery != place || !mark.failed)
                });
                if done { finished.push(reserved) } else { others.push(reserved) }
            }
        }
        self.queue.handle_untold(finished, others, now, &mut self.effects);
        if let Some(grave) = legacy.grave {
            self.queue.handle_death(grave, None, now, &mut self.effects);
        }
    }

    /// Forgets what daemons before have left, once it is settled and that is kept.
    pub(super) fn forget_estate(&mut self) {
        if self.legacies.files.is_empty()
            || self.legacies.left.iter().any(|legacy| legacy.grave.is_none())
            || !self.unsaid.is_empty()
        {
            return;
        }
        for file in std::mem::take(&mut self.legacies.files) {
            let _ = std::fs::remove_file(file);
        }
    }
}

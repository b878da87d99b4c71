//! Provides the backlog that lives in the broker's memory: as fast as can be, gone with the process. It is also the model that other
//! adapters are compared with.

use super::{
    Append, Backlog, Capabilities, Completion, Counts, LaneCount, Page, Replacement, Reserved, Settlement, Ticket, Token,
    Waiting, Waits, opening, sequence, token,
};
use crate::delivery::{DeadLetter, Delivery, Due};
use crate::lanes::{Lane, Lanes};
use crate::time::{Mono, Now, Wall};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug)]
struct Entry {
    delivery: Delivery,
    waits: Waits,
    /// Which opening handed it out, while it is reserved.
    opening: u16,
}

/// The in-memory adapter.
#[derive(Debug, Default)]
pub struct Memory {
    opening: u16,
    lanes: Lanes,
    /// What is not settled, by `sequence - first`; settled ones at the front are dropped.
    entries: VecDeque<Option<Entry>>,
    first: u64,
    /// Pending ones by lane, in their order; settled ones are passed over.
    pending: BTreeMap<Lane, VecDeque<u64>>,
    /// The same of those that were parked.
    due: BTreeMap<Lane, VecDeque<u64>>,
    by_wall: BTreeMap<(Wall, u64), ()>,
    by_mono: BTreeMap<(Mono, u64), ()>,
    /// Hand-outs of a broker whose backlog is gone.
    adopted: BTreeMap<Token, Delivery>,
    dead: BTreeMap<u64, DeadLetter>,
    counts: Counts,
    /// Pending ones, by lane.
    pending_of: BTreeMap<Lane, u64>,
    /// It outlived a broker.
    durable: bool,
    tickets: Ticket,
    completions: VecDeque<Completion>,
}

impl Memory {
    /// An empty one. Tokens of different `epoch`s differ, so that a late outcome of another broker's hand-out settles nothing here.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self { opening: (epoch % 0xffff) as u16 + 1, first: 1, ..Self::default() }
    }

    /// The broker died and this adapter did not (a simulation's view of a durable one): what was reserved is pending again, in its order, but
    /// for what is adopted before the first fetch.
    pub fn reopen(&mut self) {
        self.completions.clear();
        self.opening = self.opening % 0xffff + 1;
        self.durable = true;
        let mut reserved = Vec::new();
        for (sequence, entry) in (self.first..).zip(self.entries.iter_mut()) {
            if let Some(entry) = entry.as_mut().filter(|entry| entry.waits == Waits::Reserved) {
                entry.waits = Waits::Pending;
                reserved.push((sequence, entry.delivery.lane));
            }
        }
        for (sequence, lane) in reserved.into_iter().rev() {
            self.pending.entry(lane).or_default().push_front(sequence);
            self.count(sequence, Waits::Reserved, -1);
            self.count(sequence, Waits::Pending, 1);
        }
    }

    fn entry(&mut self, sequence: u64) -> Option<&mut Entry> {
        let place = sequence.checked_sub(self.first)?;
        self.entries.get_mut(usize::try_from(place).ok()?)?.as_mut()
    }

    fn count(&mut self, sequence: u64, waits: Waits, by: i64) {
        let (bytes, lane) =
            self.entry(sequence).map_or((0, 0), |entry| (entry.delivery.record.len() as i64, entry.delivery.lane));
        if waits == Waits::Pending {
            let pending = self.pending_of.entry(lane).or_default();
            *pending = pending.saturating_add_signed(by);
        }
        let counts = &mut self.counts;
        let (count, bytes) = match waits {
            Waits::Pending => (&mut counts.pending, bytes),
            Waits::Reserved => (&mut counts.reserved, 0),
            Waits::Parked => (&mut counts.parked, bytes),
        };
        *count = count.saturating_add_signed(by);
        counts.bytes = counts.bytes.saturating_add_signed(by * bytes);
    }

    fn keep(&mut self, delivery: Delivery, now: Now) {
        let (sequence, lane) = (self.next_sequence(), delivery.lane);
        let waits = match delivery.due {
            Some(Due::At(at)) if at > now.wall => {
                self.by_wall.insert((at, sequence), ());
                Waits::Parked
            }
            Some(Due::After(at)) if at > now.mono => {
                self.by_mono.insert((at, sequence), ());
                Waits::Parked
            }
            Some(_) => {
                self.due.entry(lane).or_default().push_back(sequence);
                Waits::Pending
            }
            None => {
                self.pending.entry(lane).or_default().push_back(sequence);
                Waits::Pending
            }
        };
        self.entries.push_back(Some(Entry { delivery, waits, opening: 0 }));
        self.count(sequence, waits, 1);
    }

    fn bury(&mut self, letter: DeadLetter) {
        self.dead.insert(self.next_sequence(), letter);
        // Its number is nobody else's.
        self.entries.push_back(None);
        self.counts.dead += 1;
    }

    fn next_sequence(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Whether a settlement of this token is this entry's.
    fn settles(entry: &Entry, durable: bool, token: Token, settlement: &Settlement) -> bool {
        let late_success = durable && *settlement == Settlement::Done;
        match opening(token) {
            0 => entry.waits != Waits::Reserved,
            of => (entry.waits == Waits::Reserved && entry.opening == of) || late_success,
        }
    }

    fn release(&mut self, token: Token, settlement: &Settlement) -> bool {
        if self.adopted.remove(&token).is_some() {
            self.counts.reserved -= 1;
            return true;
        }
        let sequence = sequence(token);
        if opening(token) == 0 && self.dead.remove(&sequence).is_some() {
            self.counts.dead -= 1;
            return true;
        }
        let (durable, waits) = (self.durable || opening(token) == self.opening, |entry: &Entry| entry.waits);
        let Some(was) =
            self.entry(sequence).filter(|entry| Self::settles(entry, durable, token, settlement)).map(|entry| waits(entry))
        else {
            return false;
        };
        self.count(sequence, was, -1);
        let place = (sequence - self.first) as usize;
        self.entries[place] = None;
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.first += 1;
        }
        true
    }

    fn take(&mut self, due: bool, lane: Lane, most: usize, fetched: &mut Vec<Reserved>) {
        while fetched.len() < most {
            let lines = if due { &mut self.due } else { &mut self.pending };
            let Some(sequence) = lines.get_mut(&lane).and_then(VecDeque::pop_front) else { return };
            let opening = self.opening;
            let Some(entry) = self.entry(sequence).filter(|entry| entry.waits == Waits::Pending) else { continue };
            (entry.waits, entry.opening) = (Waits::Reserved, opening);
            fetched.push(Reserved { token: token(opening, sequence), delivery: entry.delivery.clone() });
            self.count(sequence, Waits::Pending, -1);
            self.count(sequence, Waits::Reserved, 1);
        }
    }

    fn become_due(&mut self, sequence: u64) {
        let Some(entry) = self.entry(sequence).filter(|entry| entry.waits == Waits::Parked) else { return };
        entry.waits = Waits::Pending;
        let lane = entry.delivery.lane;
        self.due.entry(lane).or_default().push_back(sequence);
        self.count(sequence, Waits::Parked, -1);
        self.count(sequence, Waits::Pending, 1);
    }

    fn done(&mut self) -> Ticket {
        self.tickets += 1;
        // One completion tells of all tickets before it.
        if let Some(Completion::Done(ticket)) = self.completions.back_mut() {
            *ticket = self.tickets;
        } else {
            self.completions.push_back(Completion::Done(self.tickets));
        }
        self.tickets
    }
}

impl Backlog for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities { survives_broker: false, survives_power: false }
    }

    fn append(&mut self, batch: &mut Vec<Append>, now: Now) -> Ticket {
        for append in batch.drain(..) {
            match append.dead {
                Some(at) => self.bury(DeadLetter { delivery: append.delivery, at }),
                None => self.keep(append.delivery, now),
            }
        }
        self.done()
    }

    fn settle(&mut self, batch: &mut Vec<(Token, Settlement)>, now: Now) -> Ticket {
        for (token, settlement) in batch.drain(..) {
            if !self.release(token, &settlement) {
                continue;
            }
            if let Settlement::Replace(replacements) = settlement {
                for replacement in replacements {
                    match replacement {
                        // What it replaces may have been handed out when there were other lanes.
                        Replacement::Delivery(delivery) => {
                            self.keep(Delivery { lane: self.lanes.of(&delivery), ..delivery }, now);
                        }
                        Replacement::Dead(letter) => self.bury(letter),
                    }
                }
            }
        }
        self.done()
    }

    fn sync(&mut self) {
        self.completions.push_back(Completion::Synced(self.tickets));
    }

    fn sort(&mut self, lanes: Lanes) {
        let waits = |entry: &&mut Entry| entry.waits != Waits::Reserved;
        for entry in self.entries.iter_mut().flatten().filter(waits) {
            entry.delivery.lane = lanes.of(&entry.delivery);
        }
        self.lanes = lanes;
        let mut pending: Vec<u64> = std::mem::take(&mut self.pending).into_values().flatten().collect();
        pending.sort_unstable();
        let due: Vec<u64> = std::mem::take(&mut self.due).into_values().flatten().collect();
        self.pending_of.clear();
        // One that was adopted and is pending again may stand there twice.
        let mut sorted = BTreeSet::new();
        for (all, is_due) in [(due, true), (pending, false)] {
            for sequence in all {
                let Some(entry) = self.entry(sequence).filter(|entry| entry.waits == Waits::Pending) else { continue };
                if !sorted.insert(sequence) {
                    continue;
                }
                let lane = entry.delivery.lane;
                let lines = if is_due { &mut self.due } else { &mut self.pending };
                lines.entry(lane).or_default().push_back(sequence);
                *self.pending_of.entry(lane).or_default() += 1;
            }
        }
    }

    fn fetch_from(&mut self, lane: Lane, count: usize) {
        let mut fetched = Vec::new();
        let waits = |lines: &BTreeMap<Lane, VecDeque<u64>>| lines.get(&lane).is_some_and(|line| !line.is_empty());
        let both = waits(&self.pending) && waits(&self.due);
        self.take(true, lane, if both { count.div_ceil(2) } else { count }, &mut fetched);
        self.take(false, lane, count, &mut fetched);
        self.take(true, lane, count, &mut fetched);
        if !fetched.is_empty() {
            self.completions.push_back(Completion::Fetched(fetched));
        }
    }

    fn may_have(&self, lane: Lane) -> bool {
        [&self.pending, &self.due].iter().any(|lines| lines.get(&lane).is_some_and(|line| !line.is_empty()))
    }

    fn lane_counts(&self) -> Vec<LaneCount> {
        self.pending_of.iter().map(|(lane, pending)| LaneCount { lane: *lane, pending: *pending, more: false }).collect()
    }

    fn adopt(&mut self, hand_out: &Reserved) -> Option<Delivery> {
        if !self.durable {
            if self.adopted.insert(hand_out.token, hand_out.delivery.clone()).is_none() {
                self.counts.reserved += 1;
            }
            return Some(hand_out.delivery.clone());
        }
        let (sequence, of) = (sequence(hand_out.token), opening(hand_out.token));
        let entry = self.entry(sequence)?;
        match entry.waits {
            Waits::Reserved if entry.opening == of => return Some(entry.delivery.clone()),
            // Not one that was handed out after, nor one that a broker before had taken for lost.
            Waits::Pending if entry.opening == of => {}
            _ => return None,
        }
        entry.waits = Waits::Reserved;
        let delivery = entry.delivery.clone();
        self.count(sequence, Waits::Pending, -1);
        self.count(sequence, Waits::Reserved, 1);
        Some(delivery)
    }

    fn extend(&mut self, _: &[Token]) {}

    fn promote(&mut self, now: Now) -> Option<u64> {
        while let Some(entry) = self.by_wall.first_entry().filter(|entry| entry.key().0 <= now.wall) {
            let ((_, sequence), ()) = entry.remove_entry();
            self.become_due(sequence);
        }
        while let Some(entry) = self.by_mono.first_entry().filter(|entry| entry.key().0 <= now.mono) {
            let ((_, sequence), ()) = entry.remove_entry();
            self.become_due(sequence);
        }
        let by_wall = self.by_wall.first_key_value().map(|((at, _), ())| at.0 - now.wall.0);
        let by_mono = self.by_mono.first_key_value().map(|((at, _), ())| at.0 - now.mono.0);
        by_wall.into_iter().chain(by_mono).min()
    }

    fn waiting(&mut self, after: Token, most: usize) -> Page<Waiting> {
        let begin = (sequence(after) + 1).max(self.first);
        let end = begin.saturating_add(most as u64);
        let looked_at = (begin..end).zip(self.entries.iter().skip((begin - self.first) as usize));
        let found = looked_at.filter_map(|(sequence, entry)| entry.as_ref().map(|entry| (sequence, entry)));
        let items = found.map(|(token, entry)| Waiting { token, delivery: entry.delivery.clone(), waits: entry.waits }).collect();
        Page { items, next: (end < self.next_sequence()).then(|| end - 1) }
    }

    fn dead(&mut self, after: Token, most: usize) -> Page<(Token, DeadLetter)> {
        let mut found = self.dead.range(sequence(after) + 1..);
        let items: Vec<_> = found.by_ref().take(most).map(|(token, letter)| (*token, letter.clone())).collect();
        let next = found.next().and_then(|_| items.last()).map(|(token, _)| *token);
        Page { items, next }
    }

    fn refusal(&self) -> Option<String> {
        None
    }

    fn poll(&mut self) -> Option<Completion> {
        self.completions.pop_front()
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_conforms() {
        crate::backlog::conformance::check(|| Memory::new(1));
    }

    fn fetch(backlog: &mut Memory, count: usize) -> Vec<Reserved> {
        backlog.fetch(count);
        std::iter::from_fn(|| backlog.poll())
            .find_map(|completion| if let Completion::Fetched(fetched) = completion { Some(fetched) } else { None })
            .unwrap_or_default()
    }

    #[test]
    fn what_a_broker_left_is_pending_in_its_order_but_for_what_workers_have() {
        let mut backlog = Memory::new(1);
        let delivery = |name: &'static str| Delivery::first(bytes::Bytes::from_static(name.as_bytes()));
        backlog.append(&mut ["a", "b", "c", "d"].map(|name| delivery(name).into()).into(), Now::default());
        let fetched = fetch(&mut backlog, 3);
        backlog.reopen();
        let claimed = Reserved { delivery: delivery("not what is kept"), ..fetched[1].clone() };
        assert_eq!(backlog.adopt(&claimed), Some(delivery("b")));
        assert_eq!(backlog.adopt(&claimed), Some(delivery("b")), "a worker that tells of what its slot told");
        assert_eq!(backlog.adopt(&Reserved { token: 7, delivery: delivery("settled long ago") }), None);
        let names: Vec<_> = fetch(&mut backlog, 9).into_iter().map(|reserved| reserved.delivery.record).collect();
        assert_eq!(names, ["a", "c", "d"]);
        assert_eq!(backlog.adopt(&fetched[0]), None, "handed out anew");
        let reserved = |backlog: &Memory| backlog.counts().reserved;
        assert_eq!(reserved(&backlog), 4);
        let failure = Settlement::Replace(vec![Replacement::Delivery(delivery("late"))]);
        backlog.settle(&mut vec![(fetched[0].token, failure)], Now::default());
        assert_eq!((reserved(&backlog), backlog.counts().pending), (4, 0), "a late failure is ignored");
        backlog.settle(&mut vec![(claimed.token, Settlement::Done), (fetched[0].token, Settlement::Done)], Now::default());
        assert_eq!(reserved(&backlog), 2, "a late success settles");
    }
}

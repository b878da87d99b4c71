//! Provides the backlog that lives in the broker's memory: as fast as can be, gone with the process.

use super::{Backlog, Capabilities, Completion, Counts, Replacement, Reserved, Settlement, Ticket, Token};
use crate::delivery::{DeadLetter, Delivery, Due};
use crate::time::{Mono, Now, Wall};
use std::collections::{BTreeMap, VecDeque};

/// The in-memory adapter.
#[derive(Debug, Default)]
pub struct Memory {
    pending: VecDeque<Delivery>,
    /// Hand-outs, by `token - first`; settled ones at the front are dropped.
    reserved: VecDeque<Option<Delivery>>,
    first: Token,
    open: usize,
    /// Hand-outs that another broker made.
    adopted: BTreeMap<Token, Delivery>,
    /// What a broker that died had handed out, until the next one begins to fetch: that is how long it has to adopt what workers still have.
    orphans: BTreeMap<Token, Delivery>,
    /// It outlived a broker: hand-outs that it does not know are settled ones.
    durable: bool,
    by_wall: BTreeMap<(Wall, u64), Delivery>,
    by_mono: BTreeMap<(Mono, u64), Delivery>,
    dead: BTreeMap<u64, DeadLetter>,
    /// Numbers what is parked or dead, in order.
    serial: u64,
    tickets: Ticket,
    completions: VecDeque<Completion>,
}

impl Memory {
    /// An empty one. Tokens of different `epoch`s differ, so that a late outcome of another broker's hand-out settles nothing here.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self { first: epoch << 40, ..Self::default() }
    }

    /// The broker died and this adapter did not (a simulation's view of a durable one): what was reserved is pending again, in its order, but
    /// for what is adopted before the first fetch.
    pub fn reopen(&mut self) {
        self.completions.clear();
        let reserved = (self.first..).zip(self.reserved.drain(..));
        self.orphans.extend(reserved.filter_map(|(token, delivery)| Some((token, delivery?))));
        self.orphans.append(&mut self.adopted);
        self.first = ((self.first >> 40) + 1) << 40;
        self.open = 0;
        self.durable = true;
    }

    fn release_orphans(&mut self) {
        for delivery in std::mem::take(&mut self.orphans).into_values().rev() {
            self.pending.push_front(delivery);
        }
    }

    fn keep(&mut self, delivery: Delivery, now: Now) {
        self.serial += 1;
        match delivery.due {
            Some(Due::At(at)) if at > now.wall => drop(self.by_wall.insert((at, self.serial), delivery)),
            Some(Due::After(at)) if at > now.mono => drop(self.by_mono.insert((at, self.serial), delivery)),
            _ => self.pending.push_back(delivery),
        }
    }

    fn release(&mut self, token: Token) -> bool {
        let known = token
            .checked_sub(self.first)
            .and_then(|place| self.reserved.get_mut(usize::try_from(place).ok()?)?.take())
            .inspect(|_| self.open -= 1)
            .or_else(|| self.adopted.remove(&token));
        while let Some(None) = self.reserved.front() {
            self.reserved.pop_front();
            self.first += 1;
        }
        known.is_some()
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

    fn append(&mut self, batch: &mut Vec<Delivery>, now: Now) -> Ticket {
        for delivery in batch.drain(..) {
            self.keep(delivery, now);
        }
        self.done()
    }

    fn settle(&mut self, batch: &mut Vec<(Token, Settlement)>, now: Now) -> Ticket {
        for (token, settlement) in batch.drain(..) {
            if !self.release(token) {
                continue;
            }
            if let Settlement::Replace(replacements) = settlement {
                for replacement in replacements {
                    match replacement {
                        Replacement::Delivery(delivery) => self.keep(delivery, now),
                        Replacement::Dead(letter) => {
                            self.serial += 1;
                            self.dead.insert(self.serial, letter);
                        }
                    }
                }
            }
        }
        self.done()
    }

    fn fetch(&mut self, count: usize) {
        self.release_orphans();
        let count = count.min(self.pending.len());
        if count == 0 {
            return;
        }
        let next = self.first + self.reserved.len() as u64;
        let fetched: Vec<_> =
            (next..).zip(self.pending.drain(..count)).map(|(token, delivery)| Reserved { token, delivery }).collect();
        self.reserved.extend(fetched.iter().map(|reserved| Some(reserved.delivery.clone())));
        self.open += count;
        self.completions.push_back(Completion::Fetched(fetched));
    }

    fn adopt(&mut self, hand_out: &Reserved) {
        // A survivor has the delivery itself, with its history. What it does not know is settled, or handed out anew: not the worker's.
        let known = if self.durable { self.orphans.remove(&hand_out.token) } else { Some(hand_out.delivery.clone()) };
        if let Some(delivery) = known {
            self.adopted.entry(hand_out.token).or_insert(delivery);
        }
    }

    fn extend(&mut self, _: &[Token]) {}

    fn promote(&mut self, now: Now) -> Option<u64> {
        while let Some(entry) = self.by_wall.first_entry() {
            if entry.key().0 > now.wall {
                break;
            }
            self.pending.push_back(entry.remove());
        }
        while let Some(entry) = self.by_mono.first_entry() {
            if entry.key().0 > now.mono {
                break;
            }
            self.pending.push_back(entry.remove());
        }
        let by_wall = self.by_wall.first_key_value().map(|((at, _), _)| at.0 - now.wall.0);
        let by_mono = self.by_mono.first_key_value().map(|((at, _), _)| at.0 - now.mono.0);
        by_wall.into_iter().chain(by_mono).min()
    }

    fn dead(&self, cursor: u64, count: usize) -> Vec<(u64, DeadLetter)> {
        self.dead.range(cursor + 1..).take(count).map(|(at, letter)| (*at, letter.clone())).collect()
    }

    fn take_dead(&mut self, cursors: &[u64]) -> Vec<DeadLetter> {
        cursors.iter().filter_map(|cursor| self.dead.remove(cursor)).collect()
    }

    fn poll(&mut self) -> Option<Completion> {
        self.completions.pop_front()
    }

    fn counts(&self) -> Counts {
        Counts {
            pending: (self.pending.len() + self.orphans.len()) as u64,
            reserved: (self.open + self.adopted.len()) as u64,
            parked: (self.by_wall.len() + self.by_mono.len()) as u64,
            dead: self.dead.len() as u64,
        }
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
        backlog.append(&mut ["a", "b", "c", "d"].map(delivery).into(), Now::default());
        let fetched = fetch(&mut backlog, 3);
        backlog.reopen();
        let claimed = Reserved { delivery: delivery("not what is kept"), ..fetched[1].clone() };
        backlog.adopt(&claimed);
        backlog.adopt(&Reserved { token: 7, delivery: delivery("settled long ago") });
        let names: Vec<_> = fetch(&mut backlog, 9).into_iter().map(|reserved| reserved.delivery.record).collect();
        assert_eq!(names, ["a", "c", "d"]);
        backlog.adopt(&claimed);
        backlog.adopt(&fetched[0]);
        assert_eq!(backlog.counts(), Counts { reserved: 4, ..Counts::default() });
        backlog.settle(&mut vec![(claimed.token, Settlement::Done), (fetched[0].token, Settlement::Done)], Now::default());
        assert_eq!(backlog.counts(), Counts { reserved: 3, ..Counts::default() });
    }
}

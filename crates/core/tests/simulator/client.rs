//! Provides a model of a client: it numbers its events, and sends again what is not confirmed when it meets another broker.

use crate::dice::Dice;
use crate::plan::{NAMES, Plan};
use bytes::Bytes;
use proletarier_core::frame::{Publish, Session, ToClient};
use proletarier_core::record::{Priority, Record};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
pub struct Client {
    pub name: String,
    session: Session,
    next: u64,
    /// Events it still has to trigger.
    pub left: usize,
    pub unconfirmed: BTreeMap<u64, Bytes>,
    sent: BTreeMap<u64, Bytes>,
    /// On the way to the broker, and from it.
    pub to_broker: VecDeque<Bytes>,
    pub inbox: VecDeque<Bytes>,
    /// Another broker has greeted it.
    pub meets: bool,
}

/// An event that was triggered: its id, its name, and whether the broker must refuse it.
pub struct Triggered {
    pub id: String,
    pub name: &'static str,
    pub key: Option<&'static str>,
    pub bad: bool,
}

impl Client {
    pub fn new(number: usize, left: usize) -> Self {
        Self {
            name: format!("client{number}"),
            session: [number as u8 + 1; 16],
            next: 1,
            left,
            unconfirmed: BTreeMap::new(),
            sent: BTreeMap::new(),
            to_broker: VecDeque::new(),
            inbox: VecDeque::new(),
            meets: false,
        }
    }

    /// The id of the event with this number.
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number:03}", self.name)
    }

    /// Triggers some events, of any priority where the plan has queues, and sends them as one batch.
    pub fn publish(&mut self, wall: u64, plan: &Plan, dice: &mut Dice) -> Vec<Triggered> {
        let count = 1 + dice.below(self.left.min(5));
        self.left -= count;
        let first = self.next;
        let mut triggered = Vec::new();
        for _ in 0..count {
            let id = self.id(self.next);
            let name = NAMES[dice.below(NAMES.len())];
            let bad = dice.chance(40);
            let delay = dice.chance(100).then_some(2_000_000);
            let priority = if plan.queues { Priority::WORDS[dice.below(3)].1 } else { Priority::Normal };
            let params: &[u8] = if bad { b"no JSON" } else { b"{}" };
            let mut record = Vec::new();
            let key = plan.key(&id);
            // Order by key counts from acceptance: such an event has no other priority.
            let priority = if key.is_some() { Priority::Normal } else { priority };
            Record { id: &id, name, triggered_at: wall, delay, key, priority, params, ..Record::default() }.encode(&mut record);
            self.sent.insert(self.next, record.clone().into());
            self.unconfirmed.insert(self.next, record.into());
            self.next += 1;
            triggered.push(Triggered { key: key.map(|key| plan.key_in_queue(key, name)), id, name, bad });
        }
        self.send(first, count);
        triggered
    }

    /// Sends again all that is not confirmed, in batches in any order, some twice.
    pub fn send_again(&mut self, dice: &mut Dice) {
        self.meets = false;
        let mut batches: Vec<(u64, usize)> = Vec::new();
        for number in self.unconfirmed.keys() {
            match batches.last_mut() {
                Some((first, count)) if *first + *count as u64 == *number && *count < 4 => *count += 1,
                _ => batches.push((*number, 1)),
            }
        }
        dice.shuffle(&mut batches);
        if let Some(again) = batches.first().copied().filter(|_| dice.chance(300)) {
            batches.push(again);
        }
        for (first, count) in batches {
            self.send(first, count);
        }
    }

    /// Sends a copy of one event: of any that was ever sent, or only of one that is not confirmed.
    pub fn send_copy(&mut self, any: bool, dice: &mut Dice) {
        let events = if any { &self.sent } else { &self.unconfirmed };
        if let Some(number) = events.keys().nth(dice.below(events.len())).copied() {
            self.send(number, 1);
        }
    }

    /// Takes in what the broker says; the ids of what is confirmed, and whether it was refused.
    pub fn hear(&mut self, frame: &[u8]) -> Vec<(String, bool)> {
        let ToClient::Confirm(confirmation) = ToClient::decode(frame).unwrap() else { panic!("not a confirmation") };
        assert_eq!(confirmation.session, self.session);
        let numbers = confirmation.first..confirmation.first + u64::from(confirmation.count);
        let refused = |number| confirmation.exceptions.iter().any(|exception| exception.number == number);
        let known: Vec<_> = numbers.filter(|number| self.unconfirmed.remove(number).is_some()).collect();
        known.into_iter().map(|number| (self.id(number), refused(number))).collect()
    }

    fn send(&mut self, first: u64, count: usize) {
        let mut out = Vec::new();
        Publish::begin(&mut out);
        for (_, record) in self.sent.range(first..).take(count) {
            Publish::push(&mut out, |out| out.extend_from_slice(record));
        }
        Publish::seal(&mut out, &self.session, first, count as u32, true, false);
        self.to_broker.push_back(out.into());
    }
}

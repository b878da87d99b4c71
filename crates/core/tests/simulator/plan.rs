//! Defines what a history is made of: how much of everything, which listeners there are, and what each does at each of its runs.

use crate::dice::{Dice, hash};
use proletarier_core::lanes::Lanes;
use proletarier_core::listener::{ListenerIndex, ListenerSpec, ListenerTable};
use proletarier_core::queue::Rules;
use proletarier_core::retry::RetryPolicy;
use proletarier_core::settings::Settings;
use serde_json::json;
use std::time::Duration;

/// How much of what.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub workers: usize,
    pub clients: usize,
    /// Events of each client.
    pub events: usize,
    /// Of a thousand steps: a client hears what it is told. What it has not heard it sends again.
    pub hears: usize,
    /// Whether the backlog, and what is known of sessions, survives the broker.
    pub durable: bool,
    /// Listeners that take every event.
    pub wildcards: usize,
    /// Keys of events; one event in so many and one has none.
    pub keys: usize,
    /// Some listeners are parallel.
    pub parallel: bool,
    /// Of a thousand runs of a listener.
    pub throws: usize,
    pub dies: usize,
    /// Of a thousand steps, while they last.
    pub worker_kills: usize,
    pub broker_kills: usize,
    pub stops: usize,
    /// How long a delivery is said to take, in microseconds: how much a worker gets at once depends on it.
    pub micros: u32,
    /// Of a thousand deaths: the slot can't be read.
    pub lost_slots: usize,
    /// Steps after which nothing is killed any more, so that the history comes to an end.
    pub wild_steps: usize,
    /// Whether events wait in several queues, one of them capped and one limited to a rate.
    pub queues: bool,
    /// A kill at this very step, whatever else.
    pub at: Option<(usize, Kill)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    Worker(usize),
    Broker,
}

/// What a listener does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Succeed,
    Throw,
    Unrecoverable,
    RetryAfter(u64),
    /// It takes its worker with it, with or without a word.
    Die(bool),
}

pub const NAMES: [&str; 4] = ["one", "three", "five", "nobody"];

impl Plan {
    /// A quiet history: nothing fails and nobody dies.
    pub const fn quiet(seed: u64, durable: bool) -> Self {
        Self {
            seed,
            workers: 2,
            clients: 1,
            events: 6,
            hears: 1_000,
            durable,
            wildcards: 0,
            keys: 0,
            parallel: false,
            throws: 0,
            dies: 0,
            worker_kills: 0,
            broker_kills: 0,
            stops: 0,
            micros: 1_000,
            lost_slots: 0,
            wild_steps: 400,
            queues: false,
            at: None,
        }
    }

    /// One of all histories.
    pub fn random(seed: u64) -> Self {
        let mut dice = Dice::new(hash("plan", &[seed]));
        let mut often = |permille: usize| if dice.chance(400) { 0 } else { dice.below(permille) };
        let (throws, dies, worker_kills) = (often(400), often(200), often(25));
        let (broker_kills, stops, lost_slots) = (often(15), often(10), often(300));
        Self {
            workers: 1 + dice.below(4),
            clients: 1 + dice.below(3),
            events: 1 + dice.below(8),
            hears: if dice.chance(700) { 1_000 } else { dice.below(50) },
            wildcards: dice.below(3),
            throws,
            dies,
            worker_kills,
            broker_kills,
            stops,
            keys: dice.below(4),
            parallel: dice.chance(300),
            micros: [1, 700, 1_000, 5_000][dice.below(4)],
            lost_slots: if dice.chance(800) { 0 } else { lost_slots },
            wild_steps: 50 + dice.below(450),
            queues: dice.chance(500),
            ..Self::quiet(seed, dice.chance(500))
        }
    }

    /// Whether events must be started in the order in which they were accepted.
    pub const fn in_order(&self) -> bool {
        let one_line = self.workers == 1 && self.keys == 0 && !self.parallel && !self.queues;
        one_line && self.dies == 0 && self.worker_kills == 0 && self.stops == 0 && self.at.is_none() && self.durable
    }

    /// What the listener does at its `run`th run for this event.
    pub fn act(&self, event: &str, listener: ListenerIndex, run: u32) -> Act {
        let number = hash(event, &[self.seed, u64::from(listener), u64::from(run)]);
        let permille = (number % 1000) as usize;
        match (number >> 32) % 5 {
            _ if permille < self.dies => Act::Die(number >> 40 & 1 == 0),
            _ if permille >= self.dies + self.throws => Act::Succeed,
            0 => Act::Unrecoverable,
            1 => Act::RetryAfter((number >> 40) % 3 * 700_000),
            _ => Act::Throw,
        }
    }

    pub fn listeners(&self) -> Vec<ListenerSpec> {
        let spec = |id: String, event: &str, retry| {
            let parallel = self.parallel && id.ends_with(['2', '3']);
            ListenerSpec { id, event: event.into(), retry, timeout: None, parallel }
        };
        let mut listeners = vec![spec("one 1".into(), "one", None)];
        listeners.extend((1..=3).map(|number| spec(format!("three {number}"), "three", (number == 2).then(|| policy(1)))));
        listeners.extend((1..=5).map(|number| spec(format!("five {number}"), "five", (number == 4).then(|| policy(5)))));
        listeners.extend((0..self.wildcards).map(|number| spec(format!("all {number}"), "*", None)));
        listeners
    }

    /// A key as the ledger knows it: order is kept within a queue.
    pub fn key_in_queue(&self, key: &'static str, name: &str) -> &'static str {
        match (name, key) {
            _ if !self.queues => key,
            ("three", "a") => "a of threes",
            ("three", "b") => "b of threes",
            ("three", _) => "c of threes",
            ("five", "a") => "a of fives",
            ("five", "b") => "b of fives",
            ("five", _) => "c of fives",
            _ => key,
        }
    }

    /// The key of an event.
    pub fn key(&self, event: &str) -> Option<&'static str> {
        let place = hash(event, &[self.seed, 1]) as usize % (self.keys + 1);
        (place > 0).then(|| ["a", "b", "c"][place - 1])
    }

    pub fn table(&self) -> ListenerTable {
        ListenerTable::new(self.listeners()).unwrap()
    }

    /// The lanes that events wait in.
    pub fn lanes(&self) -> Lanes {
        let queues = json!({
            "default": { "concurrency": 2 },
            "threes": { "events": "three", "weight": 3, "concurrency": 1 },
            "fives": { "events": "five", "rate": 2 },
        });
        let settings = json!({ "runtime_dir": "/nowhere", "queues": if self.queues { queues } else { json!({}) } });
        Lanes::new(Settings::read(&settings).unwrap().queues)
    }

    pub const fn rules() -> Rules {
        Rules { retry: policy(3), max_message: 1 << 20 }
    }

    /// The shortest pause after an attempt, in microseconds.
    pub const fn pause(attempt: u16) -> u64 {
        let pause = 800_000 << (attempt - 1);
        if pause < 8_000_000 { pause } else { 8_000_000 }
    }

    pub fn max_attempts(table: &ListenerTable, listener: ListenerIndex) -> u16 {
        table.get(listener).and_then(|spec| spec.retry).map_or(3, |retry| retry.max_attempts)
    }
}

const fn policy(max_attempts: u16) -> RetryPolicy {
    RetryPolicy { max_attempts, delay: Duration::from_secs(1), multiplier: 2.0, max_delay: Duration::from_secs(10), jitter: 0.2 }
}

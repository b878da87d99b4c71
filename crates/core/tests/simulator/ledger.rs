//! Keeps the account of a history, and holds it against what is promised.

use crate::plan::Plan;
use proletarier_core::backlog::Token;
use proletarier_core::delivery::DeadLetter;
use proletarier_core::failure::Failure;
use proletarier_core::listener::{ListenerIndex, ListenerTable};
use proletarier_core::record::Record;
use std::collections::{BTreeMap, BTreeSet};

/// What became of one listener of one event.
#[derive(Clone, Debug, Default)]
struct Tally {
    starts: u32,
    successes: u32,
    /// Its latest run succeeded.
    done: bool,
    /// Starts after a success. What follows one, such as a retry, is no other.
    reruns: u32,
    /// Kills between a success and its mark: as many reruns are as they must be.
    excused: u32,
    /// Losses of a slot: as many starts more than attempts are as they must be.
    uncounted: u32,
    running: Option<usize>,
    /// It failed for good.
    given_up: bool,
    /// It failed, and is to be left alone until then.
    pauses_until: u64,
}

#[derive(Clone, Debug, Default)]
struct Event {
    name: String,
    key: Option<(usize, &'static str)>,
    /// The next of its key has been started: nothing of this one may be.
    passed: bool,
    not_before: u64,
    confirmed: bool,
    /// The broker that appended it last, and the one that last said that it is kept.
    appended: u64,
    accepted: u64,
    /// The broker that took it over from a worker; the same where the worker had the event for all of its listeners.
    adopted: u64,
    told: u64,
    /// A worker died with it before it could tell a broker without memory. A client's copy, and what other workers tell of it, are all
    /// there is to go by, and may be too much.
    doubled: bool,
    /// A volatile backlog died after the event was first sent: what was known of it is gone, so that it may be handled again.
    forgotten: bool,
    listeners: BTreeMap<ListenerIndex, Tally>,
}

/// The account.
#[derive(Debug)]
pub struct Ledger {
    table: ListenerTable,
    events: BTreeMap<String, Event>,
    /// Ids as they were first appended, and as they were first started.
    appended: Vec<String>,
    started: Vec<String>,
    pub worker_kills: u32,
    pub reruns: u32,
    pub runs: u32,
}

impl Ledger {
    pub const fn new(table: ListenerTable) -> Self {
        Self { table, events: BTreeMap::new(), appended: Vec::new(), started: Vec::new(), worker_kills: 0, reruns: 0, runs: 0 }
    }

    pub fn sent(&mut self, id: &str, name: &str, key: Option<(usize, &'static str)>) {
        self.events.insert(id.into(), Event { name: name.into(), key, ..Event::default() });
    }

    pub fn appended(&mut self, id: &str, delayed_until: Option<u64>, epoch: u64) {
        let event = self.events.get_mut(id).unwrap();
        assert!(event.appended == 0 || event.forgotten, "{id} was taken in twice");
        if event.appended == 0 && delayed_until.is_none() && self.table.takes(&event.name) {
            self.appended.push(id.into());
        }
        assert!(event.adopted != epoch || event.doubled, "{id} was taken in, and taken over");
        event.appended = epoch;
        event.not_before = delayed_until.unwrap_or(0);
    }

    /// The broker takes it over from a worker.
    pub fn adopted(&mut self, id: &str, whole: bool, epoch: u64) {
        let event = self.events.get_mut(id).unwrap();
        if whole {
            event.told = epoch;
        }
        assert!(event.appended != epoch || epoch == 0, "{id} was taken over, and taken in");
        event.adopted = epoch;
        // It was due when the worker got it.
        event.not_before = 0;
    }

    /// The broker says that the event is kept.
    pub fn accepted(&mut self, id: &str, epoch: u64) {
        // One that must be refused is not known here.
        if let Some(event) = self.events.get_mut(id) {
            event.accepted = epoch;
        }
    }

    /// A copy of the event is taken in because nobody told of the event itself.
    pub fn regained(&mut self, id: &str, epoch: u64) {
        let event = self.events.get_mut(id).unwrap();
        assert_ne!(event.told, epoch, "a copy of {id} is taken in, of which its worker had told");
        event.doubled = true;
    }

    pub fn confirmed(&mut self, id: &str) {
        self.events.get_mut(id).unwrap().confirmed = true;
    }

    /// An event of a key is about to be started: all that of its key was started before is over. A volatile backlog may not know of a death
    /// yet.
    pub fn takes_its_turn(&mut self, id: &str, letters: Option<&[(Token, DeadLetter)]>) {
        let event = &self.events[id];
        let Some(key) = event.key.filter(|_| !event.forgotten) else { return };
        assert!(!event.passed, "{id} is started after the next of its key, {key:?}");
        let is_started = |event: &Event| event.listeners.values().any(|tally| tally.starts > 0);
        let is_first = !is_started(event);
        let table = &self.table;
        for (other, before) in self.events.iter_mut().filter(|(other, _)| *other != id) {
            if before.key != Some(key) || before.forgotten || !is_started(before) {
                continue;
            }
            for listener in table.of_event(&before.name) {
                let spec = table.get(listener).unwrap();
                let dead = letters.is_none_or(|letters| {
                    letters.iter().any(|(_, letter)| {
                        Record::decode(&letter.delivery.record).unwrap().id == other
                            && letter.delivery.only().is_none_or(|only| only.contains(&spec.id))
                    })
                });
                let done = before.listeners.get(&listener).is_some_and(|tally| tally.done && tally.running.is_none());
                assert!(dead || done, "{id} is started while {} of {other}, of the same key {key:?}, is not over", spec.id);
            }
            assert!(is_first || before.passed, "{id} goes on beside {other}, of the same key {key:?}");
            before.passed = true;
        }
    }

    pub fn started(&mut self, id: &str, listener: ListenerIndex, slot: usize, attempt: u16, now: u64) {
        let event = self.events.get_mut(id).unwrap();
        assert!(now >= event.not_before || event.doubled, "{id} was started before it was due");
        if event.not_before == 0 && event.listeners.is_empty() {
            self.started.push(id.into());
        }
        let max = Plan::max_attempts(&self.table, listener);
        let tally = event.listeners.entry(listener).or_default();
        let who = &self.table.get(listener).unwrap().id;
        if std::env::var_os("PROLETARIER_TRACE").is_some() {
            eprintln!("    {who} starts for {id} ({}) in {slot}, attempt {attempt}: {tally:?}", event.name);
        }
        assert!(tally.running.is_none() || event.doubled, "{who} runs twice at once for {id}: in {slot}, too");
        tally.running = Some(slot);
        tally.starts += 1;
        self.runs += 1;
        assert!((1..=max).contains(&attempt), "attempt {attempt} of {max} of {who} for {id}");
        if event.forgotten {
            return;
        }
        assert!(tally.starts <= u32::from(max) + tally.uncounted, "{} starts of {who} for {id}", tally.starts);
        assert!(!tally.given_up, "{who} is tried again for {id}, which it gave up");
        assert!(now >= tally.pauses_until, "{who} is tried again for {id} {} us too early", tally.pauses_until - now);
        if std::mem::take(&mut tally.done) {
            tally.reruns += 1;
            self.reruns += 1;
            assert!(tally.reruns <= tally.excused, "{who} runs again for {id}, which it had handled");
        }
    }

    pub fn succeeded(&mut self, id: &str, listener: ListenerIndex) {
        let tally = self.tally(id, listener);
        tally.successes += 1;
        tally.done = true;
    }

    pub fn failed(&mut self, id: &str, listener: ListenerIndex, attempt: u16, failure: &Failure, now: u64) {
        let tally = self.tally(id, listener);
        tally.given_up = failure.kind.is_final();
        tally.pauses_until = now + failure.retry_after.unwrap_or(Plan::pause(attempt));
    }

    /// A worker died that had the event in hand: of what its listeners failed may not be known, nor how long they wanted to be left alone.
    pub fn hearsay(&mut self, id: &str) {
        for tally in self.events.get_mut(id).unwrap().listeners.values_mut() {
            tally.given_up = false;
            tally.pauses_until = 0;
        }
    }

    /// What the listener came to is in the scoreboard.
    pub fn marked(&mut self, id: &str, listener: ListenerIndex) {
        self.tally(id, listener).running = None;
    }

    /// Its worker died in the listener, after the listener's success or not.
    pub fn died_in(&mut self, id: &str, listener: ListenerIndex, succeeded: bool) {
        let tally = self.tally(id, listener);
        tally.running = None;
        tally.excused += u32::from(succeeded);
    }

    /// The scoreboard's word on a delivery of this event is lost.
    pub fn slot_lost(&mut self, id: &str) {
        let (named, event) = (&self.table, self.events.get_mut(id).unwrap());
        for listener in named.of_event(&event.name) {
            let tally = event.listeners.entry(listener).or_default();
            tally.excused += 1;
            tally.uncounted += 1;
        }
    }

    /// A broker died, and its backlog with it.
    pub fn backlog_lost(&mut self) {
        for event in self.events.values_mut() {
            event.forgotten = true;
        }
    }

    /// All is quiet: everything that was accepted must have come to its end.
    pub fn check(&self, dead: &[DeadLetter], epoch: u64, in_order: bool) {
        let mut letters: BTreeMap<&str, Vec<Option<&[String]>>> = BTreeMap::new();
        for letter in dead {
            let id = Record::decode(&letter.delivery.record).unwrap().id;
            letters.entry(id).or_default().push(letter.delivery.only());
        }
        for (id, event) in &self.events {
            assert!(event.confirmed, "{id} was never confirmed");
            // A broker without memory has the whole event from a client or a worker. Where a worker has but a retry of it, what became of its
            // other listeners is gone; to take in a client's copy would be to run that retry twice at once.
            if event.forgotten && (event.accepted != epoch || (event.appended != epoch && event.told != epoch)) {
                continue;
            }
            let letters = letters.remove(&id[..]).unwrap_or_default();
            if !self.table.takes(&event.name) {
                let whole = letters.iter().all(Option::is_none) && (letters.len() == 1 || (event.doubled && !letters.is_empty()));
                assert!(whole, "{id}, which no listener takes: {letters:?}");
                continue;
            }
            for listener in self.table.of_event(&event.name) {
                let spec = self.table.get(listener).unwrap();
                let covers = |only: &&Option<&[String]>| only.is_none_or(|only| only.contains(&spec.id));
                let dead = letters.iter().filter(covers).count() as u32;
                let tally = event.listeners.get(&listener).cloned().unwrap_or_default();
                assert_eq!(tally.running, None);
                let what = format!("{} for {id}: {tally:?}, {dead} dead", spec.id);
                assert!(tally.successes > 0 || dead > 0, "{what}: lost");
                if !event.forgotten {
                    assert!(dead == 0 || tally.successes <= tally.excused, "{what}: handled, and dead");
                    assert!(dead == 0 || tally.starts > 0 || tally.uncounted > 0, "{what}: dead before it ever ran");
                    assert!(dead <= 1 + tally.excused, "{what}: dead more than once");
                    assert!(tally.successes <= 1 + tally.excused, "{what}: handled more than once");
                }
            }
        }
        let keys: BTreeSet<_> = self.events.values().filter_map(|event| event.key).collect();
        for key in keys {
            let of_key = |id: &&String| self.events[*id].key == Some(key) && !self.events[*id].forgotten;
            let started: Vec<_> = self.started.iter().filter(of_key).collect();
            let accepted: Vec<_> = self.appended.iter().filter(of_key).filter(|id| started.contains(id)).collect();
            assert_eq!(started, accepted, "order of the key {key:?}");
        }
        if in_order {
            assert_eq!(self.started, self.appended, "order");
        }
    }

    fn tally(&mut self, id: &str, listener: ListenerIndex) -> &mut Tally {
        self.events.get_mut(id).unwrap().listeners.entry(listener).or_default()
    }
}

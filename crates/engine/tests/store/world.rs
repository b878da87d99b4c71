//! Runs random histories on an adapter of the backlog port and on a model beside it, and compares them.

mod acts;
mod checks;

use crate::dice::Dice;
use crate::versions::{FOR_EVER, Fate, Since, Version, Versions};
use bytes::Bytes;
use proletarier_core::backlog::{
    Append, Backlog, Completion, Counts, Origin, Replacement, Reserved, Settlement, Token, Waits, opening,
};
use proletarier_core::delivery::{DeadLetter, Delivery, Due, Rest, SpentAttempt, Unique};
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::lanes::{Lane, Lanes};
use proletarier_core::queue::KeyHolder;
use proletarier_core::record::Record;
use proletarier_core::session::Sessions;
use proletarier_core::settings::Settings;
use proletarier_core::time::{Mono, Now, Wall};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What an opening tells besides the backlog.
pub struct Remembered {
    pub sessions: Sessions,
    pub uniques: Vec<(Unique, String)>,
    pub keys: Vec<KeyHolder>,
    pub is_whole: bool,
    pub missing: usize,
}

/// An adapter, and how it is opened.
pub trait Subject {
    type Backlog: Backlog;
    /// Opens it; again where there was one before. None where it can't be.
    fn open(&mut self, before: Option<Self::Backlog>, now: Now) -> Option<(Self::Backlog, Option<Remembered>)>;
    /// It keeps the line's order over openings.
    fn keeps_order(&self) -> bool;
    /// It is let rest a while.
    fn rest(&self, _: &mut Self::Backlog) {}
}

/// How a history ends, or an opening of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All that is done is there.
    Kill,
    /// All that is synced is there.
    Power,
}

/// What happens how often, of a thousand.
#[derive(Clone, Debug)]
pub struct Habits {
    pub parks: usize,
    pub fails: usize,
    pub dies: usize,
    pub syncs: usize,
    pub reopens: usize,
    pub large: usize,
    pub promotes: usize,
    pub sorts: usize,
}

impl Habits {
    pub fn random(dice: &mut Dice) -> Self {
        Self {
            parks: [0, 100, 700][dice.below(3)],
            fails: [0, 200, 600][dice.below(3)],
            dies: [0, 100, 500][dice.below(3)],
            syncs: [0, 30, 300][dice.below(3)],
            reopens: [0, 10, 40][dice.below(3)],
            large: [0, 10][dice.below(2)],
            promotes: [50, 300][dice.below(2)],
            sorts: [0, 5, 40][dice.below(3)],
        }
    }
}

pub struct World<S: Subject> {
    pub subject: S,
    pub dice: Dice,
    pub habits: Habits,
    pub now: Now,
    backlog: Option<S::Backlog>,
    lanes: Lanes,
    versions: Versions,
    opened_ahead: u64,
    told: Since,
    pub synced: Since,
    sessions: Vec<([u8; 16], u64)>,
    /// Older hand-outs: late outcomes come from them.
    old: Vec<(Token, usize)>,
    adopting: bool,
    /// It failed, as it may where the disk is cut off.
    pub has_failed: bool,
    exact_bytes: bool,
}

fn ahead(now: Now) -> u64 {
    now.wall.0 - now.mono.0
}

impl<S: Subject> World<S> {
    pub fn new(subject: S, mut dice: Dice) -> Self {
        let now = Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000_000), dice: 0 };
        let habits = Habits::random(&mut dice);
        Self {
            subject,
            dice,
            habits,
            now,
            backlog: None,
            lanes: Lanes::default(),
            versions: Versions::default(),
            opened_ahead: ahead(now),
            told: FOR_EVER,
            synced: FOR_EVER,
            sessions: Vec::new(),
            old: Vec::new(),
            adopting: false,
            has_failed: false,
            exact_bytes: true,
        }
    }

    fn backlog(&mut self) -> &mut S::Backlog {
        self.backlog.as_mut().unwrap()
    }

    /// Opens it for the first time; false where it can't be.
    pub fn begin(&mut self) -> bool {
        self.opened_ahead = ahead(self.now);
        match self.subject.open(None, self.now) {
            Some((backlog, _)) => {
                self.backlog = Some(backlog);
                self.sort();
                true
            }
            None => false,
        }
    }

    /// Lets go of what there is: what comes after is another opening.
    pub fn drop_backlog(&mut self) {
        self.backlog = None;
    }

    /// Opens it again, after an end, and compares.
    pub fn reopen(&mut self, end: End) -> bool {
        let before = self.backlog.take();
        let is_kept = before.is_some();
        if self.dice.chance(300) {
            self.now.wall.0 = self.now.wall.0 + 5_000_000 - self.dice.below(8_000_000) as u64;
        }
        let Some((backlog, remembered)) = self.subject.open(before, self.now) else { return false };
        self.backlog = Some(backlog);
        if self.dice.chance(300) {
            self.sort();
        } else {
            let lanes = self.lanes.clone();
            self.backlog().sort(lanes);
        }
        self.has_failed = false;
        let ahead_before = self.opened_ahead;
        if remembered.is_some() {
            self.versions.shift(self.opened_ahead, ahead(self.now));
            self.opened_ahead = ahead(self.now);
        }
        if remembered.is_some() {
            // What had become due is to become so again.
            self.versions.0.iter_mut().for_each(|version| version.was_due = false);
        }
        for (id, version) in self.versions.0.iter().enumerate() {
            self.old.extend(version.token.map(|token| (token, id)));
        }
        let found = self.dump();
        let (told, synced) = (self.told, self.synced);
        self.poll();
        if self.has_failed {
            // The disk was cut off meanwhile: this was no opening.
            self.versions.shift(self.opened_ahead, ahead_before);
            (self.opened_ahead, self.told, self.synced) = (ahead_before, told, synced);
            return false;
        }
        (self.told, self.synced) = (told, synced);
        let level = if end == End::Kill { self.told.max(0) } else { self.synced };
        let synced = if end == End::Kill { self.synced } else { Since::MAX };
        // Of what lay behind a torn place, an event may be left without its number; who sends it again was not told that it is there.
        self.versions
            .0
            .iter_mut()
            .filter(|version| version.since > level && end == End::Power)
            .for_each(|version| version.is_numbered = false);
        self.versions.check_and_settle(&found, level, synced, end == End::Kill);
        if let Some(remembered) = remembered {
            assert!(end == End::Power || remembered.missing == 0, "segments are missing");
            if end == End::Kill && is_kept {
                assert!(remembered.is_whole, "losses are told of where there are none");
            }
            self.check_remembered(&remembered);
        }
        (self.told, self.synced) = (FOR_EVER, FOR_EVER);
        self.exact_bytes = false;
        self.adopting = true;
        self.check_counts();
        self.check_letters();
        true
    }

    fn check_remembered(&self, remembered: &Remembered) {
        let seen = |origin: Origin| {
            remembered.sessions.get(&origin.session).is_some_and(|numbers| {
                numbers.highest().is_some_and(|highest| origin.number <= highest)
                    && !numbers.gaps().iter().any(|(first, last)| (*first..=*last).contains(&origin.number))
            })
        };
        for (id, version) in self.versions.0.iter().enumerate() {
            let Some(origin) = version.origin else { continue };
            match version.fate {
                Fate::Lost => assert!(!seen(origin), "version {id} is lost, and its copy would be taken for known"),
                _ if !version.is_numbered => {}
                _ if version.since <= 0 && version.is_live() || version.since == FOR_EVER => {
                    assert!(seen(origin), "a copy of version {id} would be taken in: {origin:?}");
                }
                _ => {}
            }
        }
        for (session, next) in &self.sessions {
            assert!(!seen(Origin { session: *session, number: next + 3 }), "a number that never was is known");
        }
        let held: BTreeSet<_> = self
            .versions
            .live()
            .filter(|(_, version)| version.dead.is_none())
            .collect::<Vec<_>>()
            .into_iter()
            .filter_map(|(id, version)| version.delivery.unique().map(|unique| (unique.key.to_string(), format!("v{id}"))))
            .collect();
        let told: BTreeSet<_> = remembered.uniques.iter().map(|(unique, id)| (unique.key.to_string(), id.clone())).collect();
        assert_eq!(told, held, "the unique keys that are held");
        let live = self.versions.live().filter(|(_, version)| version.dead.is_none());
        let mut held: Vec<_> = live.filter_map(|(_, version)| KeyHolder::of(&version.delivery)).collect();
        let mut told = remembered.keys.clone();
        held.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, held, "the events that others of their keys wait for");
    }

    /// The versions that are there, each as it should be.
    fn dump(&mut self) -> HashMap<usize, usize> {
        let mut found = HashMap::new();
        for (_, delivery, _) in self.list_waiting() {
            let id = id_of(&delivery);
            let version = self.versions.0.get(id).unwrap_or_else(|| panic!("version {id} was never there"));
            assert_eq!(Delivery { lane: 0, ..delivery }, version.delivery, "version {id} is another");
            assert!(version.dead.is_none(), "version {id} is a letter");
            *found.entry(id).or_default() += 1;
        }
        for (token, letter) in self.list_dead() {
            let id = id_of(&letter.delivery);
            let version = &mut self.versions.0[id];
            let delivery = Delivery { lane: 0, ..letter.delivery };
            assert_eq!((&delivery, Some(letter.at)), (&version.delivery, version.dead), "letter {id} is another");
            assert_eq!(*version.cursor.get_or_insert(token), token, "the cursor of letter {id} changed");
            *found.entry(id).or_default() += 1;
        }
        found
    }

    fn list_waiting(&mut self) -> Vec<(Token, Delivery, Waits)> {
        let (mut listed, mut after, most) = (Vec::new(), Some(0), 1 + self.dice.below(9));
        while let Some(token) = after {
            let page = self.backlog().waiting(token, most);
            listed.extend(page.items.into_iter().map(|waiting| (waiting.token, waiting.delivery, waiting.waits)));
            assert!(page.next.is_none_or(|next| next > token), "a page that does not go on");
            after = page.next;
        }
        listed
    }

    fn list_dead(&mut self) -> Vec<(Token, DeadLetter)> {
        let (mut listed, mut after, most) = (Vec::new(), Some(0), 1 + self.dice.below(9));
        while let Some(token) = after {
            let page = self.backlog().dead(token, most);
            listed.extend(page.items);
            assert!(page.next.is_none_or(|next| next > token), "a page that does not go on");
            after = page.next;
        }
        assert!(listed.is_sorted_by_key(|(token, _)| *token), "letters are out of order");
        listed
    }

    /// One operation.
    pub fn step(&mut self) {
        if self.dice.chance(200) {
            self.now.mono.0 += self.dice.below(2_000_000) as u64;
            self.now.wall.0 += self.dice.below(2_000_000) as u64;
        }
        if self.dice.chance(self.habits.promotes) {
            self.promote();
        }
        if self.dice.chance(self.habits.syncs) {
            self.backlog().sync();
        }
        if self.dice.chance(self.habits.sorts) {
            self.sort();
        }
        match self.dice.below(100) {
            _ if self.adopting && self.dice.chance(500) => self.adopt(),
            0..30 => self.append(),
            30..55 => self.fetch(),
            55..85 => self.settle(),
            85..88 => self.late(),
            88..91 => self.cancel(),
            91..95 => self.letter(),
            95..97 => self.compare(),
            97 => {
                let backlog = self.backlog.as_mut().unwrap();
                self.subject.rest(backlog);
            }
            _ => {
                let (token, now) = (self.dice.roll() >> 8, self.now);
                self.backlog().settle(&mut vec![(token, Settlement::Done)], now);
            }
        }
        if self.dice.chance(800) {
            self.poll();
        }
    }

    pub fn poll(&mut self) -> Vec<Reserved> {
        let mut fetched = Vec::new();
        while let Some(completion) = self.backlog().poll() {
            match completion {
                Completion::Done(ticket) => self.told = ticket as Since,
                Completion::Synced(ticket) => {
                    self.synced = ticket as Since;
                    assert!(self.told < 0 || self.synced <= self.told, "synced before it is done");
                }
                Completion::Fetched(reserved) => fetched.extend(reserved),
                Completion::Failed(_) => {
                    self.has_failed = true;
                    break;
                }
            }
        }
        // A disk that is cut off may look full for a while.
        self.has_failed |= self.backlog().refusal().is_some();
        self.take(fetched.clone());
        fetched
    }
}

/// The version that a delivery is.
fn id_of(delivery: &Delivery) -> usize {
    Record::decode(&delivery.record).unwrap().id[1..].parse().unwrap()
}

/// A retry keeps its due time, and is for these listeners.
trait ForListeners {
    fn for_listeners_due(self, only: Vec<String>) -> Self;
}

impl ForListeners for Delivery {
    fn for_listeners_due(self, only: Vec<String>) -> Self {
        let due = self.due;
        Self { due, ..self.for_listeners(only) }
    }
}

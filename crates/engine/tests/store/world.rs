//! Runs random histories on an adapter of the backlog port and on a model beside it, and compares them.

use crate::dice::Dice;
use crate::versions::{FOR_EVER, Fate, Since, Version, Versions};
use bytes::Bytes;
use proletarier_core::backlog::{
    Append, Backlog, Completion, Counts, Origin, Replacement, Reserved, Settlement, Token, Waits, opening,
};
use proletarier_core::delivery::{DeadLetter, Delivery, Due, Rest, SpentAttempt, Unique};
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::record::Record;
use proletarier_core::session::Sessions;
use proletarier_core::time::{Mono, Now, Wall};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What an opening tells besides the backlog.
pub struct Remembered {
    pub sessions: Sessions,
    pub uniques: Vec<(Unique, String)>,
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
        }
    }
}

pub struct World<S: Subject> {
    pub subject: S,
    pub dice: Dice,
    pub habits: Habits,
    pub now: Now,
    backlog: Option<S::Backlog>,
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
    }

    /// The versions that are there, each as it should be.
    fn dump(&mut self) -> HashMap<usize, usize> {
        let mut found = HashMap::new();
        for (_, delivery, _) in self.list_waiting() {
            let id = id_of(&delivery);
            let version = self.versions.0.get(id).unwrap_or_else(|| panic!("version {id} was never there"));
            assert_eq!(delivery, version.delivery, "version {id} is another");
            assert!(version.dead.is_none(), "version {id} is a letter");
            *found.entry(id).or_default() += 1;
        }
        for (token, letter) in self.list_dead() {
            let id = id_of(&letter.delivery);
            let version = &mut self.versions.0[id];
            assert_eq!((&letter.delivery, Some(letter.at)), (&version.delivery, version.dead), "letter {id} is another");
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

    fn version(&mut self, parent: Option<usize>) -> Delivery {
        let id = self.versions.0.len();
        let text = format!("v{id}");
        let size = if self.dice.chance(self.habits.large) { 3000 + self.dice.below(9000) } else { self.dice.below(120) };
        let params = format!("{{\"p\":\"{}\"}}", "x".repeat(size));
        let mut record = Vec::new();
        Record { id: &text, name: "n", triggered_at: self.now.wall.0, params: params.as_bytes(), ..Record::default() }
            .encode(&mut record);
        let mut delivery = Delivery::first(Bytes::from(record));
        if self.dice.chance(self.habits.parks) {
            let far = [1_000, 3_000_000, 900_000_000][self.dice.below(3)];
            let wait = self.dice.below(far) as u64;
            delivery.due = Some(if self.dice.chance(500) {
                Due::At(self.now.wall.plus(wait))
            } else {
                Due::After(self.now.mono.plus(wait))
            });
        }
        if self.dice.chance(100) {
            delivery.expires = Some(self.now.wall.plus(self.dice.below(1_000_000) as u64));
        }
        if let Some(parent) = parent {
            let before = &self.versions.0[parent].delivery;
            (delivery.attempt, delivery.recoveries) = (before.attempt.saturating_add(1), before.recoveries);
            let spent = SpentAttempt {
                attempt: before.attempt,
                at: self.now.wall.0,
                failure: Failure::new(FailureKind::Thrown, "E", "no"),
                replayed: None,
            };
            delivery = delivery.for_listeners_due(vec!["l".into()]).with_spent(spent);
        } else if self.dice.chance(100) {
            let unique = Unique { key: format!("k{id}").into(), until: self.now.wall.plus(9_000_000) };
            delivery.rest = Some(Arc::new(Rest { unique: Some(unique), ..Rest::default() }));
        }
        delivery
    }

    fn keep(&mut self, delivery: Delivery, dead: Option<u64>, origin: Option<Origin>) -> usize {
        let was_due = match delivery.due {
            Some(Due::At(at)) => at <= self.now.wall,
            Some(Due::After(at)) => at <= self.now.mono,
            None => false,
        };
        self.versions.0.push(Version {
            delivery,
            dead,
            origin,
            since: Since::MAX,
            fate: Fate::None,
            token: None,
            handed: None,
            was_due,
            is_numbered: true,
            cursor: None,
        });
        self.versions.0.len() - 1
    }

    fn append(&mut self) {
        let mut batch = Vec::new();
        let first = self.versions.0.len();
        for _ in 0..1 + self.dice.below(4) {
            let origin = self.dice.chance(700).then(|| self.origin());
            let mut delivery = self.version(None);
            let dead = self.dice.chance(self.habits.dies / 5).then_some(self.now.wall.0);
            if dead.is_some() {
                (delivery.due, delivery.rest) = (None, None);
            }
            self.keep(delivery.clone(), dead, origin);
            batch.push(Append { delivery, origin, dead });
        }
        let now = self.now;
        let ticket = self.backlog().append(&mut batch, now);
        self.versions.0[first..].iter_mut().for_each(|version| version.since = ticket as Since);
    }

    fn origin(&mut self) -> Origin {
        if self.sessions.is_empty() || self.dice.chance(50) {
            let mut session = [0; 16];
            session[..8].copy_from_slice(&self.dice.roll().to_le_bytes());
            self.sessions.push((session, 1));
        }
        let at = self.dice.below(self.sessions.len());
        let skip = if self.dice.chance(100) { 2 } else { 0 };
        let (session, next) = &mut self.sessions[at];
        *next += 1 + skip;
        Origin { session: *session, number: *next - 1 }
    }

    fn fetch(&mut self) {
        self.poll();
        if self.has_failed {
            return;
        }
        let count = 1 + self.dice.below(6);
        let pending = self.versions.0.iter().filter(|version| version.is_pending()).count();
        let in_line = self.versions.0.iter().filter(|version| version.waits() && version.delivery.due.is_none()).count();
        self.backlog().fetch(count);
        let fetched = self.poll();
        if self.has_failed {
            return;
        }
        assert!(fetched.len() <= count.min(pending), "fetched {} of {pending}", fetched.len());
        assert!(fetched.len() >= count.min(in_line), "fetched {} of {in_line} in the line", fetched.len());
        self.adopting = false;
    }

    fn take(&mut self, fetched: Vec<Reserved>) {
        for reserved in fetched {
            let id = id_of(&reserved.delivery);
            let version = &mut self.versions.0[id];
            assert_eq!(reserved.delivery, version.delivery, "version {id} is another when it is fetched");
            assert!(version.is_pending(), "version {id} is fetched, and {version:?}");
            version.token = Some(reserved.token);
            version.handed = Some(reserved.token);
        }
    }

    fn replacements(&mut self, parent: usize) -> (Vec<Replacement>, Vec<usize>) {
        let (mut replacements, mut ids) = (Vec::new(), Vec::new());
        for _ in 0..self.dice.below(4) {
            let delivery = self.version(Some(parent));
            if self.dice.chance(self.habits.dies) {
                let delivery = Delivery { due: None, ..delivery };
                let letter = DeadLetter { delivery: delivery.clone(), at: self.now.wall.0 };
                ids.push(self.keep(delivery, Some(letter.at), None));
                replacements.push(Replacement::Dead(letter));
            } else {
                ids.push(self.keep(delivery.clone(), None, None));
                replacements.push(Replacement::Delivery(delivery));
            }
        }
        (replacements, ids)
    }

    /// Settles by a token; in the model where it should.
    fn settle_by(&mut self, token: Token, id: usize, settles: bool, replace: bool) {
        let now = self.now;
        if !replace {
            let ticket = self.backlog().settle(&mut vec![(token, Settlement::Done)], now) as Since;
            if settles {
                self.versions.0[id].fate = Fate::Done(ticket);
            }
            return;
        }
        let before = self.versions.0.len();
        let (replacements, ids) = self.replacements(id);
        let ticket = self.backlog().settle(&mut vec![(token, Settlement::Replace(replacements))], now) as Since;
        if settles {
            ids.iter().for_each(|child| self.versions.0[*child].since = ticket);
            self.versions.0[id].fate = Fate::Replaced(ticket, ids);
        } else {
            // Should they ever be seen, it is an error.
            self.versions.0[before..].iter_mut().for_each(|version| version.fate = Fate::Lost);
        }
    }

    fn settle(&mut self) {
        for _ in 0..1 + self.dice.below(4) {
            let out: Vec<_> = self.versions.live().filter_map(|(id, version)| version.token.map(|token| (token, id))).collect();
            if out.is_empty() {
                return;
            }
            let (token, id) = out[self.dice.below(out.len())];
            let replace = self.dice.chance(self.habits.fails);
            self.settle_by(token, id, true, replace);
        }
    }

    /// Late outcomes: a success settles, a failure does not.
    fn late(&mut self) {
        if self.old.is_empty() {
            return;
        }
        let (token, id) = self.old[self.dice.below(self.old.len())];
        let (is_live, current) = (self.versions.0[id].is_live(), self.versions.0[id].token);
        let replace = self.dice.chance(500);
        self.settle_by(token, id, is_live && (!replace || current == Some(token)), replace);
    }

    fn cancel(&mut self) {
        let listed = self.list_waiting();
        if listed.is_empty() {
            return;
        }
        let (token, delivery, waits) = listed[self.dice.below(listed.len())].clone();
        assert_eq!(opening(token), 0, "who has a token of what waits is nobody");
        self.settle_by(token, id_of(&delivery), waits != Waits::Reserved, false);
    }

    fn letter(&mut self) {
        let letters = self.list_dead();
        if letters.is_empty() {
            return;
        }
        let (token, letter) = &letters[self.dice.below(letters.len())];
        let replay = self.dice.chance(500);
        self.settle_by(*token, id_of(&letter.delivery), true, replay);
    }

    fn adopt(&mut self) {
        let known: Vec<_> =
            self.versions.0.iter().enumerate().filter_map(|(id, version)| version.handed.map(|token| (token, id))).collect();
        if known.is_empty() {
            return;
        }
        let (token, id) = known[self.dice.below(known.len())];
        let claimed = Reserved { token, delivery: self.versions.0[id].delivery.clone() };
        let adopted = self.backlog().adopt(&claimed);
        if adopted.is_some() != self.versions.0[id].is_live() {
            self.poll();
            if self.has_failed {
                return;
            }
        }
        let version = &mut self.versions.0[id];
        assert_eq!(adopted.is_some(), version.is_live(), "adopts what is not settled: {version:?}");
        if let Some(adopted) = adopted {
            assert_eq!(adopted, version.delivery);
            version.token = Some(token);
        }
    }

    fn promote(&mut self) {
        let now = self.now;
        for version in &mut self.versions.0 {
            version.was_due |= match version.delivery.due {
                Some(Due::At(at)) => at <= now.wall,
                Some(Due::After(at)) => at <= now.mono,
                None => false,
            };
        }
        let mut again = self.backlog().promote(now);
        for _ in 0..2_000 {
            if again != Some(0) {
                break;
            }
            self.poll();
            if self.has_failed {
                return;
            }
            again = self.backlog().promote(now);
        }
        self.poll();
        if self.has_failed {
            return;
        }
        let next =
            self.versions.0.iter().filter(|version| version.waits() && !version.was_due).filter_map(|version| {
                match version.delivery.due? {
                    Due::At(at) => Some(at.0 - now.wall.0),
                    Due::After(at) => Some(at.0 - now.mono.0),
                }
            });
        let full = again.is_none() && self.versions.0.iter().any(|version| version.waits() && version.was_due);
        if let Some(next) = next.min().filter(|_| !full) {
            assert!(again.is_some_and(|again| again <= next), "{again:?}, and the next is due in {next}");
        } else {
            assert!(again != Some(0), "it asks to be called for ever");
        }
    }

    /// What is there now is what the model has.
    fn compare(&mut self) {
        let found = self.dump();
        self.poll();
        if self.backlog().refusal().is_none() && !self.has_failed {
            let live: BTreeSet<_> = self.versions.live().map(|(id, _)| id).collect();
            assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), live);
            assert!(found.values().all(|count| *count == 1));
            self.check_counts();
        }
    }

    fn check_counts(&mut self) {
        let exact = self.exact_bytes;
        let counts = self.backlog().counts();
        let live = || self.versions.live().map(|(_, version)| version);
        let waiting = || live().filter(|version| version.waits());
        let bytes: usize = waiting().map(|version| version.delivery.record.len()).sum();
        let expected = Counts {
            pending: waiting().count() as u64,
            reserved: live().filter(|version| version.token.is_some()).count() as u64,
            parked: 0,
            dead: live().filter(|version| version.dead.is_some()).count() as u64,
            bytes: if exact || bytes == 0 { bytes as u64 } else { counts.bytes },
        };
        let told = Counts { pending: counts.pending + counts.parked, parked: 0, ..counts };
        assert_eq!(told, expected, "counts");
    }

    fn check_letters(&mut self) {
        let live: Vec<_> = self.versions.live().filter(|(_, version)| version.dead.is_some()).map(|(id, _)| id).collect();
        let listed: Vec<_> = self.list_dead().iter().map(|(_, letter)| id_of(&letter.delivery)).collect();
        assert_eq!(listed, live, "the letters in their order");
    }

    /// In the end all is handled, in the line's order.
    pub fn drain(&mut self) {
        self.now.wall.0 += 3_600_000_000;
        self.now.mono.0 += 3_600_000_000;
        let reserved: Vec<_> = self.versions.live().filter_map(|(id, version)| version.token.map(|token| (token, id))).collect();
        for (token, id) in reserved {
            self.settle_by(token, id, true, false);
        }
        let mut last = 0;
        loop {
            self.promote();
            self.poll();
            let line = self.versions.0.iter().filter(|version| version.waits()).count();
            self.backlog().fetch(1 + line / 3);
            let fetched = self.poll();
            if fetched.is_empty() {
                let waiting: Vec<_> = self
                    .versions
                    .0
                    .iter()
                    .enumerate()
                    .filter(|(_, version)| version.waits())
                    .map(|(id, version)| (id, version.delivery.due))
                    .collect();
                assert!(waiting.is_empty(), "they are never given out at {:?}, {:?}: {waiting:?}", self.now, self.has_failed);
                break;
            }
            for reserved in fetched {
                let id = id_of(&reserved.delivery);
                if self.subject.keeps_order() && reserved.delivery.due.is_none() {
                    let place = reserved.token & ((1 << 48) - 1);
                    assert!(place > last, "out of order");
                    last = place;
                }
                self.settle_by(reserved.token, id, true, false);
            }
        }
        for (token, _) in self.list_dead() {
            let now = self.now;
            self.backlog().settle(&mut vec![(token, Settlement::Done)], now);
        }
        self.poll();
        assert_eq!(self.backlog().counts(), Counts::default(), "nothing is left");
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

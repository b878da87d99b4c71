//! What is done to a backlog and its model alike, one random act at a time.

use super::*;
use crate::dice::hash;
use serde_json::json;

impl<S: Subject> World<S> {
    /// What waits is sorted into other lanes, or the same.
    pub(super) fn sort(&mut self) {
        let queues =
            [json!({}), json!({"q": {}}), json!({"q": {"events": "m"}, "r": {}}), json!({"a": {"events": "n"}, "r": {}})];
        let queues = &queues[self.dice.below(queues.len())];
        let settings = Settings::read(&json!({"state_dir": "/nowhere", "queues": queues})).unwrap();
        self.lanes = Lanes::new(settings.queues);
        let lanes = self.lanes.clone();
        self.backlog().sort(lanes);
    }

    pub(super) fn lane(&self, version: &Version) -> Lane {
        self.lanes.of(&version.delivery)
    }

    /// One that a caller hands in says its lane.
    fn in_lane(&self, delivery: &Delivery) -> Delivery {
        Delivery { lane: self.lanes.of(delivery), ..delivery.clone() }
    }

    pub(super) fn version(&mut self, parent: Option<usize>) -> Delivery {
        let id = self.versions.0.len();
        let text = format!("v{id}");
        let size = if self.dice.chance(self.habits.large) { 3000 + self.dice.below(9000) } else { self.dice.below(120) };
        let params = format!("{{\"p\":\"{}\"}}", "x".repeat(size));
        let mut record = Vec::new();
        let (name, queue) = (["n", "m"][self.dice.below(2)], [None, Some("q"), Some("r")][self.dice.below(3)]);
        let holds_key = hash("holds key", &[id as u64]) % 6;
        let key = (holds_key < 2).then(|| format!("o{}", id % 5));
        let (triggered_at, key) = (self.now.wall.0, key.as_deref());
        Record { id: &text, name, queue, key, triggered_at, params: params.as_bytes(), ..Record::default() }.encode(&mut record);
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
        if holds_key == 0 {
            let rest = delivery.rest.as_deref().cloned().unwrap_or_default();
            delivery.rest = Some(Arc::new(Rest { holds_key: true, ..rest }));
        }
        delivery
    }

    pub(super) fn keep(&mut self, delivery: Delivery, dead: Option<u64>, origin: Option<Origin>) -> usize {
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

    pub(super) fn append(&mut self) {
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
            batch.push(Append { delivery: self.in_lane(&delivery), origin, dead });
        }
        let now = self.now;
        let ticket = self.backlog().append(&mut batch, now);
        self.versions.0[first..].iter_mut().for_each(|version| version.since = ticket as Since);
    }

    pub(super) fn origin(&mut self) -> Origin {
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

    pub(super) fn fetch(&mut self) {
        self.poll();
        if self.has_failed {
            return;
        }
        let (count, lane) = (1 + self.dice.below(6), self.dice.below(self.lanes.count()) as Lane);
        let of_lane = || self.versions.0.iter().filter(|version| version.waits() && self.lane(version) == lane);
        let pending = of_lane().filter(|version| version.is_pending()).count();
        let in_line = of_lane().filter(|version| version.delivery.due.is_none()).count();
        assert!(pending == 0 || in_line == 0 || self.backlog.as_ref().unwrap().may_have(lane), "it has {pending}");
        self.backlog().fetch_from(lane, count);
        let fetched = self.poll();
        if self.has_failed {
            return;
        }
        assert!(fetched.iter().all(|reserved| reserved.delivery.lane == lane), "one of another lane");
        assert!(fetched.len() <= count.min(pending), "fetched {} of {pending}", fetched.len());
        assert!(fetched.len() >= count.min(in_line), "fetched {} of {in_line} in the line", fetched.len());
        self.adopting = false;
    }

    pub(super) fn take(&mut self, fetched: Vec<Reserved>) {
        for reserved in fetched {
            let id = id_of(&reserved.delivery);
            let version = &mut self.versions.0[id];
            let delivery = Delivery { lane: 0, ..reserved.delivery };
            assert_eq!(delivery, version.delivery, "version {id} is another when it is fetched");
            assert!(version.is_pending(), "version {id} is fetched, and {version:?}");
            version.token = Some(reserved.token);
            version.handed = Some(reserved.token);
        }
    }

    pub(super) fn replacements(&mut self, parent: usize) -> (Vec<Replacement>, Vec<usize>) {
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
    pub(super) fn settle_by(&mut self, token: Token, id: usize, settles: bool, replace: bool) {
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

    pub(super) fn settle(&mut self) {
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
    pub(super) fn late(&mut self) {
        if self.old.is_empty() {
            return;
        }
        let (token, id) = self.old[self.dice.below(self.old.len())];
        let (is_live, current) = (self.versions.0[id].is_live(), self.versions.0[id].token);
        let replace = self.dice.chance(500);
        self.settle_by(token, id, is_live && (!replace || current == Some(token)), replace);
    }

    pub(super) fn cancel(&mut self) {
        let listed = self.list_waiting();
        if listed.is_empty() {
            return;
        }
        let (token, delivery, waits) = listed[self.dice.below(listed.len())].clone();
        assert_eq!(opening(token), 0, "who has a token of what waits is nobody");
        self.settle_by(token, id_of(&delivery), waits != Waits::Reserved, false);
    }

    pub(super) fn letter(&mut self) {
        let letters = self.list_dead();
        if letters.is_empty() {
            return;
        }
        let (token, letter) = &letters[self.dice.below(letters.len())];
        let replay = self.dice.chance(500);
        self.settle_by(*token, id_of(&letter.delivery), true, replay);
    }

    pub(super) fn adopt(&mut self) {
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
            assert_eq!(Delivery { lane: 0, ..adopted }, version.delivery);
            version.token = Some(token);
        }
    }

    pub(super) fn promote(&mut self) {
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
}

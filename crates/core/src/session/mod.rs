//! Defines what is remembered of each client process's session, so that a copy of an event is known however late it comes.
//!
//! Each client process has a session and numbers its events. Per session the highest number and the gaps are kept, until it has
//! been silent for a stated age, or until there are more sessions than are kept. A session that comes again after that is one
//! that was never seen: whoever takes in events that may be older than the age must ask for their age first.

mod numbers;

pub use numbers::{MAX_GAPS, Numbers, Observed};

use crate::frame::Session;
use std::collections::{BTreeSet, HashMap};

/// How long a silent session is remembered, in microseconds: 7 days (this project's choice; it outlasts a spool that waits over a
/// long weekend).
pub const SESSION_AGE: u64 = 7 * 86_400 * 1_000_000;

/// How many sessions are remembered: 262,144 (this project's choice; some 30 MB while there are no gaps).
pub const MAX_SESSIONS: usize = 1 << 18;

/// The sessions that are remembered. Times are microseconds of the monotonic clock.
#[derive(Clone, Debug)]
pub struct Sessions {
    age: u64,
    limit: usize,
    sessions: HashMap<Session, Entry>,
    /// Sessions by when they last came. An entry's time may be older than the session's own, and is corrected only when it is
    /// looked at: an event costs one look-up, and nothing to keep this in order.
    silent: BTreeSet<(u64, Session)>,
}

#[derive(Clone, Debug)]
struct Entry {
    numbers: Numbers,
    last: u64,
}

impl Default for Sessions {
    /// [`MAX_SESSIONS`] sessions for [`SESSION_AGE`].
    fn default() -> Self {
        Self::new(MAX_SESSIONS, SESSION_AGE)
    }
}

impl Sessions {
    /// At most `limit` sessions (at least 1), each until it has been silent for `age` microseconds. One session more, and the one that
    /// has been silent for longest is no longer remembered.
    pub fn new(limit: usize, age: u64) -> Self {
        Self { age, limit: limit.max(1), sessions: HashMap::new(), silent: BTreeSet::new() }
    }

    /// Remembers a number of a session; tells whether it is new.
    pub fn observe(&mut self, session: Session, number: u64, now: u64) -> Observed {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.last = entry.last.max(now);
            return entry.numbers.observe(number);
        }
        // Only here does memory grow, so only here need it shrink.
        self.retire(now);
        while self.sessions.len() >= self.limit {
            self.retire_most_silent();
        }
        let mut numbers = Numbers::default();
        let observed = numbers.observe(number);
        self.sessions.insert(session, Entry { numbers, last: now });
        self.silent.insert((now, session));
        observed
    }

    /// Remembers numbers of a session that were kept: runs of them, first and last, and when the last came.
    pub fn restore(&mut self, session: Session, runs: &[(u64, u64)], last: u64) {
        while self.sessions.len() >= self.limit && !self.sessions.contains_key(&session) {
            self.retire_most_silent();
        }
        let entry = self.sessions.entry(session).or_insert_with(|| Entry { numbers: Numbers::default(), last: 0 });
        runs.iter().for_each(|(first, last)| entry.numbers.restore(*first, *last));
        entry.last = entry.last.max(last);
        self.silent.insert((entry.last, session));
    }

    /// Takes back a number whose event was not taken in after all (refused, or not written): it is new when it comes again.
    pub fn forget(&mut self, session: Session, number: u64) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.numbers.forget(number);
        }
    }

    /// Stops remembering sessions that have been silent for the age; returns how many. It is done as well whenever a session is new.
    pub fn retire(&mut self, now: u64) -> usize {
        let mut retired = 0;
        while let Some((last, _)) = self.most_silent()
            && now.saturating_sub(last) >= self.age
        {
            self.retire_most_silent();
            retired += 1;
        }
        retired
    }

    /// How many sessions are remembered.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is remembered.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// What is remembered of a session.
    pub fn get(&self, session: &Session) -> Option<&Numbers> {
        self.sessions.get(session).map(|entry| &entry.numbers)
    }

    /// The session that has been silent for longest; corrects the order until the first entry is true.
    fn most_silent(&mut self) -> Option<(u64, Session)> {
        loop {
            let (noted, session) = *self.silent.first()?;
            match self.sessions.get(&session) {
                Some(entry) if entry.last == noted => return Some((noted, session)),
                Some(entry) => {
                    self.silent.remove(&(noted, session));
                    self.silent.insert((entry.last, session));
                }
                None => {
                    self.silent.remove(&(noted, session));
                }
            }
        }
    }

    fn retire_most_silent(&mut self) {
        if let Some(key) = self.most_silent() {
            self.silent.remove(&key);
            self.sessions.remove(&key.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Observed::{New, Seen};
    use super::*;

    const A: Session = [1; 16];
    const B: Session = [2; 16];
    const C: Session = [3; 16];

    #[test]
    fn sessions_count_for_themselves() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.observe(A, 1, 0), New);
        assert_eq!(sessions.observe(B, 1, 0), New);
        assert_eq!(sessions.observe(A, 1, 0), Seen);
        sessions.forget(A, 1);
        sessions.forget(C, 1);
        assert_eq!(sessions.observe(A, 1, 0), New);
        assert_eq!(sessions.observe(B, 1, 0), Seen);
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions.get(&A).and_then(Numbers::highest), Some(1));
    }

    #[test]
    fn silence_retires() {
        let mut sessions = Sessions::new(10, 100);
        sessions.observe(A, 1, 0);
        sessions.observe(B, 1, 10);
        sessions.observe(A, 2, 50);
        assert_eq!(sessions.retire(109), 0);
        assert_eq!(sessions.retire(110), 1, "B was silent for 100");
        assert_eq!(sessions.observe(A, 2, 120), Seen);
        assert_eq!(sessions.observe(B, 1, 120), New);
        assert_eq!(sessions.observe(C, 1, 500), New);
        assert_eq!(sessions.len(), 1, "a new session retires the others");
        assert_eq!(sessions.retire(600), 1);
        assert!(sessions.is_empty());
    }

    #[test]
    fn the_most_silent_goes_when_there_are_too_many() {
        let mut sessions = Sessions::new(2, 1_000_000);
        sessions.observe(A, 1, 0);
        sessions.observe(B, 1, 1);
        sessions.observe(A, 2, 2);
        sessions.observe(C, 1, 3);
        assert_eq!(sessions.len(), 2);
        assert!(sessions.get(&B).is_none());
        assert_eq!(sessions.observe(A, 1, 4), Seen);
        assert_eq!(sessions.silent.len(), 2);
    }

    #[test]
    fn memory_is_bounded() {
        let mut sessions = Sessions::new(100, 1_000_000);
        for index in 0..10_000u64 {
            let mut session = [0; 16];
            session[..8].copy_from_slice(&index.to_le_bytes());
            assert_eq!(sessions.observe(session, 1, index), New);
            sessions.observe(A, index, index);
            assert!(sessions.len() <= 100);
            assert_eq!(sessions.silent.len(), sessions.len());
        }
        assert_eq!(sessions.observe(A, 5, 10_000), Seen);
    }
}

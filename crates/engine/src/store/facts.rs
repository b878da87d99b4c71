//! Defines what a segment knows of clients' sessions: which of their numbers are kept in it, so that a copy is known however late it comes. When a
//! segment goes, what it knew is carried on to the newest.

use super::entry::Unreadable;
use bytes::{Buf, BufMut, Bytes};
use proletarier_core::frame::Session;
use proletarier_core::session::{MAX_GAPS, MAX_SESSIONS, SESSION_AGE};
use std::collections::HashMap;

/// Numbers of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fact {
    /// First and last number of each run, ascending, none next to another.
    pub runs: Vec<(u64, u64)>,
    /// When the last of them came: wall time, microseconds.
    pub last: u64,
}

/// The numbers of sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts(pub HashMap<Session, Fact>);

impl Fact {
    fn add(&mut self, first: u64, last: u64) {
        // As a rule they come in order.
        if let Some(run) = self.runs.last_mut()
            && first >= run.0
            && first <= run.1.saturating_add(1)
        {
            run.1 = run.1.max(last);
            return;
        }
        let from = self.runs.partition_point(|run| run.1.saturating_add(1) < first);
        let to = self.runs.partition_point(|run| run.0 <= last.saturating_add(1));
        let (mut joined_first, mut joined_last) = (first, last);
        for run in &self.runs[from..to.max(from)] {
            (joined_first, joined_last) = (joined_first.min(run.0), joined_last.max(run.1));
        }
        self.runs.splice(from..to.max(from), [(joined_first, joined_last)]);
        // Forgetting a run may let a copy in; taking in what was never seen would lose an event.
        if self.runs.len() > MAX_GAPS {
            self.runs.remove(0);
        }
    }
}

impl Facts {
    /// Numbered events are kept, the last of which came at this wall time.
    pub fn add(&mut self, session: Session, first: u64, last: u64, wall: u64) {
        let fact = self.0.entry(session).or_default();
        fact.add(first, last);
        fact.last = fact.last.max(wall);
    }

    /// Takes over what another segment knew.
    pub fn merge(&mut self, other: &Self) {
        for (session, theirs) in &other.0 {
            let fact = self.0.entry(*session).or_default();
            theirs.runs.iter().for_each(|(first, last)| fact.add(*first, *last));
            fact.last = fact.last.max(theirs.last);
        }
    }

    /// What is still to be known at this wall time: sessions that were heard of within their age, at most as many as are remembered.
    pub fn remembered(&self, wall: u64) -> Self {
        let mut young: Vec<_> = self.0.iter().filter(|(_, fact)| fact.last.saturating_add(SESSION_AGE) > wall).collect();
        if young.len() > MAX_SESSIONS {
            young.sort_unstable_by_key(|(_, fact)| std::cmp::Reverse(fact.last));
            young.truncate(MAX_SESSIONS);
        }
        Self(young.into_iter().map(|(session, fact)| (*session, fact.clone())).collect())
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32_le(self.0.len() as u32);
        for (session, fact) in &self.0 {
            out.extend_from_slice(session);
            out.put_u64_le(fact.last);
            out.put_u16_le(fact.runs.len() as u16);
            for (first, last) in &fact.runs {
                out.put_u64_le(*first);
                out.put_u64_le(*last);
            }
        }
    }

    pub fn decode(rest: &mut Bytes) -> Result<Self, Unreadable> {
        let mut facts = Self::default();
        for _ in 0..rest.try_get_u32_le()? {
            let mut session = [0; 16];
            rest.try_copy_to_slice(&mut session)?;
            let (last, count) = (rest.try_get_u64_le()?, rest.try_get_u16_le()?);
            let runs = (0..count).map(|_| Ok((rest.try_get_u64_le()?, rest.try_get_u64_le()?)));
            facts.0.insert(session, Fact { runs: runs.collect::<Result<_, Unreadable>>()?, last });
        }
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_join_in_whatever_order_they_come() {
        let mut fact = Fact::default();
        for (first, last) in [(5, 6), (1, 2), (9, 9), (3, 3), (8, 8), (7, 7), (2, 4), (20, 30), (25, 26)] {
            fact.add(first, last);
        }
        assert_eq!(fact.runs, [(1, 9), (20, 30)]);
        fact.add(0, u64::MAX);
        assert_eq!(fact.runs, [(0, u64::MAX)]);
    }
}

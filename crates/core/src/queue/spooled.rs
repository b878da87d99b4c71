//! Takes in events that waited in a spool. Nobody waits for an answer: what can't be handled becomes a dead letter, and nothing is refused.

use super::{Effects, Queue, Reply};
use crate::backlog::{Append, Origin};
use crate::delivery::{DeadLetter, Delivery, SpentAttempt};
use crate::failure::{Failure, FailureKind};
use crate::frame::RejectCode;
use crate::record::Record;
use crate::session::{Observed, SESSION_AGE};
use crate::time::{Now, Wall};
use bytes::Bytes;

impl Queue {
    /// An event from a spool. A copy of one that came before is dropped, and so is one whose unique key another event holds.
    ///
    /// It is taken in whatever waits: look at [`Queue::overload`] before it is read.
    pub fn handle_spooled(&mut self, origin: Origin, record: Bytes, spooled_at: Wall, now: Now, effects: &mut Effects) {
        if self.sessions.observe(origin.session, origin.number, now.mono.0) == Observed::Seen {
            self.books.counters.duplicates += 1;
            return;
        }
        self.books.counters.spooled += 1;
        let waited = now.wall.0.saturating_sub(spooled_at.0);
        let failure = match too_old(&record, now) {
            Some(failure) => failure,
            None => match self.take_in(record.clone(), Some(origin), waited, now, effects) {
                Ok(()) | Err((RejectCode::Unique | RejectCode::Overloaded, _)) => return,
                Err((RejectCode::TooLarge, words)) => Failure::new(FailureKind::TooLarge, "too_large", words),
                Err((RejectCode::Malformed, words)) => Failure::new(FailureKind::Malformed, "malformed", words),
            },
        };
        let spent = SpentAttempt { attempt: 1, at: now.wall.0, failure, replayed: None };
        let delivery = Delivery::first(record).with_spent(spent);
        let letter = DeadLetter { delivery: delivery.clone(), at: now.wall.0 };
        self.books.counters.dead += 1;
        effects.append.push(Append { delivery, origin: Some(origin), dead: Some(letter.at) });
        effects.append.extend(self.books.herald.announce(&letter, now).map(Append::from));
        effects.after.push(Reply::Dead(letter));
    }
}

/// Why an event can't be told from a copy of one that was handled: its session is remembered only so long.
fn too_old(record: &Bytes, now: Now) -> Option<Failure> {
    let age = now.wall.0.saturating_sub(Record::decode(record).ok()?.triggered_at);
    let (days, most) = (age / 86_400_000_000, SESSION_AGE / 86_400_000_000);
    (age > SESSION_AGE).then(|| {
        let words = format!(
            "the event waited in the spool for {days} days; beyond {most} days a copy of an event that was handled is not known as one: replay it if it \
             was not"
        );
        Failure::new(FailureKind::StaleSpool, "stale_spool", words)
    })
}

//! Takes events in: from clients' batches, each event judged by itself, and from the original's wire.

use super::watch::Fate;
use super::{ClientId, Effects, Queue, Reply, unique};
use crate::backlog::{Append, Origin};
use crate::delivery::{Delivery, Due, Rest};
use crate::frame::{Confirmation, Exception, Publish, RejectCode};
use crate::record::Record;
use crate::time::{Now, Wall};
use bytes::Bytes;
use std::sync::Arc;

impl Queue {
    /// A client's batch. One bad event in it hurts no other.
    pub fn handle_publish(&mut self, client: &ClientId, batch: Publish, now: Now, effects: &mut Effects) {
        let mut confirmation = Confirmation {
            session: batch.session,
            first: batch.first,
            count: batch.records.len() as u32,
            exceptions: Vec::new(),
        };
        // The records first: numbers may end at the last there is, and the range must not be asked for the one after.
        for (record, number) in batch.records.into_iter().zip(batch.first..) {
            if batch.spooled && self.gate.refuses().is_none() {
                // The other machine's clock may be another: what waited there counts as if it had not.
                self.handle_spooled(Origin { session: batch.session, number }, record, now.wall, now, effects);
                continue;
            }
            if self.sessions.observe(batch.session, number, now.mono.0) == crate::session::Observed::Seen {
                self.books.counters.duplicates += 1;
            } else if let Err((code, reason)) = self.admit(record, Some(Origin { session: batch.session, number }), now, effects)
            {
                // It is not kept: the same number sent again must not pass for a copy of something that is.
                self.sessions.forget(batch.session, number);
                confirmation.exceptions.push(Exception { number, code, reason });
            }
        }
        if batch.confirm {
            let replies = if batch.synced { &mut effects.after_sync } else { &mut effects.after };
            replies.push(Reply::Confirm(client.clone(), confirmation));
        }
    }

    /// A client's batch that can't be kept as it asks for, for this reason: none of it is taken in.
    pub fn refuse_publish(&mut self, client: &ClientId, batch: &Publish, reason: &str, effects: &mut Effects) {
        let refuse = |number| Exception { number, code: RejectCode::Malformed, reason: reason.to_owned() };
        let exceptions: Vec<_> = (batch.first..).take(batch.records.len()).map(refuse).collect();
        self.books.counters.rejected += exceptions.len() as u64;
        let count = batch.records.len() as u32;
        let confirmation = Confirmation { session: batch.session, first: batch.first, count, exceptions };
        effects.after.push(Reply::Confirm(client.clone(), confirmation));
    }

    /// An event that came with nobody to confirm it to.
    ///
    /// It is taken in whatever waits: look at [`Queue::overload`] before it is received.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn handle_unconfirmed(&mut self, record: Bytes, now: Now, effects: &mut Effects) -> Result<(), String> {
        self.take_in(record, None, 0, now, effects).map_err(|(_, reason)| {
            self.books.counters.rejected += 1;
            reason
        })
    }

    /// Takes the event in, unless too much waits.
    fn admit(
        &mut self,
        bytes: Bytes,
        origin: Option<Origin>,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), (RejectCode, String)> {
        let taken = match self.gate.refuses() {
            Some(words) => Err((RejectCode::Overloaded, words)),
            None => self.take_in(bytes, origin, 0, now, effects),
        };
        if let Err((code, _)) = &taken {
            self.books.counters.rejected += u64::from(*code != RejectCode::Unique);
        }
        taken
    }

    /// Takes the event in, which has waited elsewhere for so many microseconds.
    pub(super) fn take_in(
        &mut self,
        bytes: Bytes,
        origin: Option<Origin>,
        waited: u64,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), (RejectCode, String)> {
        let record = Record::decode(&bytes).map_err(|error| (RejectCode::Malformed, error.to_string()))?;
        // What the limit is on is what the client checks: the params alone.
        if record.params.len() > self.rules.max_message {
            let (length, most) = (record.params.len(), self.rules.max_message);
            let words = format!("the params are {length} bytes of JSON: at most {most} are allowed (broker.max_message_size)");
            return Err((RejectCode::TooLarge, words));
        }
        let due = match (record.at, record.delay) {
            (Some(at), _) => Some(Due::At(Wall(at))),
            (None, Some(delay)) => Some(Due::After(now.mono.plus(delay.saturating_sub(waited)))),
            (None, None) => None,
        };
        let expires = record.expires.map(Wall);
        let unique = unique::of(&record, due, now);
        let rest = || unique.clone().map(|unique| Arc::new(Rest { unique: Some(unique), ..Rest::default() }));
        let lane = self.lane_of(&record, effects);
        let delivery = || Delivery { due, expires, lane, rest: rest(), ..Delivery::first(bytes.clone()) };
        let holder = unique.as_ref().and_then(|unique| self.books.uniques.holder(&unique.key, now)).map(str::to_owned);
        // What another keeps out never came: were it noted, it would pass for a copy when it comes again.
        let kept_out = holder.as_ref().is_some_and(|holder| holder != record.id);
        if !kept_out && self.recovery.is_copy(&record, now.wall.0, delivery) {
            self.books.counters.duplicates += 1;
            return Ok(());
        }
        if let Some(holder) = holder {
            self.books.counters.unique += 1;
            let words = || format!("an event with its unique key waits or runs: {holder}");
            self.books.watches.refused(record.id, || Fate::Cancelled(words()));
            return Err((RejectCode::Unique, holder));
        }
        let delivery = delivery();
        self.books.counters.accepted += 1;
        self.books.taken(&delivery, record.id);
        self.gate.count(bytes.len());
        effects.append.push(Append { delivery, origin, dead: None });
        Ok(())
    }
}

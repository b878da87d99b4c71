//! Defines what a client has sent and not yet seen confirmed. No socket and no clock: times are arguments.
//!
//! Of events with a key one batch is on its way at a time. Were there a second, the broker could refuse the first for overload and, its load
//! having gone down, take the second: the refused events would come after those, out of the spool.

use super::Lost;
use proletarier_core::frame::{Confirmation, Exception, Publish, RejectCode, Session};
use proletarier_core::record::Record;
use std::collections::VecDeque;

/// While so many batches are unconfirmed the next events gather: one on its way and one being stored keep the broker busy.
pub const IN_FLIGHT: usize = 2;
/// A batch is sent when it has so many bytes, also where more are unconfirmed.
pub const FULL: usize = 60 * 1024;
/// Unconfirmed batches that a process may have; beyond it trigger() waits for the broker.
pub const MAX_IN_FLIGHT: usize = 32;

/// A batch that is sent, or was tried to.
pub struct Batch {
    pub first: u64,
    pub count: u32,
    pub frame: Vec<u8>,
    /// When it has to be confirmed: monotonic, microseconds.
    pub overdue_at: u64,
    /// The number of the event whose caller waits for it, and will be told: that one is not given up by being late.
    pub awaited: Option<u64>,
    /// Somebody wants to know what becomes of its events.
    pub followed: bool,
    /// It has events with a key, and so an order to keep.
    pub keyed: bool,
}

/// An event that no broker has taken, or none for now. It goes to the spool, with its number.
#[derive(Debug)]
pub struct GivenUp {
    pub number: u64,
    pub record: Vec<u8>,
    pub reason: String,
}

impl Batch {
    fn has(&self, number: u64) -> bool {
        (self.first..self.first + u64::from(self.count)).contains(&number)
    }

    fn give_up(&self, reason: &str) -> impl Iterator<Item = GivenUp> {
        let records = (self.first..).zip(Publish::records(&self.frame));
        records.map(|(number, record)| GivenUp { number, record: record.to_vec(), reason: reason.to_owned() })
    }
}

/// The events of one session, from being gathered to being confirmed.
pub struct Batches {
    session: Session,
    next_number: u64,
    gathering: Vec<u8>,
    gathered: u32,
    /// An event of the gathering batch is followed up.
    followed: bool,
    /// An event of the gathering batch has a key.
    keyed: bool,
    sent: VecDeque<Batch>,
    rejected: Vec<Exception>,
    given_up: Vec<GivenUp>,
    lost: Vec<Lost>,
    /// Empty buffers to gather in.
    spare: Vec<Vec<u8>>,
}

impl Batches {
    pub fn new(session: Session) -> Self {
        Self {
            session,
            next_number: 1,
            gathering: Vec::new(),
            gathered: 0,
            followed: false,
            keyed: false,
            sent: VecDeque::new(),
            rejected: Vec::new(),
            given_up: Vec::new(),
            lost: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Adds an event to the batch that gathers; its number.
    pub fn gather(&mut self, record: &Record<'_>, follow: bool) -> u64 {
        if self.gathering.is_empty() {
            Publish::begin(&mut self.gathering);
        }
        Publish::push(&mut self.gathering, |out| record.encode(out));
        self.gathered += 1;
        self.followed |= follow;
        self.keyed |= record.key.is_some();
        self.next_number + u64::from(self.gathered) - 1
    }

    /// Whose events they are.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The number of an event that goes another way. Only while nothing gathers.
    pub fn take_number(&mut self) -> u64 {
        debug_assert_eq!(self.gathered, 0);
        self.next_number += 1;
        self.next_number - 1
    }

    /// Whether something gathers.
    pub const fn is_gathering(&self) -> bool {
        self.gathered > 0
    }

    /// Whether what gathers should go out now.
    pub fn should_send(&self) -> bool {
        let most = if self.gathering.len() >= FULL { MAX_IN_FLIGHT } else { IN_FLIGHT };
        self.gathered > 0 && self.sent.len() < most && !self.would_overtake(false)
    }

    /// Whether what gathers, together with one more event that has a key or not, has to wait until the batch before it is confirmed.
    pub fn would_overtake(&self, keyed: bool) -> bool {
        (self.keyed || keyed) && self.sent.iter().any(|batch| batch.keyed)
    }

    /// Whether a caller has to wait before it adds more.
    pub fn is_full(&self) -> bool {
        self.gathering.len() >= FULL && (self.sent.len() >= MAX_IN_FLIGHT || self.would_overtake(false))
    }

    /// Closes the batch that gathers and gives its frame to send. The broker confirms every batch, also those that nobody follows up: what is
    /// unconfirmed bounds what a fast producer has on its way.
    pub fn seal(&mut self, overdue_at: u64, awaited: Option<u64>, synced: bool) -> &[u8] {
        let mut frame = std::mem::replace(&mut self.gathering, self.spare.pop().unwrap_or_default());
        let (first, count) = (self.next_number, self.gathered);
        Publish::seal(&mut frame, &self.session, first, count, true, synced);
        self.next_number += u64::from(count);
        let (followed, keyed) = (std::mem::take(&mut self.followed), std::mem::take(&mut self.keyed));
        self.gathered = 0;
        self.sent.push_back(Batch { first, count, frame, overdue_at, awaited, followed, keyed });
        self.sent.back().map_or(&[], |batch| &batch.frame)
    }

    fn recycle(&mut self, mut frame: Vec<u8>) {
        if self.spare.len() <= IN_FLIGHT && frame.capacity() <= 2 * FULL {
            frame.clear();
            self.spare.push(frame);
        }
    }

    /// The broker confirmed, or refused, events.
    pub fn confirmed(&mut self, confirmation: Confirmation) {
        if confirmation.session != self.session {
            return;
        }
        let place = self.sent.iter().position(|batch| batch.first == confirmation.first && batch.count == confirmation.count);
        let Some(batch) = place.and_then(|place| self.sent.remove(place)) else { return };
        for exception in confirmation.exceptions {
            if batch.awaited == Some(exception.number) {
                self.rejected.push(exception);
            } else if batch.followed
                && batch.has(exception.number)
                && let Some(record) = Publish::records(&batch.frame).nth((exception.number - batch.first) as usize)
            {
                let (number, record, reason) = (exception.number, record.to_vec(), exception.reason);
                match exception.code {
                    // The spool is for what the broker takes later.
                    RejectCode::Overloaded => self.given_up.push(GivenUp { number, record, reason }),
                    RejectCode::Unique => {}
                    RejectCode::Malformed | RejectCode::TooLarge => self.lost.push(Lost { record, reason }),
                }
            }
        }
        self.recycle(batch.frame);
    }

    /// Every unconfirmed frame, in order: for a broker that does not know of them.
    pub fn unconfirmed(&self) -> impl Iterator<Item = &[u8]> {
        self.sent.iter().map(|batch| &batch.frame[..])
    }

    /// Whether the event with this number is still unconfirmed.
    pub fn is_unconfirmed(&self, number: u64) -> bool {
        self.sent.iter().any(|batch| batch.has(number))
    }

    /// The broker's refusal of this event, once.
    pub fn take_rejection(&mut self, number: u64) -> Option<Exception> {
        let place = self.rejected.iter().position(|exception| exception.number == number)?;
        Some(self.rejected.swap_remove(place))
    }

    /// Followed events that are neither confirmed nor given up.
    pub fn open(&self) -> usize {
        let sent = self.sent.iter().filter(|batch| batch.followed).map(|batch| batch.count as usize);
        sent.sum::<usize>() + if self.followed { self.gathered as usize } else { 0 }
    }

    /// When the next batch is overdue.
    pub fn next_overdue(&self) -> Option<u64> {
        self.sent.iter().map(|batch| batch.overdue_at).min()
    }

    /// Whether a batch is overdue at `now`. Awaited ones are their callers' to give up.
    pub fn is_overdue(&self, now: u64) -> bool {
        self.sent.iter().any(|batch| batch.awaited.is_none() && batch.overdue_at <= now)
    }

    /// Gives up every batch that was sealed, but for awaited ones: those behind one that is overdue as well, so that the order of events stays.
    pub fn give_up(&mut self, reason: &str) {
        let (kept, given_up): (VecDeque<Batch>, VecDeque<Batch>) = self.sent.drain(..).partition(|batch| batch.awaited.is_some());
        self.sent = kept;
        for batch in given_up {
            if batch.followed {
                self.given_up.extend(batch.give_up(reason));
            }
            self.recycle(batch.frame);
        }
    }

    /// Events have been refused that the broker takes later: what gathers behind them goes where they go, if there is an order to keep.
    pub fn give_up_behind(&mut self, reason: &str) {
        if self.keyed && self.followed {
            self.seal(0, None, false);
            if let Some(batch) = self.sent.pop_back() {
                self.given_up.extend(batch.give_up(reason));
                self.recycle(batch.frame);
            }
        }
    }

    /// Takes back the event of a caller that has waited long enough; other events of its batch are given up.
    pub fn withdraw(&mut self, number: u64, reason: &str) -> Option<GivenUp> {
        let batch = self.sent.iter().position(|batch| batch.has(number)).and_then(|place| self.sent.remove(place))?;
        let mut own = None;
        for event in batch.give_up(reason) {
            if event.number == number {
                own = Some(event);
            } else {
                self.given_up.push(event);
            }
        }
        self.recycle(batch.frame);
        own
    }

    /// The events given up since the last call.
    pub fn take_given_up(&mut self) -> Vec<GivenUp> {
        std::mem::take(&mut self.given_up)
    }

    /// Whether events were given up.
    pub const fn has_given_up(&self) -> bool {
        !self.given_up.is_empty()
    }

    /// Events that are nowhere: the caller writes them to a log.
    pub fn lose(&mut self, events: impl IntoIterator<Item = Lost>) {
        self.lost.extend(events);
    }

    /// The events lost since the last call.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unconfirmed_is_bounded() {
        let mut batches = Batches::new([1; 16]);
        let params = [b' '; 1024];
        let record = Record { id: "i", name: "n", params: &params, ..Record::default() };
        let mut sent = 0;
        while !batches.is_full() {
            batches.gather(&record, true);
            if batches.should_send() {
                batches.seal(0, None, false);
                sent += 1;
            }
            assert!(sent <= MAX_IN_FLIGHT);
        }
        assert!(!batches.should_send(), "the next waits until one is confirmed");
        let first = Confirmation { session: [1; 16], first: 1, count: 1, exceptions: Vec::new() };
        batches.confirmed(first);
        assert!(batches.should_send() && !batches.is_full());
    }

    fn gather(batches: &mut Batches, key: Option<&str>) {
        batches.gather(&Record { id: "i", name: "n", key, params: b"{}", ..Record::default() }, true);
    }

    #[test]
    fn of_batches_with_a_key_one_is_on_its_way() {
        let mut batches = Batches::new([1; 16]);
        for key in [Some("a"), None, Some("b")] {
            gather(&mut batches, key);
            assert_eq!(batches.should_send(), key != Some("b"), "{key:?}");
            if batches.should_send() {
                batches.seal(0, None, false);
            }
        }
        gather(&mut batches, None);
        assert!(!batches.should_send(), "one without a key does not take it along");
        batches.confirmed(Confirmation { session: [1; 16], first: 1, count: 1, exceptions: Vec::new() });
        assert!(batches.should_send());
    }

    #[test]
    fn what_gathers_behind_a_refused_event_follows_it_where_there_is_an_order() {
        let refused = |number| Exception { number, code: RejectCode::Overloaded, reason: "too much".into() };
        for (key, behind) in [(Some("a"), vec![1, 2, 3]), (None, vec![1])] {
            let mut batches = Batches::new([1; 16]);
            gather(&mut batches, key);
            batches.seal(0, None, false);
            gather(&mut batches, None);
            gather(&mut batches, key);
            batches.confirmed(Confirmation { session: [1; 16], first: 1, count: 1, exceptions: vec![refused(1)] });
            batches.give_up_behind("behind");
            let given_up: Vec<_> = batches.take_given_up().iter().map(|event| event.number).collect();
            assert_eq!(given_up, behind);
            assert_eq!(batches.is_gathering(), key.is_none());
        }
    }
}

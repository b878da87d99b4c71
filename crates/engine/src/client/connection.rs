//! Provides one endpoint's connection in one process: what every client object of that endpoint triggers through.

use super::drainer::Drainer;
use super::helper::Helper;
use super::link::{Link, micros};
use super::{Asked, ClientError, ClientOptions, Confirm, Lost};
use crate::clock;
use proletarier_core::frame::{Exception, RejectCode};
use proletarier_core::record::Record;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A link, and the helper thread that tends it.
pub(super) struct Connection {
    link: Arc<Mutex<Link>>,
    helper: Helper,
    closed: AtomicBool,
}

/// Takes a link's lock. A panic under it leaves batches as they were at some step; each step leaves them whole.
pub(super) fn lock(link: &Mutex<Link>) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    pub fn open(options: &ClientOptions) -> Result<Self, ClientError> {
        let link = Arc::new(Mutex::new(Link::open(options)?));
        let helper = Helper::start(Arc::clone(&link), Drainer::of(options))
            .map_err(|error| ClientError::Connect { endpoint: options.endpoint.clone(), reason: error.to_string() })?;
        Ok(Self { link, helper, closed: AtomicBool::new(false) })
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        lock(&self.link)
    }

    /// Whether it was closed: a client object that still has it makes another.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Closes it without waiting. Client objects may hold it on: what matters is that its sockets and threads are gone.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.helper.stop();
        self.lock().close();
    }

    /// How many events went to the spool.
    pub fn spooled(&self) -> u64 {
        self.lock().spooled()
    }

    /// What an operator should hear, since the last call.
    pub fn take_notices(&self) -> Vec<String> {
        self.lock().notices.take()
    }

    /// The events lost since the last call.
    pub fn take_lost(&self) -> Vec<Lost> {
        self.lock().batches.take_lost()
    }

    /// Hands an event over. Gives the id of another one that waits or runs in its place, where `unique` says so.
    pub fn trigger(&self, record: &Record<'_>, asked: Asked) -> Result<Option<String>, ClientError> {
        let mut link = self.lock();
        let (keyed, awaited) = (record.key.is_some(), !matches!(asked.confirm, Confirm::None | Confirm::Deferred));
        if goes_behind(&mut link, record, asked) {
            return Ok(None);
        }
        let has_room = |link: &Link| !(link.batches.is_full() || awaited && link.batches.would_overtake(keyed));
        if !has_room(&link) {
            let deadline = link.deadline();
            if !link.wait_unless_hopeless(deadline, has_room) {
                if !link.has_spool() {
                    return Err(link.unavailable());
                }
                link.give_up_all();
            }
            // What was waited for may be in the spool by now.
            if goes_behind(&mut link, record, asked) {
                return Ok(None);
            }
        }
        let number = link.batches.gather(record, asked.confirm != Confirm::None);
        if !awaited {
            if link.batches.should_send() {
                link.send(None, false);
                self.helper.wake_if_asleep();
                link.receive_if_any();
            }
            return Ok(None);
        }
        link.send(Some(number), asked.confirm == Confirm::Synced);
        self.helper.wake_if_asleep();
        let deadline = link.deadline();
        let confirmed = |link: &Link| !link.batches.is_unconfirmed(number);
        let in_time =
            if asked.spool { link.wait_unless_hopeless(deadline, confirmed) } else { link.wait_patiently(deadline, confirmed) };
        if !in_time {
            return link.withdraw(number, asked).map(|()| None);
        }
        match link.batches.take_rejection(number) {
            None => Ok(None),
            Some(Exception { code: RejectCode::Unique, reason, .. }) => Ok(Some(reason)),
            Some(exception) => Err(refusal(exception)),
        }
    }

    /// Waits until everything is confirmed or spooled, at most `timeout`; how many events are neither.
    pub fn flush(&self, timeout: Duration) -> usize {
        let mut link = self.lock();
        if link.send_if_free() {
            self.helper.wake_if_asleep();
        }
        link.receive();
        if link.batches.open() > 0 && link.is_hopeless() {
            link.give_up_all();
        }
        let deadline = clock::mono().plus(micros(timeout)).0;
        link.wait_until(deadline, |link| link.batches.open() == 0);
        // A time that was long enough is as good here as in the helper.
        link.give_up(clock::mono().0);
        link.batches.open()
    }

    /// Waits for confirmations until the oldest batch's time is up, then gives up what is open. Waits for those that nobody follows up, too: a
    /// process that ended at once would take them with it.
    pub fn settle(&self) {
        let mut link = self.lock();
        link.send_if_free();
        if let Some(deadline) = link.batches.next_overdue()
            && !link.wait_unless_hopeless(deadline, |link| !link.batches.is_gathering() && link.batches.next_overdue().is_none())
        {
            link.give_up_all();
        }
    }
}

/// Spools an event that has a key, if others of this process are in the spool. One that the spool does not take goes the usual way: better out
/// of order than not at all.
fn goes_behind(link: &mut Link, record: &Record<'_>, asked: Asked) -> bool {
    record.key.is_some() && asked.spool && link.is_behind_spool() && link.spool(record, asked).is_ok()
}

fn refusal(exception: Exception) -> ClientError {
    match exception.code {
        RejectCode::Overloaded => ClientError::Overloaded(exception.reason),
        RejectCode::Malformed | RejectCode::TooLarge | RejectCode::Unique => ClientError::Rejected(exception.reason),
    }
}

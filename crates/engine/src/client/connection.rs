//! Provides one endpoint's connection in one process: what every client object of that endpoint triggers through.

use super::helper::Helper;
use super::link::{LOST, Link, micros};
use super::{ClientError, ClientOptions, Confirm, Lost};
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
        let helper = Helper::start(Arc::clone(&link))
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

    /// The events given up since the last call.
    pub fn take_lost(&self) -> Vec<Lost> {
        self.lock().batches.take_lost()
    }

    pub fn trigger(&self, record: &Record<'_>, confirm: Confirm) -> Result<(), ClientError> {
        let mut link = self.lock();
        if link.batches.is_full() {
            let deadline = link.deadline();
            if !link.wait_until(deadline, |link| !link.batches.is_full()) {
                return Err(link.unavailable());
            }
        }
        let number = link.batches.gather(record, confirm != Confirm::None);
        if matches!(confirm, Confirm::None | Confirm::Deferred) {
            if link.batches.should_send() {
                link.send(false, false);
                self.helper.wake_if_asleep();
                link.receive_if_any();
            }
            return Ok(());
        }
        link.send(true, confirm == Confirm::Synced);
        self.helper.wake_if_asleep();
        let deadline = link.deadline();
        if !link.wait_until(deadline, |link| !link.batches.is_unconfirmed(number)) {
            link.batches.withdraw(number, "no broker answered in time");
            LOST.store(true, Ordering::Relaxed);
            link.reconnect();
            return Err(link.unavailable());
        }
        link.batches.take_rejection(number).map_or(Ok(()), |exception| Err(refusal(exception)))
    }

    pub fn flush(&self, timeout: Duration) -> usize {
        let mut link = self.lock();
        if link.batches.is_gathering() {
            link.send(false, false);
            self.helper.wake_if_asleep();
        }
        let deadline = clock::mono().plus(micros(timeout)).0;
        link.wait_until(deadline, |link| link.batches.open() == 0);
        link.batches.open()
    }

    /// Waits for confirmations until the oldest batch's time is up, then gives up what is open. Waits for those that nobody follows up, too: a
    /// process that ended at once would take them with it.
    pub fn settle(&self) {
        let mut link = self.lock();
        if link.batches.is_gathering() {
            link.send(false, false);
        }
        if let Some(deadline) = link.batches.next_overdue() {
            link.wait_until(deadline, |link| link.batches.next_overdue().is_none());
            link.give_up(u64::MAX);
        }
    }
}

fn refusal(exception: Exception) -> ClientError {
    match exception.code {
        RejectCode::Overloaded => ClientError::Overloaded(exception.reason),
        RejectCode::Malformed | RejectCode::TooLarge | RejectCode::Unique => ClientError::Rejected(exception.reason),
    }
}

//! Provides syncing: by a thread of its own, so that the broker goes on meanwhile, and what comes meanwhile is synced together.

use super::disk::{Disk, DiskFile};
use crate::signals::{drain, pipe, ring, spawn_quiet};
use std::collections::VecDeque;
use std::io::Result;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What to sync.
pub(super) struct Job {
    /// What the answer is about.
    pub mark: u64,
    pub files: Vec<Arc<dyn DiskFile>>,
    /// Names were given or taken since the last job.
    pub names: bool,
}

/// What the thread tells.
pub(super) enum Ended {
    /// All up to this mark is synced.
    Synced(u64),
    /// A second has passed since [`Syncer::remind`].
    Reminder,
}

/// What is not asked to be synced is synced after this long, for those who run with less than they would like when power is lost.
const LATER: Duration = Duration::from_secs(1);

enum Order {
    Sync(Job),
    Remind,
}

/// Runs jobs, one after the other.
pub(super) struct Syncer {
    disk: Arc<dyn Disk>,
    ended: Arc<Mutex<VecDeque<Result<Ended>>>>,
    bell: (OwnedFd, Arc<OwnedFd>),
    /// What has ended, been rung for, and not been taken.
    rung: Arc<AtomicUsize>,
    /// None: jobs are run where they are given, as tests want it, and nothing is reminded of.
    thread: Option<(Sender<Order>, JoinHandle<()>)>,
}

impl Syncer {
    pub fn start(disk: Arc<dyn Disk>, threaded: bool) -> Result<Self> {
        let (heard, rung) = pipe()?;
        let mut syncer = Self { disk, ended: Arc::default(), bell: (heard, Arc::new(rung)), rung: Arc::default(), thread: None };
        if threaded {
            let (sender, orders) = channel();
            let (disk, ended, bell) = (Arc::clone(&syncer.disk), Arc::clone(&syncer.ended), Arc::clone(&syncer.bell.1));
            let rung = Arc::clone(&syncer.rung);
            let tell = move |result| {
                ended.lock().unwrap_or_else(PoisonError::into_inner).push_back(result);
                ring(bell.as_fd());
                rung.fetch_add(1, Ordering::AcqRel);
            };
            syncer.thread = Some((sender, spawn_quiet(move || work(&orders, &*disk, tell))?));
        }
        Ok(syncer)
    }

    /// Becomes readable when there is something for [`Self::ended`].
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.0.as_fd()
    }

    pub fn give(&self, job: Job) {
        match &self.thread {
            Some((orders, _)) => drop(orders.send(Order::Sync(job))),
            None => self.ended.lock().unwrap_or_else(PoisonError::into_inner).push_back(run(&*self.disk, &job)),
        }
    }

    /// Asks for a reminder in a second.
    pub fn remind(&self) {
        if let Some((orders, _)) = &self.thread {
            let _ = orders.send(Order::Remind);
        }
    }

    /// The next that has ended.
    pub fn ended(&self) -> Option<Result<Ended>> {
        // Almost always there is nothing, and this must cost nothing.
        if self.thread.is_some() && self.rung.load(Ordering::Acquire) == 0 {
            return None;
        }
        if self.thread.is_some() {
            // Its ring is in the pipe by now.
            self.rung.fetch_sub(1, Ordering::AcqRel);
            drain(self.bell());
        }
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

fn work(orders: &Receiver<Order>, disk: &dyn Disk, tell: impl Fn(Result<Ended>)) {
    let mut remind_at: Option<Instant> = None;
    loop {
        let order = match remind_at {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => orders.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match order {
            Ok(Order::Sync(job)) => tell(run(disk, &job)),
            Ok(Order::Remind) => remind_at = remind_at.or_else(|| Some(Instant::now() + LATER)),
            Err(RecvTimeoutError::Timeout) => {
                remind_at = None;
                tell(Ok(Ended::Reminder));
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        if let Some((orders, thread)) = self.thread.take() {
            drop(orders);
            let _ = thread.join();
        }
    }
}

fn run(disk: &dyn Disk, job: &Job) -> Result<Ended> {
    for file in &job.files {
        file.sync()?;
    }
    if job.names {
        disk.sync_names()?;
    }
    Ok(Ended::Synced(job.mark))
}

//! Drains the spool to a broker on another machine: no daemon here does it. A thread of its own, as the helper must not wait.

use super::ClientOptions;
use crate::clock;
use crate::signals::spawn_quiet;
use crate::spool::{Sent, SpoolOptions, Target, send};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two times, in microseconds: another process may be at it, or the broker may have too much.
const PAUSE: u64 = 5_000_000;
/// A broker that has answered just now is waited for so long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Drains, now and then.
pub(super) struct Drainer {
    options: SpoolOptions,
    target: Target,
    stop: Arc<AtomicBool>,
    came_to: Arc<Mutex<Option<Sent>>>,
    thread: Option<JoinHandle<()>>,
    /// Not again before: monotonic, microseconds.
    not_before: u64,
}

impl Drainer {
    /// None where the broker is on this machine, whose daemon drains, or where there is no spool.
    pub fn of(options: &ClientOptions) -> Option<Self> {
        let spool = options.spool.clone().filter(|_| options.endpoint.starts_with("tcp://"))?;
        let target = Target { endpoint: options.endpoint.clone(), broker_key: options.broker_key.clone(), timeout: TIMEOUT };
        let (stop, came_to) = (Arc::default(), Arc::default());
        Some(Self { options: spool, target, stop, came_to, thread: None, not_before: 0 })
    }

    /// Microseconds until it may begin; none while it is at it.
    pub fn due_in(&self, now: u64) -> Option<u64> {
        self.thread.is_none().then(|| self.not_before.saturating_sub(now))
    }

    /// Begins.
    pub fn start(&mut self) {
        let (options, target) = (self.options.clone(), self.target.clone());
        let (stop, came_to) = (Arc::clone(&self.stop), Arc::clone(&self.came_to));
        let thread = spawn_quiet(move || {
            let sent = send(&options, &target, &stop);
            *came_to.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
        });
        self.thread = thread.ok();
        self.not_before = clock::mono().plus(PAUSE).0;
    }

    /// What it came to, once it has ended.
    pub fn ended(&mut self) -> Option<Sent> {
        let sent = self.came_to.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        Some(sent)
    }

    /// Stops it, and waits until it has.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

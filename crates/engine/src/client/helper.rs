//! Provides the helper thread of a connection: collects confirmations, sends what gathered meanwhile, and gives up what is overdue, so that
//! nothing depends on another call. It holds no PHP state, blocks every signal, and sleeps without a wake-up while there is nothing to do.

use super::connection::Connection;
use crate::clock;
use crate::signals::{drain, pipe, ring};
use crate::transport::{Source, wait};
use nix::sys::signal::{SigSet, SigmaskHow};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// What gathers is sent after this long, whatever is unconfirmed.
const GATHER: Duration = Duration::from_millis(5);
/// After this long with nothing to do the helper sleeps until it is woken.
const LINGER: Duration = Duration::from_millis(250);

/// A connection's helper, as the other threads see it.
pub(super) struct Helper {
    asleep: AtomicBool,
    stopping: AtomicBool,
    wake: (OwnedFd, OwnedFd),
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Helper {
    pub fn new() -> nix::Result<Self> {
        Ok(Self { asleep: AtomicBool::new(false), stopping: AtomicBool::new(false), wake: pipe()?, thread: Mutex::new(None) })
    }

    /// Called under the connection's lock, after something was sent: the helper has a deadline to watch.
    pub fn wake_if_asleep(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::Relaxed);
            ring(self.wake.1.as_fd());
        }
    }
}

/// Starts the helper of `connection`.
pub(super) fn start(connection: &Arc<Connection>) -> std::io::Result<()> {
    let weak = Arc::downgrade(connection);
    let mut before = SigSet::empty();
    let blocked = nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
    let thread = std::thread::Builder::new().name("proletarier".into()).stack_size(64 * 1024).spawn(move || run(&weak));
    if blocked.is_ok() {
        let _ = before.thread_set_mask();
    }
    *connection.helper().thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread?);
    Ok(())
}

/// Stops it, and waits until it has.
pub(super) fn stop(connection: &Connection) {
    let helper = connection.helper();
    helper.stopping.store(true, Ordering::Release);
    ring(helper.wake.1.as_fd());
    let thread = helper.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(thread) = thread {
        let _ = thread.join();
    }
}

fn run(connection: &Weak<Connection>) {
    let mut idle = false;
    while let Some(connection) = connection.upgrade() {
        let helper = connection.helper();
        if helper.stopping.load(Ordering::Acquire) {
            return;
        }
        let (edges, timeout) = step(&connection, idle);
        let Some([frames, connections]) = edges else { return };
        let sources = [Source::Edge(frames), Source::Edge(connections), Source::Descriptor(helper.wake.0.as_fd())];
        let [told, connected, woken] = wait(sources, timeout);
        if woken {
            drain(helper.wake.0.as_fd());
        }
        idle = !told && !connected && !woken;
    }
}

/// Does what there is to do; what to wait for, and how long. `idle`: nothing happened since the last step.
fn step(connection: &Connection, idle: bool) -> (Option<[std::os::fd::RawFd; 2]>, Option<Duration>) {
    let mut link = connection.lock();
    link.receive();
    let now = clock::mono().0;
    link.give_up(now);
    if link.batches.should_send() || (idle && link.batches.is_gathering()) {
        link.send(false, false);
        link.receive();
    }
    let timeout = match link.batches.next_overdue() {
        Some(_) if link.batches.is_gathering() => Some(GATHER),
        // Awaited batches are their callers' to give up: do not spin on one that is overdue.
        Some(overdue) => Some(Duration::from_micros(overdue.saturating_sub(now)).max(Duration::from_millis(1))),
        None if idle => {
            connection.helper().asleep.store(true, Ordering::Relaxed);
            None
        }
        None => Some(LINGER),
    };
    (link.edges(), timeout)
}

//! Provides the helper thread of a connection: collects confirmations, sends what gathered meanwhile, and gives up what is overdue, so that
//! nothing depends on another call. It holds no PHP state, blocks every signal, and sleeps without a wake-up while there is nothing to do.

use super::connection::lock;
use super::drainer::Drainer;
use super::link::Link;
use crate::clock;
use crate::signals::{drain, pipe, ring, spawn_quiet};
use crate::spool::{SendError, SpoolError};
use crate::transport::{Source, wait};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What gathers is sent after this long, whatever is unconfirmed.
const GATHER: Duration = Duration::from_millis(5);
/// After this long with nothing to do the helper sleeps until it is woken.
const LINGER: Duration = Duration::from_millis(250);

/// A connection's helper, as the other threads see it.
pub(super) struct Helper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    asleep: AtomicBool,
    stopping: AtomicBool,
    wake: (OwnedFd, OwnedFd),
}

impl Helper {
    /// Starts the helper of `link`.
    pub fn start(link: Arc<Mutex<Link>>, drainer: Option<Drainer>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { asleep: AtomicBool::new(false), stopping: AtomicBool::new(false), wake: pipe()? });
        let of_thread = Arc::clone(&shared);
        let thread = spawn_quiet(move || of_thread.run(&link, drainer))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Called under the link's lock, after something was sent: the helper has a deadline to watch.
    pub fn wake_if_asleep(&self) {
        if self.shared.asleep.load(Ordering::Relaxed) {
            self.shared.asleep.store(false, Ordering::Relaxed);
            ring(self.shared.wake.1.as_fd());
        }
    }

    /// Stops it, and waits until it has. Not under the link's lock.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        ring(self.shared.wake.1.as_fd());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, link: &Mutex<Link>, mut drainer: Option<Drainer>) {
        self.serve(link, &mut drainer);
        if let Some(drainer) = drainer {
            drainer.stop();
        }
    }

    fn serve(&self, link: &Mutex<Link>, drainer: &mut Option<Drainer>) {
        let mut idle = false;
        while !self.stopping.load(Ordering::Acquire) {
            let mut locked = lock(link);
            let again = drainer.as_mut().and_then(|drainer| drain_spool(&mut locked, drainer));
            let (edges, timeout) = self.step(&mut locked, idle, again);
            drop(locked);
            let Some([frames, connections]) = edges else { return };
            let sources = [Source::Edge(frames), Source::Edge(connections), Source::Descriptor(self.wake.0.as_fd())];
            let [told, connected, woken] = wait(sources, timeout);
            if woken {
                drain(self.wake.0.as_fd());
            }
            idle = !told && !connected && !woken;
        }
    }

    /// Does what there is to do; what to wait for, and how long. `idle`: nothing happened since the last step. `again`: at most so long.
    fn step(&self, link: &mut Link, idle: bool, again: Option<Duration>) -> (Option<[RawFd; 2]>, Option<Duration>) {
        link.receive();
        let now = clock::mono().0;
        link.give_up(now);
        if (link.batches.should_send() || idle) && link.send_if_free() {
            link.receive();
        }
        let timeout = match link.batches.next_overdue() {
            Some(_) if link.batches.is_gathering() => Some(GATHER),
            // Awaited batches are their callers' to give up: do not spin on one that is overdue.
            Some(overdue) => Some(Duration::from_micros(overdue.saturating_sub(now)).max(Duration::from_millis(1))),
            None if idle && again.is_some() => again,
            None if idle => {
                self.asleep.store(true, Ordering::Relaxed);
                None
            }
            None => Some(LINGER),
        };
        (link.edges(), timeout)
    }
}

/// Lets the spool be drained where that is this process's to do; when to ask again.
fn drain_spool(link: &mut Link, drainer: &mut Drainer) -> Option<Duration> {
    if let Some(sent) = drainer.ended() {
        sent.unreadable.iter().for_each(|unreadable| link.notices.add(unreadable.to_string()));
        if sent.too_large > 0 {
            let count = sent.too_large;
            link.notices.add(format!(
                "{count} events in the spool are larger than the broker takes, and were set aside in its directory damaged"
            ));
        }
        if let Some(SendError::Spool(error)) = sent.stopped
            && !matches!(error, SpoolError::Busy(_))
        {
            link.notices.tell(error.to_string());
        }
    }
    if !link.may_drain() {
        return None;
    }
    match drainer.due_in(clock::mono().0) {
        Some(0) => drainer.start(),
        Some(later) => return Some(Duration::from_micros(later)),
        None => {}
    }
    Some(LINGER)
}

//! Defines how long listeners may run, and the run that is watched: what the worker's main thread, which enters and leaves listeners, and the
//! sentry, which looks on, tell each other. All of it is atomics of this process; entering and leaving costs a few of them.
//!
//! A run that is over is *due*: the main thread asks for that at a moment that suits it ([`overdue`]) and throws. Whether a run ends or is
//! condemned one exchange decides, so that no listener is killed, or blamed, for the one before it.

use crate::{fork, signals};
use proletarier_core::listener::{ListenerIndex, ListenerTable};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

/// As a moment: never.
pub(super) const NEVER: u64 = u64::MAX;
/// In place of a run's number: none, and the bit of one whose process is about to be killed.
const NO_RUN: u64 = 0;
const CONDEMNED: u64 = 1 << 63;

/// The limits of this process's listeners, once it has any.
static LIMITS: OnceLock<Vec<Limit>> = OnceLock::new();
static RUN: Run = Run::new();
/// Wakes the sentry.
static BELL: OnceLock<OwnedFd> = OnceLock::new();

/// How long a listener may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub listener: String,
    /// In microseconds; [`NEVER`] for as long as it takes.
    pub micros: u64,
}

/// A run that is over its limit, and has not been told.
#[derive(Debug)]
pub struct Overdue {
    run: u64,
    /// The listener's identity.
    pub listener: &'static str,
    /// Its limit.
    pub limit: Duration,
}

impl Overdue {
    /// The listener is told now. Once a run: what goes on in spite of it is killed when `worker.grace` is over, and not disturbed before.
    pub fn tell(self) {
        RUN.told.store(self.run, Ordering::SeqCst);
    }
}

/// The running listener, where it is over its limit and was not told. Asked by the thread that runs it; costs two loads where nothing is due.
#[must_use]
pub fn overdue() -> Option<Overdue> {
    let (run, listener) = RUN.to_tell()?;
    let limit = LIMITS.get()?.get(usize::from(listener))?;
    Some(Overdue { run, listener: &limit.listener, limit: Duration::from_micros(limit.micros) })
}

/// The listener's own code has come to its end: nothing is to be thrown any more, whatever is still to do before it counts as left. The time
/// goes on.
pub fn is_returning() {
    RUN.told.store(RUN.number.load(Ordering::Relaxed), Ordering::SeqCst);
}

/// Sets the limits of the listeners in `table`: their own, or `inherited`.
pub(super) fn set(table: &ListenerTable, inherited: Option<Duration>) {
    let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(NEVER);
    let limit = |timeout: Option<f64>| match timeout {
        None => inherited.map_or(NEVER, micros),
        // What a listener says of itself is checked where it is read. 0 is how "never" travels.
        Some(seconds) if seconds > 0.0 => Duration::try_from_secs_f64(seconds).map_or(NEVER, micros),
        Some(_) => NEVER,
    };
    let limits = table.all().iter().map(|spec| Limit { listener: spec.id.clone(), micros: limit(spec.timeout) });
    let _ = LIMITS.set(limits.collect());
}

/// The bell that is rung when a run may be over before the sentry looks by itself. Once a process.
///
/// # Errors
/// When the machine has no pipe left.
pub(super) fn bell() -> nix::Result<OwnedFd> {
    let (read, write) = signals::pipe()?;
    let _ = BELL.set(write);
    Ok(read)
}

/// The limit of the listener at this place.
pub(super) fn of(listener: ListenerIndex) -> Option<&'static Limit> {
    LIMITS.get()?.get(usize::from(listener))
}

/// The main thread enters a listener, at this moment of the monotonic clock.
pub(super) fn enter(listener: ListenerIndex, now: u64) {
    let micros = of(listener).map_or(NEVER, |limit| limit.micros);
    if RUN.enter(listener, now.saturating_add(micros))
        && let Some(bell) = BELL.get()
    {
        signals::ring(bell.as_fd());
    }
}

/// The main thread leaves it. Where that is too late, the process ends here.
pub(super) fn leave() {
    if !RUN.leave() {
        // The sentry has written the last words, and is about to end the process.
        std::thread::sleep(Duration::from_secs(1));
        fork::kill_self();
    }
}

/// The run that the sentry looks at.
pub(super) fn run() -> &'static Run {
    &RUN
}

/// The run of a listener in this process, if any: one writes, the other looks.
pub(super) struct Run {
    /// The run's number, which no other has had.
    number: AtomicU64,
    listener: AtomicU32,
    /// When it is over: monotonic, microseconds.
    deadline: AtomicU64,
    /// The last number given.
    last: AtomicU64,
    /// The run that is over its limit.
    due: AtomicU64,
    /// The run that was told, or needs no telling.
    told: AtomicU64,
    /// When the sentry looks next by itself.
    looks_at: AtomicU64,
}

/// A run as the sentry sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub number: u64,
    pub listener: ListenerIndex,
    pub deadline: u64,
}

impl Run {
    const fn new() -> Self {
        Self {
            number: AtomicU64::new(NO_RUN),
            listener: AtomicU32::new(0),
            deadline: AtomicU64::new(NEVER),
            last: AtomicU64::new(NO_RUN),
            due: AtomicU64::new(NO_RUN),
            told: AtomicU64::new(NO_RUN),
            looks_at: AtomicU64::new(NEVER),
        }
    }

    /// A run begins; whether the sentry has to be woken for it.
    fn enter(&self, listener: ListenerIndex, deadline: u64) -> bool {
        // Alone in writing: a load and a store make the next number.
        let number = self.last.load(Ordering::Relaxed) + 1;
        self.last.store(number, Ordering::Relaxed);
        // What belongs to the run is written while there is none, and seen by who sees its number.
        fence(Ordering::Release);
        self.listener.store(u32::from(listener), Ordering::Relaxed);
        self.deadline.store(deadline, Ordering::Relaxed);
        self.number.store(number, Ordering::Release);
        // Either the sentry, which says when it looks before it does, sees this run, or this thread sees when that is.
        fence(Ordering::SeqCst);
        deadline < self.looks_at.load(Ordering::Relaxed)
    }

    /// The run ends; not, where it is condemned.
    fn leave(&self) -> bool {
        self.number.swap(NO_RUN, Ordering::SeqCst) & CONDEMNED == 0
    }

    /// The run that is due and was not told.
    fn to_tell(&self) -> Option<(u64, ListenerIndex)> {
        let number = self.number.load(Ordering::Relaxed);
        let due = number != NO_RUN && self.due.load(Ordering::Acquire) == number && !self.is_told(number);
        due.then(|| (number, self.listener.load(Ordering::Relaxed) as ListenerIndex))
    }

    /// What runs. None where a run began or ended during the look, or is condemned.
    pub fn seen(&self) -> Option<Seen> {
        let number = self.number.load(Ordering::Acquire);
        let seen = Seen {
            number,
            listener: self.listener.load(Ordering::Relaxed) as ListenerIndex,
            deadline: self.deadline.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let runs = number != NO_RUN && number & CONDEMNED == 0;
        (runs && self.number.load(Ordering::Relaxed) == number).then_some(seen)
    }

    /// The sentry is about to look, and will be woken by any run that has a limit until it says otherwise.
    pub fn is_looking(&self) {
        self.looks_at.store(NEVER, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// The sentry looks again at this moment.
    pub fn looks_at(&self, moment: u64) {
        self.looks_at.store(moment, Ordering::SeqCst);
    }

    pub fn is_due(&self, number: u64) {
        self.due.store(number, Ordering::Release);
    }

    pub fn is_told(&self, number: u64) -> bool {
        self.told.load(Ordering::SeqCst) == number
    }

    /// Claims the run for a kill; not, where it has ended.
    pub fn condemn(&self, number: u64) -> bool {
        self.number.compare_exchange(number, number | CONDEMNED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn only_the_run_that_is_due_is_told_and_once() {
        let run = Run::new();
        run.enter(3, 10);
        let seen = run.seen().unwrap();
        assert_eq!((seen.listener, seen.deadline, run.to_tell()), (3, 10, None), "not due");
        run.is_due(seen.number);
        assert_eq!(run.to_tell(), Some((seen.number, 3)));
        assert!(run.leave());
        assert_eq!((run.seen(), run.to_tell()), (None, None), "nothing runs");
        run.enter(3, 20);
        assert_eq!(run.to_tell(), None, "it was another run that was due");
        run.is_due(run.seen().unwrap().number);
        let (number, _) = run.to_tell().unwrap();
        run.told.store(number, Ordering::SeqCst);
        assert_eq!(run.to_tell(), None, "told");
    }

    #[test]
    fn the_sentry_is_woken_for_what_is_over_before_it_looks() {
        let run = Run::new();
        assert!(run.enter(0, 100), "it does not look by itself");
        run.is_looking();
        run.looks_at(100);
        assert!(!run.enter(0, 100) && !run.enter(0, 300) && run.enter(0, 99));
        run.looks_at(NEVER);
        assert!(!run.enter(0, NEVER), "no limit");
    }

    #[test]
    fn a_run_ends_or_is_condemned_and_no_look_mixes_two_runs() {
        let (run, over, seen_runs) = (Run::new(), AtomicBool::new(false), AtomicU64::new(0));
        let (mut began, mut ended, mut condemned) = (0, 0, 0);
        std::thread::scope(|scope| {
            let sentry = scope.spawn(|| {
                let mut condemned = 0;
                while !over.load(Ordering::Relaxed) {
                    let Some(seen) = run.seen() else { continue };
                    assert_eq!(
                        (seen.deadline, u64::from(seen.listener)),
                        (seen.number * 7, seen.number % 1000),
                        "all of one run"
                    );
                    seen_runs.fetch_add(1, Ordering::Relaxed);
                    condemned += u64::from(seen.number % 8 == 0 && run.condemn(seen.number));
                }
                condemned
            });
            while seen_runs.load(Ordering::Relaxed) < 20_000 && !sentry.is_finished() {
                began += 1;
                run.enter((began % 1000) as ListenerIndex, began * 7);
                // Long enough to be condemned, for some.
                (0..if began % 8 == 0 { 1_000 } else { 0 }).for_each(|_| std::hint::spin_loop());
                ended += u64::from(run.leave());
            }
            over.store(true, Ordering::Relaxed);
            condemned = sentry.join().unwrap();
        });
        assert!(condemned > 0);
        assert_eq!(ended + condemned, began);
    }
}

//! Defines what the engine asks of an application: the PHP glue implements it, and plain Rust does in the engine's tests.

use proletarier_core::failure::Failure;
use proletarier_core::listener::{ListenerIndex, ListenerSpec};
use proletarier_core::record::Record;
use proletarier_core::time::Wall;
use std::fmt;

/// Which worker a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Its place in the scoreboard, from 0; shown from 1.
    pub slot: u32,
    /// The generation of code it runs, from 1.
    pub generation: u32,
}

/// An attempt to handle an event, as a worker sees it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The event.
    pub event: Record<'a>,
    /// Which attempt it is, from 1.
    pub number: u16,
    /// The listeners it is for; none: all that take the event.
    pub only: Option<&'a [ListenerIndex]>,
}

/// What a listener's run came to.
pub type Outcome = Result<(), Failure>;

/// The worker's record of what runs, which the application tells of each listener. It outlives the process.
pub trait Watch {
    /// `listener` is about to run.
    fn enter(&mut self, listener: ListenerIndex);
    /// `listener`, entered before, returned or threw, and what it triggered is confirmed or kept elsewhere: nobody runs it again for that. May end the process (see [`Ending`]) where it can't be recorded otherwise.
    fn leave(&mut self, listener: ListenerIndex, outcome: Outcome);
    /// The process can't go on (exit(), fatal error, out of memory) while the entered listener, if any, ran: keeps the reason where the broker
    /// will find it. The application then ends the process by itself, in its own way, at once.
    fn last_words(&mut self, failure: &Failure);
}

/// Where an application's code is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The source file.
    pub file: String,
    /// The line in it; 0 where unknown.
    pub line: u32,
    /// What runs and what called it, the innermost first, one a line.
    pub trace: String,
}

/// What the engine asks of an application while a listener of it runs, from another thread: both must be safe at any moment.
#[derive(Clone, Copy, Debug)]
pub struct Alarm {
    /// The listener is over its limit: to be noticed as soon as may be by the thread that runs it, which then asks
    /// [`overdue`](crate::overdue).
    pub interrupt: fn(),
    /// Where the listener is; none where that can't be told.
    pub place: fn() -> Option<Place>,
}

/// What is written about in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For developers.
    Debug,
    /// What happened, as expected.
    Info,
    /// Works, but someone should look.
    Warning,
    /// Something failed.
    Error,
}

/// Something that the worker tells the application of, named as in the original.
#[derive(Debug)]
pub enum Moment<'a> {
    /// `worker.read`: an attempt is about to be handled.
    Read(&'a Attempt<'a>),
    /// `worker.read.error`: a message could not be understood.
    ReadError(&'a str),
    /// `worker.result`: an attempt was handled; the identities of listeners that failed, and the seconds it took.
    Result(&'a Attempt<'a>, &'a [&'a str], f64),
    /// `worker.error`: a listener failed.
    Error(&'a Attempt<'a>, &'a str, &'a Failure),
    /// `worker.idle`: nothing waits; a time to clean up.
    Idle,
    /// `worker.shutdown`: the worker is about to stop, and why.
    Shutdown(&'a str),
    /// `worker.exit`: the last thing before the process ends, with its status.
    Exit(i32),
}

/// An application that workers run. One value is made before any fork; each worker then has its own copy of it.
pub trait Application {
    /// Called once in each worker, first thing after the fork: attaches the listeners and gives what identifies them, in the table's order.
    ///
    /// # Errors
    /// Why this worker can't boot: what was thrown, or a configuration error.
    fn launch(&mut self, worker: WorkerInfo) -> Result<Vec<ListenerSpec>, Failure>;

    /// Runs the attempt's listeners, one by one, telling `watch` of each. A listener that fails does not keep others from running.
    ///
    /// # Errors
    /// Where no listener could be run at all, such as params that are not JSON.
    fn handle(&mut self, attempt: &Attempt<'_>, watch: &mut dyn Watch) -> Outcome;

    /// Tells of a moment in the worker's life. What it throws is logged and changes nothing.
    fn tell(&mut self, moment: &Moment<'_>);

    /// Waits until what handlers triggered is confirmed, or kept elsewhere; bounded by the client's own timeout. Called before a
    /// delivery counts as finished.
    fn settle_triggered(&mut self);

    /// How a listener that is over its limit is reached. Without it, it is only woken, and killed when the grace is over.
    fn alarm(&self) -> Option<Alarm> {
        None
    }

    /// Why this worker should be replaced, where the application has said so since the last call. Asked after each delivery, and before the worker
    /// waits.
    fn take_recycling(&mut self) -> Option<String>;

    /// Writes a line to the application's log. Fields are name and value pairs.
    fn log(&mut self, level: Level, message: &str, fields: &[(&str, &dyn fmt::Display)]);

    /// Sets the process's title as `ps` shows it.
    fn title(&mut self, title: &str);

    /// Ends the worker's process with `status`, running what the language owes its objects. Must not return.
    fn end(&mut self, status: i32) -> !;
}

/// When an attempt's event was triggered, for those who show it.
#[must_use]
pub fn triggered_at(attempt: &Attempt<'_>) -> Wall {
    Wall(attempt.event.triggered_at)
}

//! Defines the queue: the state machine that events go through in the broker.
//!
//! ```text
//!            handle_publish             hand_out                handle_report
//!  client ────────────────> pending(due) ───────> in a chunk ─────────────────> done
//!                            ^   ^     ^              │ │
//!                            │   │     └─ taken back ─┘ │ a listener failed, or handle_death
//!                            │   └──── retry(due) ──────┤
//!                            └──────── replay ── dead <─┘ attempts spent, Unrecoverable, no listener
//! ```
//!
//! Each `handle_*` takes what happened and adds to [`Effects`]. Nothing here waits, reads a clock or touches a socket; the shell
//! (the engine's broker, or the simulator) keeps what is to be kept, then says what is to be said.

mod books;
mod cancel;
mod death;
mod effects;
mod figures;
mod filter;
mod gate;
mod hand_out;
mod keys;
mod letters;
mod load;
mod outcome;
mod pace;
mod parallel;
mod publish;
mod queues;
mod rate;
mod ready;
mod recovery;
mod remains;
mod report;
mod scheduler;
mod soon;
mod spooled;
#[cfg(test)]
mod tests;
mod unique;
mod watch;
mod worker;

pub use cancel::{Cancelled, State};
pub use effects::{ClientId, Effects, HandOut, OperatorId, Reply, WorkerId};
pub use figures::{Flow, QueueFigures, Rates};
pub use filter::Filter;
pub use gate::Limits;
pub use keys::{KeyHolder, MAX_BLOCKED, MAX_HELD_BACK, MAX_HELD_BACK_BYTES};
pub use letters::{DEAD_EVENT, SWEEP_PAGE};
pub use pace::{MAX_CHUNK, MAX_CREDIT};
pub use queues::{NoQueue, QueueView};
pub use remains::{ChunkRemains, ListenerMark, Remains};
pub use report::Adopt;
pub use watch::{Fate, MAX_WATCHED};

use crate::backlog::{Counts, Reserved};
use crate::delivery::{Delivery, Unique};
use crate::lanes::Lanes;
use crate::listener::{ListenerIndex, ListenerTable};
use crate::record::Record;
use crate::retry::RetryPolicy;
use crate::session::Sessions;
use crate::time::{Mono, Now};
use books::Books;
use gate::Gate;
use keys::Keys;
use load::Work;
use ready::Ready;
use recovery::Recovery;
use scheduler::Scheduler;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use worker::Worker;

/// What the queue goes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// For listeners that have no policy of their own.
    pub retry: RetryPolicy,
    /// The largest record, in bytes.
    pub max_message: usize,
}

/// What has happened since the broker started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Events taken in.
    pub accepted: u64,
    /// Events that came from the spool, and were no copies.
    pub spooled: u64,
    /// Events sent again that were there already.
    pub duplicates: u64,
    /// Events refused, such as malformed ones.
    pub rejected: u64,
    /// Events not taken in because one with their unique key was there.
    pub unique: u64,
    /// Deliveries handled.
    pub done: u64,
    /// Attempts that failed and were scheduled again, by listener. What goes out again uncounted is not among them.
    pub retried: u64,
    /// Dead letters made.
    pub dead: u64,
    /// Events that nobody had started when they expired.
    pub expired: u64,
    /// Deliveries cancelled by hand.
    pub cancelled: u64,
    /// Dead letters tried again by hand.
    pub replayed: u64,
    /// Dead letters discarded by hand.
    pub discarded: u64,
    /// Dead letters removed because they were too old or too many.
    pub swept: u64,
    /// Dead letters that came from elsewhere.
    pub imported: u64,
    /// Deliveries taken back from a held-up worker.
    pub taken_back: u64,
    /// Workers that died.
    pub deaths: u64,
    /// Failed events that no longer hold their keys, as there were too many such keys, or too much waited for them.
    pub unblocked: u64,
}

/// What a worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Running<'a> {
    /// The event's id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The listener's identity, while one runs.
    pub listener: Option<&'a str>,
}

/// The state machine. See the module.
#[derive(Debug)]
pub struct Queue {
    rules: Rules,
    sessions: Sessions,
    /// Fetched, and with no worker yet.
    ready: Ready,
    workers: BTreeMap<WorkerId, Worker>,
    /// Tables that live workers have, so that those of a generation share one.
    tables: Vec<Arc<ListenerTable>>,
    scheduler: Scheduler,
    /// That of the worker that introduced itself last.
    newest: Arc<ListenerTable>,
    work: Work,
    recovery: Recovery,
    /// To append with the next tick: the events that [`Self::recovered`] found to be in no worker's hand.
    regained: Vec<Delivery>,
    books: Books,
    gate: Gate,
    /// Names of queues that events asked for, and there are not.
    unknown: BTreeSet<String>,
    /// When dead letters are to be looked through again.
    sweep_at: Mono,
}

impl Queue {
    /// A queue with no worker and nothing fetched.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            sessions: Sessions::default(),
            ready: Ready::default(),
            workers: BTreeMap::new(),
            tables: Vec::new(),
            scheduler: Scheduler::default(),
            newest: Arc::default(),
            work: Work::default(),
            recovery: Recovery::default(),
            regained: Vec::new(),
            books: Books::default(),
            gate: Gate::default(),
            unknown: BTreeSet::new(),
            sweep_at: letters::AT_ONCE,
        }
    }

    /// The same after the death of a broker whose backlog was volatile, while workers live on; `running` are the ids of events that they run.
    #[must_use]
    pub fn recovering(mut self, running: impl IntoIterator<Item = String>) -> Self {
        self.recovery = Recovery::new(running);
        self
    }

    /// The same with what a durable backlog kept of the sessions: what was appended before the broker's death is known when it is sent again.
    #[must_use]
    pub fn with_sessions(mut self, sessions: Sessions) -> Self {
        self.sessions = sessions;
        self
    }

    /// The same with limits to how much may be there.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.gate = Gate::new(limits);
        self
    }

    /// Other rules from now on, as a reload has them: for outcomes that come, and events that are triggered. What is to be tried again keeps its time.
    pub const fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Other limits from now on. Dead letters are looked through with the next sweep, which is due.
    pub fn set_limits(&mut self, limits: Limits) {
        self.gate.set_limits(limits);
        self.sweep_at = letters::AT_ONCE;
    }

    /// The same with the unique keys of what a durable backlog kept: of each delivery that is not settled and not dead, with its event's id.
    #[must_use]
    pub fn with_uniques(mut self, uniques: impl IntoIterator<Item = (Unique, String)>) -> Self {
        uniques.into_iter().for_each(|(unique, id)| self.books.uniques.restore(&unique, &id));
        self
    }

    /// The same with these queues, whose options say whether failures block keys, and with the keys that a durable backlog kept: of each
    /// delivery that is not settled and not dead. Tell of it before anything is fetched or adopted.
    #[must_use]
    pub fn with_keys(mut self, lanes: &Lanes, holders: impl IntoIterator<Item = KeyHolder>) -> Self {
        self.books.keys = Keys::new(lanes, holders);
        self
    }

    /// A worker has this hand-out of a broker before's, and its key with it. Tell of each before anything is fetched.
    pub fn hold(&mut self, mut reserved: Reserved) {
        reserved.delivery.lane = self.books.keys.lanes().of(&reserved.delivery);
        self.books.keys.hold(&reserved);
    }

    /// Deliveries that are fetched and wait for another event of their key.
    #[must_use]
    pub const fn held_back(&self) -> usize {
        self.books.keys.held_back()
    }

    /// Keys that events hold which failed.
    #[must_use]
    pub const fn blocked_keys(&self) -> usize {
        self.books.keys.blocked()
    }

    /// Whether the backlog should promote what is due before it is asked for more: something is due since this moment.
    #[must_use]
    pub fn expects_due(&self) -> bool {
        !self.books.soon.is_empty()
    }

    /// What waits by now, and why the backlog takes nothing more, if so. Tell it before each group of events.
    pub fn observe_load(&mut self, counts: &Counts, refusal: Option<String>) {
        self.gate.observe(counts, refusal);
    }

    /// Why events are refused for now, in words. Who can't be refused anything should wait.
    #[must_use]
    pub fn overload(&self) -> Option<String> {
        self.gate.refuses()
    }

    /// Follows an event, by its id, for somebody who wants to know what becomes of it.
    pub fn watch(&mut self, id: &str, now: Now) {
        self.books.watches.watch(id, now.mono);
    }

    /// What became of an event that is followed.
    #[must_use]
    pub fn fate(&self, id: &str) -> Fate {
        self.books.watches.fate(id)
    }

    /// The sessions, for a durable backlog to keep with what is appended.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The workers of the broker before are accounted for, each introduced or buried: ids need no more watching. What is left to do is
    /// done by the next tick.
    pub fn recovered(&mut self) {
        for mut regained in self.recovery.end() {
            // The lanes may have changed since.
            regained.lane = self.scheduler.use_lane(self.scheduler.lanes().of(&regained));
            self.books.counters.accepted += 1;
            let id = Record::decode(&regained.record).unwrap_or_default().id;
            self.books.taken(&regained, id);
            self.regained.push(regained);
        }
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.books.counters
    }

    /// What is measured of the queue at a place of [`Lanes::names`](crate::lanes::Lanes::names).
    pub fn figures(&mut self, place: usize, now: Now) -> QueueFigures {
        self.books.figures.tell(place, now.mono)
    }

    /// What runs at a place of a worker's chunk, of which the scoreboard keeps the lowest 28 bits of the number: the event's id and name, and
    /// the identity of the listener.
    #[must_use]
    pub fn running(&self, worker: WorkerId, chunk: u32, place: u16, listener: Option<ListenerIndex>) -> Option<Running<'_>> {
        let worker = self.workers.get(&worker)?;
        let open = worker.chunks.iter().find(|open| open.number & 0x0fff_ffff == chunk)?;
        let record = Record::decode(&open.deliveries.get(usize::from(place))?.as_ref()?.delivery.record).ok()?;
        let listener = listener.and_then(|listener| worker.table.get(listener)).map(|spec| &*spec.id);
        Some(Running { id: record.id, name: record.name, listener })
    }

    /// Workers that introduced themselves and have not left.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Deliveries that were fetched and wait for a worker's room.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Whether nothing is fetched and no worker holds a delivery.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
            && self.held_back() == 0
            && !self.books.keys.has_freed()
            && self.workers.values().all(|worker| worker.chunks.is_empty())
    }

    fn table(&mut self, table: ListenerTable) -> Arc<ListenerTable> {
        self.tables.retain(|known| Arc::strong_count(known) > 1);
        if let Some(known) = self.tables.iter().find(|known| known.all() == table.all()) {
            return Arc::clone(known);
        }
        let table = Arc::new(table);
        self.tables.push(Arc::clone(&table));
        table
    }
}

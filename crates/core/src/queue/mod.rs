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

mod death;
mod effects;
mod hand_out;
mod outcome;
mod pace;
mod publish;
mod recovery;
mod remains;
mod report;
#[cfg(test)]
mod tests;
mod worker;

pub use effects::{ClientId, Effects, HandOut, Reply, WorkerId};
pub use pace::{MAX_CHUNK, MAX_CREDIT};
pub use remains::{ChunkRemains, ListenerMark, Remains};
pub use report::Adopt;

use crate::backlog::Reserved;
use crate::delivery::Delivery;
use crate::listener::ListenerTable;
use crate::retry::RetryPolicy;
use crate::session::Sessions;
use pace::Pace;
use recovery::Recovery;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use worker::Worker;

/// What the queue is told once.
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
    /// Events sent again that were there already.
    pub duplicates: u64,
    /// Events refused, such as malformed ones.
    pub rejected: u64,
    /// Deliveries handled.
    pub done: u64,
    /// Attempts that failed and were scheduled again, by listener. What goes out again uncounted is not among them.
    pub retried: u64,
    /// Dead letters made.
    pub dead: u64,
    /// Events that nobody had started when they expired.
    pub expired: u64,
    /// Deliveries taken back from a held-up worker.
    pub taken_back: u64,
    /// Workers that died.
    pub deaths: u64,
}

/// The state machine. See the module.
#[derive(Debug)]
pub struct Queue {
    rules: Rules,
    sessions: Sessions,
    /// Fetched, and with no worker yet.
    ready: VecDeque<Reserved>,
    workers: BTreeMap<WorkerId, Worker>,
    /// Tables that live workers have, so that those of a generation share one.
    tables: Vec<Arc<ListenerTable>>,
    pace: Pace,
    recovery: Recovery,
    /// To append with the next tick: the events that [`Self::recovered`] found to be in no worker's hand.
    regained: Vec<Delivery>,
    counters: Counters,
}

impl Queue {
    /// A queue with no worker and nothing fetched.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            sessions: Sessions::default(),
            ready: VecDeque::new(),
            workers: BTreeMap::new(),
            tables: Vec::new(),
            pace: Pace::default(),
            recovery: Recovery::default(),
            regained: Vec::new(),
            counters: Counters::default(),
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

    /// The sessions, for a durable backlog to keep with what is appended.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The workers of the broker before are accounted for, each introduced or buried: ids need no more watching. What is left to do is
    /// done by the next tick.
    pub fn recovered(&mut self) {
        let regained = self.recovery.end();
        self.counters.accepted += regained.len() as u64;
        self.regained.extend(regained);
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
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
        self.ready.is_empty() && self.workers.values().all(|worker| worker.chunks.is_empty())
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

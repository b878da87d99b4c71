//! Defines the backlog port: where deliveries wait. Batched and asynchronous, and without policy: retries, attempts, order by key stay in `queue`.
//!
//! An adapter starts what it is asked for and tells of its end through [`Backlog::poll`], so that a log that commits in groups, and a
//! server on the network, fit the same port. Rules each adapter keeps (the conformance suite checks them):
//! - what [`Completion::Done`] told of survives what the adapter's capabilities say;
//! - replacements are kept before the token they replace goes, and are idempotent by event id and listeners;
//! - a fetched delivery is reserved until its token is settled: no other fetch gives it out;
//! - an unknown token settles nothing and is no error (a late outcome of an older hand-out).

pub mod conformance;
mod memory;

pub use memory::Memory;

use crate::delivery::{DeadLetter, Delivery};
use crate::time::Now;

/// Names one hand-out of a delivery.
pub type Token = u64;

/// Names a request, until its completion.
pub type Ticket = u64;

/// What an adapter can do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What is done survives the broker's death.
    pub survives_broker: bool,
    /// What is done survives power loss.
    pub survives_power: bool,
}

/// A delivery that is reserved for who fetched it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The hand-out.
    pub token: Token,
    /// What was handed out.
    pub delivery: Delivery,
}

/// What becomes of a delivery whose outcome is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is handled.
    Done,
    /// Other deliveries and dead letters stand in its place.
    Replace(Vec<Replacement>),
}

/// What stands in a settled delivery's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// To be handled, now or when due.
    Delivery(Delivery),
    /// To be kept.
    Dead(DeadLetter),
}

/// The end of what was asked for.
#[derive(Debug)]
pub enum Completion {
    /// This request, and all before it, are kept.
    Done(Ticket),
    /// A fetch's result.
    Fetched(Vec<Reserved>),
    /// The adapter can't go on; why.
    Failed(BacklogError),
}

/// Why an adapter can't do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum BacklogError {
    /// The store is full: appends are refused until there is room; outcomes have theirs reserved.
    #[error("the store is full: {0}")]
    Full(String),
    /// Something that no caller can mend: the broker stops.
    #[error("the store failed: {0}")]
    Broken(String),
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Waiting to be fetched.
    pub pending: u64,
    /// Fetched and not settled.
    pub reserved: u64,
    /// Waiting until due.
    pub parked: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Where deliveries wait. See the module for the rules.
pub trait Backlog {
    /// What it can do by itself.
    fn capabilities(&self) -> Capabilities;
    /// Keeps new deliveries; those with a due time are parked. Drains `batch`.
    fn append(&mut self, batch: &mut Vec<Delivery>, now: Now) -> Ticket;
    /// Settles hand-outs. Drains `batch`.
    fn settle(&mut self, batch: &mut Vec<(Token, Settlement)>, now: Now) -> Ticket;
    /// Asks for up to `count` pending deliveries, which arrive by [`Completion::Fetched`].
    fn fetch(&mut self, count: usize);
    /// Reserves a hand-out that a live worker has from the broker before; a volatile adapter takes the delivery in.
    fn adopt(&mut self, hand_out: &Reserved);
    /// Tells that hand-outs are still being worked on, where reservations would lapse.
    fn extend(&mut self, tokens: &[Token]);
    /// Makes pending what has become due; tells how many microseconds until the next is.
    fn promote(&mut self, now: Now) -> Option<u64>;
    /// Dead letters after `cursor`, the oldest first, each with the cursor that follows it.
    fn dead(&self, cursor: u64, count: usize) -> Vec<(u64, DeadLetter)>;
    /// Takes dead letters out, by their cursors; those that were there.
    fn take_dead(&mut self, cursors: &[u64]) -> Vec<DeadLetter>;
    /// The next completion, if there is one.
    fn poll(&mut self) -> Option<Completion>;
    /// How much there is.
    fn counts(&self) -> Counts;
}

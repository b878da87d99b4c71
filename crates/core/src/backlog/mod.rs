//! Defines the backlog port: where deliveries wait. Batched and asynchronous, and without policy: retries, attempts, order by key stay in `queue`.
//!
//! An adapter starts what it is asked for and tells of its end through [`Backlog::poll`], so that a log that commits in groups, and a
//! server on the network, fit the same port. Rules each adapter keeps (the conformance suite checks them):
//! - what [`Completion::Done`] told of survives what the adapter's capabilities say;
//! - replacements are kept before the token they replace goes; where an adapter keeps them one by one, a copy is known by what it replaces
//!   and its place among the replacements (by event and listeners it is not: each retry has the same);
//! - a fetched delivery is reserved until its token is settled: no other fetch gives it out;
//! - an unknown token settles nothing and is no error;
//! - a late success of an older hand-out settles its delivery, a late failure of one is ignored.

pub mod conformance;
mod memory;

pub use memory::Memory;

use crate::delivery::{DeadLetter, Delivery};
use crate::frame::Session;
use crate::lanes::{Lane, Lanes};
use crate::time::Now;

/// Names one hand-out of a delivery: in its upper 16 bits which opening of the backlog made it, in the lower 48 the delivery's sequence
/// number. With 0 above, it names what waits or is dead, whoever has it.
pub type Token = u64;

/// Bits of a token that are the sequence number.
pub const SEQUENCE_BITS: u32 = 48;

/// The sequence number in a token.
#[must_use]
pub const fn sequence(token: Token) -> u64 {
    token & ((1 << SEQUENCE_BITS) - 1)
}

/// The opening in a token; 0: none.
#[must_use]
pub const fn opening(token: Token) -> u16 {
    (token >> SEQUENCE_BITS) as u16
}

/// A hand-out's token.
#[must_use]
pub const fn token(opening: u16, sequence: u64) -> Token {
    (opening as u64) << SEQUENCE_BITS | sequence
}

/// Names a request, until its completion.
pub type Ticket = u64;

/// What tells a copy of an event from the event: its place in its client's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's session.
    pub session: Session,
    /// The event's number in it.
    pub number: u64,
}

/// A new delivery, or dead letter, to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// What to keep.
    pub delivery: Delivery,
    /// Where it came from, to keep with it: known copies are known as durably as the delivery. None where nobody numbers.
    pub origin: Option<Origin>,
    /// Where it is a dead letter from the start: when it died, in wall time, microseconds.
    pub dead: Option<u64>,
}

impl From<Delivery> for Append {
    fn from(delivery: Delivery) -> Self {
        Self { delivery, origin: None, dead: None }
    }
}

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
    /// This request, and all before it, are kept also where power is lost.
    Synced(Ticket),
    /// A fetch's result.
    Fetched(Vec<Reserved>),
    /// The adapter can't go on; why.
    Failed(BacklogError),
}

/// Something that no caller can mend: the broker stops, so that nothing is said of what is not kept.
#[derive(Debug, thiserror::Error)]
#[error("the store failed: {0}")]
pub struct BacklogError(pub String);

/// Whether a delivery waits, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// To be fetched.
    Pending,
    /// It is fetched: for its outcome.
    Reserved,
    /// Until it is due.
    Parked,
}

/// A delivery that waits, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Names it, in its page's order.
    pub token: Token,
    /// What waits.
    pub delivery: Delivery,
    /// For what.
    pub waits: Waits,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found; it may be nothing though there is more.
    pub items: Vec<T>,
    /// Where the next page begins: after this token. None at the end.
    pub next: Option<Token>,
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
    /// Bytes of the records that wait, pending and parked.
    pub bytes: u64,
}

/// How much is known to wait in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneCount {
    /// The lane.
    pub lane: Lane,
    /// Pending ones that are known to be of it.
    pub pending: u64,
    /// More may be: what an adapter has, and has not looked at since it was opened, or sorted into other lanes. All that is pending is
    /// [`Counts::pending`].
    pub more: bool,
}

/// Where deliveries wait. See the module for the rules.
pub trait Backlog {
    /// What it can do by itself.
    fn capabilities(&self) -> Capabilities;
    /// Keeps new deliveries; those with a due time are parked. Drains `batch`.
    fn append(&mut self, batch: &mut Vec<Append>, now: Now) -> Ticket;
    /// Settles hand-outs. Drains `batch`. `Done` of what waits and is not reserved cancels it; of a dead letter it discards it, and `Replace`
    /// puts a delivery in its place.
    fn settle(&mut self, batch: &mut Vec<(Token, Settlement)>, now: Now) -> Ticket;
    /// Asks for [`Completion::Synced`] of all that was asked for so far.
    fn sync(&mut self);
    /// Sorts what waits, and what comes, into these lanes. What comes by [`Self::append`] has its lane in it, which is the one that [`Lanes::of`]
    /// tells; of what is read again, or replaces something, the adapter tells it so. It may be called again, with other lanes: what is reserved
    /// stays reserved. Without it all are of the lanes that there are without queues.
    fn sort(&mut self, lanes: Lanes);
    /// Asks for up to `count` pending deliveries of a lane, which arrive by [`Completion::Fetched`], each with its lane in it. What has become due
    /// goes before what was pending, but takes at most half where both wait. What waits in one lane holds up no other. Where something may be
    /// pending and nothing arrives, the adapter has looked through as much as it does at once: who asks again has it go on.
    fn fetch_from(&mut self, lane: Lane, count: usize);
    /// The same of lane 0, which is the only one where nothing is sorted.
    fn fetch(&mut self, count: usize) {
        self.fetch_from(0, count);
    }
    /// Whether something may be pending in the lane: false only where nothing is, and not true for ever where that is so and it is fetched from.
    fn may_have(&self, lane: Lane) -> bool;
    /// How much is known to wait, by lane. Lanes in which nothing does may be left out.
    fn lane_counts(&self) -> Vec<LaneCount>;
    /// Reserves a hand-out that a worker has from the broker before; gives the delivery as it is kept, with its history. None where it is
    /// settled, or handed out anew. A volatile adapter takes in what it is given.
    fn adopt(&mut self, hand_out: &Reserved) -> Option<Delivery>;
    /// Tells that hand-outs are still being worked on, where reservations would lapse.
    fn extend(&mut self, tokens: &[Token]);
    /// Makes pending what has become due; tells how many microseconds until the next is.
    fn promote(&mut self, now: Now) -> Option<u64>;
    /// What waits, after a token, the oldest first. Looks at `most` entries at most.
    fn waiting(&mut self, after: Token, most: usize) -> Page<Waiting>;
    /// Dead letters after a token, the oldest first, each with its token. Looks at `most` entries at most.
    fn dead(&mut self, after: Token, most: usize) -> Page<(Token, DeadLetter)>;
    /// Why appends should be refused for now, such as for a full disk. Outcomes have room.
    fn refusal(&self) -> Option<String>;
    /// The next completion, if there is one.
    fn poll(&mut self) -> Option<Completion>;
    /// How much there is.
    fn counts(&self) -> Counts;
    /// What whoever runs it should be told of: damage that was met, and what is lost by that. Each once.
    fn take_news(&mut self) -> Vec<String> {
        Vec::new()
    }
}

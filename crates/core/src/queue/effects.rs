//! Defines what a step of the queue asks of its shell: what to keep, what to say once it is kept, what to say at once.

use crate::backlog::{Append, Reserved, Settlement, Token};
use crate::delivery::{DeadLetter, Delivery};
use crate::frame::Confirmation;
use bytes::Bytes;

/// Names a worker's connection, for as long as the worker lives. The shell gives the numbers.
pub type WorkerId = u64;

/// Names a client's connection: the address that its frames came from.
pub type ClientId = Bytes;

/// Names an operator's connection: the parts that stand before its request.
pub type OperatorId = Vec<Bytes>;

/// Something to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To a client: its events are kept.
    Confirm(ClientId, Confirmation),
    /// To a worker: work.
    Chunk(WorkerId, HandOut),
    /// To a worker: what it reported, up to this chunk, is settled. Said with its next chunk, or at once.
    Settled {
        /// Whom to tell.
        worker: WorkerId,
        /// The chunk.
        through: u32,
        /// Whether it is to be told at once: it is leaving and waits for nothing but this, or something failed. An idle worker would bring a
        /// settled failure to the next broker however old it is, and one whose backlog is volatile would try again what has succeeded since.
        at_once: bool,
    },
    /// To the scoreboard: all that the dead worker had is settled, and its slot may be used again.
    Buried(WorkerId),
    /// To the scoreboard, or the worker: lower the chunk's limit to what is claimed; `handle_taken_back` takes the answer.
    TakeBack(WorkerId, u32),
    /// To the log: an event, or one of its listeners, is dead.
    Dead(DeadLetter),
    /// To the log: it expired before anybody started it.
    Expired(Delivery),
    /// To the log, once for each name: an event asks for a queue of this name, and there is none. It goes where it would without.
    UnknownQueue(String),
    /// To the spool: all that was taken in of the file that is being drained is kept, also where power is lost, and the file may go.
    Drained,
    /// To an operator: the answer to a request, now that what it asked for is kept.
    Answer(OperatorId, Bytes),
}

/// A chunk, for one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct HandOut {
    /// Its number.
    pub number: u32,
    /// What there is to do.
    pub deliveries: Vec<Reserved>,
}

/// The effects of one or more steps. The shell keeps first (`append`, `settle`), says `at_once` meanwhile, and `after` when all is kept.
#[derive(Debug, Default)]
pub struct Effects {
    /// To append to the backlog.
    pub append: Vec<Append>,
    /// To settle in the backlog.
    pub settle: Vec<(Token, Settlement)>,
    /// To say before anything is kept: what leaves no other trace. It may be said again by the next broker.
    pub before: Vec<Reply>,
    /// To say at once. With a backlog that survives the broker: chunks not before all settlements of earlier steps, and of this one, are kept,
    /// as a chunk's place in the scoreboard may have the only word on those of the chunk before it there.
    pub at_once: Vec<Reply>,
    /// To say once what came before is kept.
    pub after: Vec<Reply>,
    /// To say once what came before is kept also where power is lost.
    pub after_sync: Vec<Reply>,
}

impl Effects {
    /// Whether there is something to keep.
    #[must_use]
    pub fn commits(&self) -> bool {
        !(self.append.is_empty() && self.settle.is_empty())
    }
}

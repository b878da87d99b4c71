//! Defines what a dead worker leaves behind: its slot of the scoreboard, read.

use crate::failure::Failure;
use crate::listener::ListenerIndex;
use serde::{Deserialize, Serialize};

/// What a listener had come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerMark {
    /// The delivery's place in its chunk.
    pub delivery: u16,
    /// The listener's place in the worker's table.
    pub listener: ListenerIndex,
    /// Whether it failed.
    pub failed: bool,
}

/// How far a chunk was. `finished <= claimed <= limit`; at most one delivery is claimed and not finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRemains {
    /// Which chunk.
    pub number: u32,
    /// Deliveries finished, from the front.
    pub finished: u16,
    /// Deliveries claimed, from the front.
    pub claimed: u16,
    /// The listeners that failed in finished deliveries, and all that had ended in the one that ran.
    pub marks: Vec<ListenerMark>,
}

/// What a dead worker leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remains {
    /// Which of the slot's workers it was.
    pub incarnation: u32,
    /// Its chunks that were not yet given back.
    pub chunks: Vec<ChunkRemains>,
    /// The listener that ran.
    pub listener: Option<ListenerIndex>,
    /// What it could still say.
    pub last_words: Option<Failure>,
    /// How the process ended, in words: `SIGKILL`, `exit status 3`.
    pub end: String,
}

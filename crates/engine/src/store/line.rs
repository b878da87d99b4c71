//! Defines a line: what waits for a worker in one lane. In the order in which they came, the front of it is in memory and the rest where it is
//! anyway, in the journal; beside them stand those that were parked and have become due.

use super::parked::Place;
use proletarier_core::delivery::Delivery;
use std::collections::VecDeque;

/// One that was parked and is due.
pub(super) struct Due {
    pub sequence: u64,
    pub place: Place,
    /// It was read for its lane; where there was room it stayed in memory.
    pub delivery: Option<Box<Delivery>>,
}

/// What waits in one lane.
#[derive(Default)]
pub(super) struct Line {
    pub front: VecDeque<(u64, Delivery)>,
    /// In the order in which they became due.
    pub due: VecDeque<Due>,
    /// How many of `due` were taken out of the lane's count, and are passed over.
    pub gone: u64,
    /// Bytes of the records of each that are in memory.
    pub bytes: usize,
    pub due_bytes: usize,
    /// Where the rest begins; none: all is in memory.
    pub rest: Option<Place>,
    /// All of the lane up to this number that is not due was taken in, or is over.
    pub through: u64,
    /// How many of what is in the front, or in the journal and was counted, wait.
    pub pending: u64,
    /// It goes along with the reading that is under way.
    pub joins: bool,
}

impl Line {
    /// Whether nothing waits in it, nor may wait.
    pub fn is_empty(&self) -> bool {
        self.front.is_empty() && self.rest.is_none() && self.due.is_empty()
    }

    /// Takes one in at the front's end.
    pub fn push(&mut self, sequence: u64, delivery: Delivery) {
        self.bytes += delivery.record.len();
        self.through = sequence;
        self.front.push_back((sequence, delivery));
    }

    /// Whether this one is in memory.
    pub fn has(&self, sequence: u64) -> bool {
        self.front.binary_search_by_key(&sequence, |(sequence, _)| *sequence).is_ok()
    }
}

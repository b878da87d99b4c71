//! Counts by queue.

use crate::delivery::Delivery;
use crate::lanes::Lanes;

/// What became of a queue's deliveries since the broker started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub done: u64,
    pub retried: u64,
    pub dead: u64,
    pub expired: u64,
}

/// The tallies, by the queues' places.
#[derive(Debug, Default)]
pub(super) struct Tallies(Vec<Tally>);

impl Tallies {
    /// The tally of the delivery's queue.
    pub fn of(&mut self, delivery: &Delivery) -> &mut Tally {
        let queue = Lanes::queue(delivery.lane);
        if self.0.len() <= queue {
            self.0.resize(queue + 1, Tally::default());
        }
        &mut self.0[queue]
    }

    pub fn get(&self, queue: usize) -> Tally {
        self.0.get(queue).copied().unwrap_or_default()
    }

    /// The queues have other places: `from` tells where the one at each place was.
    pub fn rearrange(&mut self, from: &[Option<usize>]) {
        self.0 = from.iter().map(|before| before.map(|before| self.get(before)).unwrap_or_default()).collect();
    }
}

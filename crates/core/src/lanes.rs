//! Defines the lanes that deliveries wait in: one for each queue and priority. A lane keeps its order, and waits for no other.

use crate::delivery::Delivery;
use crate::record::Record;
use crate::settings::Queues;
use std::sync::Arc;

/// A lane's number: the queue's place times [`PRIORITIES`], plus the priority's. 0: the default queue, at normal priority.
pub type Lane = u16;

/// Priorities within a queue.
pub const PRIORITIES: u16 = 3;

/// The queue of what is routed to no other. It can be configured as others can.
pub const DEFAULT_QUEUE: &str = "default";

/// The lanes that there are. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    queues: Arc<Queues>,
    /// The queues' names: the default one first, then those of the settings, without it, in their order.
    names: Arc<[String]>,
}

impl Lanes {
    /// The lanes of these queues.
    #[must_use]
    pub fn new(queues: Queues) -> Self {
        let others = queues.all().iter().map(|queue| queue.name.clone()).filter(|name| name != DEFAULT_QUEUE);
        let names = std::iter::once(DEFAULT_QUEUE.to_owned()).chain(others).collect();
        Self { queues: Arc::new(queues), names }
    }

    /// How many there are; at least [`PRIORITIES`].
    #[must_use]
    pub fn count(&self) -> usize {
        self.queue_count() * usize::from(PRIORITIES)
    }

    /// How many queues there are; at least the default one.
    #[must_use]
    pub fn queue_count(&self) -> usize {
        self.names.len().max(1)
    }

    /// The name of the queue at a place.
    #[must_use]
    pub fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or(DEFAULT_QUEUE, String::as_str)
    }

    /// The place of the queue with a name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        if name == DEFAULT_QUEUE { Some(0) } else { self.names.iter().position(|known| known == name) }
    }

    /// The queues' names, by their places.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The settings of all queues.
    #[must_use]
    pub fn queues(&self) -> &Queues {
        &self.queues
    }

    /// The place of the queue that a lane is of.
    #[must_use]
    pub const fn queue(lane: Lane) -> usize {
        (lane / PRIORITIES) as usize
    }

    /// The lane of an event: of the queue that it asks for, or that takes its name, at its priority.
    #[must_use]
    pub fn of_record(&self, record: &Record<'_>) -> Lane {
        if self.names.len() <= 1 {
            return record.priority.lane();
        }
        let asked = record.queue.and_then(|name| self.place(name));
        let place = asked.or_else(|| self.queues.of_event(record.name).and_then(|queue| self.place(&queue.name)));
        place.unwrap_or(0) as Lane * PRIORITIES + record.priority.lane()
    }

    /// The lane of a delivery whose own number is not known, such as one read from a store.
    #[must_use]
    pub fn of(&self, delivery: &Delivery) -> Lane {
        Record::decode(&delivery.record).map_or(0, |record| self.of_record(&record))
    }
}

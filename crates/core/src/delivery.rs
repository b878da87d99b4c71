//! Defines the delivery: an attempt, to come or under way, to handle an event for some of its listeners.

use crate::failure::Failure;
use crate::lanes::Lane;
use crate::time::{Mono, Wall};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// When something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// At a wall time: what `at` asked for.
    At(Wall),
    /// At a moment of the monotonic clock: a delay or a backoff. A clock that jumps fires nothing early.
    After(Mono),
}

/// An attempt that was spent, as the history of a dead letter tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentAttempt {
    /// Which attempt it was.
    pub attempt: u16,
    /// When it ended: wall time, microseconds.
    pub at: u64,
    /// How.
    pub failure: Failure,
    /// When the dead letter that ended with this attempt was replayed: wall time, microseconds. Attempts behind it count from 1 again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<u64>,
}

/// Most attempts that a history keeps; the first and the latest stay.
pub const MAX_HISTORY: usize = 16;

/// The key of which at most one event waits or runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The key.
    pub key: Arc<str>,
    /// Not held beyond this moment.
    pub until: Wall,
}

/// What only few deliveries have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Identities of the listeners it is for; none: all that take the event.
    pub only: Option<Arc<[String]>>,
    /// The attempts spent so far.
    pub history: Vec<SpentAttempt>,
    /// The key that the event holds.
    pub unique: Option<Unique>,
    /// Events of the same key wait for this delivery, wherever it is: it stands in the place of one that ran, or runs beside it.
    pub holds_key: bool,
}

/// An attempt, to come or under way. A fresh event's has no [`Rest`], so that it costs no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The event.
    pub record: Bytes,
    /// Which attempt it will be, from 1.
    pub attempt: u16,
    /// How often it was handed out again because nobody could say what became of it (no scoreboard); limited apart from attempts.
    pub recoveries: u8,
    /// Not before.
    pub due: Option<Due>,
    /// Not to be started after.
    pub expires: Option<Wall>,
    /// Where it waits. No store keeps it: it is told anew of what is read from one.
    pub lane: Lane,
    /// What only few deliveries have.
    pub rest: Option<Arc<Rest>>,
}

impl Delivery {
    /// The first attempt of an event, for all its listeners, at once.
    #[must_use]
    pub const fn first(record: Bytes) -> Self {
        Self { record, attempt: 1, recoveries: 0, due: None, expires: None, lane: 0, rest: None }
    }

    /// The listeners it is for; none: all that take the event.
    #[must_use]
    pub fn only(&self) -> Option<&[String]> {
        self.rest.as_ref()?.only.as_deref()
    }

    /// The attempts spent so far.
    #[must_use]
    pub fn history(&self) -> &[SpentAttempt] {
        self.rest.as_ref().map_or(&[], |rest| &rest.history)
    }

    /// The key that the event holds.
    #[must_use]
    pub fn unique(&self) -> Option<&Unique> {
        self.rest.as_ref()?.unique.as_ref()
    }

    /// Whether events of the same key wait for it wherever it is.
    #[must_use]
    pub fn holds_key(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.holds_key)
    }

    /// The same event for these listeners alone, as the same attempt, at once.
    #[must_use]
    pub fn for_listeners(&self, only: Vec<String>) -> Self {
        let rest = Rest { only: Some(only.into()), ..self.rest.as_deref().cloned().unwrap_or_default() };
        Self { due: None, rest: Some(Arc::new(rest)), ..self.clone() }
    }

    /// With `spent` added to the history.
    #[must_use]
    pub fn with_spent(mut self, spent: SpentAttempt) -> Self {
        let mut rest = self.rest.as_deref().cloned().unwrap_or_default();
        if rest.history.len() == MAX_HISTORY {
            rest.history.remove(1);
        }
        rest.history.push(spent);
        self.rest = Some(Arc::new(rest));
        self
    }
}

/// An event that is kept because it, or one of its listeners, will not be tried again by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// What failed: the event, the listeners, the history. Its last spent attempt is the reason.
    pub delivery: Delivery,
    /// When it died: wall time, microseconds.
    pub at: u64,
}

impl DeadLetter {
    /// Why it is dead.
    #[must_use]
    pub fn reason(&self) -> Option<&Failure> {
        self.delivery.history().last().map(|spent| &spent.failure)
    }
}

//! Defines what a worker tells of its listeners: identity, what they listen to, and options. Callables stay in the worker.

use crate::retry::RetryPolicy;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A listener's place in its worker's table.
pub type ListenerIndex = u16;

/// Most listeners that one worker can have: outcomes are kept by listener in shared memory (`Slot::LOG`).
pub const MAX_LISTENERS: usize = 4096;

/// Most listeners that one event can have, the '*' ones included, for the same reason.
pub const MAX_LISTENERS_OF_EVENT: usize = 512;

/// One listener as the broker knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerSpec {
    /// The identity that outlives deploys (DESIGN: `id` option, else configuration key, else event + Class::method).
    pub id: String,
    /// The event's name, or `*`.
    pub event: String,
    /// Its own retry policy; none: the daemon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Its own time limit in seconds, 0 for as long as it takes; none: the workers'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Whether it is a delivery of its own from the start. One that is an event's only one is not split off.
    #[serde(default)]
    pub parallel: bool,
}

/// All the listeners of one worker; every worker of a generation has the same.
#[derive(Clone, Debug, Default)]
pub struct ListenerTable {
    listeners: Vec<ListenerSpec>,
    by_event: HashMap<String, Vec<ListenerIndex>>,
    wildcards: Vec<ListenerIndex>,
    by_id: HashMap<String, ListenerIndex>,
    /// How events with parallel listeners are split; none for all others.
    splits: HashMap<Box<[u8]>, Split>,
}

/// How an event with parallel listeners is split, by identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Those that run one by one, in one delivery; it may be none.
    pub together: Vec<String>,
    /// Those that are a delivery of their own from the start.
    pub parallel: Vec<String>,
}

/// Why listeners don't make a table.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ListenerError {
    /// Two listeners could not be told apart when one is retried.
    #[error("two listeners have the identity \"{0}\": give one of them an `id` option of its own")]
    Alike(String),
    /// More than outcomes can be kept for.
    #[error("{0} listeners: at most {MAX_LISTENERS} are possible")]
    TooMany(usize),
    /// More for one event than outcomes can be kept for.
    #[error("the event \"{0}\" has {1} listeners: at most {MAX_LISTENERS_OF_EVENT} are possible")]
    TooManyOfEvent(String, usize),
}

impl ListenerTable {
    /// A number that tells tables with other listeners, or the same in other places, apart; never 0. Another release may number otherwise.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.listeners.iter().for_each(|listener| (&listener.id, &listener.event).hash(&mut hasher));
        hasher.finish().max(1)
    }

    /// Builds the table, whose indexes are the places in `listeners`.
    ///
    /// # Errors
    /// When two have one identity, or there are more than outcomes can be kept for.
    pub fn new(listeners: Vec<ListenerSpec>) -> Result<Self, ListenerError> {
        if listeners.len() > MAX_LISTENERS {
            return Err(ListenerError::TooMany(listeners.len()));
        }
        let mut table = Self::default();
        for (index, listener) in (0..).zip(&listeners) {
            if table.by_id.insert(listener.id.clone(), index).is_some() {
                return Err(ListenerError::Alike(listener.id.clone()));
            }
            if listener.event == "*" {
                table.wildcards.push(index);
            } else {
                table.by_event.entry(listener.event.clone()).or_default().push(index);
            }
        }
        for (event, named) in &table.by_event {
            let count = named.len() + table.wildcards.len();
            if count > MAX_LISTENERS_OF_EVENT {
                return Err(ListenerError::TooManyOfEvent(event.clone(), count));
            }
        }
        table.listeners = listeners;
        table.splits =
            table.by_event.keys().filter_map(|event| Some((event.as_bytes().into(), table.split_of(event)?))).collect();
        Ok(table)
    }

    fn split_of(&self, event: &str) -> Option<Split> {
        let of_event: Vec<_> = self.of_event(event).filter_map(|index| self.get(index)).collect();
        if of_event.len() < 2 || of_event.iter().all(|listener| !listener.parallel) {
            return None;
        }
        let (parallel, together): (Vec<&ListenerSpec>, Vec<_>) = of_event.into_iter().partition(|listener| listener.parallel);
        let ids = |listeners: Vec<&ListenerSpec>| listeners.into_iter().map(|listener| listener.id.clone()).collect();
        Some(Split { together: ids(together), parallel: ids(parallel) })
    }

    /// Whether an event of any name is split.
    #[must_use]
    pub fn splits_any(&self) -> bool {
        !self.splits.is_empty()
    }

    /// How an event of this name is split from the start; none where it is handled whole.
    #[must_use]
    pub fn split(&self, event: &[u8]) -> Option<&Split> {
        self.splits.get(event)
    }

    /// The listeners, by index.
    #[must_use]
    pub fn all(&self) -> &[ListenerSpec] {
        &self.listeners
    }

    /// The listener at `index`.
    #[must_use]
    pub fn get(&self, index: ListenerIndex) -> Option<&ListenerSpec> {
        self.listeners.get(usize::from(index))
    }

    /// The listener with this identity.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<ListenerIndex> {
        self.by_id.get(id).copied()
    }

    /// Whether a listener other than '*' ones takes the event.
    #[must_use]
    pub fn takes(&self, event: &str) -> bool {
        self.by_event.contains_key(event)
    }

    /// Every listener that takes the event, the '*' ones last; in no order that means anything within these.
    pub fn of_event<'a>(&'a self, event: &str) -> impl Iterator<Item = ListenerIndex> + 'a {
        let named = self.by_event.get(event).map_or(&[][..], Vec::as_slice);
        named.iter().chain(&self.wildcards).copied()
    }

    /// The names that listeners other than '*' ones listen to.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.by_event.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(id: &str, event: &str) -> ListenerSpec {
        ListenerSpec { id: id.into(), event: event.into(), retry: None, timeout: None, parallel: false }
    }

    #[test]
    fn named_listeners_come_with_the_wildcards() {
        let table = ListenerTable::new(vec![spec("all", "*"), spec("a", "x"), spec("b", "y")]).unwrap();
        assert_eq!(table.of_event("x").collect::<Vec<_>>(), [1, 0]);
        assert_eq!(table.of_event("z").collect::<Vec<_>>(), [0]);
        assert!(table.takes("y") && !table.takes("z"));
        assert_eq!(table.find("b"), Some(2));
    }

    #[test]
    fn two_alike_are_refused() {
        let error = ListenerTable::new(vec![spec("a", "x"), spec("a", "y")]).unwrap_err();
        assert_eq!(error, ListenerError::Alike("a".into()));
    }
}

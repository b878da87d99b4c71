//! Keeps one event from becoming two after the death of a broker whose backlog was volatile, while workers live on: a client sends again
//! what was not confirmed to it, and a worker may have just that in hand.

use crate::delivery::Delivery;
use crate::record::Record;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Events triggered up to this long after the broker began to take events in are watched for, in microseconds: a client's clock may be ahead.
const SLACK: u64 = 60_000_000;

/// What is known of events that the broker before had taken in.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// There was a broker before whose backlog is gone with it.
    lost: bool,
    /// Watching for what workers may yet tell of. None: they have all told, or there was no broker before.
    watch: Option<Watch>,
    /// What workers had in hand, by id, with the time of trigger() as proof that a record is a copy and no other event of that id.
    /// It stays: a client that never heard of a confirmation may come at any time. As large as what the workers had in hand.
    adopted: HashMap<String, u64>,
}

/// How far a worker is with what it has in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Unclaimed,
    Running,
    Finished,
}

#[derive(Debug, Default)]
struct Watch {
    /// What workers run, by id, and what came again of it: the event's last resort where its worker dies before it can tell.
    running: BTreeMap<String, Option<Delivery>>,
    /// What came from clients. Only old events: no worker can have had what was triggered since.
    came: HashSet<String>,
    /// What is triggered after this wall time can be in no worker's hand.
    until: Option<u64>,
}

impl Recovery {
    pub fn new(running: impl IntoIterator<Item = String>) -> Self {
        let running = running.into_iter().map(|id| (id, None)).collect();
        Self { lost: true, watch: Some(Watch { running, ..Watch::default() }), ..Self::default() }
    }

    /// Whether what workers give back is nowhere else.
    pub const fn is_needed(&self) -> bool {
        self.lost
    }

    /// An event came from a client at `wall`: whether it is a copy of what is there, or in a worker's hand. `delivery` makes it a delivery.
    pub fn is_copy(&mut self, record: &Record<'_>, wall: u64, delivery: impl FnOnce() -> Delivery) -> bool {
        if self.adopted.get(record.id) == Some(&record.triggered_at) {
            return true;
        }
        let Some(watch) = &mut self.watch else { return false };
        if let Some(kept) = watch.running.get_mut(record.id) {
            kept.get_or_insert_with(delivery);
            return true;
        }
        let until = *watch.until.get_or_insert(wall.saturating_add(SLACK));
        record.triggered_at <= until && !watch.came.insert(record.id.to_owned())
    }

    /// A worker has this event in hand; whether to take it over. Not where it came from a client before, or from another worker, which had
    /// it from another broker; but what a worker runs is the queue's whatever came. `delivery` makes it a delivery.
    pub fn adopt(&mut self, record: &Record<'_>, is: Stage, whole: bool, delivery: impl FnOnce() -> Delivery) -> bool {
        let Some(watch) = &mut self.watch else { return true };
        if is == Stage::Unclaimed
            && whole
            && let Some(kept) = watch.running.get_mut(record.id)
        {
            kept.get_or_insert_with(delivery);
            return false;
        }
        // What was seen to run may be finished by now. For some of its listeners, it may be another worker that was seen to run it.
        if is == Stage::Running || (is == Stage::Finished && whole) {
            watch.running.remove(record.id);
        }
        let came = watch.came.contains(record.id) || (whole && self.adopted.get(record.id) == Some(&record.triggered_at));
        if came && is != Stage::Running {
            return false;
        }
        self.adopted.insert(record.id.to_owned(), record.triggered_at);
        true
    }

    /// No worker of the broker before has anything to tell any more. Gives the copies of what was last seen to run in a worker that never
    /// told of it: they are all that is left of these events.
    pub fn end(&mut self) -> Vec<Delivery> {
        self.watch.take().map(|watch| watch.running.into_values().flatten().collect()).unwrap_or_default()
    }
}

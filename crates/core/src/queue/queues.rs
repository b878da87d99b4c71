//! Routes events to queues, holds queues and lets them go on, and shows what there is of each.

use super::{Effects, Queue, Reply};
use crate::lanes::{Lane, Lanes};
use crate::nearest::nearest;
use crate::record::Record;
use crate::time::Now;
use serde::Serialize;
use std::collections::BTreeSet;

/// Names that are told of because no queue has them; beyond this many nobody reads on.
const MAX_UNKNOWN: usize = 100;

/// A queue as it is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// Its part of the workers' time beside the other queues.
    pub weight: u16,
    /// Deliveries that may run at a time; none: as many as there are workers.
    pub concurrency: Option<usize>,
    /// Deliveries that may be started in a second; none: as many as can be.
    pub rate: Option<f64>,
    /// Whether it is held by hand.
    pub paused: bool,
    /// Deliveries that are fetched and wait for a worker.
    pub ready: usize,
    /// Deliveries that are fetched and wait for another of their key.
    pub held_back: usize,
    /// Deliveries that workers have.
    pub running: usize,
    /// When the first of those that wait for a worker was triggered: wall time, microseconds.
    #[serde(skip)]
    pub oldest: Option<u64>,
}

/// No queue has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no queue \"{name}\"{hint} There are: {all}")]
pub struct NoQueue {
    name: String,
    hint: String,
    all: String,
}

impl Queue {
    /// The same with these queues.
    #[must_use]
    pub fn with_lanes(mut self, lanes: Lanes) -> Self {
        self.set_lanes(lanes);
        self
    }

    /// The same with these queues held, by name; it does not matter whether there are such queues.
    #[must_use]
    pub fn with_paused(mut self, paused: BTreeSet<String>) -> Self {
        self.scheduler.set_paused(paused);
        self
    }

    /// Other queues from now on: sorts everything that is here anew. What is in effects that are not kept yet has the lanes of before: keep them
    /// first. Tell the backlog, too.
    pub fn set_lanes(&mut self, lanes: Lanes) {
        let from = self.scheduler.set_lanes(lanes.clone());
        self.books.figures.rearrange(&from);
        self.books.herald.lanes = lanes.clone();
        self.books.keys.set_lanes(&lanes);
        self.ready.sort(|reserved| lanes.of(&reserved.delivery));
        self.regained.iter_mut().for_each(|delivery| delivery.lane = lanes.of(delivery));
        for chunk in self.workers.values_mut().flat_map(|worker| &mut worker.chunks) {
            chunk.sort(|reserved| lanes.of(&reserved.delivery));
        }
    }

    /// The queues that there are.
    #[must_use]
    pub const fn lanes(&self) -> &Lanes {
        self.scheduler.lanes()
    }

    /// Holds a queue: nothing of it goes out any more. What workers have started they finish. Whether it was not held before.
    ///
    /// # Errors
    /// Where there is no such queue.
    pub fn pause(&mut self, name: &str) -> Result<bool, NoQueue> {
        self.check_queue(name)?;
        let mut paused = self.scheduler.paused().clone();
        let is_new = paused.insert(name.to_owned());
        self.scheduler.set_paused(paused);
        Ok(is_new)
    }

    /// Lets a queue go on. Whether it was held. The name of a queue that is there no more may be given, too, where it was held.
    ///
    /// # Errors
    /// Where there is no such queue, and none of that name is held.
    pub fn resume(&mut self, name: &str, now: Now, effects: &mut Effects) -> Result<bool, NoQueue> {
        let mut paused = self.scheduler.paused().clone();
        let was = paused.remove(name);
        if !was {
            self.check_queue(name)?;
        }
        self.scheduler.set_paused(paused);
        self.hand_out(now, effects);
        Ok(was)
    }

    /// The names of the queues that are held.
    #[must_use]
    pub const fn paused(&self) -> &BTreeSet<String> {
        self.scheduler.paused()
    }

    /// The queues as they are, the default one first. [`Self::figures`] has what was measured of each, by its place here.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueView> {
        let mut views = self.scheduler.views(&self.ready, &self.workers);
        for reserved in self.books.keys.waiting() {
            if let Some(view) = views.get_mut(Lanes::queue(reserved.delivery.lane)) {
                view.held_back += 1;
            }
        }
        views
    }

    /// The lane of an event that comes in.
    #[inline]
    pub(super) fn lane_of(&mut self, record: &Record<'_>, effects: &mut Effects) -> Lane {
        if let Some(name) = record.queue {
            self.note_unknown(name, effects);
        }
        let lane = self.scheduler.lanes().of_record(record);
        self.scheduler.use_lane(lane)
    }

    fn note_unknown(&mut self, name: &str, effects: &mut Effects) {
        if self.lanes().place(name).is_none() && self.unknown.len() < MAX_UNKNOWN && !self.unknown.contains(name) {
            self.unknown.insert(name.to_owned());
            effects.before.push(Reply::UnknownQueue(name.to_owned()));
        }
    }

    fn check_queue(&self, name: &str) -> Result<(), NoQueue> {
        let lanes = self.scheduler.lanes();
        if lanes.place(name).is_some() {
            return Ok(());
        }
        let names: Vec<_> = (0..lanes.queue_count()).map(|place| lanes.name(place)).collect();
        let hint = nearest(name, names.iter().copied()).map_or_else(|| ".".to_owned(), |near| format!("; did you mean {near}?"));
        Err(NoQueue { name: name.to_owned(), hint, all: names.join(", ") })
    }
}

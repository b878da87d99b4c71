//! Defines a worker as the queue sees it: what it has in hand, and whether it may get more.

use super::pace::{MAX_BYTES, Pace};
use super::scheduler::Scheduler;
use crate::backlog::Reserved;
use crate::lanes::Lane;
use crate::listener::ListenerTable;
use crate::time::Mono;
use std::collections::VecDeque;
use std::sync::Arc;

/// A chunk that a worker has.
#[derive(Debug)]
pub(super) struct OpenChunk {
    pub number: u32,
    /// Settled ones are taken out.
    pub deliveries: Vec<Option<Reserved>>,
    /// How many are still the worker's, from the front.
    pub limit: usize,
    /// How many are settled, from the front.
    pub settled: usize,
    /// Its delivery was lost with a worker before: until it is settled, its worker gets nothing else.
    pub alone: bool,
    /// Something of it failed, or is gone.
    pub failed: bool,
    /// The lane of its deliveries; of the first, where they are of several.
    pub lane: Lane,
    /// Another broker, or other settings, had put its deliveries together.
    pub mixed: bool,
    /// What each is taken to cost, in microseconds.
    pub cost: f64,
    /// What was told of so far: deliveries, and microseconds.
    pub told: (usize, u32),
}

impl OpenChunk {
    pub fn bytes(&self) -> usize {
        self.deliveries.iter().flatten().map(|reserved| reserved.delivery.record.len()).sum()
    }

    pub fn outstanding(&self) -> usize {
        self.limit - self.settled
    }

    /// Gives each lane of what is outstanding with its count, in parts.
    pub fn each_lane(&self, mut give: impl FnMut(Lane, usize)) {
        if self.mixed {
            self.deliveries[..self.limit].iter().flatten().for_each(|reserved| give(reserved.delivery.lane, 1));
        } else {
            give(self.lane, self.outstanding());
        }
    }

    /// Sorts its deliveries anew.
    pub fn sort(&mut self, lane: impl Fn(&Reserved) -> Lane) {
        for reserved in self.deliveries.iter_mut().flatten() {
            reserved.delivery.lane = lane(reserved);
        }
        let mut lanes = self.deliveries.iter().flatten().map(|reserved| reserved.delivery.lane);
        self.lane = lanes.next().unwrap_or(0);
        self.mixed = lanes.any(|lane| lane != self.lane);
    }

    /// Takes out what the worker has not claimed, from `limit` on.
    pub fn cut(&mut self, limit: usize) -> Vec<Reserved> {
        self.limit = self.limit.min(limit);
        let rest = self.deliveries.get_mut(self.limit..).unwrap_or_default();
        rest.iter_mut().filter_map(Option::take).collect()
    }
}

/// A worker that introduced itself.
#[derive(Debug)]
pub(super) struct Worker {
    pub table: Arc<ListenerTable>,
    pub chunks: VecDeque<OpenChunk>,
    pub next_chunk: u32,
    pub bytes: usize,
    pub leaving: bool,
    /// It has no memory in common with the broker: small chunks.
    pub remote: bool,
    /// When it was last seen to get on: a report, or work after idleness.
    pub progress: Mono,
    /// Nothing could be taken back since its last progress.
    pub drained: bool,
}

impl Worker {
    pub fn outstanding(&self) -> usize {
        self.chunks.iter().map(OpenChunk::outstanding).sum()
    }

    /// How long what it has will take, in microseconds; where there is but one lane, in deliveries.
    pub fn load(&self, scheduler: &Scheduler) -> f64 {
        if !scheduler.has_several() {
            return self.outstanding() as f64;
        }
        self.chunks.iter().map(|chunk| chunk.outstanding() as f64 * scheduler.pace(chunk.lane).cost()).sum()
    }

    /// Chunks that it may have of a lane that gives so much credit.
    pub fn most_chunks(&self, credit: usize) -> usize {
        if self.remote { credit.min(2) } else { credit }
    }

    pub fn chunk_size(&self, pace: &Pace) -> usize {
        if self.remote { pace.remote_chunk() } else { pace.chunk() }
    }

    /// Whether it may get a chunk of a lane that gives so much credit. Where lanes share the workers, nothing goes behind what is slow.
    pub fn has_room(&self, credit: usize, scheduler: &Scheduler) -> bool {
        let alone = self.chunks.back().is_some_and(|chunk| chunk.alone);
        let is_slow = |chunk: &OpenChunk| chunk.outstanding() > 0 && scheduler.pace(chunk.lane).is_slow();
        !self.leaving
            && !alone
            && self.chunks.len() < self.most_chunks(credit)
            && self.bytes < MAX_BYTES
            && !(scheduler.has_several() && self.chunks.iter().any(is_slow))
    }

    pub fn recount(&mut self) {
        self.bytes = self.chunks.iter().map(OpenChunk::bytes).sum();
    }

    /// Closed chunks at the front are forgotten; gives the number of the last of them, and whether something of them failed.
    pub fn forget_closed(&mut self) -> Option<(u32, bool)> {
        let mut last = None;
        while let Some(chunk) = self.chunks.front().filter(|chunk| chunk.settled >= chunk.limit) {
            last = Some((chunk.number, chunk.failed || last.is_some_and(|(_, failed)| failed)));
            self.chunks.pop_front();
        }
        last
    }
}

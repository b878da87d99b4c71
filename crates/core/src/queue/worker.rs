//! Defines a worker as the queue sees it: what it has in hand, and whether it may get more.

use super::pace::{MAX_BYTES, Pace};
use crate::backlog::Reserved;
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
}

impl OpenChunk {
    pub fn bytes(&self) -> usize {
        self.deliveries.iter().flatten().map(|reserved| reserved.delivery.record.len()).sum()
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
        self.chunks.iter().map(|chunk| chunk.limit - chunk.settled).sum()
    }

    pub fn credit(&self, pace: &Pace) -> usize {
        if self.remote { 2 } else { pace.credit() }
    }

    pub fn chunk_size(&self, pace: &Pace) -> usize {
        if self.remote { pace.chunk().min(4) } else { pace.chunk() }
    }

    pub fn has_room(&self, pace: &Pace) -> bool {
        let alone = self.chunks.back().is_some_and(|chunk| chunk.alone);
        !self.leaving && !alone && self.chunks.len() < self.credit(pace) && self.bytes < MAX_BYTES
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

//! Defines what a worker has in hand: chunks to work on, and those it has done with whose outcomes no broker has settled yet.

use crate::scoreboard::Slot;
use bytes::Bytes;
use proletarier_core::frame::{Chunk, ChunkDelivery, FailedListener, Held, Report};
use std::collections::VecDeque;

/// A chunk, with its outcomes so far.
pub(super) struct HeldChunk {
    pub number: u32,
    pub deliveries: Vec<ChunkDelivery>,
    pub failures: Vec<FailedListener>,
    /// How long its finished deliveries took, in microseconds.
    pub micros: u64,
    pub closed: bool,
    frame: Bytes,
}

impl HeldChunk {
    /// All there is to report on it.
    pub fn report(&self, slot: &Slot) -> Report {
        let finished = slot.progress(self.number).map_or(self.deliveries.len() as u16, |progress| progress.finished);
        Report {
            chunk: self.number,
            finished,
            closed: self.closed,
            micros: u32::try_from(self.micros).unwrap_or(u32::MAX),
            failures: self.failures.clone(),
        }
    }
}

/// The chunks, the oldest first: closed ones in front.
#[derive(Default)]
pub(super) struct Hand {
    chunks: VecDeque<HeldChunk>,
    last: u32,
}

impl Hand {
    pub fn add(&mut self, chunk: Chunk, frame: Bytes) {
        self.last = chunk.number;
        self.chunks.push_back(HeldChunk {
            number: chunk.number,
            deliveries: chunk.deliveries,
            failures: Vec::new(),
            micros: 0,
            closed: false,
            frame,
        });
    }

    /// The chunk to work on.
    pub fn current(&mut self) -> Option<&mut HeldChunk> {
        self.chunks.iter_mut().find(|chunk| !chunk.closed)
    }

    pub fn chunk(&mut self, number: u32) -> Option<&mut HeldChunk> {
        self.chunks.iter_mut().find(|chunk| chunk.number == number)
    }

    pub fn delivery(&self, number: u32, place: u16) -> Option<&ChunkDelivery> {
        self.chunks.iter().find(|chunk| chunk.number == number)?.deliveries.get(usize::from(place))
    }

    pub fn has_chunks(&self) -> bool {
        self.chunks.back().is_some_and(|chunk| !chunk.closed)
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub const fn last_number(&self) -> u32 {
        self.last
    }

    /// The broker has settled all of the chunks up to this one. Closed or not, they are over: the next broker must not be told of them.
    pub fn settled(&mut self, through: u32) {
        while self.chunks.front().is_some_and(|chunk| chunk.number <= through) {
            self.chunks.pop_front();
        }
    }

    /// Reports on all that has outcomes.
    pub fn reports(&self, slot: &Slot) -> Vec<Report> {
        self.chunks.iter().map(|chunk| chunk.report(slot)).filter(|report| report.closed || report.finished > 0).collect()
    }

    /// Gives the unclaimed rest of every chunk back, and closes them: what to report.
    pub fn close_all(&mut self, slot: &Slot) -> Vec<Report> {
        for chunk in &mut self.chunks {
            slot.give_back(chunk.number);
            chunk.closed = true;
        }
        self.chunks.iter().map(|chunk| chunk.report(slot)).collect()
    }

    /// Everything for a broker that knows nothing of it; the unclaimed rest is that one's to hand out. Only called between deliveries, so
    /// that what is claimed is finished. It stays in hand until that broker says that it is settled: the broker may die before it is.
    pub fn give_back_all(&mut self, slot: &Slot) -> Vec<Held> {
        let held = self.chunks.iter_mut().filter_map(|chunk| {
            chunk.closed = true;
            let before = slot.progress(chunk.number)?;
            slot.give_back(chunk.number);
            let progress = slot.progress(chunk.number)?;
            // What the broker before had taken back, it had also handed out to somebody else.
            Some(Held {
                frame: chunk.frame.clone(),
                finished: progress.finished,
                claimed: progress.claimed,
                limit: before.limit,
                failures: chunk.failures.clone(),
            })
        });
        held.collect()
    }
}

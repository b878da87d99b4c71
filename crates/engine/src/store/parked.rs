//! Provides what is to become due, in its order: the newest in memory, and of older segments that have many, what stands sorted in their index
//! files, of which only the next block is in memory.

use super::clocks::Clocks;
use super::disk::DiskFile;
use super::summary::{Clock, Index, Parked, read_block};
use proletarier_core::time::Now;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A delivery's place: segment and offset.
pub(super) type Place = (u64, u32);

/// The parked ones of one segment and clock that are in its index file.
struct Cursor {
    segment: u64,
    clock: Clock,
    file: Arc<dyn DiskFile>,
    begin: u64,
    next: usize,
    count: usize,
    block: VecDeque<Parked>,
}

impl Cursor {
    /// The next; none at the end, or where the file is damaged, which `damaged` is told.
    fn peek(&mut self, damaged: &mut Vec<u64>) -> Option<Parked> {
        if self.block.is_empty() && self.next < self.count {
            match read_block(&*self.file, self.begin, self.next, self.count) {
                Some(block) => {
                    self.next += block.len();
                    self.block = block.into();
                }
                None => {
                    self.next = self.count;
                    damaged.push(self.segment);
                }
            }
        }
        self.block.front().copied()
    }
}

/// What is to become due.
pub(super) struct ParkedOnes {
    in_memory: usize,
    soon: [BTreeMap<(u64, u64), Place>; 2],
    cursors: Vec<Cursor>,
    /// Segments whose index file turned out to be damaged: they are to be read anew.
    damaged: Vec<u64>,
    /// When the next is due, by clock, where that is known.
    next: [Option<u64>; 2],
}

impl ParkedOnes {
    /// Of a segment with more than `in_memory` all but the next few stay in its index file.
    pub fn new(in_memory: usize) -> Self {
        Self { in_memory, soon: Default::default(), cursors: Vec::new(), damaged: Vec::new(), next: [None; 2] }
    }

    /// One is parked.
    pub fn add(&mut self, clock: Clock, due: u64, sequence: u64, place: Place) {
        self.soon[clock as usize].insert((due, sequence), place);
        if let Some(next) = &mut self.next[clock as usize] {
            *next = due.min(*next);
        }
    }

    /// A segment is full, or was found so: what it has parked is in its index file too. Few of them stay, or come, in memory.
    pub fn index(&mut self, segment: u64, index: &Index) {
        for clock in [Clock::Wall, Clock::Mono] {
            let (count, begin) = index.parked[clock as usize];
            if count == 0 {
                continue;
            }
            let mut cursor =
                Cursor { segment, clock, file: Arc::clone(&index.file), begin, next: 0, count, block: VecDeque::new() };
            if count > self.in_memory {
                self.soon[clock as usize].retain(|_, (of, _)| *of != segment);
                self.cursors.push(cursor);
            } else {
                while let Some(parked) = cursor.peek(&mut self.damaged) {
                    cursor.block.pop_front();
                    self.soon[clock as usize].insert((parked.due, parked.sequence), (segment, parked.offset));
                }
            }
        }
        self.next = [None; 2];
    }

    /// The parked ones of a segment that has no index file.
    pub fn keep_all(&mut self, segment: u64, parked: &[Vec<Parked>; 2]) {
        for (soon, parked) in self.soon.iter_mut().zip(parked) {
            soon.extend(parked.iter().map(|parked| ((parked.due, parked.sequence), (segment, parked.offset))));
        }
        self.next = [None; 2];
    }

    pub const fn has_damaged(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// A segment whose index file turned out to be damaged; the caller reads the segment, for [`Self::keep_all`].
    pub fn take_damaged(&mut self) -> Option<u64> {
        let segment = self.damaged.pop()?;
        self.damaged.retain(|damaged| *damaged != segment);
        self.forget(segment);
        Some(segment)
    }

    /// A segment was found that has an index file: the same, for those that are not `is_over`. How many these are; none where the file is
    /// damaged, and nothing was taken in.
    pub fn find(&mut self, segment: u64, index: &Index, is_over: impl Fn(u64) -> bool) -> Option<u64> {
        let mut waiting = [Vec::new(), Vec::new()];
        let mut found = 0;
        for (waiting, (count, begin)) in waiting.iter_mut().zip(index.parked) {
            let mut place = 0;
            while place < count {
                let block = read_block(&*index.file, begin, place, count)?;
                place += block.len();
                let block = block.into_iter().filter(|parked| !is_over(parked.sequence));
                if count > self.in_memory { found += block.count() as u64 } else { waiting.extend(block) }
            }
        }
        for clock in [Clock::Wall, Clock::Mono] {
            let (count, begin) = index.parked[clock as usize];
            if count > self.in_memory {
                let file = Arc::clone(&index.file);
                self.cursors.push(Cursor { segment, clock, file, begin, next: 0, count, block: VecDeque::new() });
            }
        }
        found += waiting.iter().map(Vec::len).sum::<usize>() as u64;
        self.keep_all(segment, &waiting);
        Some(found)
    }

    /// How many of a segment that are parked yet `is_one` says are such. Looks at each.
    pub fn count(&self, segment: u64, is_one: impl Fn(u64) -> bool) -> u64 {
        let soon =
            self.soon.iter().flat_map(BTreeMap::iter).filter(|((_, sequence), (of, _))| *of == segment && is_one(*sequence));
        let mut count = soon.count();
        for cursor in self.cursors.iter().filter(|cursor| cursor.segment == segment) {
            count += cursor.block.iter().filter(|parked| is_one(parked.sequence)).count();
            let mut place = cursor.next;
            while place < cursor.count
                && let Some(block) = read_block(&*cursor.file, cursor.begin, place, cursor.count)
            {
                place += block.len();
                count += block.iter().filter(|parked| is_one(parked.sequence)).count();
            }
        }
        count as u64
    }

    /// A segment goes.
    pub fn forget(&mut self, segment: u64) {
        self.cursors.retain(|cursor| cursor.segment != segment);
        self.soon.iter_mut().for_each(|soon| soon.retain(|_, (of, _)| *of != segment));
        self.next = [None; 2];
    }

    /// Takes the next that is due, passing over those that `is_over`.
    pub fn take_due(&mut self, now: Now, clocks: &Clocks, is_over: impl Fn(u64) -> bool) -> Option<(u64, Place)> {
        let times = [now.wall.0, clocks.wall(now.mono)];
        for clock in [Clock::Wall, Clock::Mono] {
            while self.next(clock).is_some_and(|due| due <= times[clock as usize]) {
                if let Some((sequence, place)) = self.pop(clock)
                    && !is_over(sequence)
                {
                    return Some((sequence, place));
                }
            }
        }
        None
    }

    /// Microseconds until the next is due.
    pub fn until_next(&mut self, now: Now, clocks: &Clocks) -> Option<u64> {
        let wall = self.next(Clock::Wall).map(|due| due.saturating_sub(now.wall.0));
        let mono = self.next(Clock::Mono).map(|due| due.saturating_sub(clocks.wall(now.mono)));
        wall.into_iter().chain(mono).min()
    }

    /// When the next is due. It may be over by now.
    fn next(&mut self, clock: Clock) -> Option<u64> {
        if self.next[clock as usize].is_none() {
            let soon = self.soon[clock as usize].first_key_value().map(|((due, _), _)| *due);
            let damaged = &mut self.damaged;
            let cursors = self.cursors.iter_mut().filter(|cursor| cursor.clock == clock);
            let later = cursors.filter_map(|cursor| cursor.peek(damaged)).map(|parked| parked.due);
            // Never due is as good as none, and needs no further look.
            self.next[clock as usize] = Some(soon.into_iter().chain(later).min().unwrap_or(u64::MAX));
        }
        self.next[clock as usize].filter(|due| *due != u64::MAX)
    }

    fn pop(&mut self, clock: Clock) -> Option<(u64, Place)> {
        let due = self.next[clock as usize].take()?;
        let soon = &mut self.soon[clock as usize];
        if let Some(entry) = soon.first_entry().filter(|entry| entry.key().0 <= due) {
            let ((_, sequence), place) = entry.remove_entry();
            return Some((sequence, place));
        }
        let damaged = &mut self.damaged;
        self.cursors.iter_mut().filter(|cursor| cursor.clock == clock).find_map(|cursor| {
            cursor.peek(damaged).filter(|parked| parked.due <= due)?;
            let parked = cursor.block.pop_front()?;
            Some((parked.sequence, (cursor.segment, parked.offset)))
        })
    }
}

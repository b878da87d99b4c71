//! Defines a chunk's place in a slot: what is claimed and finished, in one atomic word, and which listeners had come to what.
//!
//! ```text
//!   number (28 bits) | finished (12) | claimed (12) | limit (12)
//! ```
//! The broker writes the word when it hands the chunk out. The worker claims by adding to `claimed` while it is below `limit`; the broker, or the
//! worker itself, gives the unclaimed rest back by lowering `limit` to `claimed`. Both by compare-and-swap, so that they never both have one.

use proletarier_core::listener::{ListenerIndex, MAX_LISTENERS_OF_EVENT};
use proletarier_core::queue::{ChunkRemains, ListenerMark, MAX_CHUNK};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Marks that a chunk has room for: one delivery's listeners, and as many failures before it.
const MARKS: usize = 2 * MAX_LISTENERS_OF_EVENT;

const FIELD: u64 = 0xfff;
const FINISHED: u32 = 24;
const CLAIMED: u32 = 12;
const NUMBER: u32 = 36;
const FAILED: u32 = 1 << 31;

/// A chunk's word, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The chunk's number (its lowest 28 bits).
    pub number: u32,
    /// Deliveries finished, from the front.
    pub finished: u16,
    /// Deliveries claimed, from the front.
    pub claimed: u16,
    /// Deliveries that may be claimed at all.
    pub limit: u16,
}

impl Progress {
    const fn unpack(word: u64) -> Self {
        Self {
            number: (word >> NUMBER) as u32,
            finished: ((word >> FINISHED) & FIELD) as u16,
            claimed: ((word >> CLAIMED) & FIELD) as u16,
            limit: (word & FIELD) as u16,
        }
    }

    const fn pack(self) -> u64 {
        (self.number as u64) << NUMBER | (self.finished as u64) << FINISHED | (self.claimed as u64) << CLAIMED | self.limit as u64
    }

    /// Whether `number`, as it travels, is this chunk's.
    #[must_use]
    pub const fn is(self, number: u32) -> bool {
        self.number == number & 0x0fff_ffff
    }
}

/// A chunk's place.
#[repr(C)]
pub(super) struct ChunkPlace {
    word: AtomicU64,
    marks_used: AtomicU32,
    marks: [AtomicU32; MARKS],
    /// The store's names of the deliveries, for a broker that comes after.
    tokens: [AtomicU64; MAX_CHUNK],
}

impl ChunkPlace {
    /// The broker hands the chunk out.
    pub fn offer(&self, number: u32, tokens: impl ExactSizeIterator<Item = u64>) {
        let limit = tokens.len().min(MAX_CHUNK) as u16;
        self.marks_used.store(0, Ordering::Relaxed);
        for (place, token) in self.tokens.iter().zip(tokens) {
            place.store(token, Ordering::Relaxed);
        }
        let word = Progress { number: number & 0x0fff_ffff, finished: 0, claimed: 0, limit }.pack();
        self.word.store(word, Ordering::Release);
    }

    /// Nobody has had this place yet.
    pub fn clear(&self) {
        self.word.store(0, Ordering::Release);
    }

    pub fn progress(&self) -> Progress {
        Progress::unpack(self.word.load(Ordering::Acquire))
    }

    /// Claims the next delivery; its place in the chunk. None where nothing is left, or the place has another chunk by now.
    pub fn claim(&self, number: u32) -> Option<u16> {
        self.update(number, |progress| {
            (progress.claimed < progress.limit).then(|| Progress { claimed: progress.claimed + 1, ..progress })
        })
        .map(|before| before.claimed)
    }

    /// Gives back what was claimed last and not begun, with the unclaimed rest.
    pub fn unclaim(&self, number: u32) {
        self.update(number, |progress| {
            let claimed = progress.claimed.saturating_sub(1).max(progress.finished);
            Some(Progress { claimed, limit: claimed, ..progress })
        });
    }

    /// Gives the unclaimed rest back; how many deliveries stay the worker's. None where the place has another chunk by now.
    pub fn give_back(&self, number: u32) -> Option<u16> {
        self.update(number, |progress| Some(Progress { limit: progress.claimed, ..progress })).map(|before| before.claimed)
    }

    /// Gives the unclaimed rest back; the chunk's number, and the tokens of what is claimed.
    pub fn revoke(&self) -> (u32, Vec<u64>) {
        let number = self.progress().number;
        let claimed = self.give_back(number).unwrap_or(0);
        (number, self.tokens[..usize::from(claimed).min(MAX_CHUNK)].iter().map(|token| token.load(Ordering::Relaxed)).collect())
    }

    /// The claimed delivery is finished; of its marks the failures stay.
    pub fn finish(&self, delivery: u16) {
        // Counted first: a kill before the marks of success are gone leaves too many, one after would leave too few.
        self.word.fetch_add(1 << FINISHED, Ordering::AcqRel);
        let used = self.marks_used.load(Ordering::Relaxed) as usize;
        let marks = &self.marks[..used.min(MARKS)];
        let first =
            marks.iter().position(|mark| unmark(mark.load(Ordering::Relaxed)).delivery == delivery).unwrap_or(marks.len());
        let mut kept = first;
        for place in first..marks.len() {
            let mark = marks[place].load(Ordering::Relaxed);
            if mark & FAILED != 0 {
                marks[kept].store(mark, Ordering::Relaxed);
                kept += 1;
            }
        }
        self.marks_used.store(kept as u32, Ordering::Release);
    }

    /// A listener of the claimed delivery has come to its end.
    pub fn mark(&self, delivery: u16, listener: ListenerIndex, failed: bool) {
        let used = self.marks_used.load(Ordering::Relaxed);
        if let Some(place) = self.marks.get(used as usize) {
            let mark = u32::from(delivery) << 16 | u32::from(listener) | if failed { FAILED } else { 0 };
            place.store(mark, Ordering::Relaxed);
            self.marks_used.store(used + 1, Ordering::Release);
        }
    }

    /// Whether another delivery's listeners have room here.
    pub fn has_room(&self) -> bool {
        self.marks_used.load(Ordering::Relaxed) as usize <= MARKS - MAX_LISTENERS_OF_EVENT
    }

    /// What a dead worker leaves of the chunk. `number` in full, as only its lowest bits are here.
    pub fn remains(&self) -> ChunkRemains {
        let progress = self.progress();
        let used = (self.marks_used.load(Ordering::Acquire) as usize).min(MARKS);
        ChunkRemains {
            number: progress.number,
            finished: progress.finished,
            claimed: progress.claimed,
            marks: self.marks[..used].iter().map(|mark| unmark(mark.load(Ordering::Relaxed))).collect(),
        }
    }

    fn update(&self, number: u32, next: impl Fn(Progress) -> Option<Progress>) -> Option<Progress> {
        let step = |word| {
            let progress = Progress::unpack(word);
            if progress.is(number) { next(progress).map(Progress::pack) } else { None }
        };
        self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, step).ok().map(Progress::unpack)
    }
}

const fn unmark(mark: u32) -> ListenerMark {
    ListenerMark { delivery: ((mark & !FAILED) >> 16) as u16, listener: mark as u16, failed: mark & FAILED != 0 }
}

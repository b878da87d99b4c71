//! Defines how fast handlers are, and so how much a worker gets at once: enough to be never short of work, too little to sit on.

/// Deliveries in the largest chunk. Credit matters more than anything else tried: 27 us of broker CPU a message at credit 1, 1.5 us at 32.
pub const MAX_CHUNK: usize = 64;
/// Chunks that a worker may have at once: as many as the scoreboard's slot keeps apart.
pub const MAX_CREDIT: usize = 4;
/// Bytes of records that a worker may have at once, but for one larger record.
pub const MAX_BYTES: usize = 512 * 1024;

/// A chunk is about this much work, in microseconds.
const CHUNK_MICROS: f64 = 2_000.0;
/// What one report can add at most: one slow handler must not starve the fast ones for long.
const CLIP_MICROS: f64 = 100_000.0;
const WEIGHT: f64 = 0.3;
/// Of a remote worker's chunk nothing is taken back without asking it: small ones.
const REMOTE_CHUNK: usize = 4;
/// A delivery that takes longer than this is slow: other lanes' work would wait too long behind it. Two chunks' worth (this project's choice).
const SLOW_MICROS: f64 = 2.0 * CHUNK_MICROS;
/// What a delivery of an unknown lane is taken to cost, in microseconds.
const UNKNOWN_COST: f64 = 1_000.0;

/// A moving mean of the time that a lane's deliveries take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    micros: Option<f64>,
    /// The same of what they take in full, for the share of the workers' time.
    cost: Option<f64>,
}

impl Pace {
    /// `count` deliveries took `micros`.
    pub fn observe(&mut self, count: usize, micros: u32) {
        if count == 0 {
            return;
        }
        let sample = f64::from(micros) / count as f64;
        let follow = |mean: Option<f64>, sample: f64| Some(mean.map_or(sample, |mean| mean + (sample - mean) * WEIGHT));
        self.micros = follow(self.micros, sample.min(CLIP_MICROS));
        self.cost = follow(self.cost, sample);
    }

    /// What a delivery takes of a worker's time, in microseconds.
    #[must_use]
    pub fn cost(&self) -> f64 {
        self.cost.unwrap_or(UNKNOWN_COST)
    }

    /// Whether another lane's work behind a delivery of this one could wait for long. One of which nothing is known is slow.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.micros.is_none_or(|mean| mean > SLOW_MICROS)
    }

    /// Deliveries in a chunk: 1 while nothing is known.
    #[must_use]
    pub fn chunk(&self) -> usize {
        self.micros.map_or(1, |mean| ((CHUNK_MICROS / mean.max(1.0)) as usize).clamp(1, MAX_CHUNK))
    }

    /// Deliveries in a chunk for a worker that has no memory in common with the broker.
    #[must_use]
    pub fn remote_chunk(&self) -> usize {
        self.chunk().min(REMOTE_CHUNK)
    }

    /// Chunks that a worker may have at once: one to work on and one in hand, more where they are short.
    #[must_use]
    pub fn credit(&self) -> usize {
        match self.micros.map(|mean| mean * self.chunk() as f64) {
            Some(micros) if micros < CHUNK_MICROS / 2.0 => MAX_CREDIT,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_as_handlers_are_fast() {
        let mut pace = Pace::default();
        assert_eq!((pace.chunk(), pace.credit(), pace.is_slow()), (1, 2, true));
        pace.observe(1, 4);
        assert!(!pace.is_slow());
        assert_eq!((pace.chunk(), pace.credit()), (MAX_CHUNK, MAX_CREDIT));
        pace.observe(1, 5_000_000);
        assert_eq!((pace.chunk(), pace.credit(), pace.is_slow()), (1, 2, true));
        assert!(pace.cost() > 1_000_000.0, "its share is counted in full");
    }
}

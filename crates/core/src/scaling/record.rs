//! Provides what a policy remembers of the load: means over a while, and how fast less waits.

use super::{BUSY_OVER, LOOK, Load, PATIENCE};
use crate::time::Mono;
use std::collections::VecDeque;

/// Moments remembered: with [`LOOK`] between two, twice as long as anybody asks about.
const MOMENTS: usize = 8;
/// A report's part in the mean of run times, for each worker that there is: about what the last two of each said.
const WEIGHT: f64 = 0.4;

/// What waited at a moment, and what had been begun until then.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Mono,
    waiting: u64,
    begun: u64,
    workers: usize,
}

/// What is remembered.
#[derive(Clone, Debug)]
pub(super) struct Record {
    moments: VecDeque<Moment>,
    /// A mean of the busy workers.
    pub busy: f64,
    /// A mean of how long a delivery took lately, in microseconds.
    pub run_time: Option<f64>,
    /// When something was last seen to be finished.
    pub finished_at: Option<Mono>,
    at: Mono,
    last: Option<Load>,
}

impl Record {
    pub fn new(now: Mono, busy: f64) -> Self {
        Self { moments: VecDeque::new(), busy, run_time: None, finished_at: None, at: now, last: None }
    }

    /// Notes what is seen.
    pub fn note(&mut self, load: &Load, now: Mono) {
        if let Some(last) = self.last {
            // What was seen last held until now.
            let weight = 1.0 - (-(now.since(self.at) as f64) / BUSY_OVER).exp();
            self.busy += (last.busy as f64 - self.busy) * weight;
            let finished = load.finished.saturating_sub(last.finished);
            if finished > 0 {
                let micros = load.worked.saturating_sub(last.worked) as f64 / finished as f64;
                let weight = WEIGHT / load.workers.max(1) as f64;
                self.run_time = Some(self.run_time.map_or(micros, |mean| mean + (micros - mean) * weight));
                self.finished_at = Some(now);
            }
        }
        self.at = now;
        self.last = Some(*load);
        if self.moments.back().is_none_or(|moment| now.since(moment.at) >= LOOK / 2) {
            if self.moments.len() == MOMENTS {
                self.moments.pop_front();
            }
            self.moments.push_back(Moment { at: now, waiting: load.waiting, begun: begun(load), workers: load.workers });
        }
    }

    /// How many fewer wait each second than [`PATIENCE`] ago; 0: not fewer. None where the oldest has not waited for that long, if all is begun in
    /// its order: what waited then has all been begun since. None also where workers came meanwhile, so that it tells too little of them.
    pub fn drain(&self, load: &Load, now: Mono) -> Option<f64> {
        let then = self.moments.iter().rev().find(|moment| now.since(moment.at) >= PATIENCE)?;
        let waited = then.waiting > begun(load).saturating_sub(then.begun);
        let seconds = now.since(then.at) as f64 / 1e6;
        (waited && load.workers <= then.workers).then(|| then.waiting.saturating_sub(load.waiting) as f64 / seconds)
    }
}

const fn begun(load: &Load) -> u64 {
    load.finished + load.busy as u64
}

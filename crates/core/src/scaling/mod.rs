//! Defines how many workers there should be, where that may change: quick up while events wait, slow down while workers do.
//!
//! Up: every worker is busy and the oldest event has waited for [`PATIENCE`]. As many more as begin what waits within [`HORIZON`], where those that are
//! there would not, but no more than events wait; again at the earliest after [`UP_PAUSE`], so that those just started are seen first. Down: one, when the workers were so little busy for
//! [`CALM`] that one less would still be busy for [`FULL`] of its time at most, and another each [`DOWN_PAUSE`]. Between the two lies the distance
//! that keeps it from flapping: what is needed for a steady load is never taken away.
//!
//! How long an event takes is what those finished lately took. Where none is finished for long, such as when a service that all wait for has become
//! slow, it takes at least as long as that.

mod record;
#[cfg(test)]
mod tests;

use crate::time::Mono;
use record::Record;

/// An event that waits less than this needs no worker more, in microseconds: a short burst is over before a worker has booted.
pub const PATIENCE: u64 = 100_000;
/// What waits should be begun within so long, in microseconds.
pub const HORIZON: u64 = 1_000_000;
/// Between two steps up, in microseconds: what a worker takes to boot, and to show in the figures.
pub const UP_PAUSE: u64 = 250_000;
/// Workers have little to do for so long before the first of them goes, in microseconds.
pub const CALM: u64 = 30_000_000;
/// Between two steps down, in microseconds.
pub const DOWN_PAUSE: u64 = 3_000_000;
/// How busy those that stay may be after a step down.
pub const FULL: f64 = 0.7;

/// While something waits, it is looked at so often, in microseconds.
const LOOK: u64 = 50_000;
/// The share of busy workers is a mean over about this long, in microseconds.
const BUSY_OVER: f64 = 5_000_000.0;
/// Nothing was finished for so long: what is known of how long events take is old, in microseconds. Workers report five times as often.
const STALE: u64 = 250_000;

/// What is seen at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Workers that take work.
    pub workers: usize,
    /// Those of them that have some.
    pub busy: usize,
    /// Deliveries that could be begun, and that no worker has begun.
    pub waiting: u64,
    /// Deliveries finished so far.
    pub finished: u64,
    /// How long these took altogether, in microseconds.
    pub worked: u64,
}

/// The policy, with what it remembers.
#[derive(Clone, Debug)]
pub struct Scaling {
    min: u16,
    max: u16,
    target: u16,
    record: Record,
    /// Since when all are busy and something waits.
    pressed: Option<Mono>,
    /// The last step up.
    raised: Option<Mono>,
    /// Since when there is little to do.
    calm: Option<Mono>,
    /// Not before the next step down.
    down_at: Mono,
}

impl Scaling {
    /// One between `min` and `max` workers, of which there are `current` now.
    #[must_use]
    pub fn new(min: u16, max: u16, current: u16, now: Mono) -> Self {
        let target = current.clamp(min, max.max(min));
        let record = Record::new(now, f64::from(target));
        Self { min, max: max.max(min), target, record, pressed: None, raised: None, calm: None, down_at: Mono(0) }
    }

    /// How many workers there should be.
    #[must_use]
    pub const fn target(&self) -> u16 {
        self.target
    }

    /// Takes in what is seen; the new number of workers, where it changes.
    pub fn observe(&mut self, load: &Load, now: Mono) -> Option<u16> {
        self.record.note(load, now);
        let before = self.target;
        self.rise(load, now);
        self.fall(load, now);
        (self.target != before).then_some(self.target)
    }

    fn rise(&mut self, load: &Load, now: Mono) {
        // With a worker at leisure, what waits waits for something else: it is paused, or as many run as may.
        if load.waiting == 0 || load.busy < load.workers.max(1) {
            self.pressed = None;
            return;
        }
        let pressed = *self.pressed.get_or_insert(now);
        let soon = self.raised.is_some_and(|raised| now.since(raised) < UP_PAUSE);
        if self.target >= self.max || soon || now.since(pressed) < PATIENCE {
            return;
        }
        let Some((drain, micros)) = self.record.drain(load, now).zip(self.run_time(pressed, now)) else { return };
        // What those that are there get done in time, in a second, is not waited for.
        let rate = (load.waiting as f64 * 1e6 / HORIZON as f64 - drain).max(0.0);
        let more = (rate * micros / 1e6).ceil().min(load.waiting as f64);
        let wanted = (load.busy as f64 + more).clamp(f64::from(self.min), f64::from(self.max)) as u16;
        if wanted > self.target {
            self.target = wanted;
            self.raised = Some(now);
            self.calm = None;
        }
    }

    /// How long a delivery takes, in microseconds; none while that can't be told.
    fn run_time(&self, pressed: Mono, now: Mono) -> Option<f64> {
        let silent = now.since(self.record.finished_at.unwrap_or(pressed).max(self.raised.unwrap_or(Mono(0))));
        let at_least = (silent >= STALE).then_some(silent as f64);
        match (self.record.run_time, at_least) {
            (Some(known), Some(at_least)) => Some(known.max(at_least)),
            (known, at_least) => known.or(at_least),
        }
    }

    fn fall(&mut self, load: &Load, now: Mono) {
        let calm = self.target > self.min
            && load.busy < load.workers
            && self.record.busy <= FULL * f64::from(self.target - 1)
            && load.busy as f64 <= f64::from(self.target - 1);
        if !calm {
            // A moment at which all are busy is no end of the calm while the mean says otherwise.
            if self.record.busy > FULL * f64::from(self.target.saturating_sub(1)) || self.target == self.min {
                self.calm = None;
            }
            return;
        }
        let since = *self.calm.get_or_insert(now);
        if now.since(since) >= CALM && now >= self.down_at {
            self.target -= 1;
            self.down_at = now.plus(DOWN_PAUSE);
        }
    }

    /// Microseconds until it should be shown the load again; none: not before that changes.
    #[must_use]
    pub fn poll_timeout(&self, load: &Load, now: Mono) -> Option<u64> {
        if load.waiting > 0 && load.busy >= load.workers.max(1) && self.target < self.max {
            return Some(LOOK);
        }
        if self.target == self.min || load.busy >= load.workers {
            return None;
        }
        let next = self.calm.map_or_else(|| now.plus(DOWN_PAUSE), |calm| calm.plus(CALM).max(self.down_at));
        Some(next.since(now).max(LOOK))
    }
}

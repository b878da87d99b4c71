//! Provides histograms of times: of fixed size, within an eighth of the truth, of the last minute or two.

use serde::Serialize;

/// Each power of two has so many buckets, as a power of two.
const FINE: u32 = 3;
/// Up to 2^36 microseconds, some 19 hours; what is longer counts as that.
const LONGEST: u64 = (1 << 36) - 1;
const BUCKETS: usize = ((36 - FINE as usize) << FINE) + (1 << FINE);
/// A window is so long, in microseconds.
const WINDOW: u64 = 60_000_000;

/// What there is to tell of times, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many were counted.
    pub count: u64,
    /// Half took no longer.
    pub p50: u64,
    /// Of a hundred 99 took no longer.
    pub p99: u64,
    /// None took longer.
    pub max: u64,
}

#[derive(Clone, Debug)]
struct Window {
    counts: Box<[u32; BUCKETS]>,
    count: u64,
    max: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), count: 0, max: 0 }
    }
}

/// Times of the minute that runs and of the one before it.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    now: Window,
    before: Window,
    began: u64,
}

/// Times below 8 have a bucket each; above, each power of two has eight.
fn bucket(micros: u64) -> usize {
    let micros = micros.min(LONGEST);
    let magnitude = (63 - (micros | 1).leading_zeros()).saturating_sub(FINE);
    ((magnitude as usize) << FINE) + (micros >> magnitude) as usize
}

/// The longest time of a bucket.
fn longest(bucket: usize) -> u64 {
    let magnitude = (bucket >> FINE).saturating_sub(1);
    let place = bucket - (magnitude << FINE);
    ((place as u64 + 1) << magnitude) - 1
}

impl Histogram {
    /// `count` times, of which each was about so many microseconds, at this moment of the monotonic clock.
    pub fn add(&mut self, micros: u64, count: u32, now: u64) {
        self.turn(now);
        let window = &mut self.now;
        window.counts[bucket(micros)] += count;
        window.count += u64::from(count);
        window.max = window.max.max(micros);
    }

    fn turn(&mut self, now: u64) {
        let passed = now.saturating_sub(self.began);
        if passed < WINDOW {
            return;
        }
        let now_over = std::mem::take(&mut self.now);
        self.before = if passed < 2 * WINDOW { now_over } else { Window::default() };
        self.began = now - passed % WINDOW;
    }

    /// What the last one to two minutes had.
    pub fn percentiles(&mut self, now: u64) -> Percentiles {
        self.turn(now);
        let count = self.now.count + self.before.count;
        let max = self.now.max.max(self.before.max);
        let at = |part: u64| {
            let wanted = (count * part).div_ceil(100);
            let mut seen = 0;
            let found = (0..BUCKETS).find(|bucket| {
                seen += u64::from(self.now.counts[*bucket]) + u64::from(self.before.counts[*bucket]);
                seen >= wanted
            });
            found.map_or(max, longest).min(max)
        };
        if count == 0 { Percentiles::default() } else { Percentiles { count, p50: at(50), p99: at(99), max } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_as_fine_as_said() {
        for micros in (0..5_000).chain([1 << 20, (1 << 30) + 12_345, LONGEST, u64::MAX]) {
            let longest = longest(bucket(micros));
            let micros = micros.min(LONGEST);
            assert!(longest >= micros && longest <= micros + micros / 8, "{micros}: {longest}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_those_of_the_last_minutes() {
        let mut histogram = Histogram::default();
        let second = 1_000_000;
        (1..=100).for_each(|micros| histogram.add(micros * 1_000, 1, second));
        let Percentiles { count, p50, p99, max } = histogram.percentiles(second);
        assert_eq!((count, max), (100, 100_000));
        assert!((50_000..=56_250).contains(&p50) && (99_000..=100_000).contains(&p99), "{p50} {p99}");
        histogram.add(5, 900, 61 * second);
        assert_eq!(histogram.percentiles(70 * second).count, 1_000);
        assert_eq!(histogram.percentiles(70 * second).p50, 5);
        assert_eq!(histogram.percentiles(125 * second).count, 900, "the first minute's are gone");
        assert_eq!(histogram.percentiles(300 * second), Percentiles::default());
    }
}

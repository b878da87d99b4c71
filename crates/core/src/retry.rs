//! Defines when a failed delivery is tried again.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a delivery is attempted, and how long the pauses between are. The pause after attempt `n` is
/// `delay * multiplier^(n - 1)`, at most `max_delay`, spread by `jitter`.
///
/// The defaults (DESIGN's table: 8 attempts, 5 s, times 3, at most an hour, 0.2) put the last attempt about 90 minutes after the
/// first, so that they outlast an hour's outage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first included: at least 1. 1 means that nothing is tried again.
    pub max_attempts: u16,
    /// The pause after the first attempt.
    pub delay: Duration,
    /// What each further pause is multiplied by: at least 1.
    pub multiplier: f64,
    /// The longest pause; what `next` returns is never longer.
    pub max_delay: Duration,
    /// By which part a pause is made longer or shorter, by chance: 0 (not at all) to 1 (from nothing to the double).
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 8,
            delay: Duration::from_secs(5),
            multiplier: 3.0,
            max_delay: Duration::from_secs(3600),
            jitter: 0.2,
        }
    }
}

impl RetryPolicy {
    /// The pause before the next attempt when `attempts_spent` have been made (1 after the first one failed), or `None` when none
    /// is left: the delivery is dead.
    ///
    /// `dice` is a random number that is uniform over all of u64; the pause is uniform between `pause * (1 - jitter)` and
    /// `pause * (1 + jitter)`, the upper end being cut at `max_delay` before the number is used, so that those at the limit are
    /// spread as well.
    pub fn next(&self, attempts_spent: u16, dice: u64) -> Option<Duration> {
        if attempts_spent >= self.max_attempts {
            return None;
        }
        let limit = self.max_delay.as_secs_f64();
        let exponent = i32::from(attempts_spent.saturating_sub(1));
        // f64::min takes the number where the power is NaN (0 times infinity), so a pause is always finite.
        let pause = (self.delay.as_secs_f64() * self.multiplier.max(1.0).powi(exponent)).min(limit);
        let jitter = self.jitter.clamp(0.0, 1.0);
        let shortest = pause * (1.0 - jitter);
        let longest = (pause * (1.0 + jitter)).min(limit);
        let chance = dice as f64 / u64::MAX as f64;
        let seconds = shortest + (longest - shortest) * chance;
        // Rounding may lead past the limit by a nanosecond; a number that no Duration holds is the limit, too.
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(self.max_delay).min(self.max_delay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u64 = u64::MAX / 2;

    fn seconds(policy: &RetryPolicy, spent: u16, dice: u64) -> Option<f64> {
        policy.next(spent, dice).map(|pause| (pause.as_secs_f64() * 1000.0).round() / 1000.0)
    }

    #[test]
    fn defaults_grow_threefold_to_an_hour() {
        let policy = RetryPolicy { jitter: 0.0, ..RetryPolicy::default() };
        let pauses: Vec<_> = (1..=8).map(|spent| seconds(&policy, spent, 1)).collect();
        let expected = [5.0, 15.0, 45.0, 135.0, 405.0, 1215.0, 3600.0];
        assert_eq!(pauses[..7], expected.map(Some));
        assert_eq!(pauses[7], None);
        assert!(expected.iter().sum::<f64>() > 3600.0);
    }

    #[test]
    fn jitter_spreads_both_ways_and_below_the_limit() {
        let policy = RetryPolicy::default();
        assert_eq!(seconds(&policy, 1, 0), Some(4.0));
        assert_eq!(seconds(&policy, 1, HALF), Some(5.0));
        assert_eq!(seconds(&policy, 1, u64::MAX), Some(6.0));
        assert_eq!(seconds(&policy, 7, 0), Some(2880.0));
        assert_eq!(seconds(&policy, 7, HALF), Some(3240.0));
        assert_eq!(seconds(&policy, 7, u64::MAX), Some(3600.0));
        let wild = RetryPolicy { jitter: 1.0, ..policy };
        assert_eq!(seconds(&wild, 1, 0), Some(0.0));
        assert_eq!(seconds(&wild, 1, u64::MAX), Some(10.0));
    }

    #[test]
    fn spent_attempts_end_it() {
        let once = RetryPolicy { max_attempts: 1, ..RetryPolicy::default() };
        assert_eq!(once.next(1, 0), None);
        assert_eq!(once.next(u16::MAX, 0), None);
        assert!(once.next(0, 0).is_some(), "no attempt counted yet");
    }

    #[test]
    fn extremes_stay_within_the_limit() {
        let policy = RetryPolicy {
            max_attempts: u16::MAX,
            delay: Duration::ZERO,
            multiplier: 100.0,
            max_delay: Duration::from_secs(10),
            jitter: 1.0,
        };
        for spent in [1, 2, 1000, u16::MAX - 1] {
            for dice in [0, HALF, u64::MAX] {
                for delay in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
                    for multiplier in [100.0, f64::NAN, f64::INFINITY, -1.0] {
                        let policy = RetryPolicy { delay, multiplier, ..policy };
                        assert!(policy.next(spent, dice).is_some_and(|pause| pause <= policy.max_delay));
                    }
                }
            }
        }
        let endless = RetryPolicy { max_delay: Duration::MAX, delay: Duration::MAX, ..policy };
        assert!(endless.next(5, u64::MAX).is_some());
    }
}

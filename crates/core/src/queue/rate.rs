//! Defines the token bucket that limits how many deliveries of a queue are started in a second.

use crate::time::Mono;

/// A token, in the unit that levels are counted in: fine enough for the slowest rate to add whole units each microsecond.
const TOKEN: u64 = 1_000_000_000_000;

/// A token bucket. Each delivery that starts takes a token; they come at a steady rate, and one second's worth of them, one at least, is kept for later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    rate: f64,
    /// What is added each microsecond.
    step: u64,
    /// What there was when; none: it was never looked at, and is full.
    level: Option<(u64, Mono)>,
}

impl Bucket {
    /// A full one; `rate` is tokens in a second, 0.0001 to 1,000,000.
    pub const fn new(rate: f64) -> Self {
        let step = (rate * (TOKEN / 1_000_000) as f64).round() as u64;
        Self { rate, step: if step == 0 { 1 } else { step }, level: None }
    }

    /// Tokens in a second.
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// The most that there can be.
    fn full(&self) -> u64 {
        self.step.saturating_mul(1_000_000).max(TOKEN)
    }

    fn level(&self, now: Mono) -> u64 {
        let Some((level, at)) = self.level else { return self.full() };
        level.saturating_add(now.since(at).saturating_mul(self.step)).min(self.full())
    }

    /// Whole tokens that there are.
    pub fn tokens(&self, now: Mono) -> usize {
        (self.level(now) / TOKEN) as usize
    }

    /// Takes tokens that there are.
    pub fn take(&mut self, count: usize, now: Mono) {
        self.level = Some((self.level(now).saturating_sub(TOKEN.saturating_mul(count as u64)), now));
    }

    /// Gives tokens back that were not used after all.
    pub fn give_back(&mut self, count: usize) {
        if let Some((level, at)) = self.level {
            self.level = Some((level.saturating_add(TOKEN.saturating_mul(count as u64)).min(self.full()), at));
        }
    }

    /// Microseconds until there is a whole token; 0: there is one.
    pub fn next(&self, now: Mono) -> u64 {
        TOKEN.saturating_sub(self.level(now)).div_ceil(self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_kept_and_the_rest_comes_at_its_rate() {
        let (mut bucket, start) = (Bucket::new(10.0), Mono(5_000_000));
        assert_eq!((bucket.tokens(start), bucket.next(start)), (10, 0));
        bucket.take(10, start);
        assert_eq!((bucket.tokens(start), bucket.next(start)), (0, 100_000));
        assert_eq!((bucket.tokens(start.plus(99_999)), bucket.next(start.plus(99_999))), (0, 1));
        assert_eq!(bucket.tokens(start.plus(100_000)), 1);
        assert_eq!(bucket.tokens(start.plus(60_000_000)), 10, "a silent minute earns a second's worth");
        bucket.give_back(3);
        assert_eq!(bucket.tokens(start), 3);
    }

    #[test]
    fn less_than_one_a_second_is_one_at_a_time() {
        let (mut bucket, mut now) = (Bucket::new(0.1), Mono(0));
        for _ in 0..50 {
            assert_eq!(bucket.tokens(now), 1);
            bucket.take(1, now);
            assert_eq!(bucket.next(now), 10_000_000);
            now = now.plus(bucket.next(now));
        }
    }

    /// Whoever wakes when it is told to finds a token, and no time is lost by that.
    #[test]
    fn it_is_exact_over_time() {
        for rate in [0.0001, 0.3, 1.0, 7.0, 33.3, 999.0, 1_000_000.0] {
            let (mut bucket, mut now, mut started) = (Bucket::new(rate), Mono(0), 0_u64);
            bucket.take(bucket.tokens(now), now);
            let begin = now;
            for _ in 0..2_000 {
                let pause = bucket.next(now);
                assert!(pause > 0);
                now = now.plus(pause);
                let tokens = bucket.tokens(now);
                assert!(tokens > 0, "woken for nothing at {rate} a second");
                bucket.take(tokens, now);
                started += tokens as u64;
            }
            let allowed = now.since(begin) as f64 * rate / 1e6;
            let off = (started as f64 - allowed).abs();
            assert!(off <= 1.0, "{started} in the time of {allowed:.3} at {rate} a second");
        }
    }
}

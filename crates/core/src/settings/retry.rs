//! Defines how a retry policy is given: some of its fields, over another policy.

use super::error::SettingError;
use super::reader::Reader;
use crate::retry::RetryPolicy;
use std::time::Duration;

/// The fields of a retry policy that are given: `retry`, or the `retry` of a listener over it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RetryOverrides {
    /// `max_attempts`: attempts in all, 1 to 1000.
    pub max_attempts: Option<u16>,
    /// `delay`: seconds before the second attempt, 0 to 2,592,000 (30 days).
    pub delay: Option<Duration>,
    /// `multiplier`: what each further pause is multiplied by, 1 to 100.
    pub multiplier: Option<f64>,
    /// `max_delay`: seconds that a pause lasts at most, 0 to 2,592,000 (30 days); not below a `delay` given beside it.
    pub max_delay: Option<Duration>,
    /// `jitter`: by which part a pause is longer or shorter, 0 to 1.
    pub jitter: Option<f64>,
}

impl RetryOverrides {
    /// Reads the map `retry` of another.
    pub(super) fn read(outer: &mut Reader<'_>) -> Result<Self, SettingError> {
        const MONTH: f64 = 2_592_000.0;
        let mut map = outer.section("retry")?;
        let delay = map.optional("delay", |field| field.seconds(0.0..=MONTH))?;
        let settings = Self {
            max_attempts: map.optional("max_attempts", |field| field.integer(1..=1000))?,
            delay,
            multiplier: map.optional("multiplier", |field| field.number(1.0..=100.0))?,
            max_delay: map.optional("max_delay", |field| {
                let least = delay.map_or(0.0, |delay| delay.as_secs_f64());
                field.seconds(least..=MONTH)
            })?,
            jitter: map.optional("jitter", |field| field.number(0.0..=1.0))?,
        };
        map.finish()?;
        Ok(settings)
    }

    /// The policy with these fields in place of its own. A `delay` above a `max_delay` that wasn't given beside it raises that.
    pub fn over(&self, policy: &RetryPolicy) -> RetryPolicy {
        let delay = self.delay.unwrap_or(policy.delay);
        let max_delay = match (self.delay, self.max_delay) {
            (_, Some(max_delay)) => max_delay,
            (Some(delay), None) => policy.max_delay.max(delay),
            (None, None) => policy.max_delay,
        };
        RetryPolicy {
            max_attempts: self.max_attempts.unwrap_or(policy.max_attempts),
            delay,
            multiplier: self.multiplier.unwrap_or(policy.multiplier),
            max_delay,
            jitter: self.jitter.unwrap_or(policy.jitter),
        }
    }
}

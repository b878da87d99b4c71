//! Defines how dead letters are kept: `dead`.

use super::error::SettingError;
use super::reader::Reader;
use std::time::Duration;

/// `dead`: how long and how many dead letters are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadSettings {
    /// `keep`: seconds, 0 to 3,153,600,000 (100 years), or false for ever. Default: 7,776,000 (90 days).
    pub keep: Option<Duration>,
    /// `max`: dead letters, of which the oldest go first, 0 to 1,000,000,000. Default: 100,000 (this project's choice).
    pub max: u64,
}

impl DeadSettings {
    /// Reads the keys of `dead`.
    pub(super) fn read(mut map: Reader<'_>) -> Result<Self, SettingError> {
        let settings = Self {
            keep: map.or("keep", Some(Duration::from_secs(90 * 86_400)), |field| {
                field.unless_false(|field| field.seconds(0.0..=3_153_600_000.0))
            })?,
            max: map.or("max", 100_000, |field| field.integer(0..=1_000_000_000))?,
        };
        map.finish()?;
        Ok(settings)
    }
}

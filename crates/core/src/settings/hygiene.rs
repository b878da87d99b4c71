//! Defines what a worker does between events so that one leaves nothing to the next: `hygiene`. The Composer package does it; here it is checked.

use super::error::SettingError;
use super::reader::Reader;

/// `hygiene`: true or false each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HygieneSettings {
    /// `database`: connections that the bootstrap has opened are closed before the workers are forked. Default: true.
    pub database: bool,
    /// `doctrine`: entity managers are cleared after each event; a worker whose one is closed is replaced. Default: true.
    pub doctrine: bool,
    /// `cycles`: objects that refer to each other are freed while nothing waits. Default: true.
    pub cycles: bool,
    /// `gone_away`: a worker whose database connection has gone away is replaced. Default: false, as the connection may mend itself.
    pub gone_away: bool,
}

impl HygieneSettings {
    /// Reads the keys of `hygiene`.
    pub(super) fn read(mut map: Reader<'_>) -> Result<Self, SettingError> {
        let settings = Self {
            database: map.or("database", true, |field| field.boolean())?,
            doctrine: map.or("doctrine", true, |field| field.boolean())?,
            cycles: map.or("cycles", true, |field| field.boolean())?,
            gone_away: map.or("gone_away", false, |field| field.boolean())?,
        };
        map.finish()?;
        Ok(settings)
    }
}

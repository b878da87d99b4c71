//! Defines the settings that hold by now, as the supervisor shows them to a broker that runs on while generations of code come and go.

use super::Paper;
use proletarier_core::settings::{Renewed, Settings};

/// Slots for each worker: those of generations that still finish what they are at, and of one that boots.
const SLOTS_EACH: usize = 4;
/// Slots beyond these: the dead ones that are being settled.
const SPARE_SLOTS: usize = 8;

/// How many slots a scoreboard has for the pool that a daemon is started with.
#[must_use]
pub fn slots_for(settings: &Settings) -> usize {
    SLOTS_EACH * usize::from(settings.worker.pool_size.max) + SPARE_SLOTS
}

/// Makes the pool no larger than a scoreboard of so many slots has room for; that room, where it was larger.
pub fn fit_pool(settings: &mut Settings, slots: usize) -> Option<usize> {
    let room = (slots.saturating_sub(SPARE_SLOTS) / 2).max(1);
    let pool = &mut settings.worker.pool_size;
    (usize::from(pool.max) > room).then(|| {
        pool.max = u16::try_from(room).unwrap_or(u16::MAX);
        pool.min = pool.min.min(pool.max);
        room
    })
}

/// The settings that hold by now.
pub struct Latest {
    /// Written by the supervisor, before it says so.
    pub paper: Paper,
    /// What the daemon was started with.
    pub first: Settings,
    /// How many slots its scoreboard has.
    pub slots: usize,
}

impl Latest {
    /// Reads them; none while they are being written, which is said when it is done.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn read(&self) -> Result<Option<Settings>, String> {
        let Some(text) = self.paper.read() else { return Ok(None) };
        let raw = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        self.holding(Settings::read(&raw).map_err(|error| error.to_string())?).map(|renewed| Some(renewed.settings))
    }

    /// What holds of these settings of a generation in this daemon.
    ///
    /// # Errors
    /// The words, where they are another daemon's.
    pub fn holding(&self, new: Settings) -> Result<Renewed, String> {
        let mut renewed = self.first.renewed(new)?;
        fit_pool(&mut renewed.settings, self.slots);
        Ok(renewed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_bound_stays_and_the_pool_fits() {
        let directory = tempfile::tempdir().unwrap();
        let raw = |pool: u16, bind: &str, most: u32| -> Value {
            json!({
                "runtime_dir": "/r",
                "broker": { "bind": bind, "max_pending": most },
                "worker": { "pool_size": { "min": 1, "max": pool } },
            })
        };
        let first = Settings::read(&raw(2, "ipc:///r/a", 5)).unwrap();
        let slots = slots_for(&first);
        let latest = Latest { paper: Paper::new(directory.path()).unwrap(), first: first.clone(), slots };
        assert_eq!(latest.read(), Ok(None), "nothing is written");
        latest.paper.write(raw(100, "ipc:///r/b", 6).to_string().as_bytes()).unwrap();
        let found = latest.read().unwrap().unwrap();
        assert_eq!(found.broker.bind, first.broker.bind);
        assert_eq!(found.broker.max_pending.events, 6);
        assert_eq!((found.worker.pool_size.min, found.worker.pool_size.max), (1, 4), "twice what it was started with");
        latest.paper.write(b"{\"no\": 1}").unwrap();
        assert!(latest.read().is_err());
    }
}

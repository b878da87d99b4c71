//! Keeps which queues are held by hand, so that they stay so whatever dies: a small file beside the store.

use crate::application::Level;
use crate::log;
use proletarier_core::settings::Settings;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file: `paused.json` in `state_dir`, or, where that is not set, in `runtime_dir`.
pub(super) struct PausedFile(PathBuf);

impl PausedFile {
    pub fn of(settings: &Settings) -> Self {
        Self(settings.state_dir.as_ref().unwrap_or(&settings.runtime_dir).join("paused.json"))
    }

    /// The names of the queues that were held. What can't be read is told of: they go on then.
    pub fn read(&self) -> BTreeSet<String> {
        let read = match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return BTreeSet::new(),
            Err(error) => Err(error.to_string()),
        };
        read.unwrap_or_else(|error| {
            let words = "which queues were paused can't be read: none is";
            log::line(Level::Error, words, &[("file", &self.0.display()), ("error", &error)]);
            BTreeSet::new()
        })
    }

    /// Keeps the names, also where power is lost from here on.
    ///
    /// # Errors
    /// What was in the way, in words. What was kept before is kept then.
    pub fn write(&self, names: &BTreeSet<String>) -> Result<(), String> {
        let failed = |error: io::Error| format!("can't write {}: {error}", self.0.display());
        let directory = self.0.parent().unwrap_or(Path::new("/"));
        let new = self.0.with_extension("json.new");
        let write = || {
            std::fs::create_dir_all(directory)?;
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec(names)?)?;
            file.sync_all()?;
            std::fs::rename(&new, &self.0)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = PausedFile(directory.path().join("state/paused.json"));
        assert_eq!(file.read(), BTreeSet::new());
        let names = BTreeSet::from(["a \"b\"".to_owned(), "default".to_owned()]);
        file.write(&names).unwrap();
        assert_eq!(file.read(), names);
        std::fs::write(&file.0, "[\"a").unwrap();
        assert_eq!(file.read(), BTreeSet::new());
        file.write(&BTreeSet::new()).unwrap();
        assert_eq!(file.read(), BTreeSet::new());
        let nowhere = PausedFile(PathBuf::from("/proc/nowhere/paused.json"));
        assert!(nowhere.write(&names).unwrap_err().starts_with("can't write /proc/nowhere/paused.json: "));
    }
}

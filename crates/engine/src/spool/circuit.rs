//! Provides the circuit: a machine's processes tell one another that no broker answers, so that one of them pays the wait, and the others spool at once.

use super::directory;
use super::{SpoolOptions, System};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Nobody waits for so long after a wait in vain (this project's choice).
const AGE: Duration = Duration::from_secs(5);

/// The file whose age tells.
#[derive(Debug)]
pub struct Circuit {
    options: SpoolOptions,
    path: PathBuf,
}

impl Circuit {
    /// The one of a spool.
    #[must_use]
    pub fn new(options: SpoolOptions) -> Self {
        Self { path: options.dir.join("circuit"), options }
    }

    /// Whether a process has waited in vain just now. Costs a look at a file's age.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let Ok(tripped) = std::fs::metadata(&self.path).and_then(|file| file.modified()) else { return false };
        // One from the future is of a clock that was set back: it tells nothing.
        SystemTime::now().duration_since(tripped).is_ok_and(|age| age < AGE)
    }

    /// A process has waited in vain, or is about to see whether it does.
    pub fn trip(&self) {
        // Written to, because only the owner may set a file's time otherwise. Where it can't be had, the others pay the wait as well.
        if let Ok(file) = directory::open(&self.options, &System, &self.path) {
            let _ = file.set_len(0);
            let _ = (&file).write_all(b"no broker answered\n");
        }
    }

    /// Whether some process has waited in vain, however long ago.
    #[must_use]
    pub fn is_tripped(&self) -> bool {
        self.path.exists()
    }

    /// The broker is there.
    pub fn close(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

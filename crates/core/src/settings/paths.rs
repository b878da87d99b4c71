//! Defines where the files of a daemon are, computed from settings alone, so that client and daemon always agree.

use super::endpoint::Endpoint;
use super::error::SettingError;
use super::reader::Reader;
use std::path::{Path, PathBuf};

/// `state_dir` and `runtime_dir` as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directories {
    pub state: Option<PathBuf>,
    pub runtime: Option<PathBuf>,
}

impl Directories {
    /// Reads both; `runtime_dir` is `run` below `state_dir` where it isn't given.
    pub fn read(root: &mut Reader<'_>) -> Result<Self, SettingError> {
        let state = root.optional("state_dir", |field| field.path())?;
        let runtime =
            root.optional("runtime_dir", |field| field.path())?.or_else(|| state.as_ref().map(|state| state.join("run")));
        Ok(Self { state, runtime })
    }

    /// The default endpoint of the setting `key`: a socket in `runtime_dir`.
    pub fn endpoint(&self, file: &str, key: &str, set: &'static str) -> Result<Endpoint, SettingError> {
        let Some(runtime) = &self.runtime else {
            return Err(SettingError::Missing {
                key: key.to_owned(),
                why: "its default, a socket in runtime_dir, can't be computed",
                set,
            });
        };
        Endpoint::at_path(runtime.join(file), key, "runtime_dir")
    }
}

/// File name of the socket that clients connect to.
pub(super) const EVENTS_SOCKET: &str = "events.sock";
/// File name of the socket that workers connect to.
pub(super) const WORKERS_SOCKET: &str = "workers.sock";
/// File name of the socket that takes control commands.
pub(super) const CONTROL_SOCKET: &str = "control.sock";

/// The files of a daemon in its `runtime_dir`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeFiles<'a> {
    dir: &'a Path,
}

impl<'a> RuntimeFiles<'a> {
    /// The files in this directory.
    pub fn new(dir: &'a Path) -> Self {
        Self { dir }
    }

    /// `lock`: locked as long as a process of the daemon lives.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// `pid`: the supervisor's process id.
    pub fn pid(&self) -> PathBuf {
        self.dir.join("pid")
    }

    /// `scoreboard`: the shared memory of broker and workers.
    pub fn scoreboard(&self) -> PathBuf {
        self.dir.join("scoreboard")
    }
}

//! Provides the store's lock: one daemon at a time, the processes that it leaves behind among it.

use super::StoreError;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// The lock. Children inherit its descriptor: it lasts until the last of them is gone. It is never unlocked but by that: a child that lets go of its
/// own would free it for all of them.
pub struct StoreLock {
    lock: File,
}

impl StoreLock {
    /// Makes the directory where it is missing, and locks it; waits `longest` for the last processes of a daemon that died.
    ///
    /// # Errors
    /// When the directory can't be had, or another daemon has it.
    pub fn claim(directory: &Path, dir_mode: u32, longest: Duration) -> Result<Self, StoreError> {
        let failed = |what: &str, error: std::io::Error| StoreError::Directory {
            what: what.to_owned(),
            directory: directory.to_owned(),
            reason: error.to_string(),
        };
        DirBuilder::new().recursive(true).mode(dir_mode).create(directory).map_err(|error| failed("make", error))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
            .open(directory.join("lock"))
            .map_err(|error| failed("write to", error))?;
        let deadline = Instant::now() + longest;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { lock }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {}
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { directory: directory.to_owned() }),
                Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
            }
            // The lock can only be tried, not awaited with a bound.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The lock's descriptor, which a child that closes what it inherited keeps.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.lock.as_raw_fd()
    }
}

impl AsFd for StoreLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }
}

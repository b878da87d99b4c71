//! Provides locks on the spool's files. They are held for microseconds by writers, and one that a stopped process holds must not stop all others.

use super::SpoolError;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// A lock is waited for so long.
const LONGEST: Duration = Duration::from_secs(1);
/// Between two tries: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));

/// Locks a file that writers append to.
pub(super) fn lock(mut file: File, path: &Path) -> Result<Flock<File>, SpoolError> {
    let deadline = Instant::now() + LONGEST;
    let mut pause = PAUSE.0;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
            Err((_, error)) => return Err(SpoolError::io("lock", path, error.into())),
        };
        if Instant::now() >= deadline {
            return Err(SpoolError::Locked(path.display().to_string()));
        }
        // A lock can only be tried, not awaited with a bound.
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Tries once; none where another has it.
pub(super) fn try_lock(file: File, path: &Path) -> Result<Option<Flock<File>>, SpoolError> {
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => Ok(None),
        Err((_, error)) => Err(SpoolError::io("lock", path, error.into())),
    }
}

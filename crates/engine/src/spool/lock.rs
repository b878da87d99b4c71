//! Provides locks on the spool's files. They are held for microseconds by writers, for a sync by those that ask for one, and one that a stopped process holds must not stop all others.

use super::SpoolError;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// A lock that nobody gives back for so long is taken for stuck. A writer that syncs holds it as long as the disk takes, which was seen to be over a
/// second on a machine that wrote much else.
const STUCK: Duration = Duration::from_secs(5);
/// A drainer waits for so long, and comes again: it may be a broker, which has others to serve.
pub(super) const SHORT: Duration = Duration::from_millis(2);
/// Between two tries: at first, and at most. A lock can only be tried, not awaited with a bound.
const PAUSE: (Duration, Duration) = (Duration::from_micros(30), Duration::from_micros(500));

/// Locks a file to append to it.
pub(super) fn lock(file: File, path: &Path) -> Result<Flock<File>, SpoolError> {
    let length = |file: &File| file.metadata().map_or(0, |file| file.len());
    let mut before = length(&file);
    wait(file, path, STUCK, |file| {
        // While it grows others have the lock in turn, and this one's turn comes.
        let now = length(file);
        std::mem::replace(&mut before, now) != now
    })
}

/// Locks a file to take it away from writers.
pub(super) fn lock_soon(file: File, path: &Path) -> Result<Flock<File>, SpoolError> {
    wait(file, path, SHORT, |_| false)
}

/// Tries until it has the lock; asks `go_on` each `period`.
fn wait(mut file: File, path: &Path, period: Duration, mut go_on: impl FnMut(&File) -> bool) -> Result<Flock<File>, SpoolError> {
    let (mut deadline, mut pause) = (Instant::now() + period, PAUSE.0);
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
            Err((_, error)) => return Err(SpoolError::io("lock", path, error.into())),
        };
        if Instant::now() >= deadline {
            if !go_on(&file) {
                return Err(SpoolError::Locked(path.display().to_string()));
            }
            deadline = Instant::now() + period;
        }
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

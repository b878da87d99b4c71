//! Collects what an operator should hear about this process's permissions, not more often than helps. Permission denied is not "down".

use super::link::LOST;
use crate::clock;
use crate::spool;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// At most one line a process in so many microseconds.
const PAUSE: u64 = 60_000_000;
/// When the last was taken in: monotonic, microseconds; 0 before the first.
static LAST: AtomicU64 = AtomicU64::new(0);

/// What is to be told. A link's own: a child of a fork forgets it with the link.
#[derive(Default)]
pub(super) struct Notices(Vec<String>);

impl Notices {
    /// Takes in what is to be told, unless something was a short while ago.
    pub fn tell(&mut self, words: String) {
        let (now, last) = (clock::mono().0, LAST.load(Ordering::Relaxed));
        if last == 0 || now.saturating_sub(last) >= PAUSE {
            LAST.store(now, Ordering::Relaxed);
            self.0.push(words);
            LOST.store(true, Ordering::Relaxed);
        }
    }

    /// Takes in what is to be told in any case.
    pub fn add(&mut self, words: String) {
        self.0.push(words);
        LOST.store(true, Ordering::Relaxed);
    }

    /// What is to be told since the last call.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}

/// Why this process may not connect to a unix socket; none where it may, or nobody is there. ZeroMQ tries again in silence. Asked of the file, as
/// a connection that says nothing is one more peer that the broker would wonder about.
pub(super) fn denied(endpoint: &str) -> Option<String> {
    let path = Path::new(endpoint.strip_prefix("ipc://")?);
    let may_not = faccessat(AT_FDCWD, path, AccessFlags::W_OK, AtFlags::AT_EACCESS) == Err(Errno::EACCES);
    may_not.then(|| spool::whose("connect to the broker at", path))
}

//! Provides the spool: files of events that no broker has confirmed. All processes of a machine that trigger share it, with the daemon that drains it.
//!
//! ```text
//! spool/
//!   events.spool                 appended to under a short lock by whoever spools
//!   draining-<n>.spool           taken out of the writers' reach by a drainer, and deleted once every event in it is kept elsewhere
//!   drain.lock                   locked by the one who drains
//!   circuit                      its age says when a process last waited for the broker in vain
//!   damaged/                     what could not be read, and events that a distant broker does not take
//! ```
//! A drainer renames the file under the writers' lock, so that nobody appends to a file that is being drained. One that dies leaves its file to the
//! next, and events come twice: session and number tell the broker that they are copies.

mod append;
mod circuit;
mod claim;
mod damaged;
mod directory;
mod discard;
mod disk;
mod format;
mod list;
mod lock;
mod send;

pub use append::{Entry, Spool};
pub use circuit::Circuit;
pub use claim::{Claim, Draining};
pub use damaged::Unreadable;
pub(crate) use directory::whose;
pub use directory::{Wait, events_wait, prepare, size};
pub use discard::{Discarded, discard};
pub use disk::{Disk, System};
pub use format::Spooled;
pub use list::{Cursor, Page, count, list};
pub use send::{SendError, Sent, Target, send};

use proletarier_core::settings::{self, ClientSettings, Permissions};
use std::path::{Path, PathBuf};

/// Where the spool is, how large it may get, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpoolOptions {
    /// The directory.
    pub dir: PathBuf,
    /// Bytes that its files may have together.
    pub max: u64,
    /// Who shares it.
    pub permissions: Permissions,
}

impl SpoolOptions {
    /// The spool of a client with these settings; none where it has none.
    #[must_use]
    pub fn of(settings: &ClientSettings) -> Option<Self> {
        let settings::Spool::Directory(dir) = &settings.spool else { return None };
        Some(Self { dir: dir.clone(), max: settings.spool_max, permissions: settings.permissions.clone() })
    }

    /// The mode of the spool's files.
    const fn file_mode(&self) -> u32 {
        if self.permissions.group.is_some() { 0o660 } else { 0o600 }
    }
}

/// Why the spool can't do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// There is no room in it.
    #[error(
        "the spool {dir} is full ({used} bytes; client.spool_max is {max}): start the daemon, which drains it, or set client.spool_max higher"
    )]
    Full {
        /// Where it is.
        dir: String,
        /// Bytes that it has.
        used: u64,
        /// Bytes that it may have.
        max: u64,
    },
    /// This process may not use it; whose it is, and what to do.
    #[error("{0}")]
    Denied(String),
    /// A file was written by another release.
    #[error(
        "the spool file {path} has version {version}, and this release knows version {}: drain it with the release that wrote it",
        format::VERSION
    )]
    Version {
        /// Which file.
        path: String,
        /// Its version.
        version: u32,
    },
    /// Somebody held its lock for too long.
    #[error("the lock of the spool file {0} was not to be had: a process that holds it is stopped or stuck")]
    Locked(String),
    /// Another process drains.
    #[error("another process drains the spool {0} just now, as the daemon of this machine does by itself")]
    Busy(String),
    /// What the system said.
    #[error("can't {what} {path}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: String,
        /// The system's words.
        error: std::io::Error,
    },
}

impl SpoolError {
    /// The error of doing `what` with `path`, with the fix where it is about permissions.
    fn io(what: &'static str, path: &Path, error: std::io::Error) -> Self {
        match error.kind() {
            // It says already what to do.
            _ if error.get_ref().is_some() => Self::Denied(format!("can't {what} {}: {error}", path.display())),
            std::io::ErrorKind::PermissionDenied => Self::Denied(directory::whose(what, path)),
            _ => Self::Io { what, path: path.display().to_string(), error },
        }
    }

    /// Whether permissions are the reason.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }
}

//! Processes, sockets and files of Proletarier. The broker runs, and is tested, with no PHP.
//!
//! Rooms: [`client`], [`control`], `broker`, `worker`, `zygote`, `supervisor`. They never import one another; `daemon` alone knows them all. What
//! several of them stand on: `transport` (sockets), `store`, `succession` (a reload's handing over), `spool`, `fork` (processes), `scoreboard`, `ties`, `signals`, `runtime_dir`,
//! `ownership`, `clock`, `id`, `log`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod application;
mod broker;
pub mod client;
mod clock;
pub mod control;
mod daemon;
mod fork;
mod id;
mod identity;
mod inherited;
mod log;
mod memory;
mod notify;
mod oom;
mod ownership;
mod runtime_dir;
mod scoreboard;
mod signals;
pub mod spool;
pub mod store;
mod succession;
mod supervisor;
mod ties;
mod transport;
mod worker;
mod zygote;

pub use clock::wall;
pub use daemon::run;
pub use fork::{exit_now, generation as fork_generation};
pub use log::line as log_line;
pub use succession::{CommandLine, capture as capture_command_line};
pub use transport::version as transport_version;
pub use worker::limit::{Overdue, is_returning, overdue};

/// Which processes a daemon has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Broker and workers.
    #[default]
    All,
    /// The broker alone.
    Broker,
    /// Workers alone, for a broker elsewhere.
    Worker,
}

impl Role {
    /// Its word in settings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Broker => "broker",
            Self::Worker => "worker",
        }
    }
}

/// Why a daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another one has the runtime directory.
    #[error("{0}")]
    AlreadyRunning(String),
    /// A directory, socket or file can't be had.
    #[error("{0}")]
    Setup(String),
}

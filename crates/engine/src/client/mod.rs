//! Provides the client: one connection for each endpoint and process, kept until the process ends and never shared over a fork.
//!
//! A trigger() encodes its event into the batch that gathers. While fewer than [`batches::IN_FLIGHT`] batches are unconfirmed the batch goes out
//! at once, by the calling thread; else it gathers on, and the helper thread sends it when a confirmation comes in. So batches form by
//! themselves when events come fast, and an event alone does not wait.

mod batches;
mod connection;
mod drainer;
mod helper;
mod link;
mod notices;
mod outlet;
mod registry;

pub use crate::id::new_id;
pub use registry::{Client, has_lost, settle, shutdown, spooled, take_lost, take_notices};

use crate::spool::{SpoolError, SpoolOptions};
use crate::transport::tcp_key;
use proletarier_core::settings::ClientSettings;
use std::time::Duration;

/// When trigger() returns. See DESIGN, "Confirm levels".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Confirm {
    /// The event is in this process's send queue; nobody follows it up.
    None,
    /// The same, and the client follows it up by itself.
    #[default]
    Deferred,
    /// The broker has stored it, or it is in the spool.
    Accepted,
    /// The store, or the spool, has fsynced it.
    Synced,
}

/// What is asked for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When trigger() returns.
    pub confirm: Confirm,
    /// Whether it may be spooled where it is waited for in vain. What is not waited for always may.
    pub spool: bool,
}

impl From<Confirm> for Asked {
    fn from(confirm: Confirm) -> Self {
        Self { confirm, spool: true }
    }
}

/// Where and how to connect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientOptions {
    /// The broker's endpoint, such as `ipc:///run/app/events.sock`.
    pub endpoint: String,
    /// Longest wait for the broker.
    pub timeout: Duration,
    /// The broker's public CURVE key, for TCP.
    pub broker_key: Option<String>,
    /// Where events go that no broker has confirmed in time.
    pub spool: Option<SpoolOptions>,
}

impl From<&ClientSettings> for ClientOptions {
    fn from(settings: &ClientSettings) -> Self {
        let key = settings.curve.as_ref().map(|curve| curve.public.as_str());
        Self {
            endpoint: settings.connect.to_string(),
            timeout: settings.timeout,
            broker_key: tcp_key(&settings.connect, key).map(str::to_owned),
            spool: SpoolOptions::of(settings),
        }
    }
}

/// Why an event could not be handed over.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No confirmation within the timeout.
    #[error("no broker answered at {endpoint} within {seconds} s: is the daemon running (proletarier run)?")]
    Unavailable {
        /// Where it was looked for.
        endpoint: String,
        /// How long was waited.
        seconds: f64,
    },
    /// No confirmation within the timeout, and the spool did not take it either.
    #[error("{unavailable}; and it could not be spooled: {error}")]
    Unspooled {
        /// What kept the broker from it.
        unavailable: String,
        /// What kept the spool from it.
        error: SpoolError,
    },
    /// The spool is full.
    #[error("{unavailable}; and {error}")]
    SpoolFull {
        /// What kept the broker from it.
        unavailable: String,
        /// How full.
        error: SpoolError,
    },
    /// The broker has too much waiting.
    #[error("the broker refused the event: {0}")]
    Overloaded(String),
    /// The broker refused the event for what it is.
    #[error("the broker refused the event: {0}")]
    Rejected(String),
    /// The endpoint is none, or the machine has no sockets left.
    #[error("can't connect to {endpoint}: {reason}")]
    Connect {
        /// Where to.
        endpoint: String,
        /// What the system said.
        reason: String,
    },
}

impl ClientError {
    fn unspooled(unavailable: String, error: SpoolError) -> Self {
        match error {
            SpoolError::Full { .. } => Self::SpoolFull { unavailable, error },
            _ => Self::Unspooled { unavailable, error },
        }
    }
}

/// An event that trigger() had returned for in deferred mode, that no broker confirmed in time, and that could not be spooled.
#[derive(Debug)]
pub struct Lost {
    /// The event's record.
    pub record: Vec<u8>,
    /// Why: no answer, or the broker's words.
    pub reason: String,
}

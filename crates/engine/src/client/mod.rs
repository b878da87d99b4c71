//! Provides the client: one connection for each endpoint and process, kept until the process ends and never shared over a fork.
//!
//! A trigger() encodes its event into the batch that gathers. While fewer than [`batches::IN_FLIGHT`] batches are unconfirmed the batch goes out
//! at once, by the calling thread; else it gathers on, and the helper thread sends it when a confirmation comes in. So batches form by
//! themselves when events come fast, and an event alone does not wait.

mod batches;
mod connection;
mod helper;
mod link;
mod registry;

pub use crate::id::new_id;
pub use registry::{Client, has_lost, settle, shutdown, take_lost};

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
    /// The broker has stored it.
    Accepted,
    /// The store has fsynced it.
    Synced,
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
}

impl From<&ClientSettings> for ClientOptions {
    fn from(settings: &ClientSettings) -> Self {
        let key = settings.curve.as_ref().map(|curve| curve.public.as_str());
        Self {
            endpoint: settings.connect.to_string(),
            timeout: settings.timeout,
            broker_key: tcp_key(&settings.connect, key).map(str::to_owned),
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

/// An event that trigger() had returned for in deferred mode and that no broker confirmed in time.
#[derive(Debug)]
pub struct Lost {
    /// The event's record.
    pub record: Vec<u8>,
    /// Why: no answer, or the broker's words.
    pub reason: String,
}

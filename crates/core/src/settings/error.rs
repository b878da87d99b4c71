//! Defines what can be wrong with a setting.

use super::endpoint::MAX_SOCKET_PATH;
use thiserror::Error;

/// A setting that is refused. Every message begins with the setting's full key, such as `worker.pool_size`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingError {
    /// A key that no setting has.
    #[error("{key}: unknown key (its value: {value}){} Allowed here: {}", did_you_mean_or_stop(.nearest), .known.join(", "))]
    UnknownKey {
        /// The full key as typed.
        key: String,
        /// Its value as JSON, shortened.
        value: String,
        /// The full key that was probably meant.
        nearest: Option<String>,
        /// All keys of the map it was found in (without the part before).
        known: Vec<&'static str>,
    },
    /// A value that its key doesn't take.
    #[error("{key}: {value} is not allowed: give {allowed}{}", did_you_mean(.nearest))]
    BadValue {
        /// The full key.
        key: String,
        /// The value as JSON, shortened.
        value: String,
        /// What the key takes.
        allowed: String,
        /// The allowed word that was probably meant.
        nearest: Option<String>,
    },
    /// A setting that has no default where it is needed.
    #[error("{key}: {why}: set {set}")]
    Missing {
        /// The full key of what can't be computed.
        key: String,
        /// What it is needed for.
        why: &'static str,
        /// The key or keys to set.
        set: &'static str,
    },
    /// A unix socket's path that the kernel doesn't take.
    #[error(
        "{key}: the socket's path {path} has {length} bytes, and {MAX_SOCKET_PATH} are the most that a unix socket's path may have: \
         set {set} to a shorter path"
    )]
    SocketPathTooLong {
        /// The full key of the endpoint.
        key: String,
        /// The path.
        path: String,
        /// Its length in bytes.
        length: usize,
        /// The key that makes it shorter.
        set: String,
    },
    /// A TCP endpoint that other machines reach, without keys.
    #[error(
        "{key}: {endpoint} is beyond this machine's loopback, where anybody could trigger and read events: set {set} \
         (the README tells how to make CURVE keys), or use 127.0.0.1 or a unix socket"
    )]
    Exposed {
        /// The full key of the endpoint.
        key: String,
        /// The endpoint.
        endpoint: String,
        /// The key that takes the CURVE keys.
        set: &'static str,
    },
    /// The key `serializer` of the original Proletarier.
    #[error("{key}: there is no serializer to choose, only JSON crosses a process: remove this key")]
    Serializer {
        /// The full key.
        key: String,
    },
}

impl SettingError {
    /// The full key of the setting that is refused.
    pub fn key(&self) -> &str {
        match self {
            Self::UnknownKey { key, .. }
            | Self::BadValue { key, .. }
            | Self::Missing { key, .. }
            | Self::SocketPathTooLong { key, .. }
            | Self::Exposed { key, .. }
            | Self::Serializer { key } => key,
        }
    }
}

fn did_you_mean_or_stop(nearest: &Option<String>) -> String {
    match nearest {
        Some(_) => did_you_mean(nearest),
        None => ".".to_owned(),
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

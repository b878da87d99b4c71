//! Defines the enum `Proletarier\Confirm`: how much is certain when trigger() returns.

use ext_php_rs::prelude::*;
use proletarier_engine::client;

/// How much must be certain when trigger() returns.
#[php_enum]
#[php(name = "Proletarier\\Confirm")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// The event is in this process's send queue, and nothing follows it up.
    #[php(value = "none")]
    None,
    /// The same, and the client follows it up. The default.
    #[php(value = "deferred")]
    Deferred,
    /// The broker has stored the event.
    #[php(value = "accepted")]
    Accepted,
    /// The same, and on disk.
    #[php(value = "synced")]
    Synced,
}

impl From<Confirm> for client::Confirm {
    fn from(confirm: Confirm) -> Self {
        match confirm {
            Confirm::None => Self::None,
            Confirm::Deferred => Self::Deferred,
            Confirm::Accepted => Self::Accepted,
            Confirm::Synced => Self::Synced,
        }
    }
}

//! Defines where events are kept: `store`.

use super::error::SettingError;
use super::reader::Field;
use std::path::PathBuf;

/// `store`: which backlog keeps the events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Store {
    /// `memory:`: in the broker's memory. What waits is lost with the broker. The default where there is no `state_dir`.
    #[default]
    Memory,
    /// An absolute path: the embedded store in this directory. Default: `store` below `state_dir`.
    Directory(PathBuf),
    /// `nats://host,host`: NATS JetStream on these servers (each `host` or `host:port`).
    Nats(Vec<String>),
}

impl Store {
    /// Reads the value of `store`.
    pub(super) fn read(field: Field<'_>) -> Result<Self, SettingError> {
        let refused = field.refuse_plainly("'memory:', an absolute directory, or 'nats://host,host'");
        match field.value.as_str() {
            Some("memory:") => Ok(Self::Memory),
            Some(text) if text.starts_with('/') => field.path().map(Self::Directory),
            Some(text) => {
                let servers = text.strip_prefix("nats://").ok_or_else(|| refused.clone())?;
                let servers: Vec<_> = servers.split(',').map(str::trim).map(str::to_owned).collect();
                if servers.iter().any(|server| server.is_empty() || server.contains(['/', '@', ' '])) {
                    return Err(refused);
                }
                Ok(Self::Nats(servers))
            }
            None => Err(refused),
        }
    }
}

//! Defines the settings: what was typed (the configuration map `proletarier`, as JSON) is read once, into what the program needs.
//!
//! Every key is spelled in one place, the call that takes it from its map; its default, its range and its documentation stand
//! beside. A key that nobody takes, and a value that its key doesn't take, is an error that names the full key.
//!
//! What PHP makes of maps is met: an empty array is an empty map, null is not given, integers are numbers. A string of digits is
//! no number. Durations are seconds; sizes are bytes, or strings such as "128M"; modes are integers or octal strings.

mod broker;
mod client;
mod curve;
mod dead;
mod endpoint;
mod error;
mod hygiene;
mod listener;
mod log;
mod paths;
mod permissions;
mod queues;
mod reader;
mod renew;
mod retry;
mod store;
mod unhandled;
mod value;
mod worker;

pub use broker::{BrokerSettings, MaxPending};
pub use client::{ClientSettings, Confirm, Spool};
pub use curve::Curve;
pub use dead::DeadSettings;
pub use endpoint::{Endpoint, MAX_SOCKET_PATH};
pub use error::SettingError;
pub use hygiene::HygieneSettings;
pub use listener::{ListenerOptions, ListenerTimeout, MAX_LISTENER_ID_LENGTH};
pub use log::{Level, LogFormat, LogSettings};
pub use paths::RuntimeFiles;
pub use permissions::{Permissions, Principal};
pub use queues::{MAX_QUEUE_LENGTH, QueueSettings, Queues};
pub use renew::Renewed;
pub use retry::RetryOverrides;
pub use store::Store;
pub use unhandled::{Unhandled, UnhandledAction};
pub use worker::{MAX_WORKERS, MemoryLimit, PoolSize, WorkerSettings};

use crate::retry::RetryPolicy;
use client::Surroundings;
use paths::Directories;
use reader::Reader;
use serde_json::Value;
use std::path::PathBuf;

/// All settings of a daemon, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `client`: how events are triggered (a handler triggers, too).
    pub client: ClientSettings,
    /// `broker`.
    pub broker: BrokerSettings,
    /// `worker`.
    pub worker: WorkerSettings,
    /// `retry`: the policy of listeners that have none of their own.
    pub retry: RetryPolicy,
    /// `dead`.
    pub dead: DeadSettings,
    /// `hygiene`.
    pub hygiene: HygieneSettings,
    /// `log`.
    pub log: LogSettings,
    /// `permissions`.
    pub permissions: Permissions,
    /// `unhandled`.
    pub unhandled: Unhandled,
    /// `queues`.
    pub queues: Queues,
    /// `store`.
    pub store: Store,
    /// `state_dir`: store and spool, an absolute path. No default here: that of an application is computed by its factories.
    pub state_dir: Option<PathBuf>,
    /// `runtime_dir`: sockets, lock, pid file, scoreboard; an absolute path. Default: `run` below `state_dir`.
    pub runtime_dir: PathBuf,
}

impl Settings {
    /// Reads the configuration map. The key `listeners` is not looked at.
    pub fn read(configuration: &Value) -> Result<Self, SettingError> {
        let mut root = Reader::root(configuration)?;
        root.take("listeners");
        let directories = Directories::read(&mut root)?;
        let store = root.or("store", default_store(&directories), Store::read)?;
        let broker = BrokerSettings::read(root.section("broker")?, &directories, &store)?;
        let worker = WorkerSettings::read(root.section("worker")?, &directories, broker.curve.as_ref())?;
        let mut client = root.section("client")?;
        let permissions = Permissions::read(root.section("permissions")?)?;
        let surroundings = Surroundings {
            directories: &directories,
            permissions: permissions.clone(),
            curve: broker.curve.clone(),
            curve_key: "broker.curve",
            max_message_size: Some(broker.max_message_size),
        };
        let client_settings = ClientSettings::read(&mut client, None, surroundings, || Ok(broker.bind.reached_locally()))?;
        client.finish()?;
        let settings = Self {
            client: client_settings,
            retry: RetryOverrides::read(&mut root)?.over(&RetryPolicy::default()),
            dead: DeadSettings::read(root.section("dead")?)?,
            hygiene: HygieneSettings::read(root.section("hygiene")?)?,
            log: LogSettings::read(root.section("log")?)?,
            permissions,
            unhandled: root.or("unhandled", Unhandled::default(), Unhandled::read)?,
            queues: root.or("queues", Queues::default(), Queues::read)?,
            store,
            runtime_dir: directories.runtime.ok_or(SettingError::Missing {
                key: "runtime_dir".to_owned(),
                why: "the daemon has no directory for its lock, sockets and scoreboard",
                set: "state_dir or runtime_dir",
            })?,
            state_dir: directories.state,
            broker,
            worker,
        };
        root.finish()?;
        settings.refuse_shared_endpoints()?;
        Ok(settings)
    }

    /// The files in `runtime_dir`.
    pub fn runtime_files(&self) -> RuntimeFiles<'_> {
        RuntimeFiles::new(&self.runtime_dir)
    }

    /// No two sockets can be bound to one endpoint; ZeroMQ would replace the first unix socket's file silently.
    fn refuse_shared_endpoints(&self) -> Result<(), SettingError> {
        let mut bound = vec![
            ("broker.bind", &self.broker.bind),
            ("broker.control", &self.broker.control),
            ("worker.bind", &self.worker.bind),
        ];
        bound.extend(self.broker.pull.as_ref().map(|endpoint| ("broker.pull", endpoint)));
        for (index, (key, endpoint)) in bound.iter().enumerate() {
            if let Some((other, _)) = bound[..index].iter().find(|(_, other)| other == endpoint) {
                return Err(SettingError::BadValue {
                    key: (*key).to_owned(),
                    value: endpoint.to_string(),
                    allowed: format!("another endpoint than {other}"),
                    nearest: None,
                });
            }
        }
        Ok(())
    }
}

fn default_store(directories: &Directories) -> Store {
    directories.state.as_ref().map_or(Store::Memory, |state| Store::Directory(state.join("store")))
}

#[cfg(test)]
mod tests;

//! Defines the settings of a client: `client`, and what it takes of the others.

use super::broker::{DEFAULT_MAX_MESSAGE_SIZE, message_size};
use super::curve::Curve;
use super::endpoint::{Endpoint, Purpose};
use super::error::SettingError;
use super::paths::{Directories, EVENTS_SOCKET};
use super::permissions::Permissions;
use super::reader::{Field, Reader};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// What trigger() waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confirm {
    /// The event is in the process's send queue.
    None,
    /// The same, and the client follows it up.
    Deferred,
    /// The broker has written it to the store, or it is in the spool.
    Accepted,
    /// The store, or the spool, has fsynced it.
    Synced,
}

impl Confirm {
    /// Every level with its word, the weakest first.
    pub const ALL: [(&'static str, Self); 4] =
        [("none", Self::None), ("deferred", Self::Deferred), ("accepted", Self::Accepted), ("synced", Self::Synced)];

    /// The level of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, level)| *level)
    }

    /// The word of this level.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Deferred => "deferred",
            Self::Accepted => "accepted",
            Self::Synced => "synced",
        }
    }
}

/// Where events go that no broker has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spool {
    /// Nowhere: `false`, or there is no `state_dir` to have it in.
    Off,
    /// To this directory.
    Directory(PathBuf),
}

/// `client`: how events are triggered.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientSettings {
    /// `connect`: the broker's socket for events. Default: `broker.bind`, of which a wildcard is reached by the loopback.
    pub connect: Endpoint,
    /// `mock`: the application wants the test double; read by the PHP package, nothing here acts on it. Default: false.
    pub mock: bool,
    /// `confirm`: what trigger() waits for. Default: deferred.
    pub confirm: Confirm,
    /// `timeout`: seconds that a wait lasts at most, 0.001 to 60. Default: 0.25.
    pub timeout: Duration,
    /// `spool`: a directory, true for `spool` below `state_dir` (the default where there is one), or false.
    pub spool: Spool,
    /// `spool_max`: bytes that the spool may take, 1 MiB to 1 TiB. Default: 1 GiB (this project's choice).
    pub spool_max: u64,
    /// `max_message_size`: bytes that the JSON of an event's params may have. Default and upper limit: `broker.max_message_size`.
    pub max_message_size: usize,
    /// `permissions`: whose members share the spool, and its modes. A client makes the directory where it is missing.
    pub permissions: Permissions,
    /// `broker.curve` (in a client's own options: `curve`): the broker's keys, of which a client uses the public one.
    pub curve: Option<Curve>,
}

impl ClientSettings {
    /// Reads the two arguments of `new Client($connect, $options)`: an endpoint or none, and the keys of `client` beside
    /// `state_dir`, `runtime_dir`, `permissions` and `curve`.
    pub fn from_options(connect: Option<&str>, options: &Value) -> Result<Self, SettingError> {
        let mut map = Reader::root(options)?;
        let directories = Directories::read(&mut map)?;
        let permissions = Permissions::read(map.section("permissions")?)?;
        let curve = Curve::read(&mut map)?;
        let given = connect.map(|text| Value::String(text.to_owned()));
        let given = given.as_ref().map(|value| Field { key: "connect".to_owned(), value, secret: false });
        let surroundings =
            Surroundings { directories: &directories, permissions, curve, curve_key: "curve", max_message_size: None };
        let settings = Self::read(&mut map, given, surroundings, || {
            directories.endpoint(EVENTS_SOCKET, "connect", "state_dir or runtime_dir, or connect")
        })?;
        map.finish()?;
        Ok(settings)
    }

    /// Reads the keys of `client`. `connect` goes before the key of this name, `default_connect` after it.
    pub(super) fn read(
        map: &mut Reader<'_>,
        connect: Option<Field<'_>>,
        surroundings: Surroundings<'_>,
        default_connect: impl FnOnce() -> Result<Endpoint, SettingError>,
    ) -> Result<Self, SettingError> {
        let Surroundings { directories, permissions, curve, curve_key, max_message_size } = surroundings;
        let connect_key = map.full_key("connect");
        let configured = map.optional("connect", |field| field.endpoint(Purpose::Connect))?;
        let connect = match (connect, configured) {
            (Some(given), _) => given.endpoint(Purpose::Connect)?,
            (None, Some(configured)) => configured,
            (None, None) => default_connect()?,
        };
        let most = max_message_size.unwrap_or(DEFAULT_MAX_MESSAGE_SIZE);
        Ok(Self {
            connect: connect.guarded(&connect_key, curve.as_ref(), curve_key)?,
            mock: map.or("mock", false, |field| field.boolean())?,
            confirm: map.or("confirm", Confirm::Deferred, |field| field.word(&Confirm::ALL))?,
            timeout: map.or("timeout", Duration::from_millis(250), |field| field.seconds(0.001..=60.0))?,
            spool: read_spool(map, directories)?,
            spool_max: map.or("spool_max", 1 << 30, |field| field.size(1 << 20..=1 << 40))?,
            max_message_size: map.or("max_message_size", most, |field| message_size(field, max_message_size))?,
            permissions,
            curve,
        })
    }
}

/// What a client's settings take from others.
pub(super) struct Surroundings<'a> {
    pub directories: &'a Directories,
    pub permissions: Permissions,
    pub curve: Option<Curve>,
    /// The full key that takes CURVE keys.
    pub curve_key: &'static str,
    /// The broker's limit, where it is known.
    pub max_message_size: Option<usize>,
}

fn read_spool(map: &mut Reader<'_>, directories: &Directories) -> Result<Spool, SettingError> {
    let default = directories.state.as_ref().map(|state| Spool::Directory(state.join("spool")));
    let Some(field) = map.take("spool") else {
        return Ok(default.unwrap_or(Spool::Off));
    };
    match field.value {
        Value::Bool(false) => Ok(Spool::Off),
        Value::Bool(true) => default.ok_or(SettingError::Missing {
            key: field.key,
            why: "its directory is below state_dir, which is not set",
            set: "state_dir, or give a directory",
        }),
        _ => field.unless_false(|field| field.path()).map(|path| path.map_or(Spool::Off, Spool::Directory)),
    }
}

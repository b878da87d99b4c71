//! Defines the settings of the broker: `broker`.

use super::curve::Curve;
use super::endpoint::{Endpoint, Purpose};
use super::error::SettingError;
use super::paths::{CONTROL_SOCKET, Directories, EVENTS_SOCKET};
use super::reader::{Field, Reader};
use super::store::Store;

/// Default of `broker.max_message_size`: 1 MiB.
pub(super) const DEFAULT_MAX_MESSAGE_SIZE: usize = 1 << 20;

/// `broker`: the sockets and limits of the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerSettings {
    /// `bind`: where clients connect. Default: `events.sock` in `runtime_dir`.
    pub bind: Endpoint,
    /// `pull`: where a PULL socket takes the original's wire format. Default: none.
    pub pull: Option<Endpoint>,
    /// `control`: where control commands are taken. Default: `control.sock` in `runtime_dir`.
    pub control: Endpoint,
    /// `max_message_size`: bytes that the JSON of an event's params may have, 1 KiB to 64 MiB. Default: 1 MiB.
    pub max_message_size: usize,
    /// `max_pending`: how much may wait; further events are refused as overload.
    pub max_pending: MaxPending,
    /// `synced`: whether every event is fsynced, in groups, before it is confirmed, whatever its confirm level. Default: false, where only
    /// those are that are triggered as `synced`; the others are within a second or so.
    pub synced: bool,
    /// `curve`: the broker's keys. Default: none, and TCP beyond the loopback is refused.
    pub curve: Option<Curve>,
}

/// `max_pending`: how much may wait, delayed events and retries among it. A number of events, or a map of `events` and `bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPending {
    /// Events, 1 to 1,000,000,000. Default (this project's choice): 10,000,000; 1,000,000 where the store is memory.
    pub events: u64,
    /// Bytes of their records, 64 KiB or more. Default: none.
    pub bytes: Option<u64>,
}

impl MaxPending {
    fn read(field: Field<'_>, default: u64) -> Result<Self, SettingError> {
        const EVENTS: std::ops::RangeInclusive<u64> = 1..=1_000_000_000;
        if !field.value.is_object() {
            return match field.integer(EVENTS) {
                Ok(events) => Ok(Self { events, bytes: None }),
                Err(SettingError::BadValue { key, value, allowed, nearest }) => {
                    let allowed = format!("{allowed}, or ['events' =>, 'bytes' =>]");
                    Err(SettingError::BadValue { key, value, allowed, nearest })
                }
                Err(error) => Err(error),
            };
        }
        let mut map = field.reader()?;
        let events = map.or("events", default, |field| field.integer(EVENTS))?;
        let bytes = map.optional("bytes", |field| field.size(64 << 10..=1 << 50))?;
        map.finish()?;
        Ok(Self { events, bytes })
    }
}

impl BrokerSettings {
    /// Reads the keys of `broker`. The default of `max_pending` hangs on the store.
    pub(super) fn read(mut map: Reader<'_>, directories: &Directories, store: &Store) -> Result<Self, SettingError> {
        let most = if *store == Store::Memory { 1_000_000 } else { 10_000_000 };
        let curve = Curve::read(&mut map)?;
        let bind = bound(&mut map, "bind", curve.as_ref())?;
        let control = bound(&mut map, "control", curve.as_ref())?;
        let pull = match map.take("pull") {
            Some(field) if field.is_false() => None,
            Some(field) => Some(bound_field(field, curve.as_ref())?),
            None => None,
        };
        let settings = Self {
            bind: or_socket(bind, EVENTS_SOCKET, "broker.bind", directories)?,
            pull,
            control: or_socket(control, CONTROL_SOCKET, "broker.control", directories)?,
            max_message_size: map.or("max_message_size", DEFAULT_MAX_MESSAGE_SIZE, |field| message_size(field, None))?,
            max_pending: map
                .or("max_pending", MaxPending { events: most, bytes: None }, |field| MaxPending::read(field, most))?,
            synced: map.or("synced", false, |field| read_synced(field, store))?,
            curve,
        };
        map.finish()?;
        Ok(settings)
    }
}

/// Reads `synced`: what is in memory nobody can sync.
fn read_synced(field: Field<'_>, store: &Store) -> Result<bool, SettingError> {
    let refused = field.refuse_plainly("false: the store is in memory, and true needs one in a directory");
    let synced = field.boolean()?;
    if synced && *store == Store::Memory { Err(refused) } else { Ok(synced) }
}

/// Reads the endpoint of a socket that is bound.
pub(super) fn bound(map: &mut Reader<'_>, key: &'static str, curve: Option<&Curve>) -> Result<Option<Endpoint>, SettingError> {
    map.optional(key, |field| bound_field(field, curve))
}

fn bound_field(field: Field<'_>, curve: Option<&Curve>) -> Result<Endpoint, SettingError> {
    let key = field.key.clone();
    let endpoint = field.endpoint(Purpose::Bind)?.guarded(&key, curve, "broker.curve")?;
    if !endpoint.is_local() && curve.is_some_and(|curve| curve.secret.is_none()) {
        return Err(SettingError::Missing {
            key: "broker.curve.secret".to_owned(),
            why: "a socket that is bound beyond the loopback needs it",
            set: "it to the secret key of the pair (the README tells how to make CURVE keys)",
        });
    }
    Ok(endpoint)
}

/// The endpoint, or the socket of this file in `runtime_dir`.
pub(super) fn or_socket(
    endpoint: Option<Endpoint>,
    file: &str,
    key: &str,
    directories: &Directories,
) -> Result<Endpoint, SettingError> {
    match endpoint {
        Some(endpoint) => Ok(endpoint),
        None => directories.endpoint(file, key, "state_dir or runtime_dir, or this key"),
    }
}

/// Reads a limit of bytes of a message: 1 KiB to 64 MiB or to `most`.
pub(super) fn message_size(field: Field<'_>, most: Option<usize>) -> Result<usize, SettingError> {
    let most = most.map_or(64 << 20, |most| most as u64);
    // At most 64 MiB: every usize holds it.
    field.size(1024..=most).map(|size| size as usize)
}

//! Defines the settings of the workers: `worker`.

use super::broker::{bound, or_socket};
use super::curve::Curve;
use super::endpoint::{Endpoint, Purpose};
use super::error::SettingError;
use super::paths::{Directories, WORKERS_SOCKET};
use super::reader::{Field, Reader};
use serde_json::Value;
use std::time::Duration;

/// The most workers, which is the number of slots that a scoreboard may have.
pub const MAX_WORKERS: u16 = 1024;

/// How many workers there are: always `min`, or between the two where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// The fewest: 1 to [`MAX_WORKERS`].
    pub min: u16,
    /// The most: `min` to [`MAX_WORKERS`].
    pub max: u16,
}

/// PHP's memory_limit in a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// This many bytes, where the command line's own limit is none (-1): the default, 512M.
    WhereUnlimited(u64),
    /// This many bytes, whatever the command line's own limit is.
    Bytes(u64),
    /// What the command line has.
    Untouched,
}

/// `worker`: the processes that run listeners.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSettings {
    /// `pool_size`: an integer, or `['min' =>, 'max' =>]`, 1 to 1024. Default: 5.
    pub pool_size: PoolSize,
    /// `bind`: where the broker takes workers. Default: `workers.sock` in `runtime_dir`.
    pub bind: Endpoint,
    /// `connect`: where workers find the broker. Default: `bind`, of which a wildcard is reached by the loopback.
    pub connect: Endpoint,
    /// `max_events`: events after which a worker is replaced, 1 to 4,294,967,295. Default: none.
    pub max_events: Option<u32>,
    /// `max_memory`: bytes of private memory after which a worker is replaced, 1 MiB to 1 TiB, or false. Default: 128 MiB.
    pub max_memory: Option<u64>,
    /// `max_lifetime`: seconds after which a worker is replaced (10 % jitter), 1 to 2,592,000 (30 days), or false. Default: 3600.
    pub max_lifetime: Option<Duration>,
    /// `memory_limit`: PHP's memory_limit, 1 MiB to 1 TiB, or false to leave it alone. Default: 512M where there is none.
    pub memory_limit: MemoryLimit,
    /// `timeout`: seconds that a listener may take, 0.01 to 604,800 (7 days), or false. Default: 300.
    pub timeout: Option<Duration>,
    /// `parallel`: whether a listener that does not say otherwise is a delivery of its own from the start. Default: false.
    pub parallel: bool,
    /// `boot_timeout`: seconds that a new generation may take until its first worker is ready, in a reload, 0.1 to 3600. Default (this project's choice): 30.
    pub boot_timeout: Duration,
    /// `grace`: seconds that a shutdown may take before everything is killed, 0 to 86,400. Default: 25.
    pub grace: Duration,
}

impl WorkerSettings {
    /// Reads the keys of `worker`.
    pub(super) fn read(mut map: Reader<'_>, directories: &Directories, curve: Option<&Curve>) -> Result<Self, SettingError> {
        let memory = 1 << 20..=1 << 40;
        let bind = bound(&mut map, "bind", curve)?;
        let bind = or_socket(bind, WORKERS_SOCKET, "worker.bind", directories)?;
        let connect = map
            .optional("connect", |field| field.endpoint(Purpose::Connect))?
            .unwrap_or_else(|| bind.reached_locally())
            .guarded("worker.connect", curve, "broker.curve")?;
        let settings = Self {
            pool_size: map.or("pool_size", PoolSize { min: 5, max: 5 }, read_pool_size)?,
            bind,
            connect,
            max_events: map.or("max_events", None, |field| field.unless_false(|field| field.integer(1..=u32::MAX)))?,
            max_memory: map.or("max_memory", Some(128 << 20), |field| field.unless_false(|field| field.size(memory.clone())))?,
            max_lifetime: map.or("max_lifetime", Some(Duration::from_secs(3600)), |field| {
                field.unless_false(|field| field.seconds(1.0..=2_592_000.0))
            })?,
            memory_limit: map.or("memory_limit", MemoryLimit::WhereUnlimited(512 << 20), |field| {
                let limit = field.unless_false(|field| field.size(memory.clone()))?;
                Ok(limit.map_or(MemoryLimit::Untouched, MemoryLimit::Bytes))
            })?,
            timeout: map.or("timeout", Some(Duration::from_secs(300)), read_timeout)?,
            parallel: map.or("parallel", false, |field| field.boolean())?,
            boot_timeout: map.or("boot_timeout", Duration::from_secs(30), |field| field.seconds(0.1..=3_600.0))?,
            grace: map.or("grace", Duration::from_secs(25), |field| field.seconds(0.0..=86_400.0))?,
        };
        map.finish()?;
        Ok(settings)
    }
}

/// Reads how long a listener may run.
pub(super) fn read_timeout(field: Field<'_>) -> Result<Option<Duration>, SettingError> {
    field.unless_false(|field| field.seconds(0.01..=604_800.0))
}

fn read_pool_size(field: Field<'_>) -> Result<PoolSize, SettingError> {
    if field.value.is_number() || !field.value.is_object() {
        let refused = field.refuse(format!("an integer from 1 to {MAX_WORKERS}, or ['min' => 1, 'max' => {MAX_WORKERS}]"));
        let size = field.integer(1..=MAX_WORKERS).map_err(|_| refused)?;
        return Ok(PoolSize { min: size, max: size });
    }
    let value: &Value = field.value;
    let key = field.key.clone();
    let mut map = field.reader()?;
    let min = map.optional("min", |field| field.integer(1..=MAX_WORKERS))?;
    let max = map.optional("max", |field| field.integer(1..=MAX_WORKERS))?;
    map.finish()?;
    match (min, max) {
        (Some(min), Some(max)) if min <= max => Ok(PoolSize { min, max }),
        _ => Err(Field { key, value, secret: false }.refuse_plainly("both 'min' and 'max', 'min' not above 'max'")),
    }
}

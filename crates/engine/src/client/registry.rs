//! Provides a process's connections: made by the first trigger(), used by every client object of the process, forgotten in a forked child.

use super::connection::Connection;
use super::link::LOST;
use super::{Asked, ClientError, ClientOptions, Lost};
use crate::fork;
use proletarier_core::record::Record;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A handle on this process's connection to one endpoint. Cheap to make; the connection is made by the first trigger().
#[derive(Clone)]
pub struct Client {
    options: ClientOptions,
    /// The connection, and the process that it belongs to.
    connection: RefCell<Option<(u64, Arc<Connection>)>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the broker that `options` name. Connects nothing yet.
    #[must_use]
    pub fn new(options: ClientOptions) -> Self {
        fork::watch_forks();
        Self { options, connection: RefCell::new(None) }
    }

    /// Where and how it connects.
    #[must_use]
    pub const fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Hands the event over, and returns when the level asked for says. Gives the id of another event that waits or runs in this one's place,
    /// where `unique` says so.
    ///
    /// # Errors
    /// Where the level asked for was not reached.
    pub fn trigger(&self, record: &Record<'_>, asked: impl Into<Asked>) -> Result<Option<String>, ClientError> {
        self.with(|connection| connection.trigger(record, asked.into()))?
    }

    /// Waits until every event of this process's connection is confirmed or spooled, at most `timeout`; tells how many are neither.
    pub fn flush(&self, timeout: Duration) -> usize {
        let connection = registry().known(&self.options);
        connection.map_or(0, |connection| connection.flush(timeout))
    }

    fn with<T>(&self, action: impl FnOnce(&Connection) -> T) -> Result<T, ClientError> {
        let process = fork::generation();
        let mut cached = self.connection.borrow_mut();
        match &*cached {
            Some((of, connection)) if *of == process && !connection.is_closed() => Ok(action(connection)),
            _ => {
                // A parent's connection is left alone, whole: its threads and sockets live on over there.
                if let Some(parents) = cached.take().filter(|(of, _)| *of != process) {
                    std::mem::forget(parents);
                }
                let connection = registry().connection(&self.options)?;
                let (_, connection) = cached.insert((process, connection));
                Ok(action(connection))
            }
        }
    }
}

/// This process's connections. Only its main thread, the one that may fork, ever locks this.
struct Registry {
    process: u64,
    connections: HashMap<ClientOptions, Arc<Connection>>,
}

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

/// The registry of this process; a parent's is forgotten.
struct OwnRegistry(MutexGuard<'static, Option<Registry>>);

fn registry() -> OwnRegistry {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if registry.as_ref().is_some_and(|registry| registry.process != fork::generation()) {
        std::mem::forget(registry.take());
    }
    OwnRegistry(registry)
}

impl OwnRegistry {
    fn connection(&mut self, options: &ClientOptions) -> Result<Arc<Connection>, ClientError> {
        let registry = self.0.get_or_insert_with(|| Registry { process: fork::generation(), connections: HashMap::new() });
        if let Some(connection) = registry.connections.get(options) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(Connection::open(options)?);
        registry.connections.insert(options.clone(), Arc::clone(&connection));
        Ok(connection)
    }

    fn known(&self, options: &ClientOptions) -> Option<Arc<Connection>> {
        self.0.as_ref()?.connections.get(options).cloned()
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.0.iter().flat_map(|registry| registry.connections.values())
    }
}

/// Waits, at most each client's own timeout, until this process's events are confirmed; gives up on what isn't. For a request's end.
pub fn settle() {
    for connection in registry().all() {
        connection.settle();
    }
}

/// Whether there is something for [`take_lost`] or [`take_notices`]. Costs one load.
#[must_use]
pub fn has_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// How many events of this process went to the spool.
#[must_use]
pub fn spooled() -> u64 {
    registry().all().map(|connection| connection.spooled()).sum()
}

/// Takes the events that were lost since the last call. For the error log.
#[must_use]
pub fn take_lost() -> Vec<Lost> {
    LOST.store(false, Ordering::Relaxed);
    registry().all().flat_map(|connection| connection.take_lost()).collect()
}

/// Takes what an operator should hear about this process's permissions since the last call. For the error log.
#[must_use]
pub fn take_notices() -> Vec<String> {
    registry().all().flat_map(|connection| connection.take_notices()).collect()
}

/// Closes this process's connections without waiting. For the process's end, after [`settle`].
pub fn shutdown() {
    let connections = registry().0.take().map(|registry| registry.connections);
    for connection in connections.into_iter().flat_map(HashMap::into_values) {
        connection.close();
    }
}

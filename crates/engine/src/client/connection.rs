//! Provides a process's connections: made by the first trigger(), used by every client object of the process, forgotten in a forked child.

use super::batches::Batches;
use super::helper::{self, Helper};
use super::{ClientError, ClientOptions, Confirm, Lost};
use crate::transport::{Dealer, Sent, Source, Transport, wait};
use crate::{clock, fork};
use proletarier_core::frame::{Exception, RejectCode, ToClient};
use proletarier_core::record::Record;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// One endpoint's connection in one process.
pub(super) struct Connection {
    link: Mutex<Link>,
    helper: Helper,
    closed: AtomicBool,
}

/// What a connection's threads share, under its lock.
pub(super) struct Link {
    options: ClientOptions,
    /// None when it is closed.
    transport: Option<Transport>,
    dealer: Option<Dealer>,
    pub batches: Batches,
    /// Whether this socket was connected before.
    connected: bool,
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

    /// Hands the event over, and returns when `confirm` says.
    ///
    /// # Errors
    /// Where the level asked for was not reached.
    pub fn trigger(&self, record: &Record<'_>, confirm: Confirm) -> Result<(), ClientError> {
        self.with(|connection| connection.trigger(record, confirm))?
    }

    /// Waits until every event of this process's connection is confirmed, at most `timeout`; tells how many are not.
    pub fn flush(&self, timeout: Duration) -> usize {
        let connection = registry().known(&self.options);
        connection.map_or(0, |connection| connection.flush(timeout))
    }

    fn with<T>(&self, action: impl FnOnce(&Connection) -> T) -> Result<T, ClientError> {
        let process = fork::generation();
        let mut cached = self.connection.borrow_mut();
        match &*cached {
            Some((of, connection)) if *of == process && !connection.closed.load(Ordering::Relaxed) => Ok(action(connection)),
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

impl Connection {
    fn open(options: &ClientOptions) -> Result<Arc<Self>, ClientError> {
        let mut link = Link {
            options: options.clone(),
            transport: Some(Transport::new()),
            dealer: None,
            batches: Batches::new(session()),
            connected: false,
        };
        link.connect()?;
        let failed = |reason: String| ClientError::Connect { endpoint: options.endpoint.clone(), reason };
        let helper = Helper::new().map_err(|error| failed(error.to_string()))?;
        let connection = Arc::new(Self { link: Mutex::new(link), helper, closed: AtomicBool::new(false) });
        helper::start(&connection).map_err(|error| failed(error.to_string()))?;
        Ok(connection)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Link> {
        // A panic under the lock leaves batches as they were at some step; each step leaves them whole.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn helper(&self) -> &Helper {
        &self.helper
    }

    fn trigger(&self, record: &Record<'_>, confirm: Confirm) -> Result<(), ClientError> {
        let mut link = self.lock();
        if link.batches.is_full() {
            let deadline = link.deadline();
            if !link.wait_until(deadline, |link| !link.batches.is_full()) {
                return Err(link.unavailable());
            }
        }
        let number = link.batches.gather(record, confirm != Confirm::None);
        if matches!(confirm, Confirm::None | Confirm::Deferred) {
            if link.batches.should_send() {
                link.send(false, false);
                self.helper.wake_if_asleep();
                link.receive_if_any();
            }
            return Ok(());
        }
        link.send(true, confirm == Confirm::Synced);
        self.helper.wake_if_asleep();
        let deadline = link.deadline();
        if !link.wait_until(deadline, |link| !link.batches.is_unconfirmed(number)) {
            link.batches.withdraw(number, "no broker answered in time");
            LOST.store(true, Ordering::Relaxed);
            link.reconnect();
            return Err(link.unavailable());
        }
        link.batches.take_rejection(number).map_or(Ok(()), |exception| Err(refusal(exception)))
    }

    fn flush(&self, timeout: Duration) -> usize {
        let mut link = self.lock();
        if link.batches.is_gathering() {
            link.send(false, false);
            self.helper.wake_if_asleep();
        }
        let deadline = clock::mono().plus(micros(timeout)).0;
        link.wait_until(deadline, |link| link.batches.open() == 0);
        link.batches.open()
    }

    /// Waits for confirmations until the oldest batch's time is up, then gives up what is open. Waits for those that nobody follows up, too: a
    /// process that ended at once would take them with it.
    fn settle(&self) {
        let mut link = self.lock();
        if link.batches.is_gathering() {
            link.send(false, false);
        }
        if let Some(deadline) = link.batches.next_overdue() {
            link.wait_until(deadline, |link| link.batches.next_overdue().is_none());
            link.give_up(u64::MAX);
        }
    }
}

impl Link {
    fn connect(&mut self) -> Result<(), ClientError> {
        let failed = |reason: &str| ClientError::Connect { endpoint: self.options.endpoint.clone(), reason: reason.to_owned() };
        let transport = self.transport.as_ref().ok_or_else(|| failed("the connection is closed"))?;
        let dealer = transport
            .connect_dealer(&self.options.endpoint, None, self.options.broker_key.as_deref())
            .map_err(|error| failed(error.reason()))?;
        self.connected = false;
        self.dealer = Some(dealer);
        Ok(())
    }

    /// Drops what the socket has queued, and starts over: what was given up must not arrive later, what is open must.
    fn reconnect(&mut self) {
        self.dealer = None;
        if self.connect().is_ok() {
            self.send_again();
        }
    }

    /// What becomes readable when [`Self::receive`] should be called: frames' and connections' edges.
    pub fn edges(&self) -> Option<[std::os::fd::RawFd; 2]> {
        let dealer = self.dealer.as_ref()?;
        Some([dealer.socket.edge().ok()?, dealer.connections.edge().ok()?])
    }

    fn deadline(&self) -> u64 {
        clock::mono().plus(micros(self.options.timeout)).0
    }

    fn unavailable(&self) -> ClientError {
        ClientError::Unavailable { endpoint: self.options.endpoint.clone(), seconds: self.options.timeout.as_secs_f64() }
    }

    /// Sends what has gathered.
    pub fn send(&mut self, awaited: bool, synced: bool) {
        let overdue_at = self.deadline();
        let frame = self.batches.seal(overdue_at, awaited, synced);
        if let Some(dealer) = &self.dealer
            && dealer.socket.send(frame) == Sent::Gone
        {
            self.reconnect();
        }
    }

    fn send_again(&self) {
        if let Some(dealer) = &self.dealer {
            for frame in self.batches.unconfirmed() {
                dealer.socket.send(frame);
            }
        }
    }

    /// Takes in what the broker said, if sending has shown that there is something: the helper's edge may be spent by that.
    fn receive_if_any(&mut self) {
        if self.dealer.as_ref().is_some_and(|dealer| dealer.socket.is_readable()) {
            self.receive();
        }
    }

    /// Takes in all that the broker said.
    pub fn receive(&mut self) {
        while let Some(frame) = self.dealer.as_ref().and_then(|dealer| dealer.socket.receive_one()) {
            // What can't be read, or was refused as a whole, stays unconfirmed, and is given up when its time comes.
            if let Ok(ToClient::Confirm(confirmation)) = ToClient::decode(&frame) {
                LOST.fetch_or(!confirmation.exceptions.is_empty(), Ordering::Relaxed);
                self.batches.confirmed(confirmation);
            }
        }
        // Connected again: what was unconfirmed may be lost with the connection, or with the broker. One that has it already drops the copy.
        if self.dealer.as_ref().is_some_and(|dealer| dealer.connected() > 0) && std::mem::replace(&mut self.connected, true) {
            self.send_again();
        }
    }

    /// Receives and sends until `done`, at most until `deadline`. Tells whether it is done.
    fn wait_until(&mut self, deadline: u64, done: impl Fn(&Self) -> bool) -> bool {
        loop {
            self.receive();
            if self.batches.should_send() {
                self.send(false, false);
            }
            if done(self) {
                return true;
            }
            let now = clock::mono().0;
            let Some(dealer) = self.dealer.as_ref().filter(|_| now < deadline) else { return false };
            let sources = [Source::Socket(&dealer.socket), Source::Socket(&dealer.connections)];
            wait(sources, Some(Duration::from_micros(deadline - now)));
        }
    }

    /// Gives up what is overdue at `now`.
    pub fn give_up(&mut self, now: u64) {
        if self.batches.next_overdue().is_some_and(|overdue| overdue <= now) {
            let reason = self.unavailable().to_string();
            if self.batches.give_up(now, &reason) {
                LOST.store(true, Ordering::Relaxed);
                self.reconnect();
            }
        }
    }
}

fn refusal(exception: Exception) -> ClientError {
    match exception.code {
        RejectCode::Overloaded => ClientError::Overloaded(exception.reason),
        RejectCode::Malformed | RejectCode::TooLarge => ClientError::Rejected(exception.reason),
    }
}

fn micros(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX)
}

fn session() -> [u8; 16] {
    (u128::from(clock::random()) << 64 | u128::from(clock::random())).to_le_bytes()
}

/// Some connection of this process has given events up.
static LOST: AtomicBool = AtomicBool::new(false);

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
        let connection = Connection::open(options)?;
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

/// Whether there is something for [`take_lost`]. Costs one load.
#[must_use]
pub fn has_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Takes the events that were given up since the last call. For the error log.
#[must_use]
pub fn take_lost() -> Vec<Lost> {
    LOST.store(false, Ordering::Relaxed);
    registry().all().flat_map(|connection| connection.lock().batches.take_lost()).collect()
}

/// Closes this process's connections without waiting. For the process's end, after [`settle`].
pub fn shutdown() {
    let connections = registry().0.take().map(|registry| registry.connections);
    for connection in connections.into_iter().flat_map(HashMap::into_values) {
        connection.closed.store(true, Ordering::Relaxed);
        helper::stop(&connection);
        // Client objects may hold it on: what matters is that its sockets and threads are gone.
        let mut link = connection.lock();
        link.dealer = None;
        link.transport = None;
    }
}

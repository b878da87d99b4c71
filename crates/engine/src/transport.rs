//! Provides the sockets. The only file that names ZeroMQ: everything else sends and receives frames.

use bytes::Bytes;
use proletarier_core::settings::{Curve, Endpoint};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Frames that a peer may have unread before the broker drops confirmations for it; it sends its events again, and is told then.
const UNREAD: i32 = 1_000;
/// Frames of a peer that the broker's socket takes in before it has read them; beyond, the peer waits. A client's batch has up to 60 KB.
const UNHEARD: i32 = 100;
/// How long a lost connection waits before it tries again, in milliseconds: at first, and at most.
const RECONNECT: (i32, i32) = (10, 500);
/// ZeroMQ waits for at most so many milliseconds until a peer has shaken hands.
const HANDSHAKE: i32 = 5_000;

/// Why a socket can't do what it is asked.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct TransportError {
    what: String,
    reason: String,
}

impl TransportError {
    fn new(what: impl Into<String>, error: zmq::Error) -> Self {
        Self { what: what.into(), reason: error.to_string() }
    }

    /// What the system said, without what was tried.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// What sending came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Yes,
    /// The peer's queue is full.
    Full,
    /// There is no such peer, or no more.
    Gone,
}

/// ZeroMQ's own version: major, minor, patch.
#[must_use]
pub fn version() -> (i32, i32, i32) {
    zmq::version()
}

/// A process's sockets belong to one of these. Never used over a fork: a child forgets its parent's.
pub struct Transport(zmq::Context);

/// A socket.
pub struct Socket(zmq::Socket);

/// A peer's end, which connects by itself, and again when the connection is lost.
pub struct Dealer {
    /// For frames.
    pub socket: Socket,
    /// Has a message for each time that it was connected, or lost its connection.
    pub connections: Socket,
}

/// What became of a [`Dealer`]'s connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The two ends have shaken hands.
    Connected,
    /// The connection is lost.
    Lost,
}

impl Dealer {
    /// What became of the connection since the last call, in order.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        std::iter::from_fn(|| self.connections.receive()).map(|parts| {
            let event = parts.first().and_then(|part| part.get(..2)?.try_into().ok()).map_or(0, u16::from_ne_bytes);
            if event == zmq::SocketEvent::DISCONNECTED.to_raw() { Change::Lost } else { Change::Connected }
        })
    }

    /// How often it was connected since the last call.
    pub fn connected(&self) -> usize {
        self.changes().filter(|change| *change == Change::Connected).count()
    }
}

impl Transport {
    /// A new one, with threads of its own.
    #[must_use]
    pub fn new() -> Self {
        Self(zmq::Context::new())
    }

    fn socket(&self, kind: zmq::SocketType, purpose: &str) -> Result<Socket, TransportError> {
        let failed = |error| TransportError::new(format!("can't make the socket for {purpose}"), error);
        let socket = self.0.socket(kind).map_err(failed)?;
        socket.set_linger(0).and_then(|()| socket.set_handshake_ivl(HANDSHAKE)).map_err(failed)?;
        Ok(Socket(socket))
    }

    /// The broker's end for peers that it answers by address. A frame over `largest` bytes costs its sender the connection. TCP is encrypted where
    /// there are keys.
    ///
    /// # Errors
    /// When the address can't be bound.
    pub fn bind_router(&self, endpoint: &Endpoint, largest: usize, curve: Option<&Curve>) -> Result<Socket, TransportError> {
        let (secret, endpoint) = (tcp_key(endpoint, curve.and_then(|curve| curve.secret.as_deref())), endpoint.to_string());
        let endpoint = endpoint.as_str();
        let socket = self.socket(zmq::ROUTER, endpoint)?;
        let set = || {
            serve_encrypted(&socket, secret)?;
            socket.0.set_router_mandatory(true)?;
            // A worker whose connection was lost comes again by its address, and this end may not have seen it go.
            socket.0.set_router_handover(true)?;
            socket.0.set_sndhwm(UNREAD)?;
            socket.0.set_rcvhwm(UNHEARD)?;
            socket.0.set_maxmsgsize(i64::try_from(largest).unwrap_or(i64::MAX))?;
            socket.0.bind(endpoint)
        };
        set().map_err(|error| TransportError::new(format!("can't bind {endpoint}"), error))?;
        Ok(socket)
    }

    /// The end that takes the original's frames.
    ///
    /// # Errors
    /// When the address can't be bound.
    pub fn bind_pull(&self, endpoint: &Endpoint, largest: usize, curve: Option<&Curve>) -> Result<Socket, TransportError> {
        let (secret, endpoint) = (tcp_key(endpoint, curve.and_then(|curve| curve.secret.as_deref())), endpoint.to_string());
        let endpoint = endpoint.as_str();
        let socket = self.socket(zmq::PULL, endpoint)?;
        let set = || {
            serve_encrypted(&socket, secret)?;
            socket.0.set_maxmsgsize(i64::try_from(largest).unwrap_or(i64::MAX))?;
            socket.0.bind(endpoint)
        };
        set().map_err(|error| TransportError::new(format!("can't bind {endpoint}"), error))?;
        Ok(socket)
    }

    /// Where it is told of the connections that `socket` takes, and what becomes of them.
    ///
    /// # Errors
    /// When the machine has no sockets left.
    pub fn arrivals_at(&self, socket: &Socket) -> Result<Socket, TransportError> {
        use zmq::SocketEvent::{ACCEPTED, DISCONNECTED, HANDSHAKE_SUCCEEDED};
        self.events_of(socket, &[ACCEPTED, HANDSHAKE_SUCCEEDED, DISCONNECTED])
    }

    fn events_of(&self, socket: &Socket, events: &[zmq::SocketEvent]) -> Result<Socket, TransportError> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        // A name is free again only some time after its socket has gone.
        let endpoint = format!("inproc://events-{}", SERIAL.fetch_add(1, Ordering::Relaxed));
        let monitor = self.socket(zmq::PAIR, &endpoint)?;
        let events = events.iter().fold(0, |mask, event| mask | i32::from(event.to_raw()));
        let set = || socket.0.monitor(&endpoint, events).and_then(|()| monitor.0.connect(&endpoint));
        set().map_err(|error| TransportError::new("can't watch a socket's connections", error))?;
        Ok(monitor)
    }

    /// A peer's end. With `identity`, that is its address. With the broker's public key TCP is encrypted, and the broker is proven to have the secret one.
    ///
    /// # Errors
    /// When `endpoint` is none.
    pub fn connect_dealer(
        &self,
        endpoint: &str,
        identity: Option<&str>,
        broker_key: Option<&str>,
    ) -> Result<Dealer, TransportError> {
        let socket = self.socket(zmq::DEALER, endpoint)?;
        let connections = self.events_of(&socket, &[zmq::SocketEvent::HANDSHAKE_SUCCEEDED, zmq::SocketEvent::DISCONNECTED])?;
        let set = || {
            if let Some(key) = broker_key {
                let own = zmq::CurveKeyPair::new()?;
                socket.0.set_curve_serverkey(&z85(key)?)?;
                socket.0.set_curve_publickey(&own.public_key)?;
                socket.0.set_curve_secretkey(&own.secret_key)?;
            }
            socket.0.set_reconnect_ivl(RECONNECT.0)?;
            socket.0.set_reconnect_ivl_max(RECONNECT.1)?;
            if let Some(identity) = identity {
                socket.0.set_identity(identity.as_bytes())?;
            }
            socket.0.connect(endpoint)
        };
        set().map_err(|error| TransportError::new(format!("can't connect to {endpoint}"), error))?;
        Ok(Dealer { socket, connections })
    }
}

/// The key that a socket at `endpoint` uses: TCP's alone, as a unix socket has its file's permissions.
#[must_use]
pub fn tcp_key<'a>(endpoint: &Endpoint, key: Option<&'a str>) -> Option<&'a str> {
    key.filter(|_| matches!(endpoint, Endpoint::Tcp { .. }))
}

fn serve_encrypted(socket: &Socket, secret: Option<&str>) -> zmq::Result<()> {
    if let Some(secret) = secret {
        socket.0.set_curve_server(true)?;
        socket.0.set_curve_secretkey(&z85(secret)?)?;
    }
    Ok(())
}

fn z85(key: &str) -> zmq::Result<Vec<u8>> {
    zmq::z85_decode(key).map_err(|_| zmq::Error::EINVAL)
}

impl Default for Transport {
    fn default() -> Self {
        Self::new()
    }
}

impl Socket {
    /// Sends a frame, to the other end. Never waits.
    pub fn send(&self, frame: &[u8]) -> Sent {
        sent(self.0.send(frame, zmq::DONTWAIT))
    }

    /// Sends a frame to the peer at `address`. Never waits.
    pub fn send_to(&self, address: &[u8], frame: &[u8]) -> Sent {
        match sent(self.0.send(address, zmq::DONTWAIT | zmq::SNDMORE)) {
            Sent::Yes => sent(self.0.send(frame, zmq::DONTWAIT)),
            other => other,
        }
    }

    /// The same with an empty part between, as REQ sockets want it.
    pub fn answer_to(&self, address: &[u8], frame: &[u8]) -> Sent {
        match sent(self.0.send(address, zmq::DONTWAIT | zmq::SNDMORE)) {
            Sent::Yes => match sent(self.0.send(&b""[..], zmq::DONTWAIT | zmq::SNDMORE)) {
                Sent::Yes => sent(self.0.send(frame, zmq::DONTWAIT)),
                other => other,
            },
            other => other,
        }
    }

    /// The next message's parts, if one is there. Never waits.
    pub fn receive(&self) -> Option<Vec<Bytes>> {
        let mut parts = Vec::with_capacity(2);
        loop {
            let part = self.0.recv_msg(zmq::DONTWAIT).ok()?;
            let more = part.get_more();
            parts.push(Bytes::from_owner(Part(part)));
            if !more {
                return Some(parts);
            }
        }
    }

    /// The next message, which should have one part; one of several comes as an empty frame. Never waits.
    pub fn receive_one(&self) -> Option<Bytes> {
        let mut parts = self.receive()?;
        Some(if parts.len() == 1 { parts.remove(0) } else { Bytes::new() })
    }

    /// Whether a message is there. Also clears the edge that [`Self::edge`] told of.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.0.get_events().is_ok_and(|events| events.contains(zmq::POLLIN))
    }

    /// Becomes readable when [`Self::is_readable`] should be asked; after sending it should be asked, too.
    ///
    /// # Errors
    /// When the socket is broken.
    pub fn edge(&self) -> Result<RawFd, TransportError> {
        self.0.get_fd().map_err(|error| TransportError::new("can't watch a socket", error))
    }
}

fn sent(result: zmq::Result<()>) -> Sent {
    match result {
        Ok(()) => Sent::Yes,
        Err(zmq::Error::EAGAIN) => Sent::Full,
        Err(_) => Sent::Gone,
    }
}

/// What becomes of a peer that connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It has this connection, and has not shaken hands.
    Came(u32),
    /// One of those that came has shaken hands. ZeroMQ does not say which.
    ShookHands,
    /// It has left.
    Left(u32),
}

impl Socket {
    /// The next message of a socket that [`Transport::arrivals_at`] made.
    pub fn arrival(&self) -> Option<Arrival> {
        let parts = self.receive()?;
        let (event, value) = parts.first()?.split_at_checked(2)?;
        let event = u16::from_ne_bytes(event.try_into().ok()?);
        let connection = u32::from_ne_bytes(value.try_into().ok()?);
        Some(if event == zmq::SocketEvent::ACCEPTED.to_raw() {
            Arrival::Came(connection)
        } else if event == zmq::SocketEvent::DISCONNECTED.to_raw() {
            Arrival::Left(connection)
        } else {
            Arrival::ShookHands
        })
    }
}

/// A received part, which frames are slices of.
struct Part(zmq::Message);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Something to wait for.
pub enum Source<'a> {
    /// A message on a socket.
    Socket(&'a Socket),
    /// Something to read from a descriptor, or its end.
    Descriptor(BorrowedFd<'a>),
    /// A socket's [`Socket::edge`].
    Edge(RawFd),
    /// Nothing: for something that is not there.
    Never,
}

/// Waits until one of `sources` has something, `timeout` is over (none: without end), or a signal comes. Tells which have.
pub fn wait<const N: usize>(sources: [Source<'_>; N], timeout: Option<Duration>) -> [bool; N] {
    let mut items = sources.map(|source| match source {
        Source::Socket(socket) => socket.0.as_poll_item(zmq::POLLIN),
        Source::Descriptor(descriptor) => zmq::PollItem::from_fd(descriptor.as_raw_fd(), zmq::POLLIN | zmq::POLLERR),
        Source::Edge(descriptor) => zmq::PollItem::from_fd(descriptor, zmq::POLLIN),
        // poll() passes over descriptors below 0.
        Source::Never => zmq::PollItem::from_fd(-1, zmq::POLLIN),
    });
    // Rounded up: to wake a little late costs less than to spin for the rest of a millisecond.
    let millis = timeout.map_or(-1, |timeout| i64::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(i64::MAX));
    match zmq::poll(&mut items, millis) {
        Ok(_) => items.map(|item| !item.get_revents().is_empty()),
        Err(_) => [false; N],
    }
}

//! Defines a connection's link: a socket and the batches that go over it. Under its connection's lock, whichever thread has it.

use super::batches::Batches;
use super::{ClientError, ClientOptions};
use crate::clock;
use crate::transport::{Dealer, Sent, Source, Transport, wait};
use proletarier_core::frame::{Session, ToClient};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Some link of this process has given events up.
pub(super) static LOST: AtomicBool = AtomicBool::new(false);

/// The socket, and what is on its way.
pub(super) struct Link {
    options: ClientOptions,
    /// None when it is closed.
    transport: Option<Transport>,
    dealer: Option<Dealer>,
    pub batches: Batches,
    /// Whether this socket was connected before.
    connected: bool,
}

impl Link {
    /// A link to the broker that `options` name, not yet connected at the other end.
    pub fn open(options: &ClientOptions) -> Result<Self, ClientError> {
        let mut link = Self {
            options: options.clone(),
            transport: Some(Transport::new()),
            dealer: None,
            batches: Batches::new(session()),
            connected: false,
        };
        link.connect()?;
        Ok(link)
    }

    /// Closes it without waiting: sockets and threads are gone after.
    pub fn close(&mut self) {
        self.dealer = None;
        self.transport = None;
    }

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
    pub fn reconnect(&mut self) {
        self.dealer = None;
        if self.connect().is_ok() {
            self.send_again();
        }
    }

    /// What becomes readable when [`Self::receive`] should be called: frames' and connections' edges.
    pub fn edges(&self) -> Option<[RawFd; 2]> {
        let dealer = self.dealer.as_ref()?;
        Some([dealer.socket.edge().ok()?, dealer.connections.edge().ok()?])
    }

    pub fn deadline(&self) -> u64 {
        clock::mono().plus(micros(self.options.timeout)).0
    }

    pub fn unavailable(&self) -> ClientError {
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
    pub fn receive_if_any(&mut self) {
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
    pub fn wait_until(&mut self, deadline: u64, done: impl Fn(&Self) -> bool) -> bool {
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

pub(super) fn micros(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX)
}

fn session() -> Session {
    (u128::from(clock::random()) << 64 | u128::from(clock::random())).to_le_bytes()
}

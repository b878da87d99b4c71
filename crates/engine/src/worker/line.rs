//! Provides a worker's connection to the broker.

use super::Post;
use crate::clock;
use crate::signals::Signals;
use crate::ties::Lifeline;
use crate::transport::{Dealer, Source, Transport, TransportError, tcp_key, wait};
use bytes::Bytes;
use proletarier_core::frame::WorkerFrame;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// A worker away from its broker says so often that it lives, in microseconds: a sixth of the lease.
const HEARTBEAT: u64 = 5_000_000;

pub(super) struct Line {
    /// Declared before the transport, which waits for its sockets when it goes.
    dealer: Dealer,
    _transport: Transport,
    remote: bool,
    frame: RefCell<Vec<u8>>,
    beat: Cell<u64>,
    /// The broker at the other end has asked who this is since the connection was made.
    met: Cell<bool>,
}

impl Line {
    pub fn open(post: &Post<'_>) -> Result<Self, TransportError> {
        let transport = Transport::new();
        let incarnation = post.scoreboard.slot(post.slot).map_or(0, crate::scoreboard::Slot::incarnation);
        let address = format!("W{}.{}.{incarnation}", post.host, post.slot);
        let connect = &post.settings.worker.connect;
        let key = tcp_key(connect, post.settings.broker.curve.as_ref().map(|curve| curve.public.as_str()));
        let dealer = transport.connect_dealer(&connect.to_string(), Some(&address), key)?;
        Ok(Self {
            dealer,
            _transport: transport,
            remote: !post.host.is_empty(),
            frame: RefCell::default(),
            beat: Cell::new(clock::mono().0),
            met: Cell::new(false),
        })
    }

    pub fn send(&self, frame: &WorkerFrame) {
        let mut bytes = self.frame.borrow_mut();
        bytes.clear();
        frame.encode(&mut bytes);
        // A full or broken connection loses it; the broker asks anew when it is there again, and the scoreboard knows meanwhile.
        self.dealer.socket.send(&bytes);
        self.beat.set(clock::mono().0);
    }

    pub fn receive(&self) -> Option<Bytes> {
        self.dealer.socket.receive_one()
    }

    pub fn is_heartbeat_due(&self) -> bool {
        self.remote && clock::mono().0 >= self.beat.get() + HEARTBEAT
    }

    /// Waits for a frame, a signal or the parent's end.
    pub fn wait(&self, signals: &Signals, lines: [&Lifeline; 2], timeout: Option<Duration>) {
        let timeout =
            if self.remote { Some(timeout.unwrap_or(Duration::MAX).min(Duration::from_micros(HEARTBEAT))) } else { timeout };
        let sources = [
            Source::Socket(&self.dealer.socket),
            Source::Socket(&self.dealer.connections),
            Source::Descriptor(signals.descriptor()),
            Source::Descriptor(lines[0].descriptor()),
            Source::Descriptor(lines[1].descriptor()),
        ];
        let [_, connected, _, _, _] = wait(sources, timeout);
        if connected {
            self.greet();
        }
    }

    /// Waits for a frame.
    pub fn wait_for_frame(&self, timeout: Duration) {
        let [_, connected] = wait([Source::Socket(&self.dealer.socket), Source::Socket(&self.dealer.connections)], Some(timeout));
        if connected {
            self.greet();
        }
    }

    /// Begins each connection with an empty frame: a broker that does not know the worker asks who it is, one that does knows that the
    /// connection before was lost.
    fn greet(&self) {
        for _ in 0..self.dealer.connected() {
            self.met.set(false);
            self.dealer.socket.send(&[]);
        }
    }

    /// The broker has asked who this is, and is being told.
    pub fn meet(&self) {
        self.met.set(true);
    }

    /// Whether the broker at the other end is the one that was told who this is. Greets one that is new.
    pub fn is_met(&self) -> bool {
        self.greet();
        self.met.get()
    }
}

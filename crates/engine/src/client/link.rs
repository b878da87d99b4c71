//! Defines a connection's link: a socket and the batches that go over it. Under its connection's lock, whichever thread has it.

use super::batches::{Batches, GivenUp};
use super::notices::{self, Notices};
use super::outlet::Outlet;
use super::{Asked, ClientError, ClientOptions, Confirm, Lost};
use crate::clock;
use crate::spool::SpoolError;
use crate::transport::{Change, Dealer, Sent, Source, Transport, wait};
use proletarier_core::frame::{Session, ToClient};
use proletarier_core::record::Record;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Some link of this process has something for a log: events that are lost, or a notice.
pub(super) static LOST: AtomicBool = AtomicBool::new(false);

/// A broker that has just connected says something within this, in microseconds, unless it is stuck.
const MOMENT: u64 = 5_000;

/// The socket, and what is on its way.
pub(super) struct Link {
    options: ClientOptions,
    /// None when it is closed.
    transport: Option<Transport>,
    dealer: Option<Dealer>,
    pub batches: Batches,
    outlet: Option<Outlet>,
    pub notices: Notices,
    state: State,
}

/// A socket that could not connect for so long, in microseconds, tries less and less often: a new one tries at once.
const TIRED: u64 = 20_000;

/// What is known of the socket's connection.
#[derive(Default)]
struct State {
    /// When the socket was made: monotonic, microseconds.
    since: u64,
    /// It was connected before.
    connected: bool,
    /// It is connected.
    up: bool,
    /// A broker has confirmed something since it connected: it is waited for whatever other processes say.
    trusted: bool,
    /// The socket has queued frames that no broker has.
    queued: bool,
    /// Nobody was there: frames are held back until somebody is, so that none is queued which the spool has.
    holding: bool,
}

impl Link {
    /// A link to the broker that `options` name, not yet connected at the other end.
    pub fn open(options: &ClientOptions) -> Result<Self, ClientError> {
        let mut link = Self {
            options: options.clone(),
            transport: Some(Transport::new()),
            dealer: None,
            batches: Batches::new(session()),
            outlet: options.spool.clone().map(Outlet::new),
            notices: Notices::default(),
            state: State::default(),
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
        self.state = State { since: clock::mono().0, holding: self.state.holding, ..State::default() };
        self.dealer = Some(dealer);
        Ok(())
    }

    /// Drops what the socket has queued, and starts over: what was given up must not arrive later, what is open must.
    fn reconnect(&mut self) {
        self.dealer = None;
        if self.connect().is_ok() && !self.state.holding {
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

    /// Whether there is a spool to go to.
    pub const fn has_spool(&self) -> bool {
        self.outlet.is_some()
    }

    /// Whether the spool has events for a broker that is there.
    pub fn may_drain(&mut self) -> bool {
        self.state.trusted && self.outlet.as_mut().is_some_and(Outlet::has_events)
    }

    /// How many events went to the spool.
    pub fn spooled(&self) -> u64 {
        self.outlet.as_ref().map_or(0, |outlet| outlet.spooled)
    }

    /// Sends what has gathered, unless it has to wait for a confirmation: it is sent when that has come. Tells whether it did.
    pub fn send_if_free(&mut self) -> bool {
        let is_free = self.batches.is_gathering() && !self.batches.would_overtake(false);
        if is_free {
            self.send(None, false);
        }
        is_free
    }

    /// Sends what has gathered. `awaited`: the number of an event whose caller waits.
    pub fn send(&mut self, awaited: Option<u64>, synced: bool) {
        let overdue_at = self.deadline();
        let frame = self.batches.seal(overdue_at, awaited, synced);
        if self.state.holding && !self.state.up {
            return;
        }
        self.state.queued |= !self.state.up;
        if let Some(dealer) = &self.dealer
            && dealer.socket.send(frame) == Sent::Gone
        {
            self.reconnect();
        }
    }

    fn send_again(&mut self) {
        if let Some(dealer) = &self.dealer {
            for frame in self.batches.unconfirmed() {
                self.state.queued |= !self.state.up;
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
                if !std::mem::replace(&mut self.state.trusted, true)
                    && let Some(outlet) = &mut self.outlet
                {
                    outlet.found_broker();
                }
            }
        }
        self.take_in_changes();
        if self.batches.has_given_up() {
            self.batches.give_up_behind("it has a key, and is behind events that the broker refused for overload");
            self.spool_given_up();
        }
    }

    fn take_in_changes(&mut self) {
        let changes: Vec<Change> = self.dealer.iter().flat_map(Dealer::changes).collect();
        for change in changes {
            self.state.up = change == Change::Connected;
            if change == Change::Lost {
                self.state.trusted = false;
                continue;
            }
            let (again, held) =
                (std::mem::replace(&mut self.state.connected, true), std::mem::replace(&mut self.state.holding, false));
            self.state.queued = false;
            if let Some(outlet) = &mut self.outlet {
                outlet.connected();
            }
            // Connected again: what was unconfirmed may be lost with the connection, or with the broker. One that has it already drops the copy.
            if again || held {
                self.send_again();
            }
        }
    }

    /// Receives and sends until `done`, at most until `deadline`. Tells whether it is done.
    pub fn wait_until(&mut self, deadline: u64, done: impl Fn(&Self) -> bool) -> bool {
        loop {
            self.receive();
            if self.batches.should_send() {
                self.send(None, false);
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

    /// Whether a wait is known to be in vain, and there is a spool to go to. Asked for when one is about to begin.
    pub fn is_hopeless(&mut self) -> bool {
        let Some(outlet) = self.outlet.as_ref().filter(|_| !self.state.trusted) else { return false };
        let is_hopeless = outlet.is_hopeless();
        if is_hopeless {
            self.hold();
        } else {
            outlet.begin_wait();
        }
        is_hopeless
    }

    /// The same, but without a wait where that is hopeless.
    pub fn wait_unless_hopeless(&mut self, deadline: u64, done: impl Fn(&Self) -> bool) -> bool {
        self.receive();
        // Somebody is there, whatever others have found: a moment tells.
        let moment = clock::mono().plus(MOMENT).0.min(deadline);
        if done(self) || self.state.up && !self.state.trusted && self.wait_until(moment, &done) {
            return true;
        }
        !self.is_hopeless() && self.wait_patiently(deadline, done)
    }

    /// The same for what may not be spooled: it is waited for whatever is known.
    pub fn wait_patiently(&mut self, deadline: u64, done: impl Fn(&Self) -> bool) -> bool {
        if !self.state.up && clock::mono().0.saturating_sub(self.state.since) > TIRED {
            self.reconnect();
        }
        let in_time = self.wait_until(deadline, done);
        if !in_time {
            self.waited_in_vain();
        }
        in_time
    }

    /// A wait was in vain: other processes need not try, and whoever may not connect is told why.
    pub fn waited_in_vain(&mut self) {
        let denied = if self.state.up { None } else { notices::denied(&self.options.endpoint) };
        let is_denied = denied.is_some();
        if let Some(words) = denied {
            self.notices.tell(words);
        }
        if let Some(outlet) = &mut self.outlet {
            outlet.waited_in_vain(is_denied);
        }
        self.hold();
    }

    /// What is sent next is for a broker that is there. What the socket has queued for one that isn't is dropped with it.
    fn hold(&mut self) {
        let stale = self.state.queued || self.state.up;
        self.state.holding = true;
        if stale {
            self.reconnect();
        }
    }

    /// Gives up what is overdue at `now`, and what is behind it.
    pub fn give_up(&mut self, now: u64) {
        if self.batches.is_overdue(now) {
            self.give_up_all();
            self.waited_in_vain();
        }
    }

    /// Gives up everything that is not awaited: to the spool, or else to a log.
    pub fn give_up_all(&mut self) {
        if self.batches.is_gathering() {
            let overdue_at = self.deadline();
            self.batches.seal(overdue_at, None, false);
        }
        let reason = self.unavailable().to_string();
        self.batches.give_up(&reason);
        self.spool_given_up();
    }

    fn spool_given_up(&mut self) {
        let events = self.batches.take_given_up();
        if events.is_empty() {
            return;
        }
        let failed = match self.put(&events, false) {
            None => Some(String::new()),
            Some(put) => put.err().map(|error| format!("; {error}")),
        };
        if let Some(why) = failed {
            let lost = events.into_iter().map(|event| Lost { record: event.record, reason: format!("{}{why}", event.reason) });
            self.batches.lose(lost);
            LOST.store(true, Ordering::Relaxed);
        }
    }

    /// The caller of this event has waited long enough: it goes to the spool, or its caller is told that it is nowhere.
    pub fn withdraw(&mut self, number: u64, asked: Asked) -> Result<(), ClientError> {
        let unavailable = self.unavailable();
        // What was triggered before it goes before it.
        let reason = unavailable.to_string();
        self.batches.give_up(&reason);
        let Some(event) = self.batches.withdraw(number, &reason) else { return Err(unavailable) };
        self.spool_given_up();
        self.hold();
        self.spool_one(event, asked).unwrap_or(Err(unavailable))
    }

    /// Whether an event with a key has to go behind others of this process, which are in the spool.
    pub fn is_behind_spool(&mut self) -> bool {
        self.outlet.as_mut().is_some_and(Outlet::is_undrained)
    }

    /// Spools an event without sending it.
    pub fn spool(&mut self, record: &Record<'_>, asked: Asked) -> Result<(), ClientError> {
        if self.batches.is_gathering() {
            self.send(None, false);
        }
        let (number, mut bytes) = (self.batches.take_number(), Vec::new());
        record.encode(&mut bytes);
        let unavailable = self.unavailable();
        let event = GivenUp { number, record: bytes, reason: unavailable.to_string() };
        self.spool_one(event, asked).unwrap_or(Err(unavailable))
    }

    /// None where it may not be spooled.
    fn spool_one(&mut self, event: GivenUp, asked: Asked) -> Option<Result<(), ClientError>> {
        if !asked.spool {
            return None;
        }
        let put = self.put(std::slice::from_ref(&event), asked.confirm == Confirm::Synced)?;
        Some(put.map_err(|error| ClientError::unspooled(event.reason, error)))
    }

    /// Puts events into the spool; none where there is none.
    fn put(&mut self, events: &[GivenUp], synced: bool) -> Option<Result<(), SpoolError>> {
        let put = self.outlet.as_mut()?.put(self.batches.session(), events, synced);
        if let Err(error) = put.as_ref()
            && error.is_denied()
        {
            self.notices.tell(error.to_string());
        }
        Some(put)
    }
}

pub(super) fn micros(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX)
}

fn session() -> Session {
    (u128::from(clock::random()) << 64 | u128::from(clock::random())).to_le_bytes()
}

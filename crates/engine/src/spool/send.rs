//! Drains the spool to a broker elsewhere, over its socket for clients: what a daemon on this machine does by itself.

use super::discard::claim;
use super::{Disk as _, Draining, SpoolError, SpoolOptions, Spooled, System, Unreadable, damaged, format};
use crate::clock;
use crate::transport::{Dealer, Sent as Socketed, Source, Transport, wait};
use proletarier_core::frame::{Confirmation, Publish, RejectCode, ToClient};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Bytes that are read at once.
const SLICE: usize = 256 * 1024;
/// Bytes of a frame, as a client's batch has them.
const FULL: usize = 60 * 1024;
/// Bytes that an event may have beside the largest params: a broker takes frames that are larger than these by a little more.
const ROOM: usize = 100 * 1024;
/// Frames that are unconfirmed at most.
const IN_FLIGHT: usize = 4;
/// Whether it is to stop is asked so often.
const ASK: Duration = Duration::from_millis(50);

/// Where to send.
#[derive(Clone, Debug)]
pub struct Target {
    /// The broker's endpoint.
    pub endpoint: String,
    /// Its public CURVE key, for TCP.
    pub broker_key: Option<String>,
    /// How long a broker may say nothing.
    pub timeout: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Sent {
    /// Events that the broker has synced, or had before.
    pub events: u64,
    /// Events larger than it takes: set aside with what is damaged.
    pub too_large: u64,
    /// What could not be read, and was set aside.
    pub unreadable: Vec<Unreadable>,
    /// Why there are some left.
    pub stopped: Option<SendError>,
}

/// Why sending stopped.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The spool can't be drained.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// No confirmation.
    #[error("no broker answered at {endpoint} within {seconds} s: is the daemon running (proletarier run)?")]
    Unavailable {
        /// Where it was looked for.
        endpoint: String,
        /// How long was waited.
        seconds: f64,
    },
    /// It takes nothing now.
    #[error("the broker takes no more for now: {0}")]
    Overloaded(String),
    /// The endpoint is none, or the machine has no sockets left.
    #[error("can't connect to {endpoint}: {reason}")]
    Connect {
        /// Where to.
        endpoint: String,
        /// What the system said.
        reason: String,
    },
    /// It was told to stop.
    #[error("it was stopped")]
    Stopped,
}

/// Sends all that is in the spool, under the sessions and numbers that it has; each file goes once all of it is confirmed.
#[must_use]
pub fn send(options: &SpoolOptions, target: &Target, stop: &AtomicBool) -> Sent {
    let mut sent = Sent::default();
    if options.dir.exists() {
        sent.stopped = send_files(options, target, stop, &mut sent).err();
    }
    sent
}

fn send_files(options: &SpoolOptions, target: &Target, stop: &AtomicBool, sent: &mut Sent) -> Result<(), SendError> {
    let mut claim = claim(options)?;
    let transport = Transport::new();
    let mut line = Line::open(&transport, target, stop)?;
    let max_message = line.greet()?;
    loop {
        let mut file = match claim.next_file() {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(()),
            // Writers are busy.
            Err(SpoolError::Locked(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let before = line.confirmed;
        send_file(&mut file, &mut line, max_message, sent)?;
        sent.unreadable.extend(file.finish()?);
        sent.events += line.confirmed - before;
    }
}

fn send_file(file: &mut Draining, line: &mut Line<'_>, max_message: usize, sent: &mut Sent) -> Result<(), SendError> {
    let mut too_large = Vec::new();
    while !file.is_read() {
        for event in file.slice(SLICE)? {
            // A little too large, and it becomes a dead letter over there. A frame beyond the broker's limit would cost the connection.
            if event.record.len() > max_message + ROOM {
                format::encode(&mut too_large, &event.session, event.number, event.spooled_at, &event.record);
                sent.too_large += 1;
            } else {
                line.push(&event)?;
            }
        }
    }
    line.flush()?;
    if !too_large.is_empty() {
        let name = file.path().with_extension("too-large.spool");
        let spool = file.path().parent().unwrap_or(file.path());
        let (path, aside) = damaged::file(&System, spool, name.file_name().unwrap_or_default())?;
        let written = System
            .append(&aside, &format::header())
            .and_then(|()| System.append(&aside, &too_large))
            .and_then(|()| System.sync(&aside))
            .and_then(|()| damaged::sync_names(&System, &path));
        written.map_err(|error| SpoolError::io("write", &path, error))?;
    }
    Ok(())
}

/// The connection, and what is on its way.
struct Line<'a> {
    dealer: Dealer,
    target: &'a Target,
    stop: &'a AtomicBool,
    frame: Vec<u8>,
    /// Of the frame that gathers: session, first number, how many.
    gathers: Option<([u8; 16], u64, u32)>,
    /// Frames that are not confirmed.
    unconfirmed: VecDeque<([u8; 16], u64, u32, Vec<u8>)>,
    confirmed: u64,
    /// The broker must have said something by then: monotonic, microseconds.
    deadline: u64,
}

impl<'a> Line<'a> {
    fn open(transport: &Transport, target: &'a Target, stop: &'a AtomicBool) -> Result<Self, SendError> {
        let dealer = transport
            .connect_dealer(&target.endpoint, None, target.broker_key.as_deref())
            .map_err(|error| SendError::Connect { endpoint: target.endpoint.clone(), reason: error.reason().to_owned() })?;
        let mut line = Self {
            dealer,
            target,
            stop,
            frame: Vec::new(),
            gathers: None,
            unconfirmed: VecDeque::new(),
            confirmed: 0,
            deadline: 0,
        };
        line.heard();
        Ok(line)
    }

    fn heard(&mut self) {
        self.deadline = clock::mono().plus(u64::try_from(self.target.timeout.as_micros()).unwrap_or(u64::MAX)).0;
    }

    /// Asks the broker how large an event's params may be.
    fn greet(&mut self) -> Result<usize, SendError> {
        self.dealer.socket.send(&[]);
        loop {
            if let ToClient::Welcome(welcome) = self.next_frame()? {
                return Ok(welcome.max_message as usize);
            }
        }
    }

    /// The next frame from the broker.
    fn next_frame(&mut self) -> Result<ToClient, SendError> {
        loop {
            if let Some(frame) = self.dealer.socket.receive_one() {
                self.heard();
                if let Ok(frame) = ToClient::decode(&frame) {
                    return Ok(frame);
                }
                continue;
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(SendError::Stopped);
            }
            let now = clock::mono().0;
            if now >= self.deadline {
                let (endpoint, seconds) = (self.target.endpoint.clone(), self.target.timeout.as_secs_f64());
                return Err(SendError::Unavailable { endpoint, seconds });
            }
            let longest = Duration::from_micros(self.deadline - now).min(ASK);
            let [_, connected] =
                wait([Source::Socket(&self.dealer.socket), Source::Socket(&self.dealer.connections)], Some(longest));
            // Connected again: what was on its way may be lost. A broker that has it drops the copy.
            if connected && self.dealer.connected() > 0 {
                for (.., frame) in &self.unconfirmed {
                    self.dealer.socket.send(frame);
                }
            }
        }
    }

    /// Adds an event to the frame that gathers: of one session, and with numbers that count on.
    fn push(&mut self, event: &Spooled) -> Result<(), SendError> {
        let goes_on = self.gathers.is_none_or(|(session, first, count)| {
            session == event.session && first + u64::from(count) == event.number && self.frame.len() < FULL
        });
        if !goes_on {
            self.send()?;
        }
        let (_, _, count) = self.gathers.get_or_insert((event.session, event.number, 0));
        *count += 1;
        if self.frame.is_empty() {
            Publish::begin(&mut self.frame);
        }
        Publish::push(&mut self.frame, |out| out.extend_from_slice(&event.record));
        Ok(())
    }

    fn send(&mut self) -> Result<(), SendError> {
        while self.unconfirmed.len() >= IN_FLIGHT {
            self.hear()?;
        }
        let Some((session, first, count)) = self.gathers.take() else { return Ok(()) };
        let mut frame = std::mem::take(&mut self.frame);
        Publish::seal_spooled(&mut frame, &session, first, count);
        if self.unconfirmed.is_empty() {
            self.heard();
        }
        // A full queue is emptied by what was confirmed, and what is lost with a connection is sent again.
        while self.dealer.socket.send(&frame) == Socketed::Full {
            self.hear()?;
        }
        self.unconfirmed.push_back((session, first, count, frame));
        Ok(())
    }

    /// Sends what gathers, and waits until all is confirmed.
    fn flush(&mut self) -> Result<(), SendError> {
        self.send()?;
        while !self.unconfirmed.is_empty() {
            self.hear()?;
        }
        Ok(())
    }

    fn hear(&mut self) -> Result<(), SendError> {
        let ToClient::Confirm(Confirmation { session, first, count, exceptions }) = self.next_frame()? else { return Ok(()) };
        let of = |sent: &([u8; 16], u64, u32, Vec<u8>)| (sent.0, sent.1, sent.2) == (session, first, count);
        if let Some(place) = self.unconfirmed.iter().position(of) {
            self.unconfirmed.remove(place);
            // What is refused for what it is became a dead letter over there; a unique one's like is there.
            if let Some(refused) = exceptions.into_iter().find(|exception| exception.code == RejectCode::Overloaded) {
                return Err(SendError::Overloaded(refused.reason));
            }
            self.confirmed += u64::from(count);
        }
        Ok(())
    }
}

//! Provides the broker: a process that takes events in, keeps them, and hands them to workers. It runs no PHP.
//!
//! One loop: wait, take in what came, let the queue decide, keep what is to be kept, say what is to be said.

mod control;
mod door;
mod drain;
mod graves;
mod intake;
mod keep;
mod legacies;
mod load;
mod notices;
mod paused;
mod peers;
mod pull;
mod renew;
mod scaling;
mod shelf;
mod staff;

use crate::application::Level;
use crate::clock;
use crate::log;
use crate::runtime_dir;
use crate::scoreboard::{Scoreboard, State};
use crate::signals::Signals;
use crate::succession::Latest;
use crate::ties::Ties;
use crate::transport::{Socket, Source, Transport, wait};
use crate::{RunError, fork, identity};
use door::Door;
use drain::Drain;
use keep::Unsaid;
pub use legacies::Estate;
use legacies::Legacies;
use nix::sys::signal::Signal;
use notices::Notices;
use paused::PausedFile;
use peers::Peers;
use proletarier_core::backlog::Backlog;
use proletarier_core::lanes::Lanes;
use proletarier_core::queue::{Effects, Queue, WorkerId};
use proletarier_core::scaling::Scaling;
use proletarier_core::settings::{Endpoint, Settings};
use proletarier_core::time::{Mono, Wall};
use std::collections::HashSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

/// Messages taken from one socket before what they ask for is kept: a group that is committed together.
const GROUP: usize = 64;
/// Room in a batch's frame beside the largest event: the client closes a batch at 60 KB.
const BATCH_ROOM: usize = 128 * 1024;
/// The largest frame from a worker: its introduction has all its listeners.
const WORKER_FRAME: usize = 64 * 1024 * 1024;
/// Room in a control request beside the largest event: an imported dead letter has its attempts.
const CONTROL_ROOM: usize = 1024 * 1024;

/// What a broker is given.
pub struct Post<'a> {
    /// The daemon's settings.
    pub settings: Settings,
    /// Those that hold when the supervisor says that they have changed.
    pub latest: &'a Latest,
    /// Shared with the workers of this machine.
    pub scoreboard: &'a Scoreboard,
    /// To the other processes.
    pub ties: &'a Ties,
    /// Which broker this is.
    pub epoch: u64,
    /// What the workers of daemons before have left.
    pub estate: &'a Estate,
    /// Its workers are elsewhere: nothing but they knows what they have in hand.
    pub apart: bool,
}

struct Sockets {
    clients: Socket,
    workers: Socket,
    control: Socket,
    pull: Option<Socket>,
    /// Tells of peers that come to the clients' socket.
    arrivals: Socket,
}

struct Broker<'a> {
    post: Post<'a>,
    sockets: Sockets,
    queue: Queue,
    backlog: Box<dyn Backlog>,
    /// Becomes readable when the backlog may have something to tell.
    backlog_bell: Option<OwnedFd>,
    legacies: Legacies,
    /// Nothing is handed out before.
    hold_until: Mono,
    effects: Effects,
    unsaid: Unsaid,
    peers: Peers,
    /// Dead workers whose slots are being settled.
    burying: HashSet<WorkerId>,
    /// Workers of the broker before that have not introduced themselves.
    awaited: HashSet<WorkerId>,
    awaited_until: Mono,
    notices: Notices,
    paused: PausedFile,
    door: Door,
    /// None where there is no spool, or its events are another broker's.
    drain: Option<Drain>,
    /// None where the number of workers is fixed, or not this broker's to say.
    scaling: Option<Scaling>,
    malformed: u64,
    /// When it began to serve.
    began: Mono,
    /// When the replay of dead letters that is under way began, or the last one.
    replaying_since: Wall,
    frame: Vec<u8>,
}

/// Workers of the broker before are waited for so long, in microseconds, before copies of what they had are taken for new events.
const AWAIT_WORKERS: u64 = 600_000_000;

/// A broker whose workers are elsewhere gives them so long to say what they have from the broker before, in microseconds: what it hands out
/// before that may run twice. A listener that takes longer is not waited for.
const MEET_WORKERS: u64 = 1_000_000;

/// A broker that stops waits so long for its last sync, in microseconds.
const SYNC_AT_LAST: u64 = 5_000_000;

/// Runs a broker until it is told to stop; its exit status.
///
/// # Errors
/// When its sockets can't be bound.
pub fn run(post: Post<'_>) -> Result<i32, RunError> {
    // SIGHUP: the supervisor says that there are new settings.
    let signals = Signals::catch(&[Signal::SIGTERM, Signal::SIGHUP]).map_err(|error| RunError::Setup(error.to_string()))?;
    let transport = Transport::new();
    let mut broker = Broker::open(post, &transport)?;
    broker.post.scoreboard.set_broker_ready(broker.post.epoch);
    broker.post.ties.supervisor.ring();
    if let Some(drain) = &broker.drain {
        drain.tell_clients();
    }
    broker.serve(&signals);
    Ok(0)
}

impl<'a> Broker<'a> {
    fn open(post: Post<'a>, transport: &Transport) -> Result<Self, RunError> {
        let settings = &post.settings;
        let bind = |endpoint: &Endpoint, largest: usize| {
            runtime_dir::make_way(endpoint, settings)?;
            let socket = transport
                .bind_router(endpoint, largest, settings.broker.curve.as_ref())
                .map_err(|error| RunError::Setup(error.to_string()))?;
            runtime_dir::hand_over(endpoint, settings)?;
            Ok(socket)
        };
        let clients = bind(&settings.broker.bind, settings.broker.max_message_size + BATCH_ROOM)?;
        let sockets = Sockets {
            arrivals: transport.arrivals_at(&clients).map_err(|error| RunError::Setup(error.to_string()))?,
            clients,
            workers: bind(&settings.worker.bind, WORKER_FRAME)?,
            control: bind(&settings.broker.control, settings.broker.max_message_size + CONTROL_ROOM)?,
            pull: settings.broker.pull.as_ref().map(|endpoint| pull::bind(transport, endpoint, settings)).transpose()?,
        };
        // What only root can get is there: the rest is done by whom the daemon becomes.
        identity::assume(&settings.permissions)?;
        for endpoint in endpoints(settings) {
            runtime_dir::set_mode(endpoint, settings)?;
        }
        let alive: Vec<_> = post.scoreboard.slots().filter(|(_, slot)| slot.state() == State::Working).collect();
        let (lanes, paused) = (Lanes::new(settings.queues.clone()), PausedFile::of(settings));
        let mut queue = Queue::new(renew::rules(settings))
            .with_limits(load::limits(settings))
            .with_lanes(lanes.clone())
            .with_paused(paused.read());
        let mut kept = shelf::open(settings, post.epoch)?;
        kept.backlog.sort(lanes);
        if !alive.is_empty() && !kept.backlog.capabilities().survives_broker {
            queue = queue.recovering(alive.iter().filter_map(|(_, slot)| slot.running_event()));
        }
        let lanes = Lanes::new(settings.queues.clone());
        queue = queue.with_sessions(kept.sessions).with_uniques(kept.uniques).with_keys(&lanes, kept.keys);
        let awaited = alive.iter().map(|(number, slot)| peers::local_id(*number, slot.incarnation())).collect();
        let mut broker = Self {
            sockets,
            queue,
            backlog: kept.backlog,
            backlog_bell: kept.bell,
            legacies: Legacies::default(),
            hold_until: if post.apart { clock::mono().plus(MEET_WORKERS) } else { Mono(0) },
            effects: Effects::default(),
            unsaid: Unsaid::default(),
            peers: Peers::default(),
            burying: HashSet::new(),
            awaited,
            awaited_until: clock::mono().plus(AWAIT_WORKERS),
            notices: Notices::default(),
            paused,
            door: Door::default(),
            drain: Drain::of(settings),
            scaling: scaling::policy(&post, clock::mono()),
            malformed: 0,
            began: clock::mono(),
            replaying_since: Wall(0),
            frame: Vec::new(),
            post,
        };
        if broker.backlog.capabilities().survives_broker {
            let estate = broker.post.estate;
            broker.reserve_what_is_claimed(estate);
        }
        Ok(broker)
    }

    fn serve(&mut self, signals: &Signals) {
        // What died while no broker was there to be told.
        self.settle_graves();
        // What was said before this process could hear it.
        self.renew();
        let mut orphaned_until = None;
        loop {
            self.keep_and_say();
            self.forget_estate();
            let may_pull = self.observe_load();
            let timeout = self.timeout(orphaned_until);
            let [clients, workers, control, bell, life, told, pull, arrivals, _, spool] =
                self.wait(signals, timeout, orphaned_until.is_some(), may_pull);
            if workers {
                self.hear_workers();
            }
            if bell {
                self.post.ties.broker.hush();
                // A report sent before the death is here by now, and says more than the scoreboard does.
                self.hear_workers();
                self.settle_graves();
            }
            // Before what is new: under backpressure what was there first is taken first.
            self.drain_spool(spool);
            if clients {
                self.hear_clients();
            }
            if pull {
                self.hear_originals();
            }
            if control {
                self.hear_control();
            }
            if arrivals {
                self.watch_the_door();
            }
            let signalled = if told { signals.take() } else { Vec::new() };
            if signalled.contains(&Signal::SIGHUP) {
                self.renew();
            }
            let now = clock::now();
            self.post.scoreboard.beat(now.mono);
            self.queue.handle_tick(now, &mut self.effects);
            self.sweep(now);
            self.expire_leases(now);
            self.count_recovery(now.mono);
            self.scale(now.mono);
            if signalled.contains(&Signal::SIGTERM) {
                break;
            }
            if life && self.post.ties.life.is_cut() {
                orphaned_until.get_or_insert_with(|| now.mono.plus(self.post.settings.worker.grace.as_micros() as u64));
            }
            if orphaned_until.is_some_and(|until| now.mono >= until || !self.has_workers()) {
                log::line(Level::Error, "the supervisor is gone: the broker ends", &[]);
                break;
            }
        }
        self.finish();
    }

    fn wait(&self, signals: &Signals, timeout: Option<Duration>, orphaned: bool, may_pull: bool) -> [bool; 10] {
        let (ties, sockets) = (self.post.ties, &self.sockets);
        let sources = [
            Source::Socket(&sockets.clients),
            Source::Socket(&sockets.workers),
            Source::Socket(&sockets.control),
            Source::Descriptor(ties.broker.descriptor()),
            // A lifeline that is cut stays readable: once that is known, wait for something else.
            if orphaned { Source::Never } else { Source::Descriptor(ties.life.descriptor()) },
            Source::Descriptor(signals.descriptor()),
            sockets.pull.as_ref().filter(|_| may_pull).map_or(Source::Never, Source::Socket),
            Source::Socket(&sockets.arrivals),
            // What it tells is taken with each turn of the loop.
            self.backlog_bell.as_ref().map_or(Source::Never, |bell| Source::Descriptor(bell.as_fd())),
            self.drain.as_ref().map_or(Source::Never, Drain::source),
        ];
        wait(sources, timeout)
    }

    fn timeout(&mut self, orphaned_until: Option<Mono>) -> Option<Duration> {
        let now = clock::now();
        let until = |moment: Mono| moment.since(now.mono);
        let orphaned = orphaned_until.map(|moment| until(moment).min(100_000));
        let before = self.backlog.counts().pending;
        let parked = self.backlog.promote(now);
        let became_due = self.backlog.counts().pending > before;
        self.backlog.take_news().iter().for_each(|found| log::line(Level::Error, shelf::DAMAGE_MET, &[("found", found)]));
        // All that is wanted is fetched, but for what has become due just now, and what is held.
        let held = until(self.hold_until);
        let due = if became_due || (held > 0 && self.backlog.counts().pending > 0) { Some(held) } else { parked };
        let (limits, spool) = (self.limit_check(now), self.drain_check(now.mono));
        let scale = self.scale_check(now.mono);
        let all = [self.queue.poll_timeout(now), due, self.lease_check(), limits, spool, scale, orphaned];
        let next = all.into_iter().flatten().min();
        next.map(Duration::from_micros)
    }

    fn has_workers(&self) -> bool {
        self.post.scoreboard.slots().any(|(_, slot)| slot.state() != State::Free)
    }

    /// The last outcomes are taken in and kept; then the sockets' files go.
    fn finish(&mut self) {
        self.hear_workers();
        self.settle_graves();
        self.keep_and_say();
        self.sync_at_last();
        let counts = self.backlog.counts();
        let left = counts.pending + counts.reserved + counts.parked;
        if left + counts.dead > 0 && !self.backlog.capabilities().survives_broker {
            let words = "the store is in memory, and what is in it ends with the broker";
            log::line(Level::Warning, words, &[("waiting", &left), ("dead", &counts.dead)]);
        }
        for path in endpoints(&self.post.settings).filter_map(Endpoint::socket_path) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// What is kept is kept also where power is lost from here on, if that takes no longer than a little.
    fn sync_at_last(&mut self) {
        if !self.backlog.capabilities().survives_power {
            return;
        }
        self.backlog.sync();
        let deadline = clock::mono().plus(SYNC_AT_LAST);
        loop {
            self.keep_and_say();
            let left = deadline.since(clock::mono());
            let Some(bell) = self.backlog_bell.as_ref().filter(|_| left > 0 && !self.unsaid.is_synced()) else { return };
            wait([Source::Descriptor(bell.as_fd())], Some(Duration::from_micros(left)));
        }
    }

    fn count_recovery(&mut self, now: Mono) {
        if self.awaited_until.0 == 0 {
            return;
        }
        let scoreboard = self.post.scoreboard;
        self.awaited.retain(|id| {
            peers::local_slot(*id)
                .and_then(|slot| scoreboard.slot(slot))
                .is_some_and(|slot| slot.state() == State::Working && fork::exists(slot.pid()))
        });
        if self.awaited.is_empty() || now >= self.awaited_until {
            self.awaited_until = Mono(0);
            self.queue.recovered();
        }
    }
}

/// Where it listens.
fn endpoints(settings: &Settings) -> impl Iterator<Item = &Endpoint> {
    let always = [&settings.broker.bind, &settings.worker.bind, &settings.broker.control];
    always.into_iter().chain(&settings.broker.pull)
}

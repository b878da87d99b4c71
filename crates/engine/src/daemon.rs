//! Puts a daemon together: the one place that knows every room. Supervisor, zygote, broker and worker know nothing of one another.

use crate::application::{Application, Level};
use crate::runtime_dir::RuntimeDir;
use crate::scoreboard::{self, Scoreboard};
use crate::store::{StoreLock, fleeting};
use crate::ties::Ties;
use crate::{Role, RunError, broker, client, clock, fork, inherited, log, supervisor, worker, zygote};
use proletarier_core::lifecycle::Plan;
use proletarier_core::settings::{Settings, Store};
use std::convert::Infallible;
use std::time::Duration;

/// Slots beyond two for each worker: the dead ones that are being settled.
const SPARE_SLOTS: usize = 8;
/// How long a successor waits for the last processes of a daemon that has its store, beyond their grace.
const STRAGGLERS: Duration = Duration::from_secs(5);
/// Exit status of a broker that could not start.
const EXIT_SETUP: i32 = 1;

struct Daemon<'a> {
    settings: Settings,
    role: Role,
    application: &'a mut dyn Application,
    runtime_dir: &'a RuntimeDir,
    store_lock: Option<&'a StoreLock>,
    estate: &'a broker::Estate,
    scoreboard: &'a Scoreboard,
    ties: &'a Ties,
    host: String,
}

/// Runs the daemon until it is told to stop. Returns in the supervisor only, with the exit status.
///
/// # Errors
/// When it could not start.
pub fn run(settings: Settings, role: Role, application: &mut dyn Application) -> Result<i32, RunError> {
    log::configure(&settings.log);
    fork::watch_forks();
    // What bootstrap triggered is on its way before anything forks; its thread ends.
    client::settle();
    client::shutdown();
    let runtime_dir = RuntimeDir::claim(&settings, if role == Role::Worker { "worker-" } else { "" })?;
    let setup =
        |error: &dyn std::fmt::Display| RunError::Setup(format!("can't set up {}: {error}", settings.runtime_dir.display()));
    let store_lock = lock_store(&settings, role)?;
    let estate = inherit(&runtime_dir, store_lock.is_some());
    let slots = 2 * usize::from(settings.worker.pool_size.max) + SPARE_SLOTS;
    let scoreboard = Scoreboard::create(runtime_dir.scoreboard(), slots).map_err(|error| setup(&error))?;
    let ties = Ties::new().map_err(|error| setup(&error))?;
    warn_of_connections();
    application.title("proletarier: supervisor");
    let plan = Plan {
        broker: role != Role::Worker,
        zygote: role != Role::Broker,
        grace: u64::try_from(settings.worker.grace.as_micros()).unwrap_or(u64::MAX),
    };
    let host = if role == Role::Worker { format!("{:016x}", clock::random()) } else { String::new() };
    let mut daemon = Daemon {
        settings,
        role,
        application,
        runtime_dir: &runtime_dir,
        store_lock: store_lock.as_ref(),
        estate: &estate,
        scoreboard: &scoreboard,
        ties: &ties,
        host,
    };
    let status = supervisor::run(plan, &scoreboard, &ties, &mut daemon);
    runtime_dir.leave();
    status
}

/// Locks the store, where it is a directory and this daemon has a broker.
fn lock_store(settings: &Settings, role: Role) -> Result<Option<StoreLock>, RunError> {
    match &settings.store {
        _ if role == Role::Worker => Ok(None),
        Store::Memory => {
            let words = "the store is in memory: what waits does not outlive the broker (set state_dir, or store)";
            log::line(Level::Warning, words, &[]);
            Ok(None)
        }
        Store::Nats(_) => Err(RunError::Setup("store: this release has 'memory:' and directories, and no 'nats://' yet".into())),
        Store::Directory(directory) => {
            let longest = settings.worker.grace + STRAGGLERS;
            let lock = StoreLock::claim(directory, settings.permissions.dir_mode, longest);
            let lock = lock.map_err(|error| RunError::Setup(error.to_string()))?;
            if let Some(medium) = fleeting(directory) {
                let words = "the store is where nothing lasts: set state_dir, or store, to a directory that does";
                log::line(Level::Warning, words, &[("store", &directory.display()), ("is_on", &medium)]);
            }
            Ok(Some(lock))
        }
    }
}

/// What daemons before have left in the scoreboard: for a store that has outlived them too.
fn inherit(runtime_dir: &RuntimeDir, durable: bool) -> broker::Estate {
    let mut estate = broker::Estate::default();
    for (file, board) in scoreboard::set_aside(runtime_dir.scoreboard()) {
        estate.add(board.slots().map(|(_, slot)| slot));
        estate.files.push(file);
    }
    if !durable {
        estate.files.drain(..).for_each(|file| drop(std::fs::remove_file(file)));
    }
    estate
}

fn warn_of_connections() {
    for connection in inherited::connections() {
        let words = "the application's bootstrap opened a connection that all workers would share, and break for one another: open it on first use, or on worker.launch";
        log::line(Level::Warning, words, &[("peer", &connection.peer), ("descriptor", &connection.descriptor)]);
    }
}

impl Daemon<'_> {
    /// What every child does first.
    fn begin_child(&mut self, title: &str) {
        self.ties.life.let_go();
        self.application.title(title);
    }
}

impl supervisor::Children for Daemon<'_> {
    fn broker(&mut self, epoch: u64) -> Infallible {
        self.begin_child("proletarier: broker");
        let mut keep = self.ties.descriptors();
        keep.push(self.runtime_dir.descriptor());
        keep.extend(self.store_lock.map(StoreLock::descriptor));
        fork::close_inherited(&keep);
        let post = broker::Post {
            settings: &self.settings,
            scoreboard: self.scoreboard,
            ties: self.ties,
            epoch,
            estate: self.estate,
            apart: self.role == Role::Broker,
        };
        let status = broker::run(post).unwrap_or_else(|error| {
            log::line(Level::Error, "the broker can't start", &[("error", &error)]);
            EXIT_SETUP
        });
        fork::exit_now(status)
    }

    fn zygote(&mut self, number: u32) -> Infallible {
        self.begin_child("proletarier: zygote");
        let generation = 1;
        let post = zygote::Post {
            settings: &self.settings.clone(),
            scoreboard: self.scoreboard,
            ties: self.ties,
            number,
            generation,
            broker_here: self.role == Role::All,
        };
        let status = zygote::run(post, &mut |seat| self.work(number, generation, seat));
        fork::exit_now(status)
    }
}

impl Daemon<'_> {
    fn work(&mut self, zygote: u32, generation: u32, seat: zygote::Seat) -> ! {
        let post = worker::Post {
            settings: &self.settings,
            scoreboard: self.scoreboard,
            ties: self.ties,
            life: &seat.life,
            slot: seat.slot,
            zygote,
            generation,
            host: &self.host,
            predecessor: seat.predecessor,
        };
        worker::run(post, self.application)
    }
}

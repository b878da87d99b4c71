//! Puts a daemon together: the one place that knows every room. Supervisor, zygote, broker and worker know nothing of one another.

use crate::application::{Application, Level};
use crate::notify::Notifier;
use crate::runtime_dir::RuntimeDir;
use crate::scoreboard::{self, Scoreboard};
use crate::spool::SpoolOptions;
use crate::store::{StoreLock, fleeting};
use crate::succession::{self, Boot, Claim, Inheritance, Latest, Paper};
use crate::ties::Ties;
use crate::{Role, RunError, broker, client, clock, fork, identity, inherited, log, ownership, supervisor, worker, zygote};
use proletarier_core::lifecycle::Plan;
use proletarier_core::settings::{Settings, Store};
use serde_json::Value;
use std::convert::Infallible;
use std::time::Duration;

/// How long a successor waits for the last processes of a daemon that has its store, beyond their grace.
const STRAGGLERS: Duration = Duration::from_secs(5);
/// Exit status of a broker that could not start.
const EXIT_SETUP: i32 = 1;

struct Daemon<'a> {
    settings: Settings,
    /// What it was started with, as it was written, for successors.
    paper: &'a Paper,
    /// For a broker that runs.
    latest: Latest,
    /// Of the generation judged last, and as it was written.
    next: Option<(Settings, String)>,
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
/// When it could not start. In a process that a reload started it does not return.
pub fn run(settings: Settings, raw: &Value, role: Role, application: &mut dyn Application) -> Result<i32, RunError> {
    if let Some(claim) = succession::take() {
        succeed(claim, settings, raw, role, application);
    }
    log::configure(&settings.log);
    fork::watch_forks();
    // What bootstrap triggered is on its way before anything forks; its thread ends.
    client::settle();
    client::shutdown();
    prepare_directories(&settings, role)?;
    let runtime_dir = RuntimeDir::claim(&settings, if role == Role::Worker { "worker-" } else { "" })?;
    let setup =
        |error: &dyn std::fmt::Display| RunError::Setup(format!("can't set up {}: {error}", settings.runtime_dir.display()));
    let store_lock = lock_store(&settings, role)?;
    let estate = inherit(&runtime_dir, store_lock.is_some());
    let slots = succession::slots_for(&settings);
    let scoreboard = Scoreboard::create(runtime_dir.scoreboard(), slots).map_err(|error| setup(&error))?;
    ownership::hand_over(runtime_dir.scoreboard(), &settings.permissions).map_err(|error| setup(&error))?;
    let ties = Ties::new().map_err(|error| setup(&error))?;
    let paper = Paper::new(&settings.runtime_dir).map_err(|error| setup(&error))?;
    let latest =
        Latest { paper: Paper::new(&settings.runtime_dir).map_err(|error| setup(&error))?, first: settings.clone(), slots };
    for paper in [&paper, &latest.paper] {
        paper.write(raw.to_string().as_bytes()).map_err(|error| setup(&error))?;
    }
    let notifier = Notifier::take(clock::mono());
    warn_of_connections();
    application.title("proletarier: supervisor");
    let plan = Plan {
        broker: role != Role::Worker,
        zygote: role != Role::Broker,
        grace: micros(settings.worker.grace),
        boot: micros(settings.worker.boot_timeout),
    };
    let host = if role == Role::Worker { format!("{:016x}", clock::random()) } else { String::new() };
    let mut daemon = Daemon {
        paper: &paper,
        latest,
        next: None,
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
    let status = supervisor::run(plan, &scoreboard, &ties, notifier, &mut daemon);
    runtime_dir.leave();
    status
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What a process does that a reload started: it becomes the zygote of its generation, or ends.
fn succeed(mut claim: Claim, settings: Settings, raw: &Value, role: Role, application: &mut dyn Application) -> ! {
    log::configure(&settings.log);
    fork::watch_forks();
    client::settle();
    client::shutdown();
    match become_zygote(&mut claim, settings, raw, role, application) {
        Ok(status) => fork::exit_now(status),
        Err(error) => {
            claim.tell_error(&error.to_string());
            fork::exit_now(EXIT_SETUP)
        }
    }
}

fn become_zygote(
    claim: &mut Claim,
    settings: Settings,
    raw: &Value,
    role: Role,
    application: &mut dyn Application,
) -> Result<i32, RunError> {
    claim.introduce(role, raw)?;
    let setup = |error: &dyn std::fmt::Display| RunError::Setup(format!("can't take over: {error}"));
    let first: Value = serde_json::from_slice(&claim.first.read().unwrap_or_default()).map_err(|error| setup(&error))?;
    let first = Settings::read(&first).map_err(|error| setup(&error))?;
    let mut settings = first.renewed(settings).map_err(|error| setup(&error))?.settings;
    let handed = claim.inheritance.clone();
    let scoreboard = Scoreboard::open(&handed.scoreboard).map_err(|error| setup(&error))?;
    identity::assume(&settings.permissions)?;
    let wanted = settings.worker.pool_size.max;
    if let Some(room) = succession::fit_pool(&mut settings, scoreboard.slots().count()) {
        let words = "worker.pool_size is more than this daemon has room for until it is started anew";
        log::line(Level::Warning, words, &[("worker.pool_size", &wanted), ("room_for", &room)]);
    }
    warn_of_connections();
    let (number, generation) = (handed.number, handed.generation);
    application.title(&format!("proletarier: zygote (generation {generation})"));
    let post = zygote::Post {
        settings: &settings,
        scoreboard: &scoreboard,
        ties: &claim.ties,
        number,
        generation,
        broker_here: role == Role::All,
    };
    let mut crew = Crew { settings: &settings, scoreboard: &scoreboard, ties: &claim.ties, host: &handed.host, application };
    let status = zygote::run(post, &mut |seat| crew.work(number, generation, seat));
    let words = scoreboard.slots().filter(|(_, slot)| slot.zygote() == number).find_map(|(_, slot)| slot.last_words());
    if status != 0
        && let Some(words) = words
    {
        claim.tell_error(&format!("{}: {}", words.class, words.message));
    }
    Ok(status)
}

/// Where root starts the daemon for another user, what the user writes to is made for it, or given to it where it is root's.
fn prepare_directories(settings: &Settings, role: Role) -> Result<(), RunError> {
    let permissions = &settings.permissions;
    if identity::Identity::of(permissions)?.is_none() {
        return Ok(());
    }
    let store = match &settings.store {
        Store::Directory(directory) if role != Role::Worker => Some(directory.clone()),
        _ => None,
    };
    let spool = SpoolOptions::of(&settings.client).filter(|_| role != Role::Worker).map(|options| options.dir);
    for directory in settings.state_dir.iter().chain(&store).chain(&spool) {
        ownership::make_directory(directory, permissions)
            .and_then(|()| ownership::share_directory(directory, permissions))
            .map_err(|error| RunError::Setup(format!("can't give {} to the user: {error}", directory.display())))?;
    }
    ownership::make_directory(&settings.runtime_dir, permissions)
        .and_then(|()| ownership::share_directory(&settings.runtime_dir, permissions))
        .map_err(|error| RunError::Setup(format!("can't give {} to the user: {error}", settings.runtime_dir.display())))
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
            ownership::hand_over(&directory.join("lock"), &settings.permissions)
                .map_err(|error| RunError::Setup(format!("can't hand over the lock of {}: {error}", directory.display())))?;
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
    fn execute(&mut self, number: u32, generation: u32) -> Result<Boot, String> {
        let line = succession::captured().ok_or("how the daemon was started is not known: stop it, and start it anew")?;
        let locks =
            [Some(self.runtime_dir.descriptor()), self.store_lock.map(StoreLock::descriptor)].into_iter().flatten().collect();
        let scoreboard = self.runtime_dir.scoreboard().to_owned();
        let inheritance = Inheritance::new(number, generation, &self.host, scoreboard);
        Boot::start(line, inheritance.with(self.ties, locks, self.paper.descriptor()))
    }

    fn judge(&mut self, role: &str, raw: &Value) -> Result<(), String> {
        if role != self.role.word() {
            return Err(format!("role: a reload can't change it from '{}' to '{role}'", self.role.word()));
        }
        let new = Settings::read(raw).map_err(|error| error.to_string())?;
        let renewed = self.latest.holding(new)?;
        if !renewed.kept.is_empty() {
            let words = "settings that only a start of the daemon changes stay as they are until then";
            log::line(Level::Warning, words, &[("settings", &renewed.kept.join(", "))]);
        }
        self.next = Some((renewed.settings, raw.to_string()));
        Ok(())
    }

    fn took_over(&mut self, generation: u32) -> (u64, u64) {
        if let Some((settings, raw)) = self.next.take() {
            log::configure(&settings.log);
            self.settings = settings;
            if let Err(error) = self.latest.paper.write(raw.as_bytes()) {
                let words = "the broker can't be told the new settings: it goes on with those that it has";
                log::line(Level::Error, words, &[("error", &error)]);
            }
        }
        self.application.title(&format!("proletarier: supervisor (generation {generation})"));
        (micros(self.settings.worker.grace), micros(self.settings.worker.boot_timeout))
    }

    fn broker(&mut self, epoch: u64) -> Infallible {
        self.begin_child("proletarier: broker");
        let mut keep = self.ties.descriptors();
        keep.extend([self.runtime_dir.descriptor(), self.latest.paper.descriptor()]);
        keep.extend(self.store_lock.map(StoreLock::descriptor));
        fork::close_inherited(&keep);
        let post = broker::Post {
            settings: self.settings.clone(),
            latest: &self.latest,
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
        if let Err(error) = identity::assume(&self.settings.permissions) {
            log::line(Level::Error, "the zygote can't start", &[("error", &error)]);
            fork::exit_now(EXIT_SETUP);
        }
        let generation = 1;
        let post = zygote::Post {
            settings: &self.settings.clone(),
            scoreboard: self.scoreboard,
            ties: self.ties,
            number,
            generation,
            broker_here: self.role == Role::All,
        };
        let mut crew = Crew {
            settings: &self.settings.clone(),
            scoreboard: self.scoreboard,
            ties: self.ties,
            host: &self.host,
            application: &mut *self.application,
        };
        let status = zygote::run(post, &mut |seat| crew.work(number, generation, seat));
        fork::exit_now(status)
    }
}

/// What the workers of a zygote share.
struct Crew<'a> {
    settings: &'a Settings,
    scoreboard: &'a Scoreboard,
    ties: &'a Ties,
    host: &'a str,
    application: &'a mut dyn Application,
}

impl Crew<'_> {
    fn work(&mut self, zygote: u32, generation: u32, seat: zygote::Seat) -> ! {
        let post = worker::Post {
            settings: self.settings,
            scoreboard: self.scoreboard,
            ties: self.ties,
            life: &seat.life,
            leave: &seat.leave,
            slot: seat.slot,
            zygote,
            generation,
            host: self.host,
            predecessor: seat.predecessor,
        };
        worker::run(post, self.application)
    }
}

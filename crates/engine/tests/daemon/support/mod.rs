//! Provides a lab: a directory of its own for each test, in which daemons and clients (the example `application`) run, and which kills all of
//! them when it goes, also where the test failed. Nothing here waits for a time: conditions are awaited, with a generous deadline.
#![allow(missing_docs)]

mod daemon;
mod fake;
mod process;
mod proxy;
mod publisher;

pub use daemon::Daemon;
pub use fake::FakeBroker;
pub use process::Process;
pub use proxy::{Proxy, free_port};
pub use publisher::{Publisher, event};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use proletarier_core::record::Record;
use proletarier_core::settings::Permissions;
use proletarier_engine::client::{self, Asked, Client, ClientError, ClientOptions, Confirm};
use proletarier_engine::spool::{Claim, SpoolOptions, Spooled, Unreadable};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);

/// Waits until `condition` gives something.
#[track_caller]
pub fn until<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(LONG, what, condition)
}

/// Waits so long at most until `condition` gives something.
#[track_caller]
pub fn within<T>(longest: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + longest;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {longest:?}: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub fn until_true(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, || condition().then_some(()));
}

/// A run of a listener that succeeded.
#[derive(Clone, Debug)]
pub struct Run {
    pub event: String,
    pub listener: String,
    pub attempt: u16,
    pub pid: u32,
    /// Microseconds of the monotonic clock.
    pub started: u64,
    pub ended: u64,
    pub params: Value,
}

impl Run {
    fn parse(line: &str) -> Self {
        let mut parts = line.splitn(7, ' ');
        let mut next = || parts.next().expect("a part of a line");
        Self {
            event: next().into(),
            listener: next().into(),
            attempt: next().parse().unwrap(),
            pid: next().parse().unwrap(),
            started: next().parse().unwrap(),
            ended: next().parse().unwrap(),
            params: serde_json::from_str(next()).unwrap(),
        }
    }
}

/// The example, where cargo puts it beside the test.
fn application() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/application");
    assert!(path.exists(), "build it: cargo build -p proletarier-engine --example application");
    path
}

/// A directory, and what runs in it.
pub struct Lab {
    pub dir: tempfile::TempDir,
    /// What daemons are run with.
    settings: RefCell<Value>,
    groups: RefCell<Vec<Pid>>,
    logs: Cell<usize>,
    /// Where clients spool.
    spool: Option<PathBuf>,
}

impl Lab {
    /// One whose daemons have two workers and try again soon.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = json!({
            "runtime_dir": dir.path().join("run"),
            "store": dir.path().join("store"),
            "worker": { "pool_size": 2, "grace": 10 },
            "retry": { "delay": 0.05, "multiplier": 1, "jitter": 0 },
            "log": { "level": "debug", "format": "json" },
        });
        Self { dir, settings: RefCell::new(settings), groups: RefCell::default(), logs: Cell::new(0), spool: None }
    }

    /// The same, where each run is noted when it begins, and two of the same at once are told.
    pub fn strict() -> Self {
        let lab = Self::new();
        std::fs::create_dir(lab.dir.path().join("running")).unwrap();
        lab
    }

    /// The same with a spool, of the daemon and of its clients.
    pub fn spooling(mut self) -> Self {
        let dir = self.path("spool");
        self.spool = Some(dir.clone());
        self.set("client.spool", dir.to_str())
    }

    /// What clients spool with.
    pub fn spool(&self) -> Option<SpoolOptions> {
        let dir = self.spool.clone()?;
        Some(SpoolOptions { dir, max: 64 << 20, permissions: Permissions::default() })
    }

    /// Changes a setting: `section.key`, or `key`.
    pub fn set(self, key: &str, value: impl Into<Value>) -> Self {
        let mut settings = self.settings.borrow_mut();
        let mut place = &mut *settings;
        for part in key.split('.') {
            place = &mut place[part];
        }
        *place = value.into();
        drop(settings);
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A socket of the daemon, or any of its files.
    pub fn runtime(&self, name: &str) -> PathBuf {
        self.dir.path().join("run").join(name)
    }

    pub fn endpoint(&self, name: &str) -> String {
        format!("ipc://{}", self.runtime(name).display())
    }

    pub fn settings(&self) -> Value {
        self.settings.borrow().clone()
    }

    /// Starts a daemon, and waits until it is ready, and all of its workers are.
    pub fn daemon(&self) -> Daemon {
        self.wait_for(self.start(&[]))
    }

    /// The same as another user.
    pub fn daemon_as(&self, user: u32) -> Daemon {
        self.wait_for(self.start_as(user))
    }

    /// Starts one as another user.
    pub fn start_as(&self, user: u32) -> Daemon {
        self.start_command(&[], |command| {
            command.uid(user).gid(user);
        })
    }

    /// Starts one as the first process of a namespace, as a container does; none where this process may make none.
    pub fn start_as_init(&self) -> Option<Daemon> {
        let enter = ["--pid", "--fork", "--kill-child", "--mount-proc"];
        let may = Command::new("unshare").args(enter).arg("true").stderr(Stdio::null()).status();
        let daemon = || self.start_by(Command::new("unshare").args(enter).arg(application()), &[], |_| {});
        may.is_ok_and(|status| status.success()).then(daemon)
    }

    fn wait_for(&self, daemon: Daemon) -> Daemon {
        daemon.wait_until_ready();
        let pool = self.settings()["worker"]["pool_size"].clone();
        until_true("all workers are there", || self.status()["workers"].as_u64() >= pool.as_u64());
        daemon
    }

    /// Starts a daemon. `more` follows settings and directory on its command line.
    pub fn start(&self, more: &[&str]) -> Daemon {
        self.start_command(more, |_| {})
    }

    /// Starts one whose command is changed.
    pub fn start_with(&self, change: impl FnOnce(&mut Command)) -> Daemon {
        self.start_command(&[], change)
    }

    fn start_command(&self, more: &[&str], change: impl FnOnce(&mut Command)) -> Daemon {
        self.start_by(&mut Command::new(application()), more, change)
    }

    fn start_by(&self, command: &mut Command, more: &[&str], change: impl FnOnce(&mut Command)) -> Daemon {
        let log = self.path(&format!("log.{}", self.logs.replace(self.logs.get() + 1)));
        command.arg("run").arg(self.settings().to_string()).arg(self.dir.path()).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        change(command);
        Daemon::new(self.spawn(command), log)
    }

    /// Starts a client; `flood` is what the example says there, `timeout` in seconds.
    pub fn flood(&self, timeout: f64, flood: &Value) -> Flooding {
        self.flood_to(None, timeout, flood)
    }

    /// The same, to another endpoint.
    pub fn flood_to(&self, endpoint: Option<&str>, timeout: f64, flood: &Value) -> Flooding {
        let mut options = json!({ "timeout": timeout });
        if let Some(endpoint) = endpoint {
            options["connect"] = endpoint.into();
        }
        self.flood_with(&options, flood)
    }

    /// The same with these client settings, beside where daemon and spool are.
    pub fn flood_with(&self, options: &Value, flood: &Value) -> Flooding {
        self.flood_command(options, flood, |_| {})
    }

    /// The same as another user.
    pub fn flood_as(&self, user: u32, timeout: f64, flood: &Value) -> Flooding {
        self.flood_command(&json!({ "timeout": timeout }), flood, |command| {
            command.uid(user).gid(user);
        })
    }

    fn flood_command(&self, options: &Value, flood: &Value, change: impl FnOnce(&mut Command)) -> Flooding {
        let mut settings = json!({ "runtime_dir": self.dir.path().join("run"), "spool": self.spool });
        settings.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let output = self.path(&format!("flood.{}", self.logs.replace(self.logs.get() + 1)));
        let mut command = Command::new(application());
        command.arg("flood").arg(settings.to_string()).arg(flood.to_string());
        command.stdin(Stdio::null()).stdout(File::create(&output).unwrap());
        change(&mut command);
        Flooding { child: self.spawn(&mut command), output }
    }

    /// In a process group of its own, so that all of it can be found, and killed.
    fn spawn(&self, command: &mut Command) -> Child {
        let child = command.process_group(0).spawn().unwrap();
        self.groups.borrow_mut().push(Pid::from_raw(child.id() as i32));
        child
    }

    /// A client in this process.
    pub fn client(&self) -> Client {
        self.client_with(LONG, self.spool())
    }

    /// The same, with these of its options.
    pub fn client_with(&self, timeout: Duration, spool: Option<SpoolOptions>) -> Client {
        Client::new(ClientOptions { endpoint: self.endpoint("events.sock"), timeout, broker_key: None, spool })
    }

    /// Takes all that is in the spool.
    #[track_caller]
    pub fn take_spooled(&self) -> TakenOut {
        let options = self.spool().expect("a lab with a spool");
        let mut claim = Claim::take(&options).unwrap().expect("nobody else drains");
        let mut taken = TakenOut::default();
        while let Some(mut file) = claim.next_file().unwrap() {
            while !file.is_read() {
                taken.events.extend(file.slice(64 * 1024).unwrap());
            }
            taken.unreadable.extend(file.finish().unwrap());
        }
        taken
    }

    /// Triggers an event and waits until it is accepted; its id.
    #[track_caller]
    pub fn trigger(&self, name: &str, params: &Value) -> String {
        trigger(&self.client(), Confirm::Accepted, name, params).unwrap()
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(file)).unwrap_or_default();
        // What is being written has no end yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }

    /// Runs that succeeded.
    pub fn handled(&self) -> Vec<Run> {
        self.lines("handled").iter().map(|line| Run::parse(line)).collect()
    }

    /// Runs that succeeded, once there are so many.
    #[track_caller]
    pub fn wait_handled(&self, count: usize) -> Vec<Run> {
        until_true(&format!("{count} runs handled"), || self.lines("handled").len() >= count);
        self.handled()
    }

    /// How often each event's listeners succeeded, by event and listener.
    pub fn successes(&self) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        for run in self.handled() {
            *counts.entry((run.event, run.listener)).or_default() += 1;
        }
        counts
    }

    /// Runs that began, where the lab is strict: event, listener, attempt, pid.
    pub fn started(&self) -> Vec<Vec<String>> {
        self.lines("started").iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
    }

    /// Nothing ran in two workers at once; the lab is strict.
    #[track_caller]
    pub fn assert_never_doubled(&self) {
        assert!(!self.started().is_empty(), "the lab is strict");
        assert_eq!(self.lines("doubled"), Vec::<String>::new(), "run by two live workers at once");
        let mut ends = BTreeMap::new();
        let mut runs = self.handled();
        runs.sort_by_key(|run| run.started);
        for run in runs {
            let before = ends.insert((run.event.clone(), run.listener.clone()), run.ended);
            assert!(before.is_none_or(|ended| ended <= run.started), "one run began before the one before it had ended: {run:?}");
        }
    }

    /// Each of the events was handled once by each of its listeners, and so was nothing else.
    #[track_caller]
    pub fn assert_handled_once<'a>(&self, events: impl IntoIterator<Item = &'a String>, listeners: &[&str]) {
        let pairs = events.into_iter().flat_map(|event| listeners.iter().map(move |id| (event.clone(), (*id).to_owned())));
        let wanted: BTreeMap<_, _> = pairs.map(|pair| (pair, 1)).collect();
        let found = self.successes();
        let missing: Vec<_> = wanted.keys().filter(|pair| !found.contains_key(*pair)).collect();
        let surplus: Vec<_> = found.iter().filter(|(pair, count)| wanted.get(*pair) != Some(*count)).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, surplus {surplus:?}");
    }

    /// Asks the broker; none where there is no answer soon.
    pub fn ask(&self, request: &Value) -> Option<Value> {
        let context = zmq::Context::new();
        let socket = context.socket(zmq::REQ).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(2_000).unwrap();
        socket.connect(&self.endpoint("control.sock")).unwrap();
        socket.send(&request.to_string(), 0).unwrap();
        serde_json::from_slice(&socket.recv_bytes(0).ok()?).ok()
    }

    /// The broker's answer.
    #[track_caller]
    pub fn told(&self, request: &Value) -> Value {
        until("an answer from the broker", || self.ask(request))
    }

    #[track_caller]
    pub fn status(&self) -> Value {
        until("an answer from the broker", || self.ask(&json!({ "command": "status" })))
    }

    /// A number of the broker's: `backlog.pending`.
    #[track_caller]
    pub fn number(&self, path: &str) -> u64 {
        let status = self.status();
        let pointer = format!("/{}", path.replace('.', "/"));
        status.pointer(&pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} in {status}"))
    }

    /// Waits until the broker has nothing any more that waits, runs or is to be tried again. What is handled then is all there will be.
    #[track_caller]
    pub fn wait_idle(&self) -> Value {
        until("the broker has nothing left", || {
            let status = self.ask(&json!({ "command": "status" }))?;
            let waits = ["pending", "reserved", "parked"].iter().any(|key| status["backlog"][key] != 0);
            (!waits).then_some(status)
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for group in self.groups.borrow().iter() {
            let _ = killpg(*group, Signal::SIGKILL);
        }
        if std::thread::panicking() {
            for log in 0..self.logs.get() {
                let Ok(text) = std::fs::read_to_string(self.path(&format!("log.{log}"))) else { continue };
                let lines: Vec<_> = text.lines().collect();
                eprintln!("--- the end of log.{log}");
                lines[lines.len().saturating_sub(40)..].iter().for_each(|line| eprintln!("{line}"));
            }
        }
    }
}

/// What was in the spool.
#[derive(Default)]
pub struct TakenOut {
    pub events: Vec<Spooled>,
    pub unreadable: Vec<Unreadable>,
}

impl TakenOut {
    pub fn ids(&self) -> Vec<String> {
        self.events.iter().map(|event| Record::decode(&event.record).unwrap().id.to_owned()).collect()
    }

    pub fn names(&self) -> Vec<String> {
        self.events.iter().map(|event| Record::decode(&event.record).unwrap().name.to_owned()).collect()
    }
}

/// Triggers an event that has all but an id and a time.
pub fn trigger_record(client: &Client, asked: impl Into<Asked>, record: Record<'_>) -> Result<Option<String>, ClientError> {
    let wall = proletarier_engine::wall().0;
    let mut id = [0; 36];
    client.trigger(&Record { id: client::new_id(wall, &mut id), triggered_at: wall, ..record }, asked)
}

/// Triggers an event; its id.
pub fn trigger(client: &Client, confirm: impl Into<Asked>, name: &str, params: &Value) -> Result<String, ClientError> {
    let wall = proletarier_engine::wall().0;
    let mut id = [0; 36];
    let id = client::new_id(wall, &mut id).to_owned();
    let params = params.to_string();
    let record = Record { id: &id, name, triggered_at: wall, params: params.as_bytes(), ..Record::default() };
    client.trigger(&record, confirm).map(|_| id.clone())
}

/// A client process.
pub struct Flooding {
    pub child: Child,
    output: PathBuf,
}

/// What a client process tells of its events, by id.
#[derive(Debug, Default)]
pub struct Told {
    pub triggered: Vec<String>,
    /// With why.
    pub failed: Vec<(String, String)>,
    pub lost: Vec<(String, String)>,
    pub notices: Vec<String>,
}

impl Flooding {
    /// What it has told so far.
    pub fn told(&self) -> Told {
        let mut told = Told::default();
        let text = std::fs::read_to_string(&self.output).unwrap();
        for line in text[..text.rfind('\n').unwrap_or_default()].lines() {
            let mut parts = line.splitn(3, ' ');
            let (word, id, rest) = (parts.next().unwrap(), parts.next().unwrap().to_owned(), parts.next().unwrap_or_default());
            match word {
                "triggered" => told.triggered.push(id),
                "failed" => told.failed.push((id, rest.to_owned())),
                "lost" => told.lost.push((id, rest.to_owned())),
                "notice" => told.notices.push(rest.to_owned()),
                _ => panic!("{line}"),
            }
        }
        told
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn finish(&mut self) -> Told {
        until("the client ends", || self.child.try_wait().unwrap());
        self.told()
    }

    /// The same, where it is to have lost nothing.
    #[track_caller]
    pub fn finish_well(&mut self) -> Vec<String> {
        let told = self.finish();
        assert!(told.failed.is_empty() && told.lost.is_empty(), "{told:?}");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        told.triggered
    }
}

impl Drop for Flooding {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The log's lines, as far as they are JSON.
fn read_log(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

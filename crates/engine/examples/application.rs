//! An application in plain Rust: what the engine's tests run, and the shortest answer to what an application is to the engine.
//!
//! - `application run '<settings>' <directory> [all|broker|worker]` runs a daemon. Its listeners write a line to `<directory>/handled` for
//!   each run that succeeds: event id, listener, attempt, pid, start and end in microseconds of the monotonic clock, params. Where there is a
//!   directory `<directory>/running`, they also write a line to `<directory>/started` for each run that begins, and one to
//!   `<directory>/doubled` for each that begins while another live worker runs the same. While a file `<directory>/fail` exists, no worker boots;
//!   where there is a file `<directory>/herald`, there is a listener `herald` of `proletarier.dead`. A worker that leaves writes a line to
//!   `<directory>/left`: pid, when, why.
//!   A file `<directory>/code` is the code, read once when the program starts: `two` has a listener `two` of `two`, `exit` ends with words
//!   before the daemon runs, `hang` never gets there. `store`, `runtime_dir` and `role` run with another one. A file
//!   `<directory>/settings` has settings that replace those given, key by key.
//! - `application trigger '<client settings>' <confirm> <name> <params>...` triggers an event for each of the params.
//! - `application flood '<client settings>' '<what>'` triggers many, see [`Flood`], and tells on standard output what became of each.
//!
//! Settings and the like are JSON.
#![allow(clippy::unwrap_used)]

use nix::fcntl::{Flock, FlockArg};
use nix::sys::time::TimeSpec;
use nix::unistd::ForkResult;
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::listener::ListenerSpec;
use proletarier_core::queue::DEAD_EVENT;
use proletarier_core::record::Record;
use proletarier_core::settings::{ClientSettings, Settings};
use proletarier_engine::application::{Alarm, Application, Attempt, Level, Moment, Outcome, Place, Watch, WorkerInfo};
use proletarier_engine::client::{self, Client, ClientOptions, Confirm};
use proletarier_engine::{Role, exit_now};
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Listeners `a` to `e` of `five`, `one` of `one`, and `all` of '*'.
const LISTENERS: [(&str, &str); 7] =
    [("a", "five"), ("b", "five"), ("c", "five"), ("d", "five"), ("e", "five"), ("one", "one"), ("all", "*")];

/// The listener that is there where it is asked for.
const HERALD: (&str, &str) = ("herald", DEAD_EVENT);

/// A listener is asked to see whether it is over its limit.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

struct Plain {
    directory: PathBuf,
    code: String,
    herald: bool,
    files: Option<Files>,
    /// What listeners leaked.
    leaked: Vec<Vec<u8>>,
    /// Why a listener wants this worker to be replaced.
    recycle: Option<String>,
}

/// What a worker has open.
struct Files {
    handled: File,
    /// Where it is asked for.
    started: Option<File>,
}

impl Plain {
    fn append(&self, name: &str) -> File {
        OpenOptions::new().append(true).create(true).open(self.directory.join(name)).unwrap()
    }

    fn listeners(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        LISTENERS.into_iter().chain(self.herald.then_some(HERALD)).chain((self.code == "two").then_some(("two", "two")))
    }

    /// Notes that a run begins. The lock says that it goes on, and ends with the process, however that ends.
    fn start(&self, id: &str, attempt: &Attempt<'_>) -> Option<Flock<File>> {
        let mut started = self.files.as_ref()?.started.as_ref()?;
        let event = attempt.event.id;
        let line = format!("{event} {id} {} {}\n", attempt.number, std::process::id());
        started.write_all(line.as_bytes()).unwrap();
        let running = self.append(&format!("running/{event}.{id}"));
        Flock::lock(running, FlockArg::LockExclusiveNonblock)
            .inspect_err(|_| self.append("doubled").write_all(line.as_bytes()).unwrap())
            .ok()
    }

    /// Does what the params say to listener `id`: `{"kill": "a"}` in the first attempt, `{"throw": "b"}` and `{"end": "c"}` likewise, `{"always":
    /// "d"}` throws in each; `{"sleep": 0.5}` sleeps before that. `{"busy": "a", "for": 0.5}` works for so long in the first
    /// attempt, unless it is told that it is over its limit; `{"stuck": "a"}` does not end, likewise. `{"leak": 1000}` keeps so many bytes, and `{"recycle": "why"}` asks for another worker.
    fn listen(&mut self, id: &str, attempt: &Attempt<'_>, params: &Value, watch: &mut dyn Watch) -> Outcome {
        let started = micros();
        let _running = self.start(id, attempt);
        let first = attempt.number == 1;
        if let Some(seconds) = params["sleep"].as_f64() {
            std::thread::sleep(Duration::from_secs_f64(seconds));
        }
        if first && params["busy"] == id {
            work(Duration::from_secs_f64(params["for"].as_f64().unwrap()))?;
        }
        if first && params["stuck"] == id {
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        if let Some(bytes) = params["leak"].as_u64() {
            self.leaked.push(vec![1; bytes as usize]);
        }
        if let Some(reason) = params["recycle"].as_str() {
            self.recycle = Some(reason.to_owned());
        }
        if first && params["kill"] == id {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
        if first && params["end"] == id {
            watch.last_words(&Failure::new(FailureKind::Ended, "exit", "exit(3)"));
            exit_now(3);
        }
        if params["always"] == id || (first && params["throw"] == id) {
            return Err(Failure::new(FailureKind::Thrown, "Exception", "as asked"));
        }
        let (event, number, pid, ended) = (attempt.event.id, attempt.number, std::process::id(), micros());
        let line = format!("{event} {id} {number} {pid} {started} {ended} {params}\n");
        (&self.files.as_ref().unwrap().handled).write_all(line.as_bytes()).unwrap();
        Ok(())
    }
}

impl Application for Plain {
    fn launch(&mut self, _: WorkerInfo) -> Result<Vec<ListenerSpec>, Failure> {
        if self.directory.join("fail").exists() {
            return Err(Failure::new(FailureKind::Thrown, "Exception", "can't boot, as asked"));
        }
        let strict = self.directory.join("running").exists();
        self.files = Some(Files { handled: self.append("handled"), started: strict.then(|| self.append("started")) });
        let parallel = self.directory.join("parallel").exists();
        let spec = |(id, event): (&str, &str)| ListenerSpec {
            id: id.into(),
            event: event.into(),
            retry: None,
            // One that has as long as it takes.
            timeout: (id == "e").then_some(0.0),
            parallel,
        };
        self.herald = self.directory.join("herald").exists();
        Ok(self.listeners().map(spec).collect())
    }

    fn handle(&mut self, attempt: &Attempt<'_>, watch: &mut dyn Watch) -> Outcome {
        let params: Value = serde_json::from_slice(attempt.event.params)
            .map_err(|error| Failure::new(FailureKind::Malformed, "malformed", error.to_string()))?;
        for (index, (id, event)) in (0..).zip(self.listeners()) {
            let wanted = attempt.only.map_or(event == attempt.event.name || event == "*", |only| only.contains(&index));
            if wanted {
                watch.enter(index);
                let outcome = self.listen(id, attempt, &params, watch);
                watch.leave(index, outcome);
            }
        }
        Ok(())
    }

    fn tell(&mut self, moment: &Moment<'_>) {
        if let Moment::Shutdown(reason) = moment {
            let line = format!("{} {} {reason}\n", std::process::id(), micros());
            self.append("left").write_all(line.as_bytes()).unwrap();
        }
    }

    fn take_recycling(&mut self) -> Option<String> {
        self.recycle.take()
    }

    fn settle_triggered(&mut self) {
        client::settle();
    }

    fn log(&mut self, level: Level, message: &str, fields: &[(&str, &dyn Display)]) {
        proletarier_engine::log_line(level, message, fields);
    }

    fn alarm(&self) -> Option<Alarm> {
        let place = || Some(Place { file: "application.rs".into(), line: 7, trace: "#0 listen()".into() });
        Some(Alarm { interrupt: || INTERRUPTED.store(true, Ordering::SeqCst), place })
    }

    /// Shows the last 15 bytes at most: `supervisor`, `broker`, `worker 1`.
    fn title(&mut self, title: &str) {
        #[cfg(target_os = "linux")]
        {
            let name = title.rsplit(": ").next().unwrap_or(title);
            let _ = nix::sys::prctl::set_name(&std::ffi::CString::new(name).unwrap());
        }
    }

    fn end(&mut self, status: i32) -> ! {
        exit_now(status)
    }
}

/// Works for so long, and ends early where the listener is over its limit.
fn work(span: Duration) -> Outcome {
    let end = micros() + span.as_micros();
    while micros() < end {
        if INTERRUPTED.swap(false, Ordering::SeqCst)
            && let Some(overdue) = proletarier_engine::overdue()
        {
            let words = format!("{} in {} s", overdue.listener, overdue.limit.as_secs_f64());
            overdue.tell();
            return Err(Failure::new(FailureKind::TimedOut, "TimeoutError", words));
        }
        // Until the alarm's signal.
        let _ = nix::sys::select::pselect(None, None, None, None, &TimeSpec::from(Duration::from_secs(1)), None);
    }
    Ok(())
}

fn micros() -> u128 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    Duration::from(time).as_micros()
}

fn client(settings: &str) -> Client {
    let settings = ClientSettings::from_options(None, &serde_json::from_str(settings).unwrap()).unwrap();
    Client::new(ClientOptions::from(&settings))
}

fn confirm(word: &str) -> Confirm {
    match word {
        "none" => Confirm::None,
        "accepted" => Confirm::Accepted,
        "synced" => Confirm::Synced,
        _ => Confirm::Deferred,
    }
}

/// Triggers an event; its id.
fn trigger(client: &Client, confirm: Confirm, record: Record<'_>) -> Result<String, (String, client::ClientError)> {
    let wall = proletarier_engine::wall().0;
    let mut id = [0; 36];
    let id = client::new_id(wall, &mut id);
    let record = Record { id, triggered_at: wall, ..record };
    client.trigger(&record, confirm).map(|_| id.to_owned()).map_err(|error| (id.to_owned(), error))
}

/// Waits for what is open, tells of what was given up, and ends the process.
fn finish(mut status: i32) -> ! {
    client::settle();
    for event in client::take_lost() {
        println!("lost {} {}", Record::decode(&event.record).unwrap().id, event.reason);
        status = 1;
    }
    for notice in client::take_notices() {
        println!("notice - {notice}");
    }
    client::shutdown();
    exit_now(status);
}

/// What `flood` does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flood {
    confirm: String,
    name: String,
    /// How many events.
    count: usize,
    /// Their params; `null`: `{"n": 0}` and so on.
    #[serde(default)]
    params: Value,
    /// How many keys they have in turn; 0: none has one.
    #[serde(default)]
    keys: usize,
    /// Seconds between them.
    #[serde(default)]
    pause: f64,
    /// Seconds after the last in which no call is made.
    #[serde(default)]
    sleep: f64,
    /// After the first event a child process is made, and both trigger the rest.
    #[serde(default)]
    fork: bool,
}

fn flood(client: &Client, flood: &Flood) -> ! {
    let mut status = 0;
    let mut child = None;
    for n in 0..flood.count {
        let params = if flood.params.is_null() { format!("{{\"n\":{n}}}") } else { flood.params.to_string() };
        let key = (flood.keys > 0).then(|| format!("key {}", n % flood.keys));
        let record = Record { name: &flood.name, key: key.as_deref(), params: params.as_bytes(), ..Record::default() };
        match trigger(client, confirm(&flood.confirm), record) {
            Ok(id) => println!("triggered {id}"),
            Err((id, error)) => {
                println!("failed {id} {error}");
                status = 1;
            }
        }
        if flood.fork && n == 0 {
            // SAFETY: the client's thread holds no lock of this process's while it waits, and the child makes its own connection.
            if let ForkResult::Parent { child: pid } = unsafe { nix::unistd::fork() }.unwrap() {
                child = Some(pid);
            }
        }
        std::thread::sleep(Duration::from_secs_f64(flood.pause));
    }
    std::thread::sleep(Duration::from_secs_f64(flood.sleep));
    if let Some(child) = child {
        let ended = nix::sys::wait::waitpid(child, None).unwrap();
        status |= i32::from(!matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 0)));
    }
    finish(status)
}

fn run(settings: &str, directory: &str, role: Option<&str>) -> ! {
    let mut role = match role {
        Some("broker") => Role::Broker,
        Some("worker") => Role::Worker,
        _ => Role::All,
    };
    let mut raw: Value = serde_json::from_str(settings).unwrap();
    let code = std::fs::read_to_string(PathBuf::from(directory).join("code")).unwrap_or_default();
    match code.as_str() {
        "exit" => {
            eprintln!("a parse error, as asked");
            exit_now(0);
        }
        "hang" => loop {
            std::thread::park();
        },
        "store" | "runtime_dir" => raw[&code] = PathBuf::from(directory).join("another").to_str().into(),
        "role" => role = Role::Broker,
        _ => {}
    }
    if let Ok(text) = std::fs::read_to_string(PathBuf::from(directory).join("settings")) {
        let Value::Object(newer) = serde_json::from_str(&text).unwrap() else { panic!("no map: {text}") };
        raw.as_object_mut().unwrap().extend(newer);
    }
    let settings = Settings::read(&raw).unwrap();
    let mut application =
        Plain { directory: directory.into(), code, herald: false, files: None, leaked: Vec::new(), recycle: None };
    let status = proletarier_engine::run(settings, &raw, role, &mut application).unwrap_or_else(|error| {
        eprintln!("{error}");
        1
    });
    exit_now(status)
}

fn main() {
    proletarier_engine::capture_command_line();
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match &arguments[..] {
        ["run", settings, directory, rest @ ..] => run(settings, directory, rest.first().copied()),
        ["trigger", settings, level, name, all @ ..] => {
            let client = client(settings);
            for params in all {
                match trigger(&client, confirm(level), Record { name, params: params.as_bytes(), ..Record::default() }) {
                    Ok(id) => println!("{id}"),
                    Err((_, error)) => {
                        eprintln!("{error}");
                        exit_now(1);
                    }
                }
            }
            finish(0);
        }
        ["flood", settings, what] => flood(&client(settings), &serde_json::from_str(what).unwrap()),
        _ => {
            eprintln!("see the top of this file");
            exit_now(2);
        }
    }
}

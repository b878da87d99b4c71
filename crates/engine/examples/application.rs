//! An application in plain Rust: what the engine's tests run, and the shortest answer to what an application is to the engine.
//!
//! `application run '<settings as JSON>' <directory>` runs a daemon; its listeners write a line for each run to `<directory>/handled`.
//! `application trigger '<client settings as JSON>' <confirm> <name> <params>...` triggers an event for each of the params.
#![allow(clippy::unwrap_used)]

use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::listener::ListenerSpec;
use proletarier_core::record::Record;
use proletarier_core::settings::{ClientSettings, Settings};
use proletarier_engine::application::{Application, Attempt, Level, Moment, Outcome, Watch, WorkerInfo};
use proletarier_engine::client::{self, Client, ClientOptions, Confirm};
use proletarier_engine::{Role, exit_now};
use serde_json::Value;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Listeners `a` to `e` of `five`, `one` of `one`, and `all` of '*'.
const LISTENERS: [(&str, &str); 7] =
    [("a", "five"), ("b", "five"), ("c", "five"), ("d", "five"), ("e", "five"), ("one", "one"), ("all", "*")];

struct Plain {
    directory: PathBuf,
    handled: Option<File>,
}

impl Plain {
    /// Does what the params say to listener `id`: `{"kill": "a"}` in the first attempt, `{"throw": "b"}` likewise, `{"sleep": 0.5}`.
    fn listen(&mut self, id: &str, attempt: &Attempt<'_>, params: &Value, watch: &mut dyn Watch) -> Outcome {
        let first = attempt.number == 1;
        if first && params["kill"] == id {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
        if first && params["end"] == id {
            watch.last_words(&Failure::new(FailureKind::Ended, "exit", "exit(3)"));
            exit_now(3);
        }
        if let Some(seconds) = params["sleep"].as_f64() {
            std::thread::sleep(Duration::from_secs_f64(seconds));
        }
        if params["always"] == id || (first && params["throw"] == id) {
            return Err(Failure::new(FailureKind::Thrown, "Exception", "as asked"));
        }
        let line = format!("{} {id} {} {} {}\n", attempt.event.id, attempt.number, std::process::id(), params);
        self.handled.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        Ok(())
    }
}

impl Application for Plain {
    fn launch(&mut self, _: WorkerInfo) -> Result<Vec<ListenerSpec>, Failure> {
        if self.directory.join("fail").exists() {
            return Err(Failure::new(FailureKind::Thrown, "Exception", "can't boot, as asked"));
        }
        self.handled = Some(OpenOptions::new().append(true).create(true).open(self.directory.join("handled")).unwrap());
        let spec = |(id, event): &(&str, &str)| ListenerSpec {
            id: (*id).into(),
            event: (*event).into(),
            retry: None,
            timeout: None,
            parallel: false,
        };
        Ok(LISTENERS.iter().map(spec).collect())
    }

    fn handle(&mut self, attempt: &Attempt<'_>, watch: &mut dyn Watch) -> Outcome {
        let params: Value = serde_json::from_slice(attempt.event.params)
            .map_err(|error| Failure::new(FailureKind::Malformed, "malformed", error.to_string()))?;
        for (index, (id, event)) in (0..).zip(LISTENERS) {
            let wanted = attempt.only.map_or(event == attempt.event.name || event == "*", |only| only.contains(&index));
            if wanted {
                watch.enter(index);
                let outcome = self.listen(id, attempt, &params, watch);
                watch.leave(index, outcome);
            }
        }
        Ok(())
    }

    fn tell(&mut self, _: &Moment<'_>) {}

    fn settle_triggered(&mut self) {
        client::settle();
    }

    fn log(&mut self, level: Level, message: &str, fields: &[(&str, &dyn Display)]) {
        proletarier_engine::log_line(level, message, fields);
    }

    fn title(&mut self, _: &str) {}

    fn end(&mut self, status: i32) -> ! {
        exit_now(status)
    }
}

fn trigger(settings: &str, confirm: &str, name: &str, params: &[String]) {
    let settings = ClientSettings::from_options(None, &serde_json::from_str(settings).unwrap()).unwrap();
    let client = Client::new(ClientOptions { endpoint: settings.connect.to_string(), timeout: settings.timeout });
    let confirm = match confirm {
        "none" => Confirm::None,
        "accepted" => Confirm::Accepted,
        _ => Confirm::Deferred,
    };
    for params in params {
        let wall = proletarier_engine::wall().0;
        let mut id = [0; 36];
        let record = Record {
            id: client::new_id(wall, &mut id),
            name,
            triggered_at: wall,
            params: params.as_bytes(),
            ..Record::default()
        };
        match client.trigger(&record, confirm) {
            Ok(()) => println!("{}", record.id),
            Err(error) => {
                eprintln!("{error}");
                exit_now(1);
            }
        }
    }
    client::settle();
    let lost = client::take_lost();
    for event in &lost {
        eprintln!("lost: {}", event.reason);
    }
    client::shutdown();
    exit_now(i32::from(!lost.is_empty()));
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("run") => {
            let settings = Settings::read(&serde_json::from_str(&arguments[2]).unwrap()).unwrap();
            let mut application = Plain { directory: arguments[3].clone().into(), handled: None };
            match proletarier_engine::run(settings, Role::All, &mut application) {
                Ok(status) => exit_now(status),
                Err(error) => {
                    eprintln!("{error}");
                    exit_now(1);
                }
            }
        }
        Some("trigger") => trigger(&arguments[2], &arguments[3], &arguments[4], &arguments[5..]),
        _ => eprintln!("see the top of this file"),
    }
}

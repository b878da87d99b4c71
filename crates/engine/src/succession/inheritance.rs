//! Defines what a supervisor hands to the process that it starts from the command line, and takes it there: by one environment variable, which names
//! descriptors. It is meant for one process, whose id it has, and is gone before any of the application's code runs.

use crate::fork;
use crate::ties::Ties;
use crate::{Role, RunError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Mutex;

/// The variable.
pub(super) const VARIABLE: &str = "PROLETARIER_SUCCESSOR";

/// Of what is handed over: another one is another program's, whose supervisor goes on with the old code.
const VERSION: u32 = 1;

static RECEIVED: Mutex<Option<Inheritance>> = Mutex::new(None);

/// What is handed over. Descriptors are as they are in the new process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inheritance {
    pub(super) version: u32,
    /// Whom it is for.
    pub(super) pid: u32,
    /// The zygote's number.
    pub number: u32,
    /// The generation of code.
    pub generation: u32,
    /// The name of this machine at a broker elsewhere.
    pub host: String,
    /// The scoreboard's file.
    pub scoreboard: PathBuf,
    /// Of the bells and the lifeline.
    pub(super) ties: Vec<RawFd>,
    /// Held open, and that is all: the daemon's locks.
    pub(super) locks: Vec<RawFd>,
    /// The settings that the daemon was started with.
    pub(super) first: RawFd,
    /// Where the new process speaks, and hears.
    pub(super) speak: RawFd,
    pub(super) hear: RawFd,
    /// The daemon's standard output and error.
    pub(super) output: [RawFd; 2],
}

impl Inheritance {
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> + '_ {
        let single = [self.first, self.speak, self.hear, self.output[0], self.output[1]];
        self.ties.iter().chain(&self.locks).copied().chain(single).filter(|descriptor| *descriptor >= 0)
    }

    pub(super) fn to_variable(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn of_variable(text: &str) -> Option<Self> {
        let found: Self = serde_json::from_str(text).ok()?;
        (found.version == VERSION && found.pid == std::process::id()).then_some(found)
    }

    /// One for this process's child, which has yet to say which process it is.
    #[must_use]
    pub fn new(number: u32, generation: u32, host: &str, scoreboard: PathBuf) -> Self {
        Self {
            version: VERSION,
            pid: 0,
            number,
            generation,
            host: host.to_owned(),
            scoreboard,
            ties: Vec::new(),
            locks: Vec::new(),
            first: -1,
            speak: -1,
            hear: -1,
            output: [-1, -1],
        }
    }

    /// Hands over these as well.
    #[must_use]
    pub fn with(self, ties: &Ties, locks: Vec<RawFd>, first: RawFd) -> Self {
        Self { ties: ties.descriptors(), locks, first, ..self }
    }
}

/// Takes the variable out of the environment, so that no process that the application starts finds it or gets a descriptor of it.
pub(super) fn receive() {
    let Some(text) = fork::take_variable(VARIABLE) else { return };
    let Some(found) = text.to_str().and_then(Inheritance::of_variable) else { return };
    found.descriptors().for_each(fork::close_on_exec);
    *RECEIVED.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(found);
}

/// What this process was handed, once; none in one that somebody else started.
#[must_use]
pub fn take() -> Option<Claim> {
    let mut received = RECEIVED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let found = received.take_if(|found| found.pid == std::process::id())?;
    Claim::of(found)
}

/// A successor's side: what it was handed, opened.
pub struct Claim {
    /// What it was handed.
    pub inheritance: Inheritance,
    /// To the daemon's other processes.
    pub ties: Ties,
    /// The settings that the daemon was started with.
    pub first: super::Paper,
    speak: Option<File>,
    hear: Option<File>,
    _locks: Vec<OwnedFd>,
}

impl Claim {
    fn of(inheritance: Inheritance) -> Option<Self> {
        // From here on what the application wrote is the log's again, and nobody's last words.
        fork::restore_output(inheritance.output);
        let opened = |descriptor: &RawFd| fork::adopt(*descriptor);
        Some(Self {
            ties: Ties::inherited(&mut inheritance.ties.iter().map(opened))?,
            first: super::Paper::inherited(fork::adopt(inheritance.first)),
            speak: Some(fork::adopt(inheritance.speak).into()),
            hear: Some(fork::adopt(inheritance.hear).into()),
            _locks: inheritance.locks.iter().map(opened).collect(),
            inheritance,
        })
    }

    /// Tells the supervisor that the application has come to its run call, with which settings, and waits until it lets this process go on.
    ///
    /// # Errors
    /// When it does not: it kills this process, or is gone.
    pub fn introduce(&mut self, role: Role, settings: &Value) -> Result<(), RunError> {
        self.tell(&json!({ "role": role.word(), "settings": settings }));
        let mut answer = [0];
        match self.hear.take().map(|mut pipe| pipe.read_exact(&mut answer)) {
            Some(Ok(())) => Ok(()),
            _ => Err(RunError::Setup("the daemon that is to be reloaded is gone, or wants nothing of this".into())),
        }
    }

    /// Tells why it can't go on.
    pub fn tell_error(&mut self, error: &str) {
        self.tell(&json!({ "error": error }));
    }

    fn tell(&mut self, message: &Value) {
        if let Some(pipe) = &mut self.speak {
            // Nobody who hears it: nobody who needs to.
            let _ = pipe.write_all(format!("{message}\n").as_bytes());
        }
    }
}

//! Provides the supervisor's view of a process that it started from the command line, and that boots.

use super::command_line::CommandLine;
use super::inheritance::{Inheritance, VARIABLE};
use crate::fork;
use crate::signals::pipe;
use crate::transport::Source;
use nix::unistd::Pid;
use serde_json::Value;
use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

/// What it wrote last that is kept, in bytes.
const LAST_OUTPUT: usize = 3_000;
/// The longest message of it, in bytes: its settings.
const LONGEST: usize = 16 << 20;

/// A process that boots.
pub struct Boot {
    /// Its id.
    pub pid: Pid,
    /// The zygote that it is to be.
    pub number: u32,
    /// The generation that it is of.
    pub generation: u32,
    /// Why it says that it can't boot.
    pub error: Option<String>,
    messages: Option<OwnedFd>,
    go: Option<OwnedFd>,
    output: Option<OwnedFd>,
    heard: Vec<u8>,
    said: Vec<u8>,
}

/// What it says.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// Its application has come to the run call, with this role and these settings.
    Introduced(String, Value),
    /// It can't boot.
    Failed(String),
}

impl Boot {
    /// Starts one.
    ///
    /// # Errors
    /// The words, when the machine has no room for it.
    pub fn start(line: &CommandLine, mut inheritance: Inheritance) -> Result<Self, String> {
        let failed = |error: nix::Error| format!("can't start the next generation: {}", error.desc());
        let (messages, speak) = pipe().map_err(failed)?;
        let (hear, go) = pipe().map_err(failed)?;
        let (output, write) = pipe().map_err(failed)?;
        for end in [&speak, &hear, &write] {
            fork::let_wait(end).map_err(failed)?;
        }
        let (number, generation) = (inheritance.number, inheritance.generation);
        inheritance.speak = speak.as_raw_fd();
        inheritance.hear = hear.as_raw_fd();
        let child = || {
            inheritance.pid = std::process::id();
            inheritance.output = fork::divert_output(write.as_raw_fd());
            let keep: Vec<_> = inheritance.descriptors().collect();
            let error = fork::execute(line, (VARIABLE, &inheritance.to_variable()), &keep);
            eprintln!("{error}");
            fork::exit_now(fork::EXIT_NOT_EXECUTED)
        };
        let pid = fork::spawn(child).map_err(failed)?;
        let (messages, go, output) = (Some(messages), Some(go), Some(output));
        Ok(Self { pid, number, generation, error: None, messages, go, output, heard: Vec::new(), said: Vec::new() })
    }

    /// What there is to wait for.
    #[must_use]
    pub fn sources(&self) -> [Source<'_>; 2] {
        let source = |pipe: &Option<OwnedFd>| pipe.as_ref().map(|pipe| pipe.as_raw_fd()).map_or(Source::Never, Source::Edge);
        [source(&self.messages), source(&self.output)]
    }

    /// Takes what it says and what it writes, which is passed on.
    pub fn hear(&mut self) -> Vec<Heard> {
        if let Some(pipe) = &self.output {
            let before = self.said.len();
            let ended = read(pipe.as_fd(), &mut self.said);
            let _ = std::io::stderr().write_all(&self.said[before..]);
            self.said.drain(..self.said.len().saturating_sub(LAST_OUTPUT));
            if ended {
                self.output = None;
            }
        }
        if let Some(pipe) = &self.messages
            && (read(pipe.as_fd(), &mut self.heard) || self.heard.len() > LONGEST)
        {
            self.messages = None;
        }
        let mut messages = Vec::new();
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            messages.extend(message(&line));
        }
        messages
    }

    /// Lets it go on.
    pub fn go_on(&mut self) {
        if let Some(go) = self.go.take() {
            let _ = nix::unistd::write(&go, &[1]);
        }
    }

    /// What it wrote last, for people.
    #[must_use]
    pub fn last_output(&self) -> String {
        String::from_utf8_lossy(&self.said).trim().to_owned()
    }
}

fn message(line: &[u8]) -> Option<Heard> {
    let mut message: Value = serde_json::from_slice(line).ok()?;
    if let Some(error) = message["error"].as_str() {
        return Some(Heard::Failed(error.to_owned()));
    }
    let role = message["role"].as_str()?.to_owned();
    Some(Heard::Introduced(role, message["settings"].take()))
}

/// Reads what there is; true at its end.
fn read(pipe: BorrowedFd<'_>, into: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match nix::unistd::read(pipe, &mut buffer) {
            Ok(0) => return true,
            Ok(count) => into.extend_from_slice(&buffer[..count]),
            Err(nix::errno::Errno::EINTR) => {}
            Err(nix::errno::Errno::EAGAIN) => return false,
            Err(_) => return true,
        }
    }
}

//! Provides a daemon under test.

use super::process::{Process, processes};
use super::{read_log, until, until_true};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};

/// A daemon under test. It is killed with its lab.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub(super) const fn new(child: Child, log: PathBuf) -> Self {
        Self { child, log }
    }

    /// The supervisor's process id, which is the group's as well.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log's lines.
    pub fn log(&self) -> Vec<Value> {
        read_log(&self.log)
    }

    /// All of the log, also what is no JSON.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Lines of the log with this message.
    pub fn logged(&self, message: &str) -> Vec<Value> {
        self.log().into_iter().filter(|line| line["message"] == message).collect()
    }

    #[track_caller]
    pub fn wait_logged(&self, message: &str) -> Value {
        until(&format!("logged: {message}"), || self.logged(message).into_iter().next())
    }

    #[track_caller]
    pub fn wait_until_ready(&self) {
        self.wait_logged("the daemon is ready");
    }

    /// All of its processes.
    pub fn processes(&self) -> Vec<Process> {
        processes(self.pid())
    }

    pub fn workers(&self) -> Vec<Process> {
        self.processes().into_iter().filter(Process::is_worker).collect()
    }

    /// The one process with this title.
    #[track_caller]
    pub fn process(&self, title: &str) -> Process {
        until(&format!("a process {title}"), || self.processes().into_iter().find(|process| process.title == title))
    }

    pub fn broker(&self) -> Process {
        self.process("broker")
    }

    pub fn zygote(&self) -> Process {
        self.process("zygote")
    }

    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(Pid::from_raw(self.pid() as i32), signal).unwrap();
    }

    /// Waits for the supervisor's end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        until("the daemon ends", || self.child.try_wait().unwrap())
    }

    /// Waits until none of its processes is left.
    #[track_caller]
    pub fn wait_until_gone(&mut self) {
        until_true("no process of the daemon is left", || {
            let _ = self.child.try_wait();
            self.processes().is_empty()
        });
    }

    /// Stops it, which is to end well, and to leave nothing.
    #[track_caller]
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{status}");
        assert!(self.processes().is_empty(), "left: {:?}", self.processes());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = nix::sys::signal::killpg(Pid::from_raw(self.pid() as i32), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

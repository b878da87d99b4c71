//! Provides the supervisor: the process that the user started. It starts and watches broker and zygote, takes signals, and runs nothing itself.
//!
//! What to do is decided by `core::lifecycle`; here it is done.

mod reload;
mod service;

use crate::application::Level;
use crate::fork::{self, End};
use crate::notify::Notifier;
use crate::scoreboard::{Scoreboard, State};
use crate::signals::Signals;
use crate::succession::Boot;
use crate::ties::Ties;
use crate::transport::{Source, wait};
use crate::{RunError, clock, log};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use proletarier_core::lifecycle::{Action, Child, Exit, Input, Lifecycle, Plan, State as Stage};
use proletarier_core::time::Mono;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

/// Where the system does not hand orphans over, they are looked for so often.
const LOOK_FOR_ORPHANS: Duration = Duration::from_millis(50);

/// What the supervisor's children do.
pub trait Children {
    /// Starts the zygote with this number from the command line, as this generation.
    ///
    /// # Errors
    /// The words, where that can't be.
    fn execute(&mut self, number: u32, generation: u32) -> Result<Boot, String>;
    /// Judges the role and the settings of a generation that boots.
    ///
    /// # Errors
    /// The words, where this daemon can't take it.
    fn judge(&mut self, role: &str, settings: &serde_json::Value) -> Result<(), String>;
    /// The generation judged last has taken over: grace and time to boot from now on, in microseconds.
    fn took_over(&mut self, generation: u32) -> (u64, u64);
    /// The broker of this epoch.
    fn broker(&mut self, epoch: u64) -> Infallible;
    /// The zygote with this number.
    fn zygote(&mut self, number: u32) -> Infallible;
}

struct Supervisor<'a> {
    scoreboard: &'a Scoreboard,
    ties: &'a Ties,
    children: &'a mut dyn Children,
    notifier: Notifier,
    /// Whether there is code here to reload.
    has_code: bool,
    /// When the broker was last asked for a sign of life.
    rung: Mono,
    lifecycle: Lifecycle,
    broker: Option<(Pid, u64)>,
    zygote: Option<(Pid, u32)>,
    zygotes: u32,
    generation: u32,
    /// What was started from the command line and is not ready: the zygote itself after a death, else a successor.
    booting: Option<Boot>,
    /// Zygotes that end by themselves: retired ones, and what was killed.
    elders: Vec<(Pid, u32)>,
    /// Reloads that were asked for: served by the one under way, and seen.
    serving: u32,
    asked: u32,
    inputs: VecDeque<Input>,
    /// The zygote's end, told when its workers are gone, too.
    zygote_end: Option<End>,
}

/// Runs the daemon until it is told to stop; its exit status.
///
/// # Errors
/// When the machine has no pipe left.
pub fn run(
    plan: Plan,
    scoreboard: &Scoreboard,
    ties: &Ties,
    notifier: Notifier,
    children: &mut dyn Children,
) -> Result<i32, RunError> {
    let caught = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD];
    let signals = Signals::catch(&caught).map_err(|error| RunError::Setup(error.to_string()))?;
    fork::inherit_orphans();
    let mut supervisor = Supervisor {
        scoreboard,
        ties,
        children,
        notifier,
        has_code: plan.zygote,
        rung: Mono(0),
        lifecycle: Lifecycle::new(plan),
        broker: None,
        zygote: None,
        zygotes: 0,
        generation: 1,
        booting: None,
        elders: Vec::new(),
        serving: 0,
        asked: 0,
        inputs: VecDeque::from([Input::Tick]),
        zygote_end: None,
    };
    let status = loop {
        if let Some(status) = supervisor.act() {
            break status;
        }
        supervisor.wait(&signals);
    };
    fork::reset_signals();
    Ok(status)
}

impl Supervisor<'_> {
    /// Does what the inputs so far ask for; the status to exit with, when it is time.
    fn act(&mut self) -> Option<i32> {
        while let Some(input) = self.inputs.pop_front() {
            let before = self.lifecycle.state();
            let now = clock::mono();
            for action in self.lifecycle.handle(input, now) {
                match action {
                    Action::Start(Child::Broker) => self.start_broker(),
                    Action::Start(Child::Zygote) => self.start_zygote(),
                    Action::StartAnew => self.start_anew(),
                    Action::StartSuccessor => self.start_successor(),
                    Action::Promote => self.promote(),
                    Action::KillBooting => self.kill_booting("it was not ready within worker.boot_timeout, or its time is over"),
                    Action::Stop(child) => self.signal(child, Signal::SIGTERM),
                    Action::Kill(child) => self.signal(child, Signal::SIGKILL),
                    Action::KillAll => self.kill_all(),
                    Action::Exit(status) => return Some(status),
                }
            }
            self.announce(before);
        }
        None
    }

    fn announce(&self, before: Stage) {
        let pid = std::process::id();
        match (before, self.lifecycle.state()) {
            (Stage::Starting, Stage::Running) => {
                log::line(Level::Info, "the daemon is ready", &[("pid", &pid)]);
                self.tell_ready(None);
            }
            (Stage::Starting | Stage::Running, Stage::Draining) => {
                log::line(Level::Info, "the daemon stops", &[("pid", &pid)]);
                self.notifier.stopping();
            }
            _ => {}
        }
    }

    fn start_broker(&mut self) {
        let epoch = self.scoreboard.next_epoch();
        match fork::spawn(|| self.children.broker(epoch)) {
            Ok(pid) => self.broker = Some((pid, epoch)),
            Err(error) => self.fork_failed(Child::Broker, error),
        }
    }

    fn start_zygote(&mut self) {
        self.zygotes += 1;
        let number = self.zygotes;
        match fork::spawn(|| self.children.zygote(number)) {
            Ok(pid) => self.zygote = Some((pid, number)),
            Err(error) => self.fork_failed(Child::Zygote, error),
        }
    }

    fn fork_failed(&mut self, child: Child, error: nix::Error) {
        log::line(Level::Error, "can't fork", &[("error", &error.desc())]);
        self.inputs.push_back(Input::Exited(child, Exit::Status(fork::EXIT_PANIC)));
    }

    fn signal(&self, child: Child, signal: Signal) {
        let pid = match child {
            Child::Broker => self.broker.map(|(pid, _)| pid),
            Child::Zygote => self.zygote.map(|(pid, _)| pid),
        };
        let elders = self.elders.iter().map(|(pid, _)| *pid).filter(|_| child == Child::Zygote);
        for pid in pid.into_iter().chain(elders) {
            fork::signal(pid, signal);
        }
        if child == Child::Zygote && signal == Signal::SIGKILL {
            self.kill_workers();
        }
    }

    fn kill_all(&self) {
        log::line(Level::Warning, "the daemon kills what is left of it", &[]);
        self.signal(Child::Zygote, Signal::SIGKILL);
        self.signal(Child::Broker, Signal::SIGKILL);
    }

    fn kill_workers(&self) {
        for (_, slot) in self.scoreboard.slots().filter(|(_, slot)| is_alive(slot.state())) {
            // 0 until parent or child has written it: that one sees its lifeline cut.
            if let Some(pid) = i32::try_from(slot.pid()).ok().filter(|pid| *pid > 1) {
                fork::signal(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }

    /// Waits for something to happen, and makes it an input.
    fn wait(&mut self, signals: &Signals) {
        let now = clock::mono();
        self.show_life(now);
        let next = self.lifecycle.next_wake().into_iter().chain(self.notifier.next_watch()).min();
        let mut timeout = next.map(|moment| Duration::from_micros(moment.since(now)));
        let watch_orphans = self.zygote_end.is_some() || (!cfg!(target_os = "linux") && self.has_orphans());
        if watch_orphans {
            timeout = Some(timeout.unwrap_or(Duration::MAX).min(LOOK_FOR_ORPHANS));
        }
        let [messages, output] = self.booting.as_ref().map_or([Source::Never, Source::Never], Boot::sources);
        let sources =
            [Source::Descriptor(signals.descriptor()), Source::Descriptor(self.ties.supervisor.descriptor()), messages, output];
        let [told, bell, ..] = wait(sources, timeout);
        self.hear_booting();
        if bell {
            self.ties.supervisor.hush();
            self.see_ready();
            self.see_asked();
        }
        if told {
            for signal in signals.take() {
                match signal {
                    Signal::SIGTERM | Signal::SIGINT => self.inputs.push_back(Input::Signal),
                    Signal::SIGHUP => {
                        self.scoreboard.ask_for_reload();
                        self.see_asked();
                    }
                    _ => {}
                }
            }
        }
        while let Some((pid, end)) = fork::reap() {
            self.reaped(pid, end);
        }
        if watch_orphans {
            self.look_for_orphans();
        }
        self.tell_zygote_end();
        self.inputs.push_back(Input::Tick);
    }

    fn see_ready(&mut self) {
        if self.broker.is_some_and(|(_, epoch)| self.scoreboard.broker_ready() == epoch) {
            self.inputs.push_back(Input::Ready(Child::Broker));
        }
        if let Some((pid, number)) = self.zygote.filter(|(_, number)| self.scoreboard.zygote_ready() == *number) {
            if self.booting.as_ref().is_some_and(|boot| boot.number == number) {
                self.taken_over();
            }
            fork::signal(pid, Signal::SIGUSR2);
            self.inputs.push_back(Input::Ready(Child::Zygote));
        }
        if self.successor().is_some_and(|boot| self.scoreboard.zygote_ready() == boot.number) {
            self.inputs.push_back(Input::SuccessorReady);
        }
    }

    fn reaped(&mut self, pid: Pid, end: End) {
        // A child that was ready and died at once was ready all the same.
        self.see_ready();
        if self.broker.is_some_and(|(broker, _)| broker == pid) {
            self.broker = None;
            self.tell_death("the broker", pid, end);
            self.inputs.push_back(Input::Exited(Child::Broker, exit(end)));
        } else if self.elders.iter().any(|(elder, _)| *elder == pid) {
            self.elders.retain(|(elder, _)| *elder != pid);
        } else if self.successor().is_some_and(|boot| boot.pid == pid) {
            self.successor_died(end);
        } else if let Some((_, number)) = self.zygote.filter(|(zygote, _)| *zygote == pid) {
            self.zygote = None;
            self.booting_died(pid, end);
            self.tell_death("the zygote", pid, end);
            // Its workers finish what they are at; the next one's take over.
            self.scoreboard.retire_before(number + 1);
            self.zygote_end = Some(end);
        } else {
            self.orphan_died(pid.as_raw() as u32, end);
        }
    }

    fn tell_death(&self, who: &str, pid: Pid, end: End) {
        if end != End::Exit(0) {
            log::line(Level::Error, &format!("{who} died"), &[("pid", &pid), ("end", &end)]);
        }
    }

    fn orphan_died(&self, pid: u32, end: End) {
        let slot = self.scoreboard.slots().find(|(_, slot)| is_alive(slot.state()) && slot.pid() == pid);
        if let Some((_, slot)) = slot {
            slot.died(end);
            self.ties.broker.ring();
        }
    }

    /// The zygote's end counts when its workers are gone, where the daemon stops; else at once, so that it is replaced.
    fn tell_zygote_end(&mut self) {
        let draining = self.lifecycle.state() == Stage::Draining;
        if let Some(end) = self.zygote_end.filter(|_| !draining || (self.elders.is_empty() && !self.has_orphans())) {
            self.zygote_end = None;
            self.inputs.push_back(Input::Exited(Child::Zygote, exit(end)));
        }
    }

    /// Whether workers live whose zygote is gone.
    fn has_orphans(&self) -> bool {
        self.scoreboard.slots().any(|(_, slot)| is_alive(slot.state()) && !self.has_zygote(slot.zygote()))
    }

    /// Finds orphans that ended with nobody to reap them.
    fn look_for_orphans(&self) {
        for (_, slot) in self.scoreboard.slots().filter(|(_, slot)| is_alive(slot.state()) && !self.has_zygote(slot.zygote())) {
            if !fork::exists(slot.pid()) {
                slot.died(End::Unknown);
                self.ties.broker.ring();
            }
        }
    }
}

const fn is_alive(state: State) -> bool {
    matches!(state, State::Booting | State::Working)
}

const fn exit(end: End) -> Exit {
    match end {
        End::Exit(status) => Exit::Status(status),
        End::Signal(signal) => Exit::Signal(signal),
        End::Unknown => Exit::Signal(0),
    }
}

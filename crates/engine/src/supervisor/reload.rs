//! Does what a reload takes: starts the next generation, hears it, has it take over, or tells why it does not.

use super::Supervisor;
use crate::application::Level;
use crate::fork::{self, End};
use crate::scoreboard::ReloadOutcome;
use crate::succession::{Boot, Heard};
use crate::{clock, log};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use proletarier_core::lifecycle::{Child, Exit, Input, State};

impl Supervisor<'_> {
    /// Whether a zygote with this number runs.
    pub(super) fn has_zygote(&self, number: u32) -> bool {
        let booting = self.booting.iter().map(|boot| boot.number);
        let zygotes = self.zygote.iter().chain(&self.elders).map(|(_, number)| *number);
        zygotes.chain(booting).any(|other| other == number)
    }

    /// What boots beside a zygote.
    pub(super) fn successor(&self) -> Option<&Boot> {
        self.booting.as_ref().filter(|boot| self.zygote.is_none_or(|(pid, _)| pid != boot.pid))
    }

    /// Takes note of reloads and a stop that were asked for at the control socket.
    pub(super) fn see_asked(&mut self) {
        if self.scoreboard.is_stop_asked() && self.lifecycle.state() != State::Draining {
            self.inputs.push_back(Input::Signal);
        }
        let asked = self.scoreboard.reloads_asked();
        if asked == self.asked {
            return;
        }
        self.asked = asked;
        if self.lifecycle.state() == State::Draining {
            self.serving = asked;
            self.failed("the daemon stops");
        } else if !self.has_code {
            self.serving = asked;
            self.notifier.reloading("asked to reload", clock::mono());
            self.failed("this daemon is a broker alone, with no code to reload: stop it and start it anew for other settings");
        } else {
            self.inputs.push_back(Input::Reload);
        }
    }

    pub(super) fn start_successor(&mut self) {
        self.serving = self.scoreboard.reloads_asked();
        let next = self.generation + 1;
        log::line(Level::Info, "a reload: the next generation boots", &[("generation", &next)]);
        self.notifier.reloading(&format!("generation {next} boots"), clock::mono());
        self.zygotes += 1;
        match self.children.execute(self.zygotes, next) {
            Ok(boot) => self.booting = Some(boot),
            Err(words) => {
                self.failed(&words);
                self.inputs.push_back(Input::SuccessorFailed);
            }
        }
    }

    pub(super) fn start_anew(&mut self) {
        self.zygotes += 1;
        match self.children.execute(self.zygotes, self.generation + 1) {
            Ok(boot) => {
                self.zygote = Some((boot.pid, boot.number));
                self.booting = Some(boot);
            }
            Err(words) => {
                log::line(Level::Error, "the zygote can't be replaced", &[("error", &words)]);
                self.inputs.push_back(Input::Exited(Child::Zygote, Exit::Status(fork::EXIT_NOT_EXECUTED)));
            }
        }
    }

    /// The successor is the zygote from now on.
    pub(super) fn promote(&mut self) {
        let Some((pid, number)) = self.booting.as_ref().map(|boot| (boot.pid, boot.number)) else { return };
        let before = self.zygote.replace((pid, number));
        self.scoreboard.retire_before(number);
        for (pid, _) in before.iter().chain(self.zygote.iter()) {
            fork::signal(*pid, Signal::SIGUSR2);
        }
        self.elders.extend(before);
        self.taken_over();
        self.tell(None);
    }

    /// What was started from the command line is ready, and its settings are the daemon's.
    pub(super) fn taken_over(&mut self) {
        let Some(boot) = self.booting.take() else { return };
        self.generation = boot.generation;
        let (grace, longest) = self.children.took_over(boot.generation);
        self.lifecycle.set_times(grace, longest);
        // It runs on, and looks at what is new.
        if let Some((pid, _)) = self.broker {
            fork::signal(pid, Signal::SIGHUP);
        }
        log::line(Level::Info, "a generation has taken over", &[("generation", &boot.generation), ("zygote", &boot.pid)]);
    }

    pub(super) fn hear_booting(&mut self) {
        let Some(boot) = &mut self.booting else { return };
        for heard in boot.hear() {
            match heard {
                Heard::Failed(words) => boot.error = Some(words),
                Heard::Introduced(role, settings) => match self.children.judge(&role, &settings) {
                    Ok(()) => boot.go_on(),
                    Err(words) => {
                        self.kill_booting(&words);
                        self.inputs.push_back(Input::SuccessorFailed);
                        return;
                    }
                },
            }
        }
    }

    /// Ends what boots, with its workers. A successor's reload has failed.
    pub(super) fn kill_booting(&mut self, words: &str) {
        let successor = self.successor().is_some();
        let Some(boot) = self.booting.take() else { return };
        fork::signal(boot.pid, Signal::SIGKILL);
        for (_, slot) in self.scoreboard.slots().filter(|(_, slot)| slot.zygote() == boot.number) {
            if super::is_alive(slot.state())
                && let Some(pid) = i32::try_from(slot.pid()).ok().filter(|pid| *pid > 1)
            {
                fork::signal(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        if successor {
            self.elders.push((boot.pid, boot.number));
            self.failed(words);
        } else {
            log::line(Level::Error, "the zygote can't be replaced", &[("error", &words)]);
        }
    }

    pub(super) fn successor_died(&mut self, end: End) {
        self.hear_booting();
        if let Some(boot) = self.booting.take() {
            self.failed(&why(&boot, end));
            self.inputs.push_back(Input::SuccessorFailed);
        }
    }

    /// The zygote itself, if it was still booting.
    pub(super) fn booting_died(&mut self, pid: Pid, end: End) {
        if self.booting.as_ref().is_some_and(|boot| boot.pid == pid) {
            self.hear_booting();
            if let Some(boot) = self.booting.take() {
                log::line(Level::Error, "the zygote can't be replaced", &[("error", &why(&boot, end))]);
            }
        }
    }

    fn failed(&self, words: &str) {
        let fields: [(&str, &dyn std::fmt::Display); 2] = [("generation", &self.generation), ("error", &words)];
        log::line(Level::Error, "the reload failed, and the old code goes on", &fields);
        self.tell(Some(words.to_owned()));
    }

    fn tell(&self, error: Option<String>) {
        if self.lifecycle.state() == State::Running {
            self.tell_ready(error.as_deref());
        }
        let outcome = ReloadOutcome { asked: self.serving, generation: self.generation, error };
        self.scoreboard.set_reload_outcome(&outcome);
    }
}

/// Why it ended before it was ready.
fn why(boot: &Boot, end: End) -> String {
    let said = boot.last_output();
    match &boot.error {
        Some(error) => error.clone(),
        None if said.is_empty() => format!("it ended before it was ready: {end}"),
        None => format!("it ended before it was ready: {end}: {said}"),
    }
}

//! Provides the zygote: the booted application of one generation. It forks workers, reaps them, and tells of their deaths; it runs no listener and
//! owns no thread.

mod pool;

use crate::application::Level;
use crate::fork::{self, End};
use crate::scoreboard::{Scoreboard, State};
use crate::signals::Signals;
use crate::ties::{Lifeline, Ties};
use crate::transport::{Source, wait};
use crate::{clock, log};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use proletarier_core::failure::FailureKind;
use proletarier_core::lifecycle::{EXIT_BOOT_FAILED, Respawn, SETTLE_TIME};
use proletarier_core::queue::Remains;
use proletarier_core::settings::Settings;
use proletarier_core::time::Mono;
use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

/// Workers are killed this long before the supervisor would kill the zygote, in microseconds: it has to reap them first.
const REAP_TIME: u64 = 200_000;

/// What a zygote is given.
pub struct Post<'a> {
    /// The daemon's settings.
    pub settings: &'a Settings,
    /// Its workers' slots.
    pub scoreboard: &'a Scoreboard,
    /// To the other processes.
    pub ties: &'a Ties,
    /// Which zygote this is, from 1.
    pub number: u32,
    /// The generation of code it is a copy of.
    pub generation: u32,
    /// Whether a broker on this machine settles what dead workers had.
    pub broker_here: bool,
}

/// What a new worker is given.
pub struct Seat {
    /// Its place in the scoreboard.
    pub slot: u32,
    /// What the worker that had the place before left, where no broker here settles it.
    pub predecessor: Option<Remains>,
    /// Held by the zygote.
    pub life: Lifeline,
    /// Held by the zygote until it retires.
    pub leave: Lifeline,
}

struct Zygote<'a> {
    post: Post<'a>,
    life: Lifeline,
    leave: Lifeline,
    children: HashMap<Pid, u32>,
    respawn: Respawn,
    not_before: Mono,
    predecessors: HashMap<u32, Remains>,
    /// Those that ask to be replaced, in the order in which they were seen to.
    asked: Vec<Pid>,
}

/// Runs a zygote until it is told to stop; its exit status. `worker` is what a child does.
pub fn run(post: Post<'_>, worker: &mut dyn FnMut(Seat) -> Infallible) -> i32 {
    // SIGUSR2: the supervisor says that something has changed; what, the scoreboard tells.
    let caught = [Signal::SIGTERM, Signal::SIGCHLD, Signal::SIGUSR2];
    let (Ok(signals), Ok(life), Ok(leave)) = (Signals::catch(&caught), Lifeline::new(), Lifeline::new()) else {
        log::line(Level::Error, "the machine has no pipe left", &[]);
        return EXIT_BOOT_FAILED;
    };
    let children = HashMap::new();
    let (respawn, not_before) = (Respawn::new(), Mono(0));
    let predecessors = HashMap::new();
    let mut zygote = Zygote { post, life, leave, children, respawn, not_before, predecessors, asked: Vec::new() };
    loop {
        let now = clock::mono();
        if let Some(status) = zygote.reap(now) {
            zygote.drain(&signals);
            return status;
        }
        if zygote.retires() {
            return 0;
        }
        zygote.fill(now, worker);
        let timeout = zygote.pause(now);
        let ties = zygote.post.ties;
        let sources = [
            Source::Descriptor(signals.descriptor()),
            // Of several zygotes the one in charge hears the bell: a ring is heard once.
            if zygote.is_in_charge() { Source::Descriptor(ties.zygote.descriptor()) } else { Source::Never },
            Source::Descriptor(ties.life.descriptor()),
        ];
        let [told, bell, orphaned] = wait(sources, timeout);
        if bell {
            ties.zygote.hush();
        }
        if (told && signals.take().contains(&Signal::SIGTERM)) || (orphaned && ties.life.is_cut()) {
            zygote.drain(&signals);
            return 0;
        }
    }
}

impl Zygote<'_> {
    fn is_retired(&self) -> bool {
        self.post.scoreboard.is_retired(self.post.number)
    }

    fn is_in_charge(&self) -> bool {
        self.post.scoreboard.zygote_ready() >= self.post.number && !self.is_retired()
    }

    /// A next generation has taken over: workers finish the event that they are at, however long that takes. Whether none is left.
    fn retires(&self) -> bool {
        if self.is_retired() {
            self.leave.let_go();
        }
        self.is_retired() && self.children.is_empty()
    }

    /// Takes in the dead. A status: the application can't boot, and neither can the daemon.
    fn reap(&mut self, now: Mono) -> Option<i32> {
        let mut boot_failed = None;
        while let Some((pid, end)) = fork::reap() {
            let Some(number) = self.children.remove(&pid) else { continue };
            let Some(slot) = self.post.scoreboard.slot(number) else { continue };
            let booting = slot.state() == State::Booting;
            self.tell(number, pid, end, booting);
            if booting {
                self.not_before = self.respawn.failed(now);
                if end == End::Exit(EXIT_BOOT_FAILED) && self.post.scoreboard.zygote_ready() < self.post.number {
                    boot_failed = Some(EXIT_BOOT_FAILED);
                }
            }
            slot.died(end);
            if self.post.broker_here {
                self.post.ties.broker.ring();
            } else {
                self.predecessors.insert(number, slot.remains());
                slot.free();
            }
        }
        boot_failed
    }

    fn tell(&self, number: u32, pid: Pid, end: End, booting: bool) {
        let Some(slot) = self.post.scoreboard.slot(number) else { return };
        let (shown, words) = (number + 1, slot.last_words());
        let event = slot.running_event().unwrap_or_default();
        let reason = words.as_ref().map(|words| format!("{}: {}", words.class, words.message)).unwrap_or_default();
        let place = words.as_ref().filter(|words| !words.file.is_empty());
        let place = place.map(|words| format!("{}:{}", words.file, words.line)).unwrap_or_default();
        let trace = words.filter(|words| words.kind == FailureKind::TimedOut).map(|words| words.trace).unwrap_or_default();
        let all: [(&str, &dyn std::fmt::Display); 7] = [
            ("worker", &shown),
            ("pid", &pid),
            ("end", &end),
            ("event_id", &event),
            ("error", &reason),
            ("at", &place),
            ("trace", &trace),
        ];
        let fields: Vec<_> = all.into_iter().filter(|(_, value)| !value.to_string().is_empty()).collect();
        match (booting, end) {
            (true, _) => log::line(Level::Error, "a worker could not boot", &fields),
            (false, End::Exit(0)) => log::line(Level::Debug, "a worker left", &fields),
            (false, _) => log::line(Level::Warning, "a worker died, and is replaced", &fields),
        }
    }

    /// Lets the workers finish what they are at, and kills those that don't in time. None is left after.
    fn drain(&mut self, signals: &Signals) {
        // One that never worked ends for itself: the generation before it goes on.
        if self.post.scoreboard.zygote_ready() >= self.post.number {
            self.post.scoreboard.retire_before(self.post.number + 1);
        }
        self.leave.let_go();
        self.life.let_go();
        let grace = self.post.settings.worker.grace.as_micros() as u64;
        let settle = (grace / 5).min(SETTLE_TIME);
        let deadline = clock::mono().plus(grace.saturating_sub(settle + REAP_TIME));
        let mut killed = false;
        while !self.children.is_empty() {
            let now = clock::mono();
            let _ = self.reap(now);
            if self.children.is_empty() {
                break;
            }
            if now >= deadline && !killed {
                killed = true;
                for (pid, number) in &self.children {
                    let event =
                        self.post.scoreboard.slot(*number).and_then(crate::scoreboard::Slot::running_event).unwrap_or_default();
                    let words = "a worker did not end within worker.grace, and is killed";
                    log::line(Level::Warning, words, &[("worker", &(number + 1)), ("pid", pid), ("event_id", &event)]);
                    fork::signal(*pid, Signal::SIGKILL);
                }
            }
            let rest = if killed { Duration::from_millis(50) } else { Duration::from_micros(deadline.since(now)) };
            wait([Source::Descriptor(signals.descriptor())], Some(rest));
            signals.take();
        }
    }
}

//! Provides the worker: a process that asks for deliveries, has the application handle them, and reports what became of each listener.
//!
//! What it does stands in its slot of the scoreboard before it does it, so that its death at any point is settled by whoever reads the slot.

mod boot;
mod hand;
mod handle;
pub mod limit;
mod line;
mod orphan;
mod relief;
mod sentry;
mod watch;

use crate::application::{Application, Level, Moment};
use crate::scoreboard::{Relief, Scoreboard, Slot};
use crate::signals::Signals;
use crate::ties::{Lifeline, Ties};
use crate::{clock, fork, oom};
use hand::Hand;
use line::Line;
use nix::sys::signal::Signal;
use proletarier_core::frame::{BrokerFrame, Hello, WorkerFrame};
use proletarier_core::lifecycle::EXIT_BOOT_FAILED;
use proletarier_core::listener::ListenerTable;
use proletarier_core::queue::Remains;
use proletarier_core::settings::Settings;
use proletarier_core::time::Mono;
use relief::Wear;
use std::fmt::Display;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

/// How long a worker that leaves waits until the broker has settled its last outcomes; its slot tells them as well.
const FAREWELL: Duration = Duration::from_secs(1);
/// A report on a chunk under way is sent after so many microseconds, so that what is finished does not wait for what is slow.
const REPORT_AFTER: u64 = 50_000;

/// What a worker is given.
pub struct Post<'a> {
    /// The daemon's settings.
    pub settings: &'a Settings,
    /// Shared with the broker, where that is on this machine.
    pub scoreboard: &'a Scoreboard,
    /// To the other processes.
    pub ties: &'a Ties,
    /// Held by the zygote.
    pub life: &'a Lifeline,
    /// Held by the zygote until it retires.
    pub leave: &'a Lifeline,
    /// Its place in the scoreboard.
    pub slot: u32,
    /// Its zygote.
    pub zygote: u32,
    /// The generation of code it runs.
    pub generation: u32,
    /// For a broker elsewhere: this machine's name there. Empty where the broker is on this machine.
    pub host: &'a str,
    /// For a broker elsewhere: what the worker that had the slot before left.
    pub predecessor: Option<Remains>,
}

/// Runs a worker until it is told to stop, then ends the process.
pub fn run(post: Post<'_>, application: &mut dyn Application) -> ! {
    let status = match post.scoreboard.slot(post.slot) {
        Some(slot) => Worker::serve(&post, slot, application),
        None => fork::EXIT_PANIC,
    };
    application.tell(&Moment::Exit(status));
    application.end(status)
}

struct Worker<'a> {
    post: &'a Post<'a>,
    slot: &'a Slot,
    application: &'a mut dyn Application,
    table: ListenerTable,
    line: Line,
    hand: Hand,
    signals: Signals,
    /// The broker that it introduced itself to.
    epoch: u64,
    /// Which of a line of forks this process is.
    process: u64,
    /// The event that the process's title names.
    titled: Option<String>,
    /// Since when nothing was reported: monotonic, microseconds.
    reported: u64,
    wear: Wear,
    /// Why it has asked to be replaced, where it has.
    worn: Option<String>,
}

/// Why a worker stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Its zygote takes in no more, or it was sent SIGTERM.
    Asked,
    /// Its zygote lets it go: its replacement is there, or there are enough workers.
    Relieved,
    /// The process that forked it is gone.
    Orphaned,
}

impl<'a> Worker<'a> {
    fn serve(post: &'a Post<'a>, slot: &'a Slot, application: &'a mut dyn Application) -> i32 {
        slot.set_pid(std::process::id());
        oom::offer_this_process();
        let Ok(signals) = Signals::catch(&[Signal::SIGTERM]) else { return EXIT_BOOT_FAILED };
        sentry::post(post, application.alarm());
        let number = post.slot + 1;
        application.title(&format!("proletarier: worker {number} (booting)"));
        let table = match boot::launch(post, application) {
            Ok(table) => table,
            Err(failure) => {
                slot.set_last_words(&failure);
                return EXIT_BOOT_FAILED;
            }
        };
        limit::set(&table, post.settings.worker.timeout);
        let Ok(line) = Line::open(post) else { return EXIT_BOOT_FAILED };
        slot.booted(table.fingerprint());
        post.scoreboard.set_zygote_ready(post.zygote);
        post.ties.zygote.ring();
        post.ties.supervisor.ring();
        let hand = Hand::default();
        let mut worker = Self {
            post,
            slot,
            application,
            table,
            line,
            hand,
            signals,
            epoch: 0,
            process: fork::generation(),
            titled: None,
            reported: 0,
            wear: Wear::new(&post.settings.worker, clock::mono(), clock::dice()),
            worn: None,
        };
        worker.application.title(&format!("proletarier: worker {number}"));
        if let Some(bytes) = worker.wear.heavy {
            let words =
                "worker.max_memory is less than a worker has when it has booted, and half of it is added to that: raise it";
            worker.application.log(Level::Warning, words, &[("worker", &number), ("private_bytes", &bytes)]);
        }
        worker.work();
        0
    }

    fn work(&mut self) {
        let stop = loop {
            if let Some(stop) = self.should_stop() {
                break stop;
            }
            if self.line.is_heartbeat_due() {
                self.line.send(&WorkerFrame::Heartbeat);
            }
            self.hear();
            if self.may_claim() && self.hand.has_chunks() {
                self.handle_chunk();
                continue;
            }
            self.entitle(None);
            self.application.tell(&Moment::Idle);
            self.ask_for_relief(clock::mono());
            // Whoever lets it go either sees that nothing is claimed, and wakes it up, or is seen here.
            fence(Ordering::SeqCst);
            if self.slot.relief() == Relief::Granted {
                continue;
            }
            let rest = if self.worn.is_none() { self.wear.rest() } else { None };
            self.line.wait(&self.signals, [self.post.life, self.post.leave], rest);
            if self.post.life.is_cut() && !self.post.scoreboard.is_retired(self.post.zygote) {
                break Stop::Orphaned;
            }
        };
        self.leave(stop);
    }

    /// Whether the broker that gave the work still reigns. While a new one does not know this worker, nothing is claimed: away from it, not
    /// while the connection is one that it has not asked on.
    fn may_claim(&self) -> bool {
        let reigns = || if self.post.host.is_empty() { self.post.scoreboard.epoch() == self.epoch } else { self.line.is_met() };
        self.epoch != 0 && reigns()
    }

    fn should_stop(&self) -> Option<Stop> {
        if self.slot.relief() == Relief::Granted {
            return Some(Stop::Relieved);
        }
        if self.post.scoreboard.is_retired(self.post.zygote)
            || (self.signals.is_pending() && self.signals.take().contains(&Signal::SIGTERM))
        {
            return Some(Stop::Asked);
        }
        orphan::is_orphan().then_some(Stop::Orphaned)
    }

    /// Asks to be replaced, once, where it is time for that. Between deliveries.
    fn ask_for_relief(&mut self, now: Mono) {
        if self.worn.is_some() {
            return;
        }
        let told = self.application.take_recycling();
        let (reason, amount) = match (told, self.wear.reason(now)) {
            (Some(reason), _) => (reason, 0),
            (None, Some((setting, amount))) => (setting.to_owned(), amount),
            (None, None) => return,
        };
        let (number, pid) = (self.post.slot + 1, std::process::id());
        let fields: [(&str, &dyn Display); 4] = [("worker", &number), ("pid", &pid), ("reason", &reason), ("at", &amount)];
        let fields = if amount > 0 { &fields[..] } else { &fields[..3] };
        self.application.log(Level::Info, "a worker is to be replaced", fields);
        self.worn = Some(reason);
        self.slot.set_relief(Relief::Asked);
        self.post.ties.zygote.ring();
    }

    /// Takes in what the broker sent.
    fn hear(&mut self) {
        while let Some(frame) = self.line.receive() {
            match BrokerFrame::decode(&frame) {
                Ok(BrokerFrame::Chunk(chunk)) if chunk.epoch == self.epoch => {
                    self.hand.settled(chunk.settled);
                    if !self.post.host.is_empty() {
                        // No broker writes to this machine's scoreboard: the worker does so itself.
                        self.slot.offer(chunk.number, chunk.deliveries.iter().map(|delivery| delivery.token));
                    }
                    self.hand.add(chunk, frame);
                }
                // From a broker that is gone: the one that came after hands it out anew.
                Ok(BrokerFrame::Chunk(_)) => {}
                Ok(BrokerFrame::Settled(through)) => self.hand.settled(through),
                Ok(BrokerFrame::Enquire(epoch)) => self.introduce(epoch),
                Ok(BrokerFrame::Revoke(chunk)) => self.give_back(chunk),
                Err(error) => self.application.tell(&Moment::ReadError(&error.to_string())),
            }
        }
    }

    /// Gives back what is not claimed of a chunk. One that was lost with a connection, on its way here, is given back whole.
    fn give_back(&mut self, chunk: u32) {
        let limit = self.slot.give_back(chunk).or_else(|| self.hand.chunk(chunk).is_none().then_some(0));
        if let Some(limit) = limit {
            self.line.send(&WorkerFrame::Revoked { chunk, limit });
        }
    }

    /// A broker asks who this is. One that is known already has lost the connection, and perhaps reports with it.
    fn introduce(&mut self, epoch: u64) {
        self.line.meet();
        if epoch == self.epoch {
            for report in self.hand.reports(self.slot) {
                self.line.send(&WorkerFrame::Report(report));
            }
            return;
        }
        if self.post.host.is_empty() && epoch != self.post.scoreboard.epoch() {
            // From a broker that is gone: the one that came after asks for itself.
            return;
        }
        let hello = Hello {
            epoch,
            slot: self.post.slot,
            incarnation: self.slot.incarnation(),
            generation: self.post.generation,
            pid: std::process::id(),
            last_chunk: self.hand.last_number(),
            remote: !self.post.host.is_empty(),
            listeners: self.table.all().to_vec(),
            predecessor: self.post.predecessor.clone(),
        };
        let held = self.hand.give_back_all(self.slot);
        self.line.send(&WorkerFrame::Ready(proletarier_core::frame::Ready { hello, held }));
        self.epoch = epoch;
    }

    /// Names the event in the process's title, where it changes.
    fn entitle(&mut self, event: Option<&str>) {
        if self.titled.as_deref() == event {
            return;
        }
        let number = self.post.slot + 1;
        let title = event
            .map_or_else(|| format!("proletarier: worker {number}"), |event| format!("proletarier: worker {number} [{event}]"));
        self.application.title(&title);
        self.titled = event.map(str::to_owned);
    }

    /// Gives back what is not claimed, reports the rest, and waits until it is settled.
    fn leave(&mut self, stop: Stop) {
        let reason = match stop {
            Stop::Asked => "stop".into(),
            // Where it has not asked there are enough without it.
            Stop::Relieved => self.worn.take().unwrap_or_else(|| "pool_size".into()),
            Stop::Orphaned => "the daemon's processes are gone".into(),
        };
        self.application.tell(&Moment::Shutdown(&reason));
        self.application.settle_triggered();
        self.hear();
        if self.epoch == 0 {
            // No broker knows of it: none has anything to tell it.
            return;
        }
        for report in self.hand.close_all(self.slot) {
            self.line.send(&WorkerFrame::Report(report));
        }
        self.line.send(&WorkerFrame::Leaving);
        let deadline = clock::mono().0 + FAREWELL.as_micros() as u64;
        loop {
            while let Some(frame) = self.line.receive() {
                match BrokerFrame::decode(&frame) {
                    Ok(BrokerFrame::Settled(through)) => {
                        self.hand.settled(through);
                        if self.hand.is_empty() {
                            return;
                        }
                    }
                    Ok(BrokerFrame::Revoke(chunk)) => self.give_back(chunk),
                    _ => {}
                }
            }
            let now = clock::mono().0;
            if now >= deadline {
                return;
            }
            self.line.wait_for_frame(Duration::from_micros(deadline - now));
        }
    }
}

//! Tells how the daemon is: processes, queues, what waits and what is dead. Cheap enough for each second: it reads what is in memory, and the names
//! of the spool's files.

use super::{Answer, Broker};
use crate::broker::peers::local_id;
use crate::clock;
use crate::scoreboard::{Relief, Slot, State};
use crate::spool::SpoolOptions;
use proletarier_core::lanes::Lanes;
use proletarier_core::listener::ListenerIndex;
use proletarier_core::queue::{QueueFigures, QueueView, Running};
use proletarier_core::time::Now;
use serde::Serialize;
use serde_json::{Value, json};

/// A worker of this machine.
#[derive(Serialize)]
struct Worker<'a> {
    worker: u32,
    pid: u32,
    generation: u32,
    state: &'static str,
    /// What it runs, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<Running<'a>>,
    /// For how many seconds it has run that, and the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener_seconds: Option<f64>,
}

/// A queue.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    queue: QueueView,
    /// What waits to be handed out; with `more`, at least so many: what was there when the broker began is counted as it is read.
    waiting: u64,
    more: bool,
    /// For how many seconds the first of what is at hand has waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<f64>,
    #[serde(flatten)]
    figures: QueueFigures,
}

impl Broker<'_> {
    pub(super) fn status(&mut self) -> Answer {
        let now = clock::now();
        let reload = self.post.scoreboard.reload_outcome();
        let queues = self.queue_lines(now);
        let workers: Vec<_> = self.post.scoreboard.slots().filter_map(|(number, slot)| self.worker(number, slot, now)).collect();
        Answer::Now(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "supervisor": nix::unistd::getppid().as_raw(),
            "epoch": self.post.epoch,
            "uptime": seconds(self.began.0, now),
            "workers": self.queue.workers(),
            "remote_workers": self.peers.remotes().count(),
            "processes": workers,
            "queues": queues,
            "malformed": self.malformed,
            "backlog": self.backlog.counts(),
            "counters": self.queue.counters(),
            "overload": self.queue.overload(),
            "spool": spool(SpoolOptions::of(&self.post.settings.client).as_ref()),
            "reload": {
                "asked": self.post.scoreboard.reloads_asked(),
                "ended": reload.asked,
                "generation": reload.generation,
                "error": reload.error,
            },
        }))
    }

    fn queue_lines(&mut self, now: Now) -> Value {
        let queues = self.queue.queues().into_iter().enumerate();
        let counts = self.backlog.lane_counts();
        let lines = queues.map(|(place, queue)| {
            let of_queue = || counts.iter().filter(|count| Lanes::queue(count.lane) == place);
            let waiting = of_queue().map(|count| count.pending).sum::<u64>() + (queue.ready + queue.held_back) as u64;
            let oldest = queue.oldest.map(|at| now.wall.0.saturating_sub(at) as f64 / 1e6);
            let more = of_queue().any(|count| count.more);
            Line { figures: self.queue.figures(place, now), queue, waiting, more, oldest }
        });
        serde_json::to_value(lines.collect::<Vec<_>>()).unwrap_or_default()
    }

    fn worker(&self, number: u32, slot: &Slot, now: Now) -> Option<Worker<'_>> {
        let running = slot.running_place();
        let state = match slot.state() {
            State::Free => return None,
            State::Booting => "booting",
            State::Dead => "dead",
            State::Working if self.post.scoreboard.is_retired(slot.zygote()) || slot.relief() == Relief::Granted => "leaving",
            State::Working if running.is_some() => "running",
            State::Working => "idle",
        };
        let (chunk, place) = running.unzip();
        let listener = slot.running_listener();
        let runs = chunk.zip(place).and_then(|(chunk, place)| {
            let listener: Option<ListenerIndex> = listener.map(|(listener, ..)| listener);
            self.queue.running(local_id(number, slot.incarnation()), chunk, place, listener)
        });
        Some(Worker {
            worker: number + 1,
            pid: slot.pid(),
            generation: slot.generation(),
            state,
            seconds: runs.map(|_| seconds(slot.since(), now)),
            listener_seconds: runs.and(listener).map(|(_, entered, _)| seconds(entered, now)),
            running: runs,
        })
    }
}

/// Seconds since a moment of the monotonic clock.
fn seconds(since: u64, now: Now) -> f64 {
    now.mono.0.saturating_sub(since) as f64 / 1e6
}

/// What is in this machine's spool; null where it can't be looked at, or there is none.
fn spool(options: Option<&SpoolOptions>) -> Value {
    let Some(entries) = options.and_then(|options| std::fs::read_dir(&options.dir).ok()) else { return Value::Null };
    let files = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|extension| extension == "spool"));
    let sizes: Vec<u64> = files.filter_map(|entry| entry.metadata().ok()).map(|about| about.len()).collect();
    json!({ "files": sizes.len(), "bytes": sizes.iter().sum::<u64>() })
}

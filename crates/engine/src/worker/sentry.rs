//! Provides a worker's sentry: a thread that ends what would not end by itself. It waits for the end of the zygote's pipe, so that no worker
//! outlives the processes above it, and for the moment at which the running listener is over its limit.
//!
//! A listener that is over its limit is woken, again and again, until it was told (by what the application throws) or has left. One that
//! has not left when `worker.grace` has passed as well is killed with its process, which leaves behind who it was and where.

use super::limit::{self, Limit, Run, Seen};
use super::{Post, orphan};
use crate::application::Alarm;
use crate::scoreboard::Scoreboard;
use crate::signals::{Sleeper, drain, spawn_quiet};
use crate::transport::{Source, wait};
use crate::{clock, fork};
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::time::Mono;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// A listener that is over its limit and was not told is woken so often, in microseconds: it may be about to fall asleep.
const AGAIN: u64 = 50_000;

struct Sentry {
    run: &'static Run,
    scoreboard: Scoreboard,
    slot: u32,
    alarm: Option<Alarm>,
    main: Option<Sleeper>,
    /// `worker.grace`, in microseconds.
    grace: u64,
    /// When the zygote was found gone.
    orphaned: Option<Mono>,
    /// The run that was found over its limit, and when.
    over: Option<(u64, Mono)>,
}

/// Posts a sentry over this process, whose main thread calls this. For an orphan, a handler that does not return does not need to help.
pub(super) fn post(post: &Post<'_>, alarm: Option<Alarm>) {
    // Without pipe or thread an orphan still notices between deliveries, by its own wait.
    let Ok(bell) = limit::bell() else { return };
    let mut sentry = Sentry {
        run: limit::run(),
        scoreboard: post.scoreboard.clone(),
        slot: post.slot,
        alarm,
        main: Sleeper::this_thread().ok(),
        grace: u64::try_from(post.settings.worker.grace.as_micros()).unwrap_or(limit::NEVER),
        orphaned: None,
        over: None,
    };
    let life = post.life.descriptor().as_raw_fd();
    drop(spawn_quiet(move || sentry.watch(life, &bell)));
}

impl Sentry {
    /// An idle worker's waits without end: entering a listener rings where there is need.
    fn watch(&mut self, life: RawFd, bell: &OwnedFd) {
        loop {
            drain(bell.as_fd());
            self.run.is_looking();
            let now = clock::mono();
            let next = self.look(now);
            self.run.looks_at(next);
            let pause = (next != limit::NEVER).then(|| Duration::from_micros(Mono(next).since(now)));
            let life = if self.orphaned.is_none() { Source::Edge(life) } else { Source::Never };
            let [cut, _] = wait([life, Source::Descriptor(bell.as_fd())], pause);
            if cut {
                orphan::tell();
                self.orphaned = Some(clock::mono());
            }
        }
    }

    /// Does what is to be done by now; the moment of the next look.
    fn look(&mut self, now: Mono) -> u64 {
        let killed = self.orphaned.map_or(limit::NEVER, |since| since.plus(self.grace).0);
        if now.0 >= killed {
            fork::kill_self();
        }
        let next = match self.run.seen() {
            Some(seen) if now.0 >= seen.deadline => self.overdue(seen, now),
            Some(seen) => seen.deadline,
            None => limit::NEVER,
        };
        next.min(killed)
    }

    /// Sees to a run that is over; the moment of the next look.
    fn overdue(&mut self, seen: Seen, now: Mono) -> u64 {
        let since = match self.over {
            Some((run, since)) if run == seen.number => since,
            // The grace counts from when it is woken: a machine may have been asleep until now.
            _ => now,
        };
        self.over = Some((seen.number, since));
        let killed = since.plus(self.grace).0;
        if now.0 >= killed && self.run.condemn(seen.number) {
            self.kill(seen);
        }
        if self.run.is_told(seen.number) {
            // What it does now, finally blocks and the like, is not disturbed any more.
            return killed;
        }
        self.run.is_due(seen.number);
        if let Some(alarm) = &self.alarm {
            (alarm.interrupt)();
        }
        if let Some(main) = &self.main {
            main.wake();
        }
        now.plus(AGAIN).0.min(killed)
    }

    fn kill(&self, seen: Seen) -> ! {
        if let (Some(slot), Some(limit)) = (self.scoreboard.slot(self.slot), limit::of(seen.listener)) {
            let place = self.alarm.and_then(|alarm| (alarm.place)()).unwrap_or_default();
            slot.set_last_words(&Failure {
                file: place.file,
                line: place.line,
                trace: place.trace,
                ..Failure::new(FailureKind::TimedOut, "timeout", self.words(limit))
            });
        }
        fork::kill_self()
    }

    fn words(&self, limit: &Limit) -> String {
        let (seconds, grace) = (limit.micros as f64 / 1e6, self.grace as f64 / 1e6);
        format!(
            "the listener \"{}\" ran for longer than its limit of {seconds} s, and did not end within {grace} s more (worker.grace): its \
             worker was killed",
            limit.listener
        )
    }
}

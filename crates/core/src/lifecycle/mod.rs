//! Defines the life of a daemon as its supervisor sees it: when broker and zygote are started, replaced, stopped, killed.
//!
//! ```text
//!             both were ready               TERM or INT
//!  starting ──────────────────> running ──────────────────> draining ───────────────> stopped
//!     │                                                     ^  zygote and workers end,
//!     ├── TERM or INT ──────────────────────────────────────┤  then the broker ends
//!     └── a child ended before one of its kind was ready ───┘  (a second signal or the deadline kills all)
//! ```
//!
//! - The broker is started first, the zygote once the broker was ready: a broker that can't bind stops the daemon before anything
//!   else was started.
//! - A child that ends before one of its kind ever was ready stops the daemon with status 1, however it ended: what never
//!   worked is told to the user instead of being tried for ever. After that a child that ends is replaced, by [`Respawn`].
//! - Draining: the zygote is asked to end, which ends its workers; the broker, which has to settle their last outcomes, is asked
//!   after that. A broker that dies before is replaced, for the same reason. A little before the deadline the workers that are still
//!   there are killed, so that the broker can settle that, too.
//!
//! A reload, within running (the old generation works on in all of it, but for the last step):
//!
//! ```text
//!          asked                  a zygote is proven             its first worker is ready
//!  idle ──────────────> wanted ────────────────────────> booting ──────────────────────────> idle: the old generation retires
//!    ^   (again: one more after this one)  ^                │ │
//!    │                                     └────────────────┘ │
//!    │                  the zygote before it died: anew       │ it ended, was refused, or was not ready within `boot` (killed)
//!    └────────────────────────────────────────────────────────┘ the old generation stays
//! ```
//!
//! - The successor is started from the original command line. Once one has taken over, a zygote that dies is replaced in that way as well, with
//!   the pauses of [`Respawn`]; before that by a fork.
//! - Retired zygotes end by themselves when their workers have. A stop ends them with the rest.
//! - The exit status is 0 where nothing had to be killed and the broker ended well.

mod child;
mod reload;
mod respawn;

pub use child::{Child, EXIT_BOOT_FAILED, Exit};
pub use respawn::{FIRST_PAUSE, LONGEST_PAUSE, RUNS_WELL, Respawn};

use crate::time::Mono;
use child::{ChildView, Pressed, Standing};
use reload::Succession;

/// The part of the grace that the broker has for settling what killed workers leave: a fifth of it, at most this many microseconds.
pub const SETTLE_TIME: u64 = 1_000_000;

/// How long the end of killed children is waited for, in microseconds; what is stuck in the kernel then is left behind.
pub const KILL_TIME: u64 = 2_000_000;

/// Where a daemon is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not all children were ready yet.
    Starting,
    /// All were ready once.
    Running,
    /// It ends.
    Draining,
    /// It has ended: the supervisor exits.
    Stopped,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// Nothing but time: at the start, and when [`Lifecycle::next_wake`] has come.
    Tick,
    /// SIGTERM or SIGINT.
    Signal,
    /// The broker has bound its sockets, or a worker of the zygote is ready.
    Ready(Child),
    /// A child ended and was reaped. Of the zygote: the one in charge; retired ones and a reload's successor are not meant.
    Exited(Child, Exit),
    /// A reload is asked for.
    Reload,
    /// A worker of a reload's successor is ready.
    SuccessorReady,
    /// A reload's successor ended, or was refused, before that.
    SuccessorFailed,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Start this child, as a fork of the supervisor.
    Start(Child),
    /// Start the zygote from the command line: the one before it is dead, and the supervisor has old code.
    StartAnew,
    /// Start a successor beside the zygote, from the command line.
    StartSuccessor,
    /// The successor is the zygote from now on; the one before it retires.
    Promote,
    /// SIGKILL what was started from the command line and is not ready yet, with its workers.
    KillBooting,
    /// Ask this child to end (SIGTERM): the zygote ends its workers first.
    Stop(Child),
    /// SIGKILL this child, and the workers if it is the zygote.
    Kill(Child),
    /// SIGKILL everything.
    KillAll,
    /// Exit with this status.
    Exit(i32),
}

/// What a daemon consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Whether there is a broker (not in `proletarier worker`).
    pub broker: bool,
    /// Whether there is a zygote (not in `proletarier broker`).
    pub zygote: bool,
    /// Microseconds that draining may take: `worker.grace`.
    pub grace: u64,
    /// Microseconds that a zygote may take to boot which is started from the command line: `worker.boot_timeout`.
    pub boot: u64,
}

/// The state machine. See the module.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    plan: Plan,
    state: State,
    broker: ChildView,
    zygote: ChildView,
    succession: Succession,
    deadlines: Deadlines,
    status: i32,
}

/// Of draining; of no meaning before.
#[derive(Debug, Clone, Copy, Default)]
struct Deadlines {
    workers: Mono,
    all: Mono,
    /// Set once everything was killed.
    killed: Option<Mono>,
}

impl Lifecycle {
    /// A daemon that hasn't started anything: the first [`Input::Tick`] does.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            state: State::Starting,
            broker: ChildView::new(plan.broker),
            zygote: ChildView::new(plan.zygote),
            succession: Succession::default(),
            deadlines: Deadlines::default(),
            status: 0,
        }
    }

    /// Where the daemon is in its life.
    pub const fn state(&self) -> State {
        self.state
    }

    /// A new generation's settings: how long draining and booting may take from now on.
    pub const fn set_times(&mut self, grace: u64, boot: u64) {
        self.plan.grace = grace;
        self.plan.boot = boot;
    }

    /// When a child that died is replaced, for the log; None where it runs, or won't be replaced.
    pub fn due(&self, child: Child) -> Option<Mono> {
        match self.view(child).standing {
            Standing::Due(due) => Some(due),
            Standing::Running(_) | Standing::Gone => None,
        }
    }

    /// Takes in what happened; returns what is to be done.
    pub fn handle(&mut self, input: Input, now: Mono) -> Vec<Action> {
        if self.state == State::Stopped {
            return Vec::new();
        }
        let mut actions = Vec::new();
        match input {
            Input::Tick => {}
            Input::Signal if self.state == State::Draining => self.kill_all(now, &mut actions),
            Input::Signal => self.drain(now),
            Input::Ready(child) => self.ready(child),
            Input::Exited(child, exit) => self.exited(child, exit, now, &mut actions),
            Input::Reload if self.state != State::Draining => self.succession.ask(),
            Input::SuccessorReady => self.promote(&mut actions),
            Input::Reload => {}
            Input::SuccessorFailed => {
                self.succession.end();
            }
        }
        match self.state {
            State::Starting | State::Running => self.start_due(now, &mut actions),
            State::Draining => self.go_on_draining(now, &mut actions),
            State::Stopped => {}
        }
        actions
    }

    /// When the next [`Input::Tick`] is wanted, whatever else happens.
    pub fn next_wake(&self) -> Option<Mono> {
        let broker = self.due(Child::Broker);
        match self.state {
            State::Starting | State::Running => {
                let zygote = self.due(Child::Zygote).filter(|_| self.broker.ever_ready);
                [broker, zygote, self.succession.deadline].into_iter().flatten().min()
            }
            State::Draining => {
                let next = match self.deadlines.killed {
                    Some(killed) => killed,
                    None if self.zygote.is_running() && self.zygote.standing != Standing::Running(Pressed::Killed) => {
                        self.deadlines.workers
                    }
                    None => self.deadlines.all,
                };
                Some(broker.map_or(next, |due| due.min(next)))
            }
            State::Stopped => None,
        }
    }

    fn view(&self, child: Child) -> &ChildView {
        match child {
            Child::Broker => &self.broker,
            Child::Zygote => &self.zygote,
        }
    }

    fn view_mut(&mut self, child: Child) -> &mut ChildView {
        match child {
            Child::Broker => &mut self.broker,
            Child::Zygote => &mut self.zygote,
        }
    }

    fn ready(&mut self, child: Child) {
        self.view_mut(child).ever_ready = true;
        if child == Child::Zygote {
            self.succession.proven = true;
            if !self.succession.is_booting() {
                self.succession.deadline = None;
            }
        }
        if self.state == State::Starting && self.broker.ever_ready && self.zygote.ever_ready {
            self.state = State::Running;
        }
    }

    fn promote(&mut self, actions: &mut Vec<Action>) {
        if self.succession.end() {
            self.succession.anew = true;
            actions.push(Action::Promote);
        }
    }

    fn exited(&mut self, child: Child, exit: Exit, now: Mono, actions: &mut Vec<Action>) {
        let draining = self.state == State::Draining;
        if child == Child::Zygote && self.zygote.is_running() && self.succession.zygote_lost() {
            actions.push(Action::KillBooting);
        }
        let view = self.view_mut(child);
        let Standing::Running(pressed) = view.standing else {
            return;
        };
        if !draining && !view.ever_ready {
            view.standing = Standing::Gone;
            self.status = 1;
            self.drain(now);
            return;
        }
        let replaced = match child {
            Child::Broker => pressed == Pressed::No,
            Child::Zygote => !draining,
        };
        if replaced {
            view.standing = Standing::Due(view.respawn.failed(now));
        } else {
            view.standing = Standing::Gone;
            if child == Child::Broker && !exit.is_clean() {
                self.status = 1;
            }
        }
    }

    /// Starts the children whose time has come; the zygote not before the broker was ready once.
    fn start_due(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if self.broker.take_due(now) {
            actions.push(Action::Start(Child::Broker));
        }
        if self.broker.ever_ready && self.zygote.take_due(now) {
            if self.succession.anew {
                self.succession.deadline = Some(now.plus(self.plan.boot));
                actions.push(Action::StartAnew);
            } else {
                actions.push(Action::Start(Child::Zygote));
            }
        }
        if self.succession.is_overdue(now) {
            self.succession.end();
            actions.push(Action::KillBooting);
        }
        if self.state == State::Running && self.succession.begin(now, self.plan.boot) {
            actions.push(Action::StartSuccessor);
        }
    }

    fn drain(&mut self, now: Mono) {
        let settle = if self.plan.broker { (self.plan.grace / 5).min(SETTLE_TIME) } else { 0 };
        self.state = State::Draining;
        self.deadlines = Deadlines { workers: now.plus(self.plan.grace - settle), all: now.plus(self.plan.grace), killed: None };
        self.zygote.give_up();
    }

    fn go_on_draining(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if self.succession.is_booting() {
            actions.push(Action::KillBooting);
        }
        self.succession.reload = reload::Reload::Idle;
        if self.deadlines.killed.is_none() && now >= self.deadlines.all && !self.is_empty() {
            self.kill_all(now, actions);
        }
        if let Some(killed) = self.deadlines.killed {
            if self.is_empty() || now >= killed {
                self.exit(actions);
            }
            return;
        }
        if !self.zygote.is_gone() {
            if self.zygote.press(Pressed::Asked) {
                actions.push(Action::Stop(Child::Zygote));
            }
            if now >= self.deadlines.workers && self.zygote.press(Pressed::Killed) {
                self.status = 1;
                actions.push(Action::Kill(Child::Zygote));
            }
            if self.broker.take_due(now) {
                actions.push(Action::Start(Child::Broker));
            }
            return;
        }
        if let Standing::Due(_) = self.broker.standing {
            // A broker that was ever ready has left outcomes that nobody settles now.
            self.status |= i32::from(self.broker.ever_ready);
            self.broker.give_up();
        }
        if self.broker.press(Pressed::Asked) {
            actions.push(Action::Stop(Child::Broker));
        }
        if self.broker.is_gone() {
            self.exit(actions);
        }
    }

    fn is_empty(&self) -> bool {
        !self.broker.is_running() && !self.zygote.is_running()
    }

    fn kill_all(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if self.deadlines.killed.is_some() {
            return;
        }
        self.status = 1;
        self.deadlines.killed = Some(now.plus(KILL_TIME));
        for view in [&mut self.broker, &mut self.zygote] {
            view.give_up();
            view.press(Pressed::Killed);
        }
        actions.push(Action::KillAll);
    }

    fn exit(&mut self, actions: &mut Vec<Action>) {
        self.state = State::Stopped;
        actions.push(Action::Exit(self.status));
    }
}

#[cfg(test)]
mod reload_tests;
#[cfg(test)]
mod tests;

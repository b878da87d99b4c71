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
//! - The exit status is 0 where nothing had to be killed and the broker ended well.

mod child;
mod respawn;

pub use child::{Child, EXIT_BOOT_FAILED, Exit};
pub use respawn::{FIRST_PAUSE, LONGEST_PAUSE, RUNS_WELL, Respawn};

use crate::time::Mono;
use child::{ChildView, Pressed, Standing};

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
    /// A child ended and was reaped.
    Exited(Child, Exit),
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Start this child.
    Start(Child),
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
}

/// The state machine. See the module.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    plan: Plan,
    state: State,
    broker: ChildView,
    zygote: ChildView,
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
            deadlines: Deadlines::default(),
            status: 0,
        }
    }

    /// Where the daemon is in its life.
    pub const fn state(&self) -> State {
        self.state
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
            Input::Exited(child, exit) => self.exited(child, exit, now),
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
                [broker, zygote].into_iter().flatten().min()
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
        if self.state == State::Starting && self.broker.ever_ready && self.zygote.ever_ready {
            self.state = State::Running;
        }
    }

    fn exited(&mut self, child: Child, exit: Exit, now: Mono) {
        let draining = self.state == State::Draining;
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
            actions.push(Action::Start(Child::Zygote));
        }
    }

    fn drain(&mut self, now: Mono) {
        let settle = if self.plan.broker { (self.plan.grace / 5).min(SETTLE_TIME) } else { 0 };
        self.state = State::Draining;
        self.deadlines = Deadlines { workers: now.plus(self.plan.grace - settle), all: now.plus(self.plan.grace), killed: None };
        self.zygote.give_up();
    }

    fn go_on_draining(&mut self, now: Mono, actions: &mut Vec<Action>) {
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
mod tests;

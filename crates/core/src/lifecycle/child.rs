//! Defines the supervisor's view of a child.

use super::respawn::Respawn;
use crate::time::Mono;

/// The exit status by which broker and zygote say that they could not start: the sockets can't be bound, or the first worker died
/// before it was ready. (3, as gunicorn's workers.)
pub const EXIT_BOOT_FAILED: i32 = 3;

/// A child of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Child {
    /// The broker.
    Broker,
    /// The zygote, with its workers.
    Zygote,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// With this exit status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Whether it ended well.
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Status(0))
    }
}

/// Where a child stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// To be started at this moment, or as soon as what it needs is there.
    Due(Mono),
    /// It runs; with how far its end was pressed.
    Running(Pressed),
    /// It is not there and won't be started: it ended for good, or isn't part of this daemon.
    Gone,
}

/// How far the end of a running child was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pressed {
    No,
    Asked,
    Killed,
}

/// What the supervisor keeps of a child.
#[derive(Debug, Clone)]
pub(super) struct ChildView {
    pub standing: Standing,
    /// Whether one of its kind ever was ready.
    pub ever_ready: bool,
    pub respawn: Respawn,
}

impl ChildView {
    pub fn new(planned: bool) -> Self {
        Self {
            standing: if planned { Standing::Due(Mono(0)) } else { Standing::Gone },
            // A child that isn't part of this daemon keeps nobody waiting.
            ever_ready: !planned,
            respawn: Respawn::new(),
        }
    }

    pub fn is_gone(&self) -> bool {
        self.standing == Standing::Gone
    }

    pub fn is_running(&self) -> bool {
        matches!(self.standing, Standing::Running(_))
    }

    /// Whether it is to be started now; notes that it is.
    pub fn take_due(&mut self, now: Mono) -> bool {
        let due = matches!(self.standing, Standing::Due(due) if due <= now);
        if due {
            self.standing = Standing::Running(Pressed::No);
        }
        due
    }

    /// Presses the end of a running child; false where it was pressed as far before, or doesn't run.
    pub fn press(&mut self, pressed: Pressed) -> bool {
        match self.standing {
            Standing::Running(before) if before < pressed => {
                self.standing = Standing::Running(pressed);
                true
            }
            _ => false,
        }
    }

    /// A child that isn't running won't be started any more.
    pub fn give_up(&mut self) {
        if !self.is_running() {
            self.standing = Standing::Gone;
        }
    }
}

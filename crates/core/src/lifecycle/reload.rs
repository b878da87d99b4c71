//! Defines where a reload is, and until when a zygote that was started anew has to boot.

use crate::time::Mono;

/// How far a reload is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Reload {
    /// None was asked for.
    #[default]
    Idle,
    /// Asked for: begins as soon as a zygote is there whose workers go on meanwhile.
    Wanted,
    /// The successor boots. `again`: another one was asked for since, and what it is to load may have been too late for this one.
    Booting { again: bool },
}

/// What the lifecycle keeps of generations.
#[derive(Debug, Clone, Default)]
pub(super) struct Succession {
    pub reload: Reload,
    /// Whether a worker of the zygote that runs was ready.
    pub proven: bool,
    /// Whether a generation has taken over: the supervisor's own memory has old code then, and a fork of it would bring that back.
    pub anew: bool,
    /// When a zygote that was started from the command line must be ready; none where none boots.
    pub deadline: Option<Mono>,
}

impl Succession {
    /// A reload is asked for.
    pub fn ask(&mut self) {
        self.reload = match self.reload {
            Reload::Booting { .. } => Reload::Booting { again: true },
            Reload::Idle | Reload::Wanted => Reload::Wanted,
        };
    }

    pub const fn is_booting(&self) -> bool {
        matches!(self.reload, Reload::Booting { .. })
    }

    /// Whether the successor is to be started now; notes that it is.
    pub fn begin(&mut self, now: Mono, longest: u64) -> bool {
        let begins = self.reload == Reload::Wanted && self.proven;
        if begins {
            self.reload = Reload::Booting { again: false };
            self.deadline = Some(now.plus(longest));
        }
        begins
    }

    /// The reload has ended, whichever way; false where none was under way.
    pub fn end(&mut self) -> bool {
        let Reload::Booting { again } = self.reload else { return false };
        self.reload = if again { Reload::Wanted } else { Reload::Idle };
        self.deadline = None;
        true
    }

    /// The zygote whose workers were to go on is gone; whether a successor is to be given up for that. The reload begins anew with the next.
    pub fn zygote_lost(&mut self) -> bool {
        self.proven = false;
        self.deadline = None;
        let booting = self.is_booting();
        if booting {
            self.reload = Reload::Wanted;
        }
        booting
    }

    /// Whether what boots has taken too long; tells so once.
    pub fn is_overdue(&mut self, now: Mono) -> bool {
        let overdue = self.deadline.is_some_and(|deadline| now >= deadline);
        if overdue {
            self.deadline = None;
        }
        overdue
    }
}

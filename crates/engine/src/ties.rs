//! Defines what holds a daemon's processes together: bells, which say "look at the scoreboard", and the pipe whose end says that a parent is gone.
//!
//! All are pipes made by the supervisor before it forks anything, so that each outlives every other process's death.

use crate::signals::{drain, pipe, ring};
use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A pipe that is rung, not written to.
pub struct Bell {
    read: OwnedFd,
    write: OwnedFd,
}

impl Bell {
    /// A new one.
    ///
    /// # Errors
    /// When the machine has no pipe left.
    pub fn new() -> nix::Result<Self> {
        let (read, write) = pipe()?;
        Ok(Self { read, write })
    }

    /// Rings it.
    pub fn ring(&self) {
        ring(self.write.as_fd());
    }

    /// Becomes readable when it was rung.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// It was heard.
    pub fn hush(&self) {
        drain(self.read.as_fd());
    }
}

/// A pipe that nobody writes to: it ends when the process that holds the other end does, however that dies.
pub struct Lifeline {
    read: OwnedFd,
    write: RefCell<Option<OwnedFd>>,
}

impl Lifeline {
    /// A new one, held by this process.
    ///
    /// # Errors
    /// When the machine has no pipe left.
    pub fn new() -> nix::Result<Self> {
        let (read, write) = pipe()?;
        Ok(Self { read, write: RefCell::new(Some(write)) })
    }

    /// The same, as a child of the holder is to have it.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn for_child(&self) -> nix::Result<Self> {
        let read = self.read.try_clone().map_err(|_| nix::errno::Errno::EMFILE)?;
        Ok(Self { read, write: RefCell::new(None) })
    }

    /// A child lets go of the parent's end, first thing.
    pub fn let_go(&self) {
        self.write.replace(None);
    }

    /// Becomes readable when the holder is gone, or let go.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// Whether the holder is gone.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        drain(self.read.as_fd())
    }
}

/// What holds a daemon's processes together.
pub struct Ties {
    /// Rung when a slot's worker is dead: the broker settles it.
    pub broker: Bell,
    /// Rung when a slot is settled: the zygote may use it again.
    pub zygote: Bell,
    /// Rung when a child is ready.
    pub supervisor: Bell,
    /// Held by the supervisor.
    pub life: Lifeline,
}

impl Ties {
    /// New ones.
    ///
    /// # Errors
    /// When the machine has no pipe left.
    pub fn new() -> nix::Result<Self> {
        Ok(Self { broker: Bell::new()?, zygote: Bell::new()?, supervisor: Bell::new()?, life: Lifeline::new()? })
    }

    /// Those of a parent that handed over its [`Self::descriptors`].
    #[must_use]
    pub fn inherited(descriptors: &mut dyn Iterator<Item = OwnedFd>) -> Option<Self> {
        let mut bell = || Some(Bell { read: descriptors.next()?, write: descriptors.next()? });
        let (broker, zygote, supervisor) = (bell()?, bell()?, bell()?);
        Some(Self { broker, zygote, supervisor, life: Lifeline { read: descriptors.next()?, write: RefCell::new(None) } })
    }

    /// The descriptors that a child keeps which closes what it inherited.
    #[must_use]
    pub fn descriptors(&self) -> Vec<RawFd> {
        let bells = [&self.broker, &self.zygote, &self.supervisor];
        let ends = bells.iter().flat_map(|bell| [bell.read.as_raw_fd(), bell.write.as_raw_fd()]);
        ends.chain([self.life.read.as_raw_fd()]).collect()
    }
}

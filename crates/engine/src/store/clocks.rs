//! Defines how moments of the monotonic clock are kept: as wall time, by how the two clocks stood to one another when the store was opened.
//! While the process lives a wall clock that jumps changes nothing; over a restart, what had to wait goes on waiting by the wall clock.

use proletarier_core::time::{Mono, Now};

/// How the clocks stood to one another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    /// Wall minus monotonic, in microseconds.
    ahead: u64,
}

impl Clocks {
    pub const fn new(now: Now) -> Self {
        Self { ahead: now.wall.0.saturating_sub(now.mono.0) }
    }

    /// A monotonic moment as it is kept.
    pub const fn wall(&self, at: Mono) -> u64 {
        at.0.saturating_add(self.ahead)
    }

    /// A kept moment on the monotonic clock; what was before that began is its beginning.
    pub const fn mono(&self, kept: u64) -> Mono {
        Mono(kept.saturating_sub(self.ahead))
    }
}

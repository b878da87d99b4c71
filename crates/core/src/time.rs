//! Defines the two clocks. Core never reads either: the shell passes [`Now`] to every step.

/// A moment of the monotonic clock, in microseconds since an arbitrary start. Delays, backoff and timeouts count on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// A moment of wall time, in microseconds since the Unix epoch. `at`, `expires` and what people read are told in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub u64);

/// What the shell knows at one step: both clocks, and a random number for jitter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock.
    pub mono: Mono,
    /// The wall clock.
    pub wall: Wall,
    /// Uniformly random bits; core has no dice of its own.
    pub dice: u64,
}

impl Mono {
    /// The moment `micros` later; saturates.
    #[must_use]
    pub const fn plus(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this moment; 0 where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Wall {
    /// The moment `micros` later; saturates.
    #[must_use]
    pub const fn plus(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

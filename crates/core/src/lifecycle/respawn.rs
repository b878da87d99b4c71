//! Defines when a child that died is replaced: at once, then with a growing pause while its replacements die as well.

use crate::time::Mono;

/// The second pause (the first is none), in microseconds; it doubles from there.
pub const FIRST_PAUSE: u64 = 100_000;

/// The longest pause, in microseconds.
pub const LONGEST_PAUSE: u64 = 10_000_000;

/// How long a replacement has to last until the pauses begin anew, in microseconds.
pub const RUNS_WELL: u64 = 10_000_000;

/// The pauses of one kind of child: 0, 0.1 s, doubling to 10 s, and from the beginning once a replacement has lasted 10 s.
///
/// Several children of one kind may share it (the workers of a pool): those that die during a pause belong to the same failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Respawn {
    failures: u32,
    due: Mono,
}

impl Respawn {
    /// No child has failed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A child has failed; returns the moment that a replacement is due.
    pub fn failed(&mut self, now: Mono) -> Mono {
        if now < self.due {
            return self.due;
        }
        if now.since(self.due) >= RUNS_WELL {
            self.failures = 0;
        }
        let pause = match self.failures {
            0 => 0,
            // More doublings than these lead past the longest pause anyway.
            failures => (FIRST_PAUSE << (failures - 1).min(16)).min(LONGEST_PAUSE),
        };
        self.failures = self.failures.saturating_add(1);
        self.due = now.plus(pause);
        self.due
    }

    /// The moment before which no child is started, `now` if none is waited for.
    pub fn due(&self, now: Mono) -> Mono {
        self.due.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    /// Pauses in milliseconds of a child that dies each time after `life` microseconds.
    fn pauses(life: u64, count: usize) -> Vec<u64> {
        let mut respawn = Respawn::new();
        let mut now = Mono(5 * SECOND);
        (0..count)
            .map(|_| {
                now = now.plus(life);
                let due = respawn.failed(now);
                let pause = due.since(now);
                now = due;
                pause / 1000
            })
            .collect()
    }

    #[test]
    fn pauses_grow_while_children_die() {
        let expected = [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
        assert_eq!(pauses(1000, 10), expected);
        assert_eq!(pauses(RUNS_WELL - 1, 10), expected);
        assert_eq!(pauses(1, 100)[99], 10_000);
    }

    #[test]
    fn a_child_that_ran_well_is_replaced_at_once() {
        assert_eq!(pauses(RUNS_WELL, 5), [0; 5]);
        let mut respawn = Respawn::new();
        for _ in 0..5 {
            let now = respawn.due(Mono(0));
            respawn.failed(now);
        }
        let restarted = respawn.due(Mono(0));
        let died = restarted.plus(RUNS_WELL);
        assert_eq!(respawn.failed(died), died);
        let again = died.plus(SECOND);
        assert_eq!(respawn.failed(again), again.plus(FIRST_PAUSE));
    }

    #[test]
    fn a_pool_that_dies_together_fails_once() {
        let mut respawn = Respawn::new();
        let start = Mono(SECOND);
        assert_eq!(respawn.failed(start), start);
        let due = respawn.failed(start.plus(1000));
        for later in 2..5 {
            assert_eq!(respawn.failed(start.plus(later * 1000)), due);
        }
        assert_eq!(due, start.plus(1000 + FIRST_PAUSE));
        assert_eq!(respawn.due(start), due);
        assert_eq!(respawn.failed(due), due.plus(2 * FIRST_PAUSE));
    }
}

//! Decides whether events are taken in while too much waits, or while the backlog takes nothing more.

use crate::backlog::Counts;

/// Once closed, the gate opens when less than this part of each limit waits: 80 % (this project's choice). Without it, a full queue would
/// take one event for each that is handled, and clients would hear of overload at every other event.
const LOW_WATER: u64 = 80;

/// How much may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deliveries that wait, delayed ones and retries among them; not those that workers have.
    pub waiting: u64,
    /// Bytes of their records.
    pub waiting_bytes: u64,
    /// How long a dead letter is kept, in microseconds; none: for ever.
    pub dead_keep: Option<u64>,
    /// Dead letters, of which the oldest go first.
    pub dead: u64,
}

impl Default for Limits {
    /// No limit.
    fn default() -> Self {
        Self { waiting: u64::MAX, waiting_bytes: u64::MAX, dead_keep: None, dead: u64::MAX }
    }
}

/// The gate. What waits is told by the shell, and counted on from there.
#[derive(Debug, Default)]
pub(super) struct Gate {
    limits: Limits,
    waiting: u64,
    bytes: u64,
    /// Too much waited, and it is not yet less than the low-water mark.
    overfull: bool,
    refusal: Option<String>,
}

impl Gate {
    pub const fn new(limits: Limits) -> Self {
        Self { limits, waiting: 0, bytes: 0, overfull: false, refusal: None }
    }

    /// Other limits from now on. What waits is measured by them at once.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.close_if_full();
    }

    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What waits by now, and why the backlog takes nothing more, if so.
    pub fn observe(&mut self, counts: &Counts, refusal: Option<String>) {
        (self.waiting, self.bytes) = (counts.pending + counts.parked, counts.bytes);
        self.refusal = refusal;
        if self.overfull {
            let low = |now: u64, limit: u64| now < limit / 100 * LOW_WATER + limit % 100 * LOW_WATER / 100 || now == 0;
            self.overfull = !(low(self.waiting, self.limits.waiting) && low(self.bytes, self.limits.waiting_bytes));
        }
        self.close_if_full();
    }

    /// An event of this many bytes was taken in.
    pub fn count(&mut self, bytes: usize) {
        self.waiting += 1;
        self.bytes += bytes as u64;
        self.close_if_full();
    }

    /// Why nothing is taken in, in words; none: it is.
    pub fn refuses(&self) -> Option<String> {
        if let Some(refusal) = &self.refusal {
            return Some(refusal.clone());
        }
        let words = |what: &str, now: u64, limit: u64| {
            format!(
                "too much waits: {now} {what}, and broker.max_pending allows {limit}; events are taken again below {LOW_WATER} % of that"
            )
        };
        let Limits { waiting, waiting_bytes, .. } = self.limits;
        self.overfull.then(|| {
            // The limit that is nearer, or passed: the other may have nothing to do with it.
            if self.bytes as f64 / waiting_bytes as f64 > self.waiting as f64 / waiting as f64 {
                words("bytes", self.bytes, waiting_bytes)
            } else {
                words("events", self.waiting, waiting)
            }
        })
    }

    fn close_if_full(&mut self) {
        self.overfull |= self.waiting >= self.limits.waiting || self.bytes >= self.limits.waiting_bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(waiting: u64, waiting_bytes: u64) -> Gate {
        Gate::new(Limits { waiting, waiting_bytes, ..Limits::default() })
    }

    fn counts(pending: u64, parked: u64, bytes: u64) -> Counts {
        Counts { pending, parked, bytes, reserved: 9_999, dead: 9_999 }
    }

    #[test]
    fn it_closes_at_the_limit_and_opens_below_the_low_water_mark() {
        let mut gate = gate(10, 1_000);
        gate.observe(&counts(4, 4, 80), None);
        gate.count(10);
        assert_eq!(gate.refuses(), None);
        gate.count(10);
        let words = gate.refuses().unwrap();
        assert!(words.contains("10 events, and broker.max_pending allows 10;"), "{words}");
        gate.observe(&counts(4, 4, 80), None);
        assert!(gate.refuses().is_some(), "80 % is not below it");
        gate.observe(&counts(3, 4, 70), None);
        assert_eq!(gate.refuses(), None);
    }

    #[test]
    fn bytes_count_by_themselves() {
        let mut gate = gate(10, 1_000);
        gate.count(999);
        assert_eq!(gate.refuses(), None);
        gate.count(1);
        assert!(gate.refuses().unwrap().contains("1000 bytes, and broker.max_pending allows 1000;"));
        gate.observe(&counts(1, 0, 800), None);
        assert!(gate.refuses().is_some());
        gate.observe(&counts(1, 0, 799), None);
        assert_eq!(gate.refuses(), None);
    }

    #[test]
    fn the_smallest_limit_can_open_again() {
        let mut gate = gate(1, u64::MAX);
        gate.count(5);
        assert!(gate.refuses().is_some());
        gate.observe(&counts(0, 0, 0), None);
        assert_eq!(gate.refuses(), None);
    }

    #[test]
    fn a_backlog_that_refuses_is_heard_for_as_long_as_it_does() {
        let mut gate = gate(10, 1_000);
        gate.observe(&counts(0, 0, 0), Some("the disk is full".into()));
        assert_eq!(gate.refuses().as_deref(), Some("the disk is full"));
        gate.observe(&counts(0, 0, 0), None);
        assert_eq!(gate.refuses(), None);
    }
}

//! Keeps what is there within limits: tells the queue what waits, leaves who can't be refused anything waiting, and removes dead letters that
//! are too old or too many.

use super::Broker;
use proletarier_core::queue::{Limits, SWEEP_PAGE};
use proletarier_core::settings::Settings;
use proletarier_core::time::Now;

/// While the pull socket is not read, or the backlog has no room, what would end that is looked for so often, in microseconds: room on a disk is told by nobody.
const LOOK_AGAIN: u64 = 1_000_000;

/// The limits that are configured.
pub(super) fn limits(settings: &Settings) -> Limits {
    let most = settings.broker.max_pending;
    Limits {
        waiting: most.events,
        waiting_bytes: most.bytes.unwrap_or(u64::MAX),
        dead_keep: settings.dead.keep.map(|keep| u64::try_from(keep.as_micros()).unwrap_or(u64::MAX)),
        dead: settings.dead.max,
    }
}

impl Broker<'_> {
    /// Tells the queue what waits. Whether the pull socket may be read: its peers hear of no refusal, but their queues fill up.
    pub(super) fn observe_load(&mut self) -> bool {
        self.queue.observe_load(&self.backlog.counts(), self.backlog.refusal());
        self.notices.unblocked(self.queue.counters().unblocked);
        let Some(words) = self.queue.overload() else { return true };
        self.notices.overload(&words, self.sockets.pull.is_some());
        false
    }

    /// Microseconds until limits should be looked at.
    pub(super) fn limit_check(&self, now: Now) -> Option<u64> {
        // What was not kept for want of room is tried again, too, and what waits for that goes out then.
        let overloaded = self.backlog.refusal().is_some() || (self.sockets.pull.is_some() && self.queue.overload().is_some());
        let again = overloaded.then_some(LOOK_AGAIN);
        let sweep = self.queue.sweep_in(&self.backlog.counts(), now);
        // A backlog without room keeps no settlement: what it counts stays as it is.
        let sweep = if self.backlog.refusal().is_some() { sweep.map(|micros| micros.max(LOOK_AGAIN)) } else { sweep };
        [again, sweep].into_iter().flatten().min()
    }

    /// Removes dead letters whose time is up, a page at a time.
    pub(super) fn sweep(&mut self, now: Now) {
        let counts = self.backlog.counts();
        if self.queue.sweep_in(&counts, now) == Some(0) && self.backlog.refusal().is_none() {
            let page = self.backlog.dead(0, SWEEP_PAGE);
            let swept = self.queue.handle_sweep(&page, &counts, now, &mut self.effects);
            self.notices.swept(swept);
        }
    }
}

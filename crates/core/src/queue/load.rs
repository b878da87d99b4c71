//! Provides how much the workers have to do, as scaling wants to know it.

use super::Queue;
use crate::scaling::Load;

/// What was finished so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    pub finished: u64,
    pub micros: u64,
}

impl Work {
    /// Of a chunk of which `of` deliveries took `micros`, `finished` are new.
    pub fn note(&mut self, finished: usize, of: usize, micros: u32) {
        self.finished += finished as u64;
        self.micros += u64::from(micros) * finished as u64 / of.max(1) as u64;
    }
}

impl Queue {
    /// What the workers have to do, where `pending` deliveries wait to be fetched.
    #[must_use]
    pub fn load(&self, pending: u64) -> Load {
        let mut load = Load { finished: self.work.finished, worked: self.work.micros, ..Load::default() };
        load.waiting = pending + self.ready.len() as u64;
        for worker in self.workers.values().filter(|worker| !worker.leaving) {
            let outstanding = worker.outstanding();
            load.workers += 1;
            load.busy += usize::from(outstanding > 0);
            load.waiting += outstanding.saturating_sub(1) as u64;
        }
        load
    }
}

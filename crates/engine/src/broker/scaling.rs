//! Shows the load to the scaling policy, and tells the zygote how many workers there should be.

use super::{Broker, Post};
use crate::application::Level;
use crate::log;
use proletarier_core::scaling::Scaling;
use proletarier_core::time::Mono;

/// The policy, where the pool's size may change and the pool is on this machine. A new broker starts from what the one before had come to.
pub(super) fn policy(post: &Post<'_>, now: Mono) -> Option<Scaling> {
    let size = post.settings.worker.pool_size;
    if size.min == size.max || post.apart {
        return None;
    }
    let scaling = Scaling::new(size.min, size.max, post.scoreboard.pool_target().unwrap_or(size.min), now);
    post.scoreboard.set_pool_target(scaling.target());
    Some(scaling)
}

impl Broker<'_> {
    /// Looks at the load.
    pub(super) fn scale(&mut self, now: Mono) {
        let Some(scaling) = &mut self.scaling else { return };
        let load = self.queue.load(self.backlog.counts().pending);
        let before = scaling.target();
        if let Some(target) = scaling.observe(&load, now) {
            self.post.scoreboard.set_pool_target(target);
            self.post.ties.zygote.ring();
            let words = if target > before { "events wait: more workers" } else { "workers have little to do: one less" };
            log::line(Level::Info, words, &[("workers", &target), ("before", &before), ("waiting", &load.waiting)]);
        }
    }

    /// Microseconds until the load should be looked at; none: not before something happens.
    pub(super) fn scale_check(&self, now: Mono) -> Option<u64> {
        let load = || self.queue.load(self.backlog.counts().pending);
        self.scaling.as_ref().and_then(|scaling| scaling.poll_timeout(&load(), now))
    }
}

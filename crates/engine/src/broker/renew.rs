//! Takes the settings of a generation that has taken over, while the broker runs. What it has bound and opened stays (see `Settings::renewed`): the
//! supervisor has told which settings wait for a start.

use super::{Broker, Drain, load, scaling};
use crate::application::Level;
use crate::{clock, log};
use proletarier_core::queue::Rules;
use proletarier_core::settings::Settings;

/// The rules that are configured.
pub(super) const fn rules(settings: &Settings) -> Rules {
    Rules { retry: settings.retry, max_message: settings.broker.max_message_size }
}

impl Broker<'_> {
    /// Looks at the settings that hold, and goes by them from now on. Called at the end of a turn of the loop, before the queue is told the time:
    /// what may go out by them goes out then.
    pub(super) fn renew(&mut self) {
        match self.post.latest.read() {
            Ok(Some(settings)) if settings != self.post.settings => self.take_settings(settings),
            // Nothing new, or they are being written: that is said when it is done.
            Ok(_) => {}
            Err(error) => {
                let words = "the new settings can't be read: the broker goes on with those that it has";
                log::line(Level::Error, words, &[("error", &error)]);
            }
        }
    }

    fn take_settings(&mut self, settings: Settings) {
        let before = std::mem::replace(&mut self.post.settings, settings);
        log::configure(&self.post.settings.log);
        let settings = &self.post.settings;
        self.queue.set_rules(rules(settings));
        self.queue.set_limits(load::limits(settings));
        if settings.client.connect != before.client.connect {
            // The spool's events may have become another broker's, or this one's.
            self.drain = Drain::of(settings);
        }
        if settings.worker.pool_size != before.worker.pool_size {
            self.scaling = scaling::policy(&self.post, clock::mono());
            self.post.ties.zygote.ring();
        }
        if self.post.settings.queues != before.queues {
            self.sort_into(self.post.settings.queues.clone());
        }
        log::line(Level::Info, "the broker takes the new settings", &[]);
    }
}

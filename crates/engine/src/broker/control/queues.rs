//! Holds queues and lets them go on.

use super::request::OfQueue;
use super::{Answer, Broker};
use crate::clock;
use proletarier_core::lanes::Lanes;
use proletarier_core::queue::NoQueue;
use proletarier_core::settings::Queues;
use serde_json::json;

impl Broker<'_> {
    pub(super) fn queue_pause(&mut self, of: &OfQueue) -> Result<Answer, String> {
        let changed = self.queue.pause(&of.queue).map_err(|error| in_words(&error))?;
        if changed && let Err(error) = self.paused.write(self.queue.paused()) {
            // It would go on with the next broker, of which nobody would know.
            self.queue.resume(&of.queue, clock::now(), &mut self.effects).map_err(|error| in_words(&error))?;
            return Err(error);
        }
        Ok(self.held(changed))
    }

    pub(super) fn queue_resume(&mut self, of: &OfQueue) -> Result<Answer, String> {
        let changed = self.queue.resume(&of.queue, clock::now(), &mut self.effects).map_err(|error| in_words(&error))?;
        if changed {
            self.paused.write(self.queue.paused())?;
        }
        Ok(self.held(changed))
    }

    fn held(&self, changed: bool) -> Answer {
        Answer::Now(json!({ "changed": changed, "paused": self.queue.paused() }))
    }

    /// Other queues from now on, as a reload has them: everything that waits is sorted anew. What workers have they finish.
    pub(in crate::broker) fn sort_into(&mut self, queues: Queues) {
        // What is on its way has the lanes of before.
        self.keep_and_say();
        let lanes = Lanes::new(queues);
        self.backlog.sort(lanes.clone());
        self.queue.set_lanes(lanes);
    }
}

fn in_words(error: &NoQueue) -> String {
    error.to_string()
}

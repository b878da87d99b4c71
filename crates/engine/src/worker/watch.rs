//! Provides what the application tells of each listener: it goes to the scoreboard at once, and failures into the next report.

use super::limit;
use crate::application::{Outcome, Watch};
use crate::scoreboard::Slot;
use proletarier_core::failure::Failure;
use proletarier_core::frame::FailedListener;
use proletarier_core::listener::ListenerIndex;

/// The watch over one delivery.
pub(super) struct DeliveryWatch<'a> {
    pub slot: &'a Slot,
    pub chunk: u32,
    pub delivery: u16,
    pub failures: &'a mut Vec<FailedListener>,
}

impl Watch for DeliveryWatch<'_> {
    fn enter(&mut self, listener: ListenerIndex) {
        let now = crate::clock::mono().0;
        self.slot.enter(listener, now);
        limit::enter(listener, now);
    }

    fn leave(&mut self, listener: ListenerIndex, outcome: Outcome) {
        limit::leave();
        self.slot.leave(self.chunk, self.delivery, listener, outcome.is_err());
        if let Err(failure) = outcome {
            self.failures.push(FailedListener { delivery: self.delivery, listener, failure: failure.capped() });
        }
    }

    fn last_words(&mut self, failure: &Failure) {
        self.slot.set_last_words(failure);
    }
}

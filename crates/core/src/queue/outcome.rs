//! Decides what follows an attempt: done, another attempt later, or a dead letter, by listener.

use crate::backlog::{Replacement, Settlement};
use crate::delivery::{DeadLetter, Delivery, Due, SpentAttempt};
use crate::failure::{Failure, FailureKind};
use crate::frame::WHOLE_DELIVERY;
use crate::listener::{ListenerIndex, ListenerTable};
use crate::retry::RetryPolicy;
use crate::time::Now;

/// Listeners of a delivery that failed, and why.
pub(super) type Failures = Vec<(ListenerIndex, Failure)>;

/// The rules that outcomes are judged by.
pub(super) struct Judge<'a> {
    pub retry: &'a RetryPolicy,
    pub table: &'a ListenerTable,
    pub now: Now,
}

impl Judge<'_> {
    /// What follows an attempt that came to its end: `failures` failed, `unfinished` were not reached and go out again uncounted.
    pub fn settle(&self, delivery: &Delivery, failures: Failures, unfinished: Vec<String>) -> Settlement {
        let mut replacements = Vec::new();
        for id in delivery.only().unwrap_or_default().iter().filter(|id| self.table.find(id).is_none()) {
            let words = format!("no listener has the identity \"{id}\" any more");
            let failure = Failure::new(FailureKind::ListenerGone, "listener_gone", words);
            replacements.push(self.after_failure(delivery, Some(id), None, failure));
        }
        for (listener, failure) in failures {
            let spec = self.table.get(listener);
            if spec.is_none() && listener != WHOLE_DELIVERY {
                continue;
            }
            let retry = spec.and_then(|spec| spec.retry.as_ref());
            replacements.push(self.after_failure(delivery, spec.map(|spec| spec.id.as_str()), retry, failure));
        }
        if !unfinished.is_empty() {
            replacements.push(Replacement::Delivery(delivery.for_listeners(unfinished)));
        }
        if replacements.is_empty() { Settlement::Done } else { Settlement::Replace(replacements) }
    }

    /// What follows the failure of one listener, or of the delivery as a whole.
    fn after_failure(&self, delivery: &Delivery, id: Option<&str>, retry: Option<&RetryPolicy>, failure: Failure) -> Replacement {
        let retry = retry.unwrap_or(self.retry);
        let pause = if failure.kind.is_final() { None } else { retry.next(delivery.attempt, self.now.dice) };
        let pause = pause.map(|pause| match failure.retry_after {
            Some(micros) => micros,
            // A worker's death is tried again at once the first time: it is as often the machine's fault as the listener's.
            None if matches!(failure.kind, FailureKind::Killed | FailureKind::Ended) && delivery.attempt == 1 => 0,
            None => u64::try_from(pause.as_micros()).unwrap_or(u64::MAX),
        });
        let spent = SpentAttempt { attempt: delivery.attempt, at: self.now.wall.0, failure };
        let next = id.map_or_else(|| delivery.clone(), |id| delivery.for_listeners(vec![id.to_owned()])).with_spent(spent);
        match pause {
            None => Replacement::Dead(DeadLetter { delivery: next, at: self.now.wall.0 }),
            Some(micros) => Replacement::Delivery(Delivery {
                attempt: delivery.attempt + 1,
                due: (micros > 0).then(|| Due::After(self.now.mono.plus(micros))),
                ..next
            }),
        }
    }
}

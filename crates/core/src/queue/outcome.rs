//! Decides what follows an attempt: done, another attempt later, or a dead letter, by listener.

use super::letters::DEAD_EVENT;
use crate::backlog::{Replacement, Settlement};
use crate::delivery::{DeadLetter, Delivery, Due, SpentAttempt};
use crate::failure::{Failure, FailureKind};
use crate::frame::WHOLE_DELIVERY;
use crate::listener::{ListenerIndex, ListenerTable};
use crate::record::Record;
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
        let only = delivery.only().unwrap_or_default();
        let gone: Vec<_> = only.iter().filter(|id| self.table.find(id).is_none()).collect();
        for id in &gone {
            let words = format!("no listener has the identity \"{id}\" any more");
            replacements.push(self.dead(delivery, Some(id), Failure::new(FailureKind::ListenerGone, "listener_gone", words)));
        }
        for (listener, failure) in failures {
            let Some(spec) = self.table.get(listener) else {
                if listener == WHOLE_DELIVERY && (only.is_empty() || gone.len() < only.len()) {
                    // Those that are gone have their letters: what is tried again is for the others.
                    let left = || only.iter().filter(|id| !gone.contains(id)).cloned().collect();
                    let whole = if gone.is_empty() { delivery.clone() } else { delivery.for_listeners(left()) };
                    replacements.push(self.after_failure(&whole, None, None, failure));
                }
                continue;
            };
            replacements.push(self.after_failure(delivery, Some(&spec.id), spec.retry.as_ref(), failure));
        }
        if !unfinished.is_empty() {
            replacements.push(Replacement::Delivery(delivery.for_listeners(unfinished)));
        }
        if replacements.is_empty() { Settlement::Done } else { Settlement::Replace(replacements) }
    }

    /// The identity of the listener at a place of the worker's table.
    pub fn identity(&self, listener: ListenerIndex) -> Option<String> {
        self.table.get(listener).map(|spec| spec.id.clone())
    }

    /// A dead letter of one listener, or of the delivery as a whole.
    pub fn dead(&self, delivery: &Delivery, id: Option<&str>, failure: Failure) -> Replacement {
        Replacement::Dead(DeadLetter { delivery: self.spent(delivery, id, failure), at: self.now.wall.0 })
    }

    /// What follows the failure of one listener, or of the delivery as a whole.
    fn after_failure(&self, delivery: &Delivery, id: Option<&str>, retry: Option<&RetryPolicy>, failure: Failure) -> Replacement {
        let retry = retry.unwrap_or(self.retry);
        let is_over = failure.kind.is_final() || is_announcement(delivery);
        let pause = if is_over { None } else { retry.next(delivery.attempt, self.now.dice) };
        let Some(pause) = pause else { return self.dead(delivery, id, failure) };
        let micros = match failure.retry_after {
            Some(micros) => micros,
            // A worker's death is tried again at once the first time: it is as often the machine's fault as the listener's.
            None if matches!(failure.kind, FailureKind::Killed | FailureKind::Ended) && delivery.attempt == 1 => 0,
            None => u64::try_from(pause.as_micros()).unwrap_or(u64::MAX),
        };
        Replacement::Delivery(Delivery {
            attempt: delivery.attempt + 1,
            // The attempt counts instead.
            recoveries: 0,
            due: (micros > 0).then(|| Due::After(self.now.mono.plus(micros))),
            ..self.spent(delivery, id, failure)
        })
    }

    fn spent(&self, delivery: &Delivery, id: Option<&str>, failure: Failure) -> Delivery {
        let spent = SpentAttempt { attempt: delivery.attempt, at: self.now.wall.0, failure, replayed: None };
        id.map_or_else(|| delivery.clone(), |id| delivery.for_listeners(vec![id.to_owned()])).with_spent(spent)
    }
}

fn is_announcement(delivery: &Delivery) -> bool {
    Record::decode(&delivery.record).is_ok_and(|record| record.name == DEAD_EVENT)
}

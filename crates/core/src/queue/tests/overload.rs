//! Tests of what happens when too much waits.

use super::*;
use crate::queue::Limits;

fn limited(waiting: u64) -> Rig {
    let mut rig = Rig::new();
    rig.queue = Queue::new(Rules { retry: policy(3), max_message: 1000 }).with_limits(Limits { waiting, ..Limits::default() });
    rig
}

fn observe(rig: &mut Rig) {
    rig.queue.observe_load(&rig.backlog.counts(), rig.backlog.refusal());
}

#[test]
fn what_is_too_much_is_refused_within_a_batch_and_taken_when_it_comes_again() {
    let mut rig = limited(5);
    let records = || (0..7).map(|number| record(&number.to_string(), "x"));
    let confirmation = rig.publish_batch(batch(1, records()));
    let refused: Vec<_> = confirmation.exceptions.iter().map(|exception| (exception.number, exception.code)).collect();
    assert_eq!(refused, [(6, RejectCode::Overloaded), (7, RejectCode::Overloaded)]);
    assert!(confirmation.exceptions[0].reason.contains("5 events, and broker.max_pending allows 5"));
    assert_eq!((rig.queue.counters().rejected, rig.backlog.counts().pending), (2, 5));
    // Two go to a worker: 3 wait, and that is below the low-water mark.
    rig.join(1, vec![spec("a", "x")]);
    observe(&mut rig);
    assert!(rig.publish_batch(batch(1, records())).exceptions.is_empty());
    assert_eq!((rig.queue.counters().accepted, rig.queue.counters().duplicates), (7, 5));
}

#[test]
fn retries_are_kept_however_much_waits() {
    let mut rig = limited(1);
    rig.join(1, vec![spec("a", "x")]);
    rig.publish("x", 1);
    observe(&mut rig);
    rig.publish("x", 1);
    rig.report(1, 1, 1, true, vec![failed(0, 0, thrown())]);
    assert_eq!(rig.backlog.counts().parked, 1);
    observe(&mut rig);
    assert!(rig.queue.overload().is_some(), "and they count");
    assert!(rig.queue.handle_unconfirmed(record("a", "x"), rig.now, &mut rig.effects).is_ok(), "what can't be told is taken");
}

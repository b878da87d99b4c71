//! Tests of looking at what waits, and of cancelling it.

use super::*;
use crate::backlog::Counts;
use crate::queue::{Cancelled, State};

/// One of each runs, is fetched, is pending, and is delayed: `0` to `3`.
fn one_of_each() -> Rig {
    let mut rig = Rig::new();
    rig.publish("x", 3);
    rig.publish_record(&Record { delay: Some(SECOND), ..named("3", "x") });
    rig.join(1, vec![spec("a", "x")]);
    // The worker has taken two at most; the second comes back.
    rig.queue.handle_taken_back(1, 2, 0, rig.now, &mut rig.effects);
    rig.queue.handle_leaving(1, &mut rig.effects);
    rig.keep();
    rig
}

#[test]
fn each_is_shown_where_it_is() {
    let mut rig = one_of_each();
    let page = rig.backlog.waiting(0, 99).items;
    let seen: Vec<_> = page.iter().map(|waiting| id(&waiting.delivery)).zip(rig.queue.states(&page)).collect();
    assert_eq!(seen.first(), Some(&("0", State::Running)));
    assert_eq!(seen.iter().filter(|(_, state)| *state == State::Pending).count(), 2);
    assert_eq!(seen.last(), Some(&("3", State::Delayed)));
}

#[test]
fn what_nobody_runs_is_cancelled_and_the_rest_is_counted() {
    let mut rig = one_of_each();
    let page = rig.backlog.waiting(0, 99).items;
    assert_eq!(rig.queue.handle_cancel(&page, rig.now, &mut rig.effects), Cancelled { done: 3, running: 1 });
    rig.keep();
    assert_eq!(rig.backlog.counts(), Counts { reserved: 1, ..Counts::default() });
    rig.chunks();
    rig.join(2, vec![spec("a", "x")]);
    rig.pass(2 * SECOND);
    assert!(rig.chunks().is_empty(), "nothing of it goes out");
    rig.report(1, 1, 1, true, Vec::new());
    assert_eq!((rig.backlog.counts(), rig.queue.counters().cancelled), (Counts::default(), 3));
}

#[test]
fn two_events_of_one_id_are_two() {
    let mut rig = Rig::new();
    for _ in 0..2 {
        assert_eq!(rig.publish_record(&named("mine", "x")), None);
    }
    assert_eq!(rig.waiting().len(), 2);
}

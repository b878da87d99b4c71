//! Tests of what follows an attempt.

use super::*;
use crate::delivery::Due;
use crate::frame::WHOLE_DELIVERY;

/// One event that a worker has, of the listeners `a`, `b` (1 attempt) and `*`.
fn under_way() -> Rig {
    let mut rig = Rig::new();
    let once = ListenerSpec { retry: Some(policy(1)), ..spec("once", "x") };
    rig.join(1, vec![spec("a", "x"), once, spec("all", "*")]);
    rig.publish("x", 1);
    assert_eq!(rig.chunk().number, 1);
    rig
}

#[test]
fn a_listener_that_failed_is_tried_again_alone_and_later() {
    let mut rig = under_way();
    let mut pauses = Vec::new();
    for chunk in 1..=3 {
        let before = rig.now.mono;
        rig.report(1, chunk, 1, true, vec![failed(0, 0, thrown())]);
        let Some(pause) = rig.backlog.promote(rig.now) else { break };
        pauses.push(pause / SECOND);
        rig.pass(pause - 1);
        assert!(rig.chunks().is_empty());
        rig.pass(1);
        let again = rig.chunk().deliveries.remove(0).delivery;
        assert_eq!((only(&again), again.attempt, again.history().len()), (vec!["a"], chunk as u16 + 1, chunk as usize));
        assert!(matches!(again.due, Some(Due::After(due)) if due == before.plus(pause)));
    }
    assert_eq!(pauses, [5, 15]);
    let dead = rig.dead();
    assert_eq!((only(&dead[0].delivery), dead.len(), dead[0].delivery.history().len()), (vec!["a"], 1, 3));
    let counters = rig.queue.counters();
    assert_eq!((counters.retried, counters.dead, counters.done), (2, 1, 0));
}

#[test]
fn each_listener_has_its_own_policy_and_fate() {
    let mut rig = under_way();
    let later = Failure { retry_after: Some(7 * SECOND), ..thrown() };
    rig.report(1, 1, 1, true, vec![failed(0, 0, later), failed(0, 1, thrown()), failed(0, 2, thrown())]);
    assert_eq!(rig.dead().iter().map(|letter| only(&letter.delivery)).collect::<Vec<_>>(), [["once"]]);
    rig.pass(5 * SECOND);
    assert_eq!(only(&rig.chunk().deliveries[0].delivery), ["all"]);
    rig.pass(2 * SECOND);
    assert_eq!(only(&rig.chunk().deliveries[0].delivery), ["a"]);
}

#[test]
fn what_is_unrecoverable_is_dead_at_once() {
    let mut rig = under_way();
    let failure = Failure { retry_after: Some(1), ..Failure::new(FailureKind::Unrecoverable, "E", "never") };
    rig.report(1, 1, 1, true, vec![failed(0, 0, failure.clone())]);
    assert_eq!(rig.dead()[0].reason(), Some(&failure));
    assert!(matches!(&rig.said[..], [Reply::Dead(_), Reply::Settled { through: 1, at_once: true, .. }]), "told at once");
    assert!(rig.waiting().is_empty());
}

#[test]
fn a_retry_whose_listener_is_gone_is_dead_and_its_siblings_are_not() {
    let mut rig = Rig::new();
    rig.join(1, vec![spec("kept", "x")]);
    let delivery = Delivery::first(record("0", "x")).for_listeners(vec!["gone".into(), "kept".into()]);
    rig.backlog.append(&mut vec![Delivery { attempt: 2, ..delivery }.into()], rig.now);
    rig.keep();
    let chunk = rig.chunk().number;
    rig.report(1, chunk, 1, true, vec![failed(0, WHOLE_DELIVERY, thrown())]);
    let dead = rig.dead();
    assert_eq!((dead.len(), only(&dead[0].delivery)), (1, vec!["gone"]));
    assert_eq!(dead[0].reason().unwrap().kind, FailureKind::ListenerGone);
    let waiting = rig.waiting();
    assert_eq!((waiting.len(), only(&waiting[0]), waiting[0].attempt), (1, vec!["kept"], 3));
}

#[test]
fn an_event_that_nobody_takes_is_kept_whole() {
    let mut rig = under_way();
    let failure = Failure::new(FailureKind::NoListener, "no_listener", "nobody");
    rig.report(1, 1, 1, true, vec![failed(0, WHOLE_DELIVERY, failure)]);
    let dead = rig.dead();
    assert_eq!((dead.len(), dead[0].delivery.only()), (1, None));
}

#[test]
fn what_a_worker_says_of_no_chunk_of_its_changes_nothing() {
    let mut rig = under_way();
    rig.report(1, 9, 1, true, vec![failed(0, 0, thrown())]);
    rig.report(2, 1, 1, true, Vec::new());
    rig.queue.handle_taken_back(1, 9, 0, rig.now, &mut rig.effects);
    rig.queue.handle_leaving(2, &mut rig.effects);
    rig.keep();
    assert_eq!((rig.backlog.counts().reserved, rig.said.len()), (1, 0));
    // More than it has, listeners that there are not, and the same again.
    for _ in 0..2 {
        rig.report(1, 1, 9, true, vec![failed(0, 77, thrown()), failed(8, 0, thrown())]);
    }
    assert_eq!((rig.backlog.counts().reserved, rig.queue.counters().done), (0, 1));
}

#[test]
fn a_late_report_tells_all_of_it_again() {
    let mut rig = Rig::new();
    rig.hurry(8);
    rig.join(1, vec![spec("a", "x")]);
    rig.publish("x", 4);
    assert_eq!(rig.chunk().deliveries.len(), 4);
    rig.report(1, 1, 2, false, vec![failed(0, 0, thrown())]);
    rig.report(1, 1, 3, false, vec![failed(0, 0, thrown()), failed(2, 0, thrown())]);
    rig.report(1, 1, 3, true, vec![failed(0, 0, thrown()), failed(2, 0, thrown())]);
    let again = rig.chunk();
    assert_eq!(ids(&again), ["3"], "what a closed chunk has not finished goes out again");
    assert_eq!((rig.queue.counters().retried, rig.queue.counters().done), (2, 1));
}

#[test]
fn a_worker_that_leaves_is_told_when_all_it_did_is_settled() {
    let mut rig = Rig::new();
    rig.hurry(8);
    rig.join(1, vec![spec("a", "x")]);
    rig.publish("x", 3);
    rig.chunk();
    rig.queue.handle_leaving(1, &mut rig.effects);
    rig.keep();
    assert_eq!(rig.said, [Reply::TakeBack(1, 1)]);
    rig.said.clear();
    rig.queue.handle_taken_back(1, 1, 1, rig.now, &mut rig.effects);
    rig.keep();
    assert_eq!((rig.queue.ready(), rig.said.len()), (2, 0), "it gets nothing more");
    rig.report(1, 1, 1, true, Vec::new());
    assert_eq!(rig.said, [Reply::Settled { worker: 1, through: 1, at_once: true }]);
    rig.queue.handle_death(1, None, rig.now, &mut rig.effects);
    assert_eq!(rig.queue.counters().deaths, 0, "it left");
    rig.join(2, vec![spec("a", "x")]);
    assert_eq!(ids(&rig.chunk()), ["1", "2"], "in their order");
}

#[test]
fn a_worker_that_leaves_with_nothing_in_hand_is_told_at_once() {
    let mut rig = under_way();
    rig.report(1, 1, 1, true, Vec::new());
    rig.said.clear();
    rig.queue.handle_leaving(1, &mut rig.effects);
    rig.keep();
    assert_eq!(rig.said, [Reply::Settled { worker: 1, through: 1, at_once: true }]);
}

//! Tests of following an event to its end.

use super::*;
use crate::queue::Fate;

fn watched(listeners: &[&str]) -> Rig {
    let mut rig = Rig::new();
    rig.join(1, listeners.iter().map(|id| spec(id, "x")).collect());
    rig.queue.watch("0", rig.now);
    rig
}

#[test]
fn it_waits_until_all_its_listeners_succeeded() {
    let mut rig = watched(&["a", "b"]);
    assert_eq!((rig.queue.fate("0"), rig.queue.fate("1")), (Fate::Waiting, Fate::Unknown));
    rig.publish("x", 2);
    rig.report(1, 1, 1, true, vec![failed(0, 0, thrown()), failed(0, 1, thrown())]);
    rig.pass(20 * SECOND);
    assert_eq!(rig.queue.fate("0"), Fate::Waiting);
    for chunk in 2..5 {
        assert_eq!(rig.queue.fate("0"), Fate::Waiting);
        rig.report(1, chunk, 1, true, Vec::new());
    }
    assert_eq!(rig.queue.fate("0"), Fate::Handled);
}

#[test]
fn it_has_failed_when_one_of_its_listeners_is_dead() {
    let mut rig = watched(&["a", "b", crate::queue::DEAD_EVENT]);
    rig.publish("x", 1);
    let fatal = Failure::new(FailureKind::Unrecoverable, "E", "never");
    rig.report(1, 1, 1, true, vec![failed(0, 0, fatal)]);
    assert_eq!(rig.queue.fate("0"), Fate::Failed("a: E: never".into()));
}

#[test]
fn it_may_come_to_its_end_unhandled() {
    let mut rig = Rig::new();
    for id in ["expired", "cancelled", "second"] {
        rig.queue.watch(id, rig.now);
    }
    rig.publish_record(&Record { expires: Some(rig.now.wall.0 + 1), ..named("expired", "x") });
    rig.publish_record(&Record { unique: Some("k"), delay: Some(SECOND), ..named("cancelled", "x") });
    rig.publish_unique("second", "k", None);
    assert_eq!(rig.queue.fate("second"), Fate::Cancelled("an event with its unique key waits or runs: cancelled".into()));
    rig.pass(1);
    let delayed = rig.backlog.waiting(1, 99).items;
    rig.queue.handle_cancel(&delayed, rig.now, &mut rig.effects);
    rig.join(1, vec![spec("a", "x")]);
    assert_eq!(rig.queue.fate("cancelled"), Fate::Cancelled("it was cancelled".into()));
    assert_eq!(rig.queue.fate("expired"), Fate::Failed("it expired before it was started".into()));
}

#[test]
fn two_events_of_one_id_come_to_one_end() {
    let mut rig = watched(&["a"]);
    for _ in 0..2 {
        rig.publish_record(&named("0", "x"));
    }
    rig.report(1, 1, 1, true, Vec::new());
    assert_eq!(rig.queue.fate("0"), Fate::Waiting);
    rig.report(1, 2, 1, true, Vec::new());
    assert_eq!(rig.queue.fate("0"), Fate::Handled);
}

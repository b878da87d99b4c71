//! Tests of unique keys.

use super::*;

/// A queue whose worker has the listeners `a` and `b` of `x`.
fn staffed() -> Rig {
    let mut rig = Rig::new();
    rig.join(1, vec![spec("a", "x"), spec("b", "x")]);
    rig
}

#[test]
fn while_one_waits_or_runs_the_same_gives_its_id() {
    let mut rig = Rig::new();
    assert_eq!(rig.publish_unique("first", "k", None), None);
    assert_eq!(rig.publish_unique("other", "l", None), None);
    assert_eq!(rig.publish_unique("second", "k", None).as_deref(), Some("first"), "it waits");
    rig.join(1, vec![spec("a", "x")]);
    assert_eq!(rig.publish_unique("third", "k", None).as_deref(), Some("first"), "it runs");
    assert_eq!(ids(&rig.chunks()[0].1), ["first"]);
    rig.report(1, 1, 1, true, Vec::new());
    assert_eq!(rig.publish_unique("fourth", "k", None), None, "it is done");
    let counters = rig.queue.counters();
    assert_eq!((counters.accepted, counters.unique, counters.rejected), (3, 2, 0));
}

#[test]
fn a_listener_that_is_tried_again_keeps_the_key_and_its_death_frees_it() {
    let mut rig = staffed();
    rig.publish_unique("first", "k", None);
    rig.report(1, 1, 1, true, vec![failed(0, 0, thrown()), failed(0, 1, thrown())]);
    assert_eq!(rig.publish_unique("again", "k", None).as_deref(), Some("first"), "both are to be tried again");
    rig.chunks();
    rig.pass(20 * SECOND);
    let chunk = rig.chunk();
    assert_eq!(chunk.deliveries.len(), 2);
    rig.report(1, chunk.number, 1, false, Vec::new());
    assert_eq!(rig.publish_unique("again", "k", None).as_deref(), Some("first"), "one is");
    rig.report(1, chunk.number, 2, true, vec![failed(1, 1, Failure::new(FailureKind::Unrecoverable, "E", "never"))]);
    assert_eq!(rig.publish_unique("again", "k", None), None);
}

#[test]
fn a_dead_letter_holds_no_key_and_takes_it_again_when_it_is_replayed() {
    let mut rig = staffed();
    rig.publish_unique("first", "k", None);
    let unrecoverable = || Failure::new(FailureKind::Unrecoverable, "E", "never");
    rig.report(1, 1, 1, true, vec![failed(0, 0, unrecoverable()), failed(0, 1, unrecoverable())]);
    assert_eq!(rig.publish_unique("second", "k", None), None, "both are dead");
    rig.report(1, 2, 1, true, Vec::new());
    let letters = rig.letters();
    rig.queue.handle_replay(letters, rig.now, &mut rig.effects);
    assert_eq!(rig.publish_unique("third", "k", None).as_deref(), Some("first"));
    rig.keep();
    let chunk = rig.chunks().remove(2).1;
    assert_eq!(chunk.deliveries.len(), 2);
    rig.report(1, chunk.number, 1, false, Vec::new());
    assert_eq!(rig.publish_unique("fourth", "k", None).as_deref(), Some("first"), "the other listener has it still");
    rig.report(1, chunk.number, 2, true, Vec::new());
    assert_eq!(rig.publish_unique("fifth", "k", None), None);
}

#[test]
fn a_replay_does_not_take_a_key_that_another_holds() {
    let mut rig = staffed();
    rig.publish_unique("first", "k", None);
    rig.report(1, 1, 1, true, vec![failed(0, 0, Failure::new(FailureKind::Unrecoverable, "E", "never"))]);
    rig.publish_unique("second", "k", None);
    let letters = rig.letters();
    rig.queue.handle_replay(letters, rig.now, &mut rig.effects);
    rig.keep();
    rig.report(1, 3, 1, true, Vec::new());
    assert_eq!(rig.publish_unique("third", "k", None).as_deref(), Some("second"), "the replay's end frees nothing");
}

#[test]
fn a_key_is_free_when_its_time_is_up() {
    let mut rig = Rig::new();
    rig.publish_unique("first", "k", Some(10));
    rig.pass(10 * SECOND - 1);
    assert_eq!(rig.publish_unique("second", "k", Some(10)).as_deref(), Some("first"));
    rig.pass(1);
    assert_eq!(rig.publish_unique("second", "k", Some(10)), None);
    rig.join(1, vec![spec("a", "x")]);
    assert_eq!(ids(&rig.chunks()[0].1), ["first"]);
    rig.report(1, 1, 1, true, Vec::new());
    assert_eq!(rig.publish_unique("third", "k", None).as_deref(), Some("second"), "the end of the first frees nothing");
}

#[test]
fn its_time_begins_when_the_event_is_due() {
    let mut rig = Rig::new();
    let delayed = Record { unique: Some("k"), unique_for: Some(SECOND), delay: Some(5 * SECOND), ..named("first", "x") };
    assert_eq!(rig.publish_record(&delayed), None);
    rig.pass(6 * SECOND - 1);
    assert_eq!(rig.publish_unique("second", "k", None).as_deref(), Some("first"));
    rig.pass(1);
    assert_eq!(rig.publish_unique("second", "k", None), None);
}

#[test]
fn what_expires_or_is_cancelled_frees_its_key() {
    let mut rig = Rig::new();
    let expires = Some(rig.now.wall.0 + SECOND);
    rig.publish_record(&Record { unique: Some("k"), expires, ..named("first", "x") });
    rig.pass(SECOND);
    rig.join(1, vec![spec("a", "x")]);
    assert_eq!(rig.queue.counters().expired, 1);
    let delayed = Record { unique: Some("k"), delay: Some(SECOND), ..named("second", "x") };
    assert_eq!(rig.publish_record(&delayed), None);
    let page = rig.backlog.waiting(0, 9).items;
    rig.queue.handle_cancel(&page, rig.now, &mut rig.effects);
    assert_eq!(rig.publish_unique("third", "k", None), None);
}

#[test]
fn keys_that_a_backlog_kept_are_held_and_the_later_of_two_holds() {
    let mut rig = Rig::new();
    rig.publish_unique("first", "k", Some(1));
    rig.pass(SECOND);
    rig.publish_unique("second", "k", Some(10));
    let kept: Vec<_> = rig.backlog.waiting(0, 9).items.into_iter().map(|waiting| waiting.delivery).collect();
    let uniques = || kept.iter().map(|delivery| (delivery.unique().unwrap().clone(), id(delivery).to_owned()));
    for reversed in [false, true] {
        let (queue, mut order) = (Queue::new(Rules { retry: policy(3), max_message: 1000 }), uniques().collect::<Vec<_>>());
        if reversed {
            order.reverse();
        }
        rig.queue = queue.with_uniques(order);
        assert_eq!(rig.publish_unique("third", "k", None).as_deref(), Some("second"));
    }
    rig.join(1, vec![spec("a", "x")]);
    rig.report(1, 1, 1, true, Vec::new());
    rig.report(1, 2, 1, true, Vec::new());
    assert_eq!(rig.publish_unique("fourth", "k", None), None, "all that held it are done");
}

#[test]
fn a_key_is_held_over_the_brokers_death_by_what_a_worker_has() {
    let mut rig = staffed();
    rig.publish_unique("first", "k", None);
    let chunk = rig.chunk();
    let mut frame = Vec::new();
    let mut writer = crate::frame::ChunkWriter::begin(&mut frame, 1, chunk.number, 0);
    chunk
        .deliveries
        .iter()
        .for_each(|reserved| writer.push(reserved.token, 1, None::<std::iter::Empty<&str>>, &reserved.delivery.record));
    // Another broker, and nothing is left but what the worker tells.
    let mut rig = Rig::new();
    rig.queue = rig.queue.recovering(["first".to_owned()]);
    let hello = Hello { last_chunk: 1, listeners: vec![spec("a", "x"), spec("b", "x")], ..Hello::default() };
    let held = crate::frame::Held { frame: frame.into(), finished: 0, claimed: 1, limit: 1, failures: Vec::new() };
    rig.ready(1, Ready { hello, held: vec![held] });
    assert_eq!(rig.publish_unique("second", "k", None).as_deref(), Some("first"));
    rig.report(1, 1, 1, true, vec![failed(0, 0, thrown())]);
    assert_eq!(rig.publish_unique("second", "k", None).as_deref(), Some("first"), "its retry is to come");
    rig.pass(20 * SECOND);
    let chunk = rig.chunk();
    rig.report(1, chunk.number, 1, true, Vec::new());
    assert_eq!(rig.publish_unique("second", "k", None), None);
}

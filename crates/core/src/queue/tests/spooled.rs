//! Tests of events that waited in a spool.

use super::*;
use crate::backlog::Origin;
use crate::queue::Limits;
use crate::session::SESSION_AGE;

const SESSION: [u8; 16] = [7; 16];

fn encoded(record: &Record<'_>) -> Bytes {
    let mut out = Vec::new();
    record.encode(&mut out);
    out.into()
}

/// Takes in an event that was spooled so long ago.
fn drain(rig: &mut Rig, number: u64, record: Bytes, ago: u64) {
    let spooled_at = Wall(rig.now.wall.0 - ago);
    rig.queue.handle_spooled(Origin { session: SESSION, number }, record, spooled_at, rig.now, &mut rig.effects);
    rig.keep();
}

/// A rig whose wall clock has room for what was long ago.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.now.wall = Wall(100 * SESSION_AGE);
    rig
}

fn event(rig: &Rig, id: &str, ago: u64) -> Bytes {
    encoded(&Record { triggered_at: rig.now.wall.0 - ago, ..named(id, "x") })
}

#[test]
fn copies_are_dropped_whichever_way_they_came_first() {
    let mut rig = rig();
    let first = event(&rig, "1", 0);
    rig.publish_batch(batch(1, [first.clone()]));
    drain(&mut rig, 1, first, 0);
    let second = event(&rig, "2", 0);
    drain(&mut rig, 2, second.clone(), 0);
    drain(&mut rig, 2, second.clone(), 0);
    assert!(rig.publish_batch(batch(2, [second])).exceptions.is_empty());
    let counters = rig.queue.counters();
    assert_eq!((counters.accepted, counters.spooled, counters.duplicates), (2, 1, 3));
    assert_eq!(rig.backlog.counts().pending, 2);
}

#[test]
fn one_that_is_older_than_sessions_are_kept_is_a_dead_letter_and_one_that_is_not_is_handled() {
    let mut rig = rig();
    let (young, old) = (event(&rig, "young", SESSION_AGE), event(&rig, "old", SESSION_AGE + 1));
    drain(&mut rig, 1, young, SESSION_AGE);
    drain(&mut rig, 2, old, SESSION_AGE);
    assert_eq!((rig.backlog.counts().pending, rig.queue.counters().dead), (1, 1));
    let dead = rig.dead();
    let reason = dead[0].reason().unwrap();
    assert_eq!((reason.kind, dead[0].at), (FailureKind::StaleSpool, rig.now.wall.0));
    assert!(reason.message.contains("waited in the spool for 7 days"), "{}", reason.message);
    assert!(rig.said.iter().any(|reply| matches!(reply, Reply::Dead(_))), "told");
}

#[test]
fn a_copy_that_is_known_makes_no_letter_however_old_it_is() {
    let mut rig = rig();
    let record = event(&rig, "1", 2 * SESSION_AGE);
    rig.publish_batch(batch(1, [record.clone()]));
    drain(&mut rig, 1, record, SESSION_AGE);
    assert_eq!((rig.queue.counters().dead, rig.queue.counters().duplicates), (0, 1));
}

#[test]
fn what_is_refused_elsewhere_is_a_dead_letter() {
    let mut rig = rig();
    let params = format!("\"{}\"", "x".repeat(1_000));
    let params = format!("[{params}]");
    let large = encoded(&Record { triggered_at: rig.now.wall.0, params: params.as_bytes(), ..named("large", "x") });
    drain(&mut rig, 1, large.clone(), 0);
    drain(&mut rig, 2, Bytes::from_static(b"no record"), 0);
    let dead = rig.dead();
    let kinds: Vec<_> = dead.iter().map(|letter| letter.reason().unwrap().kind).collect();
    assert_eq!(kinds, [FailureKind::TooLarge, FailureKind::Malformed]);
    assert_eq!(dead[0].delivery.record, large, "all of it is kept");
    assert_eq!(rig.backlog.counts().pending, 0);
}

#[test]
fn what_comes_from_a_spool_elsewhere_is_refused_for_overload_only() {
    let mut rig = rig();
    rig.queue = Queue::new(Rules { retry: policy(3), max_message: 1000 }).with_limits(Limits { waiting: 2, ..Limits::default() });
    let delayed = encoded(&Record { triggered_at: 1, delay: Some(60 * SECOND), ..named("late", "x") });
    let records = [event(&rig, "1", 0), delayed, Bytes::from_static(b"no record"), event(&rig, "2", 0), event(&rig, "3", 0)];
    let confirmation = rig.publish_batch(Publish { spooled: true, synced: true, ..batch(1, records) });
    let refused: Vec<_> = confirmation.exceptions.iter().map(|exception| (exception.number, exception.code)).collect();
    assert_eq!(refused, [(5, RejectCode::Overloaded)]);
    let kinds: Vec<_> = rig.dead().iter().map(|letter| letter.reason().unwrap().kind).collect();
    assert_eq!(kinds, [FailureKind::StaleSpool, FailureKind::Malformed]);
    assert_eq!(rig.backlog.counts().pending, 2);
}

#[test]
fn a_delay_counts_from_when_it_was_spooled() {
    let mut rig = rig();
    let delayed = |id| encoded(&Record { triggered_at: rig.now.wall.0, delay: Some(60 * SECOND), ..named(id, "x") });
    let (late, later, over) = (delayed("1"), delayed("2"), delayed("3"));
    drain(&mut rig, 1, late, 45 * SECOND);
    drain(&mut rig, 2, later, 0);
    drain(&mut rig, 3, over, 100 * SECOND);
    assert_eq!((rig.backlog.counts().pending, rig.backlog.counts().parked), (1, 2));
    rig.pass(15 * SECOND);
    assert_eq!(rig.backlog.counts().pending, 2);
    rig.pass(45 * SECOND);
    assert_eq!(rig.backlog.counts().pending, 3);
}

#[test]
fn a_unique_key_that_is_held_drops_it_and_overload_does_not() {
    let mut rig = rig();
    rig.queue = Queue::new(Rules { retry: policy(3), max_message: 1000 }).with_limits(Limits { waiting: 1, ..Limits::default() });
    let unique = |id| encoded(&Record { triggered_at: rig.now.wall.0, unique: Some("k"), ..named(id, "x") });
    let (first, second) = (unique("1"), unique("2"));
    drain(&mut rig, 1, first, 0);
    drain(&mut rig, 2, second, 0);
    assert_eq!((rig.queue.counters().unique, rig.backlog.counts().pending), (1, 1));
    assert!(rig.queue.overload().is_some());
    let third = event(&rig, "3", 0);
    drain(&mut rig, 3, third, 0);
    assert_eq!(rig.backlog.counts().pending, 2, "what was read is taken");
}

//! Tests of order by key.

use super::*;
use crate::backlog::Waits;
use crate::lanes::Lanes;
use crate::queue::{Cancelled, KeyHolder, MAX_BLOCKED, MAX_HELD_BACK, State};
use crate::settings::Settings;
use serde_json::json;

fn never() -> Failure {
    Failure::new(FailureKind::Unrecoverable, "E", "never")
}

/// A worker with the listeners `a` and `b` of `x`, and much room.
fn staffed() -> Rig {
    let mut rig = Rig::new();
    rig.hurry(8);
    rig.join(1, vec![spec("a", "x"), spec("b", "x")]);
    rig
}

fn publish(rig: &mut Rig, events: &[(&str, &str)]) {
    let records = events.iter().map(|(id, key)| keyed(id, key));
    let first = rig.next;
    rig.next += events.len() as u64;
    rig.publish_batch(batch(first, records.collect::<Vec<_>>()));
}

fn keyed(id: &str, key: &str) -> Bytes {
    let mut out = Vec::new();
    Record { key: (!key.is_empty()).then_some(key), ..named(id, "x") }.encode(&mut out);
    out.into()
}

/// What was handed out since this was last asked, all of which is in one chunk each time.
fn handed_out(rig: &mut Rig) -> Vec<String> {
    rig.chunks().iter().flat_map(|(_, chunk)| ids(chunk)).map(str::to_owned).collect()
}

/// The next chunk, which the worker reports with these failures of its first delivery.
fn handle(rig: &mut Rig, failures: &[(ListenerIndex, Failure)]) -> Vec<String> {
    let chunk = rig.chunk();
    let ids = ids(&chunk).into_iter().map(str::to_owned).collect();
    let failures = failures.iter().map(|(listener, failure)| failed(0, *listener, failure.clone())).collect();
    rig.report(1, chunk.number, chunk.deliveries.len() as u16, true, failures);
    ids
}

#[test]
fn one_of_a_key_at_a_time_in_order_and_others_beside_it() {
    let mut rig = staffed();
    publish(&mut rig, &[("k1", "k"), ("k2", "k"), ("1", ""), ("l1", "l"), ("k3", "k"), ("l2", "l"), ("2", "")]);
    assert_eq!(handle(&mut rig, &[]), ["k1", "1", "l1", "2"]);
    assert_eq!(rig.queue.held_back(), 1);
    assert_eq!(handle(&mut rig, &[]), ["k2", "l2"]);
    assert_eq!(handle(&mut rig, &[]), ["k3"]);
    assert!(rig.queue.is_idle());
}

#[test]
fn a_failing_event_blocks_its_key_until_all_of_it_is_over() {
    let mut rig = staffed();
    publish(&mut rig, &[("k1", "k"), ("k2", "k"), ("1", "")]);
    assert_eq!(handle(&mut rig, &[(0, thrown()), (1, thrown())]), ["k1", "1"]);
    assert_eq!((handed_out(&mut rig), rig.queue.blocked_keys()), (vec![], 1));
    publish(&mut rig, &[("k3", "k"), ("2", "")]);
    assert_eq!(handle(&mut rig, &[]), ["2"]);
    rig.pass(5 * SECOND);
    // Both of its listeners again; one is dead, one fails on.
    assert_eq!(handle(&mut rig, &[(0, never())]), ["k1", "k1"]);
    assert_eq!(handle(&mut rig, &[]), ["k2"]);
    assert_eq!(handle(&mut rig, &[]), ["k3"]);
    assert_eq!((rig.queue.blocked_keys(), rig.queue.held_back(), rig.dead().len()), (0, 0, 1));
}

#[test]
fn a_dead_event_frees_its_key_and_its_replay_takes_its_place_at_the_end() {
    let mut rig = staffed();
    publish(&mut rig, &[("k1", "k"), ("k2", "k")]);
    assert_eq!(handle(&mut rig, &[(0, thrown())]), ["k1"]);
    rig.pass(5 * SECOND);
    assert_eq!(handle(&mut rig, &[(0, never())]), ["k1"]);
    publish(&mut rig, &[("k3", "k")]);
    let letters = rig.letters();
    rig.queue.handle_replay(letters, rig.now, &mut rig.effects);
    rig.keep();
    assert_eq!((handle(&mut rig, &[]), handle(&mut rig, &[]), handle(&mut rig, &[])), (ids_of("k2"), ids_of("k3"), ids_of("k1")));
    assert!(rig.queue.is_idle());
}

fn ids_of(id: &str) -> Vec<String> {
    vec![id.to_owned()]
}

#[test]
fn a_queue_may_say_that_failures_do_not_block() {
    let mut rig = Rig::new();
    let settings = Settings::read(&json!({ "state_dir": "/nowhere", "queues": { "default": { "block": false } } })).unwrap();
    rig.queue = Queue::new(Rules { retry: policy(3), max_message: 1000 }).with_keys(&Lanes::new(settings.queues), []);
    rig.join(1, vec![spec("a", "x"), spec("b", "x")]);
    publish(&mut rig, &[("k1", "k"), ("k2", "k")]);
    assert_eq!(handle(&mut rig, &[(0, thrown()), (1, thrown())]), ["k1"]);
    assert_eq!(handed_out(&mut rig), ["k2"]);
    rig.pass(5 * SECOND);
    assert_eq!(handed_out(&mut rig), Vec::<String>::new(), "one at a time all the same");
    rig.report(1, 2, 1, true, Vec::new());
    assert_eq!(handle(&mut rig, &[]), ["k1"]);
    assert_eq!(handle(&mut rig, &[]), ["k1"]);
    assert!(rig.queue.is_idle());
}

#[test]
fn a_workers_death_leaves_the_key_to_its_event() {
    let mut rig = staffed();
    publish(&mut rig, &[("k1", "k"), ("k2", "k"), ("l1", "l")]);
    let chunk = rig.chunk();
    assert_eq!(ids(&chunk), ["k1", "l1"]);
    let remains = crate::queue::ChunkRemains { number: chunk.number, finished: 0, claimed: 1, marks: Vec::new() };
    let remains = crate::queue::Remains { chunks: vec![remains], listener: Some(0), end: "SIGKILL".into(), ..Default::default() };
    rig.queue.handle_death(1, Some(&remains), rig.now, &mut rig.effects);
    rig.keep();
    // It is tried again at once, before what has come meanwhile: of what waits for it there may be no end.
    publish(&mut rig, &[("3", ""), ("k3", "k")]);
    let holds = |waiting: &&crate::backlog::Waiting| waiting.delivery.holds_key();
    let waiting = rig.backlog.waiting(0, 99).items;
    assert!(waiting.iter().filter(holds).count() == 2 && waiting.iter().filter(holds).all(|one| one.delivery.due.is_some()));
    rig.join(2, vec![spec("a", "x"), spec("b", "x")]);
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..9 {
        for (id, chunk) in rig.chunks() {
            seen.extend(ids(&chunk).into_iter().map(str::to_owned));
            rig.report(id, chunk.number, chunk.deliveries.len() as u16, true, Vec::new());
        }
    }
    let of_key: Vec<_> = seen.iter().filter(|id| id.starts_with('k')).collect();
    assert_eq!(of_key, ["k1", "k1", "k2", "k3"], "its other listener is a delivery of its own: {seen:?}");
}

#[test]
fn what_is_given_back_keeps_its_key() {
    let mut rig = staffed();
    publish(&mut rig, &[("l1", "l"), ("k1", "k"), ("k2", "k")]);
    let chunk = rig.chunk();
    assert_eq!(ids(&chunk), ["l1", "k1"]);
    rig.report(1, chunk.number, 1, true, Vec::new());
    assert_eq!(handle(&mut rig, &[]), ["k1"]);
    assert_eq!(handle(&mut rig, &[]), ["k2"]);
}

#[test]
fn those_held_back_can_be_seen_and_cancelled() {
    let mut rig = staffed();
    publish(&mut rig, &[("k1", "k"), ("k2", "k"), ("k3", "k")]);
    let all = rig.backlog.waiting(0, 9).items;
    assert!(all.iter().all(|waiting| waiting.waits == Waits::Reserved));
    assert_eq!(rig.queue.states(&all), [State::Running, State::Pending, State::Pending]);
    assert_eq!(
        rig.queue.handle_cancel(&all[..2], rig.now, &mut rig.effects),
        Cancelled { done: 1, running: 1 },
        "the one in the middle goes"
    );
    rig.keep();
    assert_eq!(rig.queue.held_back(), 1);
    assert_eq!((handle(&mut rig, &[]), handle(&mut rig, &[])), (ids_of("k1"), ids_of("k3")));
    assert_eq!(rig.queue.held_back(), 0);
    assert_eq!(rig.backlog.counts(), crate::backlog::Counts::default());
}

#[test]
fn cancelling_what_a_key_waits_for_frees_it() {
    let mut rig = staffed();
    publish(&mut rig, &[("k1", "k"), ("k2", "k")]);
    assert_eq!(handle(&mut rig, &[(0, thrown()), (1, thrown())]), ["k1"]);
    let parked: Vec<_> = rig.backlog.waiting(0, 9).items.into_iter().filter(|one| one.waits == Waits::Parked).collect();
    assert_eq!(parked.len(), 2);
    for (place, one) in (1..).zip(parked) {
        rig.queue.handle_cancel(&[one], rig.now, &mut rig.effects);
        rig.queue.handle_tick(rig.now, &mut rig.effects);
        rig.keep();
        assert_eq!(handed_out(&mut rig).len(), place - 1, "after the last of its deliveries, and not before");
    }
}

#[test]
fn what_expires_frees_its_key() {
    let mut rig = Rig::new();
    let expires = Some(rig.now.wall.0 + SECOND);
    rig.publish_record(&Record { key: Some("k"), expires, ..named("k1", "x") });
    rig.publish_record(&Record { key: Some("k"), ..named("k2", "x") });
    rig.pass(2 * SECOND);
    rig.join(1, vec![spec("a", "x")]);
    assert_eq!(handle(&mut rig, &[]), ["k2"]);
    assert_eq!(rig.queue.counters().expired, 1);
}

#[test]
fn a_delayed_event_stands_behind_what_came_before_it_is_due() {
    let mut rig = staffed();
    rig.publish_record(&Record { key: Some("k"), delay: Some(SECOND), ..named("late", "x") });
    publish(&mut rig, &[("k1", "k"), ("k2", "k")]);
    rig.pass(2 * SECOND);
    publish(&mut rig, &[("k3", "k")]);
    let seen: Vec<_> = (0..4).flat_map(|_| handle(&mut rig, &[])).collect();
    assert_eq!(seen, ["k1", "k2", "late", "k3"]);
}

#[test]
fn the_same_key_in_another_queue_is_another() {
    let mut rig = Rig::new();
    let settings = Settings::read(&json!({ "state_dir": "/nowhere", "queues": { "mail": { "events": "x" } } })).unwrap();
    let lanes = Lanes::new(settings.queues);
    let parked = |queue: Option<&str>| {
        let mut out = Vec::new();
        Record { key: Some("k"), queue, ..named("old", "x") }.encode(&mut out);
        let rest = crate::delivery::Rest { holds_key: true, ..Default::default() };
        KeyHolder::of(&Delivery { rest: Some(std::sync::Arc::new(rest)), ..Delivery::first(out.into()) }).unwrap()
    };
    for (holder, blocked) in [(parked(None), false), (parked(Some("default")), true)] {
        let mut queue = Queue::new(Rules { retry: policy(3), max_message: 1000 }).with_keys(&lanes, [holder]);
        let reserved = crate::backlog::Reserved { token: 1, delivery: Delivery::first(keyed("new", "k")) };
        queue.handle_fetched(vec![reserved], rig.now, &mut rig.effects);
        assert_eq!(queue.held_back() > 0, blocked);
    }
}

#[test]
fn after_the_brokers_death_the_key_is_still_its_events() {
    let mut rig = staffed();
    publish(&mut rig, &[("k1", "k"), ("k2", "k"), ("l1", "l"), ("l2", "l"), ("k3", "k")]);
    // `k1` is to be tried again, `l1` is in a worker's hand.
    let chunk = rig.chunk();
    rig.report(1, chunk.number, 1, false, vec![failed(0, 0, thrown()), failed(0, 1, thrown())]);
    rig.backlog.reopen();
    let kept = rig.backlog.waiting(0, 99).items;
    let holders: Vec<_> = kept.iter().filter_map(|waiting| KeyHolder::of(&waiting.delivery)).collect();
    assert_eq!(holders.len(), 2);
    rig.queue = Queue::new(Rules { retry: policy(3), max_message: 1000 }).with_keys(&Lanes::default(), holders);
    let claimed = &chunk.deliveries[1];
    for _ in 0..2 {
        let delivery = rig.backlog.adopt(claimed).unwrap();
        rig.queue.hold(crate::backlog::Reserved { delivery, ..claimed.clone() });
    }
    rig.hurry(8);
    rig.join(2, vec![spec("a", "x"), spec("b", "x")]);
    assert_eq!((handed_out(&mut rig), rig.queue.held_back()), (vec![], 3));
    rig.queue.handle_untold(vec![claimed.clone()], Vec::new(), rig.now, &mut rig.effects);
    rig.queue.handle_tick(rig.now, &mut rig.effects);
    rig.keep();
    let chunk = rig.chunk();
    assert_eq!(ids(&chunk), ["l2"]);
    rig.report(2, chunk.number, 1, true, Vec::new());
    rig.pass(5 * SECOND);
    for expected in [vec!["k1", "k1"], vec!["k2"], vec!["k3"]] {
        let chunks = rig.chunks();
        assert_eq!(chunks.iter().flat_map(|(_, chunk)| ids(chunk)).collect::<Vec<_>>(), expected);
        for (id, chunk) in &chunks {
            rig.report(*id, chunk.number, chunk.deliveries.len() as u16, true, Vec::new());
        }
    }
}

#[test]
fn beyond_so_many_blocked_keys_a_failure_blocks_no_more() {
    let mut rig = Rig::new();
    rig.hurry(64);
    rig.join(1, vec![spec("a", "x")]);
    for number in 0..=MAX_BLOCKED {
        let first = rig.next;
        rig.next += 2;
        let records = [keyed(&format!("{number}a"), &number.to_string()), keyed(&format!("{number}b"), &number.to_string())];
        rig.publish_batch(batch(first, records));
        let chunk = rig.chunk();
        rig.report(1, chunk.number, 1, true, vec![failed(0, 0, thrown())]);
    }
    assert_eq!((rig.queue.blocked_keys(), rig.queue.counters().unblocked), (MAX_BLOCKED, 1));
    assert_eq!(handed_out(&mut rig), [format!("{MAX_BLOCKED}b")]);
}

#[test]
fn where_too_much_waits_for_a_failed_event_its_key_is_let_go() {
    let mut rig = Rig::new();
    rig.hurry(64);
    rig.join(1, vec![spec("a", "x")]);
    publish(&mut rig, &[("first", "k")]);
    let chunk = rig.chunk();
    rig.report(1, chunk.number, 1, true, vec![failed(0, 0, thrown())]);
    let records: Vec<_> = (0..MAX_HELD_BACK).map(|number| keyed(&number.to_string(), "k")).collect();
    rig.queue.handle_publish(&Bytes::from_static(b"c"), batch(10, records), rig.now, &mut rig.effects);
    rig.keep();
    assert_eq!(rig.queue.counters().unblocked, 1);
    assert!(rig.queue.held_back() <= MAX_HELD_BACK / 2 + 64 * 4, "{} are held back", rig.queue.held_back());
    assert!(rig.backlog.counts().pending >= MAX_HELD_BACK as u64 / 2 - 64 * 4, "the rest waits in the backlog");
    assert_eq!(handed_out(&mut rig), ["0"]);
    // The failed event takes its place as any other does, once it is fetched.
    rig.pass(5 * SECOND);
    let (mut number, mut seen) = (2, Vec::new());
    while !rig.queue.is_idle() {
        rig.report(1, number, 1, true, Vec::new());
        number += 1;
        seen.extend(handed_out(&mut rig));
        rig.said.clear();
    }
    assert_eq!(seen.iter().filter(|id| *id == "first").count(), 1);
    let others: Vec<usize> = seen.iter().filter(|id| *id != "first").map(|id| id.parse().unwrap()).collect();
    assert!(others.is_sorted() && others.len() == MAX_HELD_BACK - 1);
}

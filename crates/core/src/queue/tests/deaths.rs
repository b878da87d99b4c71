//! Tests of what a dead worker's slot is taken to say.

use super::*;
use crate::queue::{ChunkRemains, ListenerMark, Remains};

const fn mark(delivery: u16, listener: ListenerIndex, failed: bool) -> ListenerMark {
    ListenerMark { delivery, listener, failed }
}

fn remains(chunks: Vec<ChunkRemains>, listener: Option<ListenerIndex>) -> Remains {
    Remains { incarnation: 1, chunks, listener, last_words: None, end: "SIGKILL".into() }
}

fn five() -> Vec<ListenerSpec> {
    (0..5).map(|number| spec(&format!("l{number}"), "x")).collect()
}

/// One event that a worker with five listeners has.
fn under_way() -> Rig {
    let mut rig = Rig::new();
    rig.join(1, five());
    rig.publish("x", 1);
    rig.chunk();
    rig
}

fn die(rig: &mut Rig, remains: &Remains) {
    rig.queue.handle_death(1, Some(remains), rig.now, &mut rig.effects);
    rig.keep();
    assert_eq!(rig.said.pop(), Some(Reply::Buried(1)), "said last, when all is settled");
}

#[test]
fn the_listener_that_a_worker_dies_in_is_blamed_alone() {
    for died_in in 0..5 {
        let mut rig = under_way();
        // The first failed before, where it is not the one.
        let marks = (0..died_in).map(|listener| mark(0, listener, listener == 0)).collect();
        die(&mut rig, &remains(vec![ChunkRemains { number: 1, finished: 0, claimed: 1, marks }], Some(died_in)));
        let mut waiting: Vec<_> =
            rig.waiting().iter().map(|next| (only(next).join(" "), next.attempt, next.due.is_some())).collect();
        waiting.sort();
        let mut expected = vec![(format!("l{died_in}"), 2, false)];
        let behind: Vec<_> = (died_in + 1..5).map(|listener| format!("l{listener}")).collect();
        expected.extend((!behind.is_empty()).then(|| (behind.join(" "), 1, false)));
        expected.extend((died_in > 0).then(|| ("l0".to_owned(), 2, true)));
        expected.sort();
        assert_eq!(waiting, expected, "died in {died_in}");
        let counters = rig.queue.counters();
        assert_eq!((counters.deaths, counters.retried), (1, 1 + u64::from(died_in > 0)), "uncounted ones are no retries");
    }
}

#[test]
fn a_second_death_waits_and_the_last_is_the_listeners_own() {
    let mut rig = Rig::new();
    rig.join(1, vec![spec("l0", "x")]);
    rig.publish("x", 1);
    rig.chunks();
    let words = Failure::new(FailureKind::Ended, "exit", "exit(3)");
    for (id, chunk, attempt) in [(1, 1, 1), (2, 1, 2), (3, 1, 3)] {
        let slot = remains(vec![ChunkRemains { number: chunk, finished: 0, claimed: 1, marks: Vec::new() }], Some(0));
        let slot = Remains { last_words: Some(words.clone()), ..slot };
        rig.queue.handle_death(id, Some(&slot), rig.now, &mut rig.effects);
        rig.keep();
        assert_eq!(rig.backlog.counts().parked, u64::from(attempt == 2), "at once the first time, later the second");
        rig.pass(3600 * SECOND);
        rig.join(id + 1, vec![spec("l0", "x")]);
        rig.chunks();
    }
    let dead = rig.dead();
    assert_eq!((only(&dead[0].delivery), dead[0].delivery.attempt, dead[0].reason()), (vec!["l0"], 3, Some(&words)));
}

#[test]
fn a_kill_for_its_time_is_the_listeners_own_from_the_first() {
    let mut rig = under_way();
    let words = Failure::new(FailureKind::TimedOut, "timeout", "too long");
    let slot = remains(vec![ChunkRemains { number: 1, finished: 0, claimed: 1, marks: vec![mark(0, 0, false)] }], Some(1));
    die(&mut rig, &Remains { last_words: Some(words.clone()), ..slot });
    let waiting = rig.waiting();
    let again = waiting.iter().find(|next| only(next) == ["l1"]).unwrap();
    assert_eq!((again.attempt, again.due.is_some()), (2, true), "later, not at once as after other deaths");
    assert_eq!(again.history().last().map(|spent| &spent.failure), Some(&words));
    let behind = waiting.iter().find(|next| only(next) == ["l2", "l3", "l4"]).unwrap();
    assert_eq!((behind.attempt, behind.due.is_some()), (1, false));
}

#[test]
fn finished_mates_are_done_and_unclaimed_ones_go_out_first() {
    let mut rig = Rig::new();
    rig.hurry(64);
    rig.join(1, five());
    rig.publish("x", 40);
    assert_eq!(rig.chunk().deliveries.len(), 40);
    rig.publish("x", 1);
    // The report of the first ten came; of the others the marks tell.
    rig.report(1, 1, 10, false, Vec::new());
    let marks = vec![mark(20, 2, true), mark(31, 0, false), mark(31, 1, false)];
    die(&mut rig, &remains(vec![ChunkRemains { number: 1, finished: 31, claimed: 32, marks }], Some(2)));
    assert_eq!(rig.queue.counters().done, 30, "and one of them failed in part");
    rig.said.clear();
    rig.join(2, five());
    let next: Vec<_> =
        rig.chunks().into_iter().flat_map(|(_, chunk)| chunk.deliveries).map(|reserved| reserved.delivery).collect();
    let unclaimed: Vec<_> = (32..40).map(|number| number.to_string()).collect();
    assert_eq!(next[..8].iter().map(id).collect::<Vec<_>>(), unclaimed);
    assert!(next[..8].iter().all(|delivery| delivery.attempt == 1 && delivery.rest.is_none()));
    let split: Vec<_> = next[8..].iter().map(|delivery| (id(delivery), only(delivery).join(" "), delivery.attempt)).collect();
    let expected = [("40", "", 1), ("31", "l2", 2), ("31", "l3 l4", 1)].map(|(id, only, attempt)| (id, only.to_owned(), attempt));
    assert_eq!(split, expected);
    let later: Vec<_> = rig.waiting().iter().map(|delivery| (id(delivery).to_owned(), only(delivery).join(" "))).collect();
    assert_eq!(later, [("20".to_owned(), "l2".to_owned())], "a failure whose report is lost");
}

#[test]
fn a_failure_that_is_marked_twice_is_one() {
    let mut rig = under_way();
    let marks = vec![mark(0, 1, true), mark(0, 1, true), mark(0, 0, false)];
    die(&mut rig, &remains(vec![ChunkRemains { number: 1, finished: 1, claimed: 1, marks }], None));
    assert_eq!(rig.waiting().len(), 1);
}

#[test]
fn a_death_in_no_listener_costs_no_attempt_at_first() {
    let mut rig = under_way();
    let between = |claimed| remains(vec![ChunkRemains { number: 1, finished: 0, claimed, marks: Vec::new() }], None);
    for (worker, recoveries) in (1..=3).zip(1..) {
        rig.queue.handle_death(worker, Some(&between(1)), rig.now, &mut rig.effects);
        rig.keep();
        rig.join(worker + 1, five());
        let again = rig.chunk().deliveries.remove(0).delivery;
        assert_eq!((again.attempt, again.recoveries, again.only()), (1, recoveries, None), "as it was");
    }
    rig.queue.handle_death(4, Some(&between(1)), rig.now, &mut rig.effects);
    rig.keep();
    let waiting = rig.waiting();
    assert_eq!(waiting.len(), 5, "each by itself");
    assert!(waiting.iter().all(|delivery| (delivery.attempt, delivery.recoveries) == (2, 0)));
}

#[test]
fn what_was_behind_the_marked_ones_goes_on_without_them() {
    let mut rig = under_way();
    let marks = vec![mark(0, 0, false), mark(0, 1, false)];
    die(&mut rig, &remains(vec![ChunkRemains { number: 1, finished: 0, claimed: 1, marks }], None));
    let waiting = rig.waiting();
    assert_eq!((waiting.len(), only(&waiting[0]), waiting[0].attempt), (1, vec!["l2", "l3", "l4"], 1));
}

#[test]
fn all_marked_is_done_though_not_finished() {
    let mut rig = under_way();
    let marks = (0..5).map(|listener| mark(0, listener, false)).collect();
    die(&mut rig, &remains(vec![ChunkRemains { number: 1, finished: 0, claimed: 1, marks }], Some(4)));
    assert_eq!((rig.waiting().len(), rig.queue.counters().done), (0, 1));
}

#[test]
fn an_event_that_nobody_takes_stays_one() {
    let mut rig = Rig::new();
    rig.join(1, vec![spec("all", "*")]);
    rig.publish("x", 1);
    rig.chunk();
    let marks = vec![mark(0, crate::frame::WHOLE_DELIVERY, true)];
    die(&mut rig, &remains(vec![ChunkRemains { number: 1, finished: 0, claimed: 1, marks }], None));
    let waiting = rig.waiting();
    assert_eq!((waiting.len(), waiting[0].only()), (1, None), "not one for the listeners of all events beside it");
}

#[test]
fn a_slot_that_says_nothing_of_a_chunk_had_claimed_nothing_of_it() {
    let mut rig = under_way();
    die(&mut rig, &remains(Vec::new(), Some(3)));
    rig.join(2, five());
    let again = rig.chunk().deliveries.remove(0).delivery;
    assert_eq!((again.attempt, again.recoveries), (1, 0));
}

#[test]
fn where_the_slot_is_lost_recoveries_are_limited_and_each_goes_alone() {
    let mut rig = Rig::new();
    rig.hurry(8);
    let mut worker = 1;
    rig.join(worker, five());
    rig.publish("x", 3);
    assert_eq!(rig.chunk().deliveries.len(), 3);
    // The first of the three kills every worker; the others must not die of it.
    let mut lost = 0;
    for _ in 0..20 {
        rig.queue.handle_death(worker, None, rig.now, &mut rig.effects);
        lost += 1;
        worker += 1;
        rig.keep();
        rig.join(worker, five());
        loop {
            let Some((_, chunk)) = rig.chunks().pop() else { break };
            assert_eq!(chunk.deliveries.len(), 1, "alone");
            if ids(&chunk) == ["0"] {
                break;
            }
            rig.report(worker, chunk.number, 1, true, Vec::new());
        }
        if !rig.dead().is_empty() {
            break;
        }
    }
    let dead = rig.dead();
    assert_eq!((lost, dead.len(), id(&dead[0].delivery), dead[0].delivery.attempt), (4, 1, "0", 1));
    assert_eq!((rig.queue.counters().done, rig.backlog.counts().pending), (2, 0));
}

#[test]
fn the_death_of_a_stranger_frees_its_slot() {
    let mut rig = Rig::new();
    die(&mut rig, &remains(Vec::new(), None));
    assert_eq!(rig.queue.counters().deaths, 0);
}

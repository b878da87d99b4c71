//! Tests of a new broker that meets workers of the one before.

use super::*;
use crate::frame::{BrokerFrame, Chunk, ChunkDelivery, Held};

fn held(ids: &[&str], finished: u16, claimed: u16, failures: Vec<FailedListener>) -> Held {
    let delivery = |(number, id): (usize, &&str)| ChunkDelivery {
        token: 100 + number as u64,
        attempt: 1,
        only: None,
        record: if id.is_empty() { Bytes::from_static(b"nonsense") } else { record(id, "x") },
    };
    let deliveries = ids.iter().enumerate().map(delivery).collect();
    let mut frame = Vec::new();
    BrokerFrame::Chunk(Chunk { epoch: 1, number: 7, settled: 0, deliveries }).encode(&mut frame);
    Held { frame: frame.into(), finished, claimed, limit: ids.len() as u16, failures }
}

fn introduce(rig: &mut Rig, held: Held) {
    let hello = Hello { last_chunk: 7, listeners: vec![spec("l", "x"), spec("m", "x")], ..Hello::default() };
    rig.ready(1, Ready { hello, held: vec![held] });
}

fn recovering(running: &[&str]) -> Rig {
    let mut rig = Rig::new();
    rig.queue = rig.queue.recovering(running.iter().map(|id| (*id).to_owned()));
    rig
}

#[test]
fn outcomes_are_settled_the_running_one_is_kept_and_the_rest_goes_out() {
    let mut rig = recovering(&["c"]);
    introduce(&mut rig, held(&["a", "b", "c", "d", "e"], 2, 3, vec![failed(1, 1, thrown())]));
    let next: Vec<_> = rig.chunks().into_iter().flat_map(|(_, chunk)| chunk.deliveries).collect();
    assert_eq!(next.first().map(|reserved| id(&reserved.delivery).to_owned()), Some("d".into()));
    let counts = rig.backlog.counts();
    assert_eq!((counts.reserved, counts.parked, rig.queue.counters().done), (3, 1, 1));
    rig.report(1, 7, 3, true, Vec::new());
    assert_eq!(rig.queue.counters().done, 2);
    assert!(rig.said.contains(&Reply::Settled { worker: 1, through: 7, at_once: true }), "{:?}", rig.said);
}

#[test]
fn numbers_go_on_from_the_last_chunk() {
    let mut rig = recovering(&[]);
    introduce(&mut rig, held(&["a"], 1, 1, Vec::new()));
    rig.publish("x", 1);
    assert_eq!(rig.chunk().number, 8);
}

#[test]
fn a_record_that_is_none_shifts_no_other() {
    let mut rig = recovering(&[]);
    introduce(&mut rig, held(&["", "b", "c"], 3, 3, vec![failed(1, 0, thrown())]));
    let waiting = rig.waiting();
    assert_eq!((waiting.len(), id(&waiting[0]), only(&waiting[0])), (1, "b", vec!["l"]));
}

#[test]
fn what_a_client_sends_again_and_a_worker_has_is_one_event() {
    // The worker tells first.
    let mut rig = recovering(&[]);
    introduce(&mut rig, held(&["a", "b"], 0, 0, Vec::new()));
    rig.publish_batch(batch(1, [record("a", "x"), record("b", "x"), record("c", "x")]));
    rig.queue.recovered();
    // And after all have told.
    rig.publish_batch(Publish { session: [8; 16], ..batch(1, [record("a", "x")]) });
    assert_eq!((rig.queue.counters().accepted, rig.queue.counters().duplicates), (1, 3));
    assert_eq!(rig.backlog.counts().reserved + rig.backlog.counts().pending, 3);

    // The client sends first.
    let mut rig = recovering(&[]);
    rig.publish_batch(batch(1, [record("a", "x")]));
    introduce(&mut rig, held(&["a", "b"], 0, 0, Vec::new()));
    assert_eq!((rig.queue.counters().accepted, rig.queue.counters().duplicates), (1, 1));
    assert_eq!(rig.backlog.counts().reserved + rig.backlog.counts().pending, 2);
}

#[test]
fn an_outcome_of_what_came_again_is_not_settled_twice() {
    let mut rig = recovering(&[]);
    rig.publish_batch(batch(1, [record("a", "x")]));
    introduce(&mut rig, held(&["a"], 1, 1, vec![failed(0, 0, thrown())]));
    assert_eq!((rig.backlog.counts().parked, rig.queue.counters().retried), (0, 0), "the copy runs all of its listeners");
}

#[test]
fn an_event_of_a_known_id_that_is_no_copy_is_taken_in() {
    let mut rig = recovering(&[]);
    introduce(&mut rig, held(&["a"], 0, 1, Vec::new()));
    let mut other = Vec::new();
    Record { id: "a", name: "x", triggered_at: 5, params: b"{}", ..Record::default() }.encode(&mut other);
    rig.publish_batch(batch(1, [other.into()]));
    assert_eq!(rig.queue.counters().accepted, 1);
}

#[test]
fn a_copy_of_what_runs_is_the_last_resort() {
    let mut rig = recovering(&["a", "b"]);
    rig.publish_batch(batch(1, [record("a", "x"), record("b", "x")]));
    assert_eq!(rig.backlog.counts().pending, 0);
    // One worker tells that it runs it; the other dies before it can.
    introduce(&mut rig, held(&["a"], 0, 1, Vec::new()));
    rig.queue.handle_death(2, None, rig.now, &mut rig.effects);
    rig.queue.recovered();
    assert_eq!(rig.queue.poll_timeout(rig.now), Some(0));
    rig.pass(0);
    assert_eq!(ids(&rig.chunk()), ["b"]);
    assert_eq!(rig.queue.counters().accepted, 1);
}

#[test]
fn a_copy_of_what_ran_and_is_finished_when_its_worker_tells_is_one_too_many() {
    let mut rig = recovering(&["a"]);
    rig.publish_batch(batch(1, [record("a", "x")]));
    // Workers introduce themselves between deliveries: what they were seen to run is finished then.
    introduce(&mut rig, held(&["a"], 1, 1, Vec::new()));
    rig.queue.recovered();
    assert_eq!(rig.queue.poll_timeout(rig.now), None);
    rig.pass(0);
    assert!(rig.chunks().is_empty());
    assert_eq!((rig.queue.counters().accepted, rig.queue.counters().done), (0, 1));
}

#[test]
fn what_two_workers_have_from_two_brokers_is_one_event() {
    // One was seen to run it: what the other has not claimed waits for the word of the first.
    let mut rig = recovering(&["a"]);
    introduce(&mut rig, held(&["a"], 0, 0, Vec::new()));
    assert!(rig.chunks().is_empty());
    rig.ready(
        2,
        Ready {
            hello: Hello { listeners: vec![spec("l", "x")], ..Hello::default() },
            held: vec![held(&["a"], 1, 1, Vec::new())],
        },
    );
    rig.queue.recovered();
    rig.pass(0);
    assert!(rig.chunks().is_empty());
    assert_eq!((rig.queue.counters().accepted, rig.queue.counters().done), (0, 1));

    // It died instead.
    let mut rig = recovering(&["a"]);
    introduce(&mut rig, held(&["a"], 0, 0, Vec::new()));
    rig.queue.recovered();
    rig.pass(0);
    assert_eq!(ids(&rig.chunk()), ["a"]);

    // Both have it unclaimed.
    let mut rig = recovering(&[]);
    introduce(&mut rig, held(&["a"], 0, 0, Vec::new()));
    introduce(&mut rig, held(&["a"], 0, 0, Vec::new()));
    assert_eq!(rig.chunks().len(), 1);
}

#[test]
fn only_events_from_before_are_watched_for() {
    let mut rig = recovering(&[]);
    let fresh = |number: u64| {
        let mut out = Vec::new();
        let triggered_at = 1_000_000_000 + 61 * SECOND;
        Record { id: "same", name: "x", triggered_at, params: b"{}", ..Record::default() }.encode(&mut out);
        batch(number, [Bytes::from(out)])
    };
    rig.publish_batch(fresh(1));
    rig.publish_batch(fresh(2));
    assert_eq!(rig.queue.counters().accepted, 2, "an id alone makes no copy");
}

#[test]
fn a_backlog_that_survived_has_the_rest_itself() {
    let mut rig = Rig::new();
    introduce(&mut rig, held(&["a", "b", "c"], 1, 2, Vec::new()));
    assert!(rig.chunks().is_empty());
    assert_eq!(rig.backlog.counts().reserved, 1, "the running one");
}

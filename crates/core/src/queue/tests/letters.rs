//! Tests of dead letters: replayed, discarded, swept, announced.

use super::*;
use crate::backlog::{Counts, Replacement, Settlement};
use crate::queue::{DEAD_EVENT, Limits};

fn fatal() -> Failure {
    Failure::new(FailureKind::Unrecoverable, "E", "never")
}

/// As many dead letters, of the listener `a`.
fn with_letters(limits: Limits, count: usize) -> Rig {
    let mut rig = Rig::new();
    rig.queue = Queue::new(Rules { retry: policy(3), max_message: 1000 }).with_limits(limits);
    rig.join(1, vec![spec("a", "x"), spec("b", "x")]);
    for number in 0..count {
        rig.publish("x", 1);
        rig.report(1, number as u32 + 1, 1, true, vec![failed(0, 0, fatal())]);
    }
    rig.said.clear();
    rig
}

/// What a shell does when the time has come.
fn sweep(rig: &mut Rig) -> usize {
    let counts = rig.backlog.counts();
    if rig.queue.sweep_in(&counts, rig.now) != Some(0) {
        return 0;
    }
    let page = rig.backlog.dead(0, crate::queue::SWEEP_PAGE);
    let swept = rig.queue.handle_sweep(&page, &counts, rig.now, &mut rig.effects);
    rig.keep();
    swept
}

#[test]
fn a_replay_is_a_fresh_attempt_for_the_same_listener_and_its_history_stays() {
    let mut rig = with_letters(Limits::default(), 1);
    let letters = rig.letters();
    rig.queue.handle_replay(letters.clone(), rig.now, &mut rig.effects);
    // Asked for twice at once: it is one.
    rig.queue.handle_replay(letters, rig.now, &mut rig.effects);
    rig.keep();
    let chunk = rig.chunk();
    let delivery = &chunk.deliveries[0].delivery;
    assert_eq!((chunk.deliveries.len(), only(delivery), delivery.attempt), (1, vec!["a"], 1));
    assert_eq!((delivery.history().len(), delivery.history()[0].replayed), (1, Some(rig.now.wall.0)));
    rig.report(1, chunk.number, 1, true, vec![failed(0, 0, fatal())]);
    let dead = rig.dead();
    let attempts: Vec<_> = dead[0].delivery.history().iter().map(|spent| (spent.attempt, spent.replayed.is_some())).collect();
    assert_eq!((dead.len(), attempts), (1, vec![(1, true), (1, false)]));
}

#[test]
fn a_replay_of_what_had_expired_goes_out() {
    let mut rig = Rig::new();
    rig.join(1, vec![spec("a", "x")]);
    rig.publish_record(&Record { expires: Some(rig.now.wall.0 + SECOND), ..named("0", "x") });
    rig.report(1, 1, 1, true, vec![failed(0, 0, fatal())]);
    rig.pass(2 * SECOND);
    rig.chunks();
    let letters = rig.letters();
    rig.queue.handle_replay(letters, rig.now, &mut rig.effects);
    rig.keep();
    assert_eq!(ids(&rig.chunk()), ["0"]);
}

#[test]
fn what_is_discarded_is_gone_and_what_is_imported_is_dead() {
    let mut rig = with_letters(Limits::default(), 2);
    let letters = rig.letters();
    rig.queue.handle_discard([letters[0].0], &mut rig.effects);
    rig.queue.handle_import(letters[1].1.delivery.clone(), rig.now, &mut rig.effects);
    rig.keep();
    assert_eq!(rig.dead().iter().map(|letter| id(&letter.delivery)).collect::<Vec<_>>(), ["1", "1"]);
    let counters = rig.queue.counters();
    assert_eq!((counters.discarded, counters.imported, counters.dead), (1, 1, 2));
    assert!(rig.chunks().is_empty());
}

#[test]
fn letters_beyond_the_most_go_the_oldest_first() {
    let mut rig = with_letters(Limits { dead: 2, ..Limits::default() }, 5);
    assert_eq!(sweep(&mut rig), 3);
    assert_eq!(rig.dead().iter().map(|letter| id(&letter.delivery)).collect::<Vec<_>>(), ["3", "4"]);
    assert_eq!((sweep(&mut rig), rig.queue.counters().swept), (0, 3));
}

#[test]
fn letters_go_when_they_are_too_old_and_not_before() {
    let keep = 3 * SECOND;
    let mut rig = with_letters(Limits { dead_keep: Some(keep), ..Limits::default() }, 1);
    rig.pass(SECOND);
    rig.publish("x", 1);
    rig.report(1, 2, 1, true, vec![failed(0, 0, fatal())]);
    assert_eq!(sweep(&mut rig), 0);
    assert_eq!(rig.queue.sweep_in(&rig.backlog.counts(), rig.now), Some(2 * SECOND), "when the first is too old");
    rig.pass(2 * SECOND);
    assert_eq!((sweep(&mut rig), rig.dead().len()), (1, 1));
    rig.pass(SECOND);
    assert_eq!((sweep(&mut rig), rig.dead().len()), (1, 0));
    assert_eq!(rig.queue.sweep_in(&rig.backlog.counts(), rig.now), None, "nothing to wake up for");
}

#[test]
fn a_death_is_announced_to_who_listens_for_it_alone() {
    for (event, heard) in [(DEAD_EVENT, true), ("*", false)] {
        let mut rig = Rig::new();
        rig.join(1, vec![spec("a", "x"), spec("herald", event)]);
        let record = Record { headers: crate::record::Headers::Pairs(&[("traceparent".into(), "00".into())]), ..named("0", "x") };
        rig.publish_record(&record);
        rig.report(1, 1, 1, true, vec![failed(0, 0, fatal())]);
        let announced: Vec<_> = rig
            .chunks()
            .into_iter()
            .flat_map(|(_, chunk)| chunk.deliveries)
            .filter(|reserved| id(&reserved.delivery) != "0")
            .collect();
        assert_eq!(announced.len(), usize::from(heard), "{event}");
        let Some(announced) = announced.first() else { continue };
        let record = Record::decode(&announced.delivery.record).unwrap();
        assert_eq!((record.name, record.headers.iter().next()), (DEAD_EVENT, Some(("traceparent", "00"))));
        let params: serde_json::Value = serde_json::from_slice(record.params).unwrap();
        let expected = serde_json::json!({
            "event": "x", "id": "0", "listener": "a", "kind": "unrecoverable", "error": "E: never", "attempts": 1, "at": rig.now.wall.0,
        });
        assert_eq!(params, expected);
    }
}

#[test]
fn an_announcement_is_kept_with_its_death_tried_once_and_not_announced() {
    let mut rig = Rig::new();
    rig.join(1, vec![spec("a", "x"), spec("herald", DEAD_EVENT)]);
    rig.publish("x", 1);
    let report = Report { chunk: 1, finished: 1, closed: true, micros: 1, failures: vec![failed(0, 0, fatal())] };
    rig.queue.handle_report(1, &report, rig.now, &mut rig.effects);
    let Settlement::Replace(replacements) = &rig.effects.settle[0].1 else { panic!() };
    assert!(matches!(&replacements[..], [Replacement::Dead(_), Replacement::Delivery(_)]), "one settlement has both");
    rig.keep();
    rig.report(1, 2, 1, true, vec![failed(0, 1, thrown())]);
    let dead: Vec<_> = rig.dead().iter().map(|letter| Record::decode(&letter.delivery.record).unwrap().name.to_owned()).collect();
    assert_eq!(dead, ["x", DEAD_EVENT]);
    assert_eq!(rig.backlog.counts(), Counts { dead: 2, ..Counts::default() }, "no retry, no announcement of the announcement");
}

#[test]
fn a_death_by_a_workers_death_is_announced() {
    let mut rig = Rig::new();
    let once = |id, event| ListenerSpec { retry: Some(policy(1)), ..spec(id, event) };
    rig.join(1, vec![once("a", "x"), spec("herald", DEAD_EVENT)]);
    rig.publish("x", 1);
    let chunks = vec![crate::queue::ChunkRemains { number: 1, finished: 0, claimed: 1, marks: Vec::new() }];
    let remains = crate::queue::Remains { chunks, listener: Some(0), end: "SIGKILL".into(), ..Default::default() };
    rig.queue.handle_death(1, Some(&remains), rig.now, &mut rig.effects);
    rig.keep();
    let names: Vec<_> = rig.waiting().iter().map(|delivery| Record::decode(&delivery.record).unwrap().name.to_owned()).collect();
    assert_eq!((names, rig.dead().len()), (vec![DEAD_EVENT.to_owned()], 1));
}

//! Order by key, over the wire, with listeners that fail, whatever dies.

use crate::support::{Daemon, Lab, Publisher, event, until, until_true};
use proletarier_core::record::Record;
use std::collections::BTreeMap;

const KEYS: usize = 100;
const EVENTS: usize = 100;

/// Of what one event in so many does in its first attempt, and all of it in the second.
const FAILS: usize = 9;

/// Events of each key in turn; some fail, in a way that looks random and is always the same.
fn publish(lab: &Lab, keys: usize, events: usize, name: &str, (fails, sleep): (&str, f64)) {
    let mut publisher = Publisher::new(lab);
    for number in 0..events {
        let ids: Vec<_> = (0..keys).map(|key| (format!("{key}-{number}"), format!("key {key}"))).collect();
        let failing = format!("{{\"throw\":\"{fails}\",\"sleep\":{sleep}}}");
        let well = format!("{{\"sleep\":{sleep}}}");
        let params =
            |key: usize| if (key * 31 + number * 17).is_multiple_of(FAILS) { failing.as_bytes() } else { well.as_bytes() };
        let records: Vec<_> = (0..)
            .zip(&ids)
            .map(|(place, (id, key))| Record { key: Some(key), params: params(place), ..event(id, name) })
            .collect();
        let confirmation = publisher.publish(&records);
        assert!(confirmation.exceptions.is_empty(), "{confirmation:?}");
    }
}

/// Of each key the events' numbers in the order in which this listener succeeded, and the time between.
#[track_caller]
fn assert_in_order(lab: &Lab, keys: usize, events: usize, listeners: &[&str]) {
    let mut by_key: BTreeMap<String, Vec<(u64, u64, usize, String)>> = BTreeMap::new();
    for run in lab.handled() {
        let (key, number) = run.event.split_once('-').unwrap();
        by_key.entry(key.to_owned()).or_default().push((run.started, run.ended, number.parse().unwrap(), run.listener));
    }
    assert_eq!(by_key.len(), keys);
    for (key, mut runs) in by_key {
        runs.sort_unstable();
        assert_eq!(runs.len(), events * listeners.len(), "of key {key}");
        assert!(runs.is_sorted_by_key(|(_, _, number, _)| *number), "of key {key}: {runs:?}");
        for pair in runs.windows(2) {
            let [(_, ended, number, _), (started, _, next, _)] = pair else { unreachable!() };
            assert!(number == next || ended <= started, "two of key {key} at once: {pair:?}");
        }
    }
}

#[test]
fn a_hundred_keys_keep_their_order_while_events_fail() {
    let lab = Lab::new().set("worker.pool_size", 4);
    let _daemon = lab.daemon();
    publish(&lab, KEYS, EVENTS, "one", ("one", 0.0));
    lab.wait_idle();
    assert_in_order(&lab, KEYS, EVENTS, &["all", "one"]);
    let status = lab.status();
    let failing = (0..KEYS).flat_map(|key| (0..EVENTS).map(move |number| key * 31 + number * 17)).filter(|n| n % FAILS == 0);
    assert_eq!(status["counters"]["retried"].as_u64(), Some(failing.count() as u64), "{status}");
    assert_eq!(status["backlog"]["dead"], 0);
}

fn kill_broker(daemon: &Daemon) {
    let broker = daemon.process("broker");
    broker.kill();
    until_true("the broker is replaced", || {
        daemon.processes().iter().any(|other| other.title == "broker" && other.pid != broker.pid)
    });
}

#[test]
fn brokers_that_are_killed_do_not_disturb_the_order() {
    let lab = Lab::strict().set("worker.pool_size", 4);
    let daemon = lab.daemon();
    // Slow enough that there is something left to disturb.
    publish(&lab, 20, 60, "one", ("one", 0.0));
    for part in 1..=3 {
        lab.wait_handled(2 * 20 * 60 * part / 5);
        kill_broker(&daemon);
    }
    until("an answer from the broker", || lab.ask(&serde_json::json!({ "command": "status" })));
    lab.wait_idle();
    assert_in_order(&lab, 20, 60, &["all", "one"]);
    lab.assert_never_doubled();
}

#[test]
fn parallel_listeners_run_beside_one_another_and_hold_the_key_together() {
    let lab = Lab::new().set("worker.pool_size", 4);
    std::fs::write(lab.path("parallel"), "").unwrap();
    let _daemon = lab.daemon();
    publish(&lab, 5, 10, "five", ("c", 0.005));
    lab.wait_idle();
    assert_in_order(&lab, 5, 10, &["a", "b", "c", "d", "e", "all"]);
    let runs = lab.handled();
    let beside = |one: &crate::support::Run| {
        runs.iter().any(|other| {
            other.event == one.event && other.pid != one.pid && other.started < one.ended && one.started < other.ended
        })
    };
    assert!(runs.iter().any(beside), "some ran at the same time");
}

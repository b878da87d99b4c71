//! Queues: a slow one that is capped, priorities, pauses that outlive brokers and daemons.

use crate::support::{Lab, Publisher, Run, event, until, until_true};
use proletarier_core::record::{Priority, Record};
use serde_json::{Value, json};

fn mono() -> u64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    std::time::Duration::from(time).as_micros() as u64
}

/// Runs of a listener of `one`, in the order in which they began.
fn runs(lab: &Lab, starts_with: &str) -> Vec<Run> {
    let mut runs: Vec<_> =
        lab.handled().into_iter().filter(|run| run.listener == "one" && run.event.starts_with(starts_with)).collect();
    runs.sort_by_key(|run| run.started);
    runs
}

fn queue(lab: &Lab, name: &str) -> Value {
    let status = lab.told(&json!({ "command": "status" }));
    status["queues"].as_array().unwrap().iter().find(|queue| queue["name"] == name).unwrap().clone()
}

#[test]
fn a_slow_queue_that_is_capped_leaves_workers_to_a_fast_one() {
    let lab = Lab::new()
        .set("worker.pool_size", 4)
        .set("store", "memory:")
        .set("queues", json!({ "slow": { "events": "none.such", "concurrency": 2 } }));
    let mut daemon = lab.daemon();
    let mut publisher = Publisher::new(&lab);
    let slow: Vec<_> = (0..8).map(|number| format!("slow{number}")).collect();
    let slow: Vec<_> =
        slow.iter().map(|id| Record { queue: Some("slow"), params: b"{\"sleep\":0.5}", ..event(id, "one") }).collect();
    publisher.publish(&slow);
    until_true("the slow ones run", || queue(&lab, "slow")["running"] == 2);
    let mut waits = Vec::new();
    for number in 0..50 {
        let id = format!("fast{number}");
        let sent = mono();
        publisher.publish(&[event(&id, "one")]);
        let run = until("it ran", || runs(&lab, &id).into_iter().find(|run| run.event == id));
        waits.push(run.started.saturating_sub(sent));
    }
    let longest = waits.into_iter().max().unwrap();
    assert!(longest < 200_000, "a fast event waited {longest} us");
    until_true("all are done", || queue(&lab, "slow")["flow"]["done"] == 8);
    let slow = runs(&lab, "slow");
    let at_a_time = |moment| slow.iter().filter(|run| run.started <= moment && moment < run.ended).count();
    assert!(slow.iter().all(|run| at_a_time(run.started) <= 2), "{slow:?}");
    assert_eq!(slow.len(), 8);
    daemon.stop();
}

#[test]
fn high_goes_first_and_a_pause_outlives_broker_and_daemon() {
    let lab = Lab::new().set("worker.pool_size", 1).set("store", "memory:").set("queues", json!({ "mail": { "events": "one" } }));
    let mut daemon = lab.daemon();
    let paused = lab.told(&json!({ "command": "queue_pause", "queue": "mail" }));
    assert_eq!(paused, json!({ "changed": true, "paused": ["mail"] }));
    let wrong = lab.ask(&json!({ "command": "queue_pause", "queue": "mial" })).unwrap();
    assert_eq!(wrong["error"], "there is no queue \"mial\"; did you mean mail? There are: default, mail");
    daemon.broker().kill();
    until_true("another broker", || lab.number("epoch") > 1);
    assert_eq!(queue(&lab, "mail")["paused"], true);
    daemon.stop();
    let mut daemon = lab.daemon();
    let mut publisher = Publisher::new(&lab);
    let events = [("1", Priority::Low), ("2", Priority::Normal), ("3", Priority::High), ("4", Priority::High)];
    let events: Vec<_> = events.map(|(id, priority)| Record { priority, ..event(id, "one") }).to_vec();
    publisher.publish(&events);
    publisher.publish(&[event("another", "five")]);
    until_true("what is of another queue ran", || lab.number("counters.done") == 1);
    assert_eq!(runs(&lab, "").len(), 0);
    let resumed = lab.told(&json!({ "command": "queue_resume", "queue": "mail" }));
    assert_eq!(resumed, json!({ "changed": true, "paused": [] }));
    until_true("they ran", || runs(&lab, "").len() == 4);
    let order: Vec<_> = runs(&lab, "").into_iter().map(|run| run.event).collect();
    assert_eq!(order, ["3", "4", "2", "1"]);
    daemon.stop();
}

#[test]
fn an_unknown_queue_is_told_of_and_holds_nothing_up() {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    let mut publisher = Publisher::new(&lab);
    publisher
        .publish(&[Record { queue: Some("mail"), ..event("1", "one") }, Record { queue: Some("mail"), ..event("2", "one") }]);
    until_true("they ran", || runs(&lab, "").len() == 2);
    let words = "events ask for a queue that is not configured: they go where their names send them";
    assert_eq!(daemon.logged(words).iter().map(|line| line["queue"].clone()).collect::<Vec<_>>(), ["mail"]);
    daemon.stop();
}

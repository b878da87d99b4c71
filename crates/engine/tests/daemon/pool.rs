//! Workers that are replaced, and pools that grow.

use crate::support::{Daemon, LONG, Lab, Process, trigger, until, until_true};
use proletarier_engine::client::Confirm;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

const BOTH: [&str; 2] = ["one", "all"];

/// Workers that left: pid, when, why.
fn left(lab: &Lab) -> Vec<(u32, u64, String)> {
    let text = std::fs::read_to_string(lab.path("left")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let mut next = || parts.next().unwrap().to_owned();
        (next().parse().unwrap(), next().parse().unwrap(), next())
    };
    whole.lines().map(parse).collect()
}

fn pids(daemon: &Daemon) -> HashSet<u32> {
    daemon.workers().iter().map(|worker| worker.pid).collect()
}

fn trigger_all(lab: &Lab, count: usize, params: &Value) -> Vec<String> {
    let client = lab.client();
    let ids = (0..count).map(|_| trigger(&client, Confirm::Deferred, "one", params).unwrap()).collect();
    assert_eq!(client.flush(LONG), 0);
    ids
}

/// Waits until there are so many workers, and none that leaves.
#[track_caller]
fn wait_workers(lab: &Lab, daemon: &Daemon, count: usize) {
    until_true(&format!("{count} workers"), || daemon.workers().len() == count && lab.number("workers") == count as u64);
}

#[test]
fn workers_are_replaced_by_events_and_nothing_is_lost_or_doubled() {
    let lab = Lab::strict().set("worker.max_events", 50).set("worker.pool_size", 4).set("worker.max_memory", false);
    let mut daemon = lab.daemon();
    let ids = trigger_all(&lab, 2_000, &json!({}));
    lab.wait_handled(4_000);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
    lab.assert_never_doubled();
    assert!(lab.handled().iter().all(|run| run.attempt == 1), "replacing counts no attempt");
    let left = left(&lab);
    assert!(left.len() >= 5 && left.iter().all(|(_, _, reason)| reason == "max_events"), "{left:?}");
    assert!(daemon.logged("a worker died, and is replaced").is_empty(), "{}", daemon.log_text());
    assert_eq!((lab.number("counters.deaths"), lab.number("counters.retried")), (0, 0));
    daemon.stop();
}

#[test]
fn the_replacement_is_there_before_the_old_one_leaves() {
    let lab = Lab::strict().set("worker.max_events", 20);
    let mut daemon = lab.daemon();
    wait_workers(&lab, &daemon, 2);
    let mut fewest = usize::MAX;
    let client = lab.client();
    while left(&lab).len() < 10 {
        for _ in 0..10 {
            trigger(&client, Confirm::Deferred, "one", &json!({ "sleep": 0.001 })).unwrap();
        }
        assert_eq!(client.flush(LONG), 0);
        fewest = fewest.min(daemon.workers().len());
    }
    assert_eq!(fewest, 2, "never fewer workers than the pool has");
    lab.wait_idle();
    wait_workers(&lab, &daemon, 2);
    daemon.stop();
}

#[test]
fn a_worker_that_grows_is_replaced() {
    let lab = Lab::new().set("worker.max_memory", "32M");
    let mut daemon = lab.daemon();
    let before = pids(&daemon);
    // Two listeners take it: 4 MB an event.
    let ids = trigger_all(&lab, 40, &json!({ "leak": 2 << 20, "sleep": 0.1 }));
    lab.wait_handled(80);
    until_true("one was replaced", || left(&lab).iter().any(|(_, _, reason)| reason == "max_memory"));
    let told = daemon.logged("a worker is to be replaced");
    assert!(told.iter().all(|line| line["at"].as_u64().unwrap() > 32 << 20), "{told:?}");
    lab.wait_idle();
    wait_workers(&lab, &daemon, 2);
    assert_ne!(before, pids(&daemon));
    lab.assert_handled_once(&ids, &BOTH);
    daemon.stop();
}

#[test]
fn an_idle_worker_is_replaced_at_its_age() {
    let lab = Lab::new().set("worker.max_lifetime", 1);
    let began = Instant::now();
    let mut daemon = lab.daemon();
    let before = pids(&daemon);
    until_true("both are others", || pids(&daemon).is_disjoint(&before));
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(left(&lab).iter().all(|(_, _, reason)| reason == "max_lifetime"));
    let id = lab.trigger("one", &json!({}));
    lab.wait_handled(2);
    lab.assert_handled_once([&id], &BOTH);
    daemon.stop();
}

#[test]
fn a_listener_may_ask_for_another_worker() {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    let id = lab.trigger("one", &json!({ "recycle": "the database has gone away" }));
    let run = lab.wait_handled(2)[0].clone();
    let left = until("it leaves", || left(&lab).into_iter().next());
    assert_eq!((left.0, &left.2[..]), (run.pid, "the database has gone away"));
    wait_workers(&lab, &daemon, 2);
    assert!(daemon.workers().iter().all(|worker| worker.pid != run.pid));
    lab.assert_handled_once([&id], &BOTH);
    daemon.stop();
}

#[test]
fn where_the_replacement_cannot_boot_the_old_one_works_on() {
    let lab = Lab::new().set("worker.max_events", 5);
    let mut daemon = lab.daemon();
    let before = pids(&daemon);
    std::fs::write(lab.path("fail"), "").unwrap();
    let ids = trigger_all(&lab, 100, &json!({ "sleep": 0.001 }));
    lab.wait_handled(200);
    until_true("it was tried", || daemon.logged("a worker could not boot").len() >= 3);
    assert_eq!(left(&lab), []);
    assert!(before.is_subset(&pids(&daemon)));
    assert!(daemon.logged("a worker could not boot").len() < 12, "no spinning");
    std::fs::remove_file(lab.path("fail")).unwrap();
    until_true("both are replaced", || pids(&daemon).is_disjoint(&before));
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
    daemon.stop();
}

#[test]
fn a_worker_that_is_let_go_finishes_what_it_runs() {
    let lab = Lab::strict().set("worker.grace", 0.5);
    let mut daemon = lab.daemon();
    let slow = json!({ "recycle": "asked for", "sleep": 0.0 });
    let first = lab.trigger("one", &slow);
    // Longer than the grace, which is of no concern to it.
    let ids: Vec<_> = (0..2).map(|_| lab.trigger("one", &json!({ "sleep": 0.8 }))).collect();
    lab.wait_handled(6);
    lab.assert_handled_once(ids.iter().chain([&first]), &BOTH);
    assert!(lab.handled().iter().all(|run| run.attempt == 1));
    until_true("it leaves", || left(&lab).len() == 1);
    wait_workers(&lab, &daemon, 2);
    daemon.stop();
}

#[test]
fn a_pool_grows_with_a_burst() {
    let lab = Lab::new().set("worker.pool_size", json!({ "min": 1, "max": 12 }));
    let mut daemon = lab.daemon();
    wait_workers(&lab, &daemon, 1);
    let began = Instant::now();
    // Two listeners: 20 ms an event, ten seconds of work.
    let ids = trigger_all(&lab, 500, &json!({ "sleep": 0.01 }));
    let first = until("more workers are asked for", || daemon.logged("events wait: more workers").into_iter().next());
    let reaction = began.elapsed();
    let most = until("they are there", || Some(daemon.workers().len()).filter(|count| *count >= 5));
    let there = began.elapsed();
    lab.wait_handled(1_000);
    let done = began.elapsed();
    let steps: Vec<_> = daemon.logged("events wait: more workers").iter().map(|line| line["workers"].clone()).collect();
    println!(
        "a burst of 10 s of work: asked after {reaction:?} ({}), {most} there after {there:?}, steps {steps:?}, done after {done:?}",
        first["workers"]
    );
    assert!(reaction < Duration::from_secs(2), "{reaction:?}");
    assert!(daemon.workers().len() <= 12);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
    // A new broker goes on from there.
    let before = pids(&daemon);
    daemon.broker().kill();
    until_true("the new broker knows all", || {
        lab.ask(&json!({ "command": "status" })).is_some_and(|status| status["workers"] == before.len())
    });
    assert_eq!(pids(&daemon), before);
    daemon.stop();
}

#[test]
#[ignore = "takes more than half a minute: workers have little to do for that long before one goes"]
fn too_many_workers_are_let_go() {
    let lab = Lab::new().set("worker.pool_size", json!({ "min": 1, "max": 6 }));
    let mut daemon = lab.daemon();
    trigger_all(&lab, 300, &json!({ "sleep": 0.01 }));
    lab.wait_handled(600);
    lab.wait_idle();
    let many = daemon.workers().len();
    assert!(many > 1);
    // Half a minute of calm, and one goes.
    let gone = until("one is let go", || left(&lab).into_iter().next());
    assert_eq!(gone.2, "pool_size");
    wait_workers(&lab, &daemon, many - 1);
    assert!(!daemon.workers().iter().any(|worker: &Process| worker.pid == gone.0));
    assert!(daemon.logged("a worker died, and is replaced").is_empty());
    daemon.stop();
}

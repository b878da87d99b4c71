//! Broker and workers apart, as on two machines: no memory in common.

use crate::support::{Daemon, Flooding, LONG, Lab, Proxy, free_port, until_true, within};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const BOTH: [&str; 2] = ["one", "all"];

fn apart() -> (Lab, u16) {
    let port = free_port();
    (Lab::strict().set("worker.bind", format!("tcp://127.0.0.1:{port}")), port)
}

fn broker(lab: &Lab) -> Daemon {
    let daemon = lab.start(&["broker"]);
    daemon.wait_until_ready();
    daemon
}

fn workers(lab: &Lab) -> Daemon {
    let daemon = lab.start(&["worker"]);
    daemon.wait_until_ready();
    daemon
}

fn load(lab: &Lab, count: usize) -> Vec<Flooding> {
    let flood = |confirm| lab.flood(30.0, &json!({ "confirm": confirm, "name": "one", "count": count, "pause": 0.001 }));
    vec![flood("deferred"), flood("accepted")]
}

fn finish_all(clients: &mut [Flooding]) -> BTreeSet<String> {
    clients.iter_mut().flat_map(Flooding::finish_well).collect()
}

/// Waits until each of the events was handled by both listeners.
#[track_caller]
fn wait_all<'a>(lab: &Lab, ids: impl IntoIterator<Item = &'a String> + Clone) {
    until_true("all are handled", || {
        let found = lab.successes();
        ids.clone().into_iter().all(|id| BOTH.iter().all(|listener| found.contains_key(&(id.clone(), (*listener).into()))))
    });
}

#[test]
fn events_are_handled_apart_from_the_broker() {
    let (lab, _) = apart();
    // Workers first: they wait for their broker.
    let (mut workers, mut broker) = (workers(&lab), broker(&lab));
    let titles = |daemon: &Daemon| {
        let mut titles: Vec<_> = daemon.processes().into_iter().map(|process| process.title).collect();
        titles.sort();
        titles
    };
    assert_eq!(titles(&broker), ["broker", "supervisor"]);
    until_true("two workers", || titles(&workers) == ["supervisor", "worker 1", "worker 2", "zygote"]);
    let mut clients = load(&lab, 1_000);
    let ids = finish_all(&mut clients);
    let failing = lab.trigger("one", &json!({ "throw": "one" }));
    lab.wait_handled(2 * ids.len() + 2);
    lab.wait_idle();
    lab.assert_handled_once(ids.iter().chain([&failing]), &BOTH);
    lab.assert_never_doubled();
    workers.stop();
    broker.stop();
}

#[test]
fn what_a_killed_worker_ran_is_tried_again_by_its_successors_word() {
    let (lab, _) = apart();
    let (mut broker, mut workers) = (broker(&lab), workers(&lab));
    let ids: Vec<_> = (0..6).map(|n| lab.trigger("five", &json!({ "n": n, "kill": if n == 3 { "c" } else { "" } }))).collect();
    let began = Instant::now();
    lab.wait_handled(36);
    // Long before the lease ends, which is 30 s.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    lab.wait_idle();
    lab.assert_handled_once(&ids, &["a", "b", "c", "d", "e", "all"]);
    let again: Vec<_> = lab.handled().into_iter().filter(|run| run.attempt > 1).map(|run| (run.event, run.listener)).collect();
    assert_eq!(again, [(ids[3].clone(), "c".into())]);
    workers.stop();
    broker.stop();
}

#[test]
fn workers_that_vanish_with_their_machine_are_given_up_when_their_lease_ends() {
    let (lab, _) = apart();
    let lab = lab.set("worker.pool_size", 1);
    let (mut broker, gone) = (broker(&lab), workers(&lab));
    let id = lab.trigger("one", &json!({ "sleep": 2 }));
    let waits = lab.trigger("one", &json!({}));
    until_true("it runs", || !lab.started().is_empty());
    killpg(Pid::from_raw(gone.pid() as i32), Signal::SIGKILL).unwrap();
    // Those of another machine take over.
    let other = Lab::new();
    let lab = lab.set("runtime_dir", other.path("run").to_str().unwrap());
    let mut workers = workers(&lab);
    let lease = Duration::from_secs(30);
    within(lease + LONG, "given up", || lab.successes().contains_key(&(id.clone(), "one".into())).then_some(()));
    wait_all(&lab, &[id, waits]);
    workers.stop();
    broker.stop();
}

#[test]
fn a_broker_that_starts_anew_is_met_again_and_told_of_what_is_held() {
    let (lab, _) = apart();
    let (mut broker, mut workers) = (broker(&lab), workers(&lab));
    // What runs, and what is held beside it, as far as it had arrived: what was on its way ends with a broker in memory.
    let held: Vec<_> = (0..4).map(|n| lab.trigger("one", &json!({ "n": n, "sleep": 0.3 }))).collect();
    until_true("two run", || lab.started().len() >= 2);
    let running: Vec<_> = lab.started().into_iter().map(|start| start[0].clone()).collect();
    broker.broker().kill();
    wait_all(&lab, &running);
    lab.wait_idle();
    let found = lab.successes();
    assert!(found.values().all(|count| *count == 1) && found.keys().all(|(event, _)| held.contains(event)), "{found:?}");
    // Under load, the broker takes with it only what it had in memory.
    let mut clients = load(&lab, 500);
    lab.wait_handled(100);
    broker.broker().kill();
    finish_all(&mut clients);
    lab.wait_idle();
    let found = lab.successes();
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "no worker died: {twice:?}");
    let begun: BTreeSet<_> = lab.started().into_iter().map(|start| (start[0].clone(), start[1].clone())).collect();
    assert_eq!(begun, found.into_keys().collect(), "what a worker began it has finished");
    lab.assert_never_doubled();
    let id = lab.trigger("one", &json!({}));
    wait_all(&lab, [&id]);
    workers.stop();
    broker.stop();
}

#[test]
fn connections_that_are_cut_lose_nothing() {
    let port = free_port();
    let proxy = Proxy::new(port);
    let lab = Lab::strict().set("worker.bind", format!("tcp://127.0.0.1:{port}")).set("worker.connect", proxy.endpoint());
    let (mut broker, mut workers) = (broker(&lab), workers(&lab));
    let mut clients = load(&lab, 1_000);
    for _ in 0..10 {
        let before = lab.handled().len();
        lab.wait_handled(before + 20);
        proxy.cut();
    }
    let half = proxy.cut_near();
    let ids = finish_all(&mut clients);
    wait_all(&lab, &ids);
    lab.wait_idle();
    lab.assert_never_doubled();
    let doubled = lab.successes().values().filter(|count| **count > 1).count();
    assert_eq!(doubled, 0, "the workers live: what they hold is theirs");
    drop(half);
    workers.stop();
    broker.stop();
}

#[test]
fn workers_meet_a_broker_whose_whole_daemon_started_anew() {
    let (lab, _) = apart();
    let (mut first, mut workers) = (broker(&lab), workers(&lab));
    let id = lab.trigger("one", &json!({ "n": 1 }));
    wait_all(&lab, [&id]);
    first.stop();
    let mut second = broker(&lab);
    let id = lab.trigger("one", &json!({ "n": 2 }));
    wait_all(&lab, [&id]);
    workers.stop();
    second.stop();
}

//! kill -9 of each of the daemon's processes, under load.

use crate::support::{Daemon, Flooding, LONG, Lab, trigger, until, until_true};
use nix::sys::signal::Signal;
use proletarier_engine::client::Confirm;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const BOTH: [&str; 2] = ["one", "all"];

/// Clients that trigger for as long as it takes, in deferred and in accepted mode.
fn load(lab: &Lab, count: usize, pause: f64) -> Vec<Flooding> {
    let flood = |confirm| lab.flood(30.0, &json!({ "confirm": confirm, "name": "one", "count": count, "pause": pause }));
    vec![flood("deferred"), flood("accepted")]
}

fn finish_all(clients: &mut [Flooding]) -> BTreeSet<String> {
    clients.iter_mut().flat_map(Flooding::finish_well).collect()
}

/// Waits until more was handled than is now, or nothing has been for so long that the load is over: on a busy machine a kill may take as long as all of it.
fn wait_progress(lab: &Lab) {
    const OVER: Duration = Duration::from_secs(3);
    let before = lab.handled().len();
    let (mut last, mut at) = (before, Instant::now());
    until_true("runs handled, or the load is over", || {
        let handled = lab.handled().len();
        if handled > last {
            (last, at) = (handled, Instant::now());
        }
        handled >= before + 40 || at.elapsed() > OVER
    });
}

/// Kills the process with this title, and waits until it is replaced and events are handled again.
#[track_caller]
fn kill_and_wait(lab: &Lab, daemon: &Daemon, title: &str) {
    let process = daemon.process(title);
    process.kill();
    until_true(&format!("{title} is replaced"), || {
        daemon.processes().iter().any(|other| other.title == title && other.pid != process.pid)
    });
    wait_progress(lab);
}

#[test]
fn workers_killed_under_load_cost_no_event_and_double_none() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let mut clients = load(&lab, 1_500, 0.001);
    for n in 0..8 {
        wait_progress(&lab);
        until("a worker", || daemon.workers().get(n % 2).cloned()).kill();
    }
    let ids = finish_all(&mut clients);
    lab.wait_handled(2 * ids.len());
    let status = lab.wait_idle();
    assert_eq!((ids.len(), &status["backlog"]["dead"]), (3_000, &json!(0)));
    // A kill between a listener's last write and the mark of its end leaves the run to be made again: at most one for each kill.
    let again = lab.successes().values().filter(|count| **count > 1).count();
    assert!(again <= 8, "{again} runs of 6,000 made again after 8 kills");
    let found = lab.successes();
    assert!(ids.iter().all(|id| BOTH.iter().all(|listener| found.contains_key(&(id.clone(), (*listener).into())))));
    assert_eq!(found.len(), 6_000);
    lab.assert_never_doubled();
    // One that was killed before it could introduce itself is not among them.
    assert!((1..=8).contains(&status["counters"]["deaths"].as_u64().unwrap()), "{status}");
    daemon.stop();
}

#[test]
fn a_zygote_killed_under_load_is_replaced_and_costs_no_event() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let mut clients = load(&lab, 1_500, 0.001);
    for _ in 0..3 {
        wait_progress(&lab);
        kill_and_wait(&lab, &daemon, "zygote");
    }
    let ids = finish_all(&mut clients);
    lab.wait_handled(2 * ids.len());
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
    lab.assert_never_doubled();
    assert_eq!(lab.handled().iter().filter(|run| run.attempt != 1).count(), 0, "no worker was killed: no attempt is counted");
    until_true("the old workers have left", || daemon.workers().len() == 2);
    daemon.stop();
}

/// Kills brokers under load; the ids of all events, and who has finished what.
fn kill_brokers(lab: &Lab, daemon: &Daemon) -> BTreeSet<String> {
    // So slow that workers wait for events: what is confirmed is handed out a moment later.
    let mut clients = load(lab, 400, 0.005);
    for _ in 0..3 {
        wait_progress(lab);
        until_true("nothing waits", || lab.number("backlog.pending") == 0);
        kill_and_wait(lab, daemon, "broker");
    }
    let ids = finish_all(&mut clients);
    assert_eq!(ids.len(), 800);
    lab.wait_idle();
    let found = lab.successes();
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "no worker was killed: nothing runs twice: {twice:?}");
    let begun: BTreeSet<_> = lab.started().into_iter().map(|start| (start[0].clone(), start[1].clone())).collect();
    assert_eq!(begun, found.keys().cloned().collect(), "what a worker began it has finished");
    lab.assert_never_doubled();
    assert_eq!(daemon.workers().len(), 2);
    ids
}

#[test]
fn a_broker_killed_under_load_costs_no_event() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let ids = kill_brokers(&lab, &daemon);
    lab.assert_handled_once(&ids, &BOTH);
    daemon.stop();
}

/// With its store in memory a broker takes with it what waited in it. What no client was told to be kept, and what a worker holds, is not lost;
/// and nothing is handled twice.
#[test]
fn a_broker_killed_under_load_loses_only_what_it_had_in_memory() {
    let lab = Lab::strict().set("store", "memory:");
    let mut daemon = lab.daemon();
    let ids = kill_brokers(&lab, &daemon);
    let found = lab.successes();
    let missing = ids.iter().filter(|id| !found.contains_key(&((*id).clone(), "one".into()))).count();
    // What came in during the last moments of each.
    assert!(missing <= 80, "{missing} of 800 events went with 3 brokers");
    daemon.stop();
}

#[test]
fn what_workers_hold_when_the_broker_is_killed_is_handled_once() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let ids: Vec<_> = (0..4).map(|n| lab.trigger("one", &json!({ "n": n, "sleep": 0.5 }))).collect();
    until_true("each worker runs one and holds one", || lab.number("backlog.reserved") == 4 && lab.started().len() == 2);
    daemon.broker().kill();
    lab.wait_handled(8);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
    lab.assert_never_doubled();
    assert!(lab.handled().iter().all(|run| run.attempt == 1));
    daemon.stop();
}

#[test]
fn a_running_event_whose_worker_dies_while_no_broker_is_there_is_tried_again() {
    let lab = Lab::strict();
    let daemon = lab.daemon();
    let ids: Vec<_> = (0..2).map(|n| lab.trigger("one", &json!({ "n": n, "sleep": 0.5 }))).collect();
    until_true("each worker runs one", || lab.started().len() == 2);
    // The broker that comes next meets the other worker before this one's remains.
    let worker = daemon.workers()[0].clone();
    daemon.broker().kill();
    worker.kill();
    lab.wait_handled(2);
    let status = lab.wait_idle();
    let found = lab.successes();
    assert!(found.values().all(|count| *count == 1));
    // With the store in memory nobody has the event's text any more that died with both: it is lost, or its client sends it again.
    let whole = ids.iter().filter(|id| BOTH.iter().all(|listener| found.contains_key(&((*id).clone(), (*listener).into()))));
    assert!(whole.count() >= 1, "{status}");
    let id = lab.trigger("one", &json!({}));
    until_true("events are handled", || lab.successes().contains_key(&(id.clone(), "all".into())));
    lab.assert_never_doubled();
}

#[test]
fn unconfirmed_events_are_sent_again_to_the_next_broker() {
    for connected in [true, false] {
        let lab = Lab::strict();
        let mut daemon = lab.daemon();
        let client = lab.client();
        let mut ids = Vec::new();
        if connected {
            ids.push(trigger(&client, Confirm::Accepted, "one", &json!({})).unwrap());
            lab.wait_handled(2);
        }
        let broker = daemon.broker();
        broker.signal(Signal::SIGSTOP);
        ids.extend((0..300).map(|n| trigger(&client, Confirm::Deferred, "one", &json!({ "n": n })).unwrap()));
        broker.kill();
        assert_eq!(client.flush(LONG), 0);
        lab.wait_handled(2 * ids.len());
        lab.wait_idle();
        lab.assert_handled_once(&ids, &BOTH);
        lab.assert_never_doubled();
        daemon.stop();
    }
}

#[test]
fn a_failure_that_was_settled_is_not_told_to_the_next_broker() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let id = lab.trigger("one", &json!({ "throw": "one" }));
    lab.wait_handled(2);
    lab.wait_idle();
    daemon.broker().kill();
    let next = lab.trigger("one", &json!({}));
    lab.wait_handled(4);
    lab.wait_idle();
    lab.assert_handled_once([&id, &next], &BOTH);
    assert_eq!(lab.started().len(), 5);
    daemon.stop();
}

#[test]
fn a_supervisor_killed_under_load_takes_everything_with_it_and_what_runs_is_finished() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    // No waiting for these: they are the load, and go on trying when nobody is there any more.
    let clients = load(&lab, 1_000_000, 0.001);
    let long = lab.trigger("one", &json!({ "sleep": 1.0 }));
    until_true("the long one runs", || lab.started().iter().any(|start| start[0] == long));
    wait_progress(&lab);
    daemon.process("supervisor").kill();
    daemon.wait_until_gone();
    let found = lab.successes();
    assert_eq!(found.get(&(long.clone(), "one".into())), Some(&1), "it could finish what it was at");
    assert!(found.values().all(|count| *count == 1));
    let begun: BTreeMap<_, _> = lab.started().into_iter().map(|start| ((start[0].clone(), start[1].clone()), start)).collect();
    assert_eq!(begun.len(), found.len(), "nothing was cut off: all is finished within the grace");
    lab.assert_never_doubled();
    drop(clients);
    // A successor finds the directory free, whatever the dead left in it.
    let mut next = lab.daemon();
    let id = lab.trigger("one", &json!({ "after": true }));
    until_true("handled", || lab.successes().contains_key(&(id.clone(), "all".into())));
    next.stop();
}

#[test]
fn a_supervisor_killed_while_a_listener_does_not_return_takes_it_along_after_the_grace() {
    let lab = Lab::strict().set("worker.grace", 1);
    let mut daemon = lab.daemon();
    let id = lab.trigger("one", &json!({ "sleep": 600 }));
    until_true("it runs", || !lab.started().is_empty());
    daemon.process("supervisor").kill();
    daemon.wait_until_gone();
    assert_eq!(lab.successes().get(&(id, "one".into())), None);
}

#[test]
fn supervisor_and_zygote_killed_together_leave_no_orphan() {
    let lab = Lab::strict().set("worker.grace", 1);
    let mut daemon = lab.daemon();
    lab.trigger("one", &json!({ "sleep": 600 }));
    until_true("it runs", || !lab.started().is_empty());
    let (zygote, supervisor) = (daemon.zygote(), daemon.process("supervisor"));
    zygote.kill();
    supervisor.kill();
    daemon.wait_until_gone();
}

#[test]
fn everything_killed_at_once_again_and_again_recovers() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    for title in ["broker", "zygote", "worker 1", "broker", "worker 2", "zygote", "broker"] {
        // So that something runs.
        lab.trigger("one", &json!({ "sleep": 0.05 }));
        let killed: Vec<_> = daemon.processes().into_iter().filter(|process| process.title == title).collect();
        killed.iter().for_each(crate::support::Process::kill);
        let id = lab.trigger("one", &json!({ "title": title }));
        until_true("handled", || lab.successes().contains_key(&(id.clone(), "all".into())));
    }
    lab.wait_idle();
    lab.assert_never_doubled();
    daemon.stop();
}

#[test]
fn a_kernel_that_is_out_of_memory_takes_a_worker_before_the_daemon() {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    let badness =
        |pid: u32| -> i32 { std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().parse().unwrap() };
    let own = badness(std::process::id());
    for process in daemon.processes() {
        let wanted = if process.is_worker() { (own + 300).min(1_000) } else { own };
        assert_eq!(badness(process.pid), wanted, "{process:?}");
    }
    daemon.stop();
}

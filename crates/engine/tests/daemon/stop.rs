//! How a daemon ends: what runs is finished within the grace, what does not return is killed, and nothing is left.

use crate::support::{Daemon, Lab, until_true};
use nix::sys::signal::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

/// Sends `signal` and waits for the end; the exit status, and how long it took.
#[track_caller]
fn end(daemon: &mut Daemon, signal: Signal) -> (Option<i32>, Duration) {
    let began = Instant::now();
    daemon.signal(signal);
    let status = daemon.wait();
    let took = began.elapsed();
    assert!(daemon.processes().is_empty(), "left: {:?}", daemon.processes());
    (status.code(), took)
}

#[test]
fn an_idle_daemon_stops_within_a_second() {
    for (signal, booting) in [(Signal::SIGTERM, false), (Signal::SIGINT, false), (Signal::SIGTERM, true)] {
        let lab = Lab::new().set("worker.pool_size", 5);
        let mut daemon = if booting { lab.start(&[]) } else { lab.daemon() };
        daemon.wait_until_ready();
        let (status, took) = end(&mut daemon, signal);
        assert_eq!(status, Some(0));
        assert!(took < Duration::from_secs(1), "{took:?}");
        for file in ["events.sock", "workers.sock", "control.sock", "pid"] {
            assert!(!lab.runtime(file).exists(), "{file} is left");
        }
    }
}

#[test]
fn an_interrupt_from_the_terminal_goes_to_all_and_stops_as_well_as_one_to_the_supervisor() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let id = lab.trigger("one", &json!({ "sleep": 0.5 }));
    until_true("it runs", || !lab.started().is_empty());
    nix::sys::signal::killpg(nix::unistd::Pid::from_raw(daemon.pid() as i32), Signal::SIGINT).unwrap();
    let status = daemon.wait();
    assert_eq!(status.code(), Some(0));
    lab.assert_handled_once([&id], &["one", "all"]);
    assert!(daemon.processes().is_empty(), "left: {:?}", daemon.processes());
}

#[test]
fn the_end_of_the_terminal_is_a_reload_and_ends_no_child() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let id = lab.trigger("one", &json!({ "sleep": 0.3 }));
    until_true("it runs", || !lab.started().is_empty());
    let broker = daemon.broker().pid;
    nix::sys::signal::killpg(nix::unistd::Pid::from_raw(daemon.pid() as i32), Signal::SIGHUP).unwrap();
    // To the supervisor it says that it is to reload; to the others nothing.
    daemon.wait_logged("a generation has taken over");
    lab.wait_handled(2);
    lab.assert_handled_once([&id], &["one", "all"]);
    assert_eq!(daemon.broker().pid, broker);
    daemon.stop();
}

#[test]
fn what_runs_is_finished_before_the_end_and_what_waits_is_not_begun() {
    let lab = Lab::strict().set("store", "memory:");
    let mut daemon = lab.daemon();
    let running: Vec<_> = (0..2).map(|n| lab.trigger("one", &json!({ "n": n, "sleep": 1.0 }))).collect();
    until_true("both workers run one", || lab.started().len() == 2);
    let waiting: Vec<_> = (0..10).map(|n| lab.trigger("one", &json!({ "waits": n }))).collect();
    let (status, took) = end(&mut daemon, Signal::SIGTERM);
    assert_eq!(status, Some(0));
    // Two listeners of a second each.
    assert!(took < Duration::from_secs(5), "{took:?}");
    lab.assert_handled_once(&running, &["one", "all"]);
    let told = daemon.wait_logged("the store is in memory, and what is in it ends with the broker");
    assert_eq!(told["waiting"], waiting.len());
}

#[test]
fn a_second_signal_kills_at_once() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    lab.trigger("one", &json!({ "sleep": 600 }));
    until_true("it runs", || !lab.started().is_empty());
    daemon.signal(Signal::SIGTERM);
    daemon.wait_logged("the daemon stops");
    // Signals that come together are one: the first has been taken.
    let (status, took) = end(&mut daemon, Signal::SIGTERM);
    assert_eq!(status, Some(1));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn what_does_not_return_is_killed_at_the_deadline() {
    let lab = Lab::strict().set("worker.grace", 1);
    let mut daemon = lab.daemon();
    let id = lab.trigger("one", &json!({ "sleep": 600 }));
    until_true("it runs", || !lab.started().is_empty());
    // 0 where the zygote could kill the worker and the broker settle it, 1 where a busy machine left them too little of the second.
    let (_, took) = end(&mut daemon, Signal::SIGTERM);
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(5), "{took:?}");
    let told = daemon.wait_logged("a worker did not end within worker.grace, and is killed");
    assert_eq!(told["event_id"], json!(id));
}

#[test]
fn a_daemon_that_is_told_to_stop_while_it_starts_stops() {
    for wait in ["", "worker 1", "broker"] {
        let lab = Lab::new();
        let mut daemon = lab.start(&[]);
        if wait.is_empty() {
            until_true("it is there", || !daemon.processes().is_empty());
            // Before it catches signals it simply dies of them.
            until_true("the broker was started", || lab.runtime("scoreboard").exists());
        } else {
            until_true(wait, || daemon.processes().iter().any(|process| process.title.starts_with(wait)));
        }
        daemon.signal(Signal::SIGTERM);
        daemon.wait();
        daemon.wait_until_gone();
    }
}

#[test]
fn events_come_in_while_the_daemon_stops_and_none_is_half_handled() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let _load = lab.flood(5.0, &json!({ "confirm": "deferred", "name": "one", "count": 1_000_000, "pause": 0.0005 }));
    lab.wait_handled(200);
    let (status, took) = end(&mut daemon, Signal::SIGTERM);
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(3), "{took:?}");
    let found = lab.successes();
    assert!(found.values().all(|count| *count == 1));
    assert!(found.keys().all(|(event, _)| found.contains_key(&(event.clone(), "all".into()))), "all listeners of it, or none");
}

#[test]
fn a_stop_that_is_asked_for_at_the_control_socket_is_one_like_any_other() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let id = lab.trigger("one", &json!({ "sleep": 0.5 }));
    until_true("it runs", || !lab.started().is_empty());
    assert_eq!(lab.ask(&json!({ "command": "stop" })), Some(json!({ "stopping": true })));
    // To ask again is no second signal.
    lab.ask(&json!({ "command": "stop" }));
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(daemon.processes().is_empty(), "left: {:?}", daemon.processes());
    lab.assert_handled_once([&id], &["one", "all"]);
}

//! Listeners that are over their time limit: told, or killed, and retried alone.

use crate::support::{Lab, until_true};
use serde_json::{Value, json};

/// A lab whose listeners have a tenth of a second.
fn lab(grace: f64) -> Lab {
    Lab::new().set("worker.timeout", 0.1).set("worker.grace", grace).set("worker.pool_size", 1)
}

/// The one dead letter, once it is there.
#[track_caller]
fn letter(lab: &Lab) -> Value {
    until_true("a dead letter", || lab.number("backlog.dead") == 1);
    lab.told(&json!({ "command": "failed" }))["letters"][0].clone()
}

#[test]
fn a_listener_that_listens_is_told_and_tried_again_alone() {
    let lab = lab(20.0);
    let mut daemon = lab.daemon();
    let id = lab.trigger("five", &json!({ "busy": "c", "for": 60.0 }));
    lab.wait_handled(6);
    lab.wait_idle();
    lab.assert_handled_once([&id], &["a", "b", "c", "d", "e", "all"]);
    let again: Vec<_> = lab.handled().into_iter().filter(|run| run.attempt == 2).map(|run| run.listener).collect();
    assert_eq!(again, ["c"]);
    let failed = daemon.wait_logged("a listener failed");
    assert_eq!(
        (&failed["listener"], &failed["class"], &failed["error"]),
        (&json!("c"), &json!("TimeoutError"), &json!("c in 0.1 s"))
    );
    assert_eq!(lab.number("counters.deaths"), 0);
    daemon.stop();
}

#[test]
fn a_listener_may_have_as_long_as_it_takes() {
    let lab = lab(0.1);
    let mut daemon = lab.daemon();
    let id = lab.trigger("five", &json!({ "busy": "e", "for": 0.5 }));
    assert!(lab.wait_handled(6).iter().all(|run| run.attempt == 1 && run.event == id));
    assert_eq!(daemon.logged("a listener failed").len() + daemon.logged("a worker died, and is replaced").len(), 0);
    daemon.stop();
}

#[test]
fn one_that_is_stuck_is_killed_when_the_grace_is_over_and_named() {
    let lab = lab(0.3).set("retry.max_attempts", 1);
    let mut daemon = lab.daemon();
    let id = lab.trigger("five", &json!({ "stuck": "c" }));
    lab.trigger("one", &json!({}));
    let letter = letter(&lab);
    assert_eq!((&letter["id"], &letter["listeners"], &letter["kind"]), (&json!(id), &json!(["c"]), &json!("timed_out")));
    let words = letter["error"].as_str().unwrap();
    assert!(words.contains("\"c\"") && words.contains("0.1 s") && words.contains("0.3 s"), "{words}");
    let failure = &letter["attempts"][0]["failure"];
    assert_eq!(
        (&failure["file"], &failure["line"], &failure["trace"]),
        (&json!("application.rs"), &json!(7), &json!("#0 listen()"))
    );
    lab.wait_idle();
    let runs: Vec<_> = lab.handled().into_iter().map(|run| (run.event == id, run.listener, run.attempt)).collect();
    let of = |event: bool| runs.iter().filter(|run| run.0 == event && run.2 == 1).map(|run| &*run.1).collect::<Vec<_>>();
    assert_eq!((of(true), of(false)), (vec!["a", "b", "d", "e", "all"], vec!["one", "all"]), "siblings, and the next event");
    let told = daemon.wait_logged("a worker died, and is replaced");
    assert_eq!((&told["end"], &told["event_id"], &told["at"]), (&json!("SIGKILL"), &json!(id), &json!("application.rs:7")));
    daemon.stop();
}

#[test]
fn one_that_was_killed_for_its_time_waits_before_it_is_tried_again() {
    let lab = lab(0.1).set("retry.delay", 0.7);
    let _daemon = lab.daemon();
    lab.trigger("one", &json!({ "stuck": "one" }));
    let runs = lab.wait_handled(2);
    let (first, again) = (&runs[0], &runs[1]);
    assert_eq!((&*first.listener, first.attempt, &*again.listener, again.attempt), ("all", 1, "one", 2));
    assert!(again.started - first.ended >= 500_000, "not at once, as after other deaths: {runs:?}");
}

#[test]
fn an_idle_worker_is_not_woken_for_limits() {
    let lab = lab(20.0);
    let daemon = lab.daemon();
    for n in 0..50 {
        lab.trigger("one", &json!({ "n": n }));
    }
    lab.wait_handled(100);
    lab.wait_idle();
    let worker = &daemon.workers()[0];
    let switches = || {
        let threads = std::fs::read_dir(format!("/proc/{}/task", worker.pid)).unwrap();
        let of = |thread: std::fs::DirEntry| {
            let status = std::fs::read_to_string(thread.path().join("status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_owned();
            line.split_whitespace().last().unwrap().parse::<u64>().unwrap()
        };
        threads.map(|thread| of(thread.unwrap())).sum::<u64>()
    };
    // The last look is at the last run's limit; a look each 0.1 s would show in a second.
    let mut still = (switches(), std::time::Instant::now());
    until_true("a second without a switch", || {
        let now = switches();
        if now != still.0 {
            still = (now, std::time::Instant::now());
        }
        still.1.elapsed().as_secs() >= 1
    });
}

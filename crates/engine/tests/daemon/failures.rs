//! Listeners that fail, and workers that die in them.

use crate::support::{LONG, Lab, trigger, until};
use proletarier_engine::client::Confirm;
use serde_json::{Value, json};
use std::collections::HashSet;

const FIVE: [&str; 6] = ["a", "b", "c", "d", "e", "all"];

/// In each listener's turn it fails in the first attempt, in the way given, and no other is run again.
fn one_of_five_fails(way: &str) {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let ids: Vec<_> = FIVE.map(|id| (id, lab.trigger("five", &json!({ way: id })))).into();
    lab.wait_handled(ids.len() * FIVE.len());
    let status = lab.wait_idle();
    lab.assert_handled_once(ids.iter().map(|(_, event)| event), &FIVE);
    for run in lab.handled() {
        let failing = ids.iter().any(|(id, event)| *event == run.event && *id == run.listener);
        assert_eq!(run.attempt, 1 + u16::from(failing), "{run:?}");
    }
    let expected = ids.len() * FIVE.len() + ids.len();
    assert_eq!(lab.started().len(), expected, "each once, the failing one twice");
    lab.assert_never_doubled();
    assert_eq!((&status["counters"]["retried"], &status["backlog"]["dead"]), (&json!(6), &json!(0)));
    daemon.stop();
}

#[test]
fn a_listener_that_throws_is_tried_again_alone() {
    one_of_five_fails("throw");
}

#[test]
fn a_listener_that_ends_its_worker_is_tried_again_alone() {
    one_of_five_fails("end");
}

#[test]
fn a_listener_that_its_worker_is_killed_in_is_tried_again_alone() {
    one_of_five_fails("kill");
}

#[test]
fn finished_mates_in_a_chunk_are_not_run_again_when_their_worker_dies() {
    // Not strict: locking files is slow, and chunks are as large as handlers are fast.
    let lab = Lab::new().set("worker.pool_size", 1);
    let daemon = lab.daemon();
    let client = lab.client();
    for n in 0..600 {
        trigger(&client, Confirm::Deferred, "one", &json!({ "warm": n })).unwrap();
    }
    assert_eq!(client.flush(LONG), 0);
    lab.wait_handled(1_200);
    // The worker stands still while all of these come in, so that they go out in large chunks after.
    let worker = &daemon.workers()[0];
    worker.signal(nix::sys::signal::Signal::SIGSTOP);
    let params = |n| match n {
        100 => json!({ "kill": "one", "sleep": 0.5 }),
        31 | 63 | 127 | 159 | 199 => json!({ "kill": "one" }),
        _ => json!({ "n": n }),
    };
    let ids: Vec<_> = (0..200).map(|n| trigger(&client, Confirm::Deferred, "one", &params(n)).unwrap()).collect();
    assert_eq!(client.flush(LONG), 0);
    worker.signal(nix::sys::signal::Signal::SIGCONT);
    until("the killer's mates are finished", || {
        lab.handled().iter().find(|run| run.event == ids[99] && run.listener == "all").cloned()
    });
    let status = lab.status();
    let unsettled = 700 - status["counters"]["done"].as_u64().unwrap();
    assert!(unsettled > 0, "the broker has not been told of some mates: {status}");
    assert!(status["backlog"]["reserved"].as_u64().unwrap() > unsettled + 1, "and there are more of them: {status}");
    lab.wait_handled(1_200 + 400);
    lab.wait_idle();
    let found = lab.successes();
    assert_eq!(found.values().copied().collect::<HashSet<_>>(), HashSet::from([1]));
    assert!(
        ids.iter().all(|id| found.contains_key(&(id.clone(), "one".into())) && found.contains_key(&(id.clone(), "all".into())))
    );
    let again: Vec<_> = lab.handled().into_iter().filter(|run| run.attempt > 1).map(|run| (run.listener, run.attempt)).collect();
    assert_eq!(again, vec![("one".to_owned(), 2); 6], "only the six that their worker died in");
    assert_eq!(lab.number("counters.deaths"), 6);
}

#[test]
fn what_fails_in_every_attempt_is_a_dead_letter_with_its_history() {
    let lab = Lab::new().set("retry.max_attempts", 3);
    let mut daemon = lab.daemon();
    let id = lab.trigger("five", &json!({ "always": "c" }));
    let dead = until("a dead letter", || {
        let answer = lab.ask(&json!({ "command": "failed" }))?;
        answer["letters"].as_array()?.first().cloned()
    });
    assert_eq!((&dead["id"], &dead["listeners"]), (&json!(id), &json!(["c"])));
    let attempts: Vec<_> = dead["attempts"].as_array().unwrap().iter().map(|spent| spent["attempt"].clone()).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(lab.handled().len(), 5, "the others once each");
    daemon.wait_logged("dead letter: it will not be tried again by itself");
    daemon.stop();
}

#[test]
fn a_listener_that_kills_every_worker_is_dead_and_takes_no_other_event_with_it() {
    let lab = Lab::new().set("retry.max_attempts", 1);
    let daemon = lab.daemon();
    let poison = lab.trigger("five", &json!({ "kill": "b" }));
    let others: Vec<_> = (0..50).map(|n| lab.trigger("one", &json!({ "n": n }))).collect();
    lab.wait_handled(5 + 100);
    let status = lab.wait_idle();
    assert_eq!((&status["backlog"]["dead"], &status["counters"]["dead"]), (&json!(1), &json!(1)));
    let found = lab.successes();
    assert!(!found.contains_key(&(poison.clone(), "b".into())));
    assert!(["a", "c", "d", "e", "all"].iter().all(|id| found.get(&(poison.clone(), (*id).into())) == Some(&1)));
    assert!(others.iter().all(|id| found.get(&(id.clone(), "one".into())) == Some(&1)));
    let told = daemon.wait_logged("a worker died, and is replaced");
    assert_eq!((&told["end"], &told["event_id"]), (&json!("SIGKILL"), &json!(poison)));
}

#[test]
fn an_event_that_no_listener_takes_is_kept_as_dead() {
    let lab = Lab::new();
    let daemon = lab.daemon();
    let id = lab.trigger("fvie", &json!({}));
    let told = until("a warning", || {
        let lines = daemon.log();
        lines.into_iter().find(|line| line["id"] == json!(id) && line["level"] == "warning")
    });
    assert!(told["message"].as_str().unwrap().contains("\"five\""), "{told}");
    assert_eq!(lab.wait_idle()["backlog"]["dead"], 1);
    assert_eq!(lab.handled().len(), 0, "'*' listeners are not run for it");
}

#[test]
fn a_worker_that_exits_in_a_listener_tells_its_last_words() {
    let lab = Lab::new();
    let daemon = lab.daemon();
    let id = lab.trigger("one", &json!({ "end": "one" }));
    let told: Value = daemon.wait_logged("a worker died, and is replaced");
    assert_eq!((&told["end"], &told["event_id"], &told["error"]), (&json!("exit status 3"), &json!(id), &json!("exit: exit(3)")));
    lab.wait_handled(2);
    lab.wait_idle();
    lab.assert_handled_once([&id], &["one", "all"]);
}

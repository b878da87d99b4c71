//! New settings that a reload brings to a broker that runs.

use crate::support::{Daemon, Lab, Publisher, event, until_true};
use nix::sys::signal::Signal;
use proletarier_core::record::Record;
use serde_json::{Value, json};

const TAKES: &str = "the broker takes the new settings";
const OVER: &str = "a generation has taken over";
const HOUR: u64 = 3_600_000_000;

/// Reloads with these settings in place of those of the same keys.
fn renew(lab: &Lab, daemon: &Daemon, settings: &Value) {
    let before = daemon.logged(OVER).len();
    std::fs::write(lab.path("settings"), settings.to_string()).unwrap();
    daemon.signal(Signal::SIGHUP);
    until_true("it has taken over", || daemon.logged(OVER).len() > before);
}

/// How many runs of `one` there were at once, of the events whose ids begin so.
fn at_once(lab: &Lab, starts_with: &str) -> usize {
    let runs: Vec<_> =
        lab.handled().into_iter().filter(|run| run.listener == "one" && run.event.starts_with(starts_with)).collect();
    let at = |moment| runs.iter().filter(|run| run.started <= moment && moment < run.ended).count();
    runs.iter().map(|run| at(run.started)).max().unwrap_or_default()
}

fn names(lab: &Lab) -> Vec<String> {
    let status = lab.status();
    status["queues"].as_array().unwrap().iter().map(|queue| queue["name"].as_str().unwrap().to_owned()).collect()
}

fn run_four(publisher: &mut Publisher, prefix: &str) {
    let ids: Vec<_> = (0..4).map(|number| format!("{prefix}{number}")).collect();
    let events: Vec<_> = ids.iter().map(|id| Record { params: b"{\"sleep\":0.3}", ..event(id, "one") }).collect();
    assert_eq!(publisher.publish(&events).exceptions, []);
}

#[test]
fn a_broker_that_runs_takes_queues_and_limits_and_so_does_the_next() {
    let lab = Lab::new().set("worker.pool_size", 4);
    let mut daemon = lab.daemon();
    let broker = daemon.broker().pid;
    let mut publisher = Publisher::new(&lab);
    run_four(&mut publisher, "before");
    lab.wait_handled(8);
    assert!(at_once(&lab, "before") > 1, "a default queue has as many as there are workers");

    let capped = json!({ "queues": { "slow": { "events": "one", "concurrency": 1 } }, "broker": { "max_pending": 6 } });
    renew(&lab, &daemon, &capped);
    daemon.wait_logged(TAKES);
    assert_eq!(names(&lab), ["default", "slow"]);
    run_four(&mut publisher, "capped");
    lab.wait_handled(16);
    assert_eq!(at_once(&lab, "capped"), 1);
    let ids: Vec<_> = (0..8).map(|number| format!("later{number}")).collect();
    let later: Vec<_> = ids.iter().map(|id| Record { delay: Some(HOUR), ..event(id, "five") }).collect();
    let refused = publisher.publish(&later).exceptions;
    assert_eq!(refused.len(), 2);
    assert!(refused[0].reason.contains("broker.max_pending allows 6"), "{}", refused[0].reason);
    // The same once more is nothing new.
    renew(&lab, &daemon, &capped);
    assert_eq!(names(&lab), ["default", "slow"]);
    assert_eq!((daemon.logged(TAKES).len(), daemon.broker().pid), (1, broker));

    daemon.broker().kill();
    until_true("another broker", || lab.number("epoch") > 1);
    assert_eq!(names(&lab), ["default", "slow"]);
    assert!(publisher.refused(&event("more", "five")).is_some(), "6 wait, and 6 may");
    let second = daemon.broker().pid;
    renew(&lab, &daemon, &json!({ "broker": { "max_pending": 100 } }));
    until_true("it takes them", || daemon.logged(TAKES).len() == 2);
    assert_eq!((names(&lab), publisher.refused(&event("more", "one"))), (vec!["default".to_owned()], None));
    assert_eq!(daemon.broker().pid, second);
    lab.wait_handled(18);
    assert_eq!(lab.number("backlog.parked"), 6, "nothing that waited is lost");
    daemon.stop();
}

#[test]
fn a_pool_that_may_grow_from_now_on_grows() {
    let lab = Lab::new().set("worker.pool_size", 2);
    let mut daemon = lab.daemon();
    let broker = daemon.broker().pid;
    renew(&lab, &daemon, &json!({ "worker": { "pool_size": { "min": 1, "max": 4 }, "grace": 10 } }));
    daemon.wait_logged(TAKES);
    let mut publisher = Publisher::new(&lab);
    run_four(&mut publisher, "a");
    run_four(&mut publisher, "b");
    daemon.wait_logged("events wait: more workers");
    lab.wait_handled(16);
    assert_eq!(daemon.broker().pid, broker);
    daemon.stop();
}

#[test]
fn supervisor_and_broker_log_what_is_asked_for_by_now_and_name_what_waits_for_a_start() {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    let bind = lab.endpoint("another.sock");
    renew(&lab, &daemon, &json!({ "broker": { "bind": bind, "max_message_size": 4096, "max_pending": 9 } }));
    daemon.wait_logged(TAKES);
    let told = daemon.wait_logged("settings that only a start of the daemon changes stay as they are until then");
    assert_eq!(told["settings"], "broker.bind, broker.max_message_size");
    lab.trigger("one", &json!({}));
    std::fs::write(lab.path("settings"), json!({ "log": { "level": "error", "format": "json" } }).to_string()).unwrap();
    daemon.signal(Signal::SIGHUP);
    until_true("it has taken over", || lab.number("reload.generation") == 3);
    lab.wait_handled(2);
    daemon.broker().kill();
    until_true("another broker", || lab.number("epoch") > 1);
    daemon.stop();
    let words: Vec<_> = daemon.log().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!((daemon.logged(OVER).len(), daemon.logged(TAKES).len()), (1, 1), "{words:?}");
    assert!(!words.contains(&"the daemon stops".to_owned()), "{words:?}");
}

#[test]
fn outcomes_are_judged_by_the_new_rules_and_dead_letters_kept_by_them() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    renew(&lab, &daemon, &json!({ "retry": { "max_attempts": 1, "delay": 0.05 } }));
    daemon.wait_logged(TAKES);
    let dead = lab.trigger("one", &json!({ "always": "one" }));
    until_true("it is dead", || lab.number("backlog.dead") == 1);
    assert_eq!(lab.started().iter().filter(|run| run[0] == dead && run[1] == "one").count(), 1, "attempts");
    renew(&lab, &daemon, &json!({ "dead": { "max": 0 } }));
    until_true("it is gone", || lab.number("backlog.dead") == 0);
    daemon.stop();
}

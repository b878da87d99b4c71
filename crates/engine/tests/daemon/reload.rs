//! Reloads: new code beside the old, and what becomes of events meanwhile.

use crate::support::{Lab, until, until_true};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const OVER: &str = "a generation has taken over";
const FAILED: &str = "the reload failed, and the old code goes on";

fn code(lab: &Lab, code: &str) {
    std::fs::write(lab.path("code"), code).unwrap();
}

#[test]
fn ten_reloads_under_load_lose_and_double_nothing_and_leave_no_gap() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let mut client = lab.flood(30.0, &json!({ "confirm": "accepted", "name": "one", "count": 2_000, "pause": 0.001 }));
    for n in 1..=10 {
        let before = lab.handled().len();
        lab.wait_handled(before + 40);
        daemon.signal(Signal::SIGHUP);
        until_true("it has taken over", || daemon.logged(OVER).len() == n);
    }
    let ids = client.finish_well();
    lab.wait_handled(2 * ids.len());
    lab.wait_idle();
    lab.assert_handled_once(&ids, &["one", "all"]);
    lab.assert_never_doubled();
    let mut ends: Vec<_> = lab.handled().iter().map(|run| run.ended).collect();
    ends.sort_unstable();
    let gap = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    println!("ten reloads: the longest gap in handling was {gap} us");
    assert!(gap < 1_000_000, "{gap} us");
    until_true("the old workers have left", || daemon.workers().len() == 2);
    daemon.stop();
}

#[test]
fn a_handler_that_outlasts_a_reload_finishes_on_old_code_and_new_names_have_listeners() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let long = lab.trigger("one", &json!({ "sleep": 2 }));
    until_true("it runs", || !lab.started().is_empty());
    let worker: u32 = lab.started()[0][3].parse().unwrap();
    code(&lab, "two");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_logged(OVER);
    let new = lab.trigger("two", &json!({}));
    until_true("the new code handles it", || lab.successes().contains_key(&(new.clone(), "two".into())));
    assert!(!lab.successes().contains_key(&(long.clone(), "one".into())), "the long one still runs");
    lab.wait_handled(4);
    assert_eq!(lab.handled().iter().find(|run| run.event == long).unwrap().pid, worker);
    // What dies now comes back with the new code.
    daemon.process("zygote (generat").kill();
    until_true("it is replaced", || daemon.logged(OVER).len() == 2);
    let again = lab.trigger("two", &json!({}));
    until_true("handled", || lab.successes().contains_key(&(again.clone(), "two".into())));
    assert_eq!(lab.wait_idle()["backlog"]["dead"], 0);
    daemon.stop();
}

#[test]
fn code_that_does_not_boot_leaves_the_old_at_work_and_says_why() {
    let lab = Lab::strict().set("worker.boot_timeout", 1);
    let mut daemon = lab.daemon();
    for (n, (what, words)) in [("exit", "a parse error, as asked"), ("hang", "worker.boot_timeout"), ("", "can't boot, as asked")]
        .into_iter()
        .enumerate()
    {
        code(&lab, what);
        if what.is_empty() {
            std::fs::write(lab.path("fail"), "").unwrap();
        }
        daemon.signal(Signal::SIGHUP);
        until_true("it has failed", || daemon.logged(FAILED).len() == n + 1);
        let error = daemon.logged(FAILED)[n]["error"].to_string();
        assert!(error.contains(words), "{error}");
        lab.trigger("one", &json!({}));
        lab.wait_handled(2 * (n + 1));
    }
    std::fs::remove_file(lab.path("fail")).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_logged(OVER);
    daemon.stop();
}

/// What became of the reload that is asked for at the control socket.
fn reload(lab: &Lab) -> Value {
    let asked = lab.ask(&json!({ "command": "reload" })).unwrap()["reload"].clone();
    until("the reload ends", || {
        let outcome = lab.ask(&json!({ "command": "status" }))?["reload"].clone();
        (outcome["ended"].as_u64() >= asked.as_u64()).then_some(outcome)
    })
}

#[test]
fn what_only_a_start_can_change_is_refused_and_the_old_code_goes_on() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    for (what, refused) in [("store", "store"), ("runtime_dir", "runtime_dir"), ("role", "role")] {
        code(&lab, what);
        let outcome = reload(&lab);
        let error = outcome["error"].as_str().unwrap_or_default();
        assert!(error.contains(refused), "{what}: {outcome}");
        assert_eq!(outcome["generation"], 1, "{what}");
    }
    assert!(!lab.path("another").exists(), "a generation that is refused touches nothing");
    let id = lab.trigger("one", &json!({}));
    lab.wait_handled(2);
    lab.assert_handled_once([&id], &["one", "all"]);
    assert_eq!(daemon.processes().len(), 5, "{:?}", daemon.processes());
    code(&lab, "");
    let outcome = reload(&lab);
    assert!(outcome["error"].is_null() && outcome["generation"] == 2, "{outcome}");
    daemon.stop();
}

#[test]
fn a_broker_that_is_killed_while_the_next_generation_boots_is_replaced_and_the_reload_goes_on() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let mut client = lab.flood(30.0, &json!({ "confirm": "accepted", "name": "one", "count": 1_500, "pause": 0.001 }));
    for n in 1..=5 {
        let before = lab.handled().len();
        lab.wait_handled(before + 40);
        let broker = daemon.broker();
        daemon.signal(Signal::SIGHUP);
        until_true("it boots", || daemon.logged("a reload: the next generation boots").len() == n);
        broker.kill();
        until_true("it has taken over", || daemon.logged(OVER).len() == n);
        until_true("another broker", || {
            daemon.processes().iter().any(|found| found.title == "broker" && found.pid != broker.pid)
        });
    }
    let ids = client.finish_well();
    lab.wait_handled(2 * ids.len());
    lab.wait_idle();
    lab.assert_handled_once(&ids, &["one", "all"]);
    lab.assert_never_doubled();
    assert_eq!(daemon.logged("the broker died").len(), 5);
    daemon.stop();
}

#[test]
fn a_broker_alone_has_no_code_to_reload_and_says_so() {
    let lab = Lab::new();
    let mut daemon = lab.start(&["broker"]);
    daemon.wait_until_ready();
    let before: Vec<_> = daemon.processes().iter().map(|process| process.pid).collect();
    let error = reload(&lab)["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("a broker alone"), "{error}");
    daemon.signal(Signal::SIGHUP);
    until_true("the signal is answered as well", || daemon.logged(FAILED).len() == 2);
    assert_eq!(daemon.processes().iter().map(|process| process.pid).collect::<Vec<_>>(), before);
    daemon.stop();
}

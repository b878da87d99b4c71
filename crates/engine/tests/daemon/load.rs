//! A worker that is held up keeps nothing from the others, and a daemon with nothing to do does nothing.

use crate::support::{Daemon, LONG, Lab, trigger, until_true};
use proletarier_engine::client::Confirm;
use serde_json::json;
use std::time::{Duration, Instant};

/// A handler of 20 s among a thousand of 1 ms, at this place: the thousand are done within what one worker needs for them, while it still runs.
fn held_up(place: usize, warm: bool) {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    let client = lab.client();
    if warm {
        // So that chunks are large: there is much to be taken back.
        (0..400).for_each(|n| drop(trigger(&client, Confirm::Deferred, "one", &json!({ "warm": n })).unwrap()));
        lab.wait_handled(800);
    }
    let before = lab.handled().len();
    let began = Instant::now();
    let mut slow = String::new();
    for n in 0..=1_000 {
        // Two listeners take it: half a millisecond each.
        let params = if n == place { json!({ "sleep": 20 }) } else { json!({ "sleep": 0.0005 }) };
        let id = trigger(&client, Confirm::Deferred, "one", &params).unwrap();
        if n == place {
            slow = id;
        }
    }
    lab.wait_handled(before + 2_000);
    let took = began.elapsed();
    let runs = lab.handled();
    assert!(!runs.iter().any(|run| run.event == slow), "the slow one still runs");
    until_true("it is all that is left", || {
        let backlog = &lab.status()["backlog"];
        (&backlog["pending"], &backlog["reserved"]) == (&json!(0), &json!(1))
    });
    // On a busy machine a sleep takes longer than it should: what they took is what one worker needs.
    let needed = Duration::from_micros(runs[before..].iter().map(|run| run.ended - run.started).sum());
    assert!(took < needed * 2 + Duration::from_secs(1), "{took:?} for {needed:?} of work");
    assert!(lab.successes().values().all(|count| *count == 1));
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    until_true("it stops", || !daemon.logged("the daemon stops").is_empty());
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait_until_gone();
}

#[test]
fn a_held_up_worker_keeps_none_waiting_that_came_after() {
    held_up(0, false);
}

#[test]
fn a_held_up_worker_keeps_none_waiting_that_came_with_it() {
    held_up(500, true);
}

fn ticks(daemon: &Daemon) -> u64 {
    daemon.processes().iter().map(|process| process.ticks).sum()
}

/// No process takes processor time for two seconds.
#[track_caller]
fn assert_idle(daemon: &Daemon, what: &str) {
    // What was going on has come to its end.
    let mut last = ticks(daemon);
    until_true("it comes to rest", || {
        std::thread::sleep(Duration::from_millis(300));
        std::mem::replace(&mut last, ticks(daemon)) == last
    });
    let before = ticks(daemon);
    std::thread::sleep(Duration::from_secs(2));
    let took = ticks(daemon) - before;
    assert!(took <= 1, "{what}: {took} ticks in 2 s: {:?}", daemon.processes());
}

#[test]
fn a_daemon_with_nothing_to_do_does_nothing() {
    let lab = Lab::new().set("worker.pool_size", 5);
    let mut daemon = lab.daemon();
    assert_idle(&daemon, "new");
    // A client that stays, what was handled, what waits for long, and what is dead.
    let client = lab.client();
    for name in ["one", "five", "nothing"] {
        trigger(&client, Confirm::Accepted, name, &json!({})).unwrap();
    }
    assert_eq!(client.flush(LONG), 0);
    lab.wait_handled(8);
    lab.wait_idle();
    assert_idle(&daemon, "after work, with a client");
    daemon.broker().kill();
    daemon.zygote().kill();
    until_true("both are replaced, and the workers", || {
        let titles: Vec<_> = daemon.processes().into_iter().map(|process| process.title).collect();
        titles.len() == 8 && titles.iter().any(|title| title == "broker") && titles.iter().any(|title| title == "zygote")
    });
    until_true("all workers are there", || lab.number("workers") == 5);
    assert_idle(&daemon, "after kills");
    daemon.stop();
}

#[test]
fn a_daemon_with_a_long_handler_does_nothing_else() {
    let lab = Lab::strict();
    let daemon = lab.daemon();
    for n in 0..2 {
        lab.trigger("one", &json!({ "n": n, "sleep": 600 }));
    }
    until_true("both run", || lab.started().len() == 2);
    // With everyone at work, and then with some that can't be begun.
    assert_idle(&daemon, "all at work");
    for n in 0..10 {
        lab.trigger("one", &json!({ "n": n }));
    }
    assert_idle(&daemon, "events wait");
}

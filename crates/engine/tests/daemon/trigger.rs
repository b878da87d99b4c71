//! Events from trigger() to the last listener.

use crate::support::{LONG, Lab, trigger};
use proletarier_engine::client::Confirm;
use serde_json::json;
use std::collections::HashSet;
use std::time::{Duration, Instant};

#[test]
fn an_event_is_handled_by_all_its_listeners_at_every_confirm_level() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let client = lab.client();
    for (before, confirm) in [Confirm::None, Confirm::Deferred, Confirm::Accepted, Confirm::Synced].into_iter().enumerate() {
        let id = trigger(&client, confirm, "five", &json!({ "level": format!("{confirm:?}") })).unwrap();
        let runs = lab.wait_handled((before + 1) * 6);
        let order: Vec<_> = runs.iter().filter(|run| run.event == id).map(|run| &run.listener[..]).collect();
        assert_eq!(order, ["a", "b", "c", "d", "e", "all"]);
        assert!(runs.iter().all(|run| run.attempt == 1 && run.params.is_object()));
    }
    let counters = lab.wait_idle();
    assert_eq!((&counters["counters"]["accepted"], &counters["counters"]["done"]), (&json!(4), &json!(4)));
    lab.assert_never_doubled();
    daemon.stop();
}

#[test]
fn twenty_thousand_events_of_four_processes_are_each_handled_once() {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    let levels = ["none", "deferred", "deferred", "accepted"];
    let mut clients: Vec<_> =
        levels.map(|level| lab.flood(30.0, &json!({ "confirm": level, "name": "one", "count": 5_000 }))).into();
    let ids: HashSet<String> = clients.iter_mut().flat_map(|client| client.finish_well()).collect();
    assert_eq!(ids.len(), 20_000);
    lab.wait_handled(40_000);
    let status = lab.wait_idle();
    assert_eq!(status["counters"]["done"], 20_000);
    lab.assert_handled_once(&ids, &["one", "all"]);
    let pids: HashSet<u32> = lab.handled().iter().map(|run| run.pid).collect();
    assert_eq!(pids.len(), 2, "both workers had a part");
    daemon.stop();
}

#[test]
fn a_client_that_makes_no_further_call_has_all_its_events_handled() {
    let lab = Lab::new();
    let _daemon = lab.daemon();
    let client = lab.flood(5.0, &json!({ "confirm": "deferred", "name": "one", "count": 100, "sleep": 600 }));
    lab.wait_handled(200);
    assert_eq!(lab.wait_idle()["counters"]["accepted"], 100);
    lab.assert_handled_once(&client.told().triggered, &["one", "all"]);
}

#[test]
fn a_forked_child_has_a_connection_of_its_own() {
    let lab = Lab::new();
    let _daemon = lab.daemon();
    for (level, sum) in [("deferred", 199), ("accepted", 398)] {
        let mut client = lab.flood(10.0, &json!({ "confirm": level, "name": "one", "count": 100, "fork": true }));
        client.finish_well();
        lab.wait_handled(2 * sum);
        lab.wait_idle();
        let counts = lab.successes();
        assert_eq!((counts.len(), counts.values().sum::<usize>()), (2 * sum, 2 * sum), "1 + 99 + 99 events, each once");
    }
    assert_eq!(lab.number("counters.duplicates"), 0, "parent and child have sessions of their own");
}

#[test]
fn without_a_daemon_accepted_fails_in_time_and_deferred_is_lost_and_neither_comes_later() {
    let lab = Lab::new();
    let mut accepted = lab.flood(0.3, &json!({ "confirm": "accepted", "name": "one", "count": 3 }));
    let began = Instant::now();
    let told = accepted.finish();
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!((told.triggered.len(), told.failed.len(), told.lost.len()), (0, 3, 0), "{told:?}");
    assert!(told.failed[0].1.contains("no broker answered at ipc://"), "{told:?}");

    let mut deferred = lab.flood(0.3, &json!({ "confirm": "deferred", "name": "one", "count": 50 }));
    let told = deferred.finish();
    assert_eq!((told.triggered.len(), told.failed.len(), told.lost.len()), (50, 0, 50), "{told:?}");

    // These two clients live on, and their events are given up while no daemon is there to take them.
    let flood = |confirm| lab.flood(0.3, &json!({ "confirm": confirm, "name": "one", "count": 3, "sleep": 600 }));
    let (deferred, accepted) = (flood("deferred"), flood("accepted"));
    crate::support::until_true("they have tried", || deferred.told().triggered.len() == 3 && accepted.told().failed.len() == 3);
    // Deferred ones are given up by the helper thread, which tells nobody.
    std::thread::sleep(Duration::from_secs(1));
    let mut daemon = lab.daemon();
    let id = lab.trigger("one", &json!({}));
    lab.wait_handled(2);
    // Long enough for both to connect again, which they try twice a second.
    std::thread::sleep(Duration::from_millis(1_500));
    let status = lab.wait_idle();
    assert_eq!(status["counters"]["accepted"], 1, "what was given up does not come later");
    lab.assert_handled_once([&id], &["one", "all"]);
    daemon.stop();
}

#[test]
fn a_client_finds_a_daemon_that_starts_within_its_timeout() {
    let lab = Lab::new();
    let mut client = lab.flood(LONG.as_secs_f64(), &json!({ "confirm": "deferred", "name": "one", "count": 20 }));
    crate::support::until_true("triggered", || client.told().triggered.len() == 20);
    let _daemon = lab.daemon();
    let ids = client.finish_well();
    lab.wait_handled(40);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &["one", "all"]);
}

#[test]
fn a_store_in_memory_says_that_it_syncs_nothing() {
    let lab = Lab::new().set("store", "memory:");
    let mut daemon = lab.daemon();
    let error = trigger(&lab.client(), Confirm::Synced, "one", &json!({})).unwrap_err();
    assert!(error.to_string().contains("the store is in memory"), "{error}");
    daemon.stop();
}

//! Where events go while no broker takes them: the client's side of the spool.

use crate::support::{FakeBroker, LONG, Lab, Run, trigger, trigger_record, until, until_true};
use proletarier_core::frame::RejectCode;
use proletarier_core::record::Record;
use proletarier_engine::client::{Asked, ClientError, Confirm};
use proletarier_engine::spool::{self, Circuit, SpoolOptions};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant, SystemTime};

/// Nothing is said against any event.
fn willing(_: &Record<'_>) -> Option<(RejectCode, String)> {
    None
}

fn circuit(lab: &Lab) -> Circuit {
    Circuit::new(lab.spool().unwrap())
}

#[test]
fn without_a_daemon_all_are_spooled_in_order_and_only_the_first_waits() {
    let lab = Lab::new().spooling();
    let mut accepted = lab.flood(1.0, &json!({ "confirm": "accepted", "name": "one", "count": 40 }));
    let began = Instant::now();
    let ids = accepted.finish_well();
    assert!((1..20).contains(&began.elapsed().as_secs()), "one wait of a second, not forty: {:?}", began.elapsed());
    let spooled = lab.take_spooled();
    assert_eq!(spooled.ids(), ids);
    assert!(
        spooled
            .events
            .iter()
            .zip(1..)
            .all(|(event, number)| event.number == number && event.session == spooled.events[0].session)
    );

    // Other processes know, whatever their timeout is.
    for confirm in ["accepted", "synced", "deferred", "none"] {
        circuit(&lab).trip();
        let mut other = lab.flood(LONG.as_secs_f64(), &json!({ "confirm": confirm, "name": "one", "count": 40 }));
        let began = Instant::now();
        let ids = other.finish_well();
        assert!(began.elapsed() < LONG / 3, "{confirm} {:?}", began.elapsed());
        // Nobody follows up what was triggered with `none`.
        assert_eq!(lab.take_spooled().ids(), if confirm == "none" { vec![] } else { ids }, "{confirm}");
    }
}

#[test]
fn a_client_that_makes_no_further_call_has_its_events_spooled() {
    let lab = Lab::new().spooling();
    let client = lab.flood(0.3, &json!({ "confirm": "deferred", "name": "one", "count": 100, "sleep": 600 }));
    until_true("triggered", || client.told().triggered.len() == 100);
    let mut found = Vec::new();
    until_true("all are spooled", || {
        found.extend(lab.take_spooled().ids());
        found.len() >= 100
    });
    assert_eq!(found, client.told().triggered);
}

#[test]
fn parent_and_child_of_a_fork_spool_their_own_events() {
    let lab = Lab::new().spooling();
    let mut client = lab.flood(0.3, &json!({ "confirm": "deferred", "name": "one", "count": 50, "fork": true }));
    client.finish_well();
    let spooled = lab.take_spooled();
    let sessions: HashSet<_> = spooled.events.iter().map(|event| event.session).collect();
    assert_eq!((spooled.events.len(), sessions.len()), (99, 2));
    assert_eq!(spooled.ids().into_iter().collect::<HashSet<_>>().len(), 99);
}

#[test]
fn producers_killed_while_they_spool_lose_nothing_that_they_were_told_of() {
    let lab = Lab::new().spooling();
    circuit(&lab).trip();
    let mut told = Vec::new();
    for round in 0..20 {
        let mut client = lab.flood(0.1, &json!({ "confirm": "accepted", "name": "one", "count": 100_000 }));
        until_true("some are spooled", || client.told().triggered.len() > 20 * round);
        client.child.kill().unwrap();
        client.child.wait().unwrap();
        told.extend(client.told().triggered);
    }
    let spooled: HashSet<String> = lab.take_spooled().ids().into_iter().collect();
    let missing: Vec<_> = told.iter().filter(|id| !spooled.contains(*id)).collect();
    assert!(missing.is_empty(), "{} of {}", missing.len(), told.len());
    assert!(told.len() > 2_000);
}

#[test]
fn an_event_that_must_not_be_spooled_is_refused() {
    let lab = Lab::new().spooling();
    circuit(&lab).trip();
    let client = lab.client_with(Duration::from_millis(200), lab.spool());
    let error = trigger(&client, Asked { confirm: Confirm::Accepted, spool: false }, "one", &json!({})).unwrap_err();
    assert!(matches!(error, ClientError::Unavailable { .. }), "{error}");
    trigger(&client, Confirm::Accepted, "five", &json!({})).unwrap();
    assert_eq!(lab.take_spooled().names(), ["five"]);
    let broker = FakeBroker::start(&lab.endpoint("events.sock"), willing);
    let before = broker.came().len();
    trigger(&client, Asked { confirm: Confirm::Accepted, spool: false }, "two", &json!({})).unwrap();
    assert_eq!(broker.wait_names(before + 1), ["two"], "what was refused does not come later");
}

#[test]
fn a_full_spool_is_told_to_who_waits_and_logged_for_who_does_not() {
    let lab = Lab::new().spooling();
    let flood = |confirm| {
        let params = json!({ "text": "x".repeat(20_000) });
        lab.flood_with(
            &json!({ "timeout": 0.2, "spool_max": "1M" }),
            &json!({ "confirm": confirm, "name": "one", "count": 80, "params": params }),
        )
    };
    let told = flood("accepted").finish();
    assert!(told.failed.len() > 20 && told.triggered.len() > 40, "{} {}", told.failed.len(), told.triggered.len());
    assert!(told.failed[0].1.contains("is full") && told.failed[0].1.contains("client.spool_max"), "{}", told.failed[0].1);
    let told = flood("deferred").finish();
    assert_eq!((told.triggered.len(), told.lost.len()), (80, 80));
    assert!(told.lost[0].1.contains("no broker answered") && told.lost[0].1.contains("is full"), "{}", told.lost[0].1);
}

#[test]
fn a_spool_that_cannot_be_written_is_told_with_both_reasons() {
    let lab = Lab::new().spooling();
    std::fs::write(lab.path("spool"), "not a directory").unwrap();
    let client = lab.client_with(Duration::from_millis(100), lab.spool());
    let error = trigger(&client, Confirm::Accepted, "one", &json!({})).unwrap_err().to_string();
    assert!(error.contains("no broker answered") && error.contains("could not be spooled"), "{error}");
}

#[test]
fn a_broker_that_has_confirmed_is_waited_for_whatever_others_say() {
    let lab = Lab::new().spooling();
    let broker = FakeBroker::start(&lab.endpoint("events.sock"), willing);
    let client = lab.client();
    trigger(&client, Confirm::Accepted, "a", &json!({})).unwrap();
    circuit(&lab).trip();
    trigger(&client, Confirm::Accepted, "b", &json!({})).unwrap();
    assert_eq!(broker.wait_names(2), ["a", "b"]);
    // Some seconds after, one tries; the first confirmation closes the circuit for all.
    std::fs::File::options()
        .write(true)
        .open(lab.path("spool/circuit"))
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(6))
        .unwrap();
    let third = lab.client_with(LONG - Duration::from_secs(2), lab.spool());
    trigger(&third, Confirm::Accepted, "d", &json!({})).unwrap();
    assert!(!circuit(&lab).is_tripped());
    assert!(broker.wait_names(3).contains(&"d".to_owned()));
    assert!(lab.take_spooled().events.is_empty());
}

#[test]
fn what_was_spooled_and_came_as_well_has_the_same_session_and_number() {
    let lab = Lab::new().spooling();
    let client = lab.client_with(Duration::from_millis(300), lab.spool());
    trigger(&client, Confirm::Accepted, "a", &json!({})).unwrap();
    let broker = FakeBroker::start(&lab.endpoint("events.sock"), willing);
    until("a later event comes", || {
        trigger(&client, Confirm::Deferred, "b", &json!({})).unwrap();
        client.flush(LONG);
        broker.came().first().cloned()
    });
    let mut all: Vec<_> = broker.came();
    all.extend(lab.take_spooled().events.into_iter().map(|event| (event.session, event.number, event.record)));
    all.sort();
    all.dedup();
    let numbers: HashSet<_> = all.iter().map(|(session, number, _)| (session, number)).collect();
    assert_eq!(numbers.len(), all.len(), "one number, one event");
    assert_eq!(all.iter().map(|(session, ..)| session).collect::<HashSet<_>>().len(), 1);
}

#[test]
fn events_with_a_key_stay_behind_those_of_their_process_in_the_spool() {
    let lab = Lab::new().spooling();
    let client = lab.client_with(Duration::from_millis(300), lab.spool());
    let keyed = |name| {
        let record = Record { name, key: Some("account 7"), params: b"{}", ..Record::default() };
        trigger_record(&client, Confirm::Accepted, record).unwrap();
    };
    keyed("k1");
    let broker = FakeBroker::start(&lab.endpoint("events.sock"), willing);
    let spooled = || spool::count(&lab.spool().unwrap()).unwrap();
    // Not before the link is there again, and trusted: what has no key goes to the broker.
    until_true("the broker is found", || {
        let before = spooled();
        trigger(&client, Confirm::Accepted, "plain", &json!({})).unwrap();
        spooled() == before
    });
    keyed("k2");
    assert!(broker.came().iter().all(|(_, _, record)| Record::decode(record).unwrap().name == "plain"));
    let spooled = lab.take_spooled();
    assert_eq!(spooled.names().into_iter().filter(|name| name != "plain").collect::<Vec<_>>(), ["k1", "k2"]);
    assert!(spooled.events.is_sorted_by_key(|event| event.number));
    keyed("k3");
    assert_eq!(broker.wait_names(1).last().unwrap(), "k3");
}

/// The numbers of the events in the order in which the only worker ran them are, for each key, the order in which they were triggered.
#[track_caller]
fn assert_order_by_key(lab: &Lab, triggered: &[String], keys: usize) {
    let numbers: HashMap<_, _> = triggered.iter().zip(0..).map(|(id, number)| (id.as_str(), number)).collect();
    let is_theirs = |run: &Run| run.listener == "one" && numbers.contains_key(run.event.as_str());
    let mut runs: Vec<_> = lab.handled().into_iter().filter(is_theirs).collect();
    runs.sort_by_key(|run| run.started);
    let mut last = vec![None; keys];
    for run in &runs {
        let number: usize = numbers[run.event.as_str()];
        let before = last[number % keys].replace(number);
        assert!(before < Some(number), "{number} of key {} came behind {before:?}", number % keys);
    }
    assert_eq!(runs.len(), triggered.len());
}

#[test]
fn order_by_key_holds_across_an_outage() {
    let lab = Lab::new().spooling().set("worker.pool_size", 1);
    let mut daemon = lab.daemon();
    for confirm in ["deferred", "accepted"] {
        let before = lab.handled().len();
        let mut client =
            lab.flood(0.1, &json!({ "confirm": confirm, "name": "one", "count": 2_000, "keys": 7, "pause": 0.0002 }));
        until_true("some are triggered", || client.told().triggered.len() > 300);
        daemon.stop();
        until_true("some are spooled", || spool::size(&lab.path("spool")) > 0);
        daemon = lab.daemon();
        let ids = client.finish_well();
        lab.wait_handled(before + 2 * ids.len());
        assert!(lab.number("counters.spooled") > 0, "{}", lab.status());
        assert_order_by_key(&lab, &ids, 7);
    }
}

#[test]
fn what_waits_behind_a_key_is_sent_before_its_process_ends() {
    let lab = Lab::new().set("worker.pool_size", 1);
    let _daemon = lab.daemon();
    for round in 1..=10 {
        for confirm in ["deferred", "none"] {
            lab.flood(LONG.as_secs_f64(), &json!({ "confirm": confirm, "name": "one", "count": 700, "keys": 7 })).finish_well();
        }
        assert_eq!(lab.number("counters.accepted"), 1_400 * round);
    }
}

#[test]
fn order_by_key_holds_across_overload() {
    let lab = Lab::new().spooling().set("worker.pool_size", 1).set("broker.max_pending", 60);
    let _daemon = lab.daemon();
    let mut client = lab.flood(LONG.as_secs_f64(), &json!({ "confirm": "deferred", "name": "one", "count": 6_000, "keys": 7 }));
    let ids = client.finish_well();
    lab.wait_handled(2 * ids.len());
    assert!(lab.number("counters.spooled") > 100 && lab.number("counters.rejected") > 0, "{}", lab.status());
    assert_order_by_key(&lab, &ids, 7);
}

#[test]
fn an_overloaded_broker_is_told_to_who_waits_and_spooled_for_who_does_not() {
    let lab = Lab::new().spooling();
    let _broker = FakeBroker::start(&lab.endpoint("events.sock"), |record| {
        (record.name == "busy").then(|| (RejectCode::Overloaded, "1,000 events wait (broker.max_pending)".into()))
    });
    let client = lab.client();
    let error = trigger(&client, Confirm::Accepted, "busy", &json!({})).unwrap_err();
    assert!(matches!(error, ClientError::Overloaded(_)) && error.to_string().contains("broker.max_pending"), "{error}");
    for name in ["busy", "one", "busy"] {
        trigger(&client, Confirm::Deferred, name, &json!({})).unwrap();
    }
    // In a batch with one that is waited for, too.
    trigger(&client, Confirm::Accepted, "one", &json!({})).unwrap();
    assert_eq!(client.flush(LONG), 0);
    assert_eq!(lab.take_spooled().names(), ["busy", "busy"]);
    assert!(!circuit(&lab).is_tripped(), "overloaded is not down");
}

#[test]
fn a_unique_event_gives_the_id_of_the_one_in_its_place() {
    let lab = Lab::new().spooling();
    let _broker = FakeBroker::start(&lab.endpoint("events.sock"), |record| {
        record.unique.map(|key| (RejectCode::Unique, format!("id-of-{key}")))
    });
    let client = lab.client();
    let trigger =
        |unique| trigger_record(&client, Confirm::Accepted, Record { name: "one", unique, params: b"{}", ..Record::default() });
    assert_eq!(trigger(Some("k")).unwrap(), Some("id-of-k".into()));
    assert_eq!(trigger(None).unwrap(), None);
}

#[test]
fn flush_spools_what_is_overdue_and_leaves_what_is_not() {
    let lab = Lab::new().spooling();
    let client = lab.client_with(Duration::from_millis(300), lab.spool());
    trigger(&client, Confirm::Deferred, "a", &json!({})).unwrap();
    assert_eq!(client.flush(Duration::ZERO), 1);
    assert!(lab.take_spooled().events.is_empty());
    assert_eq!(client.flush(Duration::from_millis(300)), 0);
    assert_eq!(lab.take_spooled().names(), ["a"]);
}

#[test]
fn permission_denied_is_not_down_and_says_what_to_do() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not run: it needs root, to be two users");
        return;
    }
    let lab = Lab::new().spooling();
    set_permissions(lab.dir.path(), Permissions::from_mode(0o755)).unwrap();
    let _daemon = lab.daemon();
    set_permissions(lab.path("run"), Permissions::from_mode(0o755)).unwrap();
    let SpoolOptions { dir, .. } = lab.spool().unwrap();
    std::fs::create_dir_all(&dir).unwrap();
    set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    let flood = json!({ "confirm": "accepted", "name": "one", "count": 20 });
    let told = lab.flood_as(65_534, 0.3, &flood).finish();
    assert_eq!((told.triggered.len(), told.failed.len()), (20, 0), "{told:?}");
    assert_eq!(told.notices.len(), 1, "once a minute: {told:?}");
    let notice = &told.notices[0];
    assert!(notice.contains("events.sock") && notice.contains("permissions.group") && notice.contains("chgrp"), "{notice}");
    assert!(!circuit(&lab).is_tripped(), "who may connect is not kept from it");

    set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    let told = lab.flood_as(65_534, 0.3, &flood).finish();
    assert_eq!((told.triggered.len(), told.failed.len()), (0, 20), "{told:?}");
    let reason = &told.failed[0].1;
    assert!(reason.contains("no broker answered") && reason.contains("belongs to root"), "{reason}");
}

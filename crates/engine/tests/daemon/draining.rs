//! The way back from the spool: the daemon drains it.

use crate::support::{LONG, Lab, free_port, trigger, until_true, within};
use proletarier_core::record::Record;
use proletarier_engine::client::Confirm;
use proletarier_engine::spool::{self, Circuit, Entry, Spool, Target, size};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs::{self, Permissions, set_permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const BOTH: [&str; 2] = ["one", "all"];

fn events_file(lab: &Lab) -> PathBuf {
    lab.path("spool/events.spool")
}

/// Clients of each level that spools, while no daemon is there; the ids of their events.
fn spool_some(lab: &Lab, each: usize) -> HashSet<String> {
    Circuit::new(lab.spool().unwrap()).trip();
    let flood = |confirm| lab.flood(0.2, &json!({ "confirm": confirm, "name": "one", "count": each }));
    let mut clients = ["deferred", "accepted", "synced"].map(flood);
    clients.iter_mut().flat_map(|client| client.finish_well()).collect()
}

#[track_caller]
fn wait_drained(lab: &Lab) {
    until_true("the spool is empty", || size(&lab.path("spool")) == 0 && !events_file(lab).exists());
}

/// Spools an event that was triggered so many days ago.
fn spool_old(lab: &Lab, number: u64, id: &str, days: u64, params: &str) {
    let triggered_at = proletarier_engine::wall().0 - days * 86_400_000_000;
    let mut record = Vec::new();
    Record { id, name: "one", triggered_at, params: params.as_bytes(), ..Record::default() }.encode(&mut record);
    Spool::new(lab.spool().unwrap()).append([Entry { session: &[5; 16], number, record: &record }], false).unwrap();
}

#[test]
fn what_was_spooled_is_handled_once_when_the_daemon_comes() {
    let lab = Lab::strict().spooling();
    let ids = spool_some(&lab, 500);
    assert_eq!(ids.len(), 1_500);
    let mut daemon = lab.daemon();
    assert!(!lab.path("spool/circuit").exists(), "clients need wait no more");
    lab.wait_handled(3_000);
    wait_drained(&lab);
    assert_eq!(lab.number("counters.spooled"), 1_500);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
    lab.assert_never_doubled();
    daemon.wait_logged("events from the spool were taken in");
    daemon.stop();
}

#[test]
fn what_is_spooled_while_the_daemon_runs_is_handled_at_once() {
    let lab = Lab::new().spooling();
    let _daemon = lab.daemon();
    for round in 1..=3 {
        // More than once: the file is another one each time.
        spool_old(&lab, round, &format!("e{round}"), 0, "{}");
        // Sooner than it would be looked at without being told.
        within(Duration::from_secs(3), "it is handled", || (lab.handled().len() >= 2 * round as usize).then_some(()));
        wait_drained(&lab);
    }
    fs::remove_dir_all(lab.path("spool")).unwrap();
    until_true("the directory is made anew", || lab.path("spool").is_dir());
    spool_old(&lab, 4, "e4", 0, "{}");
    lab.wait_handled(8);
}

#[test]
fn a_copy_of_what_was_drained_runs_once() {
    let lab = Lab::new().spooling();
    let ids = spool_some(&lab, 50);
    let copy = fs::read(events_file(&lab)).unwrap();
    let _daemon = lab.daemon();
    lab.wait_handled(300);
    wait_drained(&lab);
    for name in ["draining-00000000000000000001.spool", "events.spool"] {
        // By a rename, as the daemon takes what is there.
        fs::write(lab.path("copy"), &copy).unwrap();
        fs::rename(lab.path("copy"), lab.path("spool").join(name)).unwrap();
    }
    until_true("copies are known", || lab.number("counters.duplicates") == 300);
    wait_drained(&lab);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
}

/// Many events, of several sessions, in the spool at once; their ids.
fn spool_many(lab: &Lab, count: u64) -> HashSet<String> {
    let (mut ids, mut records) = (HashSet::new(), Vec::new());
    let triggered_at = proletarier_engine::wall().0;
    for number in 0..count {
        let id = format!("e{number}");
        let mut record = Vec::new();
        Record { id: &id, name: "one", triggered_at, params: b"{}", ..Record::default() }.encode(&mut record);
        records.push(([(number % 7) as u8; 16], number / 7, record));
        ids.insert(id);
    }
    let entries = records.iter().map(|(session, number, record)| Entry { session, number: *number, record });
    Spool::new(lab.spool().unwrap()).append(entries, false).unwrap();
    ids
}

/// A daemon that clients reach by TCP, and which drains no spool; where it is.
fn elsewhere(lab: Lab) -> (Lab, String) {
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    (lab.set("broker.bind", &endpoint[..]).set("client.spool", false), endpoint)
}

#[test]
fn clients_of_a_broker_elsewhere_drain_their_machines_spool() {
    let (lab, endpoint) = elsewhere(Lab::new().spooling());
    let flood = |confirm, count: usize, sleep: usize| {
        let options = json!({ "connect": endpoint, "timeout": 0.5 });
        lab.flood_with(&options, &json!({ "confirm": confirm, "name": "one", "count": count, "sleep": sleep }))
    };
    let mut clients = [flood("accepted", 300, 0), flood("deferred", 300, 0)];
    let mut ids: HashSet<String> = clients.iter_mut().flat_map(|client| client.finish_well()).collect();
    assert_eq!(ids.len(), 600);
    // It has spooled too, and lives on.
    let alive = flood("deferred", 20, 600);
    until_true("triggered", || alive.told().triggered.len() == 20);
    ids.extend(alive.told().triggered);
    let _daemon = lab.daemon();
    let other = flood("accepted", 5, 600);
    until_true("triggered", || other.told().triggered.len() == 5);
    ids.extend(other.told().triggered);
    lab.wait_handled(2 * 625);
    wait_drained(&lab);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
}

#[test]
fn sent_by_hand_what_is_spooled_is_handled_once_and_what_is_left_is_counted() {
    let (lab, endpoint) = elsewhere(Lab::new().spooling());
    let lab = lab.set("broker.max_message_size", 2_000);
    let target = Target { endpoint, broker_key: None, timeout: Duration::from_millis(300) };
    let ids = spool_many(&lab, 2_000);
    let options = lab.spool().unwrap();
    let go = AtomicBool::new(false);
    let sent = spool::send(&options, &target, &go);
    assert!(sent.events == 0 && sent.stopped.unwrap().to_string().contains("no broker answered at tcp://"));
    assert_eq!(spool::count(&options).unwrap(), 2_000);

    spool_old(&lab, 90_001, "old", 8, "{}");
    spool_old(&lab, 90_002, "large", 0, &json!({ "text": "x".repeat(3_000) }).to_string());
    spool_old(&lab, 90_003, "huge", 0, &json!({ "text": "x".repeat(300_000) }).to_string());
    let daemon = lab.daemon();
    let copy = lab.path("copy");
    fs::copy(events_file(&lab), &copy).unwrap();
    let sent = spool::send(&options, &Target { timeout: Duration::from_secs(10), ..target.clone() }, &go);
    assert!(sent.stopped.is_none(), "{sent:?}");
    assert_eq!((sent.events, sent.too_large), (2_002, 1));
    assert_eq!(spool::count(&options).unwrap(), 0);
    let aside = fs::read_dir(options.dir.join("damaged")).unwrap().flatten().next().unwrap();
    assert!(aside.metadata().unwrap().len() > 300_000, "nothing is dropped");
    // Copies are copies here, too.
    fs::rename(copy, events_file(&lab)).unwrap();
    let sent = spool::send(&options, &Target { timeout: Duration::from_secs(10), ..target }, &go);
    assert!(sent.stopped.is_none(), "{sent:?}");
    lab.wait_handled(4_000);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
    let failed = lab.ask(&json!({ "command": "failed" })).unwrap();
    let kinds: Vec<_> = failed["letters"].as_array().unwrap().iter().map(|letter| letter["kind"].clone()).collect();
    assert_eq!(kinds, ["stale_spool", "too_large"]);
    assert_eq!(daemon.processes().len(), 5, "no frame cost anybody the connection, or more");
}

#[test]
fn a_broker_killed_while_it_drains_loses_and_doubles_nothing() {
    let lab = Lab::new().spooling();
    let ids = spool_many(&lab, 20_000);
    let daemon = lab.daemon();
    for round in 1..=6 {
        lab.wait_handled(round * 2_000);
        let broker = daemon.broker();
        broker.kill();
        until_true("another broker", || daemon.processes().iter().any(|now| now.title == "broker" && now.pid != broker.pid));
    }
    lab.wait_handled(40_000);
    wait_drained(&lab);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
}

#[test]
fn a_broker_killed_the_moment_a_file_goes_has_kept_all_of_it() {
    let lab = Lab::new().spooling();
    let daemon = lab.daemon();
    let mut events = 0;
    for round in 0..4 {
        let broker = daemon.broker();
        for number in 0..200 {
            spool_old(&lab, 1_000 * round + number, &format!("e{round}.{number}"), 0, "{}");
            events += 1;
        }
        // No pause: what follows the removal is a matter of microseconds.
        let deadline = Instant::now() + LONG;
        while size(&lab.path("spool")) > 0 && Instant::now() < deadline {}
        broker.kill();
        until_true("another broker", || daemon.processes().iter().any(|now| now.title == "broker" && now.pid != broker.pid));
    }
    lab.wait_handled(2 * events);
    lab.wait_idle();
    assert_eq!(lab.successes().len(), 2 * events);
}

#[test]
fn a_daemon_killed_as_a_whole_while_it_drains_loses_nothing() {
    let lab = Lab::new().spooling();
    let ids = spool_many(&lab, 10_000);
    for round in 1..=3 {
        let daemon = lab.daemon();
        lab.wait_handled(round * 3_000);
        drop(daemon);
    }
    let _daemon = lab.daemon();
    until_true("each is handled", || lab.successes().len() >= 20_000);
    wait_drained(&lab);
    lab.wait_idle();
    let successes = lab.successes();
    assert_eq!(successes.len(), 2 * ids.len());
    let doubled = successes.values().filter(|count| **count > 1).count();
    // What two killed workers had begun, or had not told of yet.
    assert!(doubled <= 3 * 2 * 2, "{doubled} twice");
}

#[test]
fn what_came_before_the_spooled_copy_runs_once() {
    let lab = Lab::new().spooling();
    let daemon = lab.daemon();
    // Confirmed by nobody in time, as the broker is stopped, and in its socket all the same.
    let broker = daemon.broker();
    let mut client = lab.flood(0.3, &json!({ "confirm": "accepted", "name": "one", "count": 1 }));
    let mut ids: HashSet<String> = client.finish_well().into_iter().collect();
    broker.signal(nix::sys::signal::Signal::SIGSTOP);
    let mut client = lab.flood(0.3, &json!({ "confirm": "deferred", "name": "one", "count": 100, "pause": 0.01 }));
    ids.extend(client.finish_well());
    assert!(events_file(&lab).exists());
    broker.signal(nix::sys::signal::Signal::SIGCONT);
    lab.wait_handled(2 * ids.len());
    wait_drained(&lab);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &BOTH);
}

#[test]
fn what_cannot_be_handled_is_a_dead_letter_with_the_reason() {
    let lab = Lab::new().spooling().set("broker.max_message_size", 2_000);
    spool_old(&lab, 1, "young", 6, "{}");
    spool_old(&lab, 2, "old", 8, "{}");
    spool_old(&lab, 3, "large", 0, &json!({ "text": "x".repeat(3_000) }).to_string());
    Spool::new(lab.spool().unwrap()).append([Entry { session: &[5; 16], number: 4, record: b"no record" }], false).unwrap();
    let daemon = lab.daemon();
    lab.wait_handled(2);
    wait_drained(&lab);
    assert_eq!(lab.handled()[0].event, "young");
    let failed = lab.ask(&json!({ "command": "failed" })).unwrap();
    let letters = failed["letters"].as_array().unwrap();
    let kinds: Vec<_> = letters.iter().map(|letter| letter["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["stale_spool", "too_large", "malformed"]);
    assert!(letters[0]["error"].as_str().unwrap().contains("waited in the spool for 8 days"), "{}", letters[0]);
    daemon.wait_logged("dead letter: it will not be tried again by itself");
    // A replay of the one that was too old runs it.
    lab.ask(&json!({ "command": "failed_replay", "cursors": [letters[0]["cursor"]] })).unwrap();
    lab.wait_handled(4);
}

#[test]
fn a_damaged_file_is_drained_around_the_damage_which_is_set_aside_and_told_of() {
    let lab = Lab::new().spooling();
    spool_old(&lab, 1, "e1", 0, "{}");
    fs::OpenOptions::new().append(true).open(events_file(&lab)).unwrap().write_all(b"\xff\x50\xfe\x01 torn").unwrap();
    spool_old(&lab, 2, "e2", 0, "{}");
    let daemon = lab.daemon();
    lab.wait_handled(4);
    let line = daemon.wait_logged("part of a spool file is damaged, and was set aside");
    assert!(line["what"].as_str().unwrap().contains("9 bytes of a spool file in 1 places"), "{line}");
    let aside = fs::read_dir(lab.path("spool/damaged")).unwrap().flatten().next().unwrap();
    let aside = fs::read(aside.path()).unwrap();
    assert!(aside.windows(9).any(|bytes| bytes == b"\xff\x50\xfe\x01 torn"));
    wait_drained(&lab);
}

#[test]
fn a_file_of_another_version_is_left_and_told_of_and_hinders_nothing() {
    let lab = Lab::new().spooling();
    spool_old(&lab, 1, "foreign", 0, "{}");
    let mut bytes = fs::read(events_file(&lab)).unwrap();
    bytes[8] = 7;
    let crc = crc32fast::hash(&bytes[..12]).to_le_bytes();
    bytes[12..16].copy_from_slice(&crc);
    fs::write(events_file(&lab), bytes).unwrap();
    let daemon = lab.daemon();
    let line = daemon.wait_logged("the spool can't be drained, and what is in it waits");
    assert!(line["error"].as_str().unwrap().contains("version 7"), "{line}");
    spool_old(&lab, 1, "e1", 0, "{}");
    lab.wait_handled(2);
    assert_eq!(lab.handled()[0].event, "e1");
}

#[test]
fn while_too_much_waits_the_spool_waits_and_goes_first_after() {
    let lab = Lab::new().spooling().set("broker.max_pending", 20).set("worker.pool_size", 1);
    let daemon = lab.daemon();
    for number in 1..=400 {
        spool_old(&lab, number, &format!("s{number}"), 0, r#"{"sleep":0.002}"#);
    }
    let mut most = 0;
    until_true("all are handled", || {
        most = most.max(lab.number("backlog.pending"));
        lab.handled().len() >= 800
    });
    assert!(most <= 30, "{most} waited: the limit holds for what is spooled, too");
    wait_drained(&lab);
    let order: Vec<_> = lab.handled().into_iter().filter(|run| run.listener == "one").map(|run| run.event).collect();
    assert_eq!(order.len(), 400);
    assert!(daemon.broker().ticks < 1_000);
}

#[test]
fn what_the_broker_refuses_for_overload_comes_by_the_spool() {
    let lab = Lab::new().spooling().set("broker.max_pending", 50).set("worker.pool_size", 1);
    let _daemon = lab.daemon();
    let mut client =
        lab.flood(20.0, &json!({ "confirm": "deferred", "name": "one", "count": 1_000, "params": { "sleep": 0.0005 } }));
    let ids: HashSet<String> = client.finish_well().into_iter().collect();
    assert_eq!(ids.len(), 1_000);
    lab.wait_handled(2_000);
    wait_drained(&lab);
    lab.wait_idle();
    assert!(lab.number("counters.spooled") > 0);
    lab.assert_handled_once(&ids, &BOTH);
}

#[test]
fn a_spool_that_the_daemon_may_not_read_is_told_of_with_the_fix_and_drained_once_it_may() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not run: it needs root, to be two users");
        return;
    }
    let lab = Lab::new().spooling();
    chown(lab.dir.path(), Some(65_534), Some(65_534)).unwrap();
    spool_old(&lab, 1, "e1", 0, "{}");
    for path in [lab.path("spool"), events_file(&lab)] {
        chown(path, Some(0), Some(0)).unwrap();
    }
    set_permissions(lab.path("spool"), Permissions::from_mode(0o700)).unwrap();
    let daemon = lab.daemon_as(65_534);
    let line = daemon.wait_logged("the spool can't be drained, and what is in it waits");
    let words = line["error"].as_str().unwrap();
    assert!(words.contains("belongs to root") && words.contains("permissions.group") && words.contains("chgrp"), "{words}");
    for path in [lab.path("spool"), events_file(&lab), lab.path("spool/drain.lock")] {
        let _ = chown(path, Some(65_534), Some(65_534));
    }
    lab.wait_handled(2);
    wait_drained(&lab);
    let id = trigger(&lab.client(), Confirm::Accepted, "one", &json!({})).unwrap();
    lab.wait_handled(4);
    assert_eq!(lab.handled().iter().filter(|run| run.event == id).count(), 2);
    assert_eq!(Value::from(lab.handled().len()), json!(4));
}

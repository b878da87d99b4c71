//! Much that waits in one lane holds up no other, and takes no more memory than it may.

use crate::conforms::{NOW, store};
use bytes::Bytes;
use proletarier_core::backlog::{Append, Backlog, Completion, Reserved, Settlement};
use proletarier_core::delivery::{Delivery, Due};
use proletarier_core::lanes::{Lane, Lanes, PRIORITIES};
use proletarier_core::record::Record;
use proletarier_core::settings::Settings;
use proletarier_core::time::Now;
use proletarier_engine::store::Store;
use serde_json::json;
use std::path::Path;

const SLOW: Lane = PRIORITIES;

fn lanes() -> Lanes {
    let settings = Settings::read(&json!({"state_dir": "/nowhere", "queues": {"slow": {"events": "slow"}}})).unwrap();
    Lanes::new(settings.queues)
}

fn open(path: &Path) -> Store {
    let mut store = store(path, false);
    store.sort(lanes());
    store
}

fn record(name: &str, id: usize, size: usize) -> Vec<u8> {
    let (id, params, mut record) = (id.to_string(), format!("[\"{}\"]", "x".repeat(size)), Vec::new());
    Record { id: &id, name, params: params.as_bytes(), ..Record::default() }.encode(&mut record);
    record
}

fn append(name: &str, record: Bytes) -> Append {
    Delivery { lane: if name == "slow" { SLOW } else { 0 }, ..Delivery::first(record) }.into()
}

fn poll(store: &mut Store) -> Vec<Reserved> {
    let mut fetched = Vec::new();
    while let Some(completion) = store.poll() {
        match completion {
            Completion::Fetched(reserved) => fetched.extend(reserved),
            Completion::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    fetched
}

fn fetch(store: &mut Store, lane: Lane, count: usize) -> Vec<Reserved> {
    store.fetch_from(lane, count);
    poll(store)
}

fn settle(store: &mut Store, fetched: Vec<Reserved>) {
    store.settle(&mut fetched.into_iter().map(|reserved| (reserved.token, Settlement::Done)).collect(), NOW);
    poll(store);
}

fn known(store: &Store, lane: Lane) -> (u64, bool) {
    let count = store.lane_counts().into_iter().find(|count| count.lane == lane).unwrap();
    (count.pending, count.more)
}

fn id(reserved: &Reserved) -> usize {
    Record::decode(&reserved.delivery.record).unwrap().id.parse().unwrap()
}

#[test]
fn two_hundred_thousand_in_one_lane_hold_up_no_other() {
    const MANY: usize = 200_000;
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    for first in (0..MANY).step_by(1_000) {
        store.append(&mut (first..first + 1_000).map(|id| append("slow", record("slow", id, 150).into())).collect(), NOW);
        poll(&mut store);
    }
    store.append(&mut vec![append("quick", record("quick", MANY, 10).into())], NOW);
    poll(&mut store);
    assert_eq!(known(&store, SLOW), (MANY as u64, false));
    assert_eq!(fetch(&mut store, 0, 9).iter().map(id).collect::<Vec<_>>(), [MANY]);
    assert!(!store.may_have(0));
    drop(store);

    // After an opening it is behind them all. What comes meanwhile is behind that.
    let mut store = open(directory.path());
    store.append(&mut vec![append("quick", record("quick", MANY + 1, 10).into())], NOW);
    let (mut found, mut asked) = (Vec::new(), 0);
    while store.may_have(0) {
        found.extend(fetch(&mut store, 0, 9).iter().map(id));
        asked += 1;
    }
    assert_eq!(found, [MANY, MANY + 1]);
    assert!((20..200).contains(&asked), "each call reads a piece of it: {asked}");
    // Those of the slow lane that it passed by are in memory as far as there is room, and what is behind them is read again.
    let (before, more) = known(&store, SLOW);
    assert!(more && before > 1_000, "{before}");
    let mut next = 0;
    while store.may_have(SLOW) {
        let fetched = fetch(&mut store, SLOW, 1_000);
        fetched.iter().for_each(|reserved| {
            assert_eq!(id(reserved), next, "in their order");
            next += 1;
        });
        settle(&mut store, fetched);
    }
    assert_eq!((next, known(&store, SLOW)), (MANY, (0, false)));
}

#[test]
fn those_of_a_lane_that_nobody_fetches_keep_no_other_from_becoming_due() {
    const MANY: usize = 20_000;
    let directory = tempfile::tempdir().unwrap();
    let mut living = open(directory.path());
    let due = |at: u64, append: Append| {
        let delivery = Delivery { due: Some(Due::At(NOW.wall.plus(at))), ..append.delivery };
        Append { delivery, ..append }
    };
    living.append(&mut (0..MANY).map(|id| due(1 + id as u64, append("slow", record("slow", id, 9).into()))).collect(), NOW);
    living.append(&mut vec![due(MANY as u64 + 1, append("quick", record("quick", MANY, 9).into()))], NOW);
    poll(&mut living);
    let then = Now { wall: NOW.wall.plus(MANY as u64 + 2), ..NOW };
    let check = |store: &mut Store| {
        for _ in 0..MANY {
            if store.promote(then) != Some(0) {
                break;
            }
        }
        assert_eq!(fetch(store, 0, 9).iter().map(id).collect::<Vec<_>>(), [MANY]);
        assert_eq!(fetch(store, SLOW, 3).iter().map(id).collect::<Vec<_>>(), [0, 1, 2], "in their order");
        assert_eq!(known(store, SLOW), (MANY as u64 - 3, false));
    };
    check(&mut living);
    drop(living);
    check(&mut open(directory.path()));
}

/// Bytes that this process had in memory at most so far.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn what_waits_keeps_nothing_else_in_memory() {
    const NAME: &str = "lanes::what_waits_keeps_nothing_else_in_memory";
    const ALONE: &str = "PROLETARIER_ALONE";
    if std::env::var_os(ALONE).is_none() {
        // Others run beside it in this process.
        let itself = std::env::current_exe().unwrap();
        let run = std::process::Command::new(itself).args([NAME, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
        let words = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && words.contains("1 passed"), "{words}");
        return;
    }
    const MESSAGES: usize = 8_000;
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let before = peak();
    for message in 0..MESSAGES {
        // A message of 16 KB has one that waits, and the others are handled at once.
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        for place in 0..16 {
            let name = if place == 7 { "slow" } else { "quick" };
            let start = whole.len();
            whole.extend(record(name, message * 16 + place, 1_000));
            parts.push((name, start..whole.len()));
        }
        let whole = Bytes::from(whole);
        store.append(&mut parts.into_iter().map(|(name, part)| append(name, whole.slice(part))).collect(), NOW);
        poll(&mut store);
        let fetched = fetch(&mut store, 0, 100);
        assert_eq!(fetched.len(), 15);
        settle(&mut store, fetched);
        store.promote(NOW);
    }
    let grown = peak() - before;
    assert!(grown < 48 << 20, "{grown} bytes for {MESSAGES} of 1,000 bytes that wait");
    drop(store);
    // The same where they are read.
    let mut store = open(directory.path());
    while store.may_have(0) {
        assert!(fetch(&mut store, 0, 1).is_empty());
    }
    assert_eq!(known(&store, SLOW).0, MESSAGES as u64);
    let grown = peak() - before;
    assert!(grown < 48 << 20, "{grown} bytes for {MESSAGES} of 1,000 bytes that wait");
    assert_eq!(fetch(&mut store, SLOW, 5).iter().map(|reserved| id(reserved) % 16).collect::<Vec<_>>(), [7; 5]);
}

//! What a store that was opened again knows of what is in it.

use crate::conforms::{NOW, store};
use bytes::Bytes;
use proletarier_core::backlog::{Backlog, Completion, Reserved, Settlement, Waits};
use proletarier_core::delivery::{Delivery, Due};
use proletarier_core::time::Now;
use proletarier_engine::store::Store;

fn fetch(store: &mut Store, count: usize) -> Vec<Reserved> {
    store.fetch(count);
    std::iter::from_fn(|| store.poll())
        .find_map(|completion| if let Completion::Fetched(fetched) = completion { Some(fetched) } else { None })
        .unwrap_or_default()
}

#[test]
fn what_a_worker_holds_is_found_and_not_given_out_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut before = store(directory.path(), false);
    before.append(&mut ["a", "b"].map(|record| Delivery::first(record.into()).into()).into(), NOW);
    let held = fetch(&mut before, 1).remove(0);
    drop(before);

    // More than once: each opening leaves what was there before to the next.
    for _ in 0..3 {
        let mut store = store(directory.path(), false);
        assert_eq!(store.waiting(0, 10).items.len(), 2);
        assert_eq!(store.adopt(&held), Some(held.delivery.clone()));
        let waits: Vec<_> = store.waiting(0, 10).items.into_iter().map(|waiting| waiting.waits).collect();
        assert_eq!(waits, [Waits::Reserved, Waits::Pending]);
        let rest = fetch(&mut store, 10);
        assert_eq!(rest.iter().map(|reserved| &reserved.delivery.record[..]).collect::<Vec<_>>(), [b"b"]);
    }
}

#[test]
fn what_waits_is_listed_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = store(directory.path(), false);
    let delivery = |n: usize, due| Delivery { due, ..Delivery::first(Bytes::from(format!("{n}"))) };
    let later = Some(Due::At(NOW.wall.plus(1_000_000)));
    first.append(&mut (0..5).map(|n| delivery(n, later.filter(|_| n % 2 == 0)).into()).collect(), NOW);
    let before = first.waiting(0, 100);
    assert_eq!(before.items.len(), 5);
    while first.poll().is_some() {}
    drop(first);
    let mut second = store(directory.path(), false);
    assert_eq!(second.waiting(0, 100), before);
    assert_eq!(second.waiting(before.items[1].token, 1).items, before.items[2..3]);
}

#[test]
fn nothing_is_missing_where_a_segment_went_that_told_of_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut living = store(directory.path(), false);
    // Three fill a segment, where that is small because time passes.
    let fill = |store: &mut Store, minute: u64| {
        let now = Now { mono: NOW.mono.plus(minute * 60_000_000), ..NOW };
        store.append(&mut vec![Delivery::first(vec![b'x'; 300 << 10].into()).into(); 3], now);
        while store.poll().is_some() {}
    };
    let settle_all = |store: &mut Store| {
        for reserved in fetch(store, 10) {
            store.settle(&mut vec![(reserved.token, Settlement::Done)], NOW);
        }
        while store.poll().is_some() {}
        store.promote(NOW);
    };
    fill(&mut living, 1);
    settle_all(&mut living);
    fill(&mut living, 2);
    // The second tells that the first goes, and the third begins before that is so.
    settle_all(&mut living);
    fill(&mut living, 3);
    // The second goes.
    settle_all(&mut living);
    while living.poll().is_some() {}
    drop(living);
    let names = || std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names().filter(|name| name.ends_with(".journal")).collect::<Vec<_>>(), ["0000000000000003.journal"]);
    // Looks for what is missing itself.
    drop(store(directory.path(), false));
}

#[test]
fn what_is_due_counts_once_also_where_its_segment_is_full_before_it_is_fetched() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store(directory.path(), false);
    let due = Some(Due::At(NOW.wall.plus(1_000)));
    store.append(&mut vec![Delivery { due, ..Delivery::first("late".into()) }.into()], NOW);
    while store.poll().is_some() {}
    let later = Now { wall: NOW.wall.plus(1_000), ..NOW };
    store.promote(later);
    store.append(&mut vec![Delivery::first(vec![b'x'; 300 << 10].into()).into(); 4], later);
    while store.poll().is_some() {}
    store.promote(later);
    assert_eq!((store.counts().pending, store.counts().parked), (5, 0));
    assert_eq!(fetch(&mut store, 10).len(), 5);
    assert_eq!((store.counts().pending, store.counts().parked), (0, 0));
}

#[test]
fn where_nothing_waits_there_are_no_bytes_that_wait() {
    let directory = tempfile::tempdir().unwrap();
    let mut before = store(directory.path(), false);
    // What waits of a segment is taken for average when it is found.
    before.append(&mut vec![Delivery::first(vec![b'x'; 1_000].into()).into(), Delivery::first("small".into()).into()], NOW);
    let first = fetch(&mut before, 1).remove(0);
    before.settle(&mut vec![(first.token, Settlement::Done)], NOW);
    while before.poll().is_some() {}
    drop(before);
    let mut after = store(directory.path(), false);
    assert_eq!(fetch(&mut after, 10).len(), 1);
    assert_eq!(after.counts().bytes, 0);
}

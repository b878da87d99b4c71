//! What is listed after the store was opened again.

use super::conforms::{NOW, store};
use bytes::Bytes;
use proletarier_core::backlog::Backlog;
use proletarier_core::delivery::{Delivery, Due};

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

//! What a store that was opened again knows of what is in it.

use crate::conforms::{NOW, store};
use proletarier_core::backlog::{Backlog, Completion, Reserved, Waits};
use proletarier_core::delivery::Delivery;
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

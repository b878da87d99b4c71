//! The store passes the suite of the backlog port.

use proletarier_core::backlog::conformance;
use proletarier_core::time::{Mono, Now, Wall};
use proletarier_engine::store::{Directory, Store, open};
use std::path::Path;
use std::sync::Arc;

pub const NOW: Now = Now { mono: Mono(1_000), wall: Wall(1_000_000), dice: 0 };

pub fn store(path: &Path, threaded: bool) -> Store {
    let (store, found) = open(Arc::new(Directory::new(path.to_owned(), 0o600)), 7, NOW, threaded).unwrap();
    assert!(found.losses.is_none());
    store
}

#[test]
fn it_keeps_the_rules_of_the_port() {
    let directories = std::cell::RefCell::new(Vec::new());
    for threaded in [false, true] {
        conformance::check(|| {
            let directory = tempfile::tempdir().unwrap();
            let store = store(directory.path(), threaded);
            directories.borrow_mut().push(directory);
            store
        });
    }
}

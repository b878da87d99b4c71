//! Unique keys, over the wire.

use crate::support::{Lab, Publisher, event, until_true};
use proletarier_core::frame::RejectCode;
use proletarier_core::record::Record;

#[test]
fn the_same_gives_the_id_of_what_waits_or_runs_until_it_is_done() {
    let lab = Lab::new();
    let _daemon = lab.daemon();
    let mut publisher = Publisher::new(&lab);
    let unique = |id| Record { unique: Some("report"), params: b"{\"sleep\":0.3,\"throw\":\"one\"}", ..event(id, "one") };
    let delayed = Record { delay: Some(200_000), ..unique("first") };
    assert_eq!(publisher.refused(&delayed), None);
    let holder = Some((RejectCode::Unique, "first".to_owned()));
    assert_eq!(publisher.refused(&unique("second")), holder);
    // It runs, its retry waits, it runs again.
    until_true("the first attempt failed", || lab.number("counters.retried") == 1);
    assert_eq!(publisher.refused(&unique("third")), holder);
    until_true("it is done", || lab.number("counters.done") >= 1);
    until_true("the key is free", || publisher.refused(&unique("fourth")).is_none());
    let told: Vec<_> = lab.wait_handled(2).into_iter().map(|run| (run.event, run.listener)).collect();
    assert!(told.contains(&("first".to_owned(), "one".to_owned())), "{told:?}");
    assert!(lab.number("counters.unique") >= 2);
}

//! What is large is kept like anything else.

use crate::conforms::{NOW, store};
use bytes::Bytes;
use proletarier_core::backlog::{Append, Backlog, Completion, Replacement, Settlement};
use proletarier_core::delivery::{DeadLetter, Delivery};

#[test]
fn an_outcome_may_have_more_than_an_entry() {
    let directory = tempfile::tempdir().unwrap();
    let mut before = store(directory.path(), false);
    // The largest event there may be, dead for two listeners and to be tried again for a third.
    let record = Bytes::from(vec![b'x'; 64 << 20]);
    before.append(&mut vec![Append::from(Delivery::first(record.clone()))], NOW);
    before.fetch(1);
    let fetched = std::iter::from_fn(|| before.poll()).find_map(|told| match told {
        Completion::Fetched(fetched) => Some(fetched),
        _ => None,
    });
    let held = fetched.unwrap().remove(0);
    let dead = |listener: &str| {
        Replacement::Dead(DeadLetter { delivery: held.delivery.clone().for_listeners(vec![listener.into()]), at: 5 })
    };
    let again = held.delivery.clone().for_listeners(vec!["c".into()]);
    let replacements = vec![dead("a"), Replacement::Delivery(again.clone()), dead("b")];
    let ticket = before.settle(&mut vec![(held.token, Settlement::Replace(replacements))], NOW);
    assert!(std::iter::from_fn(|| before.poll()).any(|told| matches!(told, Completion::Done(done) if done == ticket)));
    drop((before, held));

    let mut after = store(directory.path(), false);
    let (counts, waiting) = (after.counts(), after.waiting(0, 10).items);
    assert_eq!((counts.pending, counts.dead), (1, 2));
    assert!(waiting.len() == 1 && waiting[0].delivery == again);
    let listeners: Vec<_> =
        after.dead(0, 10).items.into_iter().map(|(_, letter)| letter.delivery.only().unwrap().to_vec()).collect();
    assert_eq!(listeners, [["a".to_owned()], ["b".to_owned()]]);
}

//! Splits an event with parallel listeners, from the start: a delivery for each of these, and one for the others together.
//!
//! It is split when it is fetched, as its listeners are known only where there are workers. What comes of it stands in its place in the
//! backlog, so that each is settled by itself whoever dies.

use crate::backlog::{Replacement, Settlement};
use crate::delivery::{Delivery, Due};
use crate::listener::ListenerTable;
use crate::record::Record;
use crate::time::Now;

/// What stands in the place of a delivery that is about to be handed out; none: it goes as it is. What expired is not split.
pub(super) fn split(table: &ListenerTable, delivery: &Delivery, now: Now) -> Option<Settlement> {
    if !table.splits_any() || delivery.attempt != 1 || delivery.only().is_some() {
        return None;
    }
    let split = table.split(Record::head(&delivery.record)?.name)?;
    if delivery.expires.is_some_and(|expires| expires <= now.wall) {
        return None;
    }
    let together = (!split.together.is_empty()).then(|| split.together.clone());
    let each = together.into_iter().chain(split.parallel.iter().map(|id| vec![id.clone()]));
    let due = Some(Due::After(now.mono));
    Some(Settlement::Replace(each.map(|only| Replacement::Delivery(Delivery { due, ..delivery.for_listeners(only) })).collect()))
}

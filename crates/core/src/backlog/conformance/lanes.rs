//! Checks the rules of lanes: each keeps its order and holds up no other, whatever lanes there were before.

use super::{Backlog, NOW, append, finish, settle};
use crate::backlog::{Append, Completion, Counts, Replacement, Reserved, Settlement};
use crate::delivery::{Delivery, Due};
use crate::lanes::{Lane, Lanes, PRIORITIES};
use crate::record::Record;
use crate::settings::{Queues, Settings};
use crate::time::Now;
use serde_json::json;

pub(super) fn check<B: Backlog>(make: impl Fn() -> B) {
    each_lane_keeps_its_order_and_holds_up_no_other(&mut make());
    due_ones_are_of_their_lanes(&mut make());
    what_replaces_is_told_its_lane(&mut make());
    what_waits_is_sorted_anew(&mut make());
    what_is_cancelled_counts_in_no_lane(&mut make());
}

const DEFAULT: Lane = 0;
const FIRST: Lane = PRIORITIES;
const SECOND: Lane = 2 * PRIORITIES;

/// Lanes of the default queue and of these: each takes the events of its own name.
fn lanes(names: &[&str]) -> Lanes {
    let queues: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), json!({"events": [name]}))).collect();
    let settings = Settings::read(&json!({"state_dir": "/nowhere", "queues": queues}));
    Lanes::new(settings.map_or_else(|_| Queues::default(), |settings| settings.queues))
}

fn delivery(lanes: &Lanes, name: &str, id: usize) -> Delivery {
    let (id, mut bytes) = (id.to_string(), Vec::new());
    let record = Record { id: &id, name, params: b"{}", ..Record::default() };
    record.encode(&mut bytes);
    Delivery { lane: lanes.of_record(&record), ..Delivery::first(bytes.into()) }
}

/// Fetches from a lane until there is enough, or nothing more may be.
fn fetch<B: Backlog>(backlog: &mut B, lane: Lane, count: usize) -> Vec<Reserved> {
    let mut fetched = Vec::new();
    for _ in 0..10_000 {
        if fetched.len() == count || !backlog.may_have(lane) {
            assert!(fetched.iter().all(|reserved: &Reserved| reserved.delivery.lane == lane), "what is fetched says its lane");
            return fetched;
        }
        backlog.fetch_from(lane, count - fetched.len());
        if let Some(Completion::Fetched(more)) = backlog.poll() {
            fetched.extend(more);
        }
    }
    panic!("there may be something for ever, and nothing comes");
}

fn ids(fetched: &[Reserved]) -> Vec<usize> {
    let id = |reserved: &Reserved| Record::decode(&reserved.delivery.record).ok().and_then(|record| record.id.parse().ok());
    fetched.iter().filter_map(id).collect()
}

/// What is known to wait in a lane; none: more may.
fn known<B: Backlog>(backlog: &B, lane: Lane) -> Option<u64> {
    let counts = backlog.lane_counts();
    counts.iter().find(|count| count.lane == lane).map_or(Some(0), |count| (!count.more).then_some(count.pending))
}

fn each_lane_keeps_its_order_and_holds_up_no_other<B: Backlog>(backlog: &mut B) {
    let lanes = lanes(&["a", "b"]);
    backlog.sort(lanes.clone());
    append(backlog, (0..300).map(|id| delivery(&lanes, "a", id)));
    append(backlog, [("x", 300), ("b", 301), ("a", 302), ("x", 303)].map(|(name, id)| delivery(&lanes, name, id)));
    assert_eq!(known(backlog, DEFAULT), Some(2));
    assert_eq!(known(backlog, FIRST), Some(301));
    assert_eq!(ids(&fetch(backlog, DEFAULT, 9)), [300, 303], "what is behind others of another lane");
    assert_eq!(ids(&fetch(backlog, SECOND, 9)), [301]);
    assert!(!backlog.may_have(DEFAULT) && !backlog.may_have(SECOND), "all of it is fetched");
    assert_eq!(ids(&fetch(backlog, FIRST, 2)), [0, 1]);
    let rest = fetch(backlog, FIRST, 1_000);
    assert_eq!(ids(&rest), (2..300).chain([302]).collect::<Vec<_>>(), "a lane's order");
    assert_eq!(known(backlog, FIRST), Some(0));
    assert!(!backlog.may_have(FIRST));
}

fn due_ones_are_of_their_lanes<B: Backlog>(backlog: &mut B) {
    let lanes = lanes(&["a"]);
    backlog.sort(lanes.clone());
    let due = Some(Due::At(NOW.wall.plus(1)));
    append(backlog, [("a", 0), ("x", 1), ("a", 2)].map(|(name, id)| Delivery { due, ..delivery(&lanes, name, id) }));
    append(backlog, [("x", 3), ("a", 4)].map(|(name, id)| delivery(&lanes, name, id)));
    assert_eq!((known(backlog, DEFAULT), known(backlog, FIRST)), (Some(1), Some(1)), "what is parked is not pending");
    backlog.promote(Now { wall: NOW.wall.plus(1), ..NOW });
    assert_eq!((known(backlog, DEFAULT), known(backlog, FIRST)), (Some(2), Some(3)), "what is due is");
    assert_eq!(ids(&fetch(backlog, DEFAULT, 9)), [1, 3]);
    backlog.fetch_from(FIRST, 2);
    let Some(Completion::Fetched(both)) = backlog.poll() else { panic!("nothing of what is due") };
    assert_eq!(ids(&both), [0, 4], "a lane's due ones take at most half of it");
    assert_eq!(ids(&fetch(backlog, FIRST, 9)), [2]);
}

fn what_replaces_is_told_its_lane<B: Backlog>(backlog: &mut B) {
    let lanes = lanes(&["a"]);
    backlog.sort(lanes.clone());
    append(backlog, [delivery(&lanes, "a", 0)]);
    let reserved = fetch(backlog, FIRST, 1).remove(0);
    let stale = Delivery { attempt: 2, lane: DEFAULT, ..reserved.delivery };
    settle(backlog, reserved.token, Settlement::Replace(vec![Replacement::Delivery(stale)]));
    assert_eq!(fetch(backlog, DEFAULT, 9), []);
    assert_eq!(fetch(backlog, FIRST, 9)[0].delivery.attempt, 2);
}

fn what_waits_is_sorted_anew<B: Backlog>(backlog: &mut B) {
    let before = lanes(&["a", "b"]);
    backlog.sort(before.clone());
    append(backlog, [("a", 0), ("b", 1), ("x", 2), ("a", 3)].map(|(name, id)| delivery(&before, name, id)));
    let due = Some(Due::At(NOW.wall.plus(1)));
    append(backlog, [("b", 4), ("a", 5)].map(|(name, id)| Delivery { due, ..delivery(&before, name, id) }));
    append(backlog, [Delivery { due: Some(Due::At(NOW.wall.plus(9))), ..delivery(&before, "b", 6) }]);
    backlog.promote(Now { wall: NOW.wall.plus(1), ..NOW });
    let held = fetch(backlog, SECOND, 1);
    assert_eq!((ids(&held), ids(&fetch(backlog, FIRST, 1))), (vec![4], vec![5]), "what is due goes before");
    // What was of `a` is of no queue now.
    let after = lanes(&["b"]);
    backlog.sort(after.clone());
    append(backlog, [("x", 7), ("b", 8), ("a", 9)].map(|(name, id)| delivery(&after, name, id)));
    assert_eq!(ids(&fetch(backlog, DEFAULT, 9)), [0, 2, 3, 7, 9], "in the order in which they came");
    assert_eq!(ids(&fetch(backlog, FIRST, 9)), [1, 8], "what is reserved is not given out");
    backlog.promote(Now { wall: NOW.wall.plus(9), ..NOW });
    assert_eq!(ids(&fetch(backlog, FIRST, 9)), [6]);
    settle(backlog, held[0].token, Settlement::Done);
    assert_eq!(backlog.counts(), Counts { reserved: 9, ..Counts::default() }, "a hand-out from before is settled");
    assert!([DEFAULT, FIRST].iter().all(|lane| known(backlog, *lane) == Some(0)));
}

fn what_is_cancelled_counts_in_no_lane<B: Backlog>(backlog: &mut B) {
    let lanes = lanes(&["a"]);
    backlog.sort(lanes.clone());
    let due = Some(Due::At(NOW.wall.plus(1)));
    let mut batch: Vec<Append> = [("a", 0), ("a", 1)].map(|(name, id)| delivery(&lanes, name, id).into()).into();
    batch.extend([("a", 2), ("a", 3)].map(|(name, id)| Delivery { due, ..delivery(&lanes, name, id) }.into()));
    let ticket = backlog.append(&mut batch, NOW);
    finish(backlog, ticket);
    backlog.promote(Now { wall: NOW.wall.plus(1), ..NOW });
    assert_eq!(known(backlog, FIRST), Some(4));
    let waiting = backlog.waiting(0, 100).items;
    assert!(waiting.iter().all(|waiting| waiting.delivery.lane == FIRST), "a list says the lane");
    for waiting in [&waiting[0], &waiting[2]] {
        settle(backlog, waiting.token, Settlement::Done);
    }
    assert_eq!(known(backlog, FIRST), Some(2));
    assert_eq!(ids(&fetch(backlog, FIRST, 9)), [3, 1]);
    assert_eq!(known(backlog, FIRST), Some(0));
}

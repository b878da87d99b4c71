//! Provides the suite that every adapter of the backlog port passes. Each rule of the port is one function; a broken one panics with its name.

mod lanes;

use super::{Append, Backlog, Completion, Counts, Replacement, Reserved, Settlement, Waits};
use crate::delivery::{DeadLetter, Delivery, Due};
use crate::time::{Mono, Now, Wall};
use bytes::Bytes;

/// Runs every check on a fresh adapter each.
///
/// # Panics
/// Where the adapter breaks a rule.
pub fn check<B: Backlog>(make: impl Fn() -> B) {
    gives_out_in_order_and_once(&mut make());
    settles_with_replacements(&mut make());
    parks_until_due(&mut make());
    ignores_unknown_tokens(&mut make());
    keeps_replays_and_discards_dead_letters(&mut make());
    lists_and_cancels_what_waits(&mut make());
    gives_what_became_due_its_share(&mut make());
    tells_when_all_is_synced(&mut make());
    lanes::check(&make);
    if !make().capabilities().survives_broker {
        adopts_what_it_never_had(&mut make());
    }
}

const NOW: Now = Now { mono: Mono(1_000), wall: Wall(1_000_000), dice: 0 };

fn delivery(name: &str) -> Delivery {
    Delivery::first(Bytes::copy_from_slice(name.as_bytes()))
}

fn append<B: Backlog>(backlog: &mut B, deliveries: impl IntoIterator<Item = Delivery>) {
    let ticket = backlog.append(&mut deliveries.into_iter().map(Into::into).collect(), NOW);
    finish(backlog, ticket);
}

fn settle<B: Backlog>(backlog: &mut B, token: u64, settlement: Settlement) {
    let ticket = backlog.settle(&mut vec![(token, settlement)], NOW);
    finish(backlog, ticket);
}

fn finish<B: Backlog>(backlog: &mut B, ticket: u64) {
    loop {
        match backlog.poll() {
            Some(Completion::Done(done)) if done >= ticket => return,
            Some(Completion::Done(_)) => {}
            other => panic!("waited for ticket {ticket}, got {other:?}"),
        }
    }
}

fn fetch<B: Backlog>(backlog: &mut B, count: usize) -> Vec<Reserved> {
    backlog.fetch(count);
    match backlog.poll() {
        Some(Completion::Fetched(fetched)) => fetched,
        None => Vec::new(),
        other => panic!("waited for a fetch, got {other:?}"),
    }
}

fn names(reserved: &[Reserved]) -> Vec<&[u8]> {
    reserved.iter().map(|reserved| &reserved.delivery.record[..]).collect()
}

fn gives_out_in_order_and_once<B: Backlog>(backlog: &mut B) {
    append(backlog, ["a", "b", "c"].map(delivery));
    let first = fetch(backlog, 2);
    let second = fetch(backlog, 5);
    assert_eq!((names(&first), names(&second)), (vec![&b"a"[..], b"b"], vec![&b"c"[..]]), "order");
    assert!(fetch(backlog, 1).is_empty(), "a reserved delivery is not given out again");
    for reserved in second.iter().chain(&first) {
        settle(backlog, reserved.token, Settlement::Done);
    }
    assert_eq!(backlog.counts(), Counts::default(), "nothing is left of what is done");
}

fn settles_with_replacements<B: Backlog>(backlog: &mut B) {
    append(backlog, [delivery("a")]);
    let reserved = fetch(backlog, 1).remove(0);
    let retry = Delivery { attempt: 2, ..reserved.delivery.for_listeners(vec!["l".into()]) };
    let letter = DeadLetter { delivery: reserved.delivery.for_listeners(vec!["m".into()]), at: 5 };
    let replacements = vec![Replacement::Delivery(retry.clone()), Replacement::Dead(letter)];
    settle(backlog, reserved.token, Settlement::Replace(replacements));
    assert_eq!(backlog.counts(), Counts { pending: 1, dead: 1, bytes: 1, ..Default::default() }, "both are kept");
    assert_eq!(fetch(backlog, 1)[0].delivery, retry, "a replacement comes back as it was");
}

fn parks_until_due<B: Backlog>(backlog: &mut B) {
    let later = Delivery { due: Some(Due::After(NOW.mono.plus(500))), ..delivery("later") };
    let at = Delivery { due: Some(Due::At(NOW.wall.plus(200))), ..delivery("at") };
    append(backlog, [later, at]);
    assert!(fetch(backlog, 2).is_empty(), "nothing is given out before it is due");
    assert_eq!(backlog.promote(NOW), Some(200), "tells when the next is due");
    let then = Now { mono: NOW.mono.plus(100), wall: NOW.wall.plus(200), ..NOW };
    assert_eq!(backlog.promote(then), Some(400), "a clock that jumps fires no delay");
    assert_eq!(names(&fetch(backlog, 2)), [b"at"]);
    assert_eq!(backlog.promote(Now { mono: NOW.mono.plus(500), ..NOW }), None);
    assert_eq!(names(&fetch(backlog, 2)), [b"later"]);
}

fn ignores_unknown_tokens<B: Backlog>(backlog: &mut B) {
    append(backlog, [delivery("a")]);
    let reserved = fetch(backlog, 1).remove(0);
    let replacement = || Settlement::Replace(vec![Replacement::Delivery(delivery("x"))]);
    settle(backlog, reserved.token + 1, replacement());
    settle(backlog, reserved.token, Settlement::Done);
    settle(backlog, reserved.token, replacement());
    assert_eq!(backlog.counts(), Counts::default(), "a late outcome changes nothing");
}

fn adopts_what_it_never_had<B: Backlog>(backlog: &mut B) {
    let held = Reserved { token: 77, delivery: delivery("held") };
    backlog.adopt(&held);
    assert!(fetch(backlog, 1).is_empty(), "what a worker holds is reserved");
    settle(backlog, 77, Settlement::Replace(vec![Replacement::Delivery(held.delivery)]));
    assert_eq!(names(&fetch(backlog, 1)), [b"held"]);
}

fn letters<B: Backlog>(backlog: &mut B, names: impl IntoIterator<Item = &'static str>) -> Vec<(u64, DeadLetter)> {
    append(backlog, names.into_iter().map(delivery));
    for reserved in fetch(backlog, 100) {
        let letter = DeadLetter { delivery: reserved.delivery, at: 9 };
        settle(backlog, reserved.token, Settlement::Replace(vec![Replacement::Dead(letter)]));
    }
    backlog.dead(0, 100).items
}

fn keeps_replays_and_discards_dead_letters<B: Backlog>(backlog: &mut B) {
    let all = letters(backlog, ["a", "b", "c"]);
    assert_eq!(all.iter().map(|(_, letter)| &letter.delivery.record[..]).collect::<Vec<_>>(), [b"a", b"b", b"c"], "order");
    let (mut paged, mut after) = (Vec::new(), Some(0));
    while let Some(token) = after {
        let page = backlog.dead(token, 1);
        paged.extend(page.items);
        after = page.next;
    }
    assert_eq!(paged, all, "pages are the list");
    settle(backlog, all[0].0, Settlement::Done);
    settle(backlog, all[0].0, Settlement::Replace(vec![Replacement::Delivery(delivery("x"))]));
    settle(backlog, all[1].0, Settlement::Replace(vec![Replacement::Delivery(delivery("again"))]));
    assert_eq!(backlog.dead(0, 100).items, all[2..], "discarded and replayed ones are gone");
    assert_eq!(names(&fetch(backlog, 9)), [b"again"], "a replay goes out, once");
    let ticket = backlog.append(&mut vec![Append { delivery: delivery("stillborn"), origin: None, dead: Some(7) }], NOW);
    finish(backlog, ticket);
    let last = backlog.dead(all[2].0, 100).items.remove(0).1;
    assert_eq!((last.at, &last.delivery.record[..]), (7, &b"stillborn"[..]), "what is appended as dead is a dead letter");
    assert!(fetch(backlog, 9).is_empty());
}

fn lists_and_cancels_what_waits<B: Backlog>(backlog: &mut B) {
    append(backlog, ["a", "b"].map(delivery));
    append(backlog, [Delivery { due: Some(Due::At(NOW.wall.plus(9))), ..delivery("later") }]);
    let reserved = fetch(backlog, 1).remove(0);
    let (mut listed, mut after) = (Vec::new(), Some(0));
    while let Some(token) = after {
        let page = backlog.waiting(token, 1);
        listed.extend(page.items);
        after = page.next;
    }
    let seen: Vec<_> = listed.iter().map(|waiting| (&waiting.delivery.record[..], waiting.waits)).collect();
    assert_eq!(seen, [(&b"a"[..], Waits::Reserved), (b"b", Waits::Pending), (b"later", Waits::Parked)]);
    for waiting in listed {
        settle(backlog, waiting.token, Settlement::Done);
    }
    assert_eq!(backlog.counts(), Counts { reserved: 1, ..Counts::default() }, "what is reserved can't be cancelled");
    assert_eq!(backlog.promote(Now { wall: NOW.wall.plus(10), ..NOW }), None);
    assert!(fetch(backlog, 9).is_empty(), "what is cancelled never goes out");
    settle(backlog, reserved.token, Settlement::Done);
}

fn gives_what_became_due_its_share<B: Backlog>(backlog: &mut B) {
    append(backlog, ["a", "b", "c", "d"].map(delivery));
    let due = |name| Delivery { due: Some(Due::At(NOW.wall.plus(1))), ..delivery(name) };
    append(backlog, ["1", "2", "3"].map(due));
    backlog.promote(Now { wall: NOW.wall.plus(1), ..NOW });
    assert_eq!(names(&fetch(backlog, 4)), [b"1", b"2", b"a", b"b"]);
    assert_eq!(names(&fetch(backlog, 4)), [b"3", b"c", b"d"]);
}

fn tells_when_all_is_synced<B: Backlog>(backlog: &mut B) {
    let ticket = backlog.append(&mut vec![delivery("a").into()], NOW);
    backlog.sync();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match backlog.poll() {
            Some(Completion::Synced(synced)) if synced >= ticket => return,
            Some(Completion::Done(_)) => {}
            // It may be another thread that syncs.
            None if std::time::Instant::now() < deadline => std::thread::yield_now(),
            other => panic!("waited for a sync, got {other:?}"),
        }
    }
}

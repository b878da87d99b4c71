//! Tests of parallel listeners.

use super::*;

fn parallel(id: &str, event: &str) -> ListenerSpec {
    ListenerSpec { parallel: true, ..spec(id, event) }
}

fn staffed(listeners: Vec<ListenerSpec>) -> Rig {
    let mut rig = Rig::new();
    rig.hurry(8);
    rig.join(1, listeners);
    rig
}

/// What the chunks since the last look are for, by event.
fn parts(rig: &mut Rig) -> Vec<(String, Vec<String>)> {
    let chunks = rig.chunks();
    let deliveries = chunks.iter().flat_map(|(_, chunk)| &chunk.deliveries);
    deliveries.map(|one| (id(&one.delivery).to_owned(), only(&one.delivery).into_iter().map(str::to_owned).collect())).collect()
}

fn part(id: &str, only: &[&str]) -> (String, Vec<String>) {
    (id.to_owned(), only.iter().map(|&id| id.to_owned()).collect())
}

#[test]
fn each_is_a_delivery_of_its_own_and_the_others_are_one() {
    let mut rig = staffed(vec![spec("a", "x"), parallel("b", "x"), spec("c", "x"), parallel("all", "*")]);
    rig.publish("x", 1);
    assert_eq!(parts(&mut rig), [part("0", &["a", "c"]), part("0", &["b"]), part("0", &["all"])]);
    let counters = rig.queue.counters();
    assert_eq!((counters.accepted, counters.retried, counters.done), (1, 0, 0));
    assert_eq!(rig.backlog.counts().reserved, 3);
}

#[test]
fn one_that_fails_is_tried_again_alone_from_its_first_attempt_on() {
    let mut rig = staffed(vec![spec("a", "x"), parallel("b", "x")]);
    rig.publish("x", 1);
    let chunk = rig.chunk();
    assert!(chunk.deliveries.iter().all(|one| one.delivery.attempt == 1));
    rig.report(1, chunk.number, 2, true, vec![failed(1, 1, thrown())]);
    rig.pass(5 * SECOND);
    let again = rig.chunk();
    assert_eq!((only(&again.deliveries[0].delivery), again.deliveries[0].delivery.attempt), (vec!["b"], 2));
    assert_eq!(rig.queue.counters().done, 1);
}

#[test]
fn nothing_is_split_without_need() {
    for listeners in [
        vec![parallel("a", "x")],
        vec![spec("a", "x"), spec("b", "x"), parallel("c", "y")],
        vec![spec("a", "y"), parallel("all", "*")],
    ] {
        let mut rig = staffed(listeners);
        rig.publish("x", 1);
        assert_eq!(parts(&mut rig), [part("0", &[])]);
        assert_eq!(rig.backlog.counts().reserved, 1);
    }
}

#[test]
fn all_of_them_hold_the_key_together() {
    let mut rig = staffed(vec![spec("a", "x"), parallel("b", "x"), parallel("c", "x")]);
    for number in ["k1", "k2"] {
        rig.publish_record(&Record { key: Some("k"), unique: Some(number), ..named(number, "x") });
    }
    let chunk = rig.chunk();
    assert_eq!(ids(&chunk), ["k1", "k1", "k1"]);
    rig.report(1, chunk.number, 2, false, Vec::new());
    assert!(rig.chunks().is_empty());
    rig.report(1, chunk.number, 3, true, vec![failed(2, 2, thrown())]);
    assert!(rig.chunks().is_empty(), "one of them fails");
    rig.pass(5 * SECOND);
    let chunk = rig.chunk();
    assert_eq!(ids(&chunk), ["k1"]);
    rig.report(1, chunk.number, 1, true, Vec::new());
    assert_eq!(parts(&mut rig), [part("k2", &["a"]), part("k2", &["b"]), part("k2", &["c"])]);
}

#[test]
fn little_is_split_ahead_of_what_is_handled() {
    let mut rig = staffed(vec![spec("a", "x"), parallel("b", "x"), parallel("c", "x")]);
    rig.publish("x", 500);
    let (mut most, mut handled) = (0, 0);
    let count =
        |rig: &mut Rig| rig.backlog.waiting(0, usize::MAX).items.iter().filter(|one| one.delivery.only().is_some()).count();
    loop {
        let chunks = rig.chunks();
        if chunks.is_empty() {
            break;
        }
        for (id, chunk) in chunks {
            handled += chunk.deliveries.len();
            rig.report(id, chunk.number, chunk.deliveries.len() as u16, true, Vec::new());
            most = most.max(count(&mut rig));
        }
    }
    assert_eq!(handled, 1_500);
    assert!(most < 300, "{most} deliveries were there at once");
}

#[test]
fn what_expired_is_dropped_once() {
    let mut rig = Rig::new();
    let expires = Some(rig.now.wall.0 + SECOND);
    rig.publish_record(&Record { expires, ..named("1", "x") });
    rig.pass(2 * SECOND);
    rig.join(1, vec![spec("a", "x"), parallel("b", "x")]);
    assert_eq!((rig.queue.counters().expired, parts(&mut rig)), (1, vec![]));
}

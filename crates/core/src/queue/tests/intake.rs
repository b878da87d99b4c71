//! Tests of what comes from clients.

use super::*;

#[test]
fn one_bad_event_hurts_no_other() {
    let mut rig = Rig::new();
    let mut large = Vec::new();
    let params = format!("[{}]", "1,".repeat(1000));
    Record { id: "large", name: "x", params: params.as_bytes(), ..Record::default() }.encode(&mut large);
    let records = [record("a", "x"), Bytes::from_static(b"nonsense"), large.into(), record("b", "x")];
    let confirmation = rig.publish_batch(batch(5, records));
    let refused: Vec<_> = confirmation.exceptions.iter().map(|exception| (exception.number, exception.code)).collect();
    assert_eq!(refused, [(6, RejectCode::Malformed), (7, RejectCode::TooLarge)]);
    assert_eq!((confirmation.first, confirmation.count), (5, 4));
    assert_eq!(rig.waiting().iter().map(id).collect::<Vec<_>>(), ["a", "b"]);
    let counters = rig.queue.counters();
    assert_eq!((counters.accepted, counters.rejected, counters.duplicates), (2, 2, 0));
}

#[test]
fn what_comes_again_is_confirmed_and_not_kept() {
    let mut rig = Rig::new();
    let records = || ["a", "b", "c"].map(|id| record(id, "x"));
    rig.publish_batch(batch(1, records()));
    rig.publish_batch(batch(2, records().into_iter().skip(1)));
    // Another session's numbers are its own.
    rig.publish_batch(Publish { session: [8; 16], ..batch(1, records()) });
    assert_eq!(rig.waiting().len(), 6);
    assert_eq!(rig.queue.counters().duplicates, 2);
}

#[test]
fn what_was_refused_is_refused_again_and_taken_when_it_is_mended() {
    let mut rig = Rig::new();
    for _ in 0..2 {
        let confirmation = rig.publish_batch(batch(1, [Bytes::from_static(b"nonsense")]));
        assert_eq!(confirmation.exceptions.len(), 1);
    }
    assert!(rig.publish_batch(batch(1, [record("a", "x")])).exceptions.is_empty());
    assert_eq!(rig.waiting().len(), 1);
}

#[test]
fn a_batch_may_end_at_the_last_number_there_is() {
    let mut rig = Rig::new();
    assert_eq!(rig.publish_batch(batch(u64::MAX - 2, [record("a", "x"), record("b", "x")])).count, 2);
    assert_eq!(rig.waiting().len(), 2);
}

#[test]
fn an_unconfirmed_event_is_refused_in_words() {
    let mut rig = Rig::new();
    assert!(rig.queue.handle_unconfirmed(Bytes::from_static(b"nonsense"), rig.now, &mut rig.effects).is_err());
    assert!(rig.queue.handle_unconfirmed(record("a", "x"), rig.now, &mut rig.effects).is_ok());
    assert_eq!((rig.effects.append.len(), rig.effects.after.len()), (1, 0));
}

#[test]
fn a_delay_counts_from_when_the_broker_took_the_event_and_at_is_wall_time() {
    let mut rig = Rig::new();
    rig.join(1, vec![spec("l", "x")]);
    let timed = |id: &'static str, delay, at| {
        let mut out = Vec::new();
        Record { id, name: "x", params: b"{}", delay, at, ..Record::default() }.encode(&mut out);
        Bytes::from(out)
    };
    let at = rig.now.wall.0 + 3 * SECOND;
    rig.publish_batch(batch(1, [timed("delayed", Some(2 * SECOND), None), timed("dated", None, Some(at))]));
    rig.pass(2 * SECOND - 1);
    assert!(rig.chunks().is_empty());
    rig.pass(1);
    assert_eq!(ids(&rig.chunk()), ["delayed"]);
    rig.pass(SECOND);
    assert_eq!(ids(&rig.chunk()), ["dated"]);
}

#[test]
fn what_has_expired_is_not_handed_out() {
    let mut rig = Rig::new();
    let mut expiring = Vec::new();
    let expires = Some(rig.now.wall.0 + SECOND);
    Record { id: "expiring", name: "x", params: b"{}", expires, ..Record::default() }.encode(&mut expiring);
    let expiring = Bytes::from(expiring);
    rig.publish_batch(batch(1, [expiring.clone(), record("a", "x"), expiring.clone(), expiring]));
    rig.pass(SECOND);
    rig.join(1, vec![spec("l", "x")]);
    assert_eq!(ids(&rig.chunk()), ["a"]);
    assert_eq!((rig.queue.counters().expired, rig.backlog.counts().reserved), (3, 1));
}

#[test]
fn what_expires_is_told_before_it_is_gone() {
    let mut rig = Rig::new();
    let mut expiring = Vec::new();
    Record { expires: Some(rig.now.wall.0), ..named("expiring", "x") }.encode(&mut expiring);
    rig.publish_batch(batch(1, [expiring.into()]));
    let hello = Hello { listeners: vec![spec("l", "x")], ..Hello::default() };
    let backlog = &mut rig.backlog;
    backlog.fetch(1);
    let Some(Completion::Fetched(fetched)) = std::iter::from_fn(|| backlog.poll()).last() else { panic!("nothing waits") };
    rig.queue.handle_ready(1, Ready { hello, held: Vec::new() }, &mut |_| None, rig.now, &mut rig.effects).unwrap();
    rig.queue.handle_fetched(fetched, rig.now, &mut rig.effects);
    // A broker that is killed between the two leaves it to the next one, which tells of it again.
    assert!(matches!(&rig.effects.before[..], [Reply::Expired(_)]));
    assert_eq!((rig.effects.settle.len(), rig.effects.after.len()), (1, 0));
}

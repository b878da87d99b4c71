//! Tests of who gets what, and what is taken back.

use super::*;
use crate::queue::pace::MAX_BYTES;
use std::collections::{BTreeMap, VecDeque};

fn listener() -> Vec<ListenerSpec> {
    vec![spec("l", "x")]
}

fn large(id: &str, bytes: usize) -> Bytes {
    let mut out = Vec::new();
    let params = format!("[\"{}\"]", "x".repeat(bytes - 4));
    Record { id, name: "x", params: params.as_bytes(), ..Record::default() }.encode(&mut out);
    out.into()
}

#[test]
fn a_worker_has_so_many_bytes_at_once_and_one_record_more() {
    let mut rig = Rig::new();
    rig.queue.rules.max_message = 1 << 20;
    rig.hurry(64);
    rig.join(1, listener());
    let half = MAX_BYTES / 2;
    rig.publish_batch(batch(1, (0..4).map(|number| large(&number.to_string(), half))));
    let chunks = rig.chunks();
    assert_eq!(chunks.iter().map(|(_, chunk)| chunk.deliveries.len()).collect::<Vec<_>>(), [1, 1]);
    rig.report(1, 1, 1, true, Vec::new());
    assert_eq!(ids(&rig.chunk()), ["2"]);
}

#[test]
fn a_record_larger_than_that_goes_alone() {
    let mut rig = Rig::new();
    rig.queue.rules.max_message = 1 << 20;
    rig.hurry(64);
    rig.join(1, listener());
    rig.publish_batch(batch(1, [large("a", MAX_BYTES + 9), large("b", 9)]));
    assert_eq!(ids(&rig.chunk()), ["a"]);
}

#[test]
fn what_is_taken_back_no_longer_weighs() {
    let mut rig = Rig::new();
    rig.queue.rules.max_message = 1 << 20;
    rig.hurry(64);
    rig.join(1, listener());
    rig.publish_batch(batch(1, [large("a", MAX_BYTES + 9)]));
    let chunk = rig.chunk();
    rig.queue.handle_taken_back(1, chunk.number, 0, rig.now, &mut rig.effects);
    rig.keep();
    assert_eq!(ids(&rig.chunk()), ["a"], "it has room again");
}

#[test]
fn taking_back_is_exact() {
    let mut rig = Rig::new();
    rig.hurry(8);
    rig.join(1, listener());
    rig.publish("x", 5);
    rig.chunk();
    rig.report(1, 1, 1, false, Vec::new());
    rig.queue.handle_taken_back(1, 1, 3, rig.now, &mut rig.effects);
    // Nobody else is there, so that the rest comes again, in its order.
    rig.keep();
    assert_eq!(ids(&rig.chunk()), ["3", "4"]);
    assert_eq!(rig.queue.counters().taken_back, 2);
    // A limit only falls; the same answer again takes nothing.
    rig.queue.handle_taken_back(1, 1, 3, rig.now, &mut rig.effects);
    rig.queue.handle_taken_back(1, 1, 5, rig.now, &mut rig.effects);
    assert_eq!(rig.queue.counters().taken_back, 2);
    rig.report(1, 1, 3, true, Vec::new());
    rig.report(1, 2, 2, true, Vec::new());
    assert_eq!((rig.queue.counters().done, rig.queue.is_idle(), rig.backlog.counts().reserved), (5, true, 0));
}

#[test]
fn only_a_worker_that_is_held_up_gives_back_and_only_to_an_idle_one() {
    let mut rig = Rig::new();
    rig.hurry(8);
    rig.join(1, listener());
    rig.publish("x", 5);
    rig.chunks();
    rig.said.clear();
    assert_eq!(rig.queue.poll_timeout(rig.now), None, "nobody is idle");
    rig.pass(SECOND);
    assert!(rig.said.is_empty());
    rig.join(2, listener());
    assert_eq!(rig.queue.poll_timeout(rig.now), Some(0));
    rig.pass(0);
    assert_eq!(rig.said, [Reply::TakeBack(1, 1)]);
    assert_eq!(rig.queue.poll_timeout(rig.now), None, "asked once");
    rig.queue.handle_taken_back(1, 1, 1, rig.now, &mut rig.effects);
    rig.keep();
    let chunks = rig.chunks();
    let (second, _) = &chunks[0];
    assert_eq!(*second, 2);
}

#[test]
fn numbers_of_chunks_begin_again_without_two_in_one_place() {
    let mut rig = Rig::new();
    rig.queue.scheduler.observe(0, 1, 1);
    let last = crate::queue::hand_out::MAX_CHUNK_NUMBER;
    let hello = Hello { last_chunk: last - 2, listeners: listener(), ..Hello::default() };
    rig.ready(1, Ready { hello, held: Vec::new() });
    let mut numbers = Vec::new();
    for _ in 0..4 {
        rig.publish("x", 1);
        numbers.push(rig.chunk().number);
    }
    assert_eq!(numbers, [last - 1, last, 1, 2]);
    let mut places: Vec<_> = numbers.iter().map(|number| number % 4).collect();
    places.sort_unstable();
    assert_eq!(places, [0, 1, 2, 3]);
}

#[test]
fn a_remote_worker_gets_little_at_once() {
    let mut rig = Rig::new();
    rig.hurry(64);
    let hello = Hello { remote: true, listeners: listener(), ..Hello::default() };
    rig.ready(1, Ready { hello, held: Vec::new() });
    rig.publish("x", 100);
    let sizes: Vec<_> = rig.chunks().iter().map(|(_, chunk)| chunk.deliveries.len()).collect();
    assert_eq!(sizes, [4, 4]);
}

/// Workers that need so long for each delivery, in simulated time, each reporting what it has finished as the engine's do.
struct Shift {
    rig: Rig,
    hands: BTreeMap<WorkerId, VecDeque<Hand>>,
    busy_until: BTreeMap<WorkerId, u64>,
    started: Vec<String>,
}

struct Hand {
    chunk: HandOut,
    claimed: usize,
    finished: usize,
    limit: usize,
    micros: u32,
}

impl Shift {
    /// Runs until nothing is left; `micros` is how long an event takes. The times at which events were done, by id.
    fn run(mut self, micros: impl Fn(&str) -> u64) -> (BTreeMap<String, u64>, Vec<String>) {
        let mut done = BTreeMap::new();
        for _ in 0..100_000 {
            for (id, chunk) in self.rig.chunks() {
                let limit = chunk.deliveries.len();
                let hand = Hand { chunk, claimed: 0, finished: 0, limit, micros: 0 };
                self.hands.entry(id).or_default().push_back(hand);
            }
            for reply in std::mem::take(&mut self.rig.said) {
                let Reply::TakeBack(id, number) = reply else { continue };
                let hands = self.hands.entry(id).or_default();
                let Some(hand) = hands.iter_mut().find(|hand| hand.chunk.number == number) else { continue };
                hand.limit = hand.claimed;
                let limit = hand.limit as u16;
                self.rig.queue.handle_taken_back(id, number, limit, self.rig.now, &mut self.rig.effects);
                self.rig.keep();
            }
            let now = self.rig.now.mono.0;
            for id in self.hands.keys().copied().collect::<Vec<_>>() {
                if self.busy_until.get(&id).is_none_or(|until| *until <= now) {
                    self.turn(id, now, &micros, &mut done);
                }
            }
            let next = self.busy_until.values().filter(|until| **until > now).min().copied();
            let timeout = self.rig.queue.poll_timeout(self.rig.now).map(|timeout| now + timeout);
            if !self.rig.said.is_empty() {
                continue;
            }
            let Some(next) = next.into_iter().chain(timeout).min() else { return (done, self.started) };
            self.rig.pass(next.max(now + 1) - now);
        }
        panic!("it never ends");
    }

    /// The worker finishes what it had claimed, reports where that is due, and claims the next.
    fn turn(&mut self, id: WorkerId, now: u64, micros: &impl Fn(&str) -> u64, done: &mut BTreeMap<String, u64>) {
        self.busy_until.remove(&id);
        let hands = self.hands.get_mut(&id).unwrap();
        let mut reports = Vec::new();
        while let Some(hand) = hands.front_mut() {
            if hand.claimed > hand.finished {
                done.insert(ids(&hand.chunk)[hand.finished].to_owned(), now);
                hand.finished += 1;
            }
            if hand.claimed < hand.limit {
                let name = ids(&hand.chunk)[hand.claimed].to_owned();
                let needed = micros(&name);
                self.started.push(name);
                hand.claimed += 1;
                hand.micros += needed as u32;
                self.busy_until.insert(id, now + needed);
                break;
            }
            reports.push(Report {
                chunk: hand.chunk.number,
                finished: hand.finished as u16,
                closed: true,
                micros: hand.micros,
                failures: Vec::new(),
            });
            hands.pop_front();
        }
        for report in reports {
            self.rig.queue.handle_report(id, &report, self.rig.now, &mut self.rig.effects);
        }
        self.rig.keep();
    }
}

fn shift(workers: WorkerId) -> Shift {
    let mut rig = Rig::new();
    (1..=workers).for_each(|id| rig.join(id, listener()));
    Shift { rig, hands: BTreeMap::new(), busy_until: BTreeMap::new(), started: Vec::new() }
}

#[test]
fn a_slow_delivery_holds_up_nothing_but_itself() {
    // The slow one comes first, in the middle of the fast ones, and near their end.
    for slow in [0_u64, 500, 990] {
        let mut shift = shift(2);
        shift.rig.publish("x", 1001);
        let micros = |id: &str| if id == slow.to_string() { 5 * SECOND } else { 1_000 };
        let begin = shift.rig.now.mono.0;
        let (done, _) = shift.run(micros);
        assert_eq!(done.len(), 1001);
        let last_fast = done.iter().filter(|(id, _)| **id != slow.to_string()).map(|(_, at)| at - begin).max().unwrap();
        // One worker alone needs a second for all of them.
        assert!(last_fast < 1_100_000, "the fast ones took {last_fast} us with the slow one at {slow}");
        let all = done.values().max().unwrap() - begin;
        assert!(all < 5 * SECOND + 600_000, "it begins when its turn comes: {all} us");
    }
}

#[test]
fn one_worker_starts_events_as_they_came() {
    let mut shift = shift(1);
    shift.rig.publish("x", 500);
    let (_, started) = shift.run(|_| 100);
    assert!(started.iter().map(|id| id.parse::<u32>().unwrap()).eq(0..500));
}

#[test]
fn workers_share_the_work() {
    let mut shift = shift(4);
    shift.rig.publish("x", 400);
    let begin = shift.rig.now.mono.0;
    let (done, _) = shift.run(|_| 1_000);
    let all = done.values().max().unwrap() - begin;
    assert!(all < 115_000, "400 ms of work for four took {all} us");
}

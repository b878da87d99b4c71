//! Tries random histories: however events come to their ends, a unique key is held exactly by what is left of its event, and never longer; and
//! who waits for an event's end is told of it when nothing is left, and not before.

use super::*;
use crate::backlog::Waits;
use crate::queue::{ChunkRemains, Fate, ListenerMark, Remains};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        // SplitMix64, by Steele, Lea and Flood.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % count
    }

    fn chance(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// A key, and the event that has it.
type Holder = (String, String);

/// What is left of events with keys, as the backlog has it: how many deliveries hold each, and whether their time is not up. One that had lost
/// its key before holds nothing.
fn left(rig: &mut Rig) -> BTreeMap<Holder, (u32, bool)> {
    let mut left: BTreeMap<Holder, (u32, Wall)> = BTreeMap::new();
    for waiting in rig.backlog.waiting(0, usize::MAX).items {
        if let Some(unique) = waiting.delivery.unique() {
            let holder = (unique.key.to_string(), id(&waiting.delivery).to_owned());
            let (count, until) = left.entry(holder).or_insert((0, unique.until));
            match unique.until.cmp(until) {
                Ordering::Less => {}
                Ordering::Equal => *count += 1,
                Ordering::Greater => (*count, *until) = (1, unique.until),
            }
        }
    }
    left.into_iter().map(|(holder, (count, until))| (holder, (count, until > rig.now.wall))).collect()
}

fn check(rig: &mut Rig, seed: u64, step: usize) {
    let (open, left) = (rig.queue.books.uniques.open(), left(rig));
    for (holder, count) in &open {
        assert_eq!(left.get(holder).map(|(count, _)| count), Some(count), "seed {seed}, step {step}: {holder:?} of {left:?}");
    }
    for (holder, (_, live)) in &left {
        assert!(!live || open.contains_key(holder), "seed {seed}, step {step}: {holder:?} not in {open:?}");
    }
}

/// What is told of events that were taken in, all of which are watched.
fn check_fates(rig: &mut Rig, taken: &[String], seed: u64, step: usize) {
    let items = rig.backlog.waiting(0, usize::MAX).items;
    let left: BTreeSet<_> = items.iter().map(|waiting| id(&waiting.delivery)).collect();
    for event in taken {
        let fate = rig.queue.fate(event);
        let is_left = left.contains(event.as_str());
        assert!(is_left || fate != Fate::Waiting, "seed {seed}, step {step}: nobody says what became of {event}");
        assert!(!is_left || fate != Fate::Handled, "seed {seed}, step {step}: {event} is not handled yet");
    }
}

/// The chunks that workers have, by worker.
type Hands = BTreeMap<WorkerId, Vec<HandOut>>;

fn report(rig: &mut Rig, random: &mut Random, hands: &mut Hands, id: WorkerId) {
    let Some(chunk) = hands.get_mut(&id).filter(|chunks| !chunks.is_empty()).map(|chunks| chunks.remove(0)) else { return };
    let finished = chunk.deliveries.len() as u16;
    let mut failures = Vec::new();
    for place in 0..finished {
        for listener in 0..3 {
            let only = chunk.deliveries[usize::from(place)].delivery.only().map(<[String]>::to_vec);
            let takes = only.is_none_or(|only| only.contains(&["a", "b", "all"][usize::from(listener)].to_owned()));
            if takes && random.chance(3) {
                let kind = if random.chance(3) { FailureKind::Unrecoverable } else { FailureKind::Thrown };
                failures.push(failed(place, listener, Failure::new(kind, "E", "why")));
            }
        }
    }
    rig.report(id, chunk.number, finished, true, failures);
}

fn die(rig: &mut Rig, random: &mut Random, hands: &mut Hands, id: WorkerId) {
    let Some(chunks) = hands.remove(&id) else { return };
    let remains = |random: &mut Random| {
        let chunks = chunks.iter().take(1).map(|chunk| {
            let claimed = random.below(chunk.deliveries.len() as u64 + 1) as u16;
            let mark = ListenerMark { delivery: claimed.saturating_sub(1), listener: 0, failed: random.chance(2) };
            let marks = if claimed > 0 && random.chance(2) { vec![mark] } else { Vec::new() };
            ChunkRemains { number: chunk.number, finished: claimed.saturating_sub(1), claimed, marks }
        });
        Remains { chunks: chunks.collect(), listener: random.chance(2).then_some(1), end: "SIGKILL".into(), ..Remains::default() }
    };
    let remains = if random.chance(5) { None } else { Some(remains(random)) };
    rig.queue.handle_death(id, remains.as_ref(), rig.now, &mut rig.effects);
    rig.keep();
}

/// Broker and workers die, and the backlog does not. It tells of what it kept in any order.
fn restart(rig: &mut Rig, random: &mut Random) {
    rig.backlog.reopen();
    let kept = rig.backlog.waiting(0, usize::MAX).items.into_iter().map(|waiting| waiting.delivery);
    let mut uniques: Vec<_> = kept.filter_map(|delivery| Some((delivery.unique()?.clone(), id(&delivery).to_owned()))).collect();
    for place in (1..uniques.len()).rev() {
        uniques.swap(place, random.below(place as u64 + 1) as usize);
    }
    rig.queue = Queue::new(Rules { retry: policy(3), max_message: 1000 }).with_uniques(uniques);
}

fn run(seed: u64) {
    let (mut rig, mut random, mut hands, mut worker) = (Rig::new(), Random(seed), Hands::new(), 0);
    let mut taken = Vec::new();
    for step in 0..300 {
        match random.below(10) {
            0..3 => {
                let key = ["k", "l", "m"][random.below(3) as usize];
                let name = ["x", "x", "nobody"][random.below(3) as usize];
                let event = step.to_string();
                let record = Record {
                    unique: (!random.chance(5)).then_some(key),
                    unique_for: random.chance(2).then(|| random.below(20) * SECOND),
                    delay: random.chance(4).then(|| random.below(10) * SECOND),
                    expires: random.chance(5).then(|| rig.now.wall.0 + random.below(10) * SECOND),
                    ..named(&event, name)
                };
                rig.queue.watch(&event, rig.now);
                if rig.publish_record(&record).is_none() {
                    taken.push(event);
                }
            }
            3 if hands.len() < 3 => {
                worker += 1;
                hands.insert(worker, Vec::new());
                rig.join(
                    worker,
                    vec![spec("a", "x"), spec("b", "x"), spec("all", "*"), spec("herald", crate::queue::DEAD_EVENT)],
                );
            }
            4 => rig.pass(random.below(10) * SECOND),
            5 => {
                let page: Vec<_> = rig.backlog.waiting(0, usize::MAX).items.into_iter().filter(|_| random.chance(4)).collect();
                rig.queue.handle_cancel(&page, rig.now, &mut rig.effects);
                rig.keep();
            }
            6 => {
                let letters: Vec<_> = rig.letters().into_iter().filter(|_| random.chance(3)).collect();
                rig.queue.handle_replay(letters, rig.now, &mut rig.effects);
                rig.keep();
            }
            7 if random.chance(6) => {
                restart(&mut rig, &mut random);
                (hands, taken) = (Hands::new(), Vec::new());
            }
            7 if random.chance(3) => {
                let id = 1 + random.below(worker.max(1));
                die(&mut rig, &mut random, &mut hands, id);
            }
            _ => {
                let id = 1 + random.below(worker.max(1));
                report(&mut rig, &mut random, &mut hands, id);
            }
        }
        for (id, chunk) in rig.chunks() {
            hands.entry(id).or_default().push(chunk);
        }
        rig.said.clear();
        check(&mut rig, seed, step);
        check_fates(&mut rig, &taken, seed, step);
    }
    // When nothing is left, no key is held.
    let all = rig.backlog.waiting(0, usize::MAX).items;
    let running = all.iter().filter(|waiting| waiting.waits == Waits::Reserved).count() as u64;
    assert!(rig.queue.handle_cancel(&all, rig.now, &mut rig.effects).running <= running);
    for id in 1..=worker {
        while hands.get(&id).is_some_and(|chunks| !chunks.is_empty()) {
            let chunk = hands.get_mut(&id).map(|chunks| chunks.remove(0)).unwrap();
            rig.report(id, chunk.number, chunk.deliveries.len() as u16, true, Vec::new());
        }
    }
    assert_eq!(rig.queue.books.uniques.open(), BTreeMap::new(), "seed {seed}");
}

#[test]
fn no_history_leaks_a_key_or_leaves_somebody_waiting() {
    (0..100).for_each(run);
}

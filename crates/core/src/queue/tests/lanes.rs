//! Tests of queues: shares of the workers' time, caps, rates, priorities, pauses. Workers are simulated; how long an event takes is told by its name.

use super::*;
use crate::lanes::Lanes;
use crate::queue::{Flow, QueueView};
use crate::record::Priority;
use crate::settings::Settings;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A delivery that a worker has begun, or has in hand.
struct Held {
    chunk: u32,
    place: u16,
    last: bool,
    id: String,
    name: String,
}

#[derive(Default)]
struct Hands {
    held: VecDeque<Held>,
    /// When what it has begun is done.
    until: Option<u64>,
    spent: u32,
}

/// Workers at work.
struct Floor {
    rig: Rig,
    workers: BTreeMap<WorkerId, Hands>,
    /// Microseconds that an event of a name takes.
    takes: fn(&str) -> u64,
    /// Name, when it began, when it was done.
    runs: Vec<(String, String, u64, u64)>,
}

fn lanes(queues: &Value) -> Lanes {
    Lanes::new(Settings::read(&json!({ "runtime_dir": "/nowhere", "queues": queues })).unwrap().queues)
}

impl Floor {
    fn new(workers: WorkerId, queues: &Value, takes: fn(&str) -> u64) -> Self {
        let mut rig = Rig::new();
        rig.queue.set_lanes(lanes(queues));
        rig.backlog.sort(lanes(queues));
        (1..=workers).for_each(|id| rig.join(id, vec![spec("l", "*")]));
        Self { rig, workers: (1..=workers).map(|id| (id, Hands::default())).collect(), takes, runs: Vec::new() }
    }

    fn now(&self) -> u64 {
        self.rig.now.mono.0
    }

    fn publish_at(&mut self, name: &str, priority: Priority, count: usize) {
        for _ in 0..count {
            let id = self.rig.next.to_string();
            assert_eq!(self.rig.publish_record(&Record { priority, ..named(&id, name) }), None);
        }
    }

    /// Works for so many microseconds.
    fn work(&mut self, micros: u64) {
        let end = self.now() + micros;
        loop {
            self.take_up();
            let next = self.workers.values().filter_map(|hands| hands.until).min();
            let timeout = self.rig.queue.poll_timeout(self.rig.now).map(|timeout| self.now() + timeout);
            let next = next.into_iter().chain(timeout).min().filter(|next| *next <= end).unwrap_or(end);
            let now = self.now();
            self.rig.pass(next - now);
            self.finish_due();
            if self.now() == end && self.rig.said.is_empty() {
                self.take_up();
                return;
            }
        }
    }

    /// Workers get what was handed out, give back what is asked back, and begin the next where they are done.
    fn take_up(&mut self) {
        for reply in std::mem::take(&mut self.rig.said) {
            match reply {
                Reply::Chunk(id, chunk) => {
                    let last = chunk.deliveries.len() - 1;
                    let names = chunk.deliveries.iter().map(|reserved| {
                        let record = Record::decode(&reserved.delivery.record).unwrap();
                        (record.id.to_owned(), record.name.to_owned())
                    });
                    let held = names.enumerate().map(|(place, (id, name))| Held {
                        chunk: chunk.number,
                        place: place as u16,
                        last: place == last,
                        id,
                        name,
                    });
                    self.workers.get_mut(&id).unwrap().held.extend(held);
                }
                Reply::TakeBack(id, chunk) => {
                    let hands = self.workers.get_mut(&id).unwrap();
                    let first = hands.held.front().map(|held| (held.chunk, held.place));
                    let begun = |held: &Held| hands.until.is_some() && first == Some((held.chunk, held.place));
                    let limit =
                        hands.held.iter().filter(|held| held.chunk == chunk && begun(held)).map(|held| held.place + 1).max();
                    let limit =
                        limit.or_else(|| hands.held.iter().filter(|held| held.chunk == chunk).map(|held| held.place).min());
                    let Some(limit) = limit else { continue };
                    hands.held.retain(|held| held.chunk != chunk || held.place < limit);
                    let left = hands.held.iter_mut().rev().find(|held| held.chunk == chunk).map(|held| held.last = true);
                    let micros = if left.is_none() { std::mem::take(&mut hands.spent) } else { 0 };
                    self.rig.queue.handle_taken_back(id, chunk, limit, self.rig.now, &mut self.rig.effects);
                    if left.is_none() {
                        let report = Report { chunk, finished: limit, closed: true, micros, failures: Vec::new() };
                        self.rig.queue.handle_report(id, &report, self.rig.now, &mut self.rig.effects);
                    }
                    self.rig.keep();
                }
                _ => {}
            }
        }
        let now = self.now();
        for hands in self.workers.values_mut().filter(|hands| hands.until.is_none()) {
            hands.until = hands.held.front().map(|held| now + (self.takes)(&held.name));
        }
    }

    fn finish_due(&mut self) {
        let now = self.now();
        for id in 1..=self.workers.len() as WorkerId {
            let hands = self.workers.get_mut(&id).unwrap();
            if hands.until.is_none_or(|until| until > now) {
                continue;
            }
            hands.until = None;
            let Some(held) = hands.held.pop_front() else { continue };
            let takes = (self.takes)(&held.name);
            hands.spent += takes as u32;
            self.runs.push((held.name, held.id, now - takes, now));
            if held.last {
                let (micros, finished) = (std::mem::take(&mut hands.spent), held.place + 1);
                let report = Report { chunk: held.chunk, finished, closed: true, micros, failures: Vec::new() };
                self.rig.queue.handle_report(id, &report, self.rig.now, &mut self.rig.effects);
                self.rig.keep();
            }
        }
        self.take_up();
    }

    fn count(&self, name: &str) -> usize {
        self.runs.iter().filter(|run| run.0 == name).count()
    }

    /// The time that a name's events had of the workers.
    fn time(&self, name: &str) -> u64 {
        self.runs.iter().filter(|run| run.0 == name).map(|run| run.3 - run.2).sum()
    }

    /// How many of a name ran at a time at most.
    fn most_at_a_time(&self, name: &str) -> usize {
        let runs: Vec<_> = self.runs.iter().filter(|run| run.0 == name).collect();
        let at = |moment: u64| runs.iter().filter(|run| run.2 <= moment && moment < run.3).count();
        runs.iter().map(|run| at(run.2)).max().unwrap_or(0)
    }

    fn names_begun(&self) -> Vec<&str> {
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.2);
        runs.into_iter().map(|run| run.0.as_str()).collect()
    }

    fn figures(&mut self, name: &str) -> Flow {
        let place = self.rig.queue.lanes().place(name).unwrap();
        self.rig.queue.figures(place, self.rig.now).flow
    }

    fn view(&self, name: &str) -> QueueView {
        self.rig.queue.queues().into_iter().find(|queue| queue.name == name).unwrap()
    }
}

fn takes(name: &str) -> u64 {
    match name {
        "slow" => 5 * SECOND,
        "middle" => 20_000,
        _ => 1_000,
    }
}

#[test]
fn weights_share_the_time_of_workers() {
    for (light, heavy) in [("fast", "other"), ("middle", "fast"), ("fast", "middle")] {
        let queues = json!({ "l": { "events": light }, "h": { "events": heavy, "weight": 3 } });
        let mut floor = Floor::new(4, &queues, takes);
        floor.rig.publish(light, 20_000);
        floor.rig.publish(heavy, 20_000);
        floor.work(4 * SECOND);
        let share = floor.time(heavy) as f64 / floor.time(light) as f64;
        assert!((2.85..3.15).contains(&share), "{heavy} had {share} times what {light} had");
        let all = floor.time(heavy) + floor.time(light);
        assert!(all > 15_800_000, "the workers had something to do: {all}");
    }
}

#[test]
fn slow_events_have_no_more_than_their_part() {
    let mut floor = Floor::new(4, &json!({ "slow": { "events": "slow" }, "fast": { "events": "fast" } }), takes);
    // Their pace is known.
    floor.rig.publish("slow", 4);
    floor.work(6 * SECOND);
    floor.runs.clear();
    floor.rig.publish("slow", 1_000);
    floor.rig.publish("fast", 400_000);
    floor.work(100 * SECOND);
    let share = floor.time("slow") as f64 / floor.time("fast") as f64;
    assert!((0.85..1.15).contains(&share), "{share}");
}

#[test]
fn what_was_guessed_wrong_is_made_good() {
    let mut floor = Floor::new(4, &json!({ "slow": { "events": "slow" }, "fast": { "events": "fast" } }), takes);
    floor.rig.publish("slow", 40);
    floor.rig.publish("fast", 100_000);
    // Nobody knew how long they take, so that they have all workers. Then the others have nearly all of them for as long.
    assert_eq!(floor.view("slow").running, 4);
    floor.work(9_900_000);
    assert!(floor.time("fast") > 14_000_000, "{} us", floor.time("fast"));
    floor.work(10 * SECOND);
    assert!(floor.count("slow") > 5, "not for longer");
}

#[test]
fn nothing_is_saved_up() {
    let mut floor = Floor::new(2, &json!({ "a": { "events": "a" }, "b": { "events": "b" } }), takes);
    floor.rig.publish("a", 10_000);
    floor.work(4 * SECOND);
    floor.runs.clear();
    // b had nothing for four seconds. It does not have the workers for itself until it has caught up.
    floor.rig.publish("b", 10_000);
    floor.work(SECOND);
    let (a, b) = (floor.time("a") as f64, floor.time("b") as f64);
    assert!((0.8..1.3).contains(&(b / a)), "a had {a}, b had {b}");
}

#[test]
fn a_cap_leaves_workers_to_others() {
    let queues = json!({ "slow": { "events": "slow", "concurrency": 2 } });
    let mut floor = Floor::new(4, &queues, takes);
    floor.rig.publish("slow", 100);
    floor.work(SECOND);
    let mut waits = Vec::new();
    for _ in 0..2_000 {
        floor.rig.publish("fast", 1);
        let (came, before) = (floor.now(), floor.runs.len());
        floor.work(2_500);
        waits.extend(floor.runs[before..].iter().filter(|run| run.0 == "fast").map(|run| run.2.saturating_sub(came)));
    }
    assert_eq!((floor.most_at_a_time("slow"), waits.len()), (2, 2_000));
    waits.sort_unstable();
    assert!(waits[1_980] < 1_000, "the fast ones waited {} us", waits[1_980]);
    assert_eq!((floor.view("slow").running, floor.view("slow").concurrency), (2, Some(2)));
}

#[test]
fn what_a_cap_allows_is_spread_over_workers() {
    let mut floor = Floor::new(4, &json!({ "x": { "events": "x", "concurrency": 8 } }), takes);
    floor.rig.publish("x", 4_000);
    floor.work(SECOND);
    let done = floor.count("x");
    assert!(done > 3_500, "four workers do 4,000 in a second: {done}");
    assert!(floor.most_at_a_time("x") <= 4);
}

/// Whatever comes, whatever is taken back, whoever dies: no more are in workers' hands than may be.
#[test]
fn no_cap_is_ever_exceeded() {
    let mut number = 1_u64;
    let mut dice = move |count: u64| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) % count
    };
    let names = ["fast", "middle", "slow", "other"];
    for history in 0..150 {
        let caps = [1 + dice(5), 1 + dice(3), 1 + dice(70)];
        let queues = json!({
            "default": { "concurrency": caps[0] },
            "q": { "events": ["slow", "middle"], "concurrency": caps[1], "weight": 1 + dice(9) },
            "r": { "events": "other", "concurrency": caps[2], "rate": 20 + dice(500) },
        });
        let mut floor = Floor::new(1 + dice(6), &queues, takes);
        let size = [1, 4, 64][dice(3) as usize];
        (0..9).for_each(|lane| (0..9).for_each(|_| floor.rig.queue.scheduler.observe(lane, 1, 2_000 / size)));
        for _ in 0..60 {
            let priority = Priority::WORDS[dice(3) as usize].1;
            match dice(8) {
                0..3 => floor.publish_at(names[dice(4) as usize], priority, 1 + dice(40) as usize),
                3 => drop(floor.rig.queue.pause(["q", "r", "default"][dice(3) as usize])),
                4 => {
                    let now = floor.rig.now;
                    let _ = floor.rig.queue.resume(["q", "r", "default"][dice(3) as usize], now, &mut floor.rig.effects);
                    floor.rig.keep();
                }
                5 => {
                    let id = 1 + dice(floor.workers.len() as u64);
                    floor.workers.insert(id, Hands::default());
                    floor.rig.queue.handle_death(id, None, floor.rig.now, &mut floor.rig.effects);
                    floor.rig.keep();
                    let hands = |reply: &Reply| !matches!(reply, Reply::Chunk(to, _) | Reply::TakeBack(to, _) if *to == id);
                    floor.rig.said.retain(hands);
                    floor.rig.join(id, vec![spec("l", "*")]);
                }
                _ => floor.work(dice(30_000)),
            }
            for queue in floor.rig.queue.queues() {
                assert!(queue.running <= queue.concurrency.unwrap(), "history {history}: {queue:?}");
                let fetched = 4 * 64 * 5 * floor.workers.len();
                assert!(queue.ready <= 3 * fetched, "history {history}: {queue:?}");
            }
        }
        for name in ["q", "r", "default"] {
            floor.rig.queue.resume(name, floor.rig.now, &mut floor.rig.effects).unwrap();
        }
        floor.rig.keep();
        floor.work(20_000 * SECOND);
        assert!(floor.rig.queue.is_idle(), "history {history}: something is left {:?}", floor.rig.queue.queues());
        assert_eq!(floor.rig.backlog.counts().pending, 0, "history {history}");
    }
}

#[test]
fn a_rate_is_exact() {
    let mut floor = Floor::new(2, &json!({ "x": { "events": "x", "rate": 10 } }), takes);
    floor.rig.publish("x", 1_000);
    floor.rig.publish("fast", 1_000);
    for second in 0..20 {
        floor.work(SECOND - if second == 0 { 50_000 } else { 0 });
        assert_eq!(floor.count("x"), 19 + 10 * second, "a second's worth at once, and ten a second");
    }
    assert_eq!(floor.count("fast"), 1_000);
}

#[test]
fn what_is_taken_back_has_its_tokens_back() {
    let mut floor = Floor::new(1, &json!({ "x": { "events": "x", "rate": 2 } }), takes);
    (0..9).for_each(|_| floor.rig.queue.scheduler.observe(3, 1, 10));
    floor.rig.publish("x", 4);
    let chunk = floor.rig.chunk();
    assert_eq!(chunk.deliveries.len(), 2);
    floor.rig.queue.handle_taken_back(1, chunk.number, 0, floor.rig.now, &mut floor.rig.effects);
    floor.rig.keep();
    assert_eq!(floor.rig.chunk().deliveries.len(), 2);
    assert_eq!(floor.rig.queue.poll_timeout(floor.rig.now), Some(500_000));
}

#[test]
fn a_paused_queue_gets_nothing_and_goes_on() {
    let mut floor = Floor::new(2, &json!({ "a": { "events": "a" }, "b": { "events": "b" } }), takes);
    assert_eq!(floor.rig.queue.pause("a"), Ok(true));
    assert_eq!(floor.rig.queue.pause("a"), Ok(false));
    let error = floor.rig.queue.pause("defualt").unwrap_err();
    assert_eq!(error.to_string(), "there is no queue \"defualt\"; did you mean default? There are: default, a, b");
    floor.rig.publish("a", 100);
    floor.rig.publish("b", 100);
    floor.work(SECOND);
    assert_eq!((floor.count("a"), floor.count("b")), (0, 100));
    assert!(floor.view("a").paused && !floor.view("b").paused);
    assert_eq!(floor.rig.queue.poll_timeout(floor.rig.now), None, "nothing is looked at again and again");
    let (now, effects) = (floor.rig.now, &mut floor.rig.effects);
    assert_eq!(floor.rig.queue.resume("a", now, effects), Ok(true));
    floor.rig.keep();
    floor.work(SECOND);
    assert_eq!((floor.count("a"), floor.figures("a").done), (100, 100));
}

#[test]
fn what_is_fetched_of_a_paused_queue_stays_and_no_more_comes() {
    let mut floor = Floor::new(1, &json!({ "a": { "events": "a" } }), takes);
    floor.rig.publish("a", 100);
    floor.rig.queue.pause("a").unwrap();
    floor.work(SECOND);
    let (view, running) = (floor.view("a"), floor.count("a"));
    assert!(running <= 2, "it had begun these: {running}");
    assert!(floor.rig.queue.wants().iter().all(|(lane, _)| Lanes::queue(*lane) == 0));
    assert!(view.ready < 10, "{view:?}");
}

#[test]
fn high_goes_before_normal_and_low_goes_last() {
    let mut floor = Floor::new(1, &json!({}), takes);
    floor.publish_at("low", Priority::Low, 50);
    floor.publish_at("normal", Priority::Normal, 50);
    floor.publish_at("high", Priority::High, 50);
    floor.work(SECOND);
    let begun = floor.names_begun();
    assert_eq!(begun.len(), 150);
    let last = |name: &str| begun.iter().rposition(|begun| *begun == name).unwrap();
    let of_low_before = begun[..last("high")].iter().filter(|name| **name != "high").count();
    assert!(of_low_before <= 4, "a worker had some in hand: {of_low_before}");
    assert!(last("normal") < last("low"));
    let of_low_before = begun[..last("normal")].iter().filter(|name| **name == "low").count();
    assert!(of_low_before <= 4, "{of_low_before}");
}

#[test]
fn a_retry_keeps_its_lane() {
    let mut floor = Floor::new(1, &json!({ "a": { "events": "a" } }), takes);
    floor.publish_at("a", Priority::High, 1);
    floor.rig.report(1, 1, 1, true, vec![failed(0, 0, thrown())]);
    let lane = floor.rig.backlog.waiting(0, 9).items[0].delivery.lane;
    assert_eq!((floor.figures("a").failed, lane), (1, 4));
}

#[test]
fn nothing_goes_behind_what_is_slow() {
    let mut floor = Floor::new(2, &json!({ "slow": { "events": "slow" } }), takes);
    (0..9).for_each(|_| floor.rig.queue.scheduler.observe(0, 1, 10));
    floor.rig.publish("slow", 2);
    floor.rig.publish("fast", 10);
    assert_eq!(floor.rig.queue.ready(), 10, "they wait for whoever is free first");
    floor.work(5 * SECOND - 1);
    assert_eq!(floor.count("fast"), 0);
    floor.work(SECOND);
    assert_eq!(floor.count("fast"), 10);
}

#[test]
fn other_queues_sort_everything_anew() {
    let mut floor = Floor::new(1, &json!({ "a": { "events": "x" }, "b": {} }), takes);
    floor.rig.publish("x", 40);
    floor.work(5_000);
    let (done, running) = (floor.figures("a").done, floor.view("a").running);
    floor.rig.queue.pause("a").unwrap();
    let queues = json!({ "a": {}, "z": { "events": "x", "concurrency": 1 } });
    floor.rig.queue.set_lanes(lanes(&queues));
    floor.rig.backlog.sort(lanes(&queues));
    assert!(floor.rig.queue.paused().contains("a") && !floor.view("z").paused, "a pause is its queue's");
    assert_eq!((floor.figures("a").done, floor.view("a").ready, floor.view("z").running), (done, 0, running));
    assert!(floor.view("z").ready > 0);
    floor.rig.keep();
    floor.work(SECOND);
    assert_eq!(floor.count("x"), 40);
    let resumed = floor.rig.queue.resume("a", floor.rig.now, &mut floor.rig.effects);
    assert_eq!(resumed, Ok(true));
    assert_eq!(floor.rig.queue.paused(), &BTreeSet::new());
}

#[test]
fn a_queue_that_nobody_knows_is_told_of_once() {
    let mut floor = Floor::new(1, &json!({ "a": { "events": "x" } }), takes);
    for id in ["1", "2"] {
        assert_eq!(floor.rig.publish_record(&Record { queue: Some("b"), ..named(id, "x") }), None);
    }
    let told = floor.rig.said.iter().filter(|reply| **reply == Reply::UnknownQueue("b".into())).count();
    floor.work(SECOND);
    assert_eq!((told, floor.figures("a").done), (1, 2), "its name's queue has it");
}

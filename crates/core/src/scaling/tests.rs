//! Simulates pools under bursts, ramps and a slow dependency: how soon more workers are asked for, how many too many, and that they go again.
//! `cargo test -p proletarier-core scaling -- --nocapture` prints the figures.

use super::*;
use std::collections::{BTreeMap, VecDeque};

const MILLI: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// What a worker takes to boot.
const BOOT: u64 = 60 * MILLI;
/// Steps of time.
const STEP: u64 = MILLI;

/// What comes, at a moment: how many deliveries, and how long each takes.
type Arrivals = Box<dyn FnMut(u64) -> (u64, u64)>;

/// A pool that works in order, a delivery at a time for each worker, and reports each when it is finished.
struct Pool {
    scaling: Scaling,
    queue: VecDeque<(u64, u64)>,
    /// When each worker is free again, and how long its delivery took.
    workers: Vec<Option<(u64, u64)>>,
    booting: VecDeque<u64>,
    load: Load,
    longest_wait: u64,
    /// Moments at which the target changed, and to what.
    targets: Vec<(u64, u16)>,
    looks: BTreeMap<u64, u64>,
    look_at: u64,
    changed: bool,
}

impl Pool {
    fn new(min: u16, max: u16) -> Self {
        Self {
            scaling: Scaling::new(min, max, min, Mono(0)),
            queue: VecDeque::new(),
            workers: vec![None; min.into()],
            booting: VecDeque::new(),
            load: Load::default(),
            longest_wait: 0,
            targets: Vec::new(),
            looks: BTreeMap::new(),
            look_at: 0,
            changed: true,
        }
    }

    /// Runs until `end`, in microseconds.
    fn run(&mut self, from: u64, end: u64, mut arrivals: Arrivals) {
        let mut now = from;
        while now < end {
            let (count, micros) = arrivals(now);
            self.queue.extend((0..count).map(|_| (now, micros)));
            self.changed |= count > 0;
            self.step(now);
            now += STEP;
        }
    }

    fn step(&mut self, now: u64) {
        while self.booting.front().is_some_and(|ready| *ready <= now) {
            self.booting.pop_front();
            self.workers.push(None);
            self.changed = true;
        }
        for worker in &mut self.workers {
            if let Some((_, micros)) = worker.filter(|(free_at, _)| *free_at <= now) {
                (self.load.finished, self.load.worked) = (self.load.finished + 1, self.load.worked + micros);
                *worker = None;
                self.changed = true;
            }
            if worker.is_none()
                && let Some((came, micros)) = self.queue.pop_front()
            {
                *worker = Some((now + micros, micros));
                self.longest_wait = self.longest_wait.max(now - came);
            }
        }
        self.load.workers = self.workers.len();
        self.load.busy = self.workers.iter().flatten().count();
        self.load.waiting = self.queue.len() as u64;
        // As the broker: when something happens, and when the policy asks for it.
        if !std::mem::take(&mut self.changed) && now < self.look_at {
            return;
        }
        *self.looks.entry(now / SECOND).or_default() += 1;
        if let Some(target) = self.scaling.observe(&self.load, Mono(now)) {
            self.targets.push((now, target));
        }
        self.look_at = self.scaling.poll_timeout(&self.load, Mono(now)).map_or(u64::MAX, |micros| now + micros);
        let target = usize::from(self.scaling.target());
        while self.workers.len() + self.booting.len() < target {
            self.booting.push_back(now + BOOT);
        }
        while self.workers.len() > target
            && let Some(idle) = self.workers.iter().position(Option::is_none)
        {
            self.workers.remove(idle);
        }
    }

    fn most(&self) -> u16 {
        self.targets.iter().map(|(_, target)| *target).max().unwrap_or(self.scaling.min)
    }

    /// When it first asked for more, after `from`.
    fn reaction(&self, from: u64) -> Option<u64> {
        self.targets.iter().find(|(at, _)| *at >= from).map(|(at, _)| at - from)
    }

    /// How often the target turned: down after up, or up after down.
    fn turns(&self) -> usize {
        let steps: Vec<_> = self.targets.windows(2).map(|pair| pair[1].1 > pair[0].1).collect();
        steps.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    fn print(&self, what: &str, ideal: u16, from: u64) {
        let reaction = self.reaction(from).map_or("-".into(), |micros| format!("{} ms", micros / MILLI));
        println!(
            "{what:<44} ideal {ideal:>3}   most {:>3}   first step up after {reaction:>7}   longest wait {:>6} ms   turns {}",
            self.most(),
            self.longest_wait / MILLI,
            self.turns()
        );
    }
}

fn nothing() -> Arrivals {
    Box::new(|_| (0, 0))
}

/// A burst at one second.
fn burst(count: u64, micros: u64) -> Arrivals {
    Box::new(move |now| if now == SECOND { (count, micros) } else { (0, 0) })
}

/// `rate` a second of deliveries that take `micros`, both by the moment.
fn flow(rate: impl Fn(u64) -> f64 + 'static, micros: impl Fn(u64) -> u64 + 'static) -> Arrivals {
    let mut owed = 0.0;
    Box::new(move |now| {
        owed += rate(now) * STEP as f64 / SECOND as f64;
        let count = owed as u64;
        owed -= count as f64;
        (count, micros(now))
    })
}

#[test]
fn a_burst_gets_what_does_it_within_a_second_and_no_more() {
    for (count, micros) in [(1_000, 10 * MILLI), (200, 100 * MILLI), (20, SECOND), (20_000, MILLI), (4, 5 * SECOND)] {
        let mut pool = Pool::new(2, 40);
        pool.run(0, 20 * SECOND, burst(count, micros));
        let ideal = (count * micros).div_ceil(HORIZON).clamp(2, count.min(40)) as u16;
        pool.print(&format!("burst of {count} x {} ms", micros / MILLI), ideal, SECOND);
        assert!(pool.reaction(SECOND).unwrap() <= 500 * MILLI, "it reacts soon: {:?}", pool.targets);
        assert!(pool.most() <= ideal + ideal / 2 + 2, "it does not overshoot: {:?}", pool.targets);
        assert!(pool.most() >= ideal / 2, "it does enough: {:?}", pool.targets);
        assert!(pool.queue.is_empty());
    }
}

#[test]
fn a_burst_that_is_over_soon_needs_nobody() {
    let mut pool = Pool::new(4, 40);
    pool.run(0, 3 * SECOND, burst(200, MILLI));
    pool.print("burst of 200 x 1 ms for 4 workers", 4, SECOND);
    assert_eq!(pool.targets, []);
}

#[test]
fn a_ramp_is_followed() {
    let mut pool = Pool::new(1, 40);
    // To 200 a second of 100 ms, in ten seconds: twenty workers' work.
    let rate = |now: u64| (now.saturating_sub(SECOND) as f64 / SECOND as f64 * 20.0).min(200.0);
    pool.run(0, 40 * SECOND, flow(rate, |_| 100 * MILLI));
    pool.print("ramp to 200/s x 100 ms", 20, SECOND);
    assert!((20..=30).contains(&pool.most()), "{:?}", pool.targets);
    assert!(pool.longest_wait < SECOND, "{}", pool.longest_wait);
    assert_eq!(pool.turns(), 0, "{:?}", pool.targets);
}

#[test]
fn a_slow_dependency_gets_more_workers_up_to_the_most_and_lets_them_go_after() {
    let mut pool = Pool::new(2, 30);
    // 50 a second take 10 ms each; from the fifth to the fifteenth second 2 s.
    let micros = |now: u64| if (5 * SECOND..15 * SECOND).contains(&now) { 2 * SECOND } else { 10 * MILLI };
    pool.run(0, 30 * SECOND, flow(|_| 50.0, micros));
    pool.print("50/s whose 10 ms become 2 s", 30, 5 * SECOND);
    let reaction = pool.reaction(5 * SECOND).unwrap();
    assert!(reaction <= 800 * MILLI, "{reaction}: {:?}", pool.targets);
    assert_eq!(pool.most(), 30);
    pool.run(30 * SECOND, 240 * SECOND, flow(|_| 50.0, |_| 10 * MILLI));
    assert_eq!(pool.scaling.target(), 2, "{:?}", pool.targets);
    assert_eq!(pool.turns(), 1, "no flapping: {:?}", pool.targets);
}

#[test]
fn they_go_one_by_one_after_a_calm_and_then_nothing_wakes_up() {
    let mut pool = Pool::new(2, 40);
    pool.run(0, 10 * SECOND, burst(100, 100 * MILLI));
    let most = pool.most();
    let raised = pool.targets.iter().find(|(_, target)| *target == most).unwrap().0;
    pool.run(10 * SECOND, 200 * SECOND, nothing());
    let downs: Vec<_> = pool.targets.iter().filter(|(at, _)| *at > raised).collect();
    assert!(downs[0].0 - raised >= CALM, "{downs:?}");
    assert!(downs.windows(2).all(|pair| pair[1].0 - pair[0].0 >= DOWN_PAUSE && pair[1].1 + 1 == pair[0].1), "{downs:?}");
    assert_eq!((downs.len(), downs.last().unwrap().1), (usize::from(most) - 2, 2), "{downs:?}");
    let looks: u64 = pool.looks.range(11..40).map(|(_, looks)| looks).sum();
    assert!(looks <= 20, "it looks seldom while there is nothing to do: {looks}");
    assert_eq!(pool.looks.range(190..).count(), 0, "at the fewest it does not look at all");
    println!("{most} workers, down to 2 by the second {}", downs.last().unwrap().0 / SECOND);
}

#[test]
fn a_steady_load_neither_takes_nor_gives() {
    for (rate, micros, least, most) in [(100.0, 50 * MILLI, 5, 10), (20.0, 500 * MILLI, 10, 17), (2_000.0, 2 * MILLI, 4, 9)] {
        let mut pool = Pool::new(1, 40);
        pool.run(0, 240 * SECOND, flow(move |_| rate, move |_| micros));
        pool.print(&format!("{rate}/s x {} ms for four minutes", micros / MILLI), least, 0);
        assert!((least..=most).contains(&pool.scaling.target()), "{:?}", pool.targets);
        assert!(pool.turns() <= 2, "{:?}", pool.targets);
    }
}

#[test]
fn what_is_paused_or_limited_gets_no_worker() {
    let mut scaling = Scaling::new(2, 10, 2, Mono(0));
    let load = Load { workers: 2, busy: 1, waiting: 1_000, finished: 10, worked: 10_000 };
    for step in 0..100 {
        // Now and then, and for a moment, all have something to do.
        let busy = if step % 5 == 4 { 2 } else { 1 };
        let load = Load { busy, finished: step, worked: step * 10 * MILLI, ..load };
        assert_eq!(scaling.observe(&load, Mono(step * LOOK)), None);
    }
    assert_eq!(scaling.poll_timeout(&load, Mono(100 * LOOK)), None, "and wakes nobody");
}

#[test]
fn a_new_broker_starts_from_what_there_is() {
    let scaling = Scaling::new(2, 10, 7, Mono(0));
    assert_eq!(scaling.target(), 7);
    assert_eq!((Scaling::new(2, 10, 0, Mono(0)).target(), Scaling::new(2, 10, 99, Mono(0)).target()), (2, 10));
}

//! Decides which lane goes next, and how much of it.
//!
//! Queues share the workers' time by their weights (stride scheduling, Waldspurger and Weihl 1995): each has a `pass`, the time that it has had divided
//! by its weight, and the one with the lowest goes next. What a hand-out will take is charged when it goes out and corrected by what it took,
//! so that a queue of slow events has its part of the time, and not of the hand-outs. A queue that could not go meanwhile, as it had nothing or is
//! held, saves nothing up. Within a queue, priority is strict.

use super::pace::{MAX_CREDIT, Pace};
use super::rate::Bucket;
use super::ready::Ready;
use super::worker::Worker;
use super::{QueueView, WorkerId};
use crate::lanes::{Lane, Lanes, PRIORITIES};
use crate::record::Record;
use crate::settings::QueueSettings;
use crate::time::Mono;
use std::collections::{BTreeMap, BTreeSet};

/// The priorities within a queue, the most urgent first: high, normal, low.
const ORDER: [Lane; PRIORITIES as usize] = [1, 0, 2];
/// A queue that goes now and then may be behind the others by so much of a worker's time, in microseconds: what it may have at once when much
/// comes. 100 ms (this project's choice).
const MOST_BEHIND: f64 = 100_000.0;
/// A lane that shares the workers with others has so many chunks fetched ahead for each worker, for this many workers at most: what it may need before
/// more is fetched.
const AHEAD: usize = 4;

/// One queue.
#[derive(Debug)]
struct Line {
    weight: f64,
    concurrency: Option<usize>,
    bucket: Option<Bucket>,
    paused: bool,
    /// The workers' time that it has had, in microseconds, divided by its weight.
    pass: f64,
    /// Deliveries in workers' hands. Counted anew where it matters.
    running: usize,
    /// When it was looked at last, nothing but a token was missing.
    lacks_token: bool,
}

/// The scheduler. See the module.
#[derive(Debug)]
pub(super) struct Scheduler {
    lanes: Lanes,
    /// By the queues' places.
    lines: Vec<Line>,
    paces: Vec<Pace>,
    /// Names of queues, also of such as there are none of for now.
    paused: BTreeSet<String>,
    /// The lowest pass of those that could go when it was looked at last. It never falls.
    at: f64,
    /// There is more than one lane: the default queue at normal priority has company.
    several: bool,
}

impl Default for Scheduler {
    fn default() -> Self {
        let mut scheduler = Self {
            lanes: Lanes::default(),
            lines: Vec::new(),
            paces: Vec::new(),
            paused: BTreeSet::new(),
            at: 0.0,
            several: false,
        };
        scheduler.set_lanes(Lanes::default());
        scheduler
    }
}

impl Line {
    fn new(settings: Option<&QueueSettings>, paused: bool, pass: f64) -> Self {
        Self {
            weight: settings.map_or(1.0, |queue| f64::from(queue.weight)),
            concurrency: settings.and_then(|queue| queue.concurrency).map(usize::from),
            bucket: settings.and_then(|queue| queue.rate).map(Bucket::new),
            paused,
            pass,
            running: 0,
            lacks_token: false,
        }
    }

    /// How many more may start now.
    fn available(&mut self, now: Mono) -> usize {
        let below_cap = self.concurrency.map_or(usize::MAX, |most| most.saturating_sub(self.running));
        let open = if self.paused { 0 } else { below_cap };
        let available = open.min(self.bucket.map_or(usize::MAX, |bucket| bucket.tokens(now)));
        self.lacks_token = open > 0 && available == 0;
        available
    }
}

impl Scheduler {
    pub const fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// Other queues from now on. Those that were there before, by name, go on where they were. Tells where the queue at each place was.
    pub fn set_lanes(&mut self, lanes: Lanes) -> Vec<Option<usize>> {
        // Without settings there is the default queue alone.
        let names = |lanes: &Lanes| lanes.names().to_vec();
        let (before, after) = (names(&self.lanes), names(&lanes));
        let count = after.len().max(1);
        let was = |place: usize| match after.get(place).map(String::as_str) {
            None | Some(crate::lanes::DEFAULT_QUEUE) => (!self.lines.is_empty()).then_some(0),
            Some(name) => before.iter().position(|known| known == name),
        };
        let from: Vec<_> = (0..count).map(was).collect();
        let line = |(place, was): (usize, &Option<usize>)| {
            let name = after.get(place).map_or(crate::lanes::DEFAULT_QUEUE, String::as_str);
            let settings = lanes.queues().all().iter().find(|queue| queue.name == name);
            let mut line = Line::new(settings, self.paused.contains(name), self.at);
            if let Some(old) = was.and_then(|was| self.lines.get(was)) {
                line.pass = old.pass;
                line.running = old.running;
                line.bucket = line.bucket.map(|new| old.bucket.filter(|old| old.rate() == new.rate()).unwrap_or(new));
            }
            line
        };
        let lines = from.iter().enumerate().map(line).collect();
        let priorities = usize::from(PRIORITIES);
        let pace = |was: &Option<usize>, priority| {
            was.and_then(|was| self.paces.get(was * priorities + priority)).copied().unwrap_or_default()
        };
        self.paces = from.iter().flat_map(|was| (0..priorities).map(move |priority| pace(was, priority))).collect();
        self.lines = lines;
        self.several |= count > 1;
        self.lanes = lanes;
        from
    }

    /// The lane that a delivery is in, if there is such a one. Notes that it is used.
    #[inline]
    pub fn use_lane(&mut self, lane: Lane) -> Lane {
        self.several |= lane != 0;
        if usize::from(lane) < self.paces.len() { lane } else { 0 }
    }

    /// Whether lanes share the workers. Where there is but one, it has them to itself.
    #[inline]
    pub const fn has_several(&self) -> bool {
        self.several
    }

    #[inline]
    pub fn pace(&self, lane: Lane) -> &Pace {
        self.paces.get(usize::from(lane)).unwrap_or(&self.paces[0])
    }

    /// Holds these queues, and no others.
    pub fn set_paused(&mut self, paused: BTreeSet<String>) {
        self.paused = paused;
        for (place, line) in self.lines.iter_mut().enumerate() {
            line.paused = self.paused.contains(self.lanes.name(place));
        }
    }

    pub const fn paused(&self) -> &BTreeSet<String> {
        &self.paused
    }

    /// Counts what the workers have.
    pub fn count_running(&mut self, workers: &BTreeMap<WorkerId, Worker>) {
        if self.lines.iter().any(|line| line.concurrency.is_some()) {
            let running = running(self.lines.len(), workers);
            self.lines.iter_mut().zip(running).for_each(|(line, running)| line.running = running);
        }
    }

    /// The lane that goes next, and how many of it may start at most; none: none can.
    pub fn next(&mut self, ready: &Ready, now: Mono) -> Option<(Lane, usize)> {
        let mut best: Option<(f64, usize, Lane, usize)> = None;
        for (place, line) in self.lines.iter_mut().enumerate() {
            let first = place as Lane * PRIORITIES;
            let Some(lane) = ORDER.iter().map(|priority| first + priority).find(|lane| ready.len_of(*lane) > 0) else { continue };
            let available = line.available(now);
            if available > 0 && best.is_none_or(|(pass, ..)| line.pass < pass) {
                best = Some((line.pass, place, lane, available));
            }
        }
        best.map(|(_, _, lane, available)| (lane, available))
    }

    /// What is wanted was fetched: a queue with nothing at hand has nothing. Only now it is seen who could go and who could not.
    pub fn refilled(&mut self, ready: &Ready, workers: &BTreeMap<WorkerId, Worker>, now: Mono) {
        if self.lines.len() == 1 {
            return;
        }
        self.count_running(workers);
        let mut least: Option<f64> = None;
        for (place, line) in self.lines.iter_mut().enumerate() {
            let first = place as Lane * PRIORITIES;
            let can_go = ORDER.iter().any(|priority| ready.len_of(first + priority) > 0) && line.available(now) > 0;
            // No-one who could go all the time is below the lowest of those.
            line.pass = line.pass.max(self.at - MOST_BEHIND / line.weight);
            least = if can_go { Some(least.map_or(line.pass, |least| least.min(line.pass))) } else { least };
        }
        self.at = least.map_or(self.at, |least| self.at.max(least));
    }

    /// So many of the lane went out; what each is taken to cost.
    pub fn handed_out(&mut self, lane: Lane, count: usize, now: Mono) -> f64 {
        let cost = self.pace(lane).cost();
        if let Some(line) = self.lines.get_mut(Lanes::queue(lane)) {
            line.running += count;
            line.pass += count as f64 * cost / line.weight;
            if let Some(bucket) = &mut line.bucket {
                bucket.take(count, now);
            }
        }
        cost
    }

    /// So many were not started after all, which had been taken to cost so much each.
    pub fn given_back(&mut self, lane: Lane, count: usize, cost: f64) {
        if let Some(line) = self.lines.get_mut(Lanes::queue(lane)) {
            line.pass -= count as f64 * cost / line.weight;
            if let Some(bucket) = &mut line.bucket {
                bucket.give_back(count);
            }
        }
    }

    /// So many of the lane are finished, which took so many microseconds more than they had been taken to.
    pub fn finished(&mut self, lane: Lane, more: f64) {
        if let Some(line) = self.lines.get_mut(Lanes::queue(lane)) {
            line.pass += more / line.weight;
        }
    }

    /// What a chunk of the lane took so far.
    pub fn observe(&mut self, lane: Lane, count: usize, micros: u32) {
        if let Some(pace) = self.paces.get_mut(usize::from(lane)) {
            pace.observe(count, micros);
        }
    }

    /// What should be fetched, by lane, the urgent ones first within each queue: what the workers have room for, and where lanes share them a
    /// little more, so that none misses its turn for having nothing at hand. Of a queue that can't go, that little; of a paused one, nothing.
    pub fn wants(&self, ready: &Ready, workers: &BTreeMap<WorkerId, Worker>) -> Vec<(Lane, usize)> {
        let free = [2, MAX_CREDIT].map(|credit| self.free(credit, workers));
        let mut wants = Vec::new();
        for (place, line) in self.lines.iter().enumerate().filter(|(_, line)| !line.paused) {
            for priority in ORDER {
                let lane = place as Lane * PRIORITIES + priority;
                let pace = self.pace(if self.several { lane } else { 0 });
                let (near, far) = free[usize::from(pace.credit() > 2)];
                let room = near * pace.chunk() + far * pace.remote_chunk();
                let room = line.concurrency.map_or(room, |most| room.min(most.saturating_sub(line.running)));
                let room = line.bucket.map_or(room, |bucket| room.min(bucket.rate() as usize));
                let (at_hand, ahead) = match self.several {
                    true => (ready.len_of(lane), pace.chunk() * workers.len().min(AHEAD)),
                    false => (ready.len(), 0),
                };
                let wanted = (room + ahead).saturating_sub(at_hand);
                if wanted > 0 {
                    wants.push((lane, wanted));
                }
            }
        }
        wants
    }

    /// Chunks that workers have room for, of a lane that gives each so much credit: those of this machine, and the others.
    fn free(&self, credit: usize, workers: &BTreeMap<WorkerId, Worker>) -> (usize, usize) {
        let (mut near, mut far) = (0, 0);
        for worker in workers.values() {
            let free = if worker.has_room(credit, self) { worker.most_chunks(credit) - worker.chunks.len() } else { 0 };
            if worker.remote { far += free } else { near += free }
        }
        (near, far)
    }

    /// Microseconds until a queue may go for which nothing but a token was missing.
    pub fn next_token(&self, ready: &Ready, now: Mono) -> Option<u64> {
        let waits = |(place, line): (usize, &Line)| {
            let first = place as Lane * PRIORITIES;
            let at_hand = || ORDER.iter().any(|priority| ready.len_of(first + priority) > 0);
            // It may be there by now: nobody has looked since.
            line.bucket.filter(|_| line.lacks_token && !line.paused && at_hand()).map(|bucket| bucket.next(now))
        };
        self.lines.iter().enumerate().filter_map(waits).min()
    }

    /// The queues as they are.
    pub fn views(&self, ready: &Ready, workers: &BTreeMap<WorkerId, Worker>) -> Vec<QueueView> {
        let running = running(self.lines.len(), workers);
        let first = |place: usize| {
            let fronts = (0..PRIORITIES).filter_map(move |priority| ready.front(place as Lane * PRIORITIES + priority));
            fronts.filter_map(|front| Record::triggered_at(&front.delivery.record))
        };
        let view = |(place, line): (usize, &Line)| QueueView {
            name: self.lanes.name(place).to_owned(),
            weight: line.weight as u16,
            concurrency: line.concurrency,
            rate: line.bucket.map(|bucket| bucket.rate()),
            paused: line.paused,
            ready: ORDER.iter().map(|priority| ready.len_of(place as Lane * PRIORITIES + priority)).sum(),
            held_back: 0,
            running: running[place],
            oldest: first(place).min(),
        };
        self.lines.iter().enumerate().map(view).collect()
    }
}

/// Deliveries that workers have, by the queues' places.
fn running(queues: usize, workers: &BTreeMap<WorkerId, Worker>) -> Vec<usize> {
    let mut running = vec![0; queues];
    for chunk in workers.values().flat_map(|worker| &worker.chunks) {
        chunk.each_lane(|lane, count| {
            if let Some(running) = running.get_mut(Lanes::queue(lane)) {
                *running += count;
            }
        });
    }
    running
}

//! Provides what is measured of each queue: how long events wait and run, and how many come and go.

use crate::backlog::{Replacement, Settlement};
use crate::delivery::Delivery;
use crate::histogram::{Histogram, Percentiles};
use crate::lanes::{Lane, Lanes};
use crate::record::Record;
use crate::time::{Mono, Now};
use serde::Serialize;
use std::collections::VecDeque;

/// Counts are looked at so often, in microseconds, and remembered for a minute.
const LOOK: u64 = 1_000_000;
const LOOKS: usize = 61;

/// What came and went since the broker's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// Events taken in.
    pub taken: u64,
    /// Deliveries handled.
    pub done: u64,
    /// Deliveries of which something failed.
    pub failed: u64,
}

/// The same in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Events taken in.
    pub taken: f64,
    /// Deliveries handled.
    pub done: f64,
    /// Deliveries of which something failed.
    pub failed: f64,
}

/// What is told of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct QueueFigures {
    /// Since the broker's start.
    pub flow: Flow,
    /// In a second, over the last ten, and over the last minute.
    pub last_10: Rates,
    /// The same over the last minute.
    pub last_60: Rates,
    /// From trigger() to a worker's hand, of first attempts that were due at once; in microseconds, by the wall clock.
    pub wait: Percentiles,
    /// What a delivery takes, in microseconds; of quick ones the mean of a chunk.
    pub run: Percentiles,
}

#[derive(Debug, Default)]
struct Of {
    flow: Flow,
    looks: VecDeque<(Mono, Flow)>,
    wait: Histogram,
    run: Histogram,
}

/// The figures of all queues, by their places.
#[derive(Debug, Default)]
pub(super) struct Figures {
    queues: Vec<Of>,
    looked: Option<Mono>,
}

impl Figures {
    fn of(&mut self, lane: Lane) -> &mut Of {
        let place = Lanes::queue(lane);
        if place >= self.queues.len() {
            self.queues.resize_with(place + 1, Of::default);
        }
        &mut self.queues[place]
    }

    /// The queues have other places: `from` tells where the one at each place was.
    pub fn rearrange(&mut self, from: &[Option<usize>]) {
        let mut before: Vec<_> = std::mem::take(&mut self.queues).into_iter().map(Some).collect();
        let mut take = |place: usize| before.get_mut(place).and_then(Option::take);
        self.queues = from.iter().map(|place| place.and_then(&mut take).unwrap_or_default()).collect();
    }

    pub fn taken(&mut self, lane: Lane) {
        self.of(lane).flow.taken += 1;
    }

    pub fn settled(&mut self, delivery: &Delivery, settlement: &Settlement) {
        let flow = &mut self.of(delivery.lane).flow;
        match settlement {
            Settlement::Done => flow.done += 1,
            Settlement::Replace(replacements) => {
                let fails = |replacement: &Replacement| match replacement {
                    Replacement::Delivery(next) => next.attempt > delivery.attempt,
                    Replacement::Dead(_) => true,
                };
                flow.failed += u64::from(replacements.iter().any(fails));
            }
        }
    }

    /// A worker gets the delivery.
    pub fn handed_out(&mut self, delivery: &Delivery, now: Now) {
        if delivery.attempt > 1 || delivery.due.is_some() || delivery.recoveries > 0 || delivery.only().is_some() {
            return;
        }
        if let Some(triggered_at) = Record::triggered_at(&delivery.record) {
            self.of(delivery.lane).wait.add(now.wall.0.saturating_sub(triggered_at), 1, now.mono.0);
        }
    }

    /// So many deliveries took so many microseconds together.
    pub fn ran(&mut self, lane: Lane, count: usize, micros: u64, now: Mono) {
        if count > 0 {
            self.of(lane).run.add(micros / count as u64, count as u32, now.0);
        }
    }

    /// Notes the counts, where a second has passed. Costs a comparison else.
    pub fn look(&mut self, now: Mono) {
        if self.looked.is_some_and(|at| now.since(at) < LOOK) {
            return;
        }
        self.looked = Some(now);
        for of in &mut self.queues {
            of.looks.push_back((now, of.flow));
            if of.looks.len() > LOOKS {
                of.looks.pop_front();
            }
        }
    }

    /// What there is to tell of the queue at a place.
    pub fn tell(&mut self, place: usize, now: Mono) -> QueueFigures {
        let Some(of) = self.queues.get_mut(place) else { return QueueFigures::default() };
        let (wait, run) = (of.wait.percentiles(now.0), of.run.percentiles(now.0));
        QueueFigures { flow: of.flow, last_10: of.rates(10, now), last_60: of.rates(60, now), wait, run }
    }
}

impl Of {
    fn rates(&self, seconds: u64, now: Mono) -> Rates {
        // With nothing going on nobody looks: what was seen last stands until then.
        let then = self.looks.iter().rev().find(|(at, _)| now.since(*at) >= seconds * LOOK).or(self.looks.front());
        let Some((at, then)) = then else { return Rates::default() };
        let passed = now.since(*at).max(LOOK) as f64 / 1e6;
        let rate = |now: u64, then: u64| (now - then) as f64 / passed;
        Rates {
            taken: rate(self.flow.taken, then.taken),
            done: rate(self.flow.done, then.done),
            failed: rate(self.flow.failed, then.failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut figures = Figures::default();
        for second in 0..120u64 {
            (0..if second < 100 { 7 } else { 0 }).for_each(|_| figures.taken(0));
            figures.look(Mono(second * LOOK));
        }
        let told = figures.tell(0, Mono(119 * LOOK));
        assert_eq!((told.last_10.taken, told.flow.taken), (0.0, 700));
        assert!((4.0..5.0).contains(&told.last_60.taken), "{}", told.last_60.taken);
        assert_eq!(figures.tell(9, Mono(0)), QueueFigures::default());
    }
}

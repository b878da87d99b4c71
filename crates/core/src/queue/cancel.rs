//! Looks at what waits, and cancels of it what nobody runs yet.

use super::watch::Fate;
use super::{Effects, Queue};
use crate::backlog::{Settlement, Waiting, Waits, sequence};
use crate::time::Now;
use std::collections::HashSet;

/// Where a delivery that is not settled is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It can go out to the next worker that has room.
    Pending,
    /// A worker has it.
    Running,
    /// It waits until it is due.
    Delayed,
}

/// What came of cancelling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Deliveries that will not run.
    pub done: u64,
    /// Deliveries that workers have: these can't be cancelled.
    pub running: u64,
}

impl Queue {
    /// Where each of these is.
    #[must_use]
    pub fn states(&self, page: &[Waiting]) -> Vec<State> {
        let ready = self.fetched();
        let state = |waiting: &Waiting| match waiting.waits {
            Waits::Parked => State::Delayed,
            Waits::Pending => State::Pending,
            Waits::Reserved if ready.contains(&sequence(waiting.token)) => State::Pending,
            Waits::Reserved => State::Running,
        };
        page.iter().map(state).collect()
    }

    /// Cancels what waits.
    pub fn handle_cancel(&mut self, page: &[Waiting], now: Now, effects: &mut Effects) -> Cancelled {
        let states = self.states(page);
        let cancelled: Vec<_> =
            page.iter().zip(states).filter(|(_, state)| *state != State::Running).map(|(one, _)| one).collect();
        let fetched: HashSet<u64> =
            cancelled.iter().filter(|waiting| waiting.waits == Waits::Reserved).map(|waiting| sequence(waiting.token)).collect();
        if !fetched.is_empty() {
            // What is fetched is settled by its hand-out.
            let goes = |token| fetched.contains(&sequence(token));
            let held_back = self.books.keys.take_out(goes);
            effects.settle.extend(held_back.iter().map(|reserved| (reserved.token, Settlement::Done)));
            let ready: Vec<_> = self.ready.iter().filter(|reserved| goes(reserved.token)).cloned().collect();
            self.ready.retain(|reserved| !goes(reserved.token));
            for reserved in ready {
                self.books.keys.settle(&reserved, &mut Settlement::Done, now);
                effects.settle.push((reserved.token, Settlement::Done));
            }
        }
        for waiting in &cancelled {
            self.books.watches.ended(&waiting.delivery, || Fate::Cancelled("it was cancelled".to_owned()));
            self.books.follow(&waiting.delivery, &Settlement::Done);
            if waiting.waits != Waits::Reserved {
                self.books.soon.came(&waiting.delivery);
                self.books.keys.cancel(&waiting.delivery);
                effects.settle.push((waiting.token, Settlement::Done));
            }
        }
        let done = cancelled.len() as u64;
        self.books.counters.cancelled += done;
        Cancelled { done, running: page.len() as u64 - done }
    }

    /// The sequence numbers of what is fetched, and with no worker yet.
    fn fetched(&self) -> HashSet<u64> {
        self.ready.iter().chain(self.books.keys.waiting()).map(|reserved| sequence(reserved.token)).collect()
    }
}

//! Provides a model of a worker: it claims, runs, marks and reports one small step at a time, and may die after each.

use crate::plan::Act;
use crate::scoreboard::{Slot, State};
use crate::world::World;
use bytes::Bytes;
use proletarier_core::backlog::Backlog as _;
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::frame::{BrokerFrame, Chunk, FailedListener, Held, Hello, Ready, Report, WHOLE_DELIVERY, WorkerFrame};
use proletarier_core::listener::ListenerIndex;
use proletarier_core::queue::ListenerMark;
use proletarier_core::record::Record;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub struct Worker {
    /// The broker that it introduced itself to.
    epoch: u64,
    last: u32,
    hand: Vec<InHand>,
    running: Option<Running>,
    pub inbox: VecDeque<Bytes>,
    pub to_broker: VecDeque<Bytes>,
    /// Asked to stop.
    pub stops: bool,
    leaving: bool,
}

/// A chunk in hand, until it is told that its outcomes are settled.
#[derive(Debug)]
struct InHand {
    chunk: Chunk,
    frame: Bytes,
    failures: Vec<FailedListener>,
    closed: bool,
}

#[derive(Debug)]
struct Running {
    chunk: u32,
    place: u16,
    id: String,
    attempt: u16,
    ahead: VecDeque<ListenerIndex>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// Between listeners.
    Between,
    Entered(ListenerIndex),
    /// The listener has done what it does, and nobody knows yet.
    Ended(ListenerIndex, Option<Failure>),
    Marked,
    Finished,
    /// The marks are thrown away up to here; as they are in the end.
    Torn(Vec<ListenerMark>),
}

impl Worker {
    fn in_hand(&mut self, number: u32) -> Option<&mut InHand> {
        self.hand.iter_mut().find(|held| held.chunk.number == number)
    }

    fn settled(&mut self, through: u32) {
        // Closed or not: what is settled whole has nothing left to claim, and must not be told to another broker as news.
        self.hand.retain(|held| held.chunk.number > through);
    }

    /// Whether it has something to do, while the broker of this epoch reigns.
    pub fn is_busy(&self, epoch: u64) -> bool {
        let work = self.epoch == epoch && self.hand.iter().any(|held| !held.closed);
        self.running.is_some() || !self.inbox.is_empty() || work || self.stops
    }

    fn report(&mut self, number: u32, slot: &mut Slot, micros: u32) {
        let Some(held) = self.hand.iter().find(|held| held.chunk.number == number) else { return };
        let finished = slot.place(number).map_or(held.chunk.deliveries.len() as u16, |place| place.finished);
        let failures = held.failures.clone();
        let report = Report { chunk: number, finished, closed: held.closed, micros: u32::from(finished) * micros, failures };
        self.say(&WorkerFrame::Report(report));
    }

    fn say(&mut self, frame: &WorkerFrame) {
        let mut out = Vec::new();
        frame.encode(&mut out);
        self.to_broker.push_back(out.into());
    }
}

impl World {
    /// One step of the worker in this slot.
    pub fn step_worker(&mut self, number: usize) {
        let Some(mut worker) = self.workers[number].take() else { return };
        let lives = match worker.running.take() {
            Some(running) => self.run_on(number, &mut worker, running),
            None => self.look_around(number, &mut worker),
        };
        if lives {
            self.workers[number] = Some(worker);
        } else {
            self.end_worker(number, &worker);
        }
    }

    /// The worker dies where it stands.
    pub fn kill_worker(&mut self, number: usize) {
        let Some(worker) = self.workers[number].take() else { return };
        self.ledger.worker_kills += 1;
        "SIGKILL".clone_into(&mut self.board.slots[number].end);
        self.end_worker(number, &worker);
    }

    fn end_worker(&mut self, number: usize, worker: &Worker) {
        if let Some(running) = &worker.running {
            match &running.step {
                Step::Entered(listener) => self.ledger.died_in(&running.id, *listener, false),
                Step::Ended(listener, failure) => self.ledger.died_in(&running.id, *listener, failure.is_none()),
                _ => {}
            }
        }
        // What it knew better than its slot may be lost with it.
        for delivery in worker.hand.iter().flat_map(|held| &held.chunk.deliveries) {
            self.ledger.hearsay(Record::decode(&delivery.record).unwrap().id);
        }
        self.board.slots[number].state = State::Dead;
        // What it sent is on its way, with its death behind it or before it.
        self.last_reports[number] = worker.to_broker.clone();
    }

    fn run_on(&mut self, number: usize, worker: &mut Worker, mut running: Running) -> bool {
        let slot = &mut self.board.slots[number];
        let (chunk, place) = (running.chunk, running.place);
        running.step = match running.step {
            Step::Between => match running.ahead.pop_front() {
                Some(listener) => {
                    slot.listener = Some(listener);
                    let letters = self.plan.durable.then(|| self.backlog.dead(0, usize::MAX).items);
                    self.ledger.takes_its_turn(&running.id, letters.as_deref());
                    self.ledger.started(&running.id, listener, number, running.attempt, self.now.mono.0);
                    Step::Entered(listener)
                }
                None => {
                    // Before the marks go: a kill in between finds too many of them, which is harmless.
                    slot.place(chunk).unwrap().finished += 1;
                    Step::Finished
                }
            },
            Step::Entered(listener) => {
                let run = self.runs.entry((running.id.clone(), listener)).or_insert(0);
                *run += 1;
                let thrown = |kind| Some(Failure::new(kind, "E", "why"));
                let failure = match self.plan.act(&running.id, listener, *run) {
                    Act::Succeed => None,
                    Act::Throw => thrown(FailureKind::Thrown),
                    Act::Unrecoverable => thrown(FailureKind::Unrecoverable),
                    Act::RetryAfter(micros) => {
                        Some(Failure { retry_after: Some(micros), ..thrown(FailureKind::Thrown).unwrap() })
                    }
                    Act::Die(speaks) => {
                        slot.last_words = speaks.then(|| Failure::new(FailureKind::Ended, "exit", "exit(3)"));
                        "exit status 3".clone_into(&mut slot.end);
                        worker.running = Some(Running { step: Step::Entered(listener), ..running });
                        return false;
                    }
                };
                match &failure {
                    None => self.ledger.succeeded(&running.id, listener),
                    Some(failure) => self.ledger.failed(&running.id, listener, running.attempt, failure, self.now.mono.0),
                }
                Step::Ended(listener, failure)
            }
            Step::Ended(listener, failure) => {
                let mark = ListenerMark { delivery: place, listener, failed: failure.is_some() };
                slot.place(chunk).unwrap().marks.push(mark);
                self.ledger.marked(&running.id, listener);
                if let (Some(failure), Some(held)) = (failure, worker.in_hand(chunk)) {
                    held.failures.push(FailedListener { delivery: place, listener, failure });
                }
                Step::Marked
            }
            Step::Marked => {
                slot.listener = None;
                Step::Between
            }
            Step::Finished => {
                let marks = slot.place(chunk).unwrap();
                let mut compact = marks.clone();
                compact.compact(place, false);
                marks.compact(place, true);
                Step::Torn(compact.marks)
            }
            Step::Torn(marks) => {
                let failed =
                    worker.in_hand(chunk).is_some_and(|held| held.failures.iter().any(|failed| failed.delivery == place));
                slot.place(chunk).unwrap().marks = marks;
                if failed || self.dice.chance(300) {
                    worker.report(chunk, slot, self.plan.micros);
                }
                return true;
            }
        };
        worker.running = Some(running);
        true
    }

    /// Between deliveries: hears, introduces itself, claims, closes, leaves.
    fn look_around(&mut self, number: usize, worker: &mut Worker) -> bool {
        let may_claim = worker.epoch != 0 && worker.epoch == self.board.epoch && !worker.stops;
        let open = worker.hand.iter().find(|held| !held.closed).map(|held| held.chunk.number).filter(|_| may_claim);
        if worker.stops && !worker.leaving {
            self.leave(number, worker);
            return true;
        }
        // It waits for the broker only so long.
        if worker.leaving && (worker.hand.is_empty() || self.dice.chance(50)) {
            return false;
        }
        if (open.is_none() || self.dice.chance(500))
            && let Some(frame) = worker.inbox.pop_front()
        {
            self.hear(number, worker, &frame);
            return true;
        }
        let Some(chunk) = open else { return true };
        let slot = &mut self.board.slots[number];
        match slot.claim(chunk) {
            Some(place) => self.begin(number, worker, chunk, place),
            None => {
                slot.give_back(chunk);
                if let Some(held) = worker.in_hand(chunk) {
                    held.closed = true;
                }
                worker.report(chunk, slot, self.plan.micros);
            }
        }
        true
    }

    fn begin(&mut self, number: usize, worker: &mut Worker, chunk: u32, place: u16) {
        let Some(held) = worker.in_hand(chunk) else { panic!("a claim on chunk {chunk}, which is not in hand") };
        let delivery = held.chunk.deliveries[usize::from(place)].clone();
        let record = Record::decode(&delivery.record).unwrap();
        let slot = &mut self.board.slots[number];
        record.id.clone_into(&mut slot.event);
        let mut ahead: VecDeque<_> = match &delivery.only {
            Some(only) => only.iter().filter_map(|id| self.table.find(id)).collect(),
            None => self.table.of_event(record.name).collect(),
        };
        if delivery.only.is_none() && !self.table.takes(record.name) {
            ahead.clear();
            let failure = Failure::new(FailureKind::NoListener, "no_listener", "nobody");
            let mark = ListenerMark { delivery: place, listener: WHOLE_DELIVERY, failed: true };
            slot.place(chunk).unwrap().marks.push(mark);
            held.failures.push(FailedListener { delivery: place, listener: WHOLE_DELIVERY, failure });
        }
        let (id, attempt) = (record.id.to_owned(), delivery.attempt);
        worker.running = Some(Running { chunk, place, id, attempt, ahead, step: Step::Between });
    }

    fn hear(&mut self, number: usize, worker: &mut Worker, frame: &Bytes) {
        match BrokerFrame::decode(frame).unwrap() {
            BrokerFrame::Chunk(chunk) if chunk.epoch == worker.epoch && !worker.leaving => {
                worker.settled(chunk.settled);
                worker.last = chunk.number;
                worker.hand.push(InHand { chunk, frame: frame.clone(), failures: Vec::new(), closed: false });
            }
            BrokerFrame::Chunk(_) => {}
            BrokerFrame::Settled(through) => worker.settled(through),
            // The question of a broker that is gone is not answered: the one after it would hear the answer, and not the next.
            BrokerFrame::Enquire(epoch) if epoch == self.board.epoch && epoch != worker.epoch && !worker.leaving => {
                self.introduce(number, worker, epoch);
            }
            BrokerFrame::Enquire(_) => {}
            BrokerFrame::Revoke(_) => panic!("asked for what the scoreboard tells"),
        }
    }

    /// Everything is given back and told. It stays in hand until that broker says that it is settled.
    fn introduce(&mut self, number: usize, worker: &mut Worker, epoch: u64) {
        let slot = &mut self.board.slots[number];
        let mut held = Vec::new();
        for chunk in &mut worker.hand {
            chunk.closed = true;
            let Some(place) = slot.place(chunk.chunk.number) else { continue };
            let limit = std::mem::replace(&mut place.limit, place.claimed);
            let (finished, claimed) = (place.finished, place.claimed);
            held.push(Held { frame: chunk.frame.clone(), finished, claimed, limit, failures: chunk.failures.clone() });
        }
        let hello = Hello {
            slot: number as u32,
            incarnation: slot.incarnation,
            last_chunk: worker.last,
            listeners: self.plan.listeners(),
            ..Hello::default()
        };
        worker.epoch = epoch;
        worker.say(&WorkerFrame::Ready(Ready { hello, held }));
    }

    fn leave(&mut self, number: usize, worker: &mut Worker) {
        let slot = &mut self.board.slots[number];
        for chunk in &mut worker.hand {
            slot.give_back(chunk.chunk.number);
            chunk.closed = true;
        }
        let numbers: Vec<_> = worker.hand.iter().map(|held| held.chunk.number).collect();
        for chunk in numbers {
            worker.report(chunk, slot, self.plan.micros);
        }
        worker.say(&WorkerFrame::Leaving);
        worker.leaving = true;
    }
}

//! Takes what workers say: introductions, outcomes, farewells.

use super::books::Books;
use super::hand_out::cut;
use super::letters::DEAD_EVENT;
use super::outcome::{Failures, Judge};
use super::recovery::Stage;
use super::worker::{OpenChunk, Worker};
use super::{Effects, Queue, Reply, WorkerId, unique};
use crate::backlog::{Reserved, Settlement};
use crate::delivery::{Delivery, Rest};
use crate::frame::{BrokerFrame, FailedListener, Held, Ready, Report};
use crate::listener::{ListenerError, ListenerTable};
use crate::record::Record;
use crate::time::{Now, Wall};
use std::collections::VecDeque;
use std::sync::Arc;

/// Reserves a hand-out of another broker's in the backlog, see there.
pub type Adopt<'a> = &'a mut dyn FnMut(&Reserved) -> Option<Delivery>;

impl Queue {
    /// A worker introduces itself, with what it holds from a broker before. `adopt` is the backlog's.
    ///
    /// # Errors
    /// When its listeners don't make a table.
    pub fn handle_ready(
        &mut self,
        id: WorkerId,
        ready: Ready,
        adopt: Adopt<'_>,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), ListenerError> {
        let table = self.table(ListenerTable::new(ready.hello.listeners)?);
        self.newest = Arc::clone(&table);
        self.books.herald.heard = table.takes(DEAD_EVENT);
        let mut worker = Worker {
            table,
            chunks: VecDeque::new(),
            next_chunk: ready.hello.last_chunk % super::hand_out::MAX_CHUNK_NUMBER + 1,
            bytes: 0,
            leaving: false,
            remote: ready.hello.remote,
            progress: now.mono,
            drained: false,
        };
        for held in ready.held {
            self.adopt(&mut worker, held, adopt, now, effects);
        }
        self.workers.insert(id, worker);
        self.close_chunks(id, effects);
        self.hand_out(now, effects);
        Ok(())
    }

    /// Takes over a chunk that another broker handed out: outcomes are settled, the running delivery stays reserved. The rest is pending in a
    /// backlog that survived; where that is gone, the worker has the last of it.
    fn adopt(&mut self, worker: &mut Worker, held: Held, adopt: Adopt<'_>, now: Now, effects: &mut Effects) {
        let Ok(BrokerFrame::Chunk(chunk)) = BrokerFrame::decode(&held.frame) else { return };
        let (finished, claimed) = (usize::from(held.finished), usize::from(held.claimed));
        let count = if self.recovery.is_needed() { claimed.max(held.limit.into()) } else { claimed };
        let mut open = OpenChunk {
            number: chunk.number,
            deliveries: Vec::new(),
            limit: 0,
            settled: 0,
            alone: false,
            failed: false,
            lane: 0,
            mixed: false,
            cost: 0.0,
            told: (0, 0),
        };
        for (place, delivery) in chunk.deliveries.into_iter().take(count).enumerate() {
            let is = match place {
                _ if place < finished => Stage::Finished,
                _ if place < claimed => Stage::Running,
                _ => Stage::Unclaimed,
            };
            let token = delivery.token;
            let taken = Record::decode(&delivery.record).ok().and_then(|record| {
                let (expires, whole) = (record.expires.map(Wall), delivery.only.is_none());
                let unique = unique::of(&record, None, now).and_then(|unique| self.books.uniques.claim(unique, record.id, now));
                let rest =
                    Rest { only: delivery.only.map(Into::into), unique: unique.clone(), history: Vec::new(), holds_key: false };
                let rest = (rest != Rest::default()).then(|| Arc::new(rest));
                let lane = self.scheduler.use_lane(self.scheduler.lanes().of_record(&record));
                let taken =
                    Delivery { attempt: delivery.attempt, rest, expires, lane, ..Delivery::first(delivery.record.clone()) };
                let is_new = self.recovery.adopt(&record, is, whole, || taken.clone());
                let reserved = is_new.then_some(Reserved { token, delivery: taken })?;
                // A backlog that survived has told of the keys that are held.
                if let Some(unique) = unique.filter(|_| self.recovery.is_needed()) {
                    self.books.uniques.hold(&unique, record.id);
                }
                // The backlog may know more of it: its history.
                let reserved = Reserved { delivery: Delivery { lane, ..adopt(&reserved)? }, ..reserved };
                if place < claimed {
                    self.books.keys.hold(&reserved);
                }
                Some(reserved)
            });
            if taken.is_none() {
                self.books.counters.duplicates += 1;
                // A late success counts, whoever has it now.
                if is == Stage::Finished && held.failures.iter().all(|failed| usize::from(failed.delivery) != place) {
                    effects.settle.push((token, Settlement::Done));
                }
            }
            if place < claimed {
                // Places count: one that is not taken over leaves its own empty.
                open.deliveries.push(taken);
            } else {
                taken.into_iter().for_each(|taken| self.arrive(taken, now, effects));
            }
        }
        open.limit = open.deliveries.len();
        open.sort(|reserved| reserved.delivery.lane);
        let judge = Judge { retry: &self.rules.retry, table: &worker.table, now };
        settle_prefix(&mut open, finished, &held.failures, &judge, &mut self.books, effects);
        worker.chunks.push_back(open);
    }

    /// A worker reports outcomes. A chunk that is closed already, or another broker's, changes nothing.
    pub fn handle_report(&mut self, id: WorkerId, report: &Report, now: Now, effects: &mut Effects) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.progress = now.mono;
        worker.drained = false;
        let Some(open) = worker.chunks.iter_mut().find(|open| open.number == report.chunk) else { return };
        let finished = usize::from(report.finished);
        self.scheduler.observe(open.lane, finished, report.micros);
        let (newly, micros) = (finished.saturating_sub(open.told.0), report.micros.saturating_sub(open.told.1));
        open.told = (finished, report.micros);
        self.scheduler.finished(open.lane, f64::from(micros) - newly as f64 * open.cost);
        self.work.note(finished.saturating_sub(open.settled), finished, report.micros);
        if finished > open.settled {
            let micros = u64::from(report.micros) * (finished - open.settled) as u64 / finished as u64;
            self.books.figures.ran(open.lane, finished - open.settled, micros, now.mono);
        }
        let judge = Judge { retry: &self.rules.retry, table: &worker.table, now };
        settle_prefix(open, finished, &report.failures, &judge, &mut self.books, effects);
        if report.closed {
            let rest = cut(open, finished, &mut self.scheduler);
            self.give_back(rest);
        }
        self.close_chunks(id, effects);
        self.hand_out(now, effects);
    }

    /// A worker's connection was lost and is there again: chunks may have been lost with it. What it has not claimed is taken back; it reports
    /// the rest anew.
    pub fn handle_reconnected(&mut self, id: WorkerId, effects: &mut Effects) {
        if let Some(worker) = self.workers.get(&id) {
            let chunks = worker.chunks.iter().filter(|chunk| chunk.settled < chunk.limit);
            effects.at_once.extend(chunks.map(|chunk| Reply::TakeBack(id, chunk.number)));
        }
    }

    /// A worker takes nothing more.
    pub fn handle_leaving(&mut self, id: WorkerId, effects: &mut Effects) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.leaving = true;
            let chunks = worker.chunks.iter().filter(|chunk| chunk.settled < chunk.limit);
            effects.at_once.extend(chunks.map(|chunk| Reply::TakeBack(id, chunk.number)));
            if worker.chunks.is_empty() {
                let through = worker.next_chunk - 1;
                effects.after.push(Reply::Settled { worker: id, through, at_once: true });
            }
        }
    }

    /// Counts what the worker has left, and tells it of its chunks that are settled whole.
    pub(super) fn close_chunks(&mut self, id: WorkerId, effects: &mut Effects) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.recount();
        if let Some((through, failed)) = worker.forget_closed() {
            let at_once = failed || (worker.leaving && worker.chunks.is_empty());
            effects.after.push(Reply::Settled { worker: id, through, at_once });
        }
    }
}

/// Settles the deliveries of a chunk up to `finished` that are not settled yet.
fn settle_prefix(
    open: &mut OpenChunk,
    finished: usize,
    failures: &[FailedListener],
    judge: &Judge<'_>,
    books: &mut Books,
    effects: &mut Effects,
) {
    for place in open.settled..finished.min(open.deliveries.len()) {
        let Some(reserved) = open.deliveries[place].take() else { continue };
        let failed = || failures.iter().filter(|failed| usize::from(failed.delivery) == place);
        let failed: Failures = failed().map(|failed| (failed.listener, failed.failure.clone())).collect();
        // What may be gone is only known by name where the delivery is for some listeners.
        let settlement = if failed.is_empty() && reserved.delivery.only().is_none() {
            Settlement::Done
        } else {
            judge.settle(&reserved.delivery, failed, Vec::new())
        };
        open.failed |= settlement != Settlement::Done;
        books.settle(&reserved, settlement, judge.now, effects);
    }
    open.settled = open.settled.max(finished.min(open.limit));
}

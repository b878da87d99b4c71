//! Hands deliveries out: who gets how much, and what is taken back from a worker that is held up while another has nothing to do.

use super::books::Books;
use super::pace::{MAX_BYTES, MAX_CREDIT};
use super::ready::Ready;
use super::worker::{OpenChunk, Worker};
use super::{Effects, HandOut, Queue, Reply, WorkerId};
use crate::backlog::Reserved;
use crate::time::Now;

/// A worker that shows no progress for this long is held up, in microseconds.
const HELD_UP: u64 = 5_000;
/// Chunks are numbered from 1 to this, and on from 1: the scoreboard has 28 bits for the number. A multiple of the places that a slot
/// has for chunks, so that chunks in a row have different places there also where the numbers begin again.
pub(super) const MAX_CHUNK_NUMBER: u32 = (1 << 28) - MAX_CREDIT as u32;

impl Queue {
    /// How many more deliveries the workers could take than are fetched.
    #[must_use]
    pub fn wanted(&self) -> usize {
        let room: usize = self
            .workers
            .values()
            .filter(|worker| worker.has_room(&self.pace))
            .map(|worker| (worker.credit(&self.pace) - worker.chunks.len()) * worker.chunk_size(&self.pace))
            .sum();
        room.saturating_sub(self.ready.len())
    }

    /// Deliveries came from the backlog.
    pub fn handle_fetched(&mut self, fetched: Vec<Reserved>, now: Now, effects: &mut Effects) {
        fetched.into_iter().for_each(|reserved| self.ready.push_back(reserved));
        self.hand_out(now, effects);
    }

    /// Time passed. Call it when [`Self::poll_timeout`] says, and whenever it suits.
    pub fn handle_tick(&mut self, now: Now, effects: &mut Effects) {
        effects.append.extend(self.regained.drain(..).map(Into::into));
        self.books.figures.look(now.mono);
        self.hand_out(now, effects);
        if !self.ready.is_empty() || !self.workers.values().any(|worker| !worker.leaving && worker.chunks.is_empty()) {
            return;
        }
        for (id, worker) in &mut self.workers {
            if may_be_held_up(worker) && now.mono.since(worker.progress) >= HELD_UP {
                worker.drained = true;
                let chunks = worker.chunks.iter().filter(|chunk| chunk.settled < chunk.limit);
                effects.at_once.extend(chunks.map(|chunk| Reply::TakeBack(*id, chunk.number)));
            }
        }
    }

    /// Microseconds until [`Self::handle_tick`] has something to do; none: not before something else happens.
    #[must_use]
    pub fn poll_timeout(&self, now: Now) -> Option<u64> {
        if !self.regained.is_empty() {
            return Some(0);
        }
        if !self.ready.is_empty() || !self.workers.values().any(|worker| !worker.leaving && worker.chunks.is_empty()) {
            return None;
        }
        let held_up = self.workers.values().filter(|worker| may_be_held_up(worker));
        held_up.map(|worker| HELD_UP.saturating_sub(now.mono.since(worker.progress))).min()
    }

    /// The worker keeps only the first `limit` deliveries of the chunk.
    pub fn handle_taken_back(&mut self, worker: WorkerId, chunk: u32, limit: u16, now: Now, effects: &mut Effects) {
        let Some(worker_state) = self.workers.get_mut(&worker) else { return };
        let Some(open) = worker_state.chunks.iter_mut().find(|open| open.number == chunk) else { return };
        let rest = open.cut(usize::from(limit));
        self.books.counters.taken_back += rest.len() as u64;
        self.give_back(rest);
        self.close_chunks(worker, effects);
        self.hand_out(now, effects);
    }

    /// Puts hand-outs that nobody started to the front, in their order.
    pub(super) fn give_back(&mut self, rest: Vec<Reserved>) {
        self.ready.give_back(rest);
    }

    /// Gives what is ready to workers that have room, a share each, the idlest first.
    pub(super) fn hand_out(&mut self, now: Now, effects: &mut Effects) {
        while let Some(front) = self.ready.front() {
            let alone = front.delivery.recoveries > 0;
            let roomy =
                self.workers.iter_mut().filter(|(_, worker)| worker.has_room(&self.pace) && (!alone || worker.chunks.is_empty()));
            let (mut count, mut idlest) = (0, None);
            for (id, worker) in roomy {
                count += 1;
                let outstanding = worker.outstanding();
                if idlest.as_ref().is_none_or(|(least, _, _)| outstanding < *least) {
                    idlest = Some((outstanding, *id, worker));
                }
            }
            let Some((outstanding, id, worker)) = idlest else { return };
            let share = self.ready.len().div_ceil(count).min(worker.chunk_size(&self.pace));
            let deliveries = take_share(&mut self.ready, share, worker, now, &mut self.books, effects);
            if deliveries.is_empty() {
                continue;
            }
            if outstanding == 0 {
                worker.progress = now.mono;
            }
            worker.drained = false;
            deliveries.iter().for_each(|reserved| self.books.figures.handed_out(&reserved.delivery, now));
            let number = worker.next_chunk;
            worker.next_chunk = worker.next_chunk % MAX_CHUNK_NUMBER + 1;
            worker.chunks.push_back(OpenChunk {
                number,
                limit: deliveries.len(),
                settled: 0,
                failed: false,
                alone: deliveries.iter().any(|reserved| reserved.delivery.recoveries > 0),
                deliveries: deliveries.iter().cloned().map(Some).collect(),
            });
            effects.at_once.push(Reply::Chunk(id, HandOut { number, deliveries }));
        }
    }
}

/// Takes a chunk's deliveries from the front of what is ready: `share` of them, or less where they are large. Expired ones are dropped.
///
/// One that was lost with a worker before goes alone, to a worker that has nothing else: should it be what killed the worker, it takes
/// no other's chances with it.
fn take_share(
    ready: &mut Ready,
    share: usize,
    worker: &mut Worker,
    now: Now,
    books: &mut Books,
    effects: &mut Effects,
) -> Vec<Reserved> {
    let mut deliveries = Vec::with_capacity(share);
    while deliveries.len() < share {
        let Some(reserved) = ready.front() else { break };
        let delivery = &reserved.delivery;
        if delivery.expires.is_some_and(|expires| expires <= now.wall) {
            books.expire(reserved, effects);
            ready.pop_front();
            continue;
        }
        let (alone, bytes) = (delivery.recoveries > 0, delivery.record.len());
        if alone && !(deliveries.is_empty() && worker.chunks.is_empty()) {
            break;
        }
        if !deliveries.is_empty() && worker.bytes + bytes > MAX_BYTES {
            break;
        }
        worker.bytes += bytes;
        deliveries.extend(ready.pop_front());
        if alone {
            break;
        }
    }
    deliveries
}

/// Whether the worker may have deliveries that it has not claimed. A report tells only now and then, so that it may turn out not to.
fn may_be_held_up(worker: &Worker) -> bool {
    !worker.drained && worker.outstanding() > 1
}

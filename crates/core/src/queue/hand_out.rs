//! Hands deliveries out: who gets how much, and what is taken back from a worker that is held up while another has nothing to do.

use super::books::Books;
use super::pace::{MAX_BYTES, MAX_CREDIT};
use super::parallel;
use super::ready::Ready;
use super::scheduler::Scheduler;
use super::worker::{OpenChunk, Worker};
use super::{Effects, HandOut, Queue, Reply, WorkerId};
use crate::backlog::Reserved;
use crate::lanes::Lane;
use crate::time::Now;

/// A worker that shows no progress for this long is held up, in microseconds.
const HELD_UP: u64 = 5_000;
/// Chunks are numbered from 1 to this, and on from 1: the scoreboard has 28 bits for the number. A multiple of the places that a slot
/// has for chunks, so that chunks in a row have different places there also where the numbers begin again.
pub(super) const MAX_CHUNK_NUMBER: u32 = (1 << 28) - MAX_CREDIT as u32;

impl Queue {
    /// What should be fetched: how many deliveries of which lane. Lanes that have nothing are among them: the backlog knows.
    #[must_use]
    pub fn wants(&self) -> Vec<(Lane, usize)> {
        let (keys, soon) = (&self.books.keys, &self.books.soon);
        let mut wants = self.scheduler.wants(&self.ready, &self.workers);
        wants.iter_mut().for_each(|(lane, count)| *count = soon.limit(*lane, *count, keys.is_full(*lane)));
        wants.retain(|(_, count)| *count > 0);
        wants
    }

    /// Deliveries came from the backlog. Give what came of all lanes together, so that none goes before another for having been asked for first.
    pub fn handle_fetched(&mut self, fetched: Vec<Reserved>, now: Now, effects: &mut Effects) {
        for mut reserved in fetched {
            reserved.delivery.lane = self.scheduler.use_lane(reserved.delivery.lane);
            self.arrive(reserved, now, effects);
        }
        self.scheduler.refilled(&self.ready, &self.workers, now.mono);
        self.hand_out(now, effects);
    }

    /// One came from the backlog: it is ready, unless another event has its key.
    pub(super) fn arrive(&mut self, reserved: Reserved, now: Now, effects: &mut Effects) {
        self.books.soon.came(&reserved.delivery);
        if let Some(reserved) = self.books.keys.admit(reserved) {
            self.make_ready(reserved, now, effects);
        }
    }

    fn make_ready(&mut self, reserved: Reserved, now: Now, effects: &mut Effects) {
        match parallel::split(&self.newest, &reserved.delivery, now) {
            Some(settlement) => self.books.settle(&reserved, settlement, now, effects),
            None => self.ready.push_back(reserved),
        }
    }

    /// Makes ready what waited for keys that are free by now.
    fn take_freed(&mut self, now: Now, effects: &mut Effects) {
        self.books.counters.unblocked += self.books.keys.relieve(&self.books.soon);
        while let Some(reserved) = self.books.keys.next_freed() {
            self.make_ready(reserved, now, effects);
        }
    }

    /// Time passed. Call it when [`Self::poll_timeout`] says, and whenever it suits.
    pub fn handle_tick(&mut self, now: Now, effects: &mut Effects) {
        effects.append.extend(self.regained.drain(..).map(Into::into));
        self.books.figures.look(now.mono);
        self.hand_out(now, effects);
        if !self.has_idle_worker() {
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
        if !self.regained.is_empty() || self.books.keys.has_freed() {
            return Some(0);
        }
        let token = self.scheduler.next_token(&self.ready, now.mono);
        if !self.has_idle_worker() {
            return token;
        }
        let held_up = self.workers.values().filter(|worker| may_be_held_up(worker));
        held_up.map(|worker| HELD_UP.saturating_sub(now.mono.since(worker.progress))).chain(token).min()
    }

    /// Whether a worker has nothing to do. What is ready then is of lanes that are held.
    fn has_idle_worker(&self) -> bool {
        self.workers.values().any(|worker| !worker.leaving && worker.chunks.is_empty())
    }

    /// The worker keeps only the first `limit` deliveries of the chunk.
    pub fn handle_taken_back(&mut self, worker: WorkerId, chunk: u32, limit: u16, now: Now, effects: &mut Effects) {
        let Some(worker_state) = self.workers.get_mut(&worker) else { return };
        let Some(open) = worker_state.chunks.iter_mut().find(|open| open.number == chunk) else { return };
        let rest = cut(open, usize::from(limit), &mut self.scheduler);
        self.books.counters.taken_back += rest.len() as u64;
        self.give_back(rest);
        self.close_chunks(worker, effects);
        self.hand_out(now, effects);
    }

    /// Puts hand-outs that nobody started to the front, in their order.
    pub(super) fn give_back(&mut self, rest: Vec<Reserved>) {
        self.ready.give_back(rest);
    }

    /// Gives what is ready to workers that have room: of the lane whose turn it is, a share each, the idlest first. A lane that finds no room is waited
    /// for, as one that takes less room would always be before it.
    pub(super) fn hand_out(&mut self, now: Now, effects: &mut Effects) {
        self.take_freed(now, effects);
        self.scheduler.count_running(&self.workers);
        while let Some((lane, most)) = self.scheduler.next(&self.ready, now.mono) {
            let scheduler = &self.scheduler;
            let pace = scheduler.pace(lane);
            let alone = self.ready.front(lane).is_some_and(|front| front.delivery.recoveries > 0);
            let roomy = self
                .workers
                .iter_mut()
                .filter(|(_, worker)| worker.has_room(pace.credit(), scheduler) && (!alone || worker.chunks.is_empty()));
            let (mut count, mut idlest) = (0, None);
            for (id, worker) in roomy {
                count += 1;
                let load = worker.load(scheduler);
                if idlest.as_ref().is_none_or(|(least, _, _)| load < *least) {
                    idlest = Some((load, *id, worker));
                }
            }
            let Some((_, id, worker)) = idlest else { return };
            // What a cap leaves is spread as well: one worker would have it one after the other.
            let share = self.ready.len_of(lane).min(most).div_ceil(count).min(worker.chunk_size(pace));
            let deliveries = take_share(&mut self.ready, lane, share, worker, now, &mut self.books, effects);
            if deliveries.is_empty() {
                continue;
            }
            if worker.outstanding() == 0 {
                worker.progress = now.mono;
            }
            let cost = self.scheduler.handed_out(lane, deliveries.len(), now.mono);
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
                lane,
                mixed: false,
                cost,
                told: (0, 0),
            });
            effects.at_once.push(Reply::Chunk(id, HandOut { number, deliveries }));
        }
    }
}

/// Takes back what the worker has not claimed of a chunk, from `limit` on: it was not its queue's after all.
pub(super) fn cut(open: &mut OpenChunk, limit: usize, scheduler: &mut Scheduler) -> Vec<Reserved> {
    let rest = open.cut(limit);
    rest.iter().for_each(|reserved| scheduler.given_back(reserved.delivery.lane, 1, open.cost));
    rest
}

/// Takes a chunk's deliveries from the front of what is ready of a lane: `share` of them, or less where they are large. Expired ones are dropped.
///
/// One that was lost with a worker before goes alone, to a worker that has nothing else: should it be what killed the worker, it takes
/// no other's chances with it.
fn take_share(
    ready: &mut Ready,
    lane: Lane,
    share: usize,
    worker: &mut Worker,
    now: Now,
    books: &mut Books,
    effects: &mut Effects,
) -> Vec<Reserved> {
    let mut deliveries = Vec::with_capacity(share);
    while deliveries.len() < share {
        let Some(reserved) = ready.front(lane) else { break };
        let delivery = &reserved.delivery;
        if delivery.expires.is_some_and(|expires| expires <= now.wall) {
            books.expire(reserved, now, effects);
            ready.pop_front(lane);
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
        deliveries.extend(ready.pop_front(lane));
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

//! Keeps what the queue wants kept, and says what it wants said: some at once, some only when all before it is kept.

use super::Broker;
use crate::clock;
use crate::transport::Sent;
use proletarier_core::backlog::{Completion, Ticket};
use proletarier_core::frame::{BrokerFrame, ChunkWriter};
use proletarier_core::queue::{HandOut, Reply, WorkerId};
use std::collections::VecDeque;

/// What is to be said when a ticket is done.
#[derive(Default)]
pub(super) struct Unsaid {
    kept: VecDeque<(Ticket, Vec<Reply>)>,
    synced: VecDeque<(Ticket, Vec<Reply>)>,
    /// The last ticket that there is, and the last that is done.
    last: Ticket,
    done: Ticket,
    /// The last that is synced.
    through: Ticket,
}

impl Unsaid {
    /// Whether all that there is to keep is kept, and said.
    pub fn is_empty(&self) -> bool {
        self.done >= self.last && self.kept.is_empty()
    }

    /// Whether all that there is to keep is synced.
    pub const fn is_synced(&self) -> bool {
        self.through >= self.last
    }
}

/// Takes what is due of `line` now that all up to `ticket` is done.
fn due(line: &mut VecDeque<(Ticket, Vec<Reply>)>, ticket: Ticket) -> Vec<Reply> {
    let count = line.partition_point(|(waiting, _)| *waiting <= ticket);
    line.drain(..count).flat_map(|(_, replies)| replies).collect()
}

impl Broker<'_> {
    /// Works off the queue's effects until there are none: keeps, says, and fetches for workers that have room.
    pub(super) fn keep_and_say(&mut self) {
        loop {
            self.commit();
            let mut more = self.take_completions();
            // Behind what was just kept: a chunk's place in the scoreboard may have the only word on the chunk before it there.
            more |= self.say_at_once();
            if self.queue.expects_due() {
                self.backlog.promote(clock::now());
            }
            if self.backlog.counts().pending > 0 && clock::mono() >= self.hold_until {
                for (lane, count) in self.queue.wants() {
                    if self.backlog.may_have(lane) {
                        self.backlog.fetch_from(lane, count);
                    }
                }
                more |= self.take_completions();
            }
            if !more && !self.effects.commits() {
                return;
            }
        }
    }

    /// Says what is kept by now, and takes what was fetched. Whether there was something.
    fn take_completions(&mut self) -> bool {
        let (mut any, mut fetched) = (false, Vec::new());
        while let Some(completion) = self.backlog.poll() {
            any = true;
            match completion {
                Completion::Done(ticket) => {
                    self.unsaid.done = ticket;
                    due(&mut self.unsaid.kept, ticket).into_iter().for_each(|reply| self.say(reply));
                }
                Completion::Synced(ticket) => {
                    self.unsaid.through = ticket;
                    due(&mut self.unsaid.synced, ticket).into_iter().for_each(|reply| self.say(reply));
                }
                Completion::Fetched(some) if fetched.is_empty() => fetched = some,
                Completion::Fetched(more) => fetched.extend(more),
                Completion::Failed(error) => {
                    // What is not kept must not be said: the process ends, and the next broker starts from what is kept.
                    crate::log::line(crate::application::Level::Error, "the broker stops", &[("error", &error)]);
                    crate::fork::exit_now(1);
                }
            }
        }
        if !fetched.is_empty() {
            self.queue.handle_fetched(fetched, clock::now(), &mut self.effects);
        }
        any
    }

    fn commit(&mut self) {
        let now = clock::now();
        std::mem::take(&mut self.effects.before).into_iter().for_each(|reply| self.say(reply));
        if !self.effects.append.is_empty() {
            self.unsaid.last = self.backlog.append(&mut self.effects.append, now);
        }
        if !self.effects.settle.is_empty() {
            self.unsaid.last = self.backlog.settle(&mut self.effects.settle, now);
        }
        // With nothing to keep of its own it still waits for what came before.
        let last = self.unsaid.last;
        if !self.effects.after.is_empty() {
            self.unsaid.kept.push_back((last, std::mem::take(&mut self.effects.after)));
            if self.unsaid.done >= last {
                due(&mut self.unsaid.kept, last).into_iter().for_each(|reply| self.say(reply));
            }
        }
        if !self.effects.after_sync.is_empty() {
            self.unsaid.synced.push_back((last, std::mem::take(&mut self.effects.after_sync)));
            if self.unsaid.through >= last {
                // All of it was there before, such as copies: nobody will tell of it again.
                due(&mut self.unsaid.synced, last).into_iter().for_each(|reply| self.say(reply));
            } else {
                self.backlog.sync();
            }
        }
    }

    /// Whether there was something to say. Chunks wait while something is not kept yet: a chunk's place in the scoreboard may have had the only
    /// word on it.
    fn say_at_once(&mut self) -> bool {
        let mut any = false;
        loop {
            let all_kept = self.unsaid.done >= self.unsaid.last;
            let may_be_said = |reply: &mut Reply| all_kept || !matches!(reply, Reply::Chunk(..));
            let now: Vec<_> = self.effects.at_once.extract_if(.., may_be_said).collect();
            if now.is_empty() {
                return any;
            }
            any = true;
            now.into_iter().for_each(|reply| self.say(reply));
        }
    }

    fn say(&mut self, reply: Reply) {
        match reply {
            Reply::Confirm(client, confirmation) => {
                self.frame.clear();
                confirmation.encode(&mut self.frame);
                // A client that is gone needs no confirmation; one that does not read sends its events again, and is told then.
                self.sockets.clients.send_to(&client, &self.frame);
            }
            Reply::Chunk(worker, hand_out) => self.send_chunk(worker, &hand_out),
            Reply::Settled { worker, through, at_once } => {
                if let Some(peer) = self.peers.get_mut(worker) {
                    peer.settled = through;
                    if at_once {
                        self.tell_worker(worker, &BrokerFrame::Settled(through));
                    }
                }
            }
            Reply::Buried(worker) => self.bury(worker),
            Reply::TakeBack(worker, chunk) => self.take_back(worker, chunk),
            Reply::Dead(letter) => self.notices.dead(&letter),
            Reply::Expired(delivery) => self.notices.expired(&delivery),
            Reply::UnknownQueue(name) => self.notices.unknown_queue(&name),
            Reply::Drained => self.drained(),
            Reply::Answer(operator, answer) => self.tell_operator(&operator, &answer),
        }
    }

    fn send_chunk(&mut self, worker: WorkerId, hand_out: &HandOut) {
        let Some(peer) = self.peers.get_mut(worker) else { return };
        let (address, settled) = (peer.address.clone(), peer.settled);
        if let Some(slot) = super::peers::local_slot(worker).and_then(|slot| self.post.scoreboard.slot(slot)) {
            slot.offer(hand_out.number, hand_out.deliveries.iter().map(|reserved| reserved.token));
        }
        self.frame.clear();
        let mut writer = ChunkWriter::begin(&mut self.frame, self.post.epoch, hand_out.number, settled);
        for reserved in &hand_out.deliveries {
            let delivery = &reserved.delivery;
            let only = delivery.only().map(|only| only.iter().map(String::as_str));
            writer.push(reserved.token, delivery.attempt, only, &delivery.record);
        }
        // A worker that can't be reached is dead, or connects again: both are noticed, and the chunk taken back.
        self.sockets.workers.send_to(&address, &self.frame);
    }

    pub(super) fn tell_worker(&mut self, worker: WorkerId, frame: &BrokerFrame) -> Sent {
        let Some(peer) = self.peers.get_mut(worker) else { return Sent::Gone };
        let address = peer.address.clone();
        self.frame.clear();
        frame.encode(&mut self.frame);
        self.sockets.workers.send_to(&address, &self.frame)
    }
}

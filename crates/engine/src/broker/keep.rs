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
pub(super) struct Unsaid(VecDeque<(Ticket, Vec<Reply>)>);

impl Broker<'_> {
    /// Works off the queue's effects until there are none: keeps, says, and fetches for workers that have room.
    pub(super) fn keep_and_say(&mut self) {
        loop {
            self.say_at_once();
            self.commit();
            let wanted = self.queue.wanted();
            if wanted > 0 && self.backlog.counts().pending > 0 {
                self.backlog.fetch(wanted);
            }
            let mut more = false;
            while let Some(completion) = self.backlog.poll() {
                more = true;
                match completion {
                    Completion::Done(ticket) => self.say_kept(ticket),
                    Completion::Fetched(fetched) => self.queue.handle_fetched(fetched, clock::now(), &mut self.effects),
                    Completion::Failed(error) => {
                        // What is not kept must not be said: the process ends, and the next broker starts from what is kept.
                        crate::log::line(crate::application::Level::Error, "the broker stops", &[("error", &error)]);
                        crate::fork::exit_now(1);
                    }
                }
            }
            if !more && self.effects.at_once.is_empty() && !self.effects.commits() {
                return;
            }
        }
    }

    fn commit(&mut self) {
        let now = clock::now();
        for reserved in self.effects.adopt.drain(..) {
            self.backlog.adopt(&reserved);
        }
        let mut ticket = 0;
        if !self.effects.append.is_empty() {
            ticket = self.backlog.append(&mut self.effects.append, now);
        }
        if !self.effects.settle.is_empty() {
            ticket = self.backlog.settle(&mut self.effects.settle, now);
        }
        if self.effects.after.is_empty() {
            return;
        }
        let replies = std::mem::take(&mut self.effects.after);
        if ticket == 0 && self.unsaid.0.is_empty() {
            replies.into_iter().for_each(|reply| self.say(reply));
        } else {
            // With nothing to keep of its own it still waits for what came before.
            let ticket = if ticket == 0 { self.unsaid.0.back().map_or(0, |(ticket, _)| *ticket) } else { ticket };
            self.unsaid.0.push_back((ticket, replies));
        }
    }

    fn say_kept(&mut self, ticket: Ticket) {
        while self.unsaid.0.front().is_some_and(|(waiting, _)| *waiting <= ticket) {
            if let Some((_, replies)) = self.unsaid.0.pop_front() {
                replies.into_iter().for_each(|reply| self.say(reply));
            }
        }
    }

    fn say_at_once(&mut self) {
        while !self.effects.at_once.is_empty() {
            for reply in std::mem::take(&mut self.effects.at_once) {
                self.say(reply);
            }
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

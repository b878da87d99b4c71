//! Hears and answers workers: introductions, outcomes, farewells, and what is taken back from them.

use super::peers::{WorkerAddress, local_id, local_slot};
use super::{Broker, GROUP};
use crate::clock;
use crate::scoreboard::State;
use bytes::Bytes;
use proletarier_core::frame::{BrokerFrame, Ready, WorkerFrame};
use proletarier_core::queue::WorkerId;
use proletarier_core::time::Now;

/// A remote worker that is not heard of for so long is dead, in microseconds. It says that it lives six times as often.
const LEASE: u64 = 30_000_000;

impl Broker<'_> {
    /// Takes in a group of what workers sent.
    pub(super) fn hear_workers(&mut self) {
        for _ in 0..GROUP {
            let Some(parts) = self.sockets.workers.receive() else { return };
            let [address, frame] = &parts[..] else {
                self.malformed += 1;
                continue;
            };
            self.hear_worker(address, frame, clock::now());
        }
    }

    fn hear_worker(&mut self, address: &Bytes, frame: &Bytes, now: Now) {
        let known = self.peers.id(address);
        if let Some(peer) = known.and_then(|id| self.peers.get_mut(id)) {
            peer.heard = now.mono;
        }
        if frame.is_empty() {
            // Each connection begins so. A worker that is known has lost the one before, and with it perhaps what was on its way.
            if let Some(id) = known {
                self.queue.handle_reconnected(id, &mut self.effects);
            }
            self.enquire(address);
            return;
        }
        match (known, WorkerFrame::decode(frame)) {
            // An answer to the broker before: the worker is asked for its answer to this one.
            (None, Ok(WorkerFrame::Ready(ready))) if ready.hello.epoch != self.post.epoch => self.enquire(address),
            (None, Ok(WorkerFrame::Ready(ready))) => self.welcome(address, ready, now),
            (Some(_), Ok(WorkerFrame::Ready(_) | WorkerFrame::Heartbeat)) => {}
            (Some(id), Ok(WorkerFrame::Report(report))) => self.queue.handle_report(id, &report, now, &mut self.effects),
            (Some(id), Ok(WorkerFrame::Leaving)) => self.queue.handle_leaving(id, &mut self.effects),
            (Some(id), Ok(WorkerFrame::Revoked { chunk, limit })) => {
                self.queue.handle_taken_back(id, chunk, limit, now, &mut self.effects);
            }
            (None, Ok(_)) => {
                self.malformed += 1;
                self.enquire(address);
            }
            (_, Err(error)) => {
                self.malformed += 1;
                self.notices.malformed("a worker", &error);
            }
        }
    }

    /// Asks who is there, where the address is one that a worker has.
    fn enquire(&mut self, address: &Bytes) {
        if WorkerAddress::parse(address).is_some() {
            self.frame.clear();
            BrokerFrame::Enquire(self.post.epoch).encode(&mut self.frame);
            self.sockets.workers.send_to(address, &self.frame);
        }
    }

    fn welcome(&mut self, address: &Bytes, ready: Ready, now: Now) {
        let Some(id) = self.identify(address, &ready) else {
            self.malformed += 1;
            self.notices.malformed("a worker", &"an introduction that does not fit the scoreboard");
            return;
        };
        self.mourn_predecessor(address, &ready, now);
        self.peers.add(id, address.clone(), now.mono);
        self.awaited.remove(&id);
        self.learn_table(ready.hello.listeners.clone());
        let backlog = &mut self.backlog;
        if let Err(error) = self.queue.handle_ready(id, ready, &mut |held| backlog.adopt(held), now, &mut self.effects) {
            // The worker itself makes the same table first: this is somebody else.
            self.peers.remove(id);
            self.malformed += 1;
            self.notices.malformed("a worker", &error);
        }
        self.settle_legacies(now);
    }

    /// The worker's id: a local one must be who the scoreboard says.
    fn identify(&mut self, address: &Bytes, ready: &Ready) -> Option<WorkerId> {
        let parsed = WorkerAddress::parse(address)?;
        let hello = &ready.hello;
        if (parsed.slot, parsed.incarnation) != (hello.slot, hello.incarnation) || hello.remote == parsed.host.is_empty() {
            return None;
        }
        if hello.remote {
            return Some(self.peers.remote_id());
        }
        let slot = self.post.scoreboard.slot(hello.slot)?;
        let alive = matches!(slot.state(), State::Booting | State::Working);
        (alive && slot.incarnation() == hello.incarnation && slot.pid() == hello.pid)
            .then(|| local_id(hello.slot, hello.incarnation))
    }

    /// A remote worker brings what the one before it in its slot left.
    fn mourn_predecessor(&mut self, address: &Bytes, ready: &Ready, now: Now) {
        let (Some(remains), Some(parsed)) = (&ready.hello.predecessor, WorkerAddress::parse(address)) else { return };
        let before = format!("W{}.{}.{}", parsed.host, parsed.slot, remains.incarnation);
        if let Some(id) = self.peers.id(before.as_bytes()) {
            self.peers.remove(id);
            self.queue.handle_death(id, Some(remains), now, &mut self.effects);
        }
    }

    /// Takes the unclaimed rest of a chunk back.
    pub(super) fn take_back(&mut self, worker: WorkerId, chunk: u32) {
        let Some(slot) = local_slot(worker).and_then(|slot| self.post.scoreboard.slot(slot)) else {
            self.tell_worker(worker, &BrokerFrame::Revoke(chunk));
            return;
        };
        if let Some(limit) = slot.give_back(chunk) {
            self.queue.handle_taken_back(worker, chunk, limit, clock::now(), &mut self.effects);
        }
    }

    /// Remote workers that were not heard of for the length of a lease are dead.
    pub(super) fn expire_leases(&mut self, now: Now) {
        let silent: Vec<_> =
            self.peers.remotes().filter(|(_, peer)| now.mono.since(peer.heard) > LEASE).map(|(id, _)| id).collect();
        for id in silent {
            self.peers.remove(id);
            self.queue.handle_death(id, None, now, &mut self.effects);
        }
    }

    /// Microseconds until leases should be looked at; none where there are none.
    pub(super) fn lease_check(&self) -> Option<u64> {
        self.peers.remotes().next().map(|_| LEASE / 6)
    }
}

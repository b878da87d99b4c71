//! Defines whom the broker talks to: workers, by the address of their connection.

use bytes::Bytes;
use proletarier_core::queue::WorkerId;
use proletarier_core::time::Mono;
use std::collections::HashMap;

/// Marks the ids of workers that have no slot on this machine.
const REMOTE: u64 = 1 << 63;

/// The id of the worker in a slot of this machine's scoreboard.
pub(super) fn local_id(slot: u32, incarnation: u32) -> WorkerId {
    u64::from(slot) << 32 | u64::from(incarnation)
}

/// The slot of a worker of this machine.
pub(super) fn local_slot(id: WorkerId) -> Option<u32> {
    (id & REMOTE == 0).then_some((id >> 32) as u32)
}

/// A worker, as the broker talks to it.
pub(super) struct Peer {
    pub address: Bytes,
    /// All reports on chunks up to this one are settled.
    pub settled: u32,
    /// Remote: when it was last heard of.
    pub heard: Mono,
}

/// The workers, by id and by address.
#[derive(Default)]
pub(super) struct Peers {
    by_id: HashMap<WorkerId, Peer>,
    by_address: HashMap<Bytes, WorkerId>,
    remotes: u64,
}

impl Peers {
    pub fn id(&self, address: &[u8]) -> Option<WorkerId> {
        self.by_address.get(address).copied()
    }

    pub fn get_mut(&mut self, id: WorkerId) -> Option<&mut Peer> {
        self.by_id.get_mut(&id)
    }

    pub fn add(&mut self, id: WorkerId, address: Bytes, heard: Mono) {
        self.by_address.insert(address.clone(), id);
        self.by_id.insert(id, Peer { address, settled: 0, heard });
    }

    /// Whether it was there.
    pub fn remove(&mut self, id: WorkerId) -> bool {
        let removed = self.by_id.remove(&id);
        removed.is_some_and(|peer| self.by_address.remove(&peer.address).is_some())
    }

    /// An id for another worker that has no slot here.
    pub fn remote_id(&mut self) -> WorkerId {
        self.remotes += 1;
        REMOTE | self.remotes
    }

    pub fn remotes(&self) -> impl Iterator<Item = (WorkerId, &Peer)> {
        self.by_id.iter().filter(|(id, _)| *id & REMOTE != 0).map(|(id, peer)| (*id, peer))
    }
}

/// The address of a worker's connection: where it runs, its slot there, and which of the slot's workers it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WorkerAddress<'a> {
    /// Empty for this machine's.
    pub host: &'a str,
    pub slot: u32,
    pub incarnation: u32,
}

impl<'a> WorkerAddress<'a> {
    /// Reads `W<host>.<slot>.<incarnation>`.
    pub fn parse(address: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(address).ok()?.strip_prefix('W')?;
        let mut parts = text.split('.');
        let parsed = Self { host: parts.next()?, slot: parts.next()?.parse().ok()?, incarnation: parts.next()?.parse().ok()? };
        parts.next().is_none().then_some(parsed)
    }
}

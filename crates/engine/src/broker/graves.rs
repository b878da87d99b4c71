//! Settles the dead: a slot is used again only when all that its worker had is settled.

use super::Broker;
use super::peers::{local_id, local_slot};
use crate::clock;
use crate::scoreboard::State;
use proletarier_core::queue::WorkerId;

impl Broker<'_> {
    /// Looks for slots whose worker is dead, and settles what they had.
    pub(super) fn settle_graves(&mut self) {
        let now = clock::now();
        for (number, slot) in self.post.scoreboard.slots().filter(|(_, slot)| slot.state() == State::Dead) {
            let id = local_id(number, slot.incarnation());
            if self.burying.insert(id) {
                let met = self.peers.remove(id);
                self.awaited.remove(&id);
                if !met && self.backlog.capabilities().survives_broker {
                    self.inherit_from(number, slot);
                } else {
                    self.queue.handle_death(id, Some(&slot.remains()), now, &mut self.effects);
                }
            }
        }
        self.settle_legacies(now);
    }

    /// All that the worker had is settled.
    pub(super) fn bury(&mut self, worker: WorkerId) {
        if self.burying.remove(&worker)
            && let Some(slot) = local_slot(worker).and_then(|slot| self.post.scoreboard.slot(slot))
        {
            slot.free();
            self.post.ties.zygote.ring();
        }
    }
}

//! Provides the queue's books: what is counted, and what is followed of an event beyond its deliveries. Every settlement passes here.

use super::figures::Figures;
use super::keys::Keys;
use super::letters::Herald;
use super::soon::Soon;
use super::unique::Uniques;
use super::watch::{Fate, Watches};
use super::{Counters, Effects, Reply};
use crate::backlog::{Replacement, Reserved, Settlement};
use crate::delivery::Delivery;
use crate::time::Now;

/// The books.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub counters: Counters,
    pub uniques: Uniques,
    pub watches: Watches,
    pub herald: Herald,
    pub keys: Keys,
    pub soon: Soon,
    pub figures: Figures,
}

impl Books {
    /// Counts and tells of an outcome, and leaves it to be kept.
    pub fn settle(&mut self, settled: &Reserved, mut settlement: Settlement, now: Now, effects: &mut Effects) {
        self.counters.unblocked += u64::from(self.keys.settle(settled, &mut settlement, now));
        self.follow(&settled.delivery, &settlement);
        self.figures.settled(&settled.delivery, &settlement);
        match &mut settlement {
            Settlement::Done => self.counters.done += 1,
            Settlement::Replace(replacements) => {
                let mut announcements = Vec::new();
                for replacement in replacements.iter() {
                    match replacement {
                        Replacement::Delivery(next) => {
                            self.soon.comes(next, now);
                            self.counters.retried += u64::from(next.attempt > settled.delivery.attempt);
                        }
                        Replacement::Dead(letter) => {
                            self.counters.dead += 1;
                            announcements.extend(self.herald.announce(letter, now));
                            effects.after.push(Reply::Dead(letter.clone()));
                        }
                    }
                }
                // In the settlement, so that an announcement is kept if, and only if, the death is.
                replacements.extend(announcements.into_iter().map(Replacement::Delivery));
            }
        }
        effects.settle.push((settled.token, settlement));
    }

    /// It expired before anybody started it.
    pub fn expire(&mut self, expired: &Reserved, now: Now, effects: &mut Effects) {
        self.counters.expired += 1;
        self.watches.ended(&expired.delivery, || Fate::Failed("it expired before it was started".to_owned()));
        self.keys.settle(expired, &mut Settlement::Done, now);
        self.follow(&expired.delivery, &Settlement::Done);
        effects.before.push(Reply::Expired(expired.delivery.clone()));
        effects.settle.push((expired.token, Settlement::Done));
    }

    /// A delivery was taken in, or put in a dead letter's place.
    pub fn taken(&mut self, delivery: &Delivery, id: &str) {
        if let Some(unique) = delivery.unique() {
            self.uniques.hold(unique, id);
        }
        self.watches.taken(id);
        self.figures.taken(delivery.lane);
    }

    /// A delivery is settled: whoever follows its event learns of it.
    pub fn follow(&mut self, delivery: &Delivery, settlement: &Settlement) {
        if let Some(unique) = delivery.unique() {
            self.uniques.settled(unique, delivery, settlement);
        }
        self.watches.settled(delivery, settlement);
    }
}

//! Counts what stands in another delivery's place and is to be fetched at once: what a key is waiting for, and parallel listeners.
//!
//! It is due from the start, so that it comes before what was pending: while there is some, little else is asked for (see
//! [`Soon::limit`]). Otherwise all that waits would be split before the first of it is handled, or a full line wait for what it asks not for.

use super::keys::event_of;
use crate::delivery::{Delivery, Due};
use crate::lanes::Lane;
use crate::time::Now;
use std::collections::HashMap;

/// With so many of a lane to come, deliveries of it are asked for one at a time: what is due goes first.
const MANY: u32 = 64;

/// What is to be fetched at once.
#[derive(Debug, Default)]
pub(super) struct Soon {
    by_event: HashMap<u64, (Lane, u32)>,
    by_lane: HashMap<Lane, u32>,
}

impl Soon {
    pub fn is_empty(&self) -> bool {
        self.by_event.is_empty()
    }

    /// This one will be in the backlog, and is to be fetched at once if it is due now.
    pub fn comes(&mut self, delivery: &Delivery, now: Now) {
        if delivery.due != Some(Due::After(now.mono)) {
            return;
        }
        let Some(event) = event_of(delivery) else { return };
        self.by_event.entry(event).or_insert((delivery.lane, 0)).1 += 1;
        *self.by_lane.entry(delivery.lane).or_default() += 1;
    }

    /// This one was fetched, or will not be.
    pub fn came(&mut self, delivery: &Delivery) {
        if self.by_event.is_empty() || delivery.due.is_none() {
            return;
        }
        let Some(event) = event_of(delivery) else { return };
        let Some((lane, count)) = self.by_event.get_mut(&event) else { return };
        let lane = *lane;
        *count -= 1;
        if *count == 0 {
            self.by_event.remove(&event);
        }
        if let Some(count) = self.by_lane.get_mut(&lane) {
            *count -= 1;
            if *count == 0 {
                self.by_lane.remove(&lane);
            }
        }
    }

    /// Whether something of this event is to come at once.
    pub fn awaits(&self, event: u64) -> bool {
        self.by_event.contains_key(&event)
    }

    /// How much to ask for of a lane where `wanted` would be; `full`: nothing else can be taken in.
    pub fn limit(&self, lane: Lane, wanted: usize, full: bool) -> usize {
        match self.by_lane.get(&lane) {
            None | Some(0) => {
                if full {
                    0
                } else {
                    wanted
                }
            }
            Some(count) if full || *count >= MANY => wanted.min(1),
            Some(_) => wanted,
        }
    }
}

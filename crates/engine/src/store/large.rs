//! Keeps entries within what a frame may have: where an outcome has several large replacements, as a large event has that failed for several
//! listeners, all but the last of them get entries of their own, before the one that settles. Who dies in between leaves both, what was to be
//! replaced and some of what replaces it: it is done again, and nothing is lost.

use super::journal::NoRoom;
use super::{Store, entry};
use proletarier_core::backlog::Replacement;
use proletarier_core::delivery::Delivery;
use std::io::Result;

/// Bytes of records that are written in one entry, but for one larger record.
const MOST: usize = 32 << 20;

const fn delivery(replacement: &Replacement) -> &Delivery {
    match replacement {
        Replacement::Delivery(delivery) => delivery,
        Replacement::Dead(letter) => &letter.delivery,
    }
}

impl Store {
    /// Writes of these what is more than one entry should have; leaves the rest. `NoRoom`: of what is left, too, more has to be written.
    pub(super) fn write_large(&mut self, replacements: &mut Vec<Replacement>) -> Result<std::result::Result<(), NoRoom>> {
        let mut bytes: usize = replacements.iter().map(|replacement| delivery(replacement).record.len()).sum();
        while bytes > MOST && replacements.len() > 1 {
            let Some(first) = replacements.first() else { break };
            let (sequence, large) = (self.journal.next, first.clone());
            let put = self.put(|store, body| {
                let origin = entry::KeptOrigin::None;
                match &large {
                    Replacement::Delivery(delivery) => entry::put_delivery(body, sequence, delivery, origin, &store.clocks),
                    Replacement::Dead(letter) => {
                        entry::put_letter(body, sequence, letter.at, &letter.delivery, origin, &store.clocks);
                    }
                }
            });
            let Ok(place) = put? else { return Ok(Err(NoRoom)) };
            replacements.remove(0);
            bytes -= delivery(&large).record.len();
            self.journal.next = sequence + 1;
            match large {
                Replacement::Delivery(delivery) => self.keep(sequence, delivery, place),
                Replacement::Dead(letter) => self.keep_letter(sequence, sequence, &letter.delivery, place),
            }
        }
        Ok(Ok(()))
    }
}

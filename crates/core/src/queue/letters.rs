//! Works on dead letters: replays, discards and takes them in, removes those that are too old or too many, and announces each death to the
//! application.

use super::{Effects, Queue, unique};
use crate::backlog::{Append, Counts, Page, Replacement, Settlement, Token};
use crate::delivery::{DeadLetter, Delivery, Rest};
use crate::lanes::Lanes;
use crate::record::Record;
use crate::time::{Mono, Now, Wall};
use serde_json::json;
use std::sync::Arc;

/// The event that announces a death. Its listeners get one attempt whatever is configured, and its own death is announced to nobody: an
/// application whose every listener fails must not be kept busy by that alone.
pub const DEAD_EVENT: &str = "proletarier.dead";

/// Dead letters that a sweep looks at in one go.
pub const SWEEP_PAGE: usize = 100;
/// A sweep looks again after so long at the latest, as the wall clock may have been set, and not sooner than the other.
const SWEEP_AFTER: (u64, u64) = (1_000_000, 3_600 * 1_000_000);

/// Announces deaths, while somebody listens.
#[derive(Debug, Default)]
pub(super) struct Herald {
    /// The workers have a listener for exactly [`DEAD_EVENT`]: what listens to everything has asked for the application's events.
    pub heard: bool,
    /// Where announcements wait.
    pub lanes: Lanes,
    serial: u64,
}

impl Herald {
    /// The event that tells of this letter.
    pub fn announce(&mut self, letter: &DeadLetter, now: Now) -> Option<Delivery> {
        if !self.heard {
            return None;
        }
        let record = Record::decode(&letter.delivery.record).ok().filter(|record| record.name != DEAD_EVENT)?;
        let reason = letter.reason();
        let params = json!({
            "event": record.name,
            "id": record.id,
            "listener": letter.delivery.only().map(|only| only.join(", ")),
            "kind": reason.map(|failure| failure.kind),
            "error": reason.map(crate::failure::Failure::in_words),
            "attempts": letter.delivery.attempt,
            "at": letter.at,
        })
        .to_string();
        self.serial += 1;
        let id = id(now.wall, now.dice.wrapping_add(self.serial));
        let headers = record.headers;
        let announcement = Record {
            id: &id,
            name: DEAD_EVENT,
            triggered_at: now.wall.0,
            headers,
            params: params.as_bytes(),
            ..Record::default()
        };
        let mut bytes = Vec::new();
        announcement.encode(&mut bytes);
        let lane = self.lanes.of_record(&announcement);
        Some(Delivery { lane, ..Delivery::first(bytes.into()) })
    }
}

/// A UUIDv7 (RFC 9562) of a moment and of random bits, which are mixed (the finalizer of SplitMix64, by Steele, Lea and Flood), as those of one
/// step differ by their count only.
fn id(wall: Wall, random: u64) -> String {
    let mix = |number: u64| {
        let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    };
    let (millis, high, low) = (wall.0 / 1_000, mix(random) & 0xfff, mix(random.wrapping_add(1)));
    let (variant, node) = ((low >> 48) & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
    format!("{:08x}-{:04x}-7{high:03x}-{variant:04x}-{node:012x}", (millis >> 16) & 0xffff_ffff, millis & 0xffff)
}

impl Queue {
    /// Dead letters are to be tried again: each by a fresh first attempt for the same listeners, its history kept and marked. A unique key is
    /// taken again where it is free; an event that expired would be dropped at once, so that its time no longer counts.
    pub fn handle_replay(&mut self, letters: Vec<(Token, DeadLetter)>, now: Now, effects: &mut Effects) {
        for (token, DeadLetter { delivery, .. }) in letters {
            let mut rest = delivery.rest.as_deref().cloned().unwrap_or_default();
            if let Some(spent) = rest.history.last_mut() {
                spent.replayed = Some(now.wall.0);
            }
            // It takes its place behind what is there by now.
            rest.holds_key = false;
            let record = Record::decode(&delivery.record).unwrap_or_default();
            let unique = unique::of(&record, None, now);
            rest.unique = unique.and_then(|unique| self.books.uniques.claim(unique, record.id, now));
            let rest = (rest != Rest::default()).then(|| Arc::new(rest));
            let lane = self.lane_of(&record, effects);
            let again = Delivery { rest, lane, ..Delivery::first(delivery.record.clone()) };
            self.books.counters.replayed += 1;
            self.books.taken(&again, record.id);
            effects.settle.push((token, Settlement::Replace(vec![Replacement::Delivery(again)])));
        }
    }

    /// Dead letters are to be forgotten.
    pub fn handle_discard(&mut self, letters: impl IntoIterator<Item = Token>, effects: &mut Effects) {
        for token in letters {
            self.books.counters.discarded += 1;
            effects.settle.push((token, Settlement::Done));
        }
    }

    /// A dead letter came from elsewhere. It is as old as its arrival here, so that `dead.keep` leaves time to look at it.
    pub fn handle_import(&mut self, delivery: Delivery, now: Now, effects: &mut Effects) {
        self.books.counters.imported += 1;
        effects.append.push(Append { delivery, origin: None, dead: Some(now.wall.0) });
    }

    /// Microseconds until dead letters should be looked through for those to remove; none while there are none.
    #[must_use]
    pub fn sweep_in(&self, counts: &Counts, now: Now) -> Option<u64> {
        let limits = self.gate.limits();
        if counts.dead > limits.dead {
            return Some(0);
        }
        (counts.dead > 0 && limits.dead_keep.is_some()).then(|| self.sweep_at.since(now.mono))
    }

    /// Removes dead letters that are too old or too many; `page` are the [`SWEEP_PAGE`] oldest. How many went.
    pub fn handle_sweep(&mut self, page: &Page<(Token, DeadLetter)>, counts: &Counts, now: Now, effects: &mut Effects) -> usize {
        let limits = *self.gate.limits();
        let excess = counts.dead.saturating_sub(limits.dead);
        // Microseconds that a letter has left.
        let left = |letter: &DeadLetter| limits.dead_keep.map(|keep| letter.at.saturating_add(keep).saturating_sub(now.wall.0));
        let goes = |(number, (_, letter)): &(u64, &(Token, DeadLetter))| *number < excess || left(letter) == Some(0);
        let gone: Vec<Token> = (0..).zip(&page.items).take_while(goes).map(|(_, (token, _))| *token).collect();
        self.sweep_at = match page.items.get(gone.len()) {
            Some((_, letter)) => now.mono.plus(left(letter).unwrap_or(u64::MAX).clamp(SWEEP_AFTER.0, SWEEP_AFTER.1)),
            None if page.next.is_some() => now.mono,
            None => now.mono.plus(limits.dead_keep.unwrap_or(u64::MAX).clamp(SWEEP_AFTER.0, SWEEP_AFTER.1)),
        };
        self.books.counters.swept += gone.len() as u64;
        effects.settle.extend(gone.iter().map(|token| (*token, Settlement::Done)));
        gone.len()
    }
}

/// When nothing has been swept yet.
pub(super) const AT_ONCE: Mono = Mono(0);

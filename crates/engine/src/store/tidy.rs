//! Keeps the store as small as what is in it: a segment of which all is settled goes, and of one that is mostly settled, what waits for long or is
//! dead is moved on to the newest, a little at a time.

use super::Store;
use super::entry::{self, Entry, Kept};
use super::facts::Facts;
use super::files::Files;
use super::frame::{Found, Reader};
use super::journal::NoRoom;
use super::segment::BEGIN;
use proletarier_core::backlog::{Counts, Ticket};
use proletarier_core::delivery::DeadLetter;
use std::collections::HashSet;
use std::io::Result;

/// Sessions in one entry that carries them on.
const CARRIED: usize = 512;
/// What may lie idle beside what is live, in bytes, before anything is moved.
const SLACK: u64 = 8 << 20;
/// Bytes of a segment that are looked through in one step.
const STEP: u64 = 256 * 1024;
/// With nothing to do but to wait for room, it is looked for so often, in microseconds.
const AGAIN: u64 = 500_000;

/// What is going on.
#[derive(Default)]
pub(super) struct Tidying {
    look: bool,
    /// Segments that go when what makes them superfluous is synced: up to this ticket.
    going: Vec<(u64, Ticket)>,
    /// The segment that is being emptied, and how far that is.
    moving: Option<(u64, u64)>,
    /// Segments that were looked through since the newest began.
    tried: HashSet<u64>,
    checked: u64,
}

impl Tidying {
    /// Something has changed.
    pub fn look_again(&mut self) {
        self.look = true;
    }

    /// A segment is full.
    pub fn has_rolled(&mut self) {
        self.tried.clear();
        self.look = true;
    }
}

impl Store {
    /// Does a little of what there is to do. Microseconds until it should be called again, where nothing else would do that.
    pub(super) fn tidy(&mut self) -> Option<u64> {
        if self.refuses() && self.now.mono.0 >= self.tidying.checked + AGAIN {
            self.tidying.checked = self.now.mono.0;
            self.journal.files.prepare();
        }
        let result = self.tidy_step();
        let more = self.note(result, false);
        if more { Some(0) } else { self.refuses().then_some(AGAIN) }
    }

    fn refuses(&self) -> bool {
        self.journal.trouble.is_some() || self.journal.files.trouble.is_some() || !self.waiting.is_empty()
    }

    fn tidy_step(&mut self) -> Result<bool> {
        if !self.waiting.is_empty() || !self.undone.is_empty() || (!self.tidying.look && self.tidying.moving.is_none()) {
            return Ok(false);
        }
        if self.tidying.look {
            self.tidying.look = false;
            self.begin_drops()?;
            self.choose();
        }
        self.move_on()
    }

    fn is_going(&self, number: u64) -> bool {
        self.tidying.going.iter().any(|(going, _)| *going == number)
    }

    /// Prepares every segment of which all is settled to go.
    fn begin_drops(&mut self) -> Result<()> {
        let full = self.journal.segments.len().saturating_sub(1);
        let over: Vec<u64> =
            self.journal.segments.iter().take(full).filter(|segment| segment.live == 0).map(|segment| segment.number).collect();
        for number in over {
            if self.is_going(number) {
                continue;
            }
            if self.carry_on(number)?.is_err() {
                self.tidying.look = true;
                return Ok(());
            }
            // It goes with the ticket of this.
            self.tickets += 1;
            self.sync_to = self.tickets;
            self.tidying.going.push((number, self.tickets));
        }
        Ok(())
    }

    /// Writes to the newest segment what only this one knows: what it settled of others that stay, its sessions, and which segments went that the
    /// newest one says were there when it began.
    fn carry_on(&mut self, number: u64) -> Result<std::result::Result<(), NoRoom>> {
        let refs = self.journal.segment(number).map(|segment| segment.refs.clone()).unwrap_or_default();
        for other in refs {
            let runs = match self.journal.segment(other) {
                Some(segment) if segment.live > 0 => segment.settled_runs(),
                _ => continue,
            };
            if !self.put_runs(&runs)? {
                return Ok(Err(NoRoom));
            }
        }
        let summary = self.journal.summary_of(number, &self.clocks)?;
        let dropped: Vec<u64> =
            summary.dropped.iter().copied().filter(|before| self.journal.summary.start.contains(before)).collect();
        for before in dropped {
            if self.put_dropped(before)?.is_err() {
                return Ok(Err(NoRoom));
            }
        }
        let facts = summary.facts.remembered(self.now.wall.0);
        let all: Vec<_> = facts.0.into_iter().collect();
        for part in all.chunks(CARRIED) {
            let part = Facts(part.iter().cloned().collect());
            if self.put(|_, body| entry::put_facts(body, &part))?.is_err() {
                return Ok(Err(NoRoom));
            }
            self.journal.summary.facts.merge(&part);
        }
        self.put_dropped(number)
    }

    fn put_dropped(&mut self, number: u64) -> Result<std::result::Result<(), NoRoom>> {
        if self.put(|_, body| entry::put_dropped(body, number))?.is_err() {
            return Ok(Err(NoRoom));
        }
        self.journal.summary.dropped.push(number);
        Ok(Ok(()))
    }

    /// Lets go what is superfluous by what is synced now.
    pub(super) fn drop_what_goes(&mut self) {
        let synced = self.synced;
        let (gone, going): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.tidying.going).into_iter().partition(|(_, ticket)| *ticket <= synced);
        self.tidying.going = going;
        for (number, _) in gone {
            let Some(place) = self.journal.segments.iter().position(|segment| segment.number == number) else { continue };
            if let Some(segment) = self.journal.segments.remove(place) {
                self.parked.forget(number);
                let given = self.journal.files.give_back(number, segment.size);
                self.note(given, ());
                self.journal.names_changed = true;
            }
        }
    }

    /// Chooses a segment to empty, where much lies idle.
    fn choose(&mut self) {
        if self.tidying.moving.is_some() {
            return;
        }
        let full = self.journal.segments.len().saturating_sub(1);
        let sealed = || self.journal.segments.iter().take(full);
        let live: u64 = sealed().map(|segment| u64::from(segment.live) * segment.average()).sum();
        let size: u64 = sealed().map(|segment| segment.size).sum();
        if size <= 2 * live + SLACK {
            return;
        }
        let tried = &self.tidying.tried;
        let sparse =
            sealed().filter(|segment| segment.live > 0 && u64::from(segment.live) * segment.average() * 2 < segment.size);
        let chosen = sparse
            .filter(|segment| !tried.contains(&segment.number))
            .min_by_key(|segment| u64::from(segment.live) * segment.average());
        self.tidying.moving = chosen.map(|segment| (segment.number, BEGIN));
    }

    /// Goes on emptying a segment; whether there is more to do.
    fn move_on(&mut self) -> Result<bool> {
        let Some((number, from)) = self.tidying.moving else { return Ok(false) };
        let Some(segment) = self.journal.segment(number) else {
            self.tidying.moving = None;
            return Ok(false);
        };
        let file = std::sync::Arc::clone(&segment.file);
        let mut reader = Reader::new(&*file, number, from, segment.end);
        while reader.position < from + STEP {
            let Some(found) = reader.next()? else {
                self.tidying.moving = None;
                self.tidying.tried.insert(number);
                self.tidying.look = true;
                return Ok(true);
            };
            let Found::Frame { body, .. } = found else { continue };
            let kept = match Entry::decode(&body, &self.clocks) {
                Ok(Entry::Delivery(kept)) => vec![kept],
                Ok(Entry::Replace(_, kept)) => kept,
                _ => continue,
            };
            for kept in kept {
                if self.may_move(number, &kept) && self.move_one(kept)?.is_err() {
                    self.tidying.moving = None;
                    return Ok(false);
                }
            }
        }
        self.tidying.moving = Some((number, reader.position));
        Ok(true)
    }

    /// What waits in the line is not moved, as that would cost it its place; what is in somebody's hand is not, as it is known by its number.
    fn may_move(&self, segment: u64, kept: &Kept) -> bool {
        let Some(segment) = self.journal.segment(segment) else { return false };
        if segment.is_settled(kept.sequence) || segment.is_reserved(kept.sequence) {
            return false;
        }
        match kept.dead {
            Some((number, _)) => self.letters.is_at(number, kept.sequence),
            None => kept.delivery.due.is_some() && !self.promoted.contains(&kept.sequence),
        }
    }

    fn move_one(&mut self, kept: Kept) -> Result<std::result::Result<(), NoRoom>> {
        let (old, new) = (kept.sequence, self.journal.next);
        let letter = kept.dead.map(|(number, at)| (number, DeadLetter { delivery: kept.delivery.clone(), at }));
        let put = self.put(|store, body| {
            entry::put_replace(body, old, 1, |replacing| match &letter {
                Some((number, letter)) => replacing.letter(new, *number, letter, &store.clocks),
                None => replacing.delivery(new, &kept.delivery, &store.clocks),
            });
        });
        let Ok(place) = put? else { return Ok(Err(NoRoom)) };
        self.journal.next = new + 1;
        self.journal.summary.settle(old, 1);
        self.refer_to(old);
        if let Some(at) = self.journal.segment_of(old) {
            self.journal.segments[at].settle(old);
        }
        match letter {
            Some((number, letter)) => self.keep_letter(number, new, &letter.delivery, place),
            None => {
                // It is parked here instead of there.
                self.counts.parked -= 1;
                self.counts.bytes = self.counts.bytes.saturating_sub(kept.delivery.record.len() as u64);
                self.keep(new, kept.delivery, place);
            }
        }
        Ok(Ok(()))
    }

    /// Nothing has come for a second: all is synced. A store that is empty takes no more room than a new one.
    pub(super) fn come_to_rest(&mut self) {
        self.reminded = false;
        self.sync_to = self.tickets;
        let quiet = std::mem::replace(&mut self.at_reminder, self.tickets) == self.tickets;
        if !quiet {
            // Another look, as long as there was something.
            self.reminded = true;
            self.syncer.remind();
            return;
        }
        let large = self.journal.segments.back().is_some_and(|last| last.size > Files::SMALLEST);
        if large && self.counts == Counts::default() && self.undone.is_empty() && self.waiting.is_empty() {
            self.journal.files.shrink();
            let rolled = self.roll(0);
            let _ = self.note(rolled, Ok(()));
        }
    }
}

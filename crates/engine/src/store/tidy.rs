//! Keeps the store as small as what is in it: a segment of which all is settled goes, and of one that is mostly settled, what waits for long or is
//! dead is moved on to the newest, a little at a time.

use super::Store;
use super::entry::{self, Entry, Kept};
use super::facts::Facts;
use super::frame::{Found, Reader};
use super::journal::NoRoom;
use super::segment::{BEGIN, Segment};
use proletarier_core::delivery::{DeadLetter, Due};
use std::collections::HashSet;
use std::io::Result;

/// Sessions in one entry that carries them on.
const CARRIED: usize = 512;
/// Bytes of a segment that are looked through in one step.
const STEP: u64 = 256 * 1024;
/// What is due within so many microseconds is not moved.
const SOON: u64 = 60_000_000;
/// With nothing to do but to wait for room, it is looked for so often, in microseconds.
const AGAIN: u64 = 500_000;

/// What is going on.
#[derive(Default)]
pub(super) struct Tidying {
    look: bool,
    /// Segments that go.
    going: Vec<Going>,
    /// The segment that is being emptied, and how far that is.
    moving: Option<(u64, u64)>,
    /// Segments that were looked through in this round.
    tried: HashSet<u64>,
    /// Older segments than this one are looked through in this round: what was moved in it is not moved again in it.
    before: u64,
    /// It is this that writes.
    writes: bool,
    checked: u64,
}

/// A segment that goes, step by step, as a power loss may take any part of what is not synced: each step is begun when the one before is synced.
#[derive(Clone, Copy)]
struct Going {
    segment: u64,
    step: Step,
    /// The sync that is to end next, counted from the first.
    sync: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// All of it is settled.
    Over,
    /// What only it knew is written to the newest segment. Sooner that might be left without what replaced what it says is settled.
    Carried,
    /// So is that it goes. Sooner that might be left without what was carried on.
    Dropped,
}

impl Tidying {
    /// It is tidying that writes from here on, or is not.
    pub const fn writes(&mut self, writes: bool) {
        self.writes = writes;
    }

    /// Something has changed.
    pub fn look_again(&mut self) {
        self.look = true;
    }

    /// Whether a segment waits for this sync.
    pub fn waits_for(&self, sync: u64) -> bool {
        self.going.iter().any(|going| going.sync == sync)
    }

    fn is_dropped(&self, number: u64) -> bool {
        self.going.iter().any(|going| going.segment == number && going.step == Step::Dropped)
    }

    /// A segment is full, and another one began. By what was appended or settled: another round begins.
    pub fn has_rolled(&mut self, newest: u64) {
        if !self.writes {
            self.tried.clear();
            self.before = newest;
        }
        self.look = true;
    }
}

impl Store {
    /// Does a little of what there is to do. Microseconds until it should be called again, where nothing else would do that.
    pub(super) fn tidy(&mut self) -> Option<u64> {
        let mended = self.mend();
        self.note(mended, ());
        if self.refuses() && self.now.mono.0 >= self.tidying.checked + AGAIN {
            self.tidying.checked = self.now.mono.0;
            self.journal.files.prepare();
        }
        self.tidying.writes = true;
        let result = self.tidy_step();
        self.tidying.writes = false;
        let more = self.note(result, false);
        let synced = self.sync_on();
        self.note(synced, ());
        if more { Some(0) } else { self.refuses().then_some(AGAIN) }
    }

    fn refuses(&self) -> bool {
        self.journal.trouble.is_some() || self.journal.files.trouble.is_some() || self.waits_for_room()
    }

    /// Whether there is something that could not be written.
    pub(super) fn waits_for_room(&self) -> bool {
        !(self.outcomes.is_empty() && self.events.is_empty())
    }

    fn tidy_step(&mut self) -> Result<bool> {
        if !self.outcomes.is_empty() || !self.undone.is_empty() || (!self.tidying.look && self.tidying.moving.is_none()) {
            return Ok(false);
        }
        if self.tidying.look {
            self.tidying.look = false;
            self.begin_drops();
            self.drop_what_goes()?;
            self.choose();
        }
        self.move_on()
    }

    fn is_going(&self, number: u64) -> bool {
        self.tidying.going.iter().any(|going| going.segment == number)
    }

    /// Prepares every segment of which all is settled to go.
    fn begin_drops(&mut self) {
        let full = self.journal.full();
        let over: Vec<u64> =
            self.journal.segments.iter().take(full).filter(|segment| segment.live == 0).map(|segment| segment.number).collect();
        for number in over {
            if self.is_going(number) {
                continue;
            }
            self.tidying.going.push(Going { segment: number, step: Step::Over, sync: self.syncs + 1 });
        }
    }

    /// Writes to the newest segment what only this one knows: what it settled of others that stay, its sessions, and which segments went that the
    /// newest one says were there when it began.
    fn carry_on(&mut self, number: u64) -> Result<std::result::Result<(), NoRoom>> {
        let summary = self.journal.summary_of(number, &self.clocks)?;
        let refs = self.journal.segment(number).map(|segment| segment.refs.clone()).unwrap_or_default();
        for other in refs {
            let runs = match self.journal.segment(other) {
                Some(segment) if !self.tidying.is_dropped(other) => segment.its_part(&summary.done),
                _ => continue,
            };
            if !self.put_runs(&runs)? {
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
        // The newest segment lists those that there were when it began: which of them went is not forgotten.
        for gone in summary.dropped {
            if self.journal.summary.start.contains(&gone) && self.write_dropped(gone)?.is_err() {
                return Ok(Err(NoRoom));
            }
        }
        Ok(Ok(()))
    }

    fn write_dropped(&mut self, number: u64) -> Result<std::result::Result<(), NoRoom>> {
        if self.put(|_, body| entry::put_dropped(body, number))?.is_err() {
            return Ok(Err(NoRoom));
        }
        self.journal.summary.dropped.push(number);
        Ok(Ok(()))
    }

    /// Lets go what is superfluous by what is synced now.
    pub(super) fn drop_what_goes(&mut self) -> Result<()> {
        for at in 0..self.tidying.going.len() {
            let Going { segment, step, sync } = self.tidying.going[at];
            if step == Step::Dropped || sync > self.syncs_ended {
                continue;
            }
            let (written, next) = match step {
                Step::Over => (self.carry_on(segment)?, Step::Carried),
                Step::Carried | Step::Dropped => (self.write_dropped(segment)?, Step::Dropped),
            };
            if written.is_err() {
                // Those that follow settle something in it: they do not go before.
                self.tidying.look = true;
                break;
            }
            self.tidying.going[at] = Going { segment, step: next, sync: self.syncs + 1 };
        }
        let ended = self.syncs_ended;
        let is_gone = |going: &Going| going.step == Step::Dropped && going.sync <= ended;
        let gone: Vec<_> = self.tidying.going.extract_if(.., |going| is_gone(going)).map(|going| going.segment).collect();
        for number in gone {
            let Some(place) = self.journal.segments.iter().position(|segment| segment.number == number) else { continue };
            if let Some(segment) = self.journal.segments.remove(place) {
                self.parked.forget(number);
                self.journal.unproven.retain(|unproven| *unproven != number);
                self.journal.files.give_back(number, segment.size)?;
                self.journal.names_changed = true;
            }
        }
        Ok(())
    }

    /// Chooses a segment to empty, where much lies idle.
    fn choose(&mut self) {
        if self.tidying.moving.is_some() {
            return;
        }
        let full = self.journal.full();
        let sealed = || self.journal.segments.iter().take(full);
        let live: u64 = sealed().map(Segment::live_bytes).sum();
        let size: u64 = sealed().map(|segment| segment.size).sum();
        if size <= 2 * live + self.options.slack {
            return;
        }
        let Tidying { tried, before, .. } = &self.tidying;
        let sparse = sealed().filter(|segment| segment.live > 0 && segment.live_bytes() * 2 < segment.size);
        let chosen = sparse
            // What was moved to one that is not synced might be left in both where power is lost, if it were moved on.
            .filter(|segment| {
                segment.number < *before && self.journal.is_proven(segment.number) && !tried.contains(&segment.number)
            })
            .min_by_key(|segment| segment.live_bytes());
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
            let Found::Frame { body, .. } = found else {
                self.suspects.push(number);
                continue;
            };
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

    /// What waits in the line is not moved, as that would cost it its place; what is in somebody's hand is not, as it is known by its
    /// number: that may be so of all that was due, also where an opening before handed it out.
    fn may_move(&self, segment: u64, kept: &Kept) -> bool {
        let Some(segment) = self.journal.segment(segment) else { return false };
        if segment.is_settled(kept.sequence) || segment.is_reserved(kept.sequence) {
            return false;
        }
        match kept.dead {
            Some((number, _)) => self.letters.is_at(number, kept.sequence),
            None => kept.delivery.due.is_some_and(|due| match due {
                Due::At(at) => at > self.now.wall.plus(SOON),
                Due::After(at) => at > self.now.mono.plus(SOON),
            }),
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
                self.take_off(kept.delivery.record.len() as u64);
                self.keep(new, kept.delivery, place);
            }
        }
        Ok(Ok(()))
    }

    /// Nothing has come for a second: all is synced. A store that has little takes little room.
    pub fn come_to_rest(&mut self) {
        self.reminded = false;
        self.sync_to = self.tickets;
        let quiet = std::mem::replace(&mut self.at_reminder, self.tickets) == self.tickets;
        if !quiet {
            // Another look, as long as there was something.
            self.reminded = true;
            self.syncer.remind();
            return;
        }
        let live: u64 = self.journal.segments.iter().map(Segment::live_bytes).sum();
        let last = self.journal.segments.back().map_or(0, |last| last.size);
        if last > self.options.smallest && 4 * live < last && self.undone.is_empty() && !self.waits_for_room() {
            self.journal.files.shrink();
            let rolled = self.roll(0);
            let _ = self.note(rolled, Ok(()));
        }
    }
}

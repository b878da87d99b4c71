//! Provides the embedded store: the backlog in a directory, as a journal in segments.
//!
//! ```text
//!   append, settle ──> group ──write──> newest segment            (full: its index file is written, the next begins)
//!                                         │
//!   fetch <── line of the lane: front in memory, then read on from the journal
//!   fetch <── due ones of it  <── parked: the newest in memory, of full segments the next block of their index files
//!
//!   a segment of which all is settled goes; what is left in one that is mostly settled is moved on to the newest
//! ```
//! An event that is handled at once is written twice, as itself and as part of a run of settled numbers, and never read. Memory is bounded whatever
//! waits: a bit or two for each delivery, the lines' fronts, and the newest segment's parked ones.
//!
//! What is said to be kept is written (survives the death of every process), or synced where that was asked for (survives power loss; what nobody
//! asked it for is synced within a second or so). A segment's file goes only when what makes it superfluous is synced.

mod backlog;
mod clocks;
mod disk;
mod due;
mod entry;
mod facts;
mod files;
mod frame;
mod journal;
mod large;
mod letters;
mod line;
mod lines;
mod lock;
mod medium;
mod mend;
mod open;
mod options;
mod parked;
mod salvage;
mod segment;
mod summary;
mod syncer;
mod take_in;
mod tidy;

pub use disk::{Directory, Disk, DiskFile};
pub use lock::StoreLock;
pub use medium::fleeting;
pub use open::{Found, StoreError, open, open_with};
pub use options::Options;
pub use salvage::Losses;

use clocks::Clocks;
use entry::{Kept, Replacing};
use journal::{Journal, NoRoom};
use letters::Letters;
use lines::Lines;
use parked::{ParkedOnes, Place};
use proletarier_core::backlog::{Append, Completion, Counts, Replacement, Settlement, Ticket, Token};
use proletarier_core::delivery::{Delivery, Due};
use proletarier_core::time::Now;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Result;
use std::os::fd::BorrowedFd;
use summary::Clock;
use syncer::{Job, Syncer};
use tidy::Tidying;

/// Runs of settled numbers in one entry.
const RUNS: usize = 4096;

/// The embedded store.
pub struct Store {
    journal: Journal,
    options: Options,
    clocks: Clocks,
    opening: u16,
    lines: Lines,
    /// What is due, and whose lane is not known: it is read for that.
    unsorted: VecDeque<(u64, Place)>,
    /// All that is due and not fetched.
    promoted: HashSet<u64>,
    parked: ParkedOnes,
    letters: Letters,
    /// Hand-outs of openings before, with their opening.
    adopted: HashMap<u64, u16>,
    counts: Counts,
    /// Settled, and not written.
    undone: Vec<u64>,
    /// What waits for room: outcomes first, as these make some.
    outcomes: VecDeque<(Token, Settlement)>,
    events: VecDeque<Append>,
    /// The first ticket of what waits for room: it, and what is after it, is not told to be kept.
    stuck: Option<Ticket>,
    tickets: Ticket,
    /// What was said to be kept, and to be synced.
    told: Ticket,
    synced: Ticket,
    /// What is to be synced.
    sync_to: Ticket,
    syncing: bool,
    /// Syncs that were begun, and that have ended.
    syncs: u64,
    syncs_ended: u64,
    /// A reminder is under way, and what had been asked for at the last one.
    reminded: bool,
    at_reminder: Ticket,
    syncer: Syncer,
    tidying: Tidying,
    /// Segments in which something was not found that should be there, and what is to be told of that.
    suspects: Vec<u64>,
    news: Vec<String>,
    completions: VecDeque<Completion>,
    failed: Option<String>,
    now: Now,
}

impl Store {
    /// Becomes readable when there may be a completion that nothing else tells of.
    #[must_use]
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.syncer.bell()
    }

    /// Bytes that it takes on the disk.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.journal.segments.iter().map(|segment| segment.size).sum::<u64>() + self.journal.files.spare_bytes()
    }

    /// The next segment, and what follows from that.
    fn roll(&mut self, least: usize) -> Result<std::result::Result<(), NoRoom>> {
        match self.journal.roll(least, self.now.mono.0)? {
            Ok(full) => {
                if let Some((number, Some(index))) = full {
                    self.parked.index(number, &index);
                }
                self.tidying.has_rolled(self.journal.segments.back().map_or(0, |last| last.number));
                Ok(Ok(()))
            }
            Err(NoRoom) => Ok(Err(NoRoom)),
        }
    }

    /// Writes an entry that `make` makes, where it fits; its place.
    fn put(&mut self, make: impl Fn(&Self, &mut Vec<u8>)) -> Result<std::result::Result<Place, NoRoom>> {
        self.put_beside(0, make)
    }

    /// The same, where as much as `reserve` says is left beside it in the segment.
    fn put_beside(&mut self, reserve: usize, make: impl Fn(&Self, &mut Vec<u8>)) -> Result<std::result::Result<Place, NoRoom>> {
        let mut rolled = false;
        loop {
            let mut body = self.journal.scratch();
            make(self, &mut body);
            if self.journal.fits(body.len() + reserve) {
                let place = self.journal.append(&body);
                self.journal.give_scratch(body);
                if self.journal.is_group_full() {
                    self.journal.write()?;
                }
                return Ok(Ok(place));
            }
            if rolled || self.roll(body.len() + reserve)?.is_err() {
                return Ok(Err(NoRoom));
            }
            rolled = true;
        }
    }

    fn do_append(&mut self, append: Append) -> Result<std::result::Result<(), Append>> {
        let sequence = self.journal.next;
        let put = self.put_beside(self.journal.kept_for_outcomes(), |store, body| {
            let origin = store.journal.summary.origin(append.origin);
            match append.dead {
                Some(at) => entry::put_letter(body, sequence, at, &append.delivery, origin, &store.clocks),
                None => entry::put_delivery(body, sequence, &append.delivery, origin, &store.clocks),
            }
        });
        let Ok(place) = put? else { return Ok(Err(append)) };
        self.journal.next += 1;
        if let Some(origin) = append.origin {
            self.journal.summary.came(origin, self.now.wall.0);
        }
        match append.dead {
            Some(_) => self.keep_letter(sequence, sequence, &append.delivery, place),
            None => self.keep(sequence, append.delivery, place),
        }
        Ok(Ok(()))
    }

    /// A delivery is in the journal: it waits, for a worker or until it is due.
    fn keep(&mut self, sequence: u64, delivery: Delivery, place: Place) {
        self.journal.summary.note(sequence, &delivery, place.1, &self.clocks, None);
        let bytes = delivery.record.len() as u64;
        if let Some(segment) = self.journal.segments.back_mut() {
            segment.keep(sequence);
            segment.bytes += bytes;
        }
        self.counts.bytes += bytes;
        let (clock, due) = match delivery.due {
            None => {
                self.counts.pending += 1;
                self.lines.add(sequence, delivery, place);
                return;
            }
            Some(Due::At(at)) => (Clock::Wall, at.0),
            Some(Due::After(at)) => (Clock::Mono, self.clocks.wall(at)),
        };
        self.counts.parked += 1;
        self.parked.add(clock, due, sequence, place);
    }

    fn do_settle(&mut self, token: Token, settlement: Settlement) -> Result<std::result::Result<(), (Token, Settlement)>> {
        let Some((sequence, letter)) = self.settles(token, &settlement) else { return Ok(Ok(())) };
        let mut replacements = match settlement {
            Settlement::Done => {
                self.settled(sequence, letter);
                self.undone.push(sequence);
                return Ok(Ok(()));
            }
            Settlement::Replace(replacements) => replacements,
        };
        // What they replace may have been handed out when there were other lanes.
        for replacement in &mut replacements {
            if let Replacement::Delivery(delivery) = replacement {
                delivery.lane = self.lines.lanes().of(delivery);
            }
        }
        if self.write_large(&mut replacements)?.is_err() {
            return Ok(Err((token, Settlement::Replace(replacements))));
        }
        let first = self.journal.next;
        let put = self.put(|store, body| {
            let count = replacements.len() as u16;
            entry::put_replace(body, sequence, count, |replacing| put_all(replacing, first, &replacements, &store.clocks));
        });
        let Ok(place) = put? else { return Ok(Err((token, Settlement::Replace(replacements)))) };
        self.settled(sequence, letter);
        self.journal.summary.settle(sequence, 1);
        self.refer_to(sequence);
        for (sequence, replacement) in (first..).zip(replacements) {
            self.journal.next = sequence + 1;
            match replacement {
                Replacement::Delivery(delivery) => self.keep(sequence, delivery, place),
                Replacement::Dead(letter) => self.keep_letter(sequence, sequence, &letter.delivery, place),
            }
        }
        Ok(Ok(()))
    }

    fn keep_letter(&mut self, number: u64, sequence: u64, delivery: &Delivery, place: Place) {
        self.journal.summary.note(sequence, delivery, place.1, &self.clocks, Some(number));
        if let Some(segment) = self.journal.segments.back_mut() {
            segment.keep(sequence);
            segment.bytes += delivery.record.len() as u64;
        }
        self.letters.add(number, sequence, place);
        self.counts.dead = self.letters.len() as u64;
    }

    /// What a settlement of this token settles: its sequence number, and of a letter its number. None: nothing.
    fn settles(&mut self, token: Token, settlement: &Settlement) -> Option<(u64, Option<u64>)> {
        use proletarier_core::backlog::{opening, sequence};
        let (sequence, of) = (sequence(token), opening(token));
        if of == 0
            && let Some(letter) = self.letters.get(sequence)
        {
            return Some((letter.sequence, Some(sequence)));
        }
        let segment = &self.journal.segments[self.journal.segment_of(sequence)?];
        if segment.is_settled(sequence) {
            return None;
        }
        let reserved_in = segment.is_reserved(sequence).then(|| self.adopted.get(&sequence).copied().unwrap_or(self.opening));
        let holds = match (of, reserved_in) {
            (0, None) => self.find(sequence).ok().flatten().is_some_and(|(_, kept)| kept.dead.is_none()),
            (0, Some(_)) => false,
            (of, Some(reserved_in)) if of == reserved_in => true,
            // A late success of an older hand-out; what nobody ever handed out has none.
            _ => *settlement == Settlement::Done && of != self.opening,
        };
        holds.then_some((sequence, None))
    }

    /// Something is settled: takes it out of what is in memory.
    fn settled(&mut self, sequence: u64, letter: Option<u64>) {
        let Some(place) = self.journal.segment_of(sequence) else { return };
        let is_full = place < self.journal.full();
        let reserved = self.journal.segments[place].is_reserved(sequence);
        if let Some(number) = letter {
            self.letters.remove(number);
            self.counts.dead = self.letters.len() as u64;
        } else if reserved {
            self.counts.reserved -= 1;
            if !self.adopted.is_empty() {
                self.adopted.remove(&sequence);
            }
        } else {
            // It is cancelled, which is rare.
            match self.find(sequence).ok().flatten() {
                Some((_, kept)) => self.waits_no_more(sequence, &kept.delivery),
                None => self.counts.pending = self.counts.pending.saturating_sub(1),
            }
        }
        let segment = &mut self.journal.segments[place];
        segment.settle(sequence);
        if segment.live == 0 && is_full {
            self.tidying.look_again();
        }
    }

    /// Something waits no more. How much waits is estimated at an opening: what is over is over.
    fn take_off(&mut self, bytes: u64) {
        let counts = &mut self.counts;
        counts.bytes = if counts.pending + counts.parked == 0 { 0 } else { counts.bytes.saturating_sub(bytes) };
    }

    /// The newest segment settles something of this one's.
    fn refer_to(&mut self, sequence: u64) {
        let Some(place) = self.journal.segment_of(sequence) else { return };
        let number = self.journal.segments[place].number;
        if let Some(last) = self.journal.segments.back_mut().filter(|last| last.number != number) {
            last.refs.insert(number);
        }
    }

    /// Writes the runs of what was settled. False where there is no room.
    fn write_done(&mut self) -> Result<bool> {
        if self.undone.is_empty() {
            return Ok(true);
        }
        let mut done = std::mem::take(&mut self.undone);
        done.sort_unstable();
        let mut runs: Vec<(u64, u32)> = Vec::new();
        for sequence in &done {
            match runs.last_mut() {
                Some((first, count)) if *first + u64::from(*count) == *sequence => *count += 1,
                _ => runs.push((*sequence, 1)),
            }
        }
        let written = self.put_runs(&runs)?;
        if !written {
            self.undone = done;
        }
        Ok(written)
    }

    fn put_runs(&mut self, runs: &[(u64, u32)]) -> Result<bool> {
        for runs in runs.chunks(RUNS) {
            if self.put(|_, body| entry::put_done(body, runs))?.is_err() {
                return Ok(false);
            }
            for (first, count) in runs {
                self.journal.summary.settle(*first, *count);
                self.refer_to(*first);
                self.refer_to(*first + u64::from(*count) - 1);
            }
        }
        Ok(true)
    }

    /// Does what waits for room, and writes. Whether nothing waits any more and all is written.
    fn write(&mut self) -> Result<bool> {
        while let Some((token, settlement)) = self.outcomes.pop_front() {
            if let Err(outcome) = self.do_settle(token, settlement)? {
                self.outcomes.push_front(outcome);
                break;
            }
        }
        let mut all = self.outcomes.is_empty() && self.write_done()?;
        while let Some(append) = self.events.pop_front() {
            if let Err(append) = self.do_append(append)? {
                self.events.push_front(append);
                all = false;
                break;
            }
        }
        all &= self.journal.write()?;
        if all {
            self.stuck = None;
        }
        Ok(all)
    }

    /// Something of the next ticket waits for room.
    fn is_stuck(&mut self) {
        self.stuck.get_or_insert(self.tickets + 1);
    }

    /// Finds one that is kept, by its sequence number.
    fn find(&mut self, sequence: u64) -> Result<Option<(Place, Kept)>> {
        self.journal.write()?;
        let Some(at) = self.journal.segment_of(sequence) else { return Ok(None) };
        let segment = &self.journal.segments[at];
        let Some(offset) = summary::Summary::offset_before(self.journal.marks(at), sequence) else { return Ok(None) };
        let mut reader = frame::Reader::new(&*segment.file, segment.number, offset.into(), segment.end);
        while let Some(found) = reader.next()? {
            let frame::Found::Frame { offset, body } = found else { continue };
            if let Some(kept) = one(&body, sequence, &self.clocks) {
                return Ok(Some(((segment.number, offset as u32), kept)));
            }
        }
        Ok(None)
    }

    /// Reads one whose place is known.
    fn read(&mut self, sequence: u64, place: Place) -> Result<Option<Kept>> {
        let Some(segment) = self.journal.segment(place.0) else { return Ok(None) };
        if u64::from(place.1) >= segment.end {
            self.journal.write()?;
        }
        let Some(segment) = self.journal.segment(place.0) else { return Ok(None) };
        let body = frame::body_at(&*segment.file, segment.number, place.1.into(), segment.end)?;
        let kept = body.and_then(|body| one(&body, sequence, &self.clocks));
        if kept.is_none() && u64::from(place.1) < segment.end {
            self.suspects.push(place.0);
        }
        Ok(kept)
    }

    /// Syncs what is written, where more is asked for than is synced or under way.
    fn sync_on(&mut self) -> Result<()> {
        let asked = self.synced < self.sync_to && self.synced < self.told;
        // What is synced is what was written before.
        if self.syncing || !(asked || self.tidying.waits_for(self.syncs + 1)) || !self.journal.write()? {
            return Ok(());
        }
        self.syncing = true;
        self.syncs += 1;
        let mut files = std::mem::take(&mut self.journal.unsynced);
        files.extend(self.journal.segments.back().map(|last| std::sync::Arc::clone(&last.file)));
        let names = std::mem::take(&mut self.journal.names_changed);
        self.journal.proving = std::mem::take(&mut self.journal.unproven);
        self.syncer.give(Job { mark: self.told, files, names });
        Ok(())
    }

    /// Remembers an error that nobody can mend.
    fn note<T>(&mut self, result: Result<T>, otherwise: T) -> T {
        result.unwrap_or_else(|error| {
            self.failed.get_or_insert_with(|| error.to_string());
            otherwise
        })
    }
}

fn put_all(replacing: &mut Replacing<'_>, first: u64, replacements: &[Replacement], clocks: &Clocks) {
    for (sequence, replacement) in (first..).zip(replacements) {
        match replacement {
            Replacement::Delivery(delivery) => replacing.delivery(sequence, delivery, clocks),
            Replacement::Dead(letter) => replacing.letter(sequence, sequence, letter, clocks),
        }
    }
}

/// The one of this sequence number among what an entry keeps.
fn one(body: &bytes::Bytes, sequence: u64, clocks: &Clocks) -> Option<Kept> {
    match entry::Entry::decode(body, clocks).ok()? {
        entry::Entry::Delivery(kept) => Some(kept).filter(|kept| kept.sequence == sequence),
        entry::Entry::Replace(_, kept) => kept.into_iter().find(|kept| kept.sequence == sequence),
        _ => None,
    }
}

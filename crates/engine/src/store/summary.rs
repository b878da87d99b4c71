//! Defines what is known of a segment without reading it: what the journal tells of it while it is written, and what its index file says once it
//! is full. The index file is a convenience: where it is missing or damaged the segment is read instead.

use super::clocks::Clocks;
use super::disk::{Disk, DiskFile};
use super::entry::{Entry, Kept, KeptOrigin, Run, Unreadable};
use super::facts::Facts;
use super::frame::{Found, Reader};
use bytes::{Buf, BufMut, Bytes};
use proletarier_core::backlog::Origin;
use proletarier_core::delivery::Due;
use proletarier_core::frame::Session;
use std::collections::BTreeSet;
use std::io::Result;
use std::sync::Arc;

/// The version of index files; of another one the segment is read.
const MAGIC: u64 = u64::from_be_bytes(*b"PROLIDX\x01");
/// Frames between two places that are noted, to find one by its sequence number.
const STEP: u64 = 256;
/// Parked ones in one checked block of an index file.
pub(super) const BLOCK: usize = 512;
/// Bytes of one parked one there.
const PARKED: usize = 8 + 8 + 4;
const BLOCK_BYTES: usize = 4 + BLOCK * PARKED;

/// The clock that something is parked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clock {
    Wall = 0,
    Mono = 1,
}

/// A delivery that waits until it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parked {
    /// When, as it is kept.
    pub due: u64,
    pub sequence: u64,
    pub offset: u32,
}

/// A dead letter's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LetterPlace {
    pub number: u64,
    pub sequence: u64,
    pub offset: u32,
}

/// Events of one session with numbers in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OriginRun {
    session: Session,
    first: u64,
    last: u64,
    wall: u64,
}

/// What is known of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// The sequence number that it began with, and how many there are.
    pub first: u64,
    pub count: u32,
    /// Where its last frame ends.
    pub end: u64,
    /// Bytes of its deliveries' records.
    pub bytes: u64,
    /// Every so often a sequence number and its frame's place.
    pub marks: Vec<(u64, u32)>,
    /// What entries of it settled.
    pub done: Vec<Run>,
    pub letters: Vec<LetterPlace>,
    /// Deliveries that hold a key, a unique one or that of an order.
    pub holders: Vec<(u64, u32)>,
    pub dropped: Vec<u64>,
    pub start: Vec<u64>,
    pub facts: Facts,
    /// The events that came last, which `facts` get when something else comes: one look-up for a batch.
    run: Option<OriginRun>,
    /// By clock; in the index file those that were not settled, by when they are due.
    pub parked: [Vec<Parked>; 2],
    /// The sequence numbers that are there, as they were read; an index file says of a segment that all are.
    pub present: Vec<Run>,
    /// The last numbered event, for the one after it.
    previous: Option<Origin>,
}

impl Summary {
    /// A segment that begins at this sequence number.
    pub fn beginning(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// How the next delivery's origin is best kept.
    pub fn origin(&self, origin: Option<Origin>) -> KeptOrigin {
        match (origin, self.previous) {
            (None, _) => KeptOrigin::None,
            (Some(is), Some(before)) if is.session == before.session && before.number.checked_add(1) == Some(is.number) => {
                KeptOrigin::Next
            }
            (Some(is), _) => KeptOrigin::Is(is),
        }
    }

    /// The next delivery's origin is kept in full: what is before it may be damaged one day.
    pub const fn break_origins(&mut self) {
        self.previous = None;
    }

    /// Takes in one that is kept at `offset`.
    pub fn keep(&mut self, kept: &Kept, offset: u32, clocks: &Clocks) {
        let origin = match kept.origin {
            KeptOrigin::None => None,
            KeptOrigin::Is(origin) => Some(origin),
            KeptOrigin::Next => self.previous.map(|before| Origin { number: before.number + 1, ..before }),
        };
        self.note(kept.sequence, &kept.delivery, offset, clocks, kept.dead.map(|(number, _)| number));
        if let Some(origin) = origin {
            let triggered_at =
                proletarier_core::record::Record::decode(&kept.delivery.record).map_or(0, |record| record.triggered_at);
            self.came(origin, triggered_at);
        }
    }

    /// An event of this origin came at this wall time.
    pub fn came(&mut self, origin: Origin, wall: u64) {
        self.previous = Some(origin);
        match &mut self.run {
            Some(run) if run.session == origin.session && run.last.checked_add(1) == Some(origin.number) => {
                (run.last, run.wall) = (origin.number, run.wall.max(wall));
            }
            _ => {
                self.end_run();
                self.run = Some(OriginRun { session: origin.session, first: origin.number, last: origin.number, wall });
            }
        }
    }

    fn end_run(&mut self) {
        if let Some(run) = self.run.take() {
            self.facts.add(run.session, run.first, run.last, run.wall);
        }
    }

    /// The same without its origin.
    pub fn note(
        &mut self,
        sequence: u64,
        delivery: &proletarier_core::delivery::Delivery,
        offset: u32,
        clocks: &Clocks,
        letter: Option<u64>,
    ) {
        let after = sequence + 1 - self.first.min(sequence + 1);
        self.count = self.count.max(after as u32);
        match self.present.last_mut() {
            Some((first, count)) if *first + u64::from(*count) == sequence => *count += 1,
            _ => self.present.push((sequence, 1)),
        }
        self.bytes += delivery.record.len() as u64;
        if self.marks.last().is_none_or(|(marked, _)| sequence >= marked + STEP) {
            self.marks.push((sequence, offset));
        }
        if let Some(number) = letter {
            self.letters.push(LetterPlace { number, sequence, offset });
            return;
        }
        match delivery.due {
            Some(Due::At(at)) => self.parked[Clock::Wall as usize].push(Parked { due: at.0, sequence, offset }),
            Some(Due::After(at)) => {
                self.parked[Clock::Mono as usize].push(Parked { due: clocks.wall(at), sequence, offset });
            }
            None => {}
        }
        if delivery.unique().is_some() || delivery.holds_key() {
            self.holders.push((sequence, offset));
        }
    }

    /// These are settled.
    pub fn settle(&mut self, first: u64, count: u32) {
        match self.done.last_mut() {
            Some((known, many)) if *known + u64::from(*many) == first => *many += count,
            _ => self.done.push((first, count)),
        }
    }

    /// Puts what is settled in order, and joins what is next to one another.
    pub fn tidy(&mut self) {
        self.end_run();
        self.done.sort_unstable();
        let done = std::mem::take(&mut self.done);
        for (first, count) in done {
            self.settle(first, count);
        }
    }

    /// Where to begin to look for a sequence number.
    pub fn offset_before(marks: &[(u64, u32)], sequence: u64) -> Option<u32> {
        marks[..marks.partition_point(|(marked, _)| *marked <= sequence)].last().map(|(_, offset)| *offset)
    }
}

/// A piece of a segment that is no frame any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub segment: u64,
    pub from: u64,
    pub to: u64,
}

/// Reads a segment from its beginning.
pub(super) fn scan(
    file: &dyn DiskFile,
    segment: u64,
    first: u64,
    begin: u64,
    end: u64,
    clocks: &Clocks,
    damages: &mut Vec<Damage>,
) -> Result<Summary> {
    let mut summary = Summary { end: begin, ..Summary::beginning(first) };
    let mut reader = Reader::of_all(file, segment, begin, end);
    while let Some(found) = reader.next()? {
        match found {
            Found::Frame { offset, body } => {
                summary.end = reader.position;
                match Entry::decode(&body, clocks) {
                    Ok(entry) => take(&mut summary, entry, offset as u32, clocks),
                    Err(Unreadable) => damages.push(Damage { segment, from: offset, to: reader.position }),
                }
            }
            Found::Damaged { from, to } => {
                summary.break_origins();
                summary.end = summary.end.max(to.min(reader.position));
                damages.push(Damage { segment, from, to });
            }
        }
    }
    summary.tidy();
    Ok(summary)
}

fn take(summary: &mut Summary, entry: Entry, offset: u32, clocks: &Clocks) {
    match entry {
        Entry::Delivery(kept) => summary.keep(&kept, offset, clocks),
        Entry::Done(runs) => runs.into_iter().for_each(|(first, count)| summary.settle(first, count)),
        Entry::Replace(settled, kept) => {
            summary.settle(settled, 1);
            kept.iter().for_each(|kept| summary.keep(kept, offset, clocks));
        }
        Entry::Facts(facts) => summary.facts.merge(&facts),
        Entry::Start(segments) => summary.start = segments,
        Entry::Dropped(segment) => summary.dropped.push(segment),
        // What is next in a session need not follow on what was before.
        Entry::Hole => summary.break_origins(),
    }
}

/// The index file of a segment that is synced. Before that it has another name: what it tells of might be lost with the power, and it not.
pub(super) fn index_name(segment: u64) -> String {
    format!("{segment:016x}.index")
}

/// The index file of a segment that is not known to be synced.
pub(super) fn new_index_name(segment: u64) -> String {
    format!("{segment:016x}.new")
}

/// Writes a segment's index file, with those parked that `waits` says are not settled. Where that fails it is done without.
pub(super) fn write_index(disk: &dyn Disk, segment: u64, summary: &Summary) -> Result<()> {
    let mut head = Vec::new();
    head.put_u64_le(summary.first);
    head.put_u32_le(summary.count);
    head.put_u64_le(summary.end);
    head.put_u64_le(summary.bytes);
    list(&mut head, &summary.marks, |out, (sequence, offset)| {
        out.put_u64_le(*sequence);
        out.put_u32_le(*offset);
    });
    list(&mut head, &summary.done, |out, (first, count)| {
        out.put_u64_le(*first);
        out.put_u32_le(*count);
    });
    list(&mut head, &summary.letters, |out, letter| {
        out.put_u64_le(letter.number);
        out.put_u64_le(letter.sequence);
        out.put_u32_le(letter.offset);
    });
    list(&mut head, &summary.holders, |out, (sequence, offset)| {
        out.put_u64_le(*sequence);
        out.put_u32_le(*offset);
    });
    list(&mut head, &summary.dropped, |out, segment| out.put_u64_le(*segment));
    list(&mut head, &summary.start, |out, segment| out.put_u64_le(*segment));
    summary.facts.encode(&mut head);
    for parked in &summary.parked {
        head.put_u32_le(parked.len() as u32);
    }
    let mut out = Vec::with_capacity(head.len() + 32);
    out.put_u64_le(MAGIC);
    out.put_u64_le(segment);
    out.put_u32_le(head.len() as u32);
    out.put_u32_le(crc32fast::hash(&head));
    out.append(&mut head);
    for block in summary.parked.iter().flat_map(|parked| parked.chunks(BLOCK)) {
        let start = out.len();
        out.put_u32_le(0);
        for parked in block {
            out.put_u64_le(parked.due);
            out.put_u64_le(parked.sequence);
            out.put_u32_le(parked.offset);
        }
        let checksum = crc32fast::hash(&out[start + 4..]);
        out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
    }
    disk.create(&new_index_name(segment))?.write(&out, 0)
}

fn list<T>(out: &mut Vec<u8>, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    out.put_u32_le(items.len() as u32);
    items.iter().for_each(|item| put(out, item));
}

/// An index file that is whole, as far as it was looked at.
pub(super) struct Index {
    pub summary: Summary,
    /// How many are parked, by clock, and where their blocks begin.
    pub parked: [(usize, u64); 2],
    pub file: Arc<dyn DiskFile>,
}

/// Reads all of an index file, by its name, but those parked; none where it is not whole, or of another version.
pub(super) fn read_index(disk: &dyn Disk, segment: u64, name: &str) -> Option<Index> {
    let file = disk.open(name).ok()?;
    let mut begin = [0; 24];
    (file.read(&mut begin, 0).ok()? == begin.len()).then_some(())?;
    let mut fields = &begin[..];
    let (magic, of, length, checksum) = (fields.get_u64_le(), fields.get_u64_le(), fields.get_u32_le(), fields.get_u32_le());
    if magic != MAGIC || of != segment || u64::from(length) + 24 > file.length().ok()? {
        return None;
    }
    let mut head = vec![0; length as usize];
    let read = file.read(&mut head, 24).ok()?;
    if read != head.len() || crc32fast::hash(&head) != checksum {
        return None;
    }
    let (mut summary, [wall, mono]) = decode(Bytes::from(head)).ok()?;
    summary.present = vec![(summary.first, summary.count)];
    let begin = 24 + u64::from(length);
    let after_wall = begin + (wall.div_ceil(BLOCK) * 4 + wall * PARKED) as u64;
    Some(Index { summary, parked: [(wall, begin), (mono, after_wall)], file })
}

fn decode(mut rest: Bytes) -> std::result::Result<(Summary, [usize; 2]), Unreadable> {
    let rest = &mut rest;
    let mut summary = Summary {
        first: rest.try_get_u64_le()?,
        count: rest.try_get_u32_le()?,
        end: rest.try_get_u64_le()?,
        bytes: rest.try_get_u64_le()?,
        ..Summary::default()
    };
    summary.marks = items(rest, |rest| Ok((rest.try_get_u64_le()?, rest.try_get_u32_le()?)))?;
    summary.done = items(rest, |rest| Ok((rest.try_get_u64_le()?, rest.try_get_u32_le()?)))?;
    summary.letters = items(rest, |rest| {
        Ok(LetterPlace { number: rest.try_get_u64_le()?, sequence: rest.try_get_u64_le()?, offset: rest.try_get_u32_le()? })
    })?;
    summary.holders = items(rest, |rest| Ok((rest.try_get_u64_le()?, rest.try_get_u32_le()?)))?;
    summary.dropped = items(rest, |rest| Ok(rest.try_get_u64_le()?))?;
    summary.start = items(rest, |rest| Ok(rest.try_get_u64_le()?))?;
    summary.facts = Facts::decode(rest)?;
    let parked = [rest.try_get_u32_le()? as usize, rest.try_get_u32_le()? as usize];
    Ok((summary, parked))
}

fn items<T>(
    rest: &mut Bytes,
    get: impl Fn(&mut Bytes) -> std::result::Result<T, Unreadable>,
) -> std::result::Result<Vec<T>, Unreadable> {
    (0..rest.try_get_u32_le()?).map(|_| get(rest)).collect()
}

/// Reads one block of those parked; `place` is the place of its first among its clock's, which begin at `begin`.
pub(super) fn read_block(file: &dyn DiskFile, begin: u64, place: usize, of: usize) -> Option<Vec<Parked>> {
    let offset = begin + (place / BLOCK * BLOCK_BYTES) as u64;
    let count = BLOCK.min(of - place);
    let mut bytes = vec![0; 4 + count * PARKED];
    if file.read(&mut bytes, offset).ok()? != bytes.len() {
        return None;
    }
    let mut fields = &bytes[..];
    if fields.get_u32_le() != crc32fast::hash(&bytes[4..]) {
        return None;
    }
    Some(
        (0..count)
            .map(|_| Parked { due: fields.get_u64_le(), sequence: fields.get_u64_le(), offset: fields.get_u32_le() })
            .collect(),
    )
}

/// Orders of a summary's sets, for the segments that its entries settle something of.
pub(super) fn refers_to(done: &[Run], segment_of: impl Fn(u64) -> Option<u64>) -> BTreeSet<u64> {
    let ends = done.iter().flat_map(|(first, count)| [*first, *first + u64::from(count.saturating_sub(1))]);
    ends.filter_map(segment_of).collect()
}

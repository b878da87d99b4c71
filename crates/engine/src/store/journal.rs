//! Provides the journal's writing end: entries are gathered into groups, and a group is one write.

use super::clocks::Clocks;
use super::disk::{Disk, DiskFile};
use super::entry;
use super::files::Files;
use super::frame::{framed, push};
use super::segment::{BEGIN, Header, Segment};
use super::summary::{Index, Summary, index_name, new_index_name, read_index, write_index};
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

/// A group is written when it has so many bytes, whatever else comes.
const GROUP: usize = 1 << 20;

/// An opening's first segment has a number so much higher than the last that is found: frames of segments that a power loss took may stand in
/// files that are used again, and are those of no other segment.
const JUMP: u64 = 1 << 20;

/// There is no room for another segment. It is not for ever: what is handled makes room.
#[derive(Debug)]
pub(super) struct NoRoom;

/// A segment that is full, with its index file where there is one.
pub(super) type Full = Option<(u64, Option<Index>)>;

/// The journal.
pub(super) struct Journal {
    pub disk: Arc<dyn Disk>,
    pub files: Files,
    /// The oldest first; the last is written to, once one was begun.
    pub segments: VecDeque<Segment>,
    /// What is known of the last.
    pub summary: Summary,
    /// The next sequence number.
    pub next: u64,
    store: u64,
    opening: u16,
    /// One was begun in this opening: what an opening before has written is not written to again.
    begun: bool,
    group: Vec<u8>,
    scratch: Vec<u8>,
    /// Files that were written to since they were last synced, but for the last segment's.
    pub unsynced: Vec<Arc<dyn DiskFile>>,
    pub names_changed: bool,
    /// Segments whose index files have yet to get their names, and those that are being synced for that.
    pub unproven: Vec<u64>,
    pub proving: Vec<u64>,
    /// Why the group is not written yet.
    pub trouble: Option<String>,
}

impl Journal {
    pub fn new(disk: Arc<dyn Disk>, files: Files, segments: VecDeque<Segment>, next: u64, store: u64, opening: u16) -> Self {
        Self {
            disk,
            files,
            segments,
            summary: Summary::beginning(next),
            next,
            store,
            opening,
            begun: false,
            group: Vec::new(),
            scratch: Vec::new(),
            unsynced: Vec::new(),
            names_changed: true,
            unproven: Vec::new(),
            proving: Vec::new(),
            trouble: None,
        }
    }

    /// The next segment, with room for a body of `least` bytes. What the one before has, as its index file says it.
    ///
    /// # Errors
    /// `Ok(Err(NoRoom))` where there is none; else what no one can mend.
    pub fn roll(&mut self, least: usize, now: u64) -> Result<std::result::Result<Full, NoRoom>> {
        if !self.write()? {
            return Ok(Err(NoRoom));
        }
        let step = if self.begun { 1 } else { JUMP };
        let number = self.segments.back().map_or(1, |last| last.number + step);
        let header = Header { number, first: self.next, store: self.store, opening: self.opening };
        let room = BEGIN + framed(least) as u64 + framed(9 + 8 * self.segments.len()) as u64;
        let Some((file, size)) = self.files.take(&header, room, now)? else { return Ok(Err(NoRoom)) };
        let full = if std::mem::replace(&mut self.begun, true) { self.close() } else { None };
        self.names_changed = true;
        self.segments.push_back(Segment::new(number, file, self.next, size));
        self.summary = Summary::beginning(self.next);
        let mut start = std::mem::take(&mut self.scratch);
        start.clear();
        entry::put_start(&mut start, self.segments.iter().map(|segment| segment.number));
        self.append(&start);
        self.summary.start = self.segments.iter().map(|segment| segment.number).collect();
        self.scratch = start;
        self.files.prepare();
        Ok(Ok(full))
    }

    /// The last segment is written no more: its index file is.
    fn close(&mut self) -> Full {
        let last = self.segments.back_mut()?;
        self.unsynced.push(Arc::clone(&last.file));
        let mut summary = std::mem::take(&mut self.summary);
        summary.end = last.end;
        summary.tidy();
        let is_over = |sequence: u64| last.is_settled(sequence);
        summary.parked.iter_mut().for_each(|parked| {
            parked.retain(|parked| !is_over(parked.sequence));
            parked.sort_unstable();
        });
        summary.letters.retain(|letter| !is_over(letter.sequence));
        summary.holders.retain(|(sequence, _)| !is_over(*sequence));
        let others = summary.letters.len() + summary.parked.iter().map(Vec::len).sum::<usize>();
        last.in_line = last.live.saturating_sub(others as u32);
        last.marks = std::mem::take(&mut summary.marks);
        summary.marks.clone_from(&last.marks);
        let number = last.number;
        // Without it the segment is read when it must be known: a full disk may have it so.
        let index = write_index(&*self.disk, number, &summary)
            .ok()
            .and_then(|()| read_index(&*self.disk, number, &new_index_name(number)));
        self.unproven.push(number);
        Some((number, index))
    }

    /// Whether a body of so many bytes fits the last segment.
    pub fn fits(&self, body: usize) -> bool {
        self.begun && self.segments.back().is_some_and(|last| self.end() + framed(body) as u64 <= last.size)
    }

    /// How many segments are written no more.
    pub fn full(&self) -> usize {
        self.segments.len() - usize::from(self.begun)
    }

    /// Places of frames of a segment, by sequence numbers.
    pub fn marks(&self, at: usize) -> &[(u64, u32)] {
        if at < self.full() { &self.segments[at].marks } else { &self.summary.marks }
    }

    /// Bytes of the last segment that events leave for outcomes: while no other file is made ahead, a quarter.
    pub fn kept_for_outcomes(&self) -> usize {
        if self.files.has_spare() { 0 } else { self.segments.back().map_or(0, |last| last.size as usize / 4) }
    }

    /// Whether nothing is gathered.
    pub const fn is_written(&self) -> bool {
        self.group.is_empty()
    }

    /// Where the next frame of the last segment begins.
    pub fn end(&self) -> u64 {
        self.segments.back().map_or(BEGIN, |last| last.end) + self.group.len() as u64
    }

    /// Adds a body, which fits; its place.
    pub fn append(&mut self, body: &[u8]) -> (u64, u32) {
        let (number, offset) = (self.segments.back().map_or(0, |last| last.number), self.end());
        push(&mut self.group, body, number, offset);
        (number, offset as u32)
    }

    /// A buffer to make a body in, for [`Self::give_scratch`] to have back.
    pub fn scratch(&mut self) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch
    }

    pub fn give_scratch(&mut self, scratch: Vec<u8>) {
        // One large event is no reason to keep as much for ever.
        if scratch.capacity() <= GROUP {
            self.scratch = scratch;
        }
    }

    pub const fn is_group_full(&self) -> bool {
        self.group.len() >= GROUP
    }

    /// Writes the group. False where there is no room for it now: it is kept, and tried again.
    pub fn write(&mut self) -> Result<bool> {
        if self.group.is_empty() {
            return Ok(true);
        }
        let Some(last) = self.segments.back_mut() else { return Ok(true) };
        match last.file.write(&self.group, last.end) {
            Ok(()) => {
                last.end += self.group.len() as u64;
                self.group.clear();
                self.group.shrink_to(2 * GROUP);
                self.trouble = None;
                Ok(true)
            }
            Err(error) if is_for_now(&error) => {
                self.trouble = Some(error.to_string());
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a segment that is full is known to be synced.
    pub fn is_proven(&self, number: u64) -> bool {
        !self.unproven.contains(&number) && !self.proving.contains(&number)
    }

    /// What was being synced is: the index files of those segments can be relied on.
    pub fn prove(&mut self) {
        for number in std::mem::take(&mut self.proving) {
            // Without that one the segment is read.
            let _ = self.disk.rename(&new_index_name(number), &index_name(number));
        }
    }

    /// The segment that a sequence number is of.
    pub fn segment_of(&self, sequence: u64) -> Option<usize> {
        let last = self.segments.len().checked_sub(1)?;
        if self.segments[last].first <= sequence {
            return self.segments[last].contains(sequence).then_some(last);
        }
        let after = self.segments.partition_point(|segment| segment.first <= sequence);
        let place = after.checked_sub(1)?;
        self.segments[place].contains(sequence).then_some(place)
    }

    /// The segment of this number.
    pub fn segment(&self, number: u64) -> Option<&Segment> {
        let place = self.segments.binary_search_by_key(&number, |segment| segment.number).ok()?;
        self.segments.get(place)
    }

    /// What is known of a segment, of which nothing is gathered.
    pub fn summary_of(&self, number: u64, clocks: &Clocks) -> Result<Summary> {
        let names = [new_index_name(number), index_name(number)];
        if let Some(index) = names.iter().find_map(|name| read_index(&*self.disk, number, name)) {
            return Ok(index.summary);
        }
        let Some(segment) = self.segment(number) else { return Ok(Summary::default()) };
        super::summary::scan(&*segment.file, number, segment.first, BEGIN, segment.end, clocks, &mut Vec::new())
    }
}

/// Whether an error is one that passes: no room, over quota, read-only.
pub(super) fn is_for_now(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
}

//! Provides the lines of all lanes. They share the journal, and the memory that their fronts take: what waits in one holds up no other, and the
//! more of it is taken the less there is for each.
//!
//! Each line knows from where on it is in the journal alone, and is read on from there when its front is short. A reading passes over what is of other
//! lanes, but for those that are at the same place: these go along with it as long as they have room. So after an opening, when all begin at
//! the same place, one reading finds what there is of every lane, and a line is read by itself only where it is long.

use super::clocks::Clocks;
use super::entry::{Entry, Kept};
use super::frame::{Found, Reader};
use super::line::{Due, Line};
use super::parked::Place;
use super::segment::{BEGIN, Segment};
use bytes::Bytes;
use proletarier_core::backlog::LaneCount;
use proletarier_core::delivery::Delivery;
use proletarier_core::lanes::{Lane, Lanes};
use std::collections::VecDeque;
use std::io::Result;

/// The part of what may be in memory that is read at once, when fewer are there than are asked for.
const READ: usize = 16;
/// The part of it that each lane may have whatever the others have.
const ASSURED: usize = 64;
/// One call reads so many bytes of the journal, whatever is found in them: who asks for more asks again.
pub(super) const STEP: u64 = 512 << 10;
/// Where several lanes are in use, what waits behind so many others is copied: one small record would keep all of the message, or of the piece of
/// the journal, that it came in.
const DEEP: usize = 256;

/// The lines.
pub(super) struct Lines {
    /// Bytes of records that are in memory at most, but for what each lane is assured of.
    most: usize,
    lanes: Lanes,
    /// By lane.
    lines: Vec<Line>,
    /// Bytes of records that are in memory, and how many are due.
    bytes: usize,
    due: usize,
    /// There is, or was, something in another lane than the first.
    several: bool,
    /// What was there when the lanes were made, up to this place and number, is counted when it is read, and what came since at once.
    made: (Place, u64),
    /// Segments in which something stands that is no entry any more.
    pub suspects: Vec<u64>,
}

impl Lines {
    /// Lines of the usual lanes, of a journal in which nothing waits.
    pub fn new(most: usize) -> Self {
        let lanes = Lanes::default();
        let lines = (0..lanes.count()).map(|_| Line::default()).collect();
        Self { most, lanes, lines, bytes: 0, due: 0, several: false, made: ((0, 0), 0), suspects: Vec::new() }
    }

    pub const fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// Begins anew, with these lanes: what waits is in the journal from `rest` on, which ends at `end` and has numbers below `next`. The due ones
    /// that there were.
    pub fn begin(&mut self, lanes: Lanes, rest: Option<Place>, end: Place, next: u64) -> VecDeque<(u64, Place)> {
        let due = self.lines.iter_mut().flat_map(|line| line.due.drain(..)).map(|due| (due.sequence, due.place)).collect();
        self.lines = (0..lanes.count()).map(|_| Line { rest, ..Line::default() }).collect();
        (self.lanes, self.bytes, self.due, self.several, self.made) = (lanes, 0, 0, false, (end, next));
        due
    }

    /// The lane of a delivery that says it: a number that is none is told anew.
    fn lane(&self, delivery: &Delivery) -> Lane {
        if usize::from(delivery.lane) < self.lines.len() { delivery.lane } else { self.lanes.of(delivery) }
    }

    /// How much each line may have in memory: as much as is free yet, or what it is assured of.
    fn allowance(&self) -> usize {
        self.most.saturating_sub(self.bytes).max(self.most / ASSURED).max(1)
    }

    /// Whether a line may take in one more.
    fn has_room(&self, lane: Lane) -> bool {
        self.lines[usize::from(lane)].bytes < self.allowance()
    }

    fn push(&mut self, lane: Lane, sequence: u64, delivery: Delivery) {
        self.bytes += delivery.record.len();
        self.lines[usize::from(lane)].push(sequence, delivery);
    }

    /// Adds one that came, and is kept at `place`.
    pub fn add(&mut self, sequence: u64, mut delivery: Delivery, place: Place) {
        let lane = self.lane(&delivery);
        self.several |= lane != 0;
        let has_room = self.has_room(lane);
        let line = &mut self.lines[usize::from(lane)];
        line.pending += 1;
        if line.rest.is_some() {
            return;
        }
        if !has_room {
            line.rest = Some(place);
            return;
        }
        if self.several && line.front.len() >= DEEP {
            delivery.record = Bytes::copy_from_slice(&delivery.record);
        }
        self.push(lane, sequence, delivery);
    }

    /// Takes the next of a lane's front.
    pub fn pop(&mut self, lane: Lane) -> Option<(u64, Delivery)> {
        let line = self.lines.get_mut(usize::from(lane))?;
        let Some(next) = line.front.pop_front() else {
            if line.rest.is_none() {
                // What was lost by damage was never taken out of the count.
                line.pending = 0;
            }
            return None;
        };
        line.bytes -= next.1.record.len();
        self.bytes -= next.1.record.len();
        Some(next)
    }

    /// One is reserved, cancelled or adopted that is not due: it counts no more, where it did.
    pub fn uncount(&mut self, lane: Lane, sequence: u64) {
        let made = self.made;
        if let Some(line) = self.lines.get_mut(usize::from(lane)) {
            let is_counted = sequence >= made.1 || sequence <= line.through || line.rest.is_none_or(|rest| rest >= made.0);
            line.pending = line.pending.saturating_sub(u64::from(is_counted));
        }
    }

    /// Adds one that is due.
    pub fn add_due(&mut self, sequence: u64, delivery: Delivery, place: Place) {
        let lane = delivery.lane;
        self.several |= lane != 0;
        let bytes = delivery.record.len();
        let allowance = self.allowance();
        let line = &mut self.lines[usize::from(lane)];
        let keeps = line.due_bytes < allowance;
        if keeps {
            line.due_bytes += bytes;
            self.bytes += bytes;
        }
        line.due.push_back(Due { sequence, place, delivery: keeps.then(|| Box::new(delivery)) });
        self.due += 1;
    }

    /// Takes the next of a lane that is due.
    pub fn pop_due(&mut self, lane: Lane) -> Option<Due> {
        let line = self.lines.get_mut(usize::from(lane))?;
        let Some(due) = line.due.pop_front() else {
            line.gone = 0;
            return None;
        };
        self.due -= 1;
        let bytes = due.delivery.as_ref().map_or(0, |delivery| delivery.record.len());
        line.due_bytes -= bytes;
        self.bytes -= bytes;
        Some(due)
    }

    /// One that is due is cancelled or adopted: it counts no more, and is passed over when its turn comes.
    pub fn uncount_due(&mut self, lane: Lane) {
        if let Some(line) = self.lines.get_mut(usize::from(lane)) {
            line.gone += 1;
        }
    }

    /// One that was due, and was taken, had been taken out of the count.
    pub fn passed_over(&mut self, lane: Lane) {
        if let Some(line) = self.lines.get_mut(usize::from(lane)) {
            line.gone = line.gone.saturating_sub(1);
        }
    }

    /// How many are due.
    pub const fn due(&self) -> usize {
        self.due
    }

    /// Those that are due and in memory.
    pub fn due_in_memory(&self) -> impl Iterator<Item = u64> {
        self.lines.iter().flat_map(|line| &line.due).filter(|due| due.delivery.is_some()).map(|due| due.sequence)
    }

    /// Whether a lane has both, due ones and others.
    pub fn has_both(&self, lane: Lane) -> bool {
        self.line(lane).is_some_and(|line| !line.due.is_empty() && (!line.front.is_empty() || line.rest.is_some()))
    }

    pub fn is_empty(&self, lane: Lane) -> bool {
        self.line(lane).is_none_or(Line::is_empty)
    }

    /// Whether a lane's front has fewer than so many, and more may be in the journal.
    pub fn is_short(&self, lane: Lane, count: usize) -> bool {
        self.line(lane).is_some_and(|line| line.rest.is_some() && line.front.len() < count)
    }

    fn line(&self, lane: Lane) -> Option<&Line> {
        self.lines.get(usize::from(lane))
    }

    /// Whether this one is in memory, in any line's front.
    pub fn has(&self, sequence: u64) -> bool {
        self.lines.iter().any(|line| line.has(sequence))
    }

    /// What is known to wait in each lane.
    pub fn counts(&self) -> Vec<LaneCount> {
        let count = |(lane, line): (usize, &Line)| LaneCount {
            lane: lane as Lane,
            pending: line.pending + (line.due.len() as u64).saturating_sub(line.gone),
            more: line.rest.is_some_and(|rest| rest < self.made.0),
        };
        self.lines.iter().enumerate().map(count).collect()
    }

    /// Reads a lane on where its front is short of `count`. Takes off `left` what of the journal it looked at; at 0 it ends.
    pub fn read_on(
        &mut self,
        lane: Lane,
        count: usize,
        segments: &VecDeque<Segment>,
        clocks: &Clocks,
        left: &mut u64,
    ) -> Result<()> {
        let line = &self.lines[usize::from(lane)];
        let enough = line.bytes + self.most.div_ceil(READ);
        loop {
            let line = &self.lines[usize::from(lane)];
            let is_short = line.front.len() < count || line.bytes < enough;
            let Some(from) = line.rest.filter(|_| is_short && *left > 0 && self.has_room(lane)) else { return Ok(()) };
            let at = segments.partition_point(|segment| segment.number < from.0);
            self.lines.iter_mut().for_each(|line| line.joins = line.rest.is_some_and(|rest| rest >= from));
            let Some(segment) = segments.get(at) else {
                self.go_on(None, 0);
                return Ok(());
            };
            // A segment that is over is gone.
            let offset = if segment.number == from.0 { u64::from(from.1) } else { BEGIN };
            let (end, last) = self.read_segment(lane, segment, offset, enough, *left, clocks)?;
            if segment.in_line > 0 {
                *left = left.saturating_sub(end - offset);
            }
            let rest = match segments.get(at + 1) {
                _ if end < segment.end => Some((segment.number, end as u32)),
                Some(next) => Some((next.number, BEGIN as u32)),
                None => None,
            };
            self.go_on(rest, last);
            if self.lines[usize::from(lane)].bytes >= enough {
                return Ok(());
            }
        }
    }

    /// A reading came to a place, and to a number: so did those that went along.
    fn go_on(&mut self, to: Option<Place>, last: u64) {
        for line in &mut self.lines {
            if line.joins && to.is_none_or(|to| line.rest.is_some_and(|rest| rest < to)) {
                (line.rest, line.through) = (to, line.through.max(last));
            }
        }
    }

    /// Takes in what waits in a segment from `offset` on, within `most` bytes; where it stopped, and the last number that it saw.
    fn read_segment(
        &mut self,
        lane: Lane,
        segment: &Segment,
        offset: u64,
        enough: usize,
        most: u64,
        clocks: &Clocks,
    ) -> Result<(u64, u64)> {
        let mut last = 0;
        if segment.live == 0 || segment.in_line == 0 {
            return Ok((segment.end, last));
        }
        let mut reader = Reader::new(&*segment.file, segment.number, offset, segment.end);
        while self.lines[usize::from(lane)].bytes < enough && self.has_room(lane) && reader.position < offset + most {
            let Some(found) = reader.next()? else { return Ok((segment.end, last)) };
            let Found::Frame { offset, body } = found else {
                self.suspects.push(segment.number);
                continue;
            };
            let place = (segment.number, offset as u32);
            let before = last;
            let mut take = |kept: Kept| {
                last = last.max(kept.sequence);
                let waits = kept.dead.is_none() && kept.delivery.due.is_none();
                if waits && !segment.is_settled(kept.sequence) && !segment.is_reserved(kept.sequence) {
                    self.take_in(lane, kept, place, before);
                }
            };
            match Entry::decode(&body, clocks) {
                Ok(Entry::Delivery(kept)) => take(kept),
                Ok(Entry::Replace(_, kept)) => kept.into_iter().for_each(take),
                _ => {}
            }
        }
        Ok((reader.position, last))
    }

    /// Takes in one that the reading for a lane found behind the number `before`, where its lane goes along and has room.
    fn take_in(&mut self, reading: Lane, kept: Kept, place: Place, before: u64) {
        let Kept { sequence, mut delivery, .. } = kept;
        delivery.lane = self.lanes.of(&delivery);
        let lane = delivery.lane;
        self.several |= lane != 0;
        // The line that is read for takes all that stands in one entry.
        let has_room = lane == reading || self.has_room(lane);
        let Some(line) = self.lines.get_mut(usize::from(lane)) else { return };
        if !line.joins || line.rest.is_none_or(|rest| rest > place) || sequence <= line.through {
            return;
        }
        if !has_room {
            (line.joins, line.rest, line.through) = (false, Some(place), line.through.max(before));
            return;
        }
        line.pending += u64::from(sequence < self.made.1);
        if self.several {
            delivery.record = Bytes::copy_from_slice(&delivery.record);
        }
        self.push(lane, sequence, delivery);
    }
}

//! Provides the line of deliveries that wait for a worker, in the order in which they came: its front in memory, the rest where it is anyway, in the
//! journal, which is read on when the front is short.

use super::clocks::Clocks;
use super::entry::{Entry, Kept};
use super::frame::{Found, Reader};
use super::parked::Place;
use super::segment::{BEGIN, Segment};
use proletarier_core::delivery::Delivery;
use std::collections::VecDeque;
use std::io::Result;

/// The part of the front that is read at once, when there are fewer in memory than are asked for.
const READ: usize = 16;
/// The journal is read on by so many bytes at once, whatever is found in them: who asks for more asks again.
const STEP: u64 = 4 << 20;

/// The line.
pub(super) struct Line {
    /// Bytes of records that are in memory at most, but for one larger record.
    most: usize,
    front: VecDeque<(u64, Delivery)>,
    bytes: usize,
    /// Where the rest begins; none: all is in memory.
    rest: Option<Place>,
    /// Segments in which something stands that is no entry any more.
    pub suspects: Vec<u64>,
}

impl Line {
    /// A line that is in the journal alone, from `rest` on, and has at most so many bytes of records in memory.
    pub const fn new(rest: Option<Place>, most: usize) -> Self {
        Self { most, front: VecDeque::new(), bytes: 0, rest, suspects: Vec::new() }
    }

    /// Adds one that is kept at `place`.
    pub fn add(&mut self, sequence: u64, delivery: Delivery, place: Place) {
        if self.rest.is_some() {
            return;
        }
        if self.bytes >= self.most {
            self.rest = Some(place);
            return;
        }
        self.push(sequence, delivery);
    }

    fn push(&mut self, sequence: u64, delivery: Delivery) {
        self.bytes += delivery.record.len();
        self.front.push_back((sequence, delivery));
    }

    /// Takes the next.
    pub fn pop(&mut self) -> Option<(u64, Delivery)> {
        let next = self.front.pop_front()?;
        self.bytes -= next.1.record.len();
        Some(next)
    }

    /// Whether something may be in the journal alone.
    pub const fn has_rest(&self) -> bool {
        self.rest.is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.front.is_empty() && self.rest.is_none()
    }

    /// Whether this one is in memory.
    pub fn has(&self, sequence: u64) -> bool {
        self.front.binary_search_by_key(&sequence, |(sequence, _)| *sequence).is_ok()
    }

    pub fn len(&self) -> usize {
        self.front.len()
    }

    /// Reads on where the front is short of `count`.
    pub fn read_on(&mut self, count: usize, segments: &VecDeque<Segment>, clocks: &Clocks) -> Result<()> {
        let enough = self.bytes + self.most.div_ceil(READ);
        let mut left = STEP;
        while let Some((number, offset)) =
            self.rest.filter(|_| self.bytes < self.most && (self.front.len() < count || self.bytes < enough))
        {
            let at = segments.partition_point(|segment| segment.number < number);
            let Some(segment) = segments.get(at) else {
                self.rest = None;
                break;
            };
            // A segment that is over is gone.
            let offset = if segment.number == number { u64::from(offset) } else { BEGIN };
            let end = self.read_segment(segment, offset, enough, left, clocks)?;
            if segment.in_line > 0 {
                left = left.saturating_sub(end - offset);
            }
            self.rest = match segments.get(at + 1) {
                _ if end < segment.end => Some((segment.number, end as u32)),
                Some(next) => Some((next.number, BEGIN as u32)),
                None => None,
            };
            if self.bytes >= enough || left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Takes in what waits in a segment from `offset` on, within `most` bytes; where it stopped.
    fn read_segment(&mut self, segment: &Segment, offset: u64, enough: usize, most: u64, clocks: &Clocks) -> Result<u64> {
        if segment.live == 0 || segment.in_line == 0 {
            return Ok(segment.end);
        }
        let mut reader = Reader::new(&*segment.file, segment.number, offset, segment.end);
        while self.bytes < enough && reader.position < offset + most {
            let Some(found) = reader.next()? else { return Ok(segment.end) };
            let Found::Frame { body, .. } = found else {
                self.suspects.push(segment.number);
                continue;
            };
            match Entry::decode(&body, clocks) {
                Ok(Entry::Delivery(kept)) => self.take_in(kept, segment),
                Ok(Entry::Replace(_, kept)) => kept.into_iter().for_each(|kept| self.take_in(kept, segment)),
                _ => {}
            }
        }
        Ok(reader.position)
    }

    fn take_in(&mut self, kept: Kept, segment: &Segment) {
        let waits = kept.dead.is_none() && kept.delivery.due.is_none();
        if waits && !segment.is_settled(kept.sequence) && !segment.is_reserved(kept.sequence) {
            self.push(kept.sequence, kept.delivery);
        }
    }
}

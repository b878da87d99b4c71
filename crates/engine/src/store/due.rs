//! Has what is parked become due, and sorts that into lanes: a parked one is known by its place alone, and its lane when it is read.

use super::Store;
use super::parked::Place;
use super::segment::BEGIN;
use super::summary::scan;
use proletarier_core::backlog::Reserved;
use proletarier_core::delivery::Delivery;
use proletarier_core::lanes::{Lane, Lanes, PRIORITIES};

/// Where there are queues, so many times as many may be due: those of a lane that nobody fetches from keep others from becoming due only then.
const HELD: usize = 256;
/// Of those that are more than usual, so many become due in one call: each is read.
const AT_ONCE: usize = 256;

impl Store {
    /// Makes what is due pending. Microseconds until the next is, where that is to be waited for.
    pub(super) fn promote_due(&mut self) -> Option<u64> {
        let usual = self.options.due;
        let most = if self.lines.lanes().count() > usize::from(PRIORITIES) { usual.saturating_mul(HELD) } else { usual };
        let target = (self.due_count() + AT_ONCE).clamp(usual, most.max(usual));
        let mut can_be_read = self.sort_due(usual.max(AT_ONCE));
        while self.unsorted.is_empty() && self.due_count() < target {
            let (journal, promoted) = (&self.journal, &self.promoted);
            let is_over = |sequence: u64| {
                let place = journal.segment_of(sequence);
                let over = place.is_none_or(|place| {
                    let segment = &journal.segments[place];
                    segment.is_settled(sequence) || segment.is_reserved(sequence)
                });
                // An index file that was written since has it again.
                over || promoted.contains(&sequence)
            };
            let Some((sequence, place)) = self.parked.take_due(self.now, &self.clocks, is_over) else {
                if let Some(damaged) = self.parked.take_damaged() {
                    let read = self.read_parked(damaged);
                    self.note(read, ());
                    continue;
                }
                break;
            };
            self.promoted.insert(sequence);
            self.counts.parked = self.counts.parked.saturating_sub(1);
            self.counts.pending += 1;
            self.unsorted.push_back((sequence, place));
            can_be_read = self.sort_due(1);
        }
        if !self.unsorted.is_empty() {
            // What can't be written is looked at again when there is room.
            return can_be_read.then_some(0);
        }
        // With many due, nothing is asked of the others before these are fetched.
        if self.due_count() < most { self.parked.until_next(self.now, &self.clocks) } else { None }
    }

    fn due_count(&self) -> usize {
        self.lines.due() + self.unsorted.len()
    }

    /// Puts some into their lanes, where any could not be before.
    pub(super) fn sort_some_due(&mut self) {
        if !self.unsorted.is_empty() {
            self.sort_due(AT_ONCE);
        }
    }

    /// Puts up to so many that are due into their lanes. False where the next of them can't be read now.
    fn sort_due(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let Some((sequence, place)) = self.unsorted.front().copied() else { break };
            if !self.is_written(place) {
                // There is no room for it now; it keeps its place.
                return false;
            }
            self.unsorted.pop_front();
            if !self.promoted.contains(&sequence) {
                // It was cancelled, or adopted.
                continue;
            }
            let kept = self.read(sequence, place);
            if let Some(kept) = self.note(kept, None) {
                let lane = self.lines.lanes().of(&kept.delivery);
                self.lines.add_due(sequence, Delivery { lane, ..kept.delivery }, place);
            }
        }
        true
    }

    /// Sorts all that waits into other lanes: as at an opening the lines begin with what waits first, and what is due is read again.
    pub(super) fn sort_into(&mut self, lanes: Lanes) {
        if lanes.queues() == self.lines.lanes().queues() {
            // The settings of a reload: as a rule the same.
            return;
        }
        self.events.iter_mut().for_each(|append| append.delivery.lane = lanes.of(&append.delivery));
        self.begin_lines(lanes);
        self.sort_due(self.options.due);
    }

    /// The lines begin with what waits first.
    pub(super) fn begin_lines(&mut self, lanes: Lanes) {
        let waits = self.journal.segments.iter().find(|segment| segment.live > 0 && segment.in_line > 0);
        let rest = waits.map(|segment| (segment.number, BEGIN as u32));
        let end = (self.journal.segments.back().map_or(0, |last| last.number), self.journal.end() as u32);
        let due = self.lines.begin(lanes, rest, end, self.journal.next);
        self.unsorted.extend(due);
    }

    pub(super) fn fetch_due(&mut self, lane: Lane, most: usize, fetched: &mut Vec<Reserved>) {
        while fetched.len() < most {
            let Some(due) = self.lines.pop_due(lane) else { return };
            if !self.promoted.remove(&due.sequence) {
                // It was cancelled, or adopted.
                self.lines.passed_over(lane);
                continue;
            }
            let delivery = due.delivery.map(|delivery| *delivery).or_else(|| {
                let kept = self.read(due.sequence, due.place);
                self.note(kept, None).map(|kept| Delivery { lane, ..kept.delivery })
            });
            if let Some(delivery) = delivery {
                self.reserve(due.sequence, delivery, fetched);
            }
        }
    }

    /// One that waits is cancelled, or is found in a worker's hand.
    pub(super) fn waits_no_more(&mut self, sequence: u64, delivery: &Delivery) {
        let lane = self.lines.lanes().of(delivery);
        let count = if delivery.due.is_none() {
            self.lines.uncount(lane, sequence);
            &mut self.counts.pending
        } else if self.promoted.remove(&sequence) {
            match self.unsorted.iter().position(|(of, _)| *of == sequence) {
                Some(at) => _ = self.unsorted.remove(at),
                None => self.lines.uncount_due(lane),
            }
            &mut self.counts.pending
        } else {
            &mut self.counts.parked
        };
        *count = count.saturating_sub(1);
        self.take_off(delivery.record.len() as u64);
    }

    /// Whether what is kept at a place can be read; what is gathered is written for that.
    fn is_written(&mut self, (number, offset): Place) -> bool {
        let is_there = |store: &Self| store.journal.segment(number).is_none_or(|segment| u64::from(offset) < segment.end);
        if is_there(self) {
            return true;
        }
        let written = self.journal.write();
        self.note(written, false) && is_there(self)
    }

    /// Takes in what is parked in a segment whose index file is damaged.
    fn read_parked(&mut self, number: u64) -> std::io::Result<()> {
        let Some(segment) = self.journal.segment(number) else { return Ok(()) };
        let mut summary = scan(&*segment.file, number, segment.first, BEGIN, segment.end, &self.clocks, &mut Vec::new())?;
        summary.parked.iter_mut().for_each(|parked| parked.retain(|parked| !segment.is_settled(parked.sequence)));
        self.parked.keep_all(number, &summary.parked);
        Ok(())
    }
}

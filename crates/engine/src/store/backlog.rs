//! Makes the store an adapter of the backlog port.

use super::Store;
use super::entry::Entry;
use super::frame::{Found, Reader};
use super::lines::STEP;
use super::summary::Summary;
use super::syncer::Ended;
use proletarier_core::backlog::{
    Append, Backlog, BacklogError, Capabilities, Completion, Counts, LaneCount, Page, Reserved, Settlement, Ticket, Token,
    Waiting, Waits, opening, sequence, token,
};
use proletarier_core::delivery::{DeadLetter, Delivery};
use proletarier_core::lanes::{Lane, Lanes};
use proletarier_core::time::Now;

impl Backlog for Store {
    fn capabilities(&self) -> Capabilities {
        Capabilities { survives_broker: true, survives_power: true }
    }

    fn append(&mut self, batch: &mut Vec<Append>, now: Now) -> Ticket {
        self.now = now;
        // Of each group the first origin is told in full: damage to what is before it costs no more.
        self.journal.summary.break_origins();
        for append in batch.drain(..) {
            let left = if self.events.is_empty() { self.do_append(append) } else { Ok(Err(append)) };
            if let Err(append) = self.note(left, Ok(())) {
                self.is_stuck();
                self.events.push_back(append);
            }
        }
        self.tickets += 1;
        self.tickets
    }

    fn settle(&mut self, batch: &mut Vec<(Token, Settlement)>, now: Now) -> Ticket {
        self.now = now;
        for (token, settlement) in batch.drain(..) {
            let left = if self.outcomes.is_empty() { self.do_settle(token, settlement) } else { Ok(Err((token, settlement))) };
            if let Err(outcome) = self.note(left, Ok(())) {
                self.is_stuck();
                self.outcomes.push_back(outcome);
            }
        }
        self.tickets += 1;
        self.tickets
    }

    fn sync(&mut self) {
        self.sync_to = self.tickets;
    }

    fn sort(&mut self, lanes: Lanes) {
        self.sort_into(lanes);
    }

    fn may_have(&self, lane: Lane) -> bool {
        !self.lines.is_empty(lane) || !self.unsorted.is_empty()
    }

    fn lane_counts(&self) -> Vec<LaneCount> {
        let mut counts = self.lines.counts();
        counts.iter_mut().for_each(|count| count.more |= !self.unsorted.is_empty());
        counts
    }

    fn fetch_from(&mut self, lane: Lane, count: usize) {
        if !self.outcomes.is_empty() {
            // More of them would have nowhere to go, either.
            return;
        }
        self.sort_some_due();
        let mut fetched = Vec::new();
        let both = self.lines.has_both(lane);
        self.fetch_due(lane, if both { count.div_ceil(2) } else { count }, &mut fetched);
        self.fetch_line(lane, count, &mut fetched);
        self.fetch_due(lane, count, &mut fetched);
        if !fetched.is_empty() {
            self.completions.push_back(Completion::Fetched(fetched));
        }
    }

    fn adopt(&mut self, hand_out: &Reserved) -> Option<Delivery> {
        let (sequence, of) = (sequence(hand_out.token), opening(hand_out.token));
        let place = self.journal.segment_of(sequence)?;
        if self.journal.segments[place].is_settled(sequence) || of == self.opening {
            return None;
        }
        let reserved = self.journal.segments[place].is_reserved(sequence);
        // Handed out anew, or another's.
        if reserved && self.adopted.get(&sequence) != Some(&of) {
            return None;
        }
        let found = self.find(sequence);
        let (_, kept) = self.note(found, None)?;
        if kept.dead.is_some() {
            return None;
        }
        let delivery = Delivery { lane: self.lines.lanes().of(&kept.delivery), ..kept.delivery };
        if !reserved {
            self.journal.segments[place].reserve(sequence);
            self.adopted.insert(sequence, of);
            self.waits_no_more(sequence, &delivery);
            self.counts.reserved += 1;
            self.take_off(delivery.record.len() as u64);
        }
        Some(delivery)
    }

    fn extend(&mut self, _: &[Token]) {}

    fn promote(&mut self, now: Now) -> Option<u64> {
        self.now = now;
        let due = self.promote_due();
        let again = self.tidy();
        // A block that could not be read is noticed only when the next is looked for.
        let again = if self.parked.has_damaged() { Some(0) } else { again };
        due.into_iter().chain(again).min()
    }

    fn waiting(&mut self, after: Token, most: usize) -> Page<Waiting> {
        let page = self.list_waiting(sequence(after), most);
        self.note(page, Page { items: Vec::new(), next: None })
    }

    fn dead(&mut self, after: Token, most: usize) -> Page<(Token, DeadLetter)> {
        let mut found: Vec<_> = self.letters.after(after).take(most.saturating_add(1)).collect();
        let more = found.len() > most;
        found.truncate(most);
        let next = found.last().filter(|_| more).map(|(number, _)| *number);
        let mut items = Vec::with_capacity(found.len());
        for (number, letter) in found {
            let kept = self.read(letter.sequence, letter.place);
            if let Some(kept) = self.note(kept, None) {
                let at = kept.dead.map_or(0, |(_, at)| at);
                items.push((number, DeadLetter { delivery: kept.delivery, at }));
            }
        }
        Page { items, next }
    }

    fn refusal(&self) -> Option<String> {
        let trouble = self.journal.trouble.as_ref().or(self.journal.files.trouble.as_ref());
        trouble.cloned().or_else(|| self.waits_for_room().then(|| "no room".to_owned()))
    }

    fn poll(&mut self) -> Option<Completion> {
        if self.failed.is_none() {
            let written = self.write();
            let all = self.note(written, false);
            let kept = if all { self.tickets } else { self.stuck.map_or(self.told, |stuck| stuck - 1) };
            if self.told < kept && self.journal.is_written() && self.undone.is_empty() {
                self.told = kept;
                self.completions.push_back(Completion::Done(self.told));
                if !std::mem::replace(&mut self.reminded, true) {
                    self.syncer.remind();
                }
            }
            let synced = self.sync_on();
            self.note(synced, ());
            while let Some(ended) = self.syncer.ended() {
                match self.note(ended.map(Some), None) {
                    Some(Ended::Synced(mark)) => {
                        self.syncing = false;
                        self.syncs_ended = self.syncs;
                        self.synced = mark;
                        self.completions.push_back(Completion::Synced(mark));
                        self.journal.prove();
                        self.tidying.look_again();
                        self.tidying.writes(true);
                        let dropped = self.drop_what_goes();
                        self.tidying.writes(false);
                        self.note(dropped, ());
                    }
                    Some(Ended::Reminder) => self.come_to_rest(),
                    None => {}
                }
                let synced = self.sync_on();
                self.note(synced, ());
            }
        }
        if let Some(reason) = &self.failed {
            return Some(Completion::Failed(BacklogError(reason.clone())));
        }
        self.completions.pop_front()
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }
}

impl Store {
    fn fetch_line(&mut self, lane: Lane, most: usize, fetched: &mut Vec<Reserved>) {
        let mut left = STEP;
        while fetched.len() < most {
            if left > 0 && self.lines.is_short(lane, most - fetched.len()) {
                // What is not written can't be read, and must not be passed by.
                let read = match self.journal.write() {
                    Ok(true) => self.lines.read_on(lane, most, &self.journal.segments, &self.clocks, &mut left),
                    Ok(false) => Ok(()),
                    Err(error) => Err(error),
                };
                self.note(read, ());
            }
            let Some((sequence, delivery)) = self.lines.pop(lane) else { return };
            let over = self.journal.segment_of(sequence).is_none_or(|place| {
                let segment = &self.journal.segments[place];
                segment.is_settled(sequence) || segment.is_reserved(sequence)
            });
            if !over {
                self.lines.uncount(lane, sequence);
                self.reserve(sequence, delivery, fetched);
            }
        }
    }

    pub(super) fn reserve(&mut self, sequence: u64, delivery: Delivery, fetched: &mut Vec<Reserved>) {
        let Some(place) = self.journal.segment_of(sequence) else { return };
        self.journal.segments[place].reserve(sequence);
        self.counts.pending = self.counts.pending.saturating_sub(1);
        self.counts.reserved += 1;
        self.take_off(delivery.record.len() as u64);
        fetched.push(Reserved { token: token(self.opening, sequence), delivery });
    }

    fn list_waiting(&mut self, after: u64, most: usize) -> std::io::Result<Page<Waiting>> {
        self.journal.write()?;
        let (mut items, mut left) = (Vec::new(), most.max(1));
        let segments = &self.journal.segments;
        let start = segments.partition_point(|segment| segment.first + u64::from(segment.count) <= after + 1);
        for (at, segment) in segments.iter().enumerate().skip(start).filter(|(_, segment)| segment.live > 0) {
            let marks = self.journal.marks(at);
            let offset = Summary::offset_before(marks, after + 1).or_else(|| marks.first().map(|(_, offset)| *offset));
            let Some(offset) = offset else { continue };
            let mut reader = Reader::new(&*segment.file, segment.number, offset.into(), segment.end);
            while let Some(found) = reader.next()? {
                let Found::Frame { body, .. } = found else { continue };
                let kept = match Entry::decode(&body, &self.clocks) {
                    Ok(Entry::Delivery(kept)) => vec![kept],
                    Ok(Entry::Replace(_, kept)) => kept,
                    _ => continue,
                };
                let Some(last) = kept.last().map(|kept| kept.sequence).filter(|last| *last > after) else { continue };
                for kept in kept {
                    let sequence = kept.sequence;
                    if sequence <= after || kept.dead.is_some() || segment.is_settled(sequence) {
                        continue;
                    }
                    let waits = match (&kept.delivery.due, self.promoted.contains(&sequence)) {
                        _ if segment.is_reserved(sequence) => Waits::Reserved,
                        (Some(_), false) => Waits::Parked,
                        _ => Waits::Pending,
                    };
                    let delivery = Delivery { lane: self.lines.lanes().of(&kept.delivery), ..kept.delivery };
                    items.push(Waiting { token: sequence, delivery, waits });
                }
                left -= 1;
                if left == 0 {
                    return Ok(Page { items, next: (last + 1 < self.journal.next).then_some(last) });
                }
            }
        }
        Ok(Page { items, next: None })
    }
}

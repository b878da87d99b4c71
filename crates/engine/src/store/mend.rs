//! Finds damage to segments that are in use: what an index file says is there, and is not when it is read. It is told of, and what is lost is
//! settled with that, so that nobody waits for it and the segment can go.

use super::salvage::{self, Losses};
use super::segment::BEGIN;
use super::summary::{Damage, scan};
use super::{Store, salvage::gaps};
use std::collections::{BTreeSet, HashSet};
use std::io::Result;

impl Store {
    /// Looks through the segments in which something was not found that should be there.
    pub(super) fn mend(&mut self) -> Result<()> {
        self.suspects.append(&mut self.lines.suspects);
        if self.suspects.is_empty() || !self.journal.write()? {
            return Ok(());
        }
        for number in std::mem::take(&mut self.suspects).into_iter().collect::<BTreeSet<_>>() {
            self.mend_segment(number)?;
        }
        Ok(())
    }

    fn mend_segment(&mut self, number: u64) -> Result<()> {
        let Ok(at) = self.journal.segments.binary_search_by_key(&number, |segment| segment.number) else { return Ok(()) };
        let segment = &self.journal.segments[at];
        let mut damages = Vec::new();
        let found = scan(&*segment.file, number, segment.first, BEGIN, segment.end, &self.clocks, &mut damages)?;
        if found.end < segment.end {
            damages.push(Damage { segment: number, from: found.end, to: segment.end });
        }
        // What a worker has, or what is in memory to be given to one, is there yet.
        let due: HashSet<u64> = self.lines.due_in_memory().collect();
        let is_there = |sequence| segment.is_reserved(sequence) || self.lines.has(sequence) || due.contains(&sequence);
        let is_lost = |sequence: &u64| !segment.is_settled(*sequence) && !is_there(*sequence);
        let missing = gaps(&found.present, segment.first, segment.first + u64::from(segment.count));
        let lost: HashSet<u64> = missing.into_iter().flat_map(|(first, end)| first..end).filter(is_lost).collect();
        let mut losses = Losses { entries: lost.len() as u64, ..Losses::default() };
        for damage in &damages {
            // An opening before may have told of it.
            if self.journal.disk.open(&salvage::piece_name(damage)).is_err() {
                salvage::copy(&*self.journal.disk, damage, &*segment.file, &mut losses)?;
            }
        }
        self.lose(at, number, &lost);
        if !losses.is_none() {
            self.news.push(losses.to_string());
        }
        Ok(())
    }

    fn lose(&mut self, at: usize, number: u64, lost: &HashSet<u64>) {
        let letters = self.letters.after(0).filter(|(_, letter)| letter.place.0 == number && lost.contains(&letter.sequence));
        let letters: Vec<u64> = letters.map(|(letter, _)| letter).collect();
        letters.iter().for_each(|letter| self.letters.remove(*letter));
        let parked = self.parked.count(number, |sequence| lost.contains(&sequence) && !self.promoted.contains(&sequence));
        let waiting = (lost.len() - letters.len()) as u64;
        let segment = &mut self.journal.segments[at];
        for sequence in lost {
            segment.settle(*sequence);
            self.promoted.remove(sequence);
        }
        let bytes = waiting * segment.average();
        self.undone.extend(lost);
        self.counts.dead = self.letters.len() as u64;
        self.counts.parked = self.counts.parked.saturating_sub(parked);
        self.counts.pending = self.counts.pending.saturating_sub(waiting.saturating_sub(parked));
        self.take_off(bytes);
        self.tidying.look_again();
    }
}

//! Takes in what was found in the segments of a store that is opened: what of them is settled, waits, is dead, or holds a key.

use super::disk::Disk;
use super::open::{Found, Read};
use super::segment::{BEGIN, Segment};
use super::summary::{index_name, new_index_name, read_index, refers_to, scan, write_index};
use super::{Store, frame, one};
use proletarier_core::queue::KeyHolder;
use proletarier_core::record::Record;
use std::collections::{BTreeMap, VecDeque};
use std::io::Result;
use std::sync::Arc;

/// The segments, with all that is settled in any of them.
pub(super) fn settle_all(reads: &mut [Read]) -> VecDeque<Segment> {
    let mut segments: VecDeque<Segment> = VecDeque::with_capacity(reads.len());
    for read in reads.iter_mut() {
        let mut segment = Segment::new(read.number, Arc::clone(&read.file), read.summary.first, read.size);
        read.summary.present.sort_unstable();
        for (first, count) in &read.summary.present {
            (*first..*first + u64::from(*count)).for_each(|sequence| segment.keep(sequence));
        }
        segment.pass_over(read.summary.count);
        segment.end = read.summary.end;
        segment.bytes = read.summary.bytes;
        segment.marks.clone_from(&read.summary.marks);
        segments.push_back(segment);
    }
    for read in reads.iter() {
        for (first, count) in &read.summary.done {
            let (first, end) = (*first, *first + u64::from(*count));
            // Segments' numbers are in the order of their sequence numbers.
            let from = segments.partition_point(|segment| segment.first + u64::from(segment.count) <= first);
            for segment in segments.iter_mut().skip(from).take_while(|segment| segment.first < end) {
                let within = first.max(segment.first)..end.min(segment.first + u64::from(segment.count));
                within.for_each(|sequence| {
                    segment.settle(sequence);
                });
            }
        }
    }
    let ranges: BTreeMap<u64, (u64, u64)> =
        segments.iter().map(|segment| (segment.first, (segment.first + u64::from(segment.count), segment.number))).collect();
    let segment_of = |sequence: u64| {
        let (_, (end, number)) = ranges.range(..=sequence).next_back()?;
        (sequence < *end).then_some(*number)
    };
    for (segment, read) in segments.iter_mut().zip(reads.iter()) {
        segment.refs = refers_to(&read.summary.done, segment_of);
        segment.refs.remove(&segment.number);
    }
    segments
}

/// Takes in what a segment has: parked ones, letters, held keys.
pub(super) fn take_in(
    store: &mut Store,
    disk: &dyn Disk,
    segment: &mut Segment,
    read: &mut Read,
    found: &mut Found,
) -> Result<()> {
    let number = segment.number;
    let is_over = |sequence: u64| segment.is_settled(sequence);
    let known = if read.indexed { read_index(disk, number, &index_name(number)) } else { None };
    let mut parked = known.and_then(|index| store.parked.find(number, &index, is_over));
    if read.indexed && parked.is_none() {
        // Only a look at all of it tells that an index file is damaged where its parked ones are.
        read.summary.parked =
            scan(&*segment.file, number, segment.first, BEGIN, segment.end, &store.clocks, &mut Vec::new())?.parked;
    }
    if parked.is_none() {
        let summary = &mut read.summary;
        summary.parked.iter_mut().for_each(|parked| {
            parked.retain(|parked| !is_over(parked.sequence));
            parked.sort_unstable();
        });
        let whole = summary.present == [(summary.first, summary.count)] || summary.count == 0;
        // Of a damaged one the index would say that all of it is there.
        let index = if whole {
            write_index(disk, number, summary).ok().and_then(|()| read_index(disk, number, &new_index_name(number)))
        } else {
            None
        };
        // What an opening before has written need not be synced.
        store.journal.unsynced.push(Arc::clone(&segment.file));
        store.journal.unproven.push(number);
        parked = index.and_then(|index| store.parked.find(number, &index, is_over));
        if parked.is_none() {
            store.parked.keep_all(number, &summary.parked);
        }
    }
    let in_memory = || read.summary.parked.iter().map(Vec::len).sum::<usize>() as u64;
    let parked = parked.unwrap_or_else(in_memory);
    let letters = read.summary.letters.iter().filter(|letter| !is_over(letter.sequence));
    let mut dead = 0;
    for letter in letters {
        store.letters.add(letter.number, letter.sequence, (number, letter.offset));
        dead += 1;
    }
    let waiting = u64::from(segment.live).saturating_sub(dead);
    let in_line = waiting.saturating_sub(parked);
    store.counts.parked += parked.min(waiting);
    store.counts.pending += in_line;
    store.counts.bytes += waiting * segment.average();
    store.counts.dead = store.letters.len() as u64;
    segment.in_line = in_line as u32;
    let segment = &*segment;
    for (sequence, offset) in read.summary.holders.iter().filter(|(sequence, _)| !segment.is_settled(*sequence)) {
        let Some(body) = frame::body_at(&*segment.file, number, (*offset).into(), segment.end)? else { continue };
        let Some(kept) = one(&body, *sequence, &store.clocks).filter(|kept| kept.dead.is_none()) else { continue };
        found.keys.extend(KeyHolder::of(&kept.delivery));
        if let (Some(unique), Ok(record)) = (kept.delivery.unique(), Record::decode(&kept.delivery.record)) {
            found.uniques.push((unique.clone(), record.id.to_owned()));
        }
    }
    Ok(())
}

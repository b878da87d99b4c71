//! Sets aside what is not whole, tells of it once, and puts what stands at the wrong place where it belongs.

use super::disk::{Disk, DiskFile};
use super::entry::{self, Run};
use super::frame::{ALIGN, Found, HEADER, Reader, push};
use super::open::Read;
use super::segment::{BEGIN, Begins, Header, file_name, number_of};
use super::summary::Damage;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Result;
use std::sync::Arc;

/// How much of a file is looked at at once.
const CHUNK: usize = 256 * 1024;

/// What was not whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Damaged pieces, set aside in files of their own.
    pub pieces: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Events and dead letters that are lost: they were there, and nothing says that they were handled.
    pub entries: u64,
    /// Segments that are missing.
    pub missing: Vec<u64>,
    /// The files that damaged pieces are in.
    pub aside: Vec<String>,
}

impl Losses {
    /// Whether all was whole.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.pieces == 0 && self.missing.is_empty() && self.entries == 0
    }

    pub(super) fn set_aside(&mut self, name: String, bytes: u64) {
        self.pieces += 1;
        self.bytes += bytes;
        self.aside.push(name);
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} damaged pieces ({} bytes, {} entries) are set aside", self.pieces, self.bytes, self.entries)?;
        if let (Some(first), Some(last)) = (self.aside.first(), self.aside.last()) {
            write!(f, " in {first}")?;
            if first != last {
                write!(f, " to {last}")?;
            }
        }
        if !self.missing.is_empty() {
            let names: Vec<_> = self.missing.iter().map(|number| file_name(*number)).collect();
            write!(f, "; missing: {}", names.join(", "))?;
        }
        Ok(())
    }
}

/// The name of a segment's file on its way to where it belongs.
fn moved_name(number: u64) -> String {
    format!("{number:016x}.moved")
}

/// Gives the files of segments that have another's name their own again, as their headers say it.
pub(super) fn put_in_place(disk: &dyn Disk, names: &[String], losses: &mut Losses) -> Result<()> {
    let mut claims: BTreeMap<u64, String> = BTreeMap::new();
    let mut headers = BTreeMap::new();
    for name in names.iter().filter(|name| !is_left_alone(name)) {
        if let Begins::With(header) = Header::read(&*disk.open(name)?)? {
            headers.insert(name.as_str(), header.number);
        }
    }
    for (name, number) in &headers {
        let own = file_name(*number);
        let is_there = headers.get(own.as_str()) == Some(number);
        // A header that is another's beside frames that are its own: it was used before for that one.
        let is_anothers = match number_of(name) {
            Some(named) => named != *number && !has_frames(disk, name, named)?,
            None => true,
        };
        if is_anothers && !is_there {
            claims.entry(*number).or_insert_with(|| (*name).to_owned());
        }
    }
    // Nothing may be at the place of one that comes, but for one that goes to its own.
    let go: BTreeSet<String> = claims.values().cloned().collect();
    for number in claims.keys().copied().collect::<Vec<_>>() {
        let own = file_name(number);
        if !names.contains(&own) || go.contains(&own) {
            continue;
        }
        if has_frames(disk, &own, number)? {
            claims.remove(&number);
        } else {
            set_file_aside(disk, &own, losses)?;
        }
    }
    for (number, name) in claims.iter().filter(|(number, name)| **name != moved_name(**number)) {
        disk.rename(name, &moved_name(*number))?;
    }
    for number in claims.keys() {
        disk.rename(&moved_name(*number), &file_name(*number))?;
    }
    Ok(())
}

/// Files that are no segments whatever they begin with: what a file was that is to be used again, or was set aside.
fn is_left_alone(name: &str) -> bool {
    name.starts_with("spare-") || name.starts_with("damaged-") || name == "lock"
}

/// Files that may be used again, and that begin like segments which are missing, are set aside.
pub(super) fn keep_spares(disk: &dyn Disk, names: &[String], losses: &mut Losses) -> Result<()> {
    let missing = losses.missing.clone();
    for name in names.iter().filter(|name| name.starts_with("spare-") && !missing.is_empty()) {
        if let Begins::With(header) = Header::read(&*disk.open(name)?)?
            && missing.contains(&header.number)
        {
            let aside = format!("damaged-{:016x}", header.number);
            let used = used(&*disk.open(name)?)?;
            disk.rename(name, &aside)?;
            losses.set_aside(aside, used);
        }
    }
    Ok(())
}

fn has_frames(disk: &dyn Disk, name: &str, number: u64) -> Result<bool> {
    let file = disk.open(name)?;
    let mut reader = Reader::of_all(&*file, number, BEGIN, file.length()?);
    while let Some(found) = reader.next()? {
        if matches!(found, Found::Frame { .. }) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A file of which nothing is an entry: it is set aside as it is, or removed where nothing is in it.
pub(super) fn set_file_aside(disk: &dyn Disk, name: &str, losses: &mut Losses) -> Result<()> {
    let used = used(&*disk.open(name)?)?;
    if used == 0 {
        return disk.remove(name);
    }
    let stem = name.strip_suffix(".journal").unwrap_or(name);
    let aside = format!("damaged-{stem}");
    disk.rename(name, &aside)?;
    losses.set_aside(aside, used);
    Ok(())
}

/// How long a file is without the zeros at its end.
fn used(file: &dyn DiskFile) -> Result<u64> {
    let mut end = file.length()?;
    while end > 0 {
        let begin = end.saturating_sub(CHUNK as u64);
        let mut bytes = vec![0; (end - begin) as usize];
        let read = file.read(&mut bytes, begin)?;
        if let Some(last) = bytes[..read].iter().rposition(|byte| *byte != 0) {
            return Ok(begin + last as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

/// Copies damaged pieces to files of their own, and puts something whole in their place, so that they are not found again.
pub(super) fn set_aside(
    disk: &dyn Disk,
    damages: &[Damage],
    file_of: impl Fn(u64) -> Option<(Arc<dyn DiskFile>, Header)>,
    losses: &mut Losses,
) -> Result<()> {
    let mut kept = Vec::new();
    for damage in damages {
        let Some((file, header)) = file_of(damage.segment) else { continue };
        let length = damage.to.min(file.length()?).saturating_sub(damage.from);
        // A full disk keeps the store from nothing: the piece is where it was.
        if copy(disk, damage, &*file, losses)? {
            kept.push((*damage, length, file, header));
        }
    }
    if kept.is_empty() || disk.sync_names().is_err() {
        return Ok(());
    }
    for (damage, length, file, header) in kept {
        let put = if damage.to == BEGIN { header.encode() } else { hole(damage.segment, damage.from, length as usize) };
        // Where that fails it is told of once more.
        let _ = file.write(&put, damage.from);
    }
    Ok(())
}

/// The file that a damaged piece is copied to.
pub(super) fn piece_name(damage: &Damage) -> String {
    format!("damaged-{:016x}-{}", damage.segment, damage.from)
}

/// Copies a damaged piece to a file of its own. Whether that could be.
pub(super) fn copy(disk: &dyn Disk, damage: &Damage, file: &dyn DiskFile, losses: &mut Losses) -> Result<bool> {
    let mut bytes = vec![0; (damage.to - damage.from) as usize];
    let length = file.read(&mut bytes, damage.from)?;
    // At the end of what was written there may be any length of zeros.
    let used = bytes[..length].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    losses.pieces += 1;
    losses.bytes += used as u64;
    let name = piece_name(damage);
    let copied = disk.create(&name).and_then(|copy| copy.write(&bytes[..used], 0).and_then(|()| copy.sync()));
    if copied.is_ok() {
        losses.aside.push(name);
    }
    Ok(copied.is_ok())
}

/// Something whole that is as long.
fn hole(segment: u64, offset: u64, length: usize) -> Vec<u8> {
    let whole = length - length % ALIGN;
    let mut out = Vec::with_capacity(length);
    if whole > HEADER {
        let mut body = Vec::with_capacity(whole - HEADER);
        entry::put_hole(&mut body, whole - HEADER);
        push(&mut out, &body, segment, offset);
    }
    out.resize(length, 0);
    out
}

/// What can be known of segments by their neighbours: those of one opening are numbered on, and so is what is in them.
pub(super) fn complete(reads: &mut [Read]) {
    let mut before: Option<(u64, u64)> = None;
    let nexts: Vec<_> = reads.iter().skip(1).map(|next| (next.number, next.header.map(|_| next.summary.first))).collect();
    for (at, read) in reads.iter_mut().enumerate() {
        let summary = &mut read.summary;
        let end = summary.first + u64::from(summary.count);
        if read.header.is_none()
            && !read.indexed
            && let Some((_, before)) = before.filter(|(number, end)| number + 1 == read.number && *end <= summary.first)
        {
            (summary.first, summary.count) = (before, (end - before) as u32);
        }
        if let Some((number, Some(next))) = nexts.get(at).copied()
            && number == read.number + 1
            && next > end
        {
            summary.count = (next - summary.first) as u32;
        }
        before = Some((read.number, summary.first + u64::from(summary.count)));
    }
}

/// What is between these runs, which ascend, from `first` up to `end`: where each begins and ends.
pub(super) fn gaps(present: &[Run], first: u64, end: u64) -> Vec<(u64, u64)> {
    let ends = present.iter().map(|(first, count)| first + u64::from(*count));
    let gaps = std::iter::once(first).chain(ends).zip(present.iter().map(|(first, _)| *first).chain([end]));
    gaps.filter(|(first, end)| first < end).collect()
}

/// What is missing between what is there, and is not said to be settled.
pub(super) fn lost(reads: &[Read], missing: &[u64]) -> Vec<Run> {
    let mut missing_runs = Vec::new();
    let mut before: Option<&Read> = None;
    for read in reads {
        let (first, end) = (read.summary.first, read.summary.first + u64::from(read.summary.count));
        if let Some(before) = before.filter(|before| before.opening == read.opening && before.number + 1 < read.number)
            && (before.number + 1..read.number).all(|number| missing.contains(&number))
        {
            missing_runs.push((before.summary.first + u64::from(before.summary.count), first));
        }
        missing_runs.extend(gaps(&read.summary.present, first, end));
        before = Some(read);
    }
    missing_runs.retain(|(first, end)| first < end);
    if missing_runs.is_empty() {
        return Vec::new();
    }
    let mut done: Vec<Run> = reads.iter().flat_map(|read| read.summary.done.iter().copied()).collect();
    done.sort_unstable();
    let mut lost = Vec::new();
    for (first, end) in missing_runs {
        let mut at = first;
        for (settled, count) in &done {
            if *settled >= end {
                break;
            }
            if *settled > at {
                lost.push((at, (*settled - at) as u32));
            }
            at = at.max(settled + u64::from(*count)).min(end);
        }
        if at < end {
            lost.push((at, (end - at) as u32));
        }
    }
    lost
}

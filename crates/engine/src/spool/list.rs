//! Lists what is in the spool, a page at a time, and leaves everything where it is.

use super::directory::{EVENTS, draining};
use super::{Draining, SpoolError, SpoolOptions, Spooled, System};
use proletarier_core::record::Record;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of files that one page looks at.
const MOST: u64 = 4 << 20;
/// Bytes that are read at once.
const SLICE: usize = 64 * 1024;

/// A part of the list.
#[derive(Debug, Default)]
pub struct Page {
    /// What was found; it may be nothing though there is more.
    pub events: Vec<Spooled>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
}

/// A place in a file of the spool. The file is told by its inode: its name changes when it is drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    inode: u64,
    offset: u64,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.inode, self.offset)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (inode, offset) = text.split_once(':').ok_or(())?;
        Ok(Self { inode: inode.parse().map_err(|_| ())?, offset: offset.parse().map_err(|_| ())? })
    }
}

/// Whether a spooled event has this id.
pub(super) fn has_id(event: &Spooled, id: &str) -> bool {
    Record::decode(&event.record).is_ok_and(|record| record.id == id)
}

/// Events after a cursor, the oldest first: `limit` at most, and only those with this id, where one is given.
///
/// # Errors
/// When the spool can't be read.
pub fn list(options: &SpoolOptions, after: Option<Cursor>, limit: usize, id: Option<&str>) -> Result<Page, SpoolError> {
    let mut files = files(options)?;
    // One that is gone was drained, and with it all that were older.
    let begin = after.and_then(|after| files.iter().position(|(inode, _)| *inode == after.inode)).unwrap_or(0);
    let (mut page, mut looked_at) = (Page::default(), 0);
    for (inode, path) in files.drain(begin..) {
        let mut file = match Draining::open(&path, Arc::new(System)) {
            // Drained since.
            Err(SpoolError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => continue,
            // Told of by who drains it.
            Err(SpoolError::Version { .. }) => continue,
            opened => opened?,
        };
        if let Some(after) = after.filter(|after| after.inode == inode) {
            file.skip_to(after.offset);
        }
        while !file.is_read() {
            if page.events.len() >= limit || looked_at >= MOST {
                page.next = Some(Cursor { inode, offset: file.offset() });
                return Ok(page);
            }
            let before = file.offset();
            let events = file.some(SLICE, limit - page.events.len())?;
            looked_at += file.offset() - before;
            page.events.extend(events.into_iter().filter(|event| id.is_none_or(|id| has_id(event, id))));
        }
    }
    Ok(page)
}

/// How many events there are.
///
/// # Errors
/// When the spool can't be read.
pub fn count(options: &SpoolOptions) -> Result<u64, SpoolError> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = list(options, after, usize::MAX, None)?;
        count += page.events.len() as u64;
        after = page.next;
        if after.is_none() {
            return Ok(count);
        }
    }
}

/// The files with their inodes, the oldest first.
fn files(options: &SpoolOptions) -> Result<Vec<(u64, PathBuf)>, SpoolError> {
    let older = match draining(&options.dir) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SpoolError::io("read", &options.dir, error)),
    };
    let paths = older.into_iter().map(|(_, path)| path).chain([options.dir.join(EVENTS)]);
    Ok(paths.filter_map(|path| Some((path.metadata().ok()?.ino(), path))).collect())
}

//! Provides the files of segments: made ahead, so that there is room for outcomes when there is none for events, and used again, so that a sync
//! has only what was written to sync.

use super::disk::{Disk, DiskFile};
use super::journal::is_for_now;
use super::options::Options;
use super::segment::{Header, file_name};
use super::summary::{index_name, new_index_name};
use std::io::Result;
use std::sync::Arc;

/// A segment that is full within so many microseconds is followed by one of double the size.
const BUSY: u64 = 5_000_000;
/// Files kept to be used again, beside the one that is made ahead.
const SPARES: usize = 2;

/// The files that nobody has yet, or any more.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    smallest: u64,
    largest: u64,
    /// Name and size; the one that is made ahead among them.
    spares: Vec<(String, u64)>,
    size: u64,
    made: u64,
    next: u64,
    /// Why none can be made ahead.
    pub trouble: Option<String>,
}

impl Files {
    pub fn new(disk: Arc<dyn Disk>, options: &Options) -> Self {
        let (smallest, largest) = (options.smallest, options.largest);
        Self { disk, smallest, largest, spares: Vec::new(), size: smallest, made: 0, next: 0, trouble: None }
    }

    /// Gives the file of a segment, with its header, of at least `least` bytes. None where there is no room for it.
    pub fn take(&mut self, header: &Header, least: u64, now: u64) -> Result<Option<(Arc<dyn DiskFile>, u64)>> {
        if self.made != 0 {
            let quick = now.saturating_sub(self.made) < BUSY;
            self.size = if quick { self.size * 2 } else { self.size / 2 }.clamp(self.smallest, self.largest);
        }
        self.made = now.max(1);
        if !self.spares.iter().any(|(_, size)| *size >= least) {
            self.make(least);
        }
        let Some(place) = self.spares.iter().position(|(_, size)| *size >= least) else { return Ok(None) };
        let (name, size) = self.spares.remove(place);
        let named = file_name(header.number);
        let taken = self.disk.open(&name).and_then(|file| {
            file.write(&header.encode(), 0)?;
            self.disk.rename(&name, &named)?;
            Ok(file)
        });
        match taken {
            Ok(file) => Ok(Some((file, size))),
            Err(error) if is_for_now(&error) => {
                self.trouble = Some(error.to_string());
                self.spares.push((name, size));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a file is made ahead.
    pub const fn has_spare(&self) -> bool {
        !self.spares.is_empty()
    }

    /// Makes a file ahead, unless there is one. Whether there is.
    pub fn prepare(&mut self) -> bool {
        if self.spares.is_empty() {
            self.make(0);
        }
        !self.spares.is_empty()
    }

    fn make(&mut self, least: u64) {
        let mut size = self.size.max(least.next_multiple_of(self.smallest));
        loop {
            let name = format!("spare-{}", self.next);
            self.next += 1;
            let made = self.disk.create(&name).and_then(|file| file.reserve(size));
            match made {
                Ok(()) => {
                    self.trouble = None;
                    self.spares.push((name, size));
                    return;
                }
                Err(error) => {
                    let _ = self.disk.remove(&name);
                    self.trouble = Some(error.to_string());
                }
            }
            if size / 2 < self.smallest.max(least) {
                return;
            }
            size = (size / 2).next_multiple_of(self.smallest);
        }
    }

    /// A segment is over: its file is used again, or removed.
    pub fn give_back(&mut self, number: u64, size: u64) -> Result<()> {
        let _ = self.disk.remove(&index_name(number));
        let _ = self.disk.remove(&new_index_name(number));
        let gone = self.use_again(number, size);
        // It is over, and said to be: the next opening finds it.
        gone.or_else(|error| if is_for_now(&error) { Ok(()) } else { Err(error) })
    }

    fn use_again(&mut self, number: u64, size: u64) -> Result<()> {
        if self.spares.len() <= SPARES && (size >= self.size || self.trouble.is_some()) {
            let name = format!("spare-{}", self.next);
            self.next += 1;
            self.disk.rename(&file_name(number), &name)?;
            self.spares.push((name, size));
            self.trouble = None;
            return Ok(());
        }
        self.disk.remove(&file_name(number))
    }

    /// Takes in a file that an opening before had made ahead.
    pub fn find_spare(&mut self, name: &str, size: u64) {
        if let Some(number) = name.strip_prefix("spare-").and_then(|number| number.parse::<u64>().ok()) {
            self.next = self.next.max(number + 1);
            self.spares.push((name.to_owned(), size));
        }
    }

    /// Begins small again, and lets large files go.
    pub fn shrink(&mut self) {
        (self.size, self.made) = (self.smallest, 0);
        let smallest = self.smallest;
        for (name, _) in self.spares.extract_if(.., |(_, size)| *size > smallest) {
            // One that stays is no harm.
            let _ = self.disk.remove(&name);
        }
    }

    /// Bytes of files that nobody has.
    pub fn spare_bytes(&self) -> u64 {
        self.spares.iter().map(|(_, size)| size).sum()
    }
}

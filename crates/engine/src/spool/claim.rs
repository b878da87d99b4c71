//! Takes the spool's files out of the writers' reach, one after another, and reads them in slices. One process at a time.

use super::damaged::{self, Unreadable};
use super::directory::{self, EVENTS, draining, draining_path};
use super::format::{self, Found, HEADER, Header, Spooled};
use super::lock::{SHORT, lock_soon, try_lock};
use super::{Disk, SpoolError, SpoolOptions, System};
use crate::clock;
use nix::fcntl::Flock;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The right to drain, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    options: SpoolOptions,
    disk: Arc<dyn Disk>,
    _lock: Flock<File>,
    /// Files that can't be opened, or are of versions that this release does not know: left where they are.
    foreign: Vec<PathBuf>,
}

impl Claim {
    /// Takes it; none where another process drains.
    ///
    /// # Errors
    /// When this process may not.
    pub fn take(options: &SpoolOptions) -> Result<Option<Self>, SpoolError> {
        Self::take_on(options, Arc::new(System))
    }

    /// The same on this disk.
    ///
    /// # Errors
    /// When this process may not.
    pub fn take_on(options: &SpoolOptions, disk: Arc<dyn Disk>) -> Result<Option<Self>, SpoolError> {
        let path = options.dir.join("drain.lock");
        let file = directory::open(options, &*disk, &path)?;
        let lock = try_lock(file, &path)?;
        Ok(lock.map(|lock| Self { options: options.clone(), disk, _lock: lock, foreign: Vec::new() }))
    }

    /// The next file to drain: the oldest that a drainer has left, else what has been spooled since.
    ///
    /// # Errors
    /// When it can't be had: it is passed over from then on.
    pub fn next_file(&mut self) -> Result<Option<Draining>, SpoolError> {
        let files = self.draining()?;
        let oldest = files.iter().find(|(_, path)| !self.foreign.contains(path));
        let path = match oldest {
            Some((_, path)) => path.clone(),
            None => {
                let path = self.new_path(&files);
                if !self.rename_to(&path)? {
                    return Ok(None);
                }
                path
            }
        };
        let opened = Draining::open(&path, Arc::clone(&self.disk));
        if opened.is_err() {
            self.foreign.push(path);
        }
        opened.map(Some)
    }

    /// Whether files were passed over.
    #[must_use]
    pub const fn has_passed_over(&self) -> bool {
        !self.foreign.is_empty()
    }

    /// All files that there are, the oldest first, none of them in the writers' reach.
    ///
    /// # Errors
    /// When they can't be had.
    pub(super) fn all_files(&mut self) -> Result<Vec<PathBuf>, SpoolError> {
        let files = self.draining()?;
        self.rename_to(&self.new_path(&files))?;
        Ok(self.draining()?.into_iter().map(|(_, path)| path).collect())
    }

    fn draining(&self) -> Result<Vec<(u64, PathBuf)>, SpoolError> {
        draining(&self.options.dir).map_err(|error| SpoolError::io("read", &self.options.dir, error))
    }

    /// A name behind these. Numbers are times, so that a name comes once: what is set aside of a file is named after it.
    fn new_path(&self, files: &[(u64, PathBuf)]) -> PathBuf {
        let after = files.last().map_or(0, |(number, _)| number + 1);
        draining_path(&self.options.dir, clock::wall().0.max(after))
    }

    /// Renames the file that is appended to, under its lock; whether there was one.
    fn rename_to(&self, path: &Path) -> Result<bool, SpoolError> {
        let events = self.options.dir.join(EVENTS);
        let mut again = true;
        loop {
            let file = match directory::open_to_read(&events) {
                // Its writer has just made it, and its mode is not set yet: with a strict umask that is a moment in which it is nobody else's.
                Err(error) if error.kind() == ErrorKind::PermissionDenied && std::mem::take(&mut again) => {
                    std::thread::sleep(SHORT);
                    continue;
                }
                Ok(file) => lock_soon(file, &events)?,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(SpoolError::io("open", &events, error)),
            };
            let (Ok(opened), Ok(named)) = (file.metadata(), std::fs::metadata(&events)) else { continue };
            if (opened.dev(), opened.ino()) == (named.dev(), named.ino()) {
                return self.disk.rename(&events, path).map(|()| true).map_err(|error| SpoolError::io("rename", &events, error));
            }
        }
    }
}

/// A file that is being drained. Dropped, it stays for the next.
#[derive(Debug)]
pub struct Draining {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    file: File,
    length: u64,
    /// What was read so far.
    offset: u64,
    /// Ranges that could not be read.
    damaged: Vec<(u64, u64)>,
}

impl Draining {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it can't be read, or is of another version.
    pub(super) fn open(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, SpoolError> {
        let failed = |error| SpoolError::io("read", path, error);
        let file = directory::open_to_read(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut header = [0; HEADER];
        let known = file.read_exact_at(&mut header, 0).map(|()| Header::read(&header));
        let offset = match known {
            Ok(Header::Known) => HEADER as u64,
            Ok(Header::Version(version)) => return Err(SpoolError::Version { path: path.display().to_string(), version }),
            // Whose header is gone may have whole events.
            Ok(Header::Damaged) => 0,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { path: path.to_owned(), disk, file, length, offset, damaged: Vec::new() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether all of it was read.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        self.offset >= self.length
    }

    /// Where reading goes on.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Passes over what is before a place where reading went on before.
    pub(super) fn skip_to(&mut self, offset: u64) {
        self.offset = self.offset.max(offset);
    }

    /// Bytes not read yet.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.length.saturating_sub(self.offset)
    }

    /// The events in the next `most` bytes or so, at least one where one is left, and what is no event passed over.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn slice(&mut self, most: usize) -> Result<Vec<Spooled>, SpoolError> {
        self.some(most, usize::MAX)
    }

    /// The same, and `count` events at most.
    pub(super) fn some(&mut self, most: usize, count: usize) -> Result<Vec<Spooled>, SpoolError> {
        let mut events = Vec::new();
        let mut wanted = most.max(HEADER);
        while !self.is_read() {
            let bytes = self.read(wanted)?;
            let mut at = 0;
            while events.len() < count {
                let left = self.left() - at as u64;
                match bytes.get(at..).filter(|rest| !rest.is_empty()).map(|rest| format::look(rest, left)) {
                    None => break,
                    Some(Found::Event(event, length)) => {
                        events.push(event);
                        at += length;
                    }
                    Some(Found::Longer(length)) => {
                        wanted = length.max(most);
                        break;
                    }
                    Some(Found::Nothing) => {
                        let next = format::next_candidate(&bytes, at + 1).unwrap_or(bytes.len());
                        self.note_damaged(self.offset + at as u64, (next - at) as u64);
                        at = next;
                    }
                }
            }
            self.offset += at as u64;
            if !events.is_empty() {
                break;
            }
        }
        Ok(events)
    }

    fn read(&self, wanted: usize) -> Result<Vec<u8>, SpoolError> {
        let failed = |error| SpoolError::io("read", &self.path, error);
        let mut bytes = vec![0; usize::try_from(self.left()).unwrap_or(wanted).min(wanted)];
        self.file.read_exact_at(&mut bytes, self.offset).map_err(failed)?;
        Ok(bytes)
    }

    /// Sets aside what could not be read. Tells of it.
    pub(super) fn set_aside(&self) -> Result<Option<Unreadable>, SpoolError> {
        damaged::set_aside(&*self.disk, &self.path, &self.file, &self.damaged)
    }

    fn note_damaged(&mut self, from: u64, length: u64) {
        match self.damaged.last_mut() {
            Some((before, so_far)) if *before + *so_far == from => *so_far += length,
            _ => self.damaged.push((from, length)),
        }
    }

    /// Everything in it is kept elsewhere: what could not be read is set aside, and the file goes. Tells of what was set aside.
    ///
    /// # Errors
    /// When it could not be set aside, or the file not be removed: then it is drained again, and its events are known as copies.
    pub fn finish(self) -> Result<Option<Unreadable>, SpoolError> {
        let unreadable = self.set_aside()?;
        self.disk.remove(&self.path).map_err(|error| SpoolError::io("remove", &self.path, error))?;
        Ok(unreadable)
    }
}

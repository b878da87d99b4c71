//! Appends events to the spool.

use super::directory::{self, EVENTS, draining};
use super::format::{self, HEADER, Header};
use super::lock::lock;
use super::{SpoolError, SpoolOptions};
use crate::clock;
use nix::fcntl::Flock;
use proletarier_core::frame::Session;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

/// An event to spool.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The session that triggered it.
    pub session: &'a Session,
    /// Its number there.
    pub number: u64,
    /// The event.
    pub record: &'a [u8],
}

/// The spool, as one process that appends to it has it.
#[derive(Debug)]
pub struct Spool {
    options: SpoolOptions,
    path: PathBuf,
    /// The file whose name this process has seen on the platter: device and inode.
    listed: Option<(u64, u64)>,
}

impl Spool {
    /// One with these options. Makes and opens nothing yet.
    #[must_use]
    pub fn new(options: SpoolOptions) -> Self {
        Self { path: options.dir.join(EVENTS), options, listed: None }
    }

    /// What it was made with.
    #[must_use]
    pub const fn options(&self) -> &SpoolOptions {
        &self.options
    }

    /// Appends events, all or none. With `sync` they are on the platter when it returns.
    ///
    /// # Errors
    /// Why they are not in the spool.
    pub fn append<'a>(&mut self, entries: impl IntoIterator<Item = Entry<'a>>, sync: bool) -> Result<(), SpoolError> {
        let now = clock::wall().0;
        let mut bytes = Vec::new();
        for entry in entries {
            format::encode(&mut bytes, entry.session, entry.number, now, entry.record);
        }
        let file = self.locked()?;
        let before = self.check(&file, bytes.len() as u64)?;
        if before == 0 {
            bytes.splice(0..0, format::header());
        }
        if let Err(error) = (&*file).write_all(&bytes) {
            // Nobody else appends meanwhile: what was written of it can go.
            let _ = file.set_len(before);
            return Err(SpoolError::io("write to", &self.path, error));
        }
        if sync {
            self.sync(&file)?;
        }
        Ok(())
    }

    /// The file, locked, and still the one that its name leads to: a drainer may have renamed it meanwhile.
    fn locked(&self) -> Result<Flock<File>, SpoolError> {
        loop {
            let file = lock(directory::open(&self.options, &self.path)?, &self.path)?;
            let (Ok(opened), Ok(named)) = (file.metadata(), std::fs::metadata(&self.path)) else { continue };
            if (opened.dev(), opened.ino()) == (named.dev(), named.ino()) {
                return Ok(file);
            }
        }
    }

    /// Sees that there is room for so many bytes, and that the file is of this version; its length, 0 where it has no header yet.
    fn check(&self, file: &File, more: u64) -> Result<u64, SpoolError> {
        let failed = |error| SpoolError::io("read", &self.path, error);
        let length = file.metadata().map_err(failed)?.len();
        let others = draining(&self.options.dir).map_err(failed)?;
        let used = length + others.iter().filter_map(|(_, path)| path.metadata().ok()).map(|file| file.len()).sum::<u64>();
        if used + more > self.options.max {
            return Err(SpoolError::Full { dir: self.options.dir.display().to_string(), used, max: self.options.max });
        }
        if length < HEADER as u64 {
            // Whoever made the file was killed in between.
            file.set_len(0).map_err(failed)?;
            return Ok(0);
        }
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0).map_err(failed)?;
        match Header::read(&header) {
            Header::Version(version) => Err(SpoolError::Version { path: self.path.display().to_string(), version }),
            Header::Known | Header::Damaged => Ok(length),
        }
    }

    /// The bytes first, then the name that leads to them, which another process may have made and not synced.
    fn sync(&mut self, file: &File) -> Result<(), SpoolError> {
        let failed = |error| SpoolError::io("sync", &self.path, error);
        file.sync_data().map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let this = (found.dev(), found.ino());
        if self.listed != Some(this) {
            File::open(&self.options.dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
            self.listed = Some(this);
        }
        Ok(())
    }
}

//! Appends events to the spool.

use super::directory::{self, EVENTS, draining};
use super::format::{self, BEGINNING, HEADER, Header};
use super::lock::lock;
use super::{Disk, SpoolError, SpoolOptions, System};
use crate::clock;
use nix::fcntl::Flock;
use proletarier_core::frame::Session;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::Arc;

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
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// The beginning of the file whose name this process has seen on the platter. It tells files apart, as an event comes once: the number of an inode
    /// comes again as soon as a file is drained.
    listed: Option<[u8; BEGINNING]>,
    /// The directory whose name, and those above it, this process has seen there: device and inode.
    rooted: Option<(u64, u64)>,
}

impl Spool {
    /// One with these options. Makes and opens nothing yet.
    #[must_use]
    pub fn new(options: SpoolOptions) -> Self {
        Self::on(options, Arc::new(System))
    }

    /// One on this disk.
    #[must_use]
    pub fn on(options: SpoolOptions, disk: Arc<dyn Disk>) -> Self {
        Self { path: options.dir.join(EVENTS), options, disk, listed: None, rooted: None }
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
        if let Err(error) = self.disk.append(&file, &bytes) {
            // Nobody else appends meanwhile: what was written of it can go.
            let _ = self.disk.cut(&file, before);
            return Err(SpoolError::io("write to", &self.path, error));
        }
        if sync && let Err(error) = self.sync(&file) {
            // Whoever is told that they are not there may trigger them anew.
            let _ = self.disk.cut(&file, before);
            return Err(error);
        }
        Ok(())
    }

    /// The file, locked, and still the one that its name leads to: a drainer may have renamed it meanwhile.
    fn locked(&self) -> Result<Flock<File>, SpoolError> {
        loop {
            let file = lock(directory::open(&self.options, &*self.disk, &self.path)?, &self.path)?;
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
            self.disk.cut(file, 0).map_err(failed)?;
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
        self.disk.sync(file).map_err(failed)?;
        let mut this = [0; BEGINNING];
        file.read_at(&mut this, 0).map_err(failed)?;
        if self.listed != Some(this) {
            self.disk.sync_names(&self.options.dir).map_err(failed)?;
            self.root().map_err(|error| SpoolError::io("sync the names above", &self.path, error))?;
            self.listed = Some(this);
        }
        Ok(())
    }

    /// Syncs the names of the directory and of those above it, as far as the file system goes: another process may have made them just now.
    fn root(&mut self) -> std::io::Result<()> {
        let found = self.options.dir.metadata()?;
        let this = (found.dev(), found.ino());
        if self.rooted != Some(this) {
            for above in self.options.dir.ancestors().skip(1) {
                match above.metadata() {
                    Ok(metadata) if metadata.dev() == found.dev() => {}
                    _ => break,
                }
                match self.disk.sync_names(above) {
                    // What this user may not read, its processes have not made.
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
                    synced => synced?,
                }
            }
            self.rooted = Some(this);
        }
        Ok(())
    }
}

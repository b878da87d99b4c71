//! Defines the changes that the spool makes on a disk, and provides them from the system's. Tests put a disk in its place that loses power: what was
//! not synced by then is there, or is not.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{Result, Write as _};
use std::path::Path;

/// What changes files and names. Reading and locking are the system's in any case.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file of a new name.
    ///
    /// # Errors
    /// What the system says; so with all of these.
    fn make(&self, how: &OpenOptions, path: &Path) -> Result<File>;
    /// Writes all of it at the end.
    ///
    /// # Errors
    /// See [`Self::make`].
    fn append(&self, file: &File, bytes: &[u8]) -> Result<()>;
    /// Makes it as long, or short.
    ///
    /// # Errors
    /// See [`Self::make`].
    fn cut(&self, file: &File, length: u64) -> Result<()>;
    /// Returns when what was written is kept also where power is lost.
    ///
    /// # Errors
    /// See [`Self::make`].
    fn sync(&self, file: &File) -> Result<()>;
    /// The same for the names in a directory.
    ///
    /// # Errors
    /// See [`Self::make`].
    fn sync_names(&self, directory: &Path) -> Result<()>;
    /// Gives a file another name, in place of the file that has it.
    ///
    /// # Errors
    /// See [`Self::make`].
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// See [`Self::make`].
    fn remove(&self, path: &Path) -> Result<()>;
}

/// The system's.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl Disk for System {
    fn make(&self, how: &OpenOptions, path: &Path) -> Result<File> {
        how.open(path)
    }

    fn append(&self, mut file: &File, bytes: &[u8]) -> Result<()> {
        file.write_all(bytes)
    }

    fn cut(&self, file: &File, length: u64) -> Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &File) -> Result<()> {
        file.sync_data()
    }

    fn sync_names(&self, directory: &Path) -> Result<()> {
        File::open(directory)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path)
    }
}

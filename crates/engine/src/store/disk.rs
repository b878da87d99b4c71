//! Defines what the store needs of a directory, and provides it from the system's. Tests put a disk in its place that forgets what was not
//! synced, or fails.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;

/// A directory of files, which are named and never below one another.
pub trait Disk: Send + Sync {
    /// The names in it.
    ///
    /// # Errors
    /// What the system says; so with all of these.
    fn list(&self) -> Result<Vec<String>>;
    /// Opens a file that is there.
    ///
    /// # Errors
    /// See [`Self::list`].
    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>>;
    /// Makes a file, or empties the one that is there.
    ///
    /// # Errors
    /// See [`Self::list`].
    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>>;
    /// Gives a file another name, in place of the file that has it.
    ///
    /// # Errors
    /// See [`Self::list`].
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// See [`Self::list`].
    fn remove(&self, name: &str) -> Result<()>;
    /// Returns when the names are kept also where power is lost.
    ///
    /// # Errors
    /// See [`Self::list`].
    fn sync_names(&self) -> Result<()>;
}

/// A file of it.
pub trait DiskFile: Send + Sync {
    /// Reads from `offset` on; how much there was.
    ///
    /// # Errors
    /// What the system says; so with all of these.
    fn read(&self, into: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes all of it.
    ///
    /// # Errors
    /// See [`Self::read`].
    fn write(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Sees to it that writing up to `length` needs no further room on the disk.
    ///
    /// # Errors
    /// See [`Self::read`].
    fn reserve(&self, length: u64) -> Result<()>;
    /// Its length.
    ///
    /// # Errors
    /// See [`Self::read`].
    fn length(&self) -> Result<u64>;
    /// Returns when what was written is kept also where power is lost.
    ///
    /// # Errors
    /// See [`Self::read`].
    fn sync(&self) -> Result<()>;
}

/// A directory of the system's.
pub struct Directory {
    path: PathBuf,
    mode: u32,
}

impl Directory {
    /// The directory at `path`, which is there; files are made with `mode`.
    #[must_use]
    pub const fn new(path: PathBuf, mode: u32) -> Self {
        Self { path, mode }
    }
}

impl Directory {
    /// Tells which file it is about, and what to do.
    fn told<T>(&self, name: &str, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            let fix =
                if error.kind() == ErrorKind::PermissionDenied { " (it must be the daemon's user's: chown it)" } else { "" };
            Error::new(error.kind(), format!("{}: {error}{fix}", self.path.join(name).display()))
        })
    }
}

impl Disk for Directory {
    fn list(&self) -> Result<Vec<String>> {
        let entries = self.told("", std::fs::read_dir(&self.path))?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        let file = self.told(name, OpenOptions::new().read(true).write(true).open(self.path.join(name)))?;
        Ok(Arc::new(file))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true).mode(self.mode);
        let file = self.told(name, options.open(self.path.join(name)))?;
        Ok(Arc::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.told(from, std::fs::rename(self.path.join(from), self.path.join(to)))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.told(name, std::fs::remove_file(self.path.join(name)))
    }

    fn sync_names(&self) -> Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl DiskFile for File {
    fn read(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let mut read = 0;
        while read < into.len() {
            match self.read_at(&mut into[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.write_all_at(bytes, offset)
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, length: u64) -> Result<()> {
        let length = i64::try_from(length).map_err(Error::other)?;
        nix::fcntl::posix_fallocate(self, 0, length).map_err(Error::from)
    }

    // Nothing of the kind everywhere: the file is as long, and a full disk is met by what is written.
    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, length: u64) -> Result<()> {
        self.set_len(length)
    }

    fn length(&self) -> Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn sync(&self) -> Result<()> {
        self.sync_data()
    }
}

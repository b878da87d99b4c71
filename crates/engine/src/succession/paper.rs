//! Provides a file with no name, by which the supervisor shows settings to its children: they may hold keys, which belong in no file that has one, in
//! no environment and in no command line.

use std::fs::{File, OpenOptions};
use std::io::Result;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Number, length.
const HEAD: usize = 16;

/// The file. One process writes, each that has inherited it reads.
pub struct Paper(File);

impl Paper {
    /// A new one in `directory`, empty.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(directory: &Path) -> Result<Self> {
        let path = directory.join(format!("paper.{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self(file))
    }

    /// One that was inherited.
    #[must_use]
    pub fn inherited(descriptor: OwnedFd) -> Self {
        Self(descriptor.into())
    }

    /// Its descriptor, for who keeps some.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Writes `text` in place of what is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, text: &[u8]) -> Result<()> {
        let mut before = [0; 8];
        let number = self.0.read_exact_at(&mut before, 0).map_or(0, |()| u64::from_le_bytes(before)) + 1;
        let mut all = Vec::with_capacity(HEAD + text.len() + 8);
        all.extend_from_slice(&number.to_le_bytes());
        all.extend_from_slice(&(text.len() as u64).to_le_bytes());
        all.extend_from_slice(text);
        // The same number at the end: who reads while this is written sees that it is not whole.
        all.extend_from_slice(&number.to_le_bytes());
        self.0.write_all_at(&all, 0)
    }

    /// What is on it; none: nothing yet, or it is being written.
    #[must_use]
    pub fn read(&self) -> Option<Vec<u8>> {
        let mut head = [0; HEAD];
        self.0.read_exact_at(&mut head, 0).ok()?;
        let (number, length) = head.split_at(8);
        let length = u64::from_le_bytes(length.try_into().ok()?);
        if length > self.0.metadata().ok()?.len() {
            return None;
        }
        let mut text = vec![0; usize::try_from(length).ok()? + 8];
        self.0.read_exact_at(&mut text, HEAD as u64).ok()?;
        let end = text.split_off(text.len() - 8);
        (end == number).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_last_and_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let paper = Paper::new(directory.path()).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(paper.read(), None);
        for text in ["a long one, at first", "short", ""] {
            paper.write(text.as_bytes()).unwrap();
            assert_eq!(paper.read().as_deref(), Some(text.as_bytes()));
        }
        // Half of it is written.
        paper.0.write_all_at(&9u64.to_le_bytes(), 0).unwrap();
        assert_eq!(paper.read(), None);
    }
}

//! Provides a file mapped into memory, shared with every process that maps it. The scoreboard's only `unsafe`.

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::{File, OpenOptions};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;

/// Types that may be seen in shared memory: made of atomics alone, for which any bytes are a value, other processes' writes included.
///
/// # Safety
/// Every field is an atomic integer, or an array or struct of such.
pub unsafe trait Shared {}

// SAFETY: both are structs of atomic integers.
unsafe impl Shared for super::Head {}
// SAFETY: as above.
unsafe impl Shared for super::Slot {}

/// A mapped file.
pub struct Map {
    start: NonNull<u8>,
    bytes: NonZeroUsize,
}

// SAFETY: all access is through references to atomics.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// Makes `file` anew with `bytes` zeros, and maps it.
    pub fn create(file: &Path, bytes: usize) -> std::io::Result<Self> {
        let _ = std::fs::remove_file(file);
        let opened = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(file)?;
        opened.set_len(bytes as u64)?;
        Self::of(&opened, bytes)
    }

    /// Maps a file that is there, all of it.
    pub fn open(file: &Path) -> std::io::Result<Self> {
        let opened = OpenOptions::new().read(true).write(true).open(file)?;
        let bytes = usize::try_from(opened.metadata()?.len()).map_err(|_| std::io::ErrorKind::InvalidData)?;
        Self::of(&opened, bytes)
    }

    /// How many bytes there are.
    pub const fn bytes(&self) -> usize {
        self.bytes.get()
    }

    fn of(opened: &File, bytes: usize) -> std::io::Result<Self> {
        let bytes = NonZeroUsize::new(bytes).ok_or(std::io::ErrorKind::InvalidInput)?;
        let (protection, flags) = (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED);
        // SAFETY: a new mapping of a whole file that is `bytes` long; nobody shrinks it (the directory is ours and locked).
        let start = unsafe { mmap(None, bytes, protection, flags, opened, 0) }?;
        Ok(Self { start: start.cast(), bytes })
    }

    /// The `T` at `offset`.
    pub fn at<T: Shared>(&self, offset: usize) -> &T {
        assert!(
            offset + size_of::<T>() <= self.bytes.get() && offset.is_multiple_of(align_of::<T>()),
            "outside of the scoreboard"
        );
        // SAFETY: within the mapping and aligned (just checked; mappings begin at a page), and `T: Shared` takes any bytes.
        unsafe { self.start.add(offset).cast().as_ref() }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: our own mapping, whose references end with `self`.
        let _ = unsafe { munmap(self.start.cast(), self.bytes.get()) };
    }
}

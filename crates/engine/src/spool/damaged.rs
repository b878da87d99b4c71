//! Sets aside what can't be read of a spool file: whoever has lost an event may find it in there.

use super::{Disk, SpoolError};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What could not be read of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// In how many places.
    pub places: usize,
    /// Bytes in all.
    pub bytes: u64,
    /// Where they are now.
    pub path: PathBuf,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (places, bytes, path) = (self.places, self.bytes, self.path.display());
        write!(
            f,
            "{bytes} bytes of a spool file in {places} places could not be read (a writer that was killed, or a damaged disk): they are in {path}"
        )
    }
}

/// A file of this name in the directory for what can't go the usual way, made anew.
pub(super) fn file(disk: &dyn Disk, spool: &Path, name: &std::ffi::OsStr) -> Result<(PathBuf, File), SpoolError> {
    let dir = spool.join("damaged");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(|error| SpoolError::io("make the directory", &dir, error))?;
    let path = dir.join(name);
    let failed = |error| SpoolError::io("write", &path, error);
    match disk.remove(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let file = disk.make(OpenOptions::new().create_new(true).append(true).mode(0o600), &path).map_err(failed)?;
    Ok((path, file))
}

/// Syncs the names that lead to a file of that directory: what it was taken from goes then.
pub(super) fn sync_names(disk: &dyn Disk, path: &Path) -> std::io::Result<()> {
    path.ancestors().skip(1).take(2).try_for_each(|directory| disk.sync_names(directory))
}

/// Copies these ranges of a spool file, each under a line that says where it was.
pub(super) fn set_aside(
    disk: &dyn Disk,
    path: &Path,
    from: &File,
    ranges: &[(u64, u64)],
) -> Result<Option<Unreadable>, SpoolError> {
    if ranges.is_empty() {
        return Ok(None);
    }
    let name = path.file_name().unwrap_or_default();
    let (aside, to) = file(disk, path.parent().unwrap_or(Path::new(".")), name)?;
    let failed = |error| SpoolError::io("write", &aside, error);
    for (start, length) in ranges {
        let whence = format!("--- {length} bytes from byte {start} of {} ---\n", path.display());
        disk.append(&to, whence.as_bytes()).map_err(failed)?;
        let mut copied = 0;
        let mut buffer = vec![0; (*length).min(1 << 20) as usize];
        while copied < *length {
            let part = &mut buffer[..(*length - copied).min(1 << 20) as usize];
            from.read_exact_at(part, start + copied).map_err(|error| SpoolError::io("read", path, error))?;
            disk.append(&to, part).map_err(failed)?;
            copied += part.len() as u64;
        }
        disk.append(&to, b"\n").map_err(failed)?;
    }
    disk.sync(&to).map_err(failed)?;
    sync_names(disk, &aside).map_err(failed)?;
    Ok(Some(Unreadable { places: ranges.len(), bytes: ranges.iter().map(|(_, length)| length).sum(), path: aside }))
}

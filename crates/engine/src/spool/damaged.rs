//! Sets aside what can't be read of a spool file: whoever has lost an event may find it in there.

use super::SpoolError;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
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
pub(super) fn file(spool: &Path, name: &std::ffi::OsStr) -> Result<(PathBuf, File), SpoolError> {
    let dir = spool.join("damaged");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(|error| SpoolError::io("make the directory", &dir, error))?;
    let path = dir.join(name);
    let opened = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
    opened.map(|file| (path.clone(), file)).map_err(|error| SpoolError::io("write", &path, error))
}

/// Copies these ranges of a spool file, each under a line that says where it was.
pub(super) fn set_aside(path: &Path, from: &File, ranges: &[(u64, u64)]) -> Result<Option<Unreadable>, SpoolError> {
    if ranges.is_empty() {
        return Ok(None);
    }
    let name = path.file_name().unwrap_or_default();
    let (aside, mut to) = file(path.parent().unwrap_or(Path::new(".")), name)?;
    let failed = |error| SpoolError::io("write", &aside, error);
    for (start, length) in ranges {
        writeln!(to, "--- {length} bytes from byte {start} of {} ---", path.display()).map_err(failed)?;
        let mut copied = 0;
        let mut buffer = vec![0; (*length).min(1 << 20) as usize];
        while copied < *length {
            let part = &mut buffer[..(*length - copied).min(1 << 20) as usize];
            from.read_exact_at(part, start + copied).map_err(|error| SpoolError::io("read", path, error))?;
            to.write_all(part).map_err(failed)?;
            copied += part.len() as u64;
        }
        writeln!(to).map_err(failed)?;
    }
    to.sync_data().map_err(failed)?;
    Ok(Some(Unreadable { places: ranges.len(), bytes: ranges.iter().map(|(_, length)| length).sum(), path: aside }))
}

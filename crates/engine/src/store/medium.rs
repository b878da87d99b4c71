//! Tells of directories that do not last: what is kept there is gone with the machine's next start, or with the container.

use std::path::Path;

/// What a directory is on, where that does not last.
#[cfg(target_os = "linux")]
#[must_use]
pub fn fleeting(directory: &Path) -> Option<&'static str> {
    use nix::sys::statfs::{FsType, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, statfs};
    let kinds: [(FsType, &str); 2] = [
        (TMPFS_MAGIC, "a tmpfs, which is empty after the machine's next start"),
        (OVERLAYFS_SUPER_MAGIC, "an overlay, as of a container, which goes with it"),
    ];
    let found = statfs(directory).ok()?.filesystem_type();
    kinds.into_iter().find(|(kind, _)| *kind == found).map(|(_, words)| words)
}

/// Nothing is known elsewhere.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn fleeting(_: &Path) -> Option<&'static str> {
    None
}

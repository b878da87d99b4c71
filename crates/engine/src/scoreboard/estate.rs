//! Provides the scoreboards that daemons before have left behind: they are set aside until a broker has settled what stands in them.

use super::Scoreboard;
use std::path::{Path, PathBuf};

/// More than these are not kept: each is a daemon that died before its broker could settle what the one before had left.
const MOST: u32 = 64;

fn aside(file: &Path, number: u32) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".before-{number}"));
    name.into()
}

/// Sets the scoreboard in `file` aside, if there is one; gives all that were, with their files.
pub fn set_aside(file: &Path) -> Vec<(PathBuf, Scoreboard)> {
    let free = (0..MOST).map(|number| aside(file, number)).find(|path| !path.exists());
    if let Some(free) = free {
        // Without one there is nothing to settle.
        let _ = std::fs::rename(file, free);
    }
    let left = (0..MOST).map(|number| aside(file, number)).filter(|path| path.exists());
    left.filter_map(|path| match Scoreboard::open(&path) {
        Ok(board) => Some((path, board)),
        Err(_) => {
            let _ = std::fs::remove_file(&path);
            None
        }
    })
    .collect()
}

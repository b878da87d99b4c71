//! Discards events by hand: all, or those of an id. Nobody else drains meanwhile.

use super::list::has_id;
use super::{Claim, Draining, SpoolError, SpoolOptions, System, Unreadable, directory, format};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes that are read at once.
const SLICE: usize = 256 * 1024;
/// Who drains by hand waits so long for another who does.
const LONGEST: Duration = Duration::from_secs(2);

/// What was discarded.
#[derive(Debug, Default)]
pub struct Discarded {
    /// How many events.
    pub events: u64,
    /// What could not be read, and was set aside.
    pub unreadable: Vec<Unreadable>,
}

/// The right to drain, waited for a little.
///
/// # Errors
/// When another process has it.
pub(super) fn claim(options: &SpoolOptions) -> Result<Claim, SpoolError> {
    let deadline = Instant::now() + LONGEST;
    loop {
        if let Some(claim) = Claim::take(options)? {
            return Ok(claim);
        }
        if Instant::now() >= deadline {
            return Err(SpoolError::Busy(options.dir.display().to_string()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Discards the events of this id; all, where none is given.
///
/// # Errors
/// When another process drains, or files can't be had. What was discarded by then stays discarded.
pub fn discard(options: &SpoolOptions, id: Option<&str>) -> Result<Discarded, SpoolError> {
    let mut discarded = Discarded::default();
    if !options.dir.exists() {
        return Ok(discarded);
    }
    let mut claim = claim(options)?;
    for path in claim.all_files()? {
        let mut file = match Draining::open(&path, Arc::new(System)) {
            Err(SpoolError::Version { .. }) => continue,
            opened => opened?,
        };
        let (mut kept, mut gone) = (Vec::new(), 0);
        kept.extend_from_slice(&format::header());
        while !file.is_read() {
            for event in file.slice(SLICE)? {
                if id.is_none_or(|id| has_id(&event, id)) {
                    gone += 1;
                } else {
                    format::encode(&mut kept, &event.session, event.number, event.spooled_at, &event.record);
                }
            }
        }
        if gone == 0 && id.is_some() {
            continue;
        }
        if kept.len() > format::HEADER {
            discarded.unreadable.extend(file.set_aside()?);
            replace(options, &path, &kept)?;
        } else {
            discarded.unreadable.extend(file.finish()?);
        }
        discarded.events += gone;
    }
    Ok(discarded)
}

/// Puts other bytes in a file's place, whole or not at all.
fn replace(options: &SpoolOptions, path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
    let beside = path.with_extension("new");
    let _ = std::fs::remove_file(&beside);
    let mut file = directory::open(options, &System, &beside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_data()).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| SpoolError::io("replace", path, error))
}

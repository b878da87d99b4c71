//! Provides the spool's directory and its files' modes, whatever the umask, and says whose they are where that is in the way.

use super::{Disk, SpoolError, SpoolOptions};
use crate::ownership::{self, user};
use nix::unistd::{Gid, Uid};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// The file that is appended to.
pub(super) const EVENTS: &str = "events.spool";
const DRAINING: &str = "draining-";
const SUFFIX: &str = ".spool";

/// Makes the directory where it is missing. One that this user owns gets mode and group as set.
///
/// # Errors
/// When it can't be had.
pub fn prepare(options: &SpoolOptions) -> Result<(), SpoolError> {
    make(options)?;
    let shared = ownership::share_directory(&options.dir, &options.permissions);
    shared.map_err(|error| SpoolError::io("share the directory", &options.dir, error))
}

/// Makes the directory, and what is missing above it, where it is missing.
fn make(options: &SpoolOptions) -> Result<(), SpoolError> {
    let missing = options.dir.ancestors().take_while(|path| !path.is_dir()).count();
    let made = ownership::make_directory(&options.dir, &options.permissions);
    made.map_err(|error| SpoolError::io("make the directory", &options.dir, error))?;
    let made: Vec<&Path> = options.dir.ancestors().take(missing).collect();
    for path in made.into_iter().rev() {
        let given = File::open(path).and_then(|dir| give_to_owner(&dir, path));
        given.map_err(|error| SpoolError::io("share the directory", path, error))?;
    }
    Ok(())
}

/// What root makes where another user is at home is that user's: whoever spools by a cron job must not lock the daemon out.
fn give_to_owner(file: &File, path: &Path) -> std::io::Result<()> {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let (home, group) = (path.parent().unwrap_or(path).metadata()?, file.metadata()?);
    // The group is as set by now, or as the directory hands it down.
    let own = group.gid() == nix::unistd::getegid().as_raw();
    fchown(file, Some(home.uid()), own.then(|| home.gid()))
}

/// Opens a file of the spool, and makes it with its mode and group where it is missing. Never follows a link.
pub(super) fn open(options: &SpoolOptions, disk: &dyn Disk, path: &Path) -> Result<File, SpoolError> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW.bits();
    let failed = |error| SpoolError::io("open", path, error);
    loop {
        match OpenOptions::new().read(true).append(true).custom_flags(flags).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => return other.map_err(failed),
        }
        // The file that had this name until a drainer renamed it: its new name is kept before another file gets the old one.
        if path.ends_with(EVENTS) && draining(&options.dir).is_ok_and(|files| !files.is_empty()) {
            disk.sync_names(&options.dir).map_err(|error| SpoolError::io("sync", &options.dir, error))?;
        }
        let mut new = OpenOptions::new();
        new.read(true).append(true).create_new(true).mode(options.file_mode()).custom_flags(flags);
        match disk.make(&new, path) {
            Ok(file) => {
                let shared = ownership::share_open(&file, &options.permissions, options.file_mode())
                    .and_then(|()| give_to_owner(&file, path));
                return shared.map(|()| file).map_err(|error| SpoolError::io("share the file", path, error));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => make(options)?,
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Opens a file to read it. Never follows a link, and never waits, as for a pipe: the group may write to the directory.
pub(super) fn open_to_read(path: &Path) -> std::io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let is_file = file.metadata()?.is_file();
    if is_file { Ok(file) } else { Err(std::io::Error::other("it is no file")) }
}

/// The files that are being drained, the oldest first.
pub(super) fn draining(dir: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut files: Vec<(u64, PathBuf)> = std::fs::read_dir(dir)?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix(DRAINING)?.strip_suffix(SUFFIX)?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    files.sort_unstable();
    Ok(files)
}

/// The name of the file with this number.
pub(super) fn draining_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{DRAINING}{number:020}{SUFFIX}"))
}

/// What the spool has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// No event.
    Nothing,
    /// Events, as far as a look at the names tells.
    Events,
}

/// Whether events wait in the spool.
///
/// # Errors
/// When the directory is there, and can't be read.
pub fn events_wait(dir: &Path) -> Result<Wait, SpoolError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Wait::Nothing),
        Err(error) => return Err(SpoolError::io("read", dir, error)),
    };
    let waits = entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(|name| name.ends_with(SUFFIX)));
    Ok(if waits { Wait::Events } else { Wait::Nothing })
}

/// Bytes of all files of events together.
#[must_use]
pub fn size(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let files = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(|name| name.ends_with(SUFFIX)));
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

/// Says who may not do `what` with `path`, whose it is, and what to do about it.
pub(crate) fn whose(what: &str, path: &Path) -> String {
    // Of what is below a directory that this user may not enter nothing can be told.
    let told = path.ancestors().find_map(|path| Some((path, std::fs::symlink_metadata(path).ok()?)));
    let me = user(Uid::effective());
    let begin = format!("permission denied: {me} can't {what} {}", path.display());
    let Some((found, metadata)) = told else {
        return format!("{begin}: set permissions.group to a group of all who trigger, and of the daemon");
    };
    let (owner, group) = (user(Uid::from_raw(metadata.uid())), group_name(metadata.gid()));
    let directory = if metadata.is_dir() { found } else { found.parent().unwrap_or(found) };
    format!(
        "{begin} ({} belongs to {owner}:{group}, mode {:04o}): set permissions.group to a group that {owner} and {me} are both in, and give it what is \
         there: chgrp -R GROUP {directory} && chmod -R g+rwX {directory} && chmod g+s {directory}",
        found.display(),
        metadata.mode() & 0o7777,
        directory = directory.display(),
    )
}

fn group_name(id: u32) -> String {
    nix::unistd::Group::from_gid(Gid::from_raw(id)).ok().flatten().map_or_else(|| id.to_string(), |group| group.name)
}

//! Gives what the daemon makes to user and group of `permissions`, with its mode, whatever the umask.

use crate::identity::{self, Identity};
use nix::fcntl::OFlag;
use nix::unistd::{Uid, User};
use proletarier_core::settings::{Permissions, Principal};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, fchown, lchown};
use std::path::Path;

/// Makes a directory, and what is missing above it. What is there stays as it is: it may be `/run`.
///
/// # Errors
/// When it can't be had, or not be given to user and group.
pub fn make_directory(directory: &Path, permissions: &Permissions) -> Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.is_dir()).collect();
    for path in missing.iter().rev() {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => return Err(error),
            Ok(()) => share_open(&open_directory(path)?, permissions, permissions.dir_mode)?,
        }
    }
    Ok(())
}

/// The directory itself, and not what a link leads to.
fn open_directory(path: &Path) -> Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

/// Gives a directory that is the daemon's alone, and this user's, to user and group, where these are set: it may be older than that setting.
///
/// # Errors
/// When that is refused.
pub fn share_directory(directory: &Path, permissions: &Permissions) -> Result<()> {
    let own = |found: &Metadata| found.is_dir() && found.uid() == Uid::effective().as_raw();
    if let Some(heir) = heir(permissions)? {
        // Who was the user's already may have become a link.
        let Ok(opened) = open_directory(directory) else { return Ok(()) };
        let found = opened.metadata()?;
        let mode = if permissions.group.is_some() { permissions.dir_mode } else { found.mode() & 0o7777 };
        let is_given = own(&found) || (found.uid() == heir.user.as_raw() && permissions.group.is_some());
        return if is_given { share_open(&opened, permissions, mode) } else { Ok(()) };
    }
    let is_own = directory.metadata().is_ok_and(|found| own(&found));
    if is_own && permissions.group.is_some() { share(directory, permissions, permissions.dir_mode) } else { Ok(()) }
}

/// Gives a file to the group, where there is one, and sets its mode.
///
/// # Errors
/// When the group is none, or may not be given anything by this user.
pub fn share(path: &Path, permissions: &Permissions, mode: u32) -> Result<()> {
    give(permissions, |user, group| chown(path, user, group))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// The same by the descriptor of a file whose name may be another's by now.
///
/// # Errors
/// As [`share`].
pub fn share_open(file: &File, permissions: &Permissions, mode: u32) -> Result<()> {
    give(permissions, |user, group| fchown(file, user, group))?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Gives a file that root has made to the user that the daemon becomes, where there is one. What became of the name meanwhile is no matter: a link is
/// given, and not what it leads to.
///
/// # Errors
/// When that is refused.
pub fn hand_over(path: &Path, permissions: &Permissions) -> Result<()> {
    match heir(permissions)? {
        Some(heir) => lchown(path, Some(heir.user.as_raw()), Some(heir.group.as_raw())),
        None => Ok(()),
    }
}

/// Whom root makes files for.
fn heir(permissions: &Permissions) -> Result<Option<Identity>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    Identity::of(permissions).map_err(|error| std::io::Error::new(ErrorKind::NotFound, error.to_string()))
}

fn give(permissions: &Permissions, change: impl FnOnce(Option<u32>, Option<u32>) -> Result<()>) -> Result<()> {
    let heir = heir(permissions)?;
    let user = heir.as_ref().map(|heir| heir.user.as_raw());
    let Some(group) = &permissions.group else {
        return heir.map_or(Ok(()), |heir| change(user, Some(heir.group.as_raw())));
    };
    let name = match group {
        Principal::Id(id) => id.to_string(),
        Principal::Name(name) => name.clone(),
    };
    let id = identity::group(group).ok_or_else(|| {
        std::io::Error::new(ErrorKind::NotFound, format!("permissions.group: there is no group {name}: make it, or set another"))
    })?;
    change(user, Some(id.as_raw())).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => std::io::Error::new(
            ErrorKind::PermissionDenied,
            format!(
                "it can't be given to the group {name} (permissions.group), which {0} is not in: usermod -a -G {name} {0}, and start it \
                 anew",
                self::user(Uid::effective())
            ),
        ),
        _ => error,
    })
}

/// A user's name, or the number where there is none.
#[must_use]
pub fn user(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| format!("user {uid}"), |user| user.name)
}

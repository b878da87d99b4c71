//! Gives what the daemon makes to the group of `permissions`, with its mode, whatever the umask.

use nix::unistd::{Group, Uid, User};
use proletarier_core::settings::{Permissions, Principal};
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown, fchown};
use std::path::Path;

/// Makes a directory, and what is missing above it. What is there stays as it is: it may be `/run`.
///
/// # Errors
/// When it can't be had, or not be given to the group.
pub fn make_directory(directory: &Path, permissions: &Permissions) -> std::io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.is_dir()).collect();
    for path in missing.iter().rev() {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => return Err(error),
            Ok(()) => share(path, permissions, permissions.dir_mode)?,
        }
    }
    Ok(())
}

/// Gives a directory that is the daemon's alone, and this user's, to the group, where there is one: it may be older than that setting.
///
/// # Errors
/// When that is refused.
pub fn share_directory(directory: &Path, permissions: &Permissions) -> std::io::Result<()> {
    let is_own = directory.metadata().is_ok_and(|found| found.is_dir() && found.uid() == Uid::effective().as_raw());
    if is_own && permissions.group.is_some() { share(directory, permissions, permissions.dir_mode) } else { Ok(()) }
}

/// Gives a file to the group, where there is one, and sets its mode.
///
/// # Errors
/// When the group is none, or may not be given anything by this user.
pub fn share(path: &Path, permissions: &Permissions, mode: u32) -> std::io::Result<()> {
    give(permissions, |group| chown(path, None, Some(group)))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// The same by the descriptor of a file whose name may be another's by now.
///
/// # Errors
/// As [`share`].
pub fn share_open(file: &File, permissions: &Permissions, mode: u32) -> std::io::Result<()> {
    give(permissions, |group| fchown(file, None, Some(group)))?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

fn give(permissions: &Permissions, change: impl FnOnce(u32) -> std::io::Result<()>) -> std::io::Result<()> {
    if let Some(group) = &permissions.group {
        let (id, name) = match group {
            Principal::Id(id) => (Some(*id), id.to_string()),
            Principal::Name(name) => (Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw()), name.clone()),
        };
        let id = id.ok_or_else(|| {
            std::io::Error::new(
                ErrorKind::NotFound,
                format!("permissions.group: there is no group {name}: make it, or set another"),
            )
        })?;
        change(id).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => std::io::Error::new(
                ErrorKind::PermissionDenied,
                format!(
                    "it can't be given to the group {name} (permissions.group), which {0} is not in: usermod -a -G {name} {0}, and start it \
                     anew",
                    user(Uid::effective())
                ),
            ),
            _ => error,
        })?;
    }
    Ok(())
}

/// A user's name, or the number where there is none.
#[must_use]
pub fn user(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| format!("user {uid}"), |user| user.name)
}

//! Defines who may reach the daemon's files and whom it runs as: `permissions`.

use super::error::SettingError;
use super::reader::{Field, Reader};

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// By name.
    Name(String),
    /// By number.
    Id(u32),
}

/// `permissions`: owner and modes of directories and sockets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Permissions {
    /// `user`: whom the daemon becomes when root starts it; a name or a number. Default: it stays who it is.
    pub user: Option<Principal>,
    /// `group`: whose members reach the sockets; a name or a number. Default: nobody but the user.
    pub group: Option<Principal>,
    /// `dir_mode`: of state_dir, runtime_dir and spool, at least 0700, not writable by everybody. Default: 0700, with a group 02770.
    pub dir_mode: u32,
    /// `socket_mode`: of the sockets, at least 0600. Default: 0600, with a group 0660.
    pub socket_mode: u32,
}

impl Default for Permissions {
    /// Nobody but the user.
    fn default() -> Self {
        Self { user: None, group: None, dir_mode: 0o700, socket_mode: 0o600 }
    }
}

impl Permissions {
    /// Reads the keys of `permissions`.
    pub(super) fn read(mut map: Reader<'_>) -> Result<Self, SettingError> {
        let group = map.optional("group", principal)?;
        let (dir_mode, socket_mode) = match group {
            Some(_) => (0o2770, 0o660),
            None => (0o700, 0o600),
        };
        let settings = Self {
            user: map.optional("user", principal)?,
            group,
            // Who may write to the directory could put a socket of his own in place of the broker's.
            dir_mode: map.or("dir_mode", dir_mode, |field| field.mode(0o700, 0o7775))?,
            socket_mode: map.or("socket_mode", socket_mode, |field| field.mode(0o600, 0o777))?,
        };
        map.finish()?;
        Ok(settings)
    }
}

fn principal(field: Field<'_>) -> Result<Principal, SettingError> {
    if field.value.is_number() {
        // The largest number means "no change" to chown().
        return field.integer(0..=u32::MAX - 1).map(Principal::Id);
    }
    let refused = field.refuse("a name, or a number");
    match field.value.as_str() {
        Some(name) if name.bytes().all(|byte| byte.is_ascii_digit()) => Err(refused),
        _ => field.text(255).map(|name| Principal::Name(name.to_owned())).map_err(|_| refused),
    }
}

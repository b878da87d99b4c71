//! Provides whom the daemon becomes where root starts it: `permissions.user`.
//!
//! The supervisor stays root, so that it may start what follows; broker, zygotes and workers become the user, for good, once they have what only root
//! can get. In directories that are the user's root follows no link: what the user puts there must not lead it astray.

use crate::RunError;
use nix::unistd::{Gid, Group, Uid, User, setgid, setuid};
use proletarier_core::settings::{Permissions, Principal};
use std::ffi::CString;

/// A user to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: Uid,
    /// Its group: that of `permissions`, else its own.
    pub group: Gid,
    /// By what its other groups are found; none for one that the system does not know.
    name: Option<CString>,
    own_group: Gid,
}

impl Identity {
    /// The one that this process is to become; none where it is to stay who it is.
    ///
    /// # Errors
    /// Where there is no such user, or this process can't become it.
    pub fn of(permissions: &Permissions) -> Result<Option<Self>, RunError> {
        let Some(wanted) = &permissions.user else { return Ok(None) };
        let failed = |words: String| RunError::Setup(format!("permissions.user: {words}"));
        let shown = match wanted {
            Principal::Id(id) => id.to_string(),
            Principal::Name(name) => name.clone(),
        };
        let found = match wanted {
            Principal::Id(id) => User::from_uid(Uid::from_raw(*id)),
            Principal::Name(name) => User::from_name(name),
        };
        let found = found.map_err(|error| failed(format!("can't look up {shown}: {}", error.desc())))?;
        let user = match (&found, wanted) {
            (Some(user), _) => user.uid,
            (None, Principal::Id(id)) => Uid::from_raw(*id),
            (None, Principal::Name(_)) => return Err(failed(format!("there is no user {shown}: make it, or set another"))),
        };
        let own = Uid::effective();
        if own == user {
            return Ok(None);
        }
        if !own.is_root() {
            let words = format!("only root can become {shown}, and {} runs this: leave it out", crate::ownership::user(own));
            return Err(failed(words));
        }
        let group = permissions.group.as_ref().and_then(group);
        let Some(own_group) = found.as_ref().map(|user| user.gid).or(group) else {
            return Err(failed(format!("the system does not know {shown}, nor its group: set permissions.group")));
        };
        let name = found.and_then(|user| CString::new(user.name).ok());
        Ok(Some(Self { user, group: group.unwrap_or(own_group), name, own_group }))
    }

    /// Becomes it, in all threads of this process, and for good.
    ///
    /// # Errors
    /// What the system says.
    pub fn assume(&self) -> Result<(), RunError> {
        let done = self.set_groups().and_then(|()| setgid(self.group)).and_then(|()| setuid(self.user));
        // Who can come back has become nobody.
        let came_back = done.is_ok() && setuid(Uid::from_raw(0)).is_ok();
        if let Some(reason) = done.err().map(nix::Error::desc).or(came_back.then_some("it could become root again")) {
            return Err(RunError::Setup(format!("permissions.user: can't become user {}: {reason}", self.user)));
        }
        // Else what /proc has of this process is root's: it could not set its own oom_score_adj.
        #[cfg(target_os = "linux")]
        let _ = nix::sys::prctl::set_dumpable(true);
        Ok(())
    }

    #[cfg(not(target_vendor = "apple"))]
    fn set_groups(&self) -> nix::Result<()> {
        match &self.name {
            Some(name) => nix::unistd::initgroups(name, self.own_group),
            None => nix::unistd::setgroups(&[self.group]),
        }
    }

    #[cfg(target_vendor = "apple")]
    fn set_groups(&self) -> nix::Result<()> {
        let _ = (&self.name, self.own_group);
        Err(nix::Error::ENOTSUP)
    }
}

/// A group's number; none where there is no such group.
pub fn group(group: &Principal) -> Option<Gid> {
    match group {
        Principal::Id(id) => Some(Gid::from_raw(*id)),
        Principal::Name(name) => Group::from_name(name).ok().flatten().map(|group| group.gid),
    }
}

/// Becomes whom the settings name, where they do.
///
/// # Errors
/// As [`Identity::of`] and [`Identity::assume`].
pub fn assume(permissions: &Permissions) -> Result<(), RunError> {
    Identity::of(permissions)?.map_or(Ok(()), |identity| identity.assume())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: Principal) -> Result<Option<Identity>, RunError> {
        Identity::of(&Permissions { user: Some(user), ..Permissions::default() })
    }

    #[test]
    fn who_runs_the_daemon_stays_and_nobody_becomes_a_user_that_is_none() {
        assert_eq!(Identity::of(&Permissions::default()).unwrap(), None);
        assert_eq!(of(Principal::Id(Uid::effective().as_raw())).unwrap(), None);
        let error = of(Principal::Name("no such user".into())).unwrap_err().to_string();
        assert!(error.contains("no such user"), "{error}");
    }
}

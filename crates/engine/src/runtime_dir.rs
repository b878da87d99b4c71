//! Provides the runtime directory: sockets, pid, scoreboard, and the lock that says whose they are.

use crate::RunError;
use crate::ownership;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use proletarier_core::settings::{Endpoint, Settings};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a successor waits for the last children of a daemon that died, beyond their grace.
const STRAGGLERS: Duration = Duration::from_secs(5);
/// How long a process that was killed may take to close what it has open.
const ENDING: Duration = Duration::from_secs(1);

/// The directory, locked. Children inherit the lock's descriptor: the lock lasts until the last of them is gone. It is never unlocked but by that: a
/// child that lets go of its own would free it for all of them.
pub struct RuntimeDir {
    lock: File,
    /// The file of the supervisor's pid. It has a lock of the other kind, a process's own, which ends with the supervisor whatever children it
    /// has, and tells whose it is: a pid in a file may be anybody's by now.
    pid: PathBuf,
    _pid_lock: File,
    scoreboard: PathBuf,
}

impl RuntimeDir {
    /// Makes the directory where it is missing, sees whose it is, and locks it. `prefix` keeps the files of a daemon of another role apart.
    ///
    /// # Errors
    /// When it can't be had, or another daemon has it.
    pub fn claim(settings: &Settings, prefix: &str) -> Result<Self, RunError> {
        let directory = &settings.runtime_dir;
        let failed = |what: &str, path: &Path, error: &dyn std::fmt::Display| {
            RunError::Setup(format!(
                "can't {what} {}: {error} (set runtime_dir to a directory of the daemon's user)",
                path.display()
            ))
        };
        ownership::make_directory(directory, &settings.permissions)
            .map_err(|error| failed("make the directory", directory, &error))?;
        // What the group is to reach in it, it must get to, through the directory above where that is the daemon's, too.
        for own in settings.state_dir.iter().filter(|state| directory.starts_with(state)).chain([directory]) {
            ownership::share_directory(own, &settings.permissions)
                .map_err(|error| RunError::Setup(format!("can't share {}: {error}", own.display())))?;
        }
        let found = std::fs::symlink_metadata(directory).map_err(|error| failed("look at", directory, &error))?;
        let own = nix::unistd::geteuid().as_raw();
        if !found.is_dir() || (found.uid() != own && own != 0) {
            let words = format!("it belongs to user {} and not to {own}, who runs the daemon", found.uid());
            return Err(failed("use", directory, &words));
        }
        if found.mode() & 0o002 != 0 {
            return Err(failed("use", directory, &"everybody may write to it: chmod o-w"));
        }
        let files = settings.runtime_files();
        let named = |path: PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{prefix}{name}"))
        };
        let (lock, pid) = (named(files.lock()), named(files.pid()));
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&lock)
            .map_err(|error| failed("open", &lock, &error))?;
        let opened = wait_for_lock(opened, &lock, &pid, settings.worker.grace + STRAGGLERS)?;
        let pid_lock = write_pid(&pid).map_err(|error| failed("write", &pid, &error))?;
        for own in [&lock, &pid] {
            ownership::hand_over(own, &settings.permissions).map_err(|error| failed("hand over", own, &error))?;
        }
        let runtime_dir = Self { lock: opened, pid, _pid_lock: pid_lock, scoreboard: named(files.scoreboard()) };
        Ok(runtime_dir)
    }

    /// The lock's descriptor, which a child that closes what it inherited keeps.
    #[must_use]
    pub fn descriptor(&self) -> std::os::fd::RawFd {
        use std::os::fd::AsRawFd as _;
        self.lock.as_raw_fd()
    }

    /// Where the scoreboard is.
    #[must_use]
    pub fn scoreboard(&self) -> &Path {
        &self.scoreboard
    }

    /// The daemon ends: its pid is nobody's any more. The scoreboard and the lock's file stay, for who comes next.
    pub fn leave(&self) {
        let _ = std::fs::remove_file(&self.pid);
    }
}

fn wait_for_lock(file: File, path: &Path, pid: &Path, longest: Duration) -> Result<File, RunError> {
    let deadline = Instant::now() + longest;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(RunError::Setup(format!("can't lock {}: {error}", path.display())));
            }
        }
        if let Some(holder) = supervisor(pid) {
            let words = format!("the daemon runs already, as process {holder} (see {}): stop that one first", pid.display());
            return Err(RunError::AlreadyRunning(words));
        }
        if Instant::now() >= deadline {
            let words = format!(
                "a daemon that died has left processes which do not end: look for processes named proletarier, and kill them ({})",
                pid.display()
            );
            return Err(RunError::AlreadyRunning(words));
        }
        // The lock can only be tried, not awaited with a bound.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All of a file, for this process: as what locks it, and as what a look at its lock asks for.
fn whole_file() -> libc::flock {
    // SAFETY: a plain structure of numbers. From the start (SEEK_SET is 0) to the end, however long that is: all zeros but for the kind.
    let mut all: libc::flock = unsafe { std::mem::zeroed() };
    all.l_type = libc::F_WRLCK as _;
    all
}

fn write_pid(path: &Path) -> std::io::Result<File> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o644)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)?;
    fcntl(&file, FcntlArg::F_SETLK(&whole_file()))?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// The supervisor that lives, by its lock on the file of its pid.
fn supervisor(path: &Path) -> Option<i32> {
    let file = OpenOptions::new().write(true).open(path).ok()?;
    let mut lock = whole_file();
    fcntl(&file, FcntlArg::F_GETLK(&mut lock)).ok()?;
    (lock.l_type != libc::F_UNLCK as libc::c_short).then_some(lock.l_pid)
}

/// Makes way for a socket at `endpoint`: its directory is there, and what a dead daemon left in it is not.
///
/// # Errors
/// When the directory can't be had.
pub fn make_way(endpoint: &Endpoint, settings: &Settings) -> Result<(), RunError> {
    let Some(path) = endpoint.socket_path() else { return Ok(()) };
    if let Some(directory) = path.parent() {
        ownership::make_directory(directory, &settings.permissions).map_err(|error| {
            RunError::Setup(format!("can't make the directory {} for a socket: {error}", directory.display()))
        })?;
    }
    // The lock of a daemon that was killed may be free a moment before its sockets are.
    let deadline = Instant::now() + ENDING;
    while UnixStream::connect(path).is_ok() {
        if Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        return Err(RunError::Setup(format!("another process listens at {}: stop it, or set another endpoint", path.display())));
    }
    let _ = std::fs::remove_file(path);
    Ok(())
}

/// Gives a socket that root has bound to the user that the daemon becomes.
///
/// # Errors
/// When that is refused.
pub fn hand_over(endpoint: &Endpoint, settings: &Settings) -> Result<(), RunError> {
    let Some(path) = endpoint.socket_path() else { return Ok(()) };
    ownership::hand_over(path, &settings.permissions)
        .map_err(|error| RunError::Setup(format!("can't hand over {}: {error}", path.display())))
}

/// Gives a bound socket its group and its mode.
///
/// # Errors
/// When that is refused.
pub fn set_mode(endpoint: &Endpoint, settings: &Settings) -> Result<(), RunError> {
    let Some(path) = endpoint.socket_path() else { return Ok(()) };
    ownership::share(path, &settings.permissions, settings.permissions.socket_mode)
        .map_err(|error| RunError::Setup(format!("can't set group and mode of {}: {error}", path.display())))
}

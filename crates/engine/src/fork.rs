//! Provides processes: forks, and what a process is and leaves. The only file that forks.

use crate::succession::CommandLine;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::ffi::{CString, OsStr};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the forks that led to this process, so that what must not be shared over a fork knows its process without asking the kernel.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Which of a line of forks this process is. Changes in each child; costs one load.
#[must_use]
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Sees to it that [`generation`] counts every fork, also those that others make. Once a process.
pub fn watch_forks() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler only adds to an atomic, which is allowed between fork and exec. A failure (out of memory) leaves forks
        // uncounted for processes that have no memory to fork with.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
}

/// Forks. `child` is what the new process does, its signals reset; it never returns into the caller's frames.
///
/// # Errors
/// When the machine has no room for another process.
pub fn spawn(child: impl FnOnce() -> std::convert::Infallible) -> nix::Result<Pid> {
    // A signal to the child must not meet its parent's handlers, which would note it where nobody looks.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    // SAFETY: the callers are single-threaded (supervisor and zygote own no thread), so the child may do what it likes.
    let forked = unsafe { fork() };
    if !matches!(forked, Ok(ForkResult::Child))
        && let Ok(before) = before
    {
        let _ = before.thread_set_mask();
    }
    match forked? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            reset_signals();
            // What unwinds must not reach the parent's frames in the child.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            exit_now(EXIT_PANIC)
        }
    }
}

/// Exit status of a process whose own code panicked (EX_SOFTWARE of sysexits.h).
pub const EXIT_PANIC: i32 = 70;

/// Ends the process at once: no destructors, no handlers, no flushing.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit takes any number and does not come back.
    unsafe { libc::_exit(status) }
}

/// Ends this process by force, as the last resort of one whose own threads are stuck.
pub fn kill_self() -> ! {
    let _ = nix::sys::signal::kill(Pid::this(), Signal::SIGKILL);
    exit_now(137)
}

/// Asks to inherit the children of children, so that a dead zygote's workers can be reaped. Only Linux can; elsewhere they are watched.
pub fn inherit_orphans() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Signals that this project handles are back at what the system does by default, nothing is blocked, and what the terminal sends to its whole
/// foreground group, an interrupt or its own end, is the supervisor's alone.
pub fn reset_signals() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGTERM, Signal::SIGCHLD, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGQUIT] {
        // SAFETY: sets the system's own handler.
        let _ = unsafe { sigaction(signal, &default) };
    }
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE] {
        // SAFETY: ignoring runs no code.
        let _ = unsafe { sigaction(signal, &ignore) };
    }
    let _ = SigSet::empty().thread_set_mask();
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It left with this status.
    Exit(i32),
    /// This signal ended it.
    Signal(i32),
    /// It is gone, and nobody can say how.
    Unknown,
}

impl End {
    /// As one number, for shared memory.
    #[must_use]
    pub const fn pack(self) -> u32 {
        match self {
            Self::Exit(status) => 0x100 | (status as u32 & 0xff),
            Self::Signal(signal) => 0x200 | (signal as u32 & 0xff),
            Self::Unknown => 0,
        }
    }

    /// What [`Self::pack`] made.
    #[must_use]
    pub const fn unpack(packed: u32) -> Self {
        let number = (packed & 0xff) as i32;
        match packed >> 8 {
            1 => Self::Exit(number),
            2 => Self::Signal(number),
            _ => Self::Unknown,
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exit(status) => write!(f, "exit status {status}"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => f.write_str(signal.as_str()),
                Err(_) => write!(f, "signal {number}"),
            },
            Self::Unknown => f.write_str("vanished"),
        }
    }
}

/// The next child that has ended, if any.
pub fn reap() -> Option<(Pid, End)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) => return Some((pid, End::Exit(status))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => return Some((pid, End::Signal(signal as i32))),
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return None,
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

/// Whether a process with this id exists.
#[must_use]
pub fn exists(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| nix::sys::signal::kill(Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH))
}

/// Sends `signal` to `pid`; one that is gone is no error.
pub fn signal(pid: Pid, signal: Signal) {
    let _ = nix::sys::signal::kill(pid, signal);
}

/// Closes every inherited descriptor from 3 on but `keep`: what bootstrap had opened is no business of a process that runs none of its code.
pub fn close_inherited(keep: &[RawFd]) {
    for descriptor in open_descriptors().into_iter().filter(|descriptor| *descriptor > 2 && !keep.contains(descriptor)) {
        // SAFETY: this process, just forked, uses none of these any more; the one that read the directory is closed already.
        unsafe {
            libc::close(descriptor);
        }
    }
}

fn open_descriptors() -> Vec<RawFd> {
    let directory = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Exit status of a process that should have become another program (as a shell's).
pub const EXIT_NOT_EXECUTED: i32 = 127;

/// Takes a variable out of this process's environment.
pub fn take_variable(name: &str) -> Option<std::ffi::OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: called while the process has one thread, and runs no code but this.
    unsafe { std::env::remove_var(name) };
    Some(value)
}

/// A descriptor that this process was handed by number becomes its own.
pub fn adopt(descriptor: RawFd) -> OwnedFd {
    // SAFETY: the process that handed it over names each once, and nothing else here knows of it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Sees to it that no program that this process starts gets the descriptor.
pub fn close_on_exec(descriptor: RawFd) {
    // SAFETY: sets a flag; where there is no such descriptor, nothing.
    unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Who reads or writes this end waits until it can.
///
/// # Errors
/// What the system says.
pub fn let_wait(end: &OwnedFd) -> nix::Result<()> {
    nix::fcntl::fcntl(end, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty())).map(drop)
}

/// Standard output and error go to `pipe` from here on; what they were.
pub fn divert_output(pipe: RawFd) -> [RawFd; 2] {
    [1, 2].map(|standard| {
        // SAFETY: duplicates descriptors of a process that was just forked for this; -1 where there was none.
        unsafe {
            let before = libc::fcntl(standard, libc::F_DUPFD, 3);
            libc::dup2(pipe, standard);
            before
        }
    })
}

/// Undoes [`divert_output`].
pub fn restore_output(before: [RawFd; 2]) {
    for (standard, before) in [1, 2].into_iter().zip(before).filter(|(_, before)| *before >= 0) {
        // SAFETY: both are this process's, and `before` is known to nobody else.
        unsafe {
            libc::dup2(before, standard);
            libc::close(before);
        }
    }
}

/// Becomes the program of `line`, with one more variable in its environment and no descriptors but the standard ones and `keep`. Comes back only
/// where that fails, with the words.
pub fn execute(line: &CommandLine, (name, value): (&str, &str), keep: &[RawFd]) -> String {
    let text = |bytes: Vec<u8>| CString::new(bytes).unwrap_or_default();
    if let Some(directory) = &line.directory
        && let Err(error) = std::env::set_current_dir(directory)
    {
        return format!("can't go to the directory {}: {error}", directory.display());
    }
    for descriptor in open_descriptors().into_iter().filter(|descriptor| *descriptor > 2) {
        let flags = if keep.contains(&descriptor) { 0 } else { libc::FD_CLOEXEC };
        // SAFETY: sets a flag.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, flags) };
    }
    let arguments: Vec<CString> = line.arguments.iter().map(|argument| text(argument.as_bytes().to_vec())).collect();
    let pair = |(key, value): (&OsStr, &OsStr)| text([key.as_bytes(), b"=", value.as_bytes()].concat());
    let is_own = |key: &OsStr| crate::notify::VARIABLES.iter().any(|own| key == *own);
    let given = line.environment.iter().filter(|(key, _)| !is_own(key)).map(|(key, value)| (key.as_os_str(), value.as_os_str()));
    let environment: Vec<CString> = given.chain([(OsStr::new(name), OsStr::new(value))]).map(pair).collect();
    let mut words = "can't execute the command line anew: it is not known".to_owned();
    for program in line.candidates() {
        let Err(error) = nix::unistd::execve(&program, &arguments, &environment);
        words = format!("can't execute {}: {}", program.to_string_lossy(), error.desc());
    }
    words
}

//! Provides signals as something to read: a handler only notes the signal and rings a pipe, the loop does the rest.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, sigaction};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::thread::JoinHandle;

static PIPE: AtomicI32 = AtomicI32::new(-1);
static PENDING: AtomicU64 = AtomicU64::new(0);

extern "C" fn note(signal: libc::c_int) {
    let saved = errno();
    PENDING.fetch_or(1 << (signal & 63), Ordering::SeqCst);
    let pipe = PIPE.load(Ordering::Relaxed);
    // SAFETY: write() is async-signal-safe; a full pipe rings already.
    unsafe {
        libc::write(pipe, [0u8].as_ptr().cast(), 1);
    }
    set_errno(saved);
}

fn errno() -> i32 {
    nix::errno::Errno::last_raw()
}

fn set_errno(value: i32) {
    nix::errno::Errno::set_raw(value);
}

/// The signals of this process, from when it is made on.
pub struct Signals {
    read: OwnedFd,
    _write: OwnedFd,
}

impl Signals {
    /// Catches `signals` from now on. One at a time in a process; a child makes its own.
    ///
    /// # Errors
    /// When the machine has no pipe left.
    pub fn catch(signals: &[Signal]) -> nix::Result<Self> {
        let (read, write) = pipe()?;
        PENDING.store(0, Ordering::SeqCst);
        PIPE.store(write.as_raw_fd(), Ordering::SeqCst);
        let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
        for signal in signals {
            // SAFETY: the handler touches two atomics and writes to a pipe, all async-signal-safe, and keeps errno.
            unsafe { sigaction(*signal, &action) }?;
        }
        Ok(Self { read, _write: write })
    }

    /// Becomes readable when a signal has come.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// Whether any signal waits to be taken. Costs one load.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        PENDING.load(Ordering::Relaxed) != 0
    }

    /// Takes the signals that have come since the last call.
    pub fn take(&self) -> Vec<Signal> {
        drain(self.descriptor());
        let pending = PENDING.swap(0, Ordering::SeqCst);
        (1..64).filter(|number| pending & (1 << number) != 0).filter_map(|number| Signal::try_from(number).ok()).collect()
    }
}

/// A thread that can be woken out of the system calls that it waits in.
pub struct Sleeper {
    thread: libc::pthread_t,
}

impl Sleeper {
    /// The thread that calls this, which goes on for as long as the process does: the main one. Wakes by SIGURG, which nobody has other plans for
    /// as a rule, and which the system ignores by default.
    ///
    /// # Errors
    /// When the system refuses the handler.
    pub fn this_thread() -> nix::Result<Self> {
        extern "C" fn nothing(_: libc::c_int) {}
        // No SA_RESTART: what was interrupted is to come back.
        let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing at all.
        unsafe { sigaction(Signal::SIGURG, &action) }?;
        // SAFETY: takes nothing, and can't fail.
        Ok(Self { thread: unsafe { libc::pthread_self() } })
    }

    /// Wakes it: a system call that it waits in ends, those that are made again by themselves excepted.
    pub fn wake(&self) {
        // SAFETY: the thread lives as long as the process (see above), and the signal has a handler.
        unsafe {
            libc::pthread_kill(self.thread, libc::SIGURG);
        }
    }
}

/// A pipe whose ends neither wait nor outlive an exec.
///
/// # Errors
/// When the machine has none left.
pub fn pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = nix::unistd::pipe()?;
    for end in [&read, &write] {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        fcntl(end, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    Ok((read, write))
}

/// Reads a pipe empty. True where its other end is closed.
pub fn drain(pipe: BorrowedFd<'_>) -> bool {
    let mut buffer = [0; 64];
    loop {
        match nix::unistd::read(pipe, &mut buffer) {
            Ok(0) => return true,
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// Rings a pipe; a full one rings already.
pub fn ring(pipe: BorrowedFd<'_>) {
    let _ = nix::unistd::write(pipe, &[0]);
}

/// Starts a small thread that no signal is delivered to: signals are the main thread's. Its stack has room for looking up a user's name, which runs
/// modules of the system's.
///
/// # Errors
/// When the machine has no room for a thread.
pub fn spawn_quiet(run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    let mut before = SigSet::empty();
    let blocked = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
    let thread = std::thread::Builder::new().name("proletarier".into()).stack_size(256 * 1024).spawn(run);
    if blocked.is_ok() {
        let _ = before.thread_set_mask();
    }
    thread
}

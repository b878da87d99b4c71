//! Provides what a service manager is told, by the protocol of sd_notify(3): that the daemon is ready, reloads and stops, and that it is alive.
//!
//! It is the supervisor's business. The variables are gone before anything forks, and no program that the daemon starts gets them.

use crate::application::Level;
use crate::{fork, log};
use proletarier_core::time::Mono;
use std::ffi::{OsStr, OsString};
use std::os::unix::net::UnixDatagram;

/// Where the manager listens, how often it wants to hear from whom.
const SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG: &str = "WATCHDOG_USEC";
const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// What is for the supervisor alone.
pub const VARIABLES: [&str; 3] = [SOCKET, WATCHDOG, WATCHDOG_PID];

/// The longest text that is told, in bytes.
const LONGEST: usize = 400;

/// Tells the service manager; silent where there is none.
pub struct Notifier {
    socket: Option<OsString>,
    watchdog: Option<Watchdog>,
}

/// A manager that takes a silent daemon for a stuck one.
struct Watchdog {
    /// Microseconds from one sign of life to the next.
    each: u64,
    next: Mono,
}

impl Notifier {
    /// The one that this process was told of, which no child hears of.
    #[must_use]
    pub fn take(now: Mono) -> Self {
        let [socket, watchdog, pid] = VARIABLES.map(fork::take_variable);
        let number = |text: Option<OsString>| text.and_then(|text| text.to_str()?.parse::<u64>().ok());
        let is_meant = pid.is_none() || number(pid) == Some(u64::from(std::process::id()));
        let span = number(watchdog).filter(|span| *span > 1 && is_meant && socket.is_some());
        // Twice in its time, as sd_watchdog_enabled(3) has it.
        Self { socket, watchdog: span.map(|span| Watchdog { each: span / 2, next: now }) }
    }

    /// The daemon works.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", line(status)));
    }

    /// A reload has begun. [`Self::ready`] ends it, also where it failed.
    pub fn reloading(&self, status: &str, now: Mono) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS={}", now.0, line(status)));
    }

    /// The daemon ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping: what runs is finished");
    }

    /// When [`Self::watch`] is wanted, where it is.
    #[must_use]
    pub fn next_watch(&self) -> Option<Mono> {
        self.watchdog.as_ref().map(|watchdog| watchdog.next)
    }

    /// Gives a sign of life, if it is time to, and the daemon is well; whether it was time.
    pub fn watch(&mut self, now: Mono, is_well: impl FnOnce() -> bool) -> bool {
        let Some(watchdog) = self.watchdog.as_mut().filter(|watchdog| watchdog.next <= now) else { return false };
        watchdog.next = now.plus(watchdog.each);
        if is_well() {
            self.tell("WATCHDOG=1");
        }
        true
    }

    fn tell(&self, text: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = send(socket, text)
        {
            log::line(Level::Warning, "the service manager can't be told (NOTIFY_SOCKET)", &[("error", &error)]);
        }
    }
}

/// A text as one line of a message.
fn line(text: &str) -> String {
    let line: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let end = (0..=line.len().min(LONGEST)).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    line[..end].to_owned()
}

/// By a socket of its own each time: none that children would inherit. A manager that does not read is not waited for.
fn send(address: &OsStr, text: &str) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        if let Some(name) = address.as_bytes().strip_prefix(b"@") {
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            return socket.send_to_addr(text.as_bytes(), &address).map(drop);
        }
    }
    socket.send_to(text.as_bytes(), address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_and_no_other_message() {
        assert_eq!(line("it\nSTOPPING=1\r"), "it STOPPING=1 ");
        assert_eq!(line(&"é".repeat(300)), "é".repeat(200));
    }

    #[test]
    fn who_has_no_manager_tells_nobody() {
        let mut notifier = Notifier { socket: None, watchdog: None };
        notifier.ready("ready");
        assert!(notifier.next_watch().is_none() && !notifier.watch(Mono(5), || true));
    }
}

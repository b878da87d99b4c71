//! The daemon as a service: what it tells the manager, which here is the test.

use crate::support::{Daemon, Lab, until, until_true, within};
use nix::sys::signal::Signal;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Half of the watchdog's time.
const SIGN: Duration = Duration::from_millis(100);

struct Manager(UnixDatagram);

impl Manager {
    fn new(socket: UnixDatagram) -> Self {
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    /// The next message, as its lines, if one is there.
    fn heard(&self) -> Option<Vec<String>> {
        let mut buffer = [0; 4096];
        let count = self.0.recv(&mut buffer).ok()?;
        Some(std::str::from_utf8(&buffer[..count]).unwrap().lines().map(str::to_owned).collect())
    }

    /// The next message but signs of life.
    #[track_caller]
    fn next(&self) -> Vec<String> {
        until("the manager is told", || self.heard().filter(|lines| lines != &["WATCHDOG=1"]))
    }

    fn has_sign(&self) -> bool {
        std::iter::from_fn(|| self.heard()).any(|lines| lines == ["WATCHDOG=1"])
    }
}

fn start(lab: &Lab, socket: &str, watchdog_pid: Option<&str>) -> Daemon {
    let daemon = lab.start_with(|command| {
        command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", (2 * SIGN.as_micros()).to_string());
        watchdog_pid.map(|pid| command.env("WATCHDOG_PID", pid));
    });
    daemon.wait_until_ready();
    daemon
}

fn micros() -> u64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    Duration::from(time).as_micros() as u64
}

/// The moment that a message of a reload's beginning has.
#[track_caller]
fn reloads_since(message: &[String]) -> u64 {
    assert_eq!(message[0], "RELOADING=1", "{message:?}");
    message[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap()
}

#[test]
fn a_service_manager_is_told_of_start_reloads_and_stop() {
    let lab = Lab::strict();
    let path = lab.path("notify");
    let manager = Manager::new(UnixDatagram::bind(&path).unwrap());
    let mut daemon = start(&lab, path.to_str().unwrap(), None);
    assert_eq!(manager.next(), ["READY=1", "STATUS=generation 1 works"]);

    let before = micros();
    daemon.signal(Signal::SIGHUP);
    let since = reloads_since(&manager.next());
    assert!(before <= since && since <= micros(), "{before} {since}");
    assert_eq!(manager.next(), ["READY=1", "STATUS=generation 2 works"]);
    // What came from the command line anew has the variables of the start, but these.
    let zygote = daemon.process("zygote (generat");
    let environment = String::from_utf8_lossy(&std::fs::read(format!("/proc/{}/environ", zygote.pid)).unwrap()).into_owned();
    assert!(environment.contains("PATH=") && !environment.contains("NOTIFY_SOCKET") && !environment.contains("WATCHDOG"));

    std::fs::write(lab.path("code"), "exit").unwrap();
    daemon.signal(Signal::SIGHUP);
    reloads_since(&manager.next());
    let failed = manager.next();
    assert_eq!(failed[0], "READY=1");
    assert!(failed[1].starts_with("STATUS=generation 2 works on, the reload failed: "), "{failed:?}");
    assert!(failed[1].contains("a parse error, as asked") && failed.len() == 2, "{failed:?}");

    daemon.signal(Signal::SIGTERM);
    assert_eq!(manager.next()[0], "STOPPING=1");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn the_watchdog_hears_of_a_broker_that_works_and_not_of_one_that_is_stuck() {
    let lab = Lab::new();
    let name = format!("proletarier-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager::new(UnixDatagram::bind_addr(&address).unwrap());
    let mut daemon = start(&lab, &format!("@{name}"), None);
    assert_eq!(manager.next()[0], "READY=1");
    // An idle daemon has nothing to do but this.
    for _ in 0..5 {
        within(20 * SIGN, "a sign of life", || manager.has_sign().then_some(()));
    }
    let broker = daemon.broker();
    broker.signal(Signal::SIGSTOP);
    // One that was under way; then none.
    until_true("no more signs of life", || {
        std::thread::sleep(6 * SIGN);
        !manager.has_sign()
    });
    broker.signal(Signal::SIGCONT);
    until_true("signs of life again", || manager.has_sign());
    // One that is dead is replaced, and the daemon is well.
    broker.kill();
    until_true("it is replaced", || {
        daemon.processes().iter().any(|process| process.title == "broker" && process.pid != broker.pid)
    });
    manager.has_sign();
    until_true("signs of life again", || manager.has_sign());
    daemon.stop();
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_hears_nothing() {
    let lab = Lab::new();
    let path = lab.path("notify");
    let manager = Manager::new(UnixDatagram::bind(&path).unwrap());
    let mut daemon = start(&lab, path.to_str().unwrap(), Some("1"));
    assert_eq!(manager.next()[0], "READY=1");
    daemon.stop();
    assert_eq!(manager.heard().unwrap()[0], "STOPPING=1", "and no sign of life before");
}

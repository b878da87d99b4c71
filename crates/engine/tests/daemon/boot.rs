//! How a daemon starts, and what keeps it from starting.

use crate::support::{Lab, until, until_true};
use nix::sys::signal::Signal;
use serde_json::json;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

#[test]
fn an_application_that_cannot_boot_stops_the_daemon_and_says_why() {
    let lab = Lab::new().set("worker.pool_size", 5);
    std::fs::write(lab.path("fail"), "").unwrap();
    let mut daemon = lab.start(&[]);
    let status = daemon.wait();
    assert_eq!(status.code(), Some(1));
    let told = daemon.logged("a worker could not boot");
    assert!((1..=5).contains(&told.len()), "no spinning: {}", daemon.log_text());
    assert_eq!(told[0]["error"], "Exception: can't boot, as asked");
    assert!(daemon.processes().is_empty());
}

#[test]
fn a_worker_that_cannot_boot_later_is_tried_again_ever_more_rarely() {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    std::fs::write(lab.path("fail"), "").unwrap();
    let victim = daemon.process("worker 1");
    victim.kill();
    let began = Instant::now();
    until_true("some tries", || daemon.logged("a worker could not boot").len() >= 5);
    // At once, then after 0.1, 0.2, 0.4 seconds...
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    // The other one works on meanwhile.
    let id = lab.trigger("one", &json!({}));
    lab.wait_handled(2);
    assert!(daemon.logged("a worker could not boot").len() < 12, "no spinning");
    std::fs::remove_file(lab.path("fail")).unwrap();
    until_true("both are there again", || lab.number("workers") == 2);
    lab.assert_handled_once([&id], &["one", "all"]);
    daemon.stop();
}

#[test]
fn a_second_daemon_says_who_has_the_directory() {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    let mut second = lab.start(&[]);
    assert_eq!(second.wait().code(), Some(1));
    let words = second.log_text();
    assert!(words.contains(&format!("the daemon runs already, as process {}", daemon.pid())), "{words}");
    lab.trigger("one", &json!({}));
    lab.wait_handled(2);
    daemon.stop();
    lab.daemon().stop();
}

#[test]
fn a_successor_waits_for_the_stragglers_of_a_daemon_that_was_killed() {
    let lab = Lab::strict();
    let mut daemon = lab.daemon();
    let id = lab.trigger("one", &json!({ "sleep": 1.0 }));
    until_true("it runs", || !lab.started().is_empty());
    daemon.process("supervisor").kill();
    let mut next = lab.daemon();
    assert!(daemon.processes().is_empty(), "the successor runs beside {:?}", daemon.processes());
    lab.assert_handled_once([&id], &["one", "all"]);
    daemon.wait();
    next.stop();
}

#[test]
fn a_successor_gives_up_on_stragglers_that_do_not_end() {
    let lab = Lab::new().set("worker.grace", 0.1);
    std::fs::create_dir(lab.path("run")).unwrap();
    let lock = std::fs::File::create(lab.runtime("lock")).unwrap();
    let _straggler = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    // The pid of a process that lives, and is no daemon.
    std::fs::write(lab.runtime("pid"), format!("{}\n", std::process::id())).unwrap();
    let mut next = lab.start(&[]);
    assert_eq!(next.wait().code(), Some(1));
    assert!(next.log_text().contains("look for processes named proletarier"), "{}", next.log_text());
}

#[test]
fn what_a_dead_daemon_left_in_the_directory_is_in_nobodys_way() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("run")).unwrap();
    let pid = lab.runtime("pid");
    std::fs::write(&pid, "1\n").unwrap();
    std::fs::write(lab.runtime("lock"), "").unwrap();
    std::fs::write(lab.runtime("scoreboard"), vec![0xa5; 100_000]).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(lab.runtime("events.sock")).unwrap();
    drop(listener);
    std::fs::write(lab.runtime("workers.sock"), "no socket at all").unwrap();
    let mut daemon = lab.daemon();
    assert_eq!(std::fs::read_to_string(&pid).unwrap().trim(), daemon.pid().to_string());
    lab.trigger("one", &json!({}));
    lab.wait_handled(2);
    daemon.stop();
}

#[test]
fn directory_and_sockets_have_the_modes_that_are_set() {
    let lab = Lab::new();
    let _daemon = lab.daemon();
    let mode = |name: &str| std::fs::metadata(lab.runtime(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(""), 0o700);
    for socket in ["events.sock", "workers.sock", "control.sock"] {
        assert_eq!(mode(socket), 0o600, "{socket}");
    }
}

#[test]
fn a_directory_that_is_none_or_somebody_elses_is_refused() {
    let lab = Lab::new();
    std::fs::write(lab.path("run"), "a file").unwrap();
    let mut daemon = lab.start(&[]);
    assert_eq!(daemon.wait().code(), Some(1));
    assert!(daemon.log_text().contains("can't make the directory"), "{}", daemon.log_text());
    std::fs::remove_file(lab.path("run")).unwrap();
    // A symlink may point anywhere, and be changed under the daemon.
    std::fs::create_dir(lab.path("elsewhere")).unwrap();
    symlink(lab.path("elsewhere"), lab.path("run")).unwrap();
    let mut daemon = lab.start(&[]);
    assert_eq!(daemon.wait().code(), Some(1));
    assert!(daemon.log_text().contains("can't use"), "{}", daemon.log_text());
}

#[test]
fn a_socket_that_cannot_be_bound_stops_the_daemon() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", taken.local_addr().unwrap());
    let lab = Lab::new().set("broker.pull", endpoint.as_str());
    let mut daemon = lab.start(&[]);
    assert_eq!(daemon.wait().code(), Some(1));
    let told = daemon.logged("the broker can't start");
    assert_eq!(told.len(), 1, "once: {}", daemon.log_text());
    assert!(told[0]["error"].as_str().unwrap().contains(&endpoint), "{}", told[0]);
    assert!(daemon.processes().is_empty());
}

#[test]
fn a_broker_that_cannot_bind_again_is_tried_again() {
    let lab = Lab::new();
    let mut daemon = lab.daemon();
    daemon.broker().signal(Signal::SIGSTOP);
    // In place of the socket stands what can't be removed like one.
    std::fs::remove_file(lab.runtime("events.sock")).unwrap();
    std::fs::create_dir(lab.runtime("events.sock")).unwrap();
    daemon.broker().kill();
    until("it is tried again", || (daemon.logged("the broker can't start").len() >= 3).then_some(()));
    std::fs::remove_dir(lab.runtime("events.sock")).unwrap();
    lab.trigger("one", &json!({}));
    lab.wait_handled(2);
    daemon.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn a_store_where_nothing_lasts_is_warned_of() {
    // In memory on every Linux.
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let lab = Lab::new().set("store", directory.path().to_str().unwrap());
    let mut daemon = lab.daemon();
    let line = daemon.wait_logged("the store is where nothing lasts: set state_dir, or store, to a directory that does");
    assert!(line["is_on"].as_str().unwrap().contains("tmpfs"), "{line}");
    daemon.stop();
}

#[test]
fn a_store_in_memory_is_warned_of() {
    let lab = Lab::new().set("store", "memory:");
    let mut daemon = lab.daemon();
    daemon.wait_logged("the store is in memory: what waits does not outlive the broker (set state_dir, or store)");
    daemon.stop();
}

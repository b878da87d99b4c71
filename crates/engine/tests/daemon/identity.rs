//! A daemon that root starts and that becomes another user: `permissions.user`.

use crate::support::{Lab, Process, until_true};
use nix::sys::signal::Signal;
use proletarier_engine::client::Confirm;
use serde_json::json;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, chown, symlink};
use std::path::Path;

/// `nobody`, and its group.
const USER: u32 = 65_534;

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("not run: it needs root, to be two users");
    }
    root
}

/// A lab in which the user may write, as an application's own files.
fn lab() -> Lab {
    let lab = Lab::strict().spooling().set("permissions", json!({ "user": USER }));
    for path in [lab.dir.path().to_owned(), lab.path("running")] {
        chown(path, Some(USER), Some(USER)).unwrap();
    }
    lab
}

/// A line of what the system tells of a process: real, effective, saved and file system's user, and so on.
fn ids(process: &Process, line: &str) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap();
    let line = text.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    line.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

#[track_caller]
fn assert_dropped(processes: &[Process]) {
    assert!(processes.len() >= 5, "{processes:?}");
    for process in processes {
        let (wanted, groups) = if process.title.starts_with("supervisor") { (0, None) } else { (USER, Some(vec![USER])) };
        assert_eq!((ids(process, "Uid:"), ids(process, "Gid:")), (vec![wanted; 4], vec![wanted; 4]), "{process:?}");
        if let Some(groups) = groups {
            assert_eq!(ids(process, "Groups:"), groups, "{process:?}");
        }
    }
}

#[track_caller]
fn assert_theirs(path: &Path) {
    let found = path.symlink_metadata().unwrap();
    assert_eq!((found.uid(), found.gid()), (USER, USER), "{}", path.display());
    if found.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| assert_theirs(&entry.unwrap().path()));
    }
}

#[test]
fn broker_zygotes_and_workers_are_the_user_and_so_is_all_they_have() {
    if !is_root() {
        return;
    }
    let lab = lab();
    // One that root has made before.
    std::fs::create_dir(lab.path("store")).unwrap();
    // What web code of that user triggered while no daemon was there.
    let mut ids = lab.flood_as(USER, 0.1, &json!({ "confirm": "deferred", "name": "one", "count": 3 })).finish_well();
    let mut daemon = lab.daemon();
    lab.wait_handled(6);
    assert_dropped(&daemon.processes());
    for name in ["run", "store", "spool"] {
        assert_theirs(&lab.path(name));
    }
    assert_eq!(lab.runtime("events.sock").metadata().unwrap().mode() & 0o777, 0o600);
    // What /proc has of it is its own: it could offer itself to a kernel that is out of memory.
    let worker = daemon.workers()[0].pid;
    let badness = |pid| std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().parse::<i32>().unwrap();
    assert_eq!(badness(worker), (badness(daemon.pid()) + 300).min(1_000));

    // The user's clients reach it; so do what is replaced, and what is started anew.
    let broker = daemon.broker();
    broker.kill();
    until_true("another broker", || daemon.processes().iter().any(|found| found.title == "broker" && found.pid != broker.pid));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_logged("a generation has taken over");
    daemon.process("zygote (generat").kill();
    until_true("another zygote", || daemon.logged("a generation has taken over").len() == 2);
    ids.extend(lab.flood_as(USER, 10.0, &json!({ "confirm": "accepted", "name": "one", "count": 20 })).finish_well());
    ids.push(crate::support::trigger(&lab.client(), Confirm::Accepted, "one", &json!({})).unwrap());
    lab.wait_handled(2 * ids.len());
    until_true("two workers, and nobody else", || daemon.processes().len() == 5);
    assert_dropped(&daemon.processes());
    lab.assert_handled_once(&ids, &["one", "all"]);
    daemon.stop();
    assert!(!lab.runtime("events.sock").exists());

    // The user itself, as a service manager has it, goes on where root was.
    let mut daemon = lab.daemon_as(USER);
    lab.trigger("one", &json!({}));
    lab.wait_handled(2 * ids.len() + 2);
    daemon.stop();
}

#[test]
fn a_user_that_is_none_and_one_that_can_not_be_become_are_told_of() {
    if !is_root() {
        return;
    }
    let lab = lab().set("permissions", json!({ "user": "no-such-user" }));
    let mut daemon = lab.start(&[]);
    assert_eq!(daemon.wait().code(), Some(1));
    assert!(daemon.log_text().contains("permissions.user: there is no user no-such-user"), "{}", daemon.log_text());
    let lab = lab.set("permissions", json!({ "user": 0 }));
    let mut daemon = lab.start_as(USER);
    assert_eq!(daemon.wait().code(), Some(1));
    let text = daemon.log_text();
    assert!(text.contains("permissions.user: only root can become 0, and nobody runs this"), "{text}");
}

#[test]
fn root_follows_no_link_that_the_user_has_put_in_its_place() {
    if !is_root() {
        return;
    }
    let precious = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&precious, "precious").unwrap();
    std::fs::set_permissions(&precious, PermissionsExt::from_mode(0o644)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for name in ["lock", "pid", "scoreboard", "events.sock"] {
        let lab = lab();
        std::fs::create_dir(lab.path("run")).unwrap();
        chown(lab.path("run"), Some(USER), Some(USER)).unwrap();
        symlink(precious.path(), lab.runtime(name)).unwrap();
        let mut daemon = lab.start(&[]);
        if matches!(name, "lock" | "pid") {
            assert_eq!(daemon.wait().code(), Some(1), "{name}: {}", daemon.log_text());
        } else {
            daemon.wait_until_ready();
            daemon.stop();
        }
    }
    let lab = lab();
    symlink(directory.path(), lab.path("store")).unwrap();
    let mut daemon = lab.start(&[]);
    assert_eq!(daemon.wait().code(), Some(1), "{}", daemon.log_text());
    assert_eq!(directory.path().metadata().unwrap().uid(), 0);
    let found = precious.path().metadata().unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777, std::fs::read(&precious).unwrap()), (0, 0o644, b"precious".to_vec()));
}

//! A store that is damaged, another's, or of another version.

use crate::support::{Daemon, Lab, until_true};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, chown};

const NOT_WHOLE: &str = "the store was not whole: what is damaged is set aside, and the rest goes on";

/// A store in which five events wait; their ids.
fn with_five_events(lab: &Lab) -> Vec<String> {
    let mut broker = lab.start(&["broker"]);
    broker.wait_until_ready();
    let ids = (0..5).map(|number| lab.trigger("one", &json!({ "number": number }))).collect();
    until_true("they wait", || lab.number("backlog.pending") == 5);
    broker.stop();
    ids
}

/// The only segment with something in it.
fn segment(lab: &Lab) -> std::path::PathBuf {
    let files = std::fs::read_dir(lab.path("store")).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "journal")).min().unwrap()
}

fn refused(lab: &Lab) -> (Daemon, String) {
    let mut daemon = lab.start(&[]);
    assert_eq!(daemon.wait().code(), Some(1));
    let words = daemon.log_text();
    (daemon, words)
}

#[test]
fn a_damaged_event_costs_no_other() {
    let lab = Lab::new();
    let mut ids = with_five_events(&lab);
    let path = segment(&lab);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(ids[2].len()).position(|window| window == ids[2].as_bytes()).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    let mut daemon = lab.daemon();
    let told = daemon.logged(NOT_WHOLE);
    assert_eq!(told.len(), 1, "{}", daemon.log_text());
    let words = told[0]["found"].as_str().unwrap();
    assert!(words.starts_with("1 damaged pieces (") && words.contains(" 1 entries) are set aside in damaged-"), "{words}");
    let file = words.rsplit(' ').next().unwrap();
    assert!(lab.path("store").join(file).exists(), "{file}");
    ids.remove(2);
    lab.wait_handled(8);
    lab.wait_idle();
    lab.assert_handled_once(&ids, &["one", "all"]);
    daemon.stop();
    let mut again = lab.daemon();
    assert!(again.logged(NOT_WHOLE).is_empty(), "told again: {}", again.log_text());
    again.stop();
}

#[test]
fn another_version_is_refused() {
    let lab = Lab::new();
    let ids = with_five_events(&lab);
    let format = lab.path("store").join("format");
    let before = std::fs::read(&format).unwrap();
    std::fs::write(&format, "proletarier store 7\n").unwrap();
    let (daemon, words) = refused(&lab);
    let expected =
        "store: format is of version 7, and this release reads version 1: run the release that wrote it, or set another store";
    assert!(words.contains(expected), "{words}");
    assert!(daemon.processes().is_empty());
    std::fs::write(&format, before).unwrap();
    let mut daemon = lab.daemon();
    lab.wait_handled(10);
    lab.assert_handled_once(&ids, &["one", "all"]);
    daemon.stop();
}

#[test]
fn another_daemons_store_is_refused() {
    let lab = Lab::new().set("worker.grace", 0.1);
    let mut daemon = lab.daemon();
    let directory = lab.path("store");
    // What it had locked is locked as long as it lives, whatever ends in it.
    daemon.broker().kill();
    until_true("another broker answers", || lab.ask(&json!({ "command": "status" })).is_some());
    let beside = Lab::new().set("worker.grace", 0.1).set("store", directory.to_str());
    let (_, words) = refused(&beside);
    let expected = format!("another daemon has {} open: stop that one first, or set another store", directory.display());
    assert!(words.contains(&expected), "{words}");
    daemon.stop();
    beside.daemon().stop();
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let lab = Lab::new();
    with_five_events(&lab);
    let other = lab.path("other");
    let lab = lab.set("runtime_dir", other.to_str());
    for path in [lab.dir.path().to_owned(), lab.path("store"), lab.path("store").join("lock")] {
        chown(path, Some(65_534), Some(65_534)).unwrap();
    }
    // A daemon that was run as another user has left its files.
    let mut daemon = lab.start_as(65_534);
    assert_eq!(daemon.wait().code(), Some(1));
    let words = format!(
        "{}: Permission denied (os error 13) (it must be the daemon's user's: chown it)",
        lab.path("store/format").display()
    );
    assert!(daemon.log_text().contains(&words), "{}", daemon.log_text());
    chown(lab.path("store"), Some(0), Some(0)).unwrap();
    chown(lab.path("store/lock"), Some(0), Some(0)).unwrap();
    for mode in [0o700, 0o755] {
        std::fs::set_permissions(lab.path("store"), PermissionsExt::from_mode(mode)).unwrap();
        let mut daemon = lab.start_as(65_534);
        assert_eq!(daemon.wait().code(), Some(1));
        let words: Value = daemon.log_text().into();
        let text = words.as_str().unwrap();
        assert!(
            text.contains("Permission denied") && text.contains("set store, or state_dir, to a directory of the daemon's user"),
            "{text}"
        );
        assert!(text.contains(lab.path("store").to_str().unwrap()), "{text}");
    }
}

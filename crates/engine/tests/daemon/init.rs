//! The supervisor as the first process of a container: what falls to it, and how it is told to stop.

use crate::support::{Daemon, Lab, until, until_true};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::process::Command;

/// Zombies that wait for this process to reap them.
fn zombies_of(parent: u32) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let fields: Vec<_> = stat[stat.rfind(')').unwrap() + 1..].split_whitespace().collect();
            fields[0] == "Z" && fields[1] == parent.to_string()
        })
        .collect()
}

/// The supervisor, as the test's own namespace knows it: the only child of the process that made the other.
fn supervisor(daemon: &Daemon) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", daemon.pid());
    until("the supervisor", || std::fs::read_to_string(&children).ok()?.trim().parse().ok())
}

#[test]
fn it_reaps_what_falls_to_it_and_stops_when_it_is_told_to() {
    let lab = Lab::new();
    let Some(mut daemon) = lab.start_as_init() else {
        eprintln!("not run: it needs to make a namespace of process ids");
        return;
    };
    daemon.wait_until_ready();
    lab.trigger("one", &json!({}));
    lab.wait_handled(2);
    let init = supervisor(&daemon);
    // Each shell leaves two children behind: one that has ended, and one that ends later, by when the shell is gone.
    let abandon = lab.path("abandoned");
    let script = format!("(sleep 0.2; echo >> {0}) & (exit 3) & exit 0", abandon.display());
    for _ in 0..20 {
        let target = init.to_string();
        let status = Command::new("nsenter").args(["--target", &target, "--pid", "sh", "-c", &script]).status().unwrap();
        assert!(status.success());
    }
    until_true("all that was abandoned has ended", || {
        std::fs::read_to_string(&abandon).is_ok_and(|text| text.lines().count() == 20)
    });
    until_true("none is left unreaped", || zombies_of(init).is_empty());
    lab.trigger("one", &json!({}));
    lab.wait_handled(4);
    assert!(daemon.logged("a worker died, and is replaced").is_empty(), "{}", daemon.log_text());

    kill(Pid::from_raw(init as i32), Signal::SIGTERM).unwrap();
    let status = daemon.wait();
    assert_eq!(status.code(), Some(0), "{status}: {}", daemon.log_text());
}

//! The store's lock is one daemon's, all of its processes'.

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use proletarier_engine::store::{StoreError, StoreLock};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn it_lasts_as_long_as_a_process_that_inherited_it() {
    let directory = tempfile::tempdir().unwrap();
    let claim = |longest| StoreLock::claim(directory.path(), 0o700, longest);
    let lock = claim(Duration::ZERO).unwrap();
    fcntl(lock.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    drop(lock);
    assert!(matches!(claim(Duration::ZERO), Err(StoreError::Locked { .. })), "the child has it");
    drop(child.stdin.take());
    child.wait().unwrap();
    claim(Duration::from_secs(30)).unwrap();
}

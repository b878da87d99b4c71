//! Sees to it that no worker outlives the processes above it: a thread waits for the end of the zygote's pipe, however that dies.

use crate::fork;
use crate::signals::spawn_quiet;
use crate::ties::Lifeline;
use crate::transport::{Source, wait};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static ORPHAN: AtomicBool = AtomicBool::new(false);

/// Whether the zygote is gone. Costs one load.
pub(super) fn is_orphan() -> bool {
    ORPHAN.load(Ordering::Relaxed)
}

/// Watches `life`: when it is cut the worker is told, and when it has not ended within `grace` it is killed. The worker's loop waits for the same
/// pipe, so it needs no waking; a handler that does not return does not need to help.
pub(super) fn watch(life: &Lifeline, grace: Duration) {
    let pipe = life.descriptor().as_raw_fd();
    let thread = spawn_quiet(move || {
        while wait([Source::Edge(pipe)], None) == [false] {}
        ORPHAN.store(true, Ordering::Relaxed);
        std::thread::sleep(grace);
        fork::kill_self();
    });
    // Without the thread the worker still notices between deliveries, by its own wait.
    drop(thread);
}

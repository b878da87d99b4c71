//! Provides whether this worker has outlived the processes above it. The sentry finds out.

use std::sync::atomic::{AtomicBool, Ordering};

static ORPHAN: AtomicBool = AtomicBool::new(false);

/// Whether the zygote is gone. Costs one load.
pub(super) fn is_orphan() -> bool {
    ORPHAN.load(Ordering::Relaxed)
}

/// The zygote is gone.
pub(super) fn tell() {
    ORPHAN.store(true, Ordering::Relaxed);
}

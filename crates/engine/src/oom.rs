//! Provides workers to the kernel when it is out of memory, before the processes that they are replaced by.

/// How much more than the daemon a worker is to be chosen, in thousandths of the memory there is.
#[cfg(target_os = "linux")]
const MORE: i32 = 300;

/// Has the kernel choose this worker rather than the daemon's other processes when memory is out. Where that can't be set it stays as it is.
pub fn offer_this_process() {
    #[cfg(target_os = "linux")]
    {
        const FILE: &str = "/proc/self/oom_score_adj";
        let before = std::fs::read_to_string(FILE).ok().and_then(|text| text.trim().parse::<i32>().ok());
        if let Some(before) = before {
            // Raising it takes no right; no right to write there is a container's own decision.
            let _ = std::fs::write(FILE, (before + MORE).min(1_000).to_string());
        }
    }
}

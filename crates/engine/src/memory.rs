//! Provides how much memory a process has to itself.
//!
//! On Linux, from /proc. Elsewhere none: macOS counts what forks share into what each has, which would blame workers for what their zygote booted.

/// Whether this process has more than `most` bytes that no other process shares, and how much it has then. None where it has not, or the system
/// does not say.
///
/// Costs some microseconds; where it is near, as much as the kernel needs to look at each mapping of the process, less than a millisecond.
#[must_use]
pub fn private_above(most: u64) -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    // What is not of files, and may be shared with the parent still: never less than what is asked about.
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split(' ').skip(1).map_while(|pages| pages.trim().parse::<u64>().ok());
    let (resident, shared) = (pages.next()?, pages.next()?);
    if resident.saturating_sub(shared) * page_size() <= most {
        return None;
    }
    // Without this file, on old kernels, that has to do.
    let exact = std::fs::read_to_string("/proc/self/smaps_rollup").ok().map(|rollup| private(&rollup));
    let bytes = exact.unwrap_or(resident.saturating_sub(shared) * page_size());
    (bytes > most).then_some(bytes)
}

fn page_size() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().and_then(|size| size.try_into().ok()).unwrap_or(4096)
}

/// The bytes that stand in the lines `Private_Clean`, `Private_Dirty` and `Private_Hugetlb`, which the kernel gives in kB.
fn private(rollup: &str) -> u64 {
    let of_line = |line: &str| line.strip_prefix("Private_")?.split_whitespace().nth(1)?.parse::<u64>().ok();
    rollup.lines().filter_map(of_line).sum::<u64>() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_lines_are_added_up() {
        let rollup = "55d0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:    900 kB\nShared_Clean:   500 kB\nPrivate_Clean:   12 kB\n\
                      Private_Dirty:        100 kB\nPrivate_Hugetlb:       2048 kB\nSwap:   7 kB\n";
        assert_eq!(private(rollup), (12 + 100 + 2048) * 1024);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_process_writes_is_its_own() {
        let much = 64 << 20;
        let before = private_above(0).unwrap();
        let taken = std::hint::black_box(vec![1u8; much]);
        let after = private_above(before + much as u64 / 2).unwrap();
        assert!(after >= before + much as u64 / 2, "{before} {after}");
        assert_eq!(private_above(1 << 40), None);
        drop(taken);
    }
}

//! Provides a look at processes, by /proc.

use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// A process that is no zombie.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    /// What the daemon calls it: `supervisor`, `broker`, `zygote`, `worker 1`.
    pub title: String,
    /// User and system time, in clock ticks.
    pub ticks: u64,
}

impl Process {
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(Pid::from_raw(self.pid as i32), signal).unwrap();
    }

    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    pub fn is_worker(&self) -> bool {
        self.title.starts_with("worker")
    }
}

/// The processes of a group.
pub fn processes(group: u32) -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The title stands in parentheses, and may have some itself.
        let (start, end) = (stat.find('(')?, stat.rfind(')')?);
        let fields: Vec<&str> = stat[end + 1..].split_whitespace().collect();
        let state = fields[0].chars().next()?;
        let of_group = fields[2].parse() == Ok(group) && state != 'Z' && state != 'X';
        let ticks = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
        of_group.then(|| Process { pid, title: stat[start + 1..end].to_owned(), ticks })
    })
    .collect()
}

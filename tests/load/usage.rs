//! What the box takes from the machine, by the kernel's word.

use std::fmt;
use std::fs;

/// Taken so far; or, by [`Usage::since`], taken in between.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) threads: usize,
    /// Proportional share of memory: the mirrored mapping of a ring counts once.
    pub(crate) memory: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).expect("the box runs");
        // The time on a processor of each thread, in nanoseconds: /proc/PID/stat counts hundredths of a second.
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the box runs");
        let mut threads = 0;
        let nanoseconds: u64 = tasks
            .map(|task| {
                threads += 1;
                let stat = fs::read_to_string(task.unwrap().path().join("schedstat"));
                stat.expect("a thread runs").split(' ').next().unwrap().parse::<u64>().unwrap()
            })
            .sum();
        let pss = read("smaps_rollup");
        let pss = pss.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
        let kilobytes: u64 = pss.trim().trim_end_matches(" kB").parse().unwrap();
        Self { cpu_seconds: nanoseconds as f64 / 1e9, threads, memory: kilobytes << 10 }
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        Self { cpu_seconds: self.cpu_seconds - before.cpu_seconds, ..*self }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} thread, PSS {} KiB", self.threads, self.memory >> 10)
    }
}

//! What the box takes from the machine, by the kernel's word.

use std::fmt;
use std::fs;

/// Ticks a second of the times in `/proc`: the same on every architecture the box runs on (proc(5), time(7)).
const TICKS: f64 = 100.0;

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
        let stat = read("stat");
        // Behind the name, which is in brackets: utime and stime are the 14th and 15th field of all.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        let pss = read("smaps_rollup");
        let pss = pss.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
        let kilobytes: u64 = pss.trim().trim_end_matches(" kB").parse().unwrap();
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the box runs").count();
        Self { cpu_seconds: ticks / TICKS, threads, memory: kilobytes << 10 }
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

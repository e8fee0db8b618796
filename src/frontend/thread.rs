//! Whether somebody has a frontend open for writing, without touching it: for as long, the kernel has a thread for it.
//!
//! Drivers go on saying that they have a lock when the television has closed them. Where the thread cannot be seen (proc
//! may hide it, a vendor's kernel may name it otherwise), nothing is concluded.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::delivery::Device;

/// All that every kernel shows of a thread's name.
const NAME_MAX: usize = 15;
/// While there is none, it is looked for so often.
const SEARCH: Duration = Duration::from_secs(1);

/// The thread of one frontend.
pub(super) struct Thread {
    proc: PathBuf,
    name: String,
    /// Its number, while it is there.
    number: Option<u32>,
    was_seen: bool,
    searched: Option<Duration>,
}

impl Thread {
    /// The one that tunes `device`, by `proc`, which is `/proc`.
    pub(super) fn new(device: &Device, proc: impl Into<PathBuf>) -> Self {
        let mut name = format!("kdvb-ad-{}-fe-{}", device.adapter, device.frontend);
        name.truncate(NAME_MAX);
        Self { proc: proc.into(), name, number: None, was_seen: false, searched: None }
    }

    /// It was there, and is not any more: nobody has the frontend open for writing.
    pub(super) fn is_gone(&mut self, now: Duration) -> bool {
        let number = self.number.filter(|number| self.has_name(*number));
        self.number = number.or_else(|| self.search(now));
        self.was_seen |= self.number.is_some();
        self.was_seen && self.number.is_none()
    }

    fn has_name(&self, number: u32) -> bool {
        let name = fs::read_to_string(self.proc.join(number.to_string()).join("comm"));
        name.is_ok_and(|name| name.trim_end().get(..self.name.len()) == Some(&self.name))
    }

    fn search(&mut self, now: Duration) -> Option<u32> {
        if self.searched.is_some_and(|at| now.saturating_sub(at) < SEARCH) {
            return None;
        }
        self.searched = Some(now);
        let entries = fs::read_dir(&self.proc).into_iter().flatten().flatten();
        let mut numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.find(|number| self.has_name(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_is_noticed_and_one_that_was_never_seen_says_nothing() {
        let proc = std::env::temp_dir().join(format!("stbcast-thread-{}", std::process::id()));
        let thread = proc.join("77");
        let appear = |name: &str| {
            fs::create_dir_all(&thread).unwrap();
            fs::write(thread.join("comm"), format!("{name}\n")).unwrap();
        };
        let at = Duration::from_secs;
        let mut of = Thread::new(&"0".parse().unwrap(), &proc);
        assert!(!of.is_gone(at(1)), "no proc at all");
        appear("kdvb-ad-1-fe-0");
        assert!(!of.is_gone(at(3)), "another's");
        appear("kdvb-ad-0-fe-0");
        assert!(!of.is_gone(at(5)));
        fs::remove_dir_all(&thread).unwrap();
        assert!(of.is_gone(at(5)), "at once");
        assert!(of.is_gone(at(5)));
        appear("kdvb-ad-0-fe-0");
        assert!(!of.is_gone(at(6)), "it is back");
        appear("sh");
        assert!(of.is_gone(at(6)), "its number is somebody else's now");
        fs::remove_dir_all(&proc).unwrap();
    }

    #[test]
    fn names_are_as_long_as_the_kernel_shows() {
        let of = Thread::new(&"10.12".parse().unwrap(), "/proc");
        assert_eq!(of.name, "kdvb-ad-10-fe-1");
    }
}

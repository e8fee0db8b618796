//! What the kernel says of itself and of the machine.

use std::ffi::CStr;

/// Bytes of a page of memory.
#[must_use]
pub fn page_bytes() -> usize {
    // SAFETY: the call takes a number and gives one.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(0)
}

/// The kernel, as `uname -rm` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Such as `4.4.35`.
    pub release: String,
    /// Such as `armv7l` or `aarch64`.
    pub machine: String,
}

/// The kernel that runs here.
#[must_use]
pub fn kernel() -> Kernel {
    // SAFETY: all fields of `utsname` are arrays of characters, for which zero is a value.
    let mut names = unsafe { std::mem::zeroed::<libc::utsname>() };
    // SAFETY: the pointer is to a whole `utsname`, which the kernel fills.
    if unsafe { libc::uname(&raw mut names) } != 0 {
        return Kernel::default();
    }
    Kernel { release: text(&names.release), machine: text(&names.machine) }
}

/// Memory of this process, in KiB; what the kernel does not say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// With its share of what others use, too. Since Linux 4.14.
    pub pss: Option<u64>,
    /// Of that, what it shares or maps twice without a file: the rings. Since Linux 5.4.
    pub pss_shared: Option<u64>,
    /// All that is in memory of it.
    pub rss: Option<u64>,
}

/// The memory that this process has now. The kernel walks all its pages to say that.
#[must_use]
pub fn memory() -> Memory {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let field = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_end_matches("kB").trim().parse().ok()
    };
    let pages = || std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok();
    let rss = field("Rss:").or_else(|| Some(pages()? * (page_bytes() as u64 / 1024)));
    Memory { pss: field("Pss:"), pss_shared: field("Pss_Shmem:"), rss }
}

fn text(name: &[libc::c_char]) -> String {
    let bytes: Vec<u8> = name.iter().map(|c| c.to_ne_bytes()[0]).collect();
    CStr::from_bytes_until_nul(&bytes).unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_what_proc_says() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let kernel = kernel();
        assert_eq!(kernel.release, release.trim());
        assert!(!kernel.machine.is_empty());
        assert!(page_bytes().is_power_of_two());
    }

    #[test]
    fn memory_that_is_touched_is_counted() {
        let before = memory();
        let touched = std::hint::black_box(vec![1_u8; 256 << 20]);
        let after = memory();
        assert_eq!(touched[touched.len() - 1], 1);
        // Other tests take and give back memory meanwhile, by tens of MiB.
        assert!(after.rss.unwrap() > before.rss.unwrap() + (128 << 10), "{before:?} {after:?}");
        assert!(after.pss.is_none_or(|pss| pss <= after.rss.unwrap() && pss > before.pss.unwrap()));
    }
}

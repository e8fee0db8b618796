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
}

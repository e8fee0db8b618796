//! Memory that is mapped twice in a row, so that every window of a ring is one slice.
//!
//! ```text
//!   address   base             base + len          base + 2 len
//!             |  first mapping  |  second mapping   |
//!   memory    |0 . . . . . len−1|0 . . . . . . len−1|
//! ```
//!
//! A window that begins near the end of the first mapping goes on in the second, which is the same memory's start.
//! Where the kernel gives no second mapping, windows end at `len` instead: callers ask how far one reaches.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

/// `len` bytes of zeroes, mapped once or twice.
pub struct Mirror {
    base: NonNull<u8>,
    len: usize,
    /// Bytes mapped from `base` on: `len`, or twice that.
    mapped: usize,
}

impl Mirror {
    /// Maps `len` bytes, a multiple of the page size, twice; once where that fails.
    pub fn new(len: usize) -> io::Result<Self> {
        let size = NonZeroUsize::new(len).ok_or(io::ErrorKind::InvalidInput)?;
        Self::twice(size).or_else(|_| Self::once(size))
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: it is made with at least a page.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that one slice from `start` can have. `start` below `len`; else 0.
    #[must_use]
    pub fn reach(&self, start: usize) -> usize {
        if start < self.len { self.len.min(self.mapped - start) } else { 0 }
    }

    /// The window of at most `len` bytes from `start`, as far as it reaches.
    #[must_use]
    pub fn window(&self, start: usize, len: usize) -> &[u8] {
        let len = len.min(self.reach(start));
        if len == 0 {
            return &[];
        }
        // SAFETY: `start + len <= mapped`, by `reach`, and `base` is the start of one mapping of `mapped` bytes that
        // lives as long as `self`, is readable, and was zeroed by the kernel. The bytes can change only through
        // `window_mut`, which needs `&mut self`; the file behind the mapping is known to nobody else.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(start), len) }
    }

    /// The same window, to be written.
    #[must_use]
    pub fn window_mut(&mut self, start: usize, len: usize) -> &mut [u8] {
        let len = len.min(self.reach(start));
        if len == 0 {
            return &mut [];
        }
        // SAFETY: as in `window`; `&mut self` makes this the only window. `len <= self.len`, so no byte of the memory
        // appears twice in the slice although it is mapped twice.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(start), len) }
    }

    fn twice(size: NonZeroUsize) -> io::Result<Self> {
        let len = size.get();
        let file = memory_file(len)?;
        let both = size.checked_mul(NonZeroUsize::MIN.saturating_add(1)).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let base =
            unsafe { mmap_anonymous(None, both, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }?.cast::<u8>();
        let mirror = Self { base, len, mapped: 2 * len };
        for half in [0, len] {
            let at =
                NonZeroUsize::new(base.as_ptr() as usize + half).ok_or(io::ErrorKind::AddrNotAvailable)?;
            let flags = MapFlags::MAP_SHARED | MapFlags::MAP_FIXED;
            // SAFETY: MAP_FIXED replaces `len` bytes inside the `2 * len` reserved above, which only `mirror` owns.
            // On an error `mirror` is dropped and unmaps the whole range.
            unsafe { mmap(Some(at), size, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags, &file, 0) }?;
        }
        Ok(mirror)
    }

    fn once(size: NonZeroUsize) -> io::Result<Self> {
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let base = unsafe { mmap_anonymous(None, size, prot, MapFlags::MAP_PRIVATE) }?;
        Ok(Self { base: base.cast(), len: size.get(), mapped: size.get() })
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // SAFETY: `base` and `mapped` are those of a mapping that this value alone owns; no window outlives it.
        let unmapped = unsafe { munmap(self.base.cast(), self.mapped) };
        debug_assert!(unmapped.is_ok(), "the range is ours");
    }
}

/// A file of `len` bytes in memory. By number, since libc has no `memfd_create` before glibc 2.27.
fn memory_file(len: usize) -> io::Result<OwnedFd> {
    let name = c"stbcast-ring";
    // SAFETY: the name is a C string that lives through the call; the other argument is a flag.
    let fd = unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), libc::MFD_CLOEXEC) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel just gave us this descriptor, so nobody else owns it.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    let size = libc::off_t::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
    nix::unistd::ftruncate(file.as_fd(), size)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 47 * 4096;

    #[test]
    fn a_window_across_the_end_is_one_slice() {
        let mut mirror = Mirror::twice(NonZeroUsize::new(LEN).unwrap()).unwrap();
        mirror.window_mut(LEN - 2, 4).copy_from_slice(&[1, 2, 3, 4]);
        assert_eq!(mirror.window(0, 3), [3, 4, 0]);
        assert_eq!(mirror.window(LEN - 2, 4), [1, 2, 3, 4]);
        assert_eq!(mirror.window(LEN - 1, LEN).len(), LEN);
        assert_eq!(mirror.window(LEN, 1).len(), 0);
    }

    #[test]
    fn a_single_mapping_ends_its_windows() {
        let mut mirror = Mirror::once(NonZeroUsize::new(LEN).unwrap()).unwrap();
        mirror.window_mut(LEN - 2, 4).copy_from_slice(&[1, 2]);
        assert_eq!(mirror.window(LEN - 1, 9), [2]);
    }
}

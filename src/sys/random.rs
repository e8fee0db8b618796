//! Randomness of the kernel, for keys and token ids.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// Fills `bytes` from the kernel's generator. `WouldBlock` while it has no entropy yet: ask again later, never wait.
///
/// Kernels before 3.17 have no such call: there it is /dev/urandom, once /dev/random had something to read.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    match from_call(bytes) {
        Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => from_device(bytes),
        done => done,
    }
}

/// The kernel has the call.
#[must_use]
pub fn has_call() -> bool {
    from_call(&mut [0]).map_err(|e| e.raw_os_error()) != Err(Some(libc::ENOSYS))
}

fn from_call(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: the pointer and the length are those of `rest`, which the kernel may write in full.
        let n = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), libc::GRND_NONBLOCK) };
        match usize::try_from(n) {
            Ok(n) => filled += n,
            Err(_) => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            },
        }
    }
    Ok(())
}

fn from_device(bytes: &mut [u8]) -> io::Result<()> {
    /// The generator was seeded, and that lasts until the power goes.
    static SEEDED: AtomicBool = AtomicBool::new(false);
    if !SEEDED.load(Ordering::Relaxed) {
        let device = File::open("/dev/random")?;
        let mut poll = libc::pollfd { fd: device.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to one `pollfd`, whose descriptor `device` keeps open; with no time to wait.
        if unsafe { libc::poll(&raw mut poll, 1, 0) } < 1 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        SEEDED.store(true, Ordering::Relaxed);
    }
    File::open("/dev/urandom")?.read_exact(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_and_the_device_give_what_is_not_the_same_twice() {
        let mut all = [[0; 32]; 4];
        from_call(&mut all[0]).unwrap();
        from_device(&mut all[1]).unwrap();
        from_device(&mut all[2]).unwrap();
        fill(&mut all[3]).unwrap();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]) && all[0] != [0; 32]);
        assert!(has_call());
    }
}

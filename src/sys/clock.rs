//! The kernel's clocks, as durations since their zero.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

// What the C library fills in must be what is read: with musl before 1.2 in mind, crate libc has 32 bits.
#[cfg(target_env = "musl")]
const _: () = assert!(size_of::<libc::timespec>() == 16, "build with RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1");

/// `CLOCK_BOOTTIME`: goes on while the box sleeps, and is never set.
#[must_use]
pub fn boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, |t| {
        let seconds = u64::try_from(t.tv_sec()).unwrap_or(0);
        Duration::new(seconds, u32::try_from(t.tv_nsec()).unwrap_or(0))
    })
}

/// Time of day since 1970-01-01 UTC; zero when the clock stands before that.
///
/// As the standard library reads it: beyond 2038 on 32-bit processors, too, where kernel and C library can.
#[must_use]
pub fn utc() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The kernel says that its time of day was set from a better clock (NTP) and is kept by it.
#[must_use]
pub fn is_synchronised() -> bool {
    // SAFETY: all fields of `timex` are numbers, for which zero is a value.
    let mut timex = unsafe { std::mem::zeroed::<libc::timex>() };
    // SAFETY: the pointer is to a whole `timex`; with `modes` zero the kernel only writes to it.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    state >= 0 && state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0
}

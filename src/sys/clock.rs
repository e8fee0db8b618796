//! The kernel's clocks, as durations since their zero.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_BOOTTIME`: goes on while the box sleeps, and is never set.
#[must_use]
pub fn boot() -> Duration {
    read(ClockId::CLOCK_BOOTTIME)
}

/// Time of day since 1970-01-01 UTC; zero when the clock stands before that.
#[must_use]
pub fn utc() -> Duration {
    read(ClockId::CLOCK_REALTIME)
}

fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).map_or(Duration::ZERO, |t| {
        let seconds = u64::try_from(t.tv_sec()).unwrap_or(0);
        Duration::new(seconds, u32::try_from(t.tv_nsec()).unwrap_or(0))
    })
}

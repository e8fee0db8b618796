//! The time of day, as far as it can be trusted. What ends at a time of day is refused without one, never extended.

use std::cell::Cell;
use std::time::Duration;

use crate::sys::clock;

/// Whose word on the time of day the box takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockSource {
    /// The system's clock is right from the start: a battery keeps it.
    #[default]
    Rtc,
    /// The system's clock is right once the kernel says that NTP has set it.
    Ntp,
    /// It is never to be trusted.
    None,
}

impl ClockSource {
    /// The source of that name, as boards and settings have it: `rtc`, `ntp` or `none`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "rtc" => Some(Self::Rtc),
            "ntp" => Some(Self::Ntp),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// A clock that never goes back below the latest time it was trusted at, also across reboots.
pub(super) struct WallClock {
    source: ClockSource,
    /// In seconds since 1970.
    floor: Cell<u64>,
}

impl WallClock {
    pub(super) fn new(source: ClockSource, floor: u64) -> Self {
        Self { source, floor: Cell::new(floor) }
    }

    /// The time since 1970, where it can be trusted.
    pub(super) fn now(&self) -> Option<Duration> {
        let trusted = match self.source {
            ClockSource::Rtc => true,
            ClockSource::Ntp => clock::is_synchronised(),
            ClockSource::None => false,
        };
        trusted.then(clock::utc).and_then(|now| self.judge(now))
    }

    fn judge(&self, now: Duration) -> Option<Duration> {
        if now.as_secs() < self.floor.get() {
            return None; // it was set back, or its battery is empty
        }
        self.floor.set(now.as_secs());
        Some(now)
    }

    /// The latest time that was trusted, for flash.
    pub(super) fn floor(&self) -> u64 {
        self.floor.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_is_not_trusted_until_it_is_right_again() {
        let clock = WallClock::new(ClockSource::Rtc, 1000);
        let at = |s| clock.judge(Duration::from_secs(s)).map(|t| t.as_secs());
        assert_eq!(
            [at(999), at(1000), at(2000), at(1999), at(2001)],
            [None, Some(1000), Some(2000), None, Some(2001)]
        );
        assert_eq!(clock.floor(), 2001);
        assert_eq!(WallClock::new(ClockSource::None, 0).now(), None);
    }
}

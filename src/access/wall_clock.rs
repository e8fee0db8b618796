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

/// How the name service told the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It signed the time, for a question that was just asked.
    Signed,
    /// It stood in the answer to a beat, which may have been held up: it never sets the clock back.
    InAck,
}

/// A clock that never goes back below the latest time it was trusted at, also across reboots.
pub(super) struct WallClock {
    source: ClockSource,
    /// In seconds since 1970.
    floor: Cell<u64>,
    /// What the name service told, and when by the box's monotonic clock: its word stands above the system's clock.
    told: Cell<Option<(Duration, Duration)>>,
}

impl WallClock {
    pub(super) fn new(source: ClockSource, floor: u64) -> Self {
        Self { source, floor: Cell::new(floor), told: Cell::new(None) }
    }

    /// The time since 1970, where it can be trusted.
    pub(super) fn now(&self) -> Option<Duration> {
        if let Some(told) = self.told(clock::boot()) {
            return self.judge(told);
        }
        let trusted = match self.source {
            ClockSource::Rtc => true,
            ClockSource::Ntp => clock::is_synchronised(),
            ClockSource::None => false,
        };
        trusted.then(clock::utc).and_then(|now| self.judge(now))
    }

    /// Takes the name service's word. One below the floor is not taken.
    pub(super) fn trust(&self, told: Told, utc: Duration, boot: Duration) {
        let sets_back = told == Told::InAck && self.told(boot).is_some_and(|known| utc < known);
        if utc.as_secs() >= self.floor.get() && !sets_back {
            self.told.set(Some((utc, boot)));
        }
    }

    /// The time by what was told.
    fn told(&self, boot: Duration) -> Option<Duration> {
        self.told.get().map(|(utc, at)| utc + boot.saturating_sub(at))
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

    #[test]
    fn the_name_services_word_goes_on_by_the_monotonic_clock_and_stays_above_the_floor() {
        let s = Duration::from_secs;
        let clock = WallClock::new(ClockSource::Rtc, 1000);
        clock.trust(Told::Signed, s(999), s(5));
        assert_eq!(clock.told(s(5)), None, "below the floor");
        clock.trust(Told::InAck, s(5000), s(10));
        assert_eq!(clock.told(s(25)), Some(s(5015)));
        clock.trust(Told::InAck, s(5014), s(25));
        assert_eq!(clock.told(s(25)), Some(s(5015)), "an answer that was held up");
        clock.trust(Told::InAck, s(5020), s(25));
        assert_eq!(clock.told(s(25)), Some(s(5020)));
        clock.trust(Told::Signed, s(2000), s(25));
        assert_eq!(clock.told(s(26)), Some(s(2001)), "what is signed sets it back, to the floor");
        let without = WallClock::new(ClockSource::None, 0);
        without.trust(Told::Signed, s(4000), clock::boot());
        assert!(without.now() >= Some(s(4000)), "whatever the system's clock is worth");
    }
}

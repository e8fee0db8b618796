//! The time at which certificates are judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::sys::clock;

/// A time of day that somebody vouched for; it goes on by the clock that nobody sets. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct TrustedTime(
    /// When the box booted, in seconds since 1970; zero while no time is known.
    Arc<AtomicU32>,
);

impl TrustedTime {
    /// It is `utc` now, since 1970.
    pub fn set(&self, utc: Duration) {
        let booted = utc.saturating_sub(clock::boot()).as_secs();
        self.0.store(u32::try_from(booted).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// The time since 1970; `None` while nobody has told it.
    #[must_use]
    pub fn now(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            booted => Some(Duration::from_secs(booted.into()) + clock::boot()),
        }
    }
}

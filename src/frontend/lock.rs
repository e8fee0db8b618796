//! Whether a frontend that was told to tune comes to a lock, keeps it, and when it is given up.

use std::time::Duration;

use heapless::Vec;

use super::{Failure, Stage};
use crate::delivery::System;
use crate::sys::dvb::frontend::Status;

/// A driver that shows no sign at all has taken its parameters after this.
const TAKEN: Duration = Duration::from_millis(500);

/// How far a tuning is.
#[derive(Debug)]
pub(super) struct Lock {
    patience: Duration,
    /// How long it was waited for while the driver answered: what it sleeps itself is not held against it.
    waited: Duration,
    is_tuned: bool,
    is_locked: bool,
    was_locked: bool,
}

impl Lock {
    /// Of a mux that the driver was told just now.
    pub(super) fn new(system: System) -> Self {
        Self {
            patience: patience(system),
            waited: Duration::ZERO,
            is_tuned: false,
            is_locked: false,
            was_locked: false,
        }
    }

    /// What a status that was read or told makes of it.
    pub(super) fn see(&mut self, status: Status) -> Vec<Stage, 2> {
        let mut stages = Vec::new();
        if !self.is_tuned && (!status.is_nothing() || self.waited >= TAKEN) {
            self.is_tuned = true;
            let _room = stages.push(Stage::Tuned);
        }
        if status.has_lock() != self.is_locked {
            self.is_locked = status.has_lock();
            self.was_locked = true;
            let _room = stages.push(if self.is_locked { Stage::Locked } else { Stage::Lost });
        }
        stages
    }

    /// It has a lock.
    pub(super) fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// So much time went by. `Some`: it never had a lock, and is given up.
    pub(super) fn wait(&mut self, waited: Duration) -> Option<Failure> {
        self.waited += waited;
        let ms = u32::try_from(self.patience.as_millis()).unwrap_or(u32::MAX);
        (!self.was_locked && self.waited >= self.patience).then_some(Failure::NoLock(ms))
    }
}

/// How long a demodulator may look for a signal of the system.
fn patience(system: System) -> Duration {
    Duration::from_secs(match system {
        // Symbol rate and modulation are given, or one of few; the kernel's zigzag over offsets takes a round or two.
        System::DvbC | System::DvbCAnnexB | System::DvbCAnnexC | System::IsdbC => 4,
        System::Atsc | System::AtscMh => 4,
        // An LNB starts, a switch turns, and its oscillator is off by up to 5 MHz.
        System::DvbS | System::Dss | System::Turbo | System::IsdbS => 4,
        // The same, and the physical layer's frames are looked for with each roll-off.
        System::DvbS2 => 5,
        // Transmission mode and guard interval are tried one after the other, at worst of a long frame each.
        System::DvbT | System::DvbH | System::IsdbT => 5,
        // Frames of up to 250 ms (EN 302 755 §8), of which it sees a few before its parameters are known.
        System::DvbT2 | System::DvbC2 => 6,
        // A single carrier or many, three headers, and interleaving over 0.5 s (GB 20600).
        System::Dtmb | System::Cmmb | System::Dab => 6,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Status = Status::from_bits(0);
    const CARRIER: Status = Status::from_bits(0x03);
    const LOCK: Status = Status::from_bits(0x1f);
    const TICK: Duration = Duration::from_millis(200);

    #[test]
    fn a_lock_comes_goes_and_comes_again() {
        let mut lock = Lock::new(System::DvbT);
        assert!(lock.see(NOTHING).is_empty(), "it may be of the mux before");
        assert_eq!(lock.see(CARRIER)[..], [Stage::Tuned]);
        assert_eq!(lock.see(LOCK)[..], [Stage::Locked]);
        assert!(lock.see(LOCK).is_empty());
        assert_eq!(lock.see(CARRIER)[..], [Stage::Lost]);
        assert_eq!(lock.wait(Duration::from_secs(3600)), None, "the driver goes on trying");
        assert_eq!(lock.see(LOCK)[..], [Stage::Locked]);
        assert_eq!(Lock::new(System::DvbT).see(LOCK)[..], [Stage::Tuned, Stage::Locked]);
    }

    #[test]
    fn no_lock_is_an_answer_after_a_while() {
        let mut lock = Lock::new(System::DvbS2);
        let mut waits = 0;
        let failure = loop {
            waits += 1;
            if let Some(failure) = lock.wait(TICK) {
                break failure;
            }
            let stages = lock.see(NOTHING);
            assert_eq!(stages.contains(&Stage::Tuned), waits == 3, "after 0.6 s it took them, {waits}");
        };
        assert_eq!((failure, waits), (Failure::NoLock(5000), 25));
    }
}

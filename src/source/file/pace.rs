//! When each packet is due: the stream's clock against the boot clock.
//!
//! Positions are ticks of 27 MHz since the first packet, and never go back. Packets come in stretches, and those of
//! one stretch are spread evenly over it.

use std::time::Duration;

use crate::source::speed::Speed;
use crate::ts::clock::Ticks27M;

/// Further apart than this, two clock references one behind the other are a jump and not a pause. ISO 13818-1 §2.7.2
/// allows 100 ms between them; ten times that also covers what careless multiplexers make.
pub(super) const JUMP: u64 = Ticks27M::SECOND;
/// More than this late, in time of the wall, the stream just goes on from where it is.
const LATE: Duration = Duration::from_secs(1);
const MILLION: u64 = 1_000_000;

/// Ticks from one clock reference to the next; `None` where the clock jumped, stood still or went back.
pub(super) fn step(from: Ticks27M, to: Ticks27M) -> Option<u64> {
    Some(to.since(from)).filter(|ticks| (1..=JUMP).contains(ticks))
}

/// How fast packets come. Holding one proves that both counts are above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    ticks: u64,
    packets: u64,
}

impl Rate {
    /// `packets` in `ticks`.
    pub(super) fn new(ticks: u64, packets: u64) -> Option<Self> {
        (ticks > 0 && packets > 0).then_some(Self { ticks, packets })
    }

    /// How long `packets` last.
    pub(super) fn ticks_for(self, packets: u64) -> u64 {
        let ticks = u128::from(packets) * u128::from(self.ticks) / u128::from(self.packets);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// At most four times as fast or as slow as `other`: farther than a variable bit rate swings.
    pub(super) fn is_near(self, other: Self) -> bool {
        let ours = u128::from(self.ticks) * u128::from(other.packets);
        let theirs = u128::from(other.ticks) * u128::from(self.packets);
        ours <= theirs.saturating_mul(4) && theirs <= ours.saturating_mul(4)
    }
}

/// Says which packets are due.
pub(super) struct Pace {
    /// Stream time per time of the wall, in millionths; above 0.
    speed: u64,
    /// The boot time at which a position was due.
    anchor: Option<(Duration, u64)>,
    stretch: Stretch,
}

/// `packets` evenly from `start` on, for `length` ticks.
#[derive(Default)]
struct Stretch {
    start: u64,
    length: u64,
    packets: u64,
    /// Packets handed out, 0 to `packets`.
    taken: u64,
}

impl Pace {
    /// At `speed` times the stream's own pace.
    pub(super) fn new(speed: Speed) -> Self {
        Self { speed: speed.millionths(), anchor: None, stretch: Stretch::default() }
    }

    /// The position that is due at `boot`. The first call is when the first packet is due.
    ///
    /// A caller that was held up gets what it missed; past `LATE` it does not, and the stream goes on from here.
    pub(super) fn position(&mut self, boot: Duration) -> u64 {
        let next = self.next();
        let (since, from) = *self.anchor.get_or_insert((boot, next));
        let position = from.saturating_add(self.ticks_in(boot.saturating_sub(since)));
        if position.saturating_sub(next) <= self.ticks_in(LATE) {
            return position;
        }
        self.anchor = Some((boot, next));
        next
    }

    /// The stretch is handed out, and the next one can begin.
    pub(super) fn is_over(&self) -> bool {
        self.stretch.taken == self.stretch.packets
    }

    /// Begins the next stretch where the one before ends.
    pub(super) fn begin(&mut self, packets: u64, length: u64) {
        let start = self.stretch.start.saturating_add(self.stretch.length);
        self.stretch = Stretch { start, length, packets, taken: 0 };
    }

    /// Takes the next packet of the stretch, if it has one that is due at `position`.
    pub(super) fn take(&mut self, position: u64) -> bool {
        let Stretch { start, length, packets, taken } = self.stretch;
        let Some(into) = position.checked_sub(start) else { return false };
        // Packet n is due at floor(n × length ÷ packets), turned round to do without the division.
        let due = u128::from(taken) * u128::from(length) < (u128::from(into) + 1) * u128::from(packets);
        let takes = taken < packets && due;
        self.stretch.taken += u64::from(takes);
        takes
    }

    /// Where the next packet is due.
    fn next(&self) -> u64 {
        let Stretch { start, length, packets, taken } = self.stretch;
        start.saturating_add(Rate::new(length, packets).map_or(length, |rate| rate.ticks_for(taken)))
    }

    /// Ticks of the stream that pass in `wall`.
    fn ticks_in(&self, wall: Duration) -> u64 {
        let micros = wall.as_nanos().saturating_mul(u128::from(self.speed)) / 1000;
        u64::try_from(micros.saturating_mul(27) / u128::from(MILLION)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = Ticks27M::SECOND / 1000;

    fn taken_at(pace: &mut Pace, ms: u64) -> usize {
        let position = pace.position(Duration::from_millis(5000 + ms));
        std::iter::repeat_with(|| pace.take(position)).take_while(|t| *t).count()
    }

    #[test]
    fn packets_are_spread_over_their_stretch() {
        let mut pace = Pace::new(Speed::OWN);
        pace.begin(10, 100 * MS);
        let taken: Vec<_> = [0, 9, 10, 49, 50, 89, 90, 500].map(|ms| taken_at(&mut pace, ms)).into();
        assert_eq!(taken, [1, 0, 1, 3, 1, 3, 1, 0]);
        assert!(pace.is_over());
        pace.begin(2, 1000 * MS);
        assert_eq!([500, 599, 600].map(|ms| taken_at(&mut pace, ms)), [1, 0, 1]);
    }

    #[test]
    fn speed_scales_it() {
        let mut pace = Pace::new(Speed::new("2.5").unwrap());
        pace.begin(100, 1000 * MS);
        assert_eq!([0, 3, 4, 8, 40].map(|ms| taken_at(&mut pace, ms)), [1, 0, 1, 1, 8]);
    }

    #[test]
    fn a_second_late_is_made_up_and_more_is_not() {
        let mut pace = Pace::new(Speed::OWN);
        pace.begin(100, 10_000 * MS);
        assert_eq!([0, 1100, 2201, 2300, 2301].map(|ms| taken_at(&mut pace, ms)), [1, 11, 1, 0, 1]);
    }

    #[test]
    fn a_clock_that_jumps_has_no_step() {
        let at = |ms: u64| Ticks27M::new(Ticks27M::WRAP - 500 * MS + ms * MS);
        assert_eq!(step(at(0), at(1000)), Some(1000 * MS));
        assert_eq!(step(at(0), at(1001)), None);
        assert_eq!(step(at(1), at(0)), None);
        assert_eq!(step(at(1), at(1)), None);
    }
}

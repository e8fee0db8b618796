//! Where a decoder can start in a ring.
//!
//! Video: the newest random access point, unless it is too old. Radio: an audio frame about a second back, so that
//! the player has something to buffer.

use std::time::Duration;

use heapless::Deque;

use crate::ring::Position;
use crate::ts::clock::{Ticks27M, Ticks90k};
use crate::ts::psi::COMPONENTS;

use super::tables::Own;

/// Entries kept: 16 s at the least distance.
const RAPS: usize = 64;
/// Nearer ones are left out: an all-intra stream has 50 a second.
const DISTANCE: Duration = Duration::from_millis(240);
/// How far back radio starts.
const RADIO_BACK: Duration = Duration::from_secs(1);

/// A place to start: the packet that begins an access unit, and what a reader must be told before it.
#[derive(Clone, Copy, Debug)]
pub struct Rap {
    /// Of the unit's first packet.
    pub position: Position,
    /// When it was written.
    pub at: Duration,
    /// The programme's clock last seen before it.
    pub pcr: Option<Ticks27M>,
    /// The unit's presentation time.
    pub pts: Option<Ticks90k>,
    /// Which generation of our tables was in force.
    pub(super) psi: u32,
    /// Counters of the next packets of our own PIDs.
    pub(super) own: [u8; Own::COUNT],
    /// Counters of the next packets of the components and the PCR PID, in the generation's order.
    pub(super) counters: [u8; COMPONENTS + 1],
}

/// How joins choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Join {
    /// The newest.
    #[default]
    Newest,
    /// About a second back.
    SecondBack,
}

/// The random access points of a ring, oldest first.
#[derive(Default)]
pub(super) struct RapIndex {
    raps: Deque<Rap, RAPS>,
    pub(super) join: Join,
}

impl RapIndex {
    pub(super) fn push(&mut self, rap: Rap) {
        if self.raps.back().is_some_and(|last| rap.at < last.at + DISTANCE) {
            return;
        }
        if self.raps.is_full() {
            self.raps.pop_front();
        }
        let _room = self.raps.push_back(rap);
    }

    pub(super) fn newest(&self) -> Option<Rap> {
        self.raps.back().copied()
    }

    /// When the byte at `position` was written, taken between the places around it; the last is the head of the ring,
    /// which is written now.
    pub(super) fn written_at(&self, position: Position, head: (Position, Duration)) -> Option<Duration> {
        let places = || self.raps.iter().map(|rap| (rap.position, rap.at));
        let first = places().next()?;
        let before = places().take_while(|(at, _)| *at <= position).last();
        let after = places().find(|(at, _)| *at > position).unwrap_or(head);
        // Before the first place the ring is taken to have grown as it did since.
        let (from, to) = before.map_or((first, head), |before| (before, after));
        let bytes = to.0.checked_sub(from.0).filter(|bytes| *bytes > 0)?;
        let took = to.1.saturating_sub(from.1).as_nanos();
        let away = position.abs_diff(from.0);
        let away = Duration::from_nanos(u64::try_from(took * u128::from(away) / u128::from(bytes)).ok()?);
        Some(if position < from.0 { from.1.saturating_sub(away) } else { from.1 + away })
    }

    pub(super) fn at(&self, position: Position) -> Option<Rap> {
        self.raps.iter().find(|rap| rap.position == position).copied()
    }

    /// Where a reader starts who comes `now`.
    pub(super) fn start(&self, now: Duration, age_max: Duration, oldest: Position) -> Option<Rap> {
        let fresh = |rap: &&Rap| now.saturating_sub(rap.at) <= age_max && rap.position >= oldest;
        let back = |rap: &&Rap| now.saturating_sub(rap.at) >= RADIO_BACK;
        match self.join {
            Join::Newest => self.raps.back().filter(fresh),
            Join::SecondBack => {
                let mut usable = self.raps.iter().filter(fresh);
                self.raps.iter().rev().filter(fresh).find(back).or_else(|| usable.next())
            }
        }
        .copied()
    }

    /// Bytes between the two newest: how much a GOP takes lately.
    pub(super) fn gop_bytes(&self) -> u64 {
        let mut newest = self.raps.iter().rev().map(|rap| rap.position);
        match (newest.next(), newest.next()) {
            (Some(b), Some(a)) => b - a,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(join: Join, at_ms: &[u64]) -> RapIndex {
        let mut index = RapIndex { join, ..RapIndex::default() };
        for &ms in at_ms {
            index.push(Rap {
                position: ms * 1000,
                at: Duration::from_millis(ms),
                pcr: None,
                pts: None,
                psi: 0,
                own: [0; Own::COUNT],
                counters: [0; COMPONENTS + 1],
            });
        }
        index
    }

    fn start(index: &RapIndex, now_ms: u64) -> Option<u64> {
        let rap = index.start(Duration::from_millis(now_ms), Duration::from_secs(4), 0)?;
        Some(rap.position / 1000)
    }

    #[test]
    fn video_starts_at_the_newest_that_is_not_too_old() {
        let index = index(Join::Newest, &[0, 1000, 2000]);
        assert_eq!(start(&index, 2100), Some(2000));
        assert_eq!(start(&index, 6000), Some(2000));
        assert_eq!(start(&index, 6001), None);
        assert_eq!(index.gop_bytes(), 1_000_000);
    }

    #[test]
    fn the_time_of_a_byte_is_found_between_places() {
        let index = index(Join::Newest, &[1000, 2000, 3000]);
        let head = (4_000_000, Duration::from_secs(5)); // half as fast since the last place
        let at = |position| index.written_at(position, head).map(|at| at.as_millis());
        for (position, ms) in [
            (1_000_000, 1000),
            (1_500_000, 1500),
            (3_000_000, 3000),
            (3_500_000, 4000),
            (4_000_000, 5000),
            // As fast before as since: 3 MB in 4 s.
            (700_000, 600),
        ] {
            assert_eq!(at(position), Some(ms), "{position}");
        }
        assert_eq!(RapIndex::default().written_at(0, head), None);
    }

    #[test]
    fn radio_starts_a_second_back_or_as_far_as_there_is() {
        let index = index(Join::SecondBack, &[0, 300, 600, 900, 1200]);
        assert_eq!(start(&index, 1250), Some(0));
        assert_eq!(start(&index, 2000), Some(900));
        assert_eq!(start(&index, 950), Some(0));
    }

    #[test]
    fn close_ones_are_left_out_and_old_ones_make_room() {
        let index = index(Join::Newest, &(0..4000).step_by(20).collect::<Vec<_>>());
        assert!(index.raps.len() <= RAPS);
        let times: Vec<_> = index.raps.iter().map(|r| r.at).collect();
        assert!(times.windows(2).all(|w| w[1] - w[0] >= DISTANCE));
    }
}

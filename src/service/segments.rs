//! The ring in pieces that can be fetched one by one: the media segments of HLS (RFC 8216).
//!
//! Each begins at a place where a decoder can start and ends where the next begins, so that all of them together are
//! the stream. Places nearer than two seconds are joined, as long as no piece gets longer than the target duration. Pieces
//! are cut whether somebody asks for them or not: a ring that was filled for another reason has them at once.

use std::time::Duration;

use heapless::Deque;

use crate::ring::Position;
use crate::ts::clock::{Ticks27M, Ticks90k};

use super::ServiceRing;
use super::rap_index::Rap;

/// Pieces that are kept: 64 s of the shortest usual ones.
const SEGMENTS: usize = 32;
/// Nearer places to start are joined, and no target duration is shorter.
const LEAST: Duration = Duration::from_secs(2);
/// A stream without a place to start for so long is cut anyway.
const LONGEST: Duration = Duration::from_secs(10);
/// A piece is that much longer than the target duration at most, since durations are rounded (RFC 8216 §4.3.3.1).
const ROUNDING: Duration = Duration::from_millis(499);
/// Where a piece is cut for its length alone, an access unit before that is impossible.
const HURRY: Duration = Duration::from_millis(300);
/// What is left before a break is not worth a piece of its own when it is shorter.
const CRUMB: Duration = Duration::from_millis(200);
/// A whole number of seconds and no more than this counts as that number: 60 frames of 29.97 a second take 2.002 s.
const NEARLY: Duration = Duration::from_millis(100);
/// By which the piece's time may be off the clock's before it follows the clock again.
const ASTRAY: Duration = Duration::from_secs(1);
/// Pieces in the longest list.
const LISTED: usize = 16;
/// Pieces that a list has at its beginning.
pub const LISTED_LEAST: usize = 3;

/// One piece.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Its media sequence number.
    pub number: u64,
    /// How long it plays.
    pub duration: Duration,
    /// When its first byte came, on the boot clock; evened out by the durations of those before.
    pub at: Duration,
    /// It does not follow the one before: clocks or components are others (RFC 8216 §4.3.2.3).
    pub is_break: bool,
    /// How many such there were before this one.
    pub breaks_before: u64,
    /// The longest distance of places to start in it, and to the next.
    gap: Duration,
    pub(super) start: Rap,
    end: Position,
}

impl Segment {
    /// Where it lies in the ring.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<Position> {
        self.start.position..self.end
    }
}

/// The pieces of a ring, oldest first, and the one that grows.
#[derive(Default)]
pub(super) struct Segments {
    done: Deque<Segment, SEGMENTS>,
    growing: Option<Growing>,
    made: u64,
    breaks: u64,
    /// The next piece does not follow the last.
    broken: bool,
    /// The target duration that somebody was told, and until when it stands.
    promised: Option<(Duration, Duration)>,
}

struct Growing {
    start: Rap,
    at: Duration,
    is_break: bool,
    breaks_before: u64,
    /// The newest place to start behind `start`.
    last: Option<Rap>,
    gap: Duration,
    /// The access unit begun last.
    unit: Rap,
}

impl Segments {
    /// An access unit begins; whether a decoder can start there is not known yet.
    pub(super) fn unit(&mut self, unit: &Rap) {
        let (target, forced) = (self.target(unit.at), self.forced(unit.at));
        let Some(growing) = &mut self.growing else { return };
        growing.unit = *unit;
        let length = span(&growing.start, unit);
        match growing.last {
            Some(last) if length > target + ROUNDING => {
                self.cut(&last, unit);
                self.unit(unit); // the rest may be as long as it can be
            }
            None if length >= forced + HURRY => {
                growing.gap = growing.gap.max(length);
                self.cut(unit, unit);
            }
            _ => {}
        }
    }

    /// A decoder can start at `rap`, an access unit that began.
    pub(super) fn place(&mut self, rap: &Rap) {
        if self.growing.is_none() {
            return self.grow(rap, rap.at);
        }
        let Some(growing) = &mut self.growing else { return };
        if growing.start.position >= rap.position {
            return; // cut for its length before this was known
        }
        let gap = span(growing.last.as_ref().unwrap_or(&growing.start), rap);
        growing.gap = growing.gap.max(gap);
        growing.last = Some(*rap);
        let length = span(&growing.start, rap);
        // The next place comes as late as this one did, as far as is known.
        if length >= LEAST || length + gap > self.target(rap.at) + ROUNDING {
            self.cut(rap, rap);
        }
    }

    /// What comes from `position` on does not follow what came before.
    pub(super) fn break_at(&mut self, position: Position) {
        let Some(growing) = self.growing.take() else { return };
        if span(&growing.start, &growing.unit) >= CRUMB {
            self.finish(&growing, &growing.unit, position);
        } else {
            self.broken |= growing.is_break;
        }
        self.broken |= self.made > 0;
    }

    /// The target duration: in whole seconds, at least that of every piece that is kept, rounded (RFC 8216 §4.3.3.1).
    /// It stays what somebody was told.
    pub(super) fn target(&self, now: Duration) -> Duration {
        if let Some((promised, _)) = self.promised.filter(|(_, until)| now < *until) {
            return promised;
        }
        let growing =
            self.growing.as_ref().map(|g| g.gap.max(span(g.last.as_ref().unwrap_or(&g.start), &g.unit)));
        let gaps = self.done.iter().map(|s| s.gap).chain(growing);
        let longest = gaps.max().unwrap_or(LEAST).max(LEAST);
        Duration::from_secs((longest + Duration::from_secs(1) - NEARLY).as_secs())
    }

    /// No piece may be longer, whether a decoder can start behind it or not.
    fn forced(&self, now: Duration) -> Duration {
        self.promised.filter(|(_, until)| now < *until).map_or(LONGEST, |(promised, _)| promised)
    }

    fn grow(&mut self, start: &Rap, at: Duration) {
        let is_break = std::mem::take(&mut self.broken);
        let breaks_before = self.breaks;
        self.breaks += u64::from(is_break);
        let (start, unit) = (*start, *start);
        let gap = Duration::ZERO;
        self.growing = Some(Growing { start, at, is_break, breaks_before, last: None, gap, unit });
    }

    /// The piece that grows ends where the next one begins, whose newest unit is `unit`.
    fn cut(&mut self, next: &Rap, unit: &Rap) {
        let Some(growing) = self.growing.take() else { return };
        let duration = self.finish(&growing, next, next.position);
        let at = growing.at + duration;
        self.grow(next, if at.abs_diff(next.at) > ASTRAY { next.at } else { at });
        if let Some(growing) = &mut self.growing {
            growing.unit = *unit;
        }
    }

    fn finish(&mut self, growing: &Growing, until: &Rap, end: Position) -> Duration {
        let duration = span(&growing.start, until);
        let Growing { start, at, is_break, breaks_before, gap, .. } = *growing;
        if self.done.is_full() {
            self.done.pop_front();
        }
        let number = self.made;
        let segment = Segment { number, duration, at, is_break, breaks_before, gap, start, end };
        let _room = self.done.push_back(segment);
        self.made += 1;
        duration
    }
}

/// Why there is no list of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoList {
    /// There will be one.
    NotYet,
    /// The ring would have to hold so many bytes.
    TooSmall {
        /// What a list, the time in which it is played, and one piece more take (RFC 8216 §6.2.2).
        needed: u64,
        /// What it has.
        capacity: u64,
    },
}

impl ServiceRing {
    /// The pieces whose bytes are all there, and will be for a moment.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.track.segments.done.iter().filter(|s| self.holds(s.start.position))
    }

    /// The piece of that media sequence number.
    #[must_use]
    pub fn segment(&self, number: u64) -> Option<&Segment> {
        self.segments().find(|s| s.number == number)
    }

    /// The place to start of the piece that begins there.
    pub(super) fn segment_start(&self, position: Position) -> Option<Rap> {
        self.track.segments.done.iter().find(|s| s.start.position == position).map(|s| s.start)
    }

    /// Promises that no piece is longer than the target duration, rounded, until then. Gives it.
    pub fn promise_target(&mut self, now: Duration, until: Duration) -> Duration {
        let target = self.track.segments.target(now);
        self.track.segments.promised = Some((target, until));
        target
    }

    /// The target duration as it is now.
    #[must_use]
    pub fn target(&self, now: Duration) -> Duration {
        self.track.segments.target(now)
    }

    /// Whether a list can be given out: there are pieces enough, and the ring keeps each as long as RFC 8216 §6.2.2
    /// asks: its own duration and that of the longest list that had it.
    pub fn can_list(&self, now: Duration) -> Result<(), NoList> {
        let target = self.target(now);
        let capacity = self.ring.capacity() - self.tick_bytes();
        let (bytes, length) = self.segments().fold((0, Duration::ZERO), |(bytes, length), s| {
            (bytes + (s.end - s.start.position), length + s.duration)
        });
        let needed = |time: Duration| {
            u64::try_from(u128::from(bytes) * time.as_micros() / length.as_micros().max(1))
                .unwrap_or(u64::MAX)
        };
        if bytes > 0 {
            let needed = needed(self.least_list(target) * 2 + target);
            if needed > capacity {
                return Err(NoList::TooSmall { needed, capacity });
            }
        }
        if self.segments().count() >= LISTED_LEAST {
            return Ok(());
        }
        // A ring that was filled and has no pieces will never have them.
        let filled = self.ring.head() - self.ring.floor() > self.ring.capacity();
        match filled && now.saturating_sub(self.since) > target * 3 {
            true => Err(NoList::TooSmall { needed: capacity * 2, capacity }),
            false => Err(NoList::NotYet),
        }
    }

    /// The pieces to list for a target duration: as many as the ring holds twice, one to spare, so that each stays as
    /// long as it is listed again; never less than three target durations (RFC 8216 §6.2.2), where they are there.
    pub fn listed(&self, target: Duration) -> impl Iterator<Item = &Segment> {
        let capacity = self.ring.capacity() - self.tick_bytes();
        let head = self.ring.head();
        let longest = self.segments().map(|s| s.end - s.start.position).max().unwrap_or(0);
        let mut length = Duration::ZERO;
        let mut count = 0;
        for segment in self.segments().rev() {
            let fits = 2 * (head - segment.start.position) + longest <= capacity && count < LISTED;
            if length >= target * 3 && !fits {
                break;
            }
            length += segment.duration;
            count += 1;
        }
        let from = self.segments().count() - count;
        self.segments().skip(from)
    }

    /// The most bits per second of a piece.
    #[must_use]
    pub fn peak_rate(&self) -> u64 {
        let rate = |s: &Segment| (s.end - s.start.position) * 8_000 / millis(s.duration).max(1);
        self.segments().map(rate).max().unwrap_or(0)
    }

    /// How long the shortest list is: pieces of three target durations.
    fn least_list(&self, target: Duration) -> Duration {
        let mean = self.segments().map(|s| s.duration).sum::<Duration>()
            / u32::try_from(self.segments().count()).unwrap_or(1).max(1);
        let pieces = (target * 3).as_micros().div_ceil(mean.as_micros().max(1));
        mean * u32::try_from(pieces).unwrap_or(u32::MAX).min(64)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The time from one place to a later one: by presentation times, where the clock does not belie them.
fn span(from: &Rap, to: &Rap) -> Duration {
    const DOUBT: Duration = Duration::from_secs(1);
    let by_pts = from.pts.zip(to.pts).map(|(a, b)| ticks_90k(a, b));
    let by_pcr = from.pcr.zip(to.pcr).map(|(a, b)| ticks_27m(a, b));
    match (by_pts, by_pcr) {
        (Some(pts), Some(pcr)) if pts.abs_diff(pcr) <= DOUBT => pts,
        (_, Some(pcr)) => pcr,
        (Some(pts), None) if pts < LONGEST * 6 => pts,
        _ => to.at.saturating_sub(from.at),
    }
}

/// To the nearest microsecond.
fn ticks_90k(from: Ticks90k, to: Ticks90k) -> Duration {
    Duration::from_micros((to.since(from) * 100 + 4) / 9)
}

fn ticks_27m(from: Ticks27M, to: Ticks27M) -> Duration {
    Duration::from_micros(to.since(from) / 27)
}

#[cfg(test)]
mod tests;

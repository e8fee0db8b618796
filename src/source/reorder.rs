//! Puts datagrams back in the order of their RTP sequence numbers (RFC 3550 §5.1), within a small window.
//!
//! Owns what came too early, until what belongs before it comes or is given up. A datagram in its place stays where
//! the kernel wrote it.

use std::ops::Range;
use std::time::Duration;

use super::rtp::Stamp;
use super::udp::SLOT;

/// How far ahead of the next datagram one may be and still be waited for. A power of two: sequence numbers wrap.
pub(super) const WINDOW: u16 = 32;
/// How long anything is held: longer than the paths of one network differ, shorter than a viewer notices.
const HOLD: Duration = Duration::from_millis(50);
/// How far behind one is still of the same stream, and not its new beginning. RFC 3550 §A.1 has 100.
const BEHIND: u16 = 128;

/// The caller's buffer, filled from its beginning. What is yet to be taken stands at least [`Window::held`] slots
/// behind the filled part.
pub(super) struct Room<'a> {
    /// All of it.
    pub(super) bytes: &'a mut [u8],
    filled: usize,
}

impl<'a> Room<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, filled: 0 }
    }

    /// Bytes written so far.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Adds `part` of the room itself. Nothing moves where it is in its place.
    pub(super) fn keep(&mut self, part: Range<usize>) {
        let len = part.len();
        if part.start != self.filled {
            self.bytes.copy_within(part, self.filled);
        }
        self.filled += len;
    }

    /// Adds `bytes`, up to a slot.
    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.filled..self.filled + bytes.len()) {
            place.copy_from_slice(bytes);
            self.filled += bytes.len();
        }
    }

    /// A slot more can be written.
    fn has_slot(&self) -> bool {
        self.bytes.len() - self.filled >= SLOT
    }
}

/// What was met, since the input was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) lost: u64,
    pub(super) reordered: u64,
    pub(super) late: u64,
    pub(super) restarts: u64,
}

/// The datagrams of one stream around the next one.
///
/// ```text
///        |  handed on, or given up  | next |  held, with gaps  |  farther: a jump  |
///  next − BEHIND                   next                  next + WINDOW
/// ```
pub(super) struct Window {
    /// The stream; none before the first datagram.
    stream: Option<u32>,
    /// The number of the datagram to be handed on next. It is never held when a call returns with room left.
    next: u16,
    /// Bit n says that number `next - 1 - n` was handed on.
    known: u128,
    /// By sequence number modulo [`WINDOW`].
    places: Box<[Place; WINDOW as usize]>,
    /// Places in use.
    held: usize,
    order: Order,
}

#[derive(Clone, Copy)]
struct Place {
    /// When its datagram came; `None` where it holds none.
    since: Option<Duration>,
    len: usize,
    bytes: [u8; SLOT],
}

impl Default for Window {
    fn default() -> Self {
        let empty = Place { since: None, len: 0, bytes: [0; SLOT] };
        Self {
            stream: None,
            next: 0,
            known: 0,
            places: Box::new([empty; WINDOW as usize]),
            held: 0,
            order: Order::default(),
        }
    }
}

impl Window {
    /// Takes the datagram `stamp`, whose `payload` is in `room`. Adds to the room what is in order now: this one with
    /// all that waited for it, nothing yet, or nothing ever.
    pub(super) fn push(&mut self, stamp: Stamp, now: Duration, payload: Range<usize>, room: &mut Room<'_>) {
        if self.stream != Some(stamp.stream) {
            self.flush(room);
            self.begin(stamp);
        }
        if self.is_behind(stamp.sequence) {
            return;
        }
        while self.held > 0 && self.ahead(stamp.sequence) >= WINDOW {
            self.step(room);
        }
        self.release(room);
        if self.ahead(stamp.sequence) >= WINDOW {
            self.begin(stamp);
        }
        if self.ahead(stamp.sequence) > 0 {
            self.hold(stamp.sequence, now, &room.bytes[payload]);
            return;
        }
        self.order.reordered += u64::from(self.held > 0);
        room.keep(payload);
        self.advance(true);
        self.release(room);
    }

    /// Gives up what others have waited for too long.
    pub(super) fn expire(&mut self, now: Duration, room: &mut Room<'_>) {
        while self.is_overdue(now) && room.has_slot() {
            self.step(room);
        }
        self.release(room);
    }

    /// Hands on all that is held: what is missing between is lost.
    pub(super) fn flush(&mut self, room: &mut Room<'_>) {
        while self.held > 0 {
            self.step(room);
        }
    }

    /// Datagrams that wait, below [`WINDOW`].
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn order(&self) -> Order {
        self.order
    }

    /// Begins anew with `stamp`. Nothing is held.
    fn begin(&mut self, stamp: Stamp) {
        self.order.restarts += u64::from(self.stream.is_some());
        (self.stream, self.next, self.known) = (Some(stamp.stream), stamp.sequence, 0);
    }

    /// `sequence` was handed on already, or is given up; counts the latter.
    fn is_behind(&mut self, sequence: u16) -> bool {
        let behind = self.next.wrapping_sub(sequence);
        let is_behind = (1..=BEHIND).contains(&behind);
        let late = is_behind && self.known >> (behind - 1) & 1 == 0;
        self.order.late += u64::from(late);
        is_behind
    }

    fn ahead(&self, sequence: u16) -> u16 {
        sequence.wrapping_sub(self.next)
    }

    fn hold(&mut self, sequence: u16, now: Duration, payload: &[u8]) {
        if self.holds(sequence) {
            return; // sent twice
        }
        let farther = self.ahead(sequence) + 1..WINDOW;
        let overtaken = farther.into_iter().any(|ahead| self.holds(self.next.wrapping_add(ahead)));
        self.order.reordered += u64::from(overtaken);
        let place = &mut self.places[index(sequence)];
        (place.since, place.len) = (Some(now), payload.len().min(SLOT));
        place.bytes[..place.len].copy_from_slice(&payload[..place.len]);
        self.held += 1;
    }

    fn holds(&self, sequence: u16) -> bool {
        self.places[index(sequence)].since.is_some()
    }

    /// Goes past the next datagram: hands it on, or gives it up.
    fn step(&mut self, room: &mut Room<'_>) {
        let place = &mut self.places[index(self.next)];
        let came = place.since.take().is_some();
        if came {
            room.put(&place.bytes[..place.len]);
            self.held -= 1;
        } else {
            self.order.lost += 1;
        }
        self.advance(came);
    }

    /// Hands on what waits for nothing any more.
    pub(super) fn release(&mut self, room: &mut Room<'_>) {
        while self.holds(self.next) && room.has_slot() {
            self.step(room);
        }
    }

    fn advance(&mut self, came: bool) {
        self.next = self.next.wrapping_add(1);
        self.known = self.known << 1 | u128::from(came);
    }

    fn is_overdue(&self, now: Duration) -> bool {
        let mut times = self.places.iter().filter_map(|place| place.since);
        self.held > 0 && times.any(|since| now.saturating_sub(since) >= HOLD)
    }
}

fn index(sequence: u16) -> usize {
    usize::from(sequence % WINDOW)
}

#[cfg(test)]
mod tests;

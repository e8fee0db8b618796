//! The pump: sends every viewer what its ring has, once a tick.
//!
//! Owns the sockets of all who watch, in a table of fixed size. A viewer is a position in a ring and nothing more: one
//! plain write of one contiguous span a tick, no queue, no buffer. Who fetches a finished piece of a ring is served the
//! same way, up to the piece's end. Knows nothing of HTTP, rights or tuners; what a
//! viewer's right hangs on is a `Ticket` that is dropped with it.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use crate::ring::Position;
pub use crate::service::Ended;
use crate::service::{Feed, PREAMBLE_BYTES};
use crate::sys::socket::set_not_sent_low_water;

mod viewer;

pub use viewer::Facts;
use viewer::{Bench, Step, Torn, Viewer};

/// The kernel takes no more than this of what it has not sent.
const NOT_SENT: u32 = 128 * 1024;
/// A peer that acknowledges nothing for so long is gone. Longer than a viewer may stall: the kernel's end of a
/// connection tells the peer nothing, ours does.
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// What all viewers together get in one tick to catch up with live.
const BURST_ALL: usize = 1024 * 1024;

/// Why a viewer left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It hung up.
    HungUp,
    /// It took nothing for ten seconds.
    Stalled,
    /// It fell behind again and again.
    TooSlow,
    /// Its right to watch ended, or its viewer has a newer stream.
    PutOut,
    /// What is on now is not for it.
    Locked,
    /// The stream ended and it has it all.
    Ended(Ended),
    /// It has the piece that it came for.
    Fetched,
}

/// How a viewer's stream began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// There was a place to start.
    pub placed: Duration,
    /// The kernel took the first byte.
    pub sent: Duration,
    /// Milliseconds that the place was behind the head of the ring.
    pub behind_ms: u32,
}

/// Who hears of viewers, by what their tickets are.
pub struct Ears<T> {
    /// The first byte was sent.
    pub begun: fn(&T, First),
    /// It left, before its ticket goes.
    pub left: fn(&T, Left),
}

/// What the pump did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PumpCounts {
    /// Bytes the kernel took.
    pub bytes: u64,
    /// Times a viewer fell behind and jumped.
    pub jumps: u64,
    /// Bytes that were skipped by jumps.
    pub skipped: u64,
    /// Viewers that left, by why.
    pub hung_up: u64,
    /// Took nothing for too long.
    pub stalled: u64,
    /// Jumped too often.
    pub too_slow: u64,
    /// Pieces that were sent whole.
    pub fetched: u64,
    /// Pieces that the ring took back before they were sent.
    pub lapped: u64,
}

/// One seat of the table.
struct Seat<T> {
    /// Told apart from who sat here before.
    generation: u32,
    viewer: Option<(Viewer, T)>,
}

/// All who watch.
pub struct Pump<T> {
    /// Those that were ever taken. There is room for `most` of them, in pages that nobody has touched before.
    seats: Vec<Seat<T>>,
    most: usize,
    taken: usize,
    /// How many of them fetch a piece.
    fetching: usize,
    /// For each seat. Apart, since the table is walked each tick and these are needed once in an hour.
    torn: Vec<Torn>,
    counts: PumpCounts,
    /// What is left of this tick's [`BURST_ALL`].
    burst: usize,
    /// Where preambles are put together.
    scratch: heapless::Vec<u8, PREAMBLE_BYTES>,
    tell: Ears<T>,
}

/// The table is full; the socket is handed back.
#[derive(Debug)]
pub struct Full(pub OwnedFd);

impl<T> Pump<T> {
    /// A pump for at most `seats` viewers, whose table is made here once. `tell` hears of them.
    #[must_use]
    pub fn new(seats: usize, tell: Ears<T>) -> Self {
        Self {
            seats: Vec::with_capacity(seats),
            most: seats,
            taken: 0,
            fetching: 0,
            torn: Vec::with_capacity(seats),
            counts: PumpCounts::default(),
            burst: BURST_ALL,
            scratch: heapless::Vec::new(),
            tell,
        }
    }

    /// Takes over a socket whose reply head is written: from now on it gets `feed`. Gives the number that
    /// [`Pump::hung_up`] knows it by.
    pub fn adopt(&mut self, socket: OwnedFd, feed: Feed, ticket: T, now: Duration) -> Result<u64, Full> {
        self.sit(socket, ticket, now, |socket| Viewer::new(socket, feed, now))
    }

    /// The same for a piece of the ring that begins at a random access point: from now on the socket gets the preamble
    /// of that and the piece. Where the ring takes that back before it is sent, or the peer stops to read, the connection
    /// is reset.
    pub fn adopt_fetching(
        &mut self,
        socket: OwnedFd,
        (feed, piece): (Feed, Range<Position>),
        ticket: T,
        now: Duration,
    ) -> Result<u64, Full> {
        self.sit(socket, ticket, now, |socket| Viewer::fetching(socket, feed, piece, now))
    }

    fn sit(
        &mut self,
        socket: OwnedFd,
        ticket: T,
        now: Duration,
        viewer: impl FnOnce(OwnedFd) -> Viewer,
    ) -> Result<u64, Full> {
        let index = self.seats.iter().position(|s| s.viewer.is_none()).unwrap_or(self.seats.len());
        if index >= self.most {
            return Err(Full(socket));
        }
        if index == self.seats.len() {
            self.seats.push(Seat { generation: 0, viewer: None });
            self.torn.push(Torn::new());
        }
        if let Err(e) = prepare(socket.as_fd()) {
            log::debug!("a viewer's socket: {e}"); // it works without, only not as well
        }
        let seat = &mut self.seats[index];
        seat.generation = (seat.generation + 1) & 0x00ff_ffff;
        let viewer = viewer(socket);
        self.fetching += usize::from(viewer.is_fetching());
        seat.viewer = Some((viewer, ticket));
        self.taken += 1;
        let number = number(index, seat.generation);
        self.turn(index, now); // its first bytes need not wait for the tick
        Ok(number)
    }

    /// The socket of viewer `number`, to be watched for its peer's end.
    #[must_use]
    pub fn socket(&self, number: u64) -> Option<BorrowedFd<'_>> {
        let (index, generation) = parts(number);
        let seat = self.seats.get(index).filter(|s| s.generation == generation)?;
        seat.viewer.as_ref().map(|(viewer, _)| viewer.socket())
    }

    /// How many watch; who fetches a piece is none of them.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.taken - self.fetching
    }

    /// There is nobody to be served.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.taken == 0
    }

    /// Measures what everybody got in the time since this was last asked.
    pub fn measure(&mut self, elapsed: Duration) {
        self.seats.iter_mut().filter_map(|s| s.viewer.as_mut()).for_each(|(v, _)| v.measure(elapsed));
    }

    /// All who watch, each with its ticket; who fetches a piece is none of them.
    pub fn facts(&self, now: Duration) -> impl Iterator<Item = (Facts, &T)> {
        let taken = self.seats.iter().filter_map(|s| s.viewer.as_ref());
        let watching = taken.filter(|(viewer, _)| !viewer.is_fetching());
        watching.map(move |(viewer, ticket)| (viewer.facts(now), ticket))
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> PumpCounts {
        self.counts
    }

    /// Viewer `number` is gone, as the kernel says.
    pub fn hung_up(&mut self, number: u64) {
        let (index, generation) = parts(number);
        if self.seats.get(index).is_some_and(|s| s.generation == generation) {
            self.leave(index, Left::HungUp);
        }
    }

    /// Ends the streams whose ticket `is_over`, for this reason.
    pub fn put_out(&mut self, why: Left, is_over: impl Fn(&T) -> bool) {
        for index in 0..self.seats.len() {
            if self.seats[index].viewer.as_ref().is_some_and(|(_, ticket)| is_over(ticket)) {
                self.leave(index, why);
            }
        }
    }

    /// Sends everybody what there is.
    pub fn tick(&mut self, now: Duration) {
        self.burst = BURST_ALL;
        for index in 0..self.seats.len() {
            self.turn(index, now);
        }
    }

    fn turn(&mut self, index: usize, now: Duration) {
        let Self { seats, torn, burst, scratch, counts, tell, .. } = self;
        let Some((viewer, ticket)) = &mut seats[index].viewer else { return };
        let mut bench = Bench { now, burst, scratch, counts, first: None };
        let step = viewer.serve(&mut torn[index], &mut bench);
        if let Some(first) = bench.first {
            (tell.begun)(ticket, first);
        }
        if let Step::Leave(why) = step {
            self.leave(index, why);
        }
    }

    fn leave(&mut self, index: usize, why: Left) {
        if let Some((viewer, ticket)) = self.seats[index].viewer.take() {
            self.taken -= 1;
            if viewer.is_fetching() {
                self.fetching -= 1;
                if why != Left::Fetched {
                    viewer.reset();
                }
            }
            (self.tell.left)(&ticket, why);
            log::debug!("a viewer left after {} bytes: {why:?}", viewer.sent());
            match why {
                Left::HungUp => self.counts.hung_up += 1,
                Left::Stalled => self.counts.stalled += 1,
                Left::TooSlow if viewer.is_fetching() => self.counts.lapped += 1,
                Left::TooSlow => self.counts.too_slow += 1,
                Left::Fetched => self.counts.fetched += 1,
                Left::PutOut | Left::Locked | Left::Ended(_) => {}
            }
        }
    }
}

/// Sets what a live stream needs of its socket.
fn prepare(socket: BorrowedFd<'_>) -> io::Result<()> {
    setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
    let timeout = u32::try_from(USER_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    setsockopt(&socket, sockopt::TcpUserTimeout, &timeout)?;
    set_not_sent_low_water(socket, NOT_SENT)
}

/// 24 bits of generation, 32 of index: below 2^56.
fn number(index: usize, generation: u32) -> u64 {
    u64::from(generation) << 32 | index as u64
}

#[allow(clippy::cast_possible_truncation, reason = "each part is masked to its own bits")]
fn parts(number: u64) -> (usize, u32) {
    ((number & 0xffff_ffff) as usize, (number >> 32) as u32)
}

#[cfg(test)]
mod tests;

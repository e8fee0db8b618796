//! One viewer: where it is in its ring, and how it gets on.

use std::io::IoSlice;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::Error;
use nix::sys::socket::{setsockopt, sockopt};

use super::{First, Left, PumpCounts};
use crate::ring::Position;
use crate::service::{Entrance, Feed, PREAMBLE_BYTES, ServiceRing};
use crate::ts::PACKET;
use crate::ts::psi::Tracks;

/// A viewer that takes nothing for so long is dropped.
const STALL: Duration = Duration::from_secs(10);
/// Jumps after which a viewer is dropped: its line is too slow for the channel.
const JUMPS: u16 = 100;
/// What one viewer gets in one tick to catch up with live.
const BURST: usize = 128 * 1024;

/// The end of a packet that a jump tore apart, to be sent before anything else.
pub(super) type Torn = heapless::Vec<u8, PACKET>;

/// What serving a viewer works with, beside the viewer.
pub(super) struct Bench<'a> {
    pub(super) now: Duration,
    /// Bytes left in this tick for those who are not yet live.
    pub(super) burst: &'a mut usize,
    /// Where a preamble is put together.
    pub(super) scratch: &'a mut heapless::Vec<u8, PREAMBLE_BYTES>,
    pub(super) counts: &'a mut PumpCounts,
    /// The viewer's first byte was sent.
    pub(super) first: Option<First>,
}

impl Bench<'_> {
    /// What one who is not yet live gets: at least what came in this tick, and to catch up a part of the burst. So
    /// nobody falls farther behind while many come at once.
    fn allowance(&self, ring: &ServiceRing) -> usize {
        ring.grown().saturating_add(BURST.min(*self.burst))
    }

    /// Takes what was sent beyond this tick's bytes from the burst.
    fn spend(&mut self, ring: &ServiceRing, sent: usize) {
        *self.burst -= sent.saturating_sub(ring.grown()).min(*self.burst);
    }
}

/// What is told of a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it gets of its channel.
    pub tracks: Tracks,
    /// `waiting` for a place to start, `catching-up`, `live` or `jumping`.
    pub state: &'static str,
    /// Bytes between it and the head of its ring.
    pub lag: u64,
    /// The same as time, where that is known.
    pub behind: Option<Duration>,
    /// Bytes the kernel took.
    pub sent: u64,
    /// Bits a second that it took lately.
    pub rate: u64,
    /// When it came.
    pub since: Duration,
    /// Times that it fell behind and jumped.
    pub jumps: u16,
}

/// What becomes of a viewer after its turn.
pub(super) enum Step {
    Stay,
    Leave(Left),
}

/// Where a viewer is.
#[derive(Clone, Copy)]
enum State {
    /// It waits for a place to start.
    Waiting,
    /// It gets what is torn, the preamble of the random access point at `rap`, and from there on the ring. `done`
    /// bytes before the ring are gone.
    Entering { rap: Option<Position>, entrance: Entrance, done: u16 },
    /// It gets the ring. `live` once it was at the head.
    Streaming { live: bool },
    /// It is about to jump, and gets the rest of its access unit, up to `until`.
    Leaving { until: Position },
    /// It fetches a piece of the ring: the preamble of the random access point where that begins, of which `done` bytes
    /// are gone, and the ring up to `until`.
    Fetching { until: Position, done: u16 },
}

/// Of a preamble that is gone.
const ALL: u16 = u16::MAX;

/// One who watches: an entry of the pump's table.
pub(super) struct Viewer {
    socket: OwnedFd,
    feed: Feed,
    /// Of the next byte to send, while streaming.
    position: Position,
    state: State,
    jumps: u16,
    /// When it came.
    since: Duration,
    /// When there was a place to start, and how many milliseconds it was behind the head then.
    placed: (Duration, u32),
    progress_at: Duration,
    sent: u64,
    /// Bits a second in the time before it was measured last, when `measured` bytes were sent.
    rate: u64,
    measured: u64,
}

const _: () = assert!(size_of::<Viewer>() <= 128, "thousands of entries are walked each tick");

impl Viewer {
    pub(super) fn new(socket: OwnedFd, feed: Feed, now: Duration) -> Self {
        Self {
            socket,
            feed,
            position: 0,
            state: State::Waiting,
            jumps: 0,
            since: now,
            placed: (now, 0),
            progress_at: now,
            sent: 0,
            rate: 0,
            measured: 0,
        }
    }

    /// Takes the rate of the time since this was last asked.
    pub(super) fn measure(&mut self, elapsed: Duration) {
        let bytes = self.sent - std::mem::replace(&mut self.measured, self.sent);
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        self.rate = bytes.saturating_mul(8000) / millis;
    }

    /// What is told of it.
    pub(super) fn facts(&self, now: Duration) -> Facts {
        let ring = self.feed.ring().borrow();
        let started =
            !matches!(self.state, State::Waiting | State::Entering { entrance: Entrance::Join, .. });
        let lag = ring.head().saturating_sub(self.position);
        let behind = ring.written_at(self.position, now).map(|at| now.saturating_sub(at));
        Facts {
            tracks: ring.tracks(),
            state: match self.state {
                State::Waiting | State::Entering { entrance: Entrance::Join, .. } => "waiting",
                State::Entering { .. } | State::Leaving { .. } => "jumping",
                State::Fetching { .. } => "fetching",
                State::Streaming { live: false } => "catching-up",
                State::Streaming { live: true } => "live",
            },
            lag: if started { lag } else { 0 },
            behind: behind.filter(|_| started),
            sent: self.sent,
            rate: self.rate,
            since: self.since,
            jumps: self.jumps,
        }
    }

    /// One who fetches a piece that begins at a random access point.
    pub(super) fn fetching(socket: OwnedFd, feed: Feed, piece: Range<Position>, now: Duration) -> Self {
        let state = State::Fetching { until: piece.end, done: 0 };
        let written = feed.ring().borrow().written_at(piece.start, now).unwrap_or(now);
        let behind_ms = u32::try_from(now.saturating_sub(written).as_millis()).unwrap_or(u32::MAX);
        Self { position: piece.start, state, placed: (now, behind_ms), ..Self::new(socket, feed, now) }
    }

    /// It fetches a piece, and does not watch.
    pub(super) fn is_fetching(&self) -> bool {
        matches!(self.state, State::Fetching { .. })
    }

    /// What the peer has not got yet will not come: it is to notice.
    pub(super) fn reset(&self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        if let Err(e) = setsockopt(&self.socket, sockopt::Linger, &linger) {
            log::debug!("a connection cannot be reset: {e}"); // it ends before its length, too
        }
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Bytes the kernel took.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// One turn: at most one system call.
    pub(super) fn serve(&mut self, torn: &mut Torn, bench: &mut Bench<'_>) -> Step {
        let feed = self.feed.clone();
        let ring = feed.ring().borrow();
        if matches!(self.state, State::Waiting) && ring.start(bench.now).is_some() {
            self.state = State::Entering { rap: None, entrance: Entrance::Join, done: 0 };
            self.placed.0 = bench.now;
        }
        let lag = ring.head().saturating_sub(self.position);
        if matches!(self.state, State::Streaming { .. }) && lag > ring.lag_limit() {
            self.state = State::Leaving { until: ring.unit_after(self.position) };
        }
        if let State::Leaving { until } = self.state
            && (self.position >= until || !ring.keeps(self.position))
        {
            self.jump(&ring, torn, bench.counts);
        }
        let sent = match self.state {
            State::Waiting => Ok(0),
            State::Entering { rap, entrance, done } => self.enter(&ring, torn, bench, rap, entrance, done),
            State::Streaming { live } => self.stream(&ring, bench, live),
            State::Leaving { until } => self.leave(&ring, until),
            State::Fetching { until, done } => self.fetch(&ring, bench, until, done),
        };
        self.conclude(&ring, sent, bench)
    }

    /// Sends on up to the end of the access unit.
    fn leave(&mut self, ring: &ServiceRing, until: Position) -> Result<usize, Error> {
        let most = usize::try_from(until - self.position).unwrap_or(usize::MAX);
        let span = ring.window(self.position, most).map_err(|_| Error::ENOLINK)?;
        let n = nix::unistd::write(&self.socket, span)?;
        self.position += n as u64;
        Ok(n)
    }

    /// Sends the preamble of a piece and the next span of it. What the ring takes back is never made up for.
    fn fetch(
        &mut self,
        ring: &ServiceRing,
        bench: &mut Bench<'_>,
        until: Position,
        done: u16,
    ) -> Result<usize, Error> {
        if !ring.holds(self.position) {
            return Err(Error::ENOLINK);
        }
        bench.scratch.clear();
        if done != ALL {
            let rap = ring.rap_at(self.position).ok_or(Error::ENOLINK)?;
            ring.preamble(&rap, Entrance::Join, bench.scratch).ok_or(Error::ENOLINK)?;
        }
        let gone = usize::from(done).min(bench.scratch.len());
        let before = &bench.scratch[gone..];
        let most = usize::try_from(until - self.position).unwrap_or(usize::MAX).min(bench.allowance(ring));
        let span = ring.window(self.position, most).map_err(|_| Error::ENOLINK)?;
        let n = write_all_of(&self.socket, [before, span, &[]])?;
        let on = n.saturating_sub(before.len());
        let done = if n < before.len() { u16::try_from(gone + n).unwrap_or(ALL) } else { ALL };
        bench.spend(ring, on);
        self.position += on as u64;
        self.state = State::Fetching { until, done };
        Ok(n)
    }

    /// Gives up what it did not get, while the rest of its packet is still there.
    fn jump(&mut self, ring: &ServiceRing, torn: &mut Torn, counts: &mut PumpCounts) {
        torn.clear();
        let begun = self.position % PACKET as u64;
        if begun != 0 {
            let rest = PACKET - usize::try_from(begun).unwrap_or(0);
            let _fits = ring.window(self.position, rest).map(|bytes| torn.extend_from_slice(bytes));
        }
        self.state = State::Entering { rap: None, entrance: Entrance::Jump, done: 0 };
        self.jumps += 1;
        counts.jumps += 1;
    }

    /// Sends the torn rest and the preamble, and with them the first span.
    fn enter(
        &mut self,
        ring: &ServiceRing,
        torn: &Torn,
        bench: &mut Bench<'_>,
        fixed: Option<Position>,
        entrance: Entrance,
        done: u16,
    ) -> Result<usize, Error> {
        let torn: &[u8] = if entrance == Entrance::Jump { torn } else { &[] };
        let place = match (fixed, entrance) {
            (Some(position), _) => ring.rap_at(position),
            (None, Entrance::Join) => ring.start(bench.now),
            (None, Entrance::Jump) => ring.resume(self.position),
        };
        bench.scratch.clear();
        let ready = place.and_then(|rap| ring.preamble(&rap, entrance, bench.scratch).map(|()| rap));
        let Some(rap) = ready else {
            // Where the place chosen is gone with part of its preamble sent, nothing can go on from there.
            return if fixed.is_some() { Err(Error::ENOLINK) } else { Ok(0) };
        };
        let span = ring.window(rap.position, bench.allowance(ring)).map_err(|_| Error::ENOLINK)?;
        let before = torn.len() + bench.scratch.len();
        let gone = usize::from(done);
        let first = &torn[gone.min(torn.len())..];
        let second = &bench.scratch[gone.saturating_sub(torn.len()).min(bench.scratch.len())..];
        let n = write_all_of(&self.socket, [first, second, span])?;
        if self.sent == 0 {
            let behind = bench.now.saturating_sub(rap.at).as_millis();
            self.placed.1 = u32::try_from(behind).unwrap_or(u32::MAX);
        }
        let total = gone + n;
        if total >= before {
            let on = (total - before) as u64;
            bench.counts.skipped +=
                if entrance == Entrance::Jump { rap.position.saturating_sub(self.position) } else { 0 };
            bench.spend(ring, usize::try_from(on).unwrap_or(usize::MAX));
            self.position = rap.position + on;
            self.state = State::Streaming { live: false };
        } else {
            let done = u16::try_from(total).unwrap_or(u16::MAX);
            let rap = (total > torn.len()).then_some(rap.position);
            self.state = State::Entering { rap, entrance, done };
        }
        Ok(n)
    }

    /// Sends the next span.
    fn stream(&mut self, ring: &ServiceRing, bench: &mut Bench<'_>, live: bool) -> Result<usize, Error> {
        let most = if live { usize::MAX } else { bench.allowance(ring) };
        let span = ring.window(self.position, most).map_err(|_| Error::ENOLINK)?;
        let n = if span.is_empty() { 0 } else { nix::unistd::write(&self.socket, span)? };
        self.position += n as u64;
        if !live {
            bench.spend(ring, n);
            self.state = State::Streaming { live: self.position == ring.head() };
        }
        Ok(n)
    }

    /// Draws the conclusion from a turn.
    fn conclude(&mut self, ring: &ServiceRing, sent: Result<usize, Error>, bench: &mut Bench<'_>) -> Step {
        let at_head = matches!(self.state, State::Streaming { .. }) && self.position == ring.head();
        match sent {
            Ok(n) => {
                let is_first = n > 0 && self.sent == 0;
                self.sent += n as u64;
                bench.counts.bytes += n as u64;
                let idle = at_head || matches!(self.state, State::Waiting);
                if n > 0 || idle {
                    self.progress_at = bench.now;
                }
                if is_first {
                    let (placed, behind_ms) = self.placed;
                    bench.first = Some(First { placed, sent: bench.now, behind_ms });
                }
                match (self.state, ring.ended()) {
                    (State::Fetching { until, done: ALL }, _) if self.position >= until => {
                        return Step::Leave(Left::Fetched);
                    }
                    (_, Some(why)) if idle => return Step::Leave(Left::Ended(why)),
                    _ => {}
                }
            }
            Err(Error::EAGAIN | Error::EINTR) => {}
            Err(Error::ENOLINK) => return Step::Leave(Left::TooSlow),
            Err(_) => return Step::Leave(Left::HungUp),
        }
        if self.jumps > JUMPS {
            return Step::Leave(Left::TooSlow);
        }
        if bench.now.saturating_sub(self.progress_at) >= STALL {
            Step::Leave(Left::Stalled)
        } else {
            Step::Stay
        }
    }
}

/// One call for slices of which none, some or all are empty. Gives the bytes the kernel took.
fn write_all_of(socket: &OwnedFd, slices: [&[u8]; 3]) -> Result<usize, Error> {
    nix::sys::uio::writev(socket, &slices.map(IoSlice::new))
}

//! A service ring: one service as a transport stream of its own, for all who watch it.
//!
//! Owns the ring's content: elementary packets as they came, PSI/SI that is all ours, and the index of places where
//! a decoder can start. Knows neither where packets come from nor who reads them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::board;
use crate::ring::{Overrun, Position, Ring};
use crate::ts::clock::Ticks27M;
use crate::ts::packet::{discontinuity, pid_of};
use crate::ts::psi::{Programme, Tracks};
use crate::ts::section::Section;
use crate::ts::{PACKET, Packet, Pid};

mod clock;
mod meter;
mod preamble;
mod rap_index;
mod segments;
mod tables;
mod track;

pub use preamble::{Entrance, PREAMBLE_BYTES};
pub use rap_index::Rap;
pub use segments::{LISTED_LEAST, NoList, Segment};
pub use tables::Identity;

use clock::ClockAlone;
use meter::Meter;
use tables::Tables;
use track::Track;

/// Bytes a single read adds at most.
pub const READ_MAX: usize = 64 * 1024 / PACKET * PACKET;

/// Reads that come between two turns of the readers, unless the box was held up.
const TICK_READS: u64 = 4;

/// Bytes of an access unit at most, with all that is multiplexed between: an I picture of 8K video has some 2 MB.
const UNIT_MAX: usize = 4 << 20;

/// A ring and the right to read it. Whoever holds one is watching: when the last is dropped, nobody is.
#[derive(Clone)]
pub struct Feed(Rc<RefCell<ServiceRing>>);

impl Feed {
    /// The ring. Not to be held across a tick.
    #[must_use]
    pub fn ring(&self) -> &RefCell<ServiceRing> {
        &self.0
    }

    /// A ring of the pool, with nobody watching but its owner.
    pub fn new(capacity: usize) -> io::Result<Self> {
        ServiceRing::new(capacity).map(|ring| Self(Rc::new(RefCell::new(ring))))
    }

    /// How many watch, the owner not counted.
    #[must_use]
    pub fn watchers(&self) -> usize {
        Rc::strong_count(&self.0) - 1
    }

    /// Both read the same ring.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Why a stream came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The source has no more, or went away.
    Source,
    /// The television left the mux: its tuner is tuned to another, or to nothing.
    TvMoved,
    /// The television took its tuner back.
    TvTook,
    /// Something more important took the tuner.
    Taken,
    /// The box is going down.
    Shutdown,
}

/// One service's stream.
pub struct ServiceRing {
    ring: Ring,
    tables: Tables,
    track: Track,
    /// What it carries of its programme.
    tracks: Tracks,
    clock: ClockAlone,
    meter: Meter,
    /// When it was assigned to its service.
    since: Duration,
    /// The head when this tick's reads began.
    tick_head: Position,
    ended: Option<Ended>,
}

impl ServiceRing {
    fn new(capacity: usize) -> io::Result<Self> {
        Ok(Self {
            ring: Ring::new(capacity)?,
            tables: Tables::default(),
            track: Track::default(),
            tracks: Tracks::All,
            clock: ClockAlone::default(),
            meter: Meter::default(),
            since: Duration::ZERO,
            tick_head: 0,
            ended: None,
        })
    }

    /// From now on the ring carries this programme; what was in it is forgotten.
    pub fn assign(&mut self, programme: &Programme, identity: &Identity, now: Duration) {
        self.assign_only(Tracks::All, programme, identity, now);
    }

    /// The same of these components alone. Where their clock is on the PID of another one, that PID's packets are to
    /// come by [`ServiceRing::push`], which leaves of them what tells the time.
    pub fn assign_only(&mut self, tracks: Tracks, programme: &Programme, identity: &Identity, now: Duration) {
        self.tracks = tracks;
        let programme = &*self.reduced(programme);
        self.ring.clear();
        self.tables.reset();
        (self.track, self.meter) = (Track::default(), Meter::default());
        self.track.follow(programme, |_| false);
        self.tables.describe(programme, identity);
        self.since = now;
        self.ended = None;
    }

    /// The programme changed while it runs: new tables, at once, and a new set of components to follow.
    pub fn update(&mut self, programme: &Programme, identity: &Identity, now: Duration) {
        let programme = &*self.reduced(programme);
        if self.track.follow(programme, |pid| self.tables.carried(pid)) {
            self.track.segments.break_at(self.ring.head());
        }
        if self.tables.describe(programme, identity) {
            self.write_tables(now, self.track.last_pcr());
        }
    }

    /// What the ring carries of a programme.
    fn reduced<'p>(&mut self, programme: &'p Programme) -> Cow<'p, Programme> {
        let programme = programme.only(self.tracks);
        self.clock = match self.tracks {
            Tracks::All => ClockAlone::default(),
            Tracks::Audio => std::mem::take(&mut self.clock).following(&programme),
        };
        programme
    }

    /// What it carries of its programme.
    #[must_use]
    pub fn tracks(&self) -> Tracks {
        self.tracks
    }

    /// Nothing more will be written. Readers get what is there, then this.
    pub fn end(&mut self, why: Ended) {
        self.ended = Some(why);
    }

    /// Why nothing more will be written.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// A packet's payload was scrambled lately; `None` while no packet came.
    #[must_use]
    pub fn is_scrambled(&self) -> Option<bool> {
        self.track.is_scrambled()
    }

    /// Bits a second that it got in the last seconds, our tables with them; `None` while that is not known.
    #[must_use]
    pub fn rate(&self) -> Option<u32> {
        self.meter.rate()
    }

    /// Before packets are pushed: writes our tables at the start, and wherever the stream's own clock does not say when.
    pub fn begin(&mut self, now: Duration) {
        self.begin_tick(now);
        if self.tables.is_due(now, Duration::ZERO) {
            self.write_tables(now, self.track.last_pcr());
        }
    }

    /// Before a read straight into the ring, where nothing can be written in between: writes our tables when after
    /// `tick` it would be too late.
    pub fn begin_in_place(&mut self, now: Duration, tick: Duration) {
        self.begin_tick(now);
        if self.tables.is_due(now, tick) {
            self.write_tables(now, self.track.last_pcr());
        }
    }

    /// What comes next does not follow what came last: on each PID its first packet is announced as a break, as long as
    /// it comes by [`ServiceRing::push`].
    pub fn expect_break(&mut self) {
        self.track.expect_break();
        self.track.segments.break_at(self.ring.head());
    }

    /// The first packet behind a break has not come on every PID.
    #[must_use]
    pub fn expects_break(&self) -> bool {
        self.track.expects_break()
    }

    /// Copies one elementary packet to the head.
    pub fn push(&mut self, packet: Packet<'_>, now: Duration) {
        if self.clock.is_on(packet.pid()) {
            let Some(clock) = self.clock.reduced(packet) else { return };
            return Packet::new(&clock).map_or((), |clock| self.put(clock, now));
        }
        self.put(packet, now);
    }

    fn put(&mut self, packet: Packet<'_>, now: Duration) {
        let pcr = packet.pcr().filter(|_| packet.pid() == self.track.pcr_pid());
        let last = self.track.last_pcr();
        if pcr.is_some_and(|pcr| self.tables.is_due_by(pcr, last)) {
            self.write_tables(now, pcr); // a long read: its own clock says that tables are due
        }
        if self.track.take_break(packet, now) {
            let last = packet.counter().wrapping_sub(u8::from(packet.has_payload()));
            self.ring.write(&discontinuity(packet.pid(), last, pcr));
        }
        self.track.observe(packet, self.ring.head(), now, &self.tables);
        self.ring.write(packet.bytes());
    }

    /// Room at the head for a read straight into the ring, a whole number of packets.
    pub fn room(&mut self) -> &mut [u8] {
        self.ring.room(READ_MAX)
    }

    /// Makes the first `len` bytes of the room readable, without the packets that `wanted` refuses. Those behind a
    /// refused one close up; otherwise none is moved.
    pub fn settle(&mut self, len: usize, now: Duration, mut wanted: impl FnMut(&[u8; PACKET]) -> bool) {
        let head = self.ring.head();
        let slots = self.ring.room(len).as_chunks_mut::<PACKET>().0;
        let mut kept = 0;
        for at in 0..slots.len() {
            if !wanted(&slots[at]) {
                continue;
            }
            if kept != at {
                slots[kept] = slots[at];
            }
            let Ok(packet) = Packet::new(&slots[kept]) else { continue };
            self.track.observe(packet, head + (kept * PACKET) as u64, now, &self.tables);
            kept += 1;
        }
        self.ring.commit(kept * PACKET);
    }

    /// Writes a section of the mux at the head, on its own PID with our counter: EIT, TDT, TOT.
    pub fn write_section(&mut self, pid: Pid, section: Section<'_>) {
        let ring = &mut self.ring;
        self.tables.pass_on(pid, section, |packet| ring.write(packet));
    }

    /// The newest place to start at, or `None` while one may still come. See [`rap_index`].
    #[must_use]
    pub fn start(&self, now: Duration) -> Option<Rap> {
        let age_max = Duration::from_millis(board::START_AGE_MAX_MS);
        let found = self.track.raps.start(now, age_max, self.ring.oldest());
        found.or_else(|| {
            // Never hold bytes back for long: from here on the newest PES start has to do.
            let waited = now.saturating_sub(self.since) >= age_max;
            self.track.newest_start().filter(|_| waited).filter(|s| s.position >= self.ring.oldest())
        })
    }

    /// The newest place to go on from for a reader that fell behind; it is after `position`.
    #[must_use]
    pub fn resume(&self, position: Position) -> Option<Rap> {
        let newest = self.track.raps.newest().or_else(|| self.track.newest_start());
        newest.filter(|rap| rap.position > position && rap.position >= self.ring.oldest())
    }

    /// The random access point at exactly that position, while it is known.
    #[must_use]
    pub fn rap_at(&self, position: Position) -> Option<Rap> {
        let newest_start = self.track.newest_start().filter(|s| s.position == position);
        self.track.raps.at(position).or(newest_start).or_else(|| self.segment_start(position))
    }

    /// The bytes from `position`, as one slice.
    pub fn window(&self, position: Position, max: usize) -> Result<&[u8], Overrun> {
        self.ring.window(position, max)
    }

    /// Where the next byte goes.
    #[must_use]
    pub fn head(&self) -> Position {
        self.ring.head()
    }

    /// The oldest byte that is left.
    #[must_use]
    pub fn oldest(&self) -> Position {
        self.ring.oldest()
    }

    /// Bytes it holds at most.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.ring.capacity()
    }

    /// When the byte at `position` was written, about; `None` while no place to start is known.
    #[must_use]
    pub fn written_at(&self, position: Position, now: Duration) -> Option<Duration> {
        self.track.raps.written_at(position, (self.ring.head(), now))
    }

    /// Bytes that came in this tick: what every reader needs not to fall farther behind.
    #[must_use]
    pub fn grown(&self) -> usize {
        usize::try_from(self.ring.head() - self.tick_head).unwrap_or(usize::MAX)
    }

    /// A reader farther behind than this has to jump now, while its old data is still there: the capacity less one
    /// GOP and what one tick may read.
    #[must_use]
    pub fn lag_limit(&self) -> u64 {
        let gop = self.track.raps.gop_bytes().min(self.ring.capacity() / 2);
        self.ring.capacity() - gop - self.tick_bytes()
    }

    /// The bytes from `position` will still be there after the next reads.
    #[must_use]
    pub fn keeps(&self, position: Position) -> bool {
        position >= self.ring.oldest() + self.tick_bytes()
    }

    /// The same where what was in the ring before its present use does not count: there is nothing to be kept from.
    #[must_use]
    pub fn holds(&self, position: Position) -> bool {
        let lapped = (self.ring.head() + self.tick_bytes()).saturating_sub(self.ring.capacity());
        position >= lapped.max(self.ring.floor())
    }

    /// Where the access unit that `position` is in ends: the next packet that begins one on the main PID. `position`
    /// itself where none is near.
    #[must_use]
    pub fn unit_after(&self, position: Position) -> Position {
        let packet = position.next_multiple_of(PACKET as u64);
        let near = self.ring.window(packet, UNIT_MAX).unwrap_or_default();
        let begins = |slot: &[u8; PACKET]| slot[1] & 0x40 != 0 && pid_of(slot) == self.track.main();
        let units = near.as_chunks::<PACKET>().0.iter().position(begins);
        units.map_or(position, |n| packet + (n * PACKET) as u64)
    }

    fn begin_tick(&mut self, now: Duration) {
        self.tick_head = self.ring.head();
        if self.track.is_scrambled().is_some() {
            self.meter.see(now, self.tick_head); // packets come
        }
    }

    fn tick_bytes(&self) -> u64 {
        (TICK_READS * READ_MAX as u64).min(self.ring.capacity() / 4)
    }

    fn write_tables(&mut self, now: Duration, pcr: Option<Ticks27M>) {
        let ring = &mut self.ring;
        self.tables.write(now, pcr, |packet| ring.write(packet));
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

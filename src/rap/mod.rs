//! Random access points: where a decoder can start.
//!
//! Owns reading the head of each access unit of one PID, as far as it takes to know. Knows nothing of rings, positions
//! or clocks, and decodes nothing. The caller keeps where a unit began and decides what to do where none is found.
//!
//! Only the first access unit of a PES packet counts: DVB begins one PES packet per access unit or field pair, and a
//! client starts at a PES packet.

use crate::ts::{Packet, clock::Ticks90k};

mod avs;
mod h264;
mod hevc;
mod mpeg2;
#[cfg(test)]
mod naive;
mod pes;
mod start_code;
#[cfg(test)]
mod tests;

/// How the units of a service's main PID are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    Hevc,
    /// ISO 13818-2, and ISO 11172-2 before it.
    Mpeg2Video,
    /// GB/T 20090.2 and its successors.
    Avs,
    /// Radio: every PES packet can be started at.
    Audio,
    /// Video of a kind we cannot read: no unit is ever known to be a random access point.
    Other,
}

/// What one packet told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// A PES packet, so an access unit, begins in this packet.
    pub starts: Option<Start>,
    /// The unit begun last, maybe in this very packet, is now known to be a random access point. Once per unit.
    pub random_access: bool,
    /// `random_access_indicator` is set. What it is worth is the caller's to say.
    pub indicated: bool,
}

/// The beginning of a PES packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its presentation time. `None` also where it is scrambled, or not whole in this packet.
    pub pts: Option<Ticks90k>,
}

/// Reads the units of one PID, packet by packet.
pub struct Scanner {
    codec: Codec,
    /// Counter of the payload packet before; `None` where any may follow.
    last: Option<u8>,
    state: State,
}

const _: () = assert!(size_of::<Scanner>() <= 32, "a scanner is kept per service");

/// What the next byte of payload is.
enum State {
    /// Nothing to us: no unit has begun, or the one begun is decided or torn.
    Waiting,
    /// In the head of a PES packet.
    Header(pes::Header),
    /// In an access unit that is not decided.
    Unit(start_code::StartCodes, Unit),
}

enum Unit {
    H264(h264::Unit),
    Hevc,
    Mpeg2Video(mpeg2::Unit),
    Avs(avs::Unit),
}

impl Scanner {
    /// Waits for the first unit.
    #[must_use]
    pub const fn new(codec: Codec) -> Self {
        Self { codec, last: None, state: State::Waiting }
    }

    /// Takes the next packet of the PID. A duplicate packet tells nothing.
    ///
    /// Where packets are missing, or `discontinuity_indicator` says so, the unit under way is given up: bytes of two
    /// units never join. A scrambled packet ends it too; of scrambled units only the beginning is told.
    pub fn push(&mut self, packet: Packet<'_>) -> Finding {
        if self.is_duplicate(packet) {
            return Finding::default();
        }
        self.follow(packet);
        let mut finding = Finding { indicated: packet.is_random_access(), ..Finding::default() };
        if packet.is_scrambled() && packet.has_payload() {
            self.state = State::Waiting;
            finding.starts = packet.starts_unit().then_some(Start { pts: None });
            return finding;
        }
        let payload = packet.payload();
        if packet.starts_unit() && packet.has_payload() {
            finding.starts = pes::start(payload);
            finding.random_access = finding.starts.is_some() && self.codec == Codec::Audio;
            self.state = State::Header(pes::Header::default());
        }
        finding.random_access |= self.read(payload);
        finding
    }

    /// Takes the next packet of the PID where it is [plain](Packet::is_plain) and no unit is under way: it tells nothing.
    /// False where it is to be [pushed](Self::push).
    #[inline]
    pub fn skip(&mut self, packet: Packet<'_>) -> bool {
        let tells_nothing = packet.is_plain() && matches!(self.state, State::Waiting);
        if tells_nothing {
            self.last = Some(packet.counter());
        }
        tells_nothing
    }

    /// ISO 13818-1 §2.4.3.3 allows to send a packet twice.
    fn is_duplicate(&self, packet: Packet<'_>) -> bool {
        packet.has_payload() && self.last == Some(packet.counter()) && !packet.is_discontinuity()
    }

    /// Gives up the unit under way where `packet` does not continue it.
    fn follow(&mut self, packet: Packet<'_>) {
        if packet.is_discontinuity() {
            self.last = None;
            self.state = State::Waiting;
        }
        if packet.has_payload() {
            let expected = self.last.map(|counter| (counter + 1) & 0x0f);
            if expected.is_some_and(|counter| counter != packet.counter()) {
                self.state = State::Waiting;
            }
            self.last = Some(packet.counter());
        }
    }

    /// Reads until the unit is decided. True where it is found to be a random access point.
    fn read(&mut self, payload: &[u8]) -> bool {
        for &byte in payload {
            match &mut self.state {
                State::Waiting => return false,
                State::Header(header) => match header.byte(byte) {
                    pes::Progress::Within => {}
                    pes::Progress::Complete => self.state = State::unit(self.codec),
                    pes::Progress::Unreadable => self.state = State::Waiting,
                },
                State::Unit(start_codes, unit) => {
                    let decision = start_codes.offset(byte).and_then(|offset| unit.byte(offset, byte));
                    if let Some(decision) = decision {
                        self.state = State::Waiting;
                        return decision;
                    }
                }
            }
        }
        false
    }
}

impl State {
    /// At the first byte of an access unit.
    fn unit(codec: Codec) -> Self {
        let unit = match codec {
            Codec::H264 => Unit::H264(h264::Unit::default()),
            Codec::Hevc => Unit::Hevc,
            Codec::Mpeg2Video => Unit::Mpeg2Video(mpeg2::Unit::default()),
            Codec::Avs => Unit::Avs(avs::Unit::default()),
            Codec::Audio | Codec::Other => return Self::Waiting,
        };
        Self::Unit(start_code::StartCodes::default(), unit)
    }
}

impl Unit {
    /// Takes the byte at `offset` behind a start code prefix. Gives the answer once it is known.
    fn byte(&mut self, offset: u32, byte: u8) -> Option<bool> {
        match self {
            Self::H264(unit) => unit.byte(offset, byte),
            Self::Hevc => hevc::decide(offset, byte),
            Self::Mpeg2Video(unit) => unit.byte(offset, byte),
            Self::Avs(unit) => unit.byte(offset, byte),
        }
    }
}

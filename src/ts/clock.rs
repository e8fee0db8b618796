//! The stream's own clocks: PCR on 27 MHz, PTS and DTS on 90 kHz, both of which wrap every 26.5 hours.

/// A time stamp of the stream, below `WRAP`, where it begins again at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks<const WRAP: u64>(u64);

/// A programme clock reference: ticks of 27 MHz (ISO 13818-1 §2.4.3.5).
pub type Ticks27M = Ticks<{ (1 << 33) * 300 }>;

/// A presentation or decoding time stamp: ticks of 90 kHz (ISO 13818-1 §2.4.3.7).
pub type Ticks90k = Ticks<{ 1 << 33 }>;

impl<const WRAP: u64> Ticks<WRAP> {
    /// Where it wraps.
    pub const WRAP: u64 = WRAP;

    /// `ticks`, wrapped.
    #[must_use]
    pub const fn new(ticks: u64) -> Self {
        Self(ticks % WRAP)
    }

    /// 0 to `WRAP` − 1.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// `ticks` later.
    #[must_use]
    pub const fn plus(self, ticks: u64) -> Self {
        Self((self.0 + ticks % WRAP) % WRAP)
    }

    /// Ticks since `earlier`, across a wrap. A clock that went back reads as almost a whole turn.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        (self.0 + WRAP - earlier.0) % WRAP
    }
}

impl Ticks27M {
    /// One second.
    pub const SECOND: u64 = 27_000_000;

    /// The six bytes of an adaptation field: 33 bits of base, 6 reserved ones, 9 bits of extension.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 6] {
        let field = (self.0 / 300) << 15 | 0x7e00 | (self.0 % 300);
        let [_, _, bytes @ ..] = field.to_be_bytes();
        bytes
    }
}

impl Ticks90k {
    /// Reads the five bytes of a PES header: 4 bits of prefix, then 3 + 15 + 15 bits, a marker after each.
    #[must_use]
    pub fn from_bytes(b: [u8; 5]) -> Self {
        let [b0, b1, b2, b3, b4] = b.map(u64::from);
        Self((b0 >> 1 & 7) << 30 | b1 << 22 | (b2 >> 1) << 15 | b3 << 7 | b4 >> 1)
    }

    /// The five bytes of a PES header, with the prefix of `prefix`'s high nibble.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "each byte takes its own bits")]
    pub fn to_bytes(self, prefix: u8) -> [u8; 5] {
        let t = self.0;
        [
            prefix & 0xf0 | (t >> 29) as u8 & 0x0e | 1,
            (t >> 22) as u8,
            (t >> 14) as u8 & 0xfe | 1,
            (t >> 7) as u8,
            (t << 1) as u8 | 1,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_cross_the_wrap() {
        let before = Ticks27M::new(Ticks27M::WRAP - 10);
        assert_eq!(before.plus(15), Ticks27M::new(5));
        assert_eq!(before.plus(15).since(before), 15);
    }

    #[test]
    fn time_stamps_survive_their_bytes() {
        for t in [0, 1, 0x1_2345_6789, Ticks90k::WRAP - 1] {
            let bytes = Ticks90k::new(t).to_bytes(0x31);
            assert_eq!(Ticks90k::from_bytes(bytes).value(), t);
            assert_eq!((bytes[0] & 0xf1, bytes[2] & 1, bytes[4] & 1), (0x31, 1, 1));
        }
    }
}

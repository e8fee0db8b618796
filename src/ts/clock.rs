//! The stream's own clocks: PCR on 27 MHz, PTS and DTS on 90 kHz, both of which wrap every 26.5 hours.

/// A programme clock reference: ticks of 27 MHz, below [`Ticks27M::WRAP`] (ISO 13818-1 §2.4.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks27M(u64);

impl Ticks27M {
    /// Where it wraps: 2^33 ticks of 90 kHz.
    pub const WRAP: u64 = (1 << 33) * 300;
    /// One second.
    pub const SECOND: u64 = 27_000_000;

    /// `ticks`, wrapped.
    #[must_use]
    pub const fn new(ticks: u64) -> Self {
        Self(ticks % Self::WRAP)
    }

    /// 0 to `WRAP` − 1.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// `ticks` later.
    #[must_use]
    pub const fn plus(self, ticks: u64) -> Self {
        Self((self.0 + ticks % Self::WRAP) % Self::WRAP)
    }

    /// Ticks since `earlier`, across a wrap. A clock that went back reads as almost a whole turn.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        (self.0 + Self::WRAP - earlier.0) % Self::WRAP
    }

    /// The six bytes of an adaptation field: 33 bits of base, 6 reserved ones, 9 bits of extension.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 6] {
        let field = (self.0 / 300) << 15 | 0x7e00 | (self.0 % 300);
        let [_, _, bytes @ ..] = field.to_be_bytes();
        bytes
    }
}

/// A presentation or decoding time stamp: ticks of 90 kHz, below 2^33 (ISO 13818-1 §2.4.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks90k(u64);

impl Ticks90k {
    /// Where it wraps.
    pub const WRAP: u64 = 1 << 33;

    /// `ticks`, wrapped.
    #[must_use]
    pub const fn new(ticks: u64) -> Self {
        Self(ticks % Self::WRAP)
    }

    /// 0 to `WRAP` − 1.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// `ticks` later.
    #[must_use]
    pub const fn plus(self, ticks: u64) -> Self {
        Self((self.0 + ticks % Self::WRAP) % Self::WRAP)
    }

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

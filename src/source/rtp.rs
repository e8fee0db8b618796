//! The header of an RTP datagram (RFC 3550 §5.1), and whether a transport stream is behind it (RFC 2250 §2).
//!
//! ```text
//!  0        1        2                 4                 8                 12
//! +--+-+-+----+-+-------+-----------------+-----------------+-----------------+- - - - - - - - - - - - - +
//! |V2|P|X| CC |M|  PT   | sequence number | time stamp      | SSRC            | CC × CSRC, extension     |
//! +--+-+-+----+-+-------+-----------------+-----------------+-----------------+- - - - - - - - - - - - - +
//! ```

use std::ops::Range;

use crate::ts::PACKET;
use crate::ts::packet::SYNC;

/// Bytes of a header without its optional parts.
const FIXED: usize = 12;
/// The payload type of transport streams (RFC 3551 §6).
const MP2T: u8 = 33;

/// The bytes of a datagram, in the pieces it was received in.
#[derive(Clone, Copy)]
pub(super) struct Pieces<'a>(pub(super) [&'a [u8]; 3]);

impl Pieces<'_> {
    /// Bytes in all.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|piece| piece.len()).sum()
    }

    /// Byte `at` of the datagram.
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        let [lead, slot, tail] = self.0;
        let found = lead.get(at).or_else(|| slot.get(at - lead.len()));
        found.or_else(|| tail.get(at - lead.len() - slot.len())).copied()
    }

    /// `part` is whole transport packets, by length and sync bytes, and at least one.
    pub(super) fn is_packets(&self, part: &Range<usize>) -> bool {
        !part.is_empty()
            && part.len().is_multiple_of(PACKET)
            && part.clone().step_by(PACKET).all(|at| self.byte(at) == Some(SYNC))
    }

    fn be16(&self, at: usize) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte(at)?, self.byte(at + 1)?]))
    }
}

/// What an RTP header says. Holding one proves version 2, and that the payload ends inside the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The stream, and the place in it.
    pub(super) stamp: Stamp,
    /// Payload type, 0 to 127.
    pub(super) payload_type: u8,
    /// The payload's bytes in the datagram, without padding.
    pub(super) payload: Range<usize>,
}

/// Which datagram of which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The sender's stream: SSRC.
    pub(super) stream: u32,
    /// Goes up by one each datagram, and from 65535 to 0.
    pub(super) sequence: u16,
}

/// Why a datagram is not RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RtpError {
    /// It ends within the header.
    Short,
    /// The version is not 2.
    Version,
    /// More padding than payload, or none where it is announced.
    Padding,
}

impl Header {
    /// Reads the header of `datagram`.
    pub(super) fn parse(datagram: &Pieces<'_>) -> Result<Self, RtpError> {
        let byte = |at| datagram.byte(at).ok_or(RtpError::Short);
        let word = |at| datagram.be16(at).ok_or(RtpError::Short);
        let flags = byte(0)?;
        if flags >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let stream = u32::from(word(8)?) << 16 | u32::from(word(10)?);
        let mut start = FIXED + 4 * usize::from(flags & 0x0f);
        if flags & 0x10 != 0 {
            // RFC 3550 §5.3.1: 16 bits of the profile's, then the number of 32-bit words that follow.
            start += 4 + 4 * usize::from(word(start + 2)?);
        }
        let len = datagram.len();
        let body = len.checked_sub(start).ok_or(RtpError::Short)?;
        let padding = if flags & 0x20 == 0 { 0 } else { usize::from(byte(len - 1)?) };
        // The last byte of the padding counts itself.
        if padding > body || flags & 0x20 != 0 && padding == 0 {
            return Err(RtpError::Padding);
        }
        let stamp = Stamp { stream, sequence: word(2)? };
        Ok(Self { stamp, payload_type: byte(1)? & 0x7f, payload: start..len - padding })
    }

    /// The payload is a transport stream: it says so, or what is in it shows it.
    pub(super) fn carries_packets(&self, datagram: &Pieces<'_>) -> bool {
        self.payload_type == MP2T || datagram.is_packets(&self.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Payload type 33, marker set, sequence number 0xfffe, SSRC 0x01020304.
    const PLAIN: [u8; 12] = [0x80, 0xa1, 0xff, 0xfe, 9, 9, 9, 9, 1, 2, 3, 4];
    const STAMP: Stamp = Stamp { stream: 0x0102_0304, sequence: 0xfffe };

    /// What is read of `bytes`, however they are cut in pieces.
    fn parse(bytes: &[u8]) -> Result<Header, RtpError> {
        let whole = Header::parse(&Pieces([bytes, &[], &[]]));
        for (a, b) in [(0, 0), (0, 4), (1, 3), (12, 14), (12, 20), (14, 15)] {
            let (rest, tail) = bytes.split_at(b.min(bytes.len()));
            let (lead, slot) = rest.split_at(a.min(rest.len()));
            assert_eq!(Header::parse(&Pieces([lead, slot, tail])), whole, "cut at {a} and {b}");
        }
        whole
    }

    fn with(flags: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = [&PLAIN, rest].concat();
        bytes[0] |= flags;
        bytes
    }

    #[test]
    fn every_optional_part_is_left_out_of_the_payload() {
        let found = |payload| Ok(Header { stamp: STAMP, payload_type: 33, payload });
        assert_eq!(parse(&PLAIN), found(12..12));
        assert_eq!(parse(&with(0, &[0x47; 5])), found(12..17));
        assert_eq!(parse(&with(0x02, &[0; 9])), found(20..21));
        assert_eq!(parse(&with(0x10, &[0xbe, 0xde, 0, 1, 5, 5, 5, 5, 6])), found(20..21));
        assert_eq!(parse(&with(0x11, &[1, 1, 1, 1, 0, 0, 0, 0, 6])), found(20..21));
        assert_eq!(parse(&with(0x20, &[7, 7, 0, 0, 3])), found(12..14));
        assert_eq!(parse(&with(0x20, &[1])), found(12..12));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for end in 1..12 {
            assert_eq!(parse(&PLAIN[..end]), Err(RtpError::Short));
        }
        assert_eq!(parse(&[]), Err(RtpError::Short));
        assert_eq!(parse(&[0x47; 188]), Err(RtpError::Version));
        assert_eq!(parse(&with(0x40, &[])), Err(RtpError::Version));
        assert_eq!(parse(&with(0x01, &[0; 3])), Err(RtpError::Short));
        assert_eq!(parse(&with(0x10, &[0; 3])), Err(RtpError::Short));
        assert_eq!(parse(&with(0x10, &[0, 0, 0xff, 0xff])), Err(RtpError::Short));
        assert_eq!(parse(&with(0x20, &[0])), Err(RtpError::Padding));
        assert_eq!(parse(&with(0x20, &[4, 4, 4])), Err(RtpError::Padding));
    }

    #[test]
    fn a_payload_of_another_type_must_show_its_packets() {
        let carries = |payload_type, payload: &[u8]| {
            let mut bytes = with(0, payload);
            bytes[1] = payload_type;
            let pieces = Pieces([&bytes, &[], &[]]);
            Header::parse(&pieces).unwrap().carries_packets(&pieces)
        };
        let mut two = [0; 2 * PACKET];
        (two[0], two[PACKET]) = (SYNC, SYNC);
        assert!(carries(33, &two) && carries(96, &two) && carries(0x80 | 97, &two));
        assert!(carries(33, &two[1..]) && !carries(96, &two[1..]) && !carries(96, &[]));
        two[PACKET] = 0;
        assert!(carries(33, &two) && !carries(96, &two));
    }

    proptest::proptest! {
        #[test]
        fn any_datagram_is_survived(
            flags in proptest::num::u8::ANY,
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80),
        ) {
            let _refused = parse(&bytes);
            if let Ok(header) = parse(&with(flags, &bytes)) {
                let len = 12 + bytes.len();
                proptest::prop_assert!(header.payload.start <= header.payload.end && header.payload.end <= len);
            }
        }
    }
}

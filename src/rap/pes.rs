//! The head of a PES packet (ISO 13818-1 §2.4.3.6 and §2.4.3.7).
//!
//! ```text
//!  0  1  2   3          4 5     6                    7                      8       9 ..
//! +--+--+--+-----------+-------+--------------------+----------------------+-------+-------------+---------+
//! |00|00|01| stream_id | bytes | 10, scrambling, .. | PTS_DTS_flags, ..    | N     | N bytes     | payload |
//! +--+--+--+-----------+-------+--------------------+----------------------+-------+-------------+---------+
//! ```
//!
//! Owns finding the payload and the PTS. `PES_packet_length` is not used: a unit ends where the next one begins.

use super::Start;
use crate::ts::clock::Ticks90k;

/// What a transport payload with `payload_unit_start_indicator` says; `None` where no unit of a stream begins in it.
///
/// The PTS is read where `payload` holds it whole; bytes of the next packet are not waited for.
pub(super) fn start(payload: &[u8]) -> Option<Start> {
    let begins = (0..).zip(payload).take(4).all(|(at, &byte)| fits(at, byte));
    begins.then(|| Start { pts: pts(payload) })
}

fn pts(payload: &[u8]) -> Option<Ticks90k> {
    let &[_, _, _, _, _, _, marker, flags, length, ref field @ ..] = payload else { return None };
    let present = marker & 0xc0 == 0x80 && flags & 0x80 != 0 && length >= 5;
    field.first_chunk().filter(|_| present).map(|bytes| Ticks90k::from_bytes(*bytes))
}

/// Whether `byte` may stand at `at` in the head of a stream's PES packet.
fn fits(at: u16, byte: u8) -> bool {
    match at {
        0 | 1 => byte == 0,
        2 => byte == 1,
        // private_stream_1, audio, video, extended_stream_id: Table 2-22
        3 => matches!(byte, 0xbd | 0xc0..=0xef | 0xfd),
        _ => true,
    }
}

/// Skips the head, which may go on in the next packet.
#[derive(Default)]
pub(super) struct Header {
    /// Bytes taken, at most 9 + 255.
    at: u16,
    /// `PES_header_data_length`, known from the ninth byte on.
    length: u8,
}

/// Where a byte left a [`Header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The next byte belongs to it too.
    Within,
    /// The next byte is payload.
    Complete,
    /// What follows is no payload that can be read: another structure, or scrambled.
    Unreadable,
}

impl Header {
    /// Takes the next byte.
    pub(super) fn byte(&mut self, byte: u8) -> Progress {
        match self.at {
            // the bits 10, then PES_scrambling_control
            6 if byte & 0xf0 != 0x80 => return Progress::Unreadable,
            8 => self.length = byte,
            at if !fits(at, byte) => return Progress::Unreadable,
            _ => {}
        }
        self.at += 1;
        if self.at == 9 + u16::from(self.length) { Progress::Complete } else { Progress::Within }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static HEAD: [u8; 15] = [0, 0, 1, 0xe0, 0, 0, 0x84, 0x80, 6, 0x21, 0, 1, 0, 3, 0xff];

    fn ends(head: &[u8]) -> Option<(usize, Progress)> {
        let mut header = Header::default();
        let mut steps = head.iter().map(|&byte| header.byte(byte)).enumerate();
        steps.find(|(_, progress)| *progress != Progress::Within)
    }

    #[test]
    fn a_head_ends_where_its_length_says() {
        assert_eq!(ends(&HEAD), Some((14, Progress::Complete)));
        let mut head = HEAD;
        head[8] = 0;
        assert_eq!(ends(&head), Some((8, Progress::Complete)));
        head[8] = 7;
        assert_eq!(ends(&head), None);
        let mut longest = [0xff; 9 + 255];
        longest[..8].copy_from_slice(&HEAD[..8]);
        assert_eq!(ends(&longest), Some((263, Progress::Complete)));
    }

    #[test]
    fn what_is_no_readable_unit_is_told_apart() {
        for (at, byte) in [(0, 1), (1, 1), (2, 0), (3, 0xbe), (3, 0xbf), (3, 0xf0), (6, 0x04), (6, 0x94)] {
            let mut head = HEAD;
            head[at] = byte;
            assert_eq!(ends(&head), Some((at, Progress::Unreadable)), "byte {at}");
            assert_eq!(start(&head).is_some(), at == 6, "byte {at}");
        }
    }

    #[test]
    fn the_pts_is_read_where_it_is_whole() {
        let pts = |head: &[u8]| start(head).unwrap().pts;
        assert_eq!(pts(&HEAD), Some(Ticks90k::new(1)));
        assert_eq!(pts(&HEAD[..14]), Some(Ticks90k::new(1)));
        assert!((0..14).all(|n| pts(&HEAD[..n]).is_none()));
        for (at, byte) in [(6, 0x44), (7, 0x00), (8, 4)] {
            let mut head = HEAD;
            head[at] = byte;
            assert_eq!(pts(&head), None);
        }
    }
}

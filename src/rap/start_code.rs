//! Start codes: the prefix 00 00 01 that precedes every unit of a video byte stream, found byte by byte.
//!
//! Owns the bytes between two packets, so that a prefix cut by a packet's end is found all the same. Knows no codec.

/// Finds start code prefixes (ITU-T H.264 and H.265 Annex B, ISO 13818-2 §5.2.3 and §6.2.1).
#[derive(Default)]
pub(super) struct StartCodes {
    /// Zero bytes seen last, 0 to 2.
    zeros: u8,
    /// Offset of the next byte; `None` until a prefix was seen.
    next: Option<u32>,
}

impl StartCodes {
    /// Takes the next byte. Gives its offset behind the newest prefix: 0 is the start code value or the first byte
    /// of the NAL header. `None` before the first prefix, and for the byte that ends a prefix.
    ///
    /// The zeros of a prefix count as bytes of the unit before it: nobody can tell before the 01.
    pub(super) fn offset(&mut self, byte: u8) -> Option<u32> {
        let ends_prefix = self.zeros == 2 && byte == 1;
        self.zeros = if byte == 0 { (self.zeros + 1).min(2) } else { 0 };
        if ends_prefix {
            self.next = Some(0);
            return None;
        }
        let offset = self.next?;
        self.next = Some(offset.saturating_add(1));
        Some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_behind_each_prefix() {
        let mut codes = StartCodes::default();
        let bytes = [9, 0, 1, 0, 0, 0, 0, 1, 7, 8, 0, 0, 2, 0, 0, 1, 0, 0, 1, 6];
        let offsets = bytes.map(|b| codes.offset(b));
        let before = [None; 8];
        assert_eq!(offsets[..8], before);
        assert_eq!(offsets[8..15], [0, 1, 2, 3, 4, 5, 6].map(Some));
        assert_eq!(offsets[15..], [None, Some(0), Some(1), None, Some(0)]);
    }
}

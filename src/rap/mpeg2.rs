//! MPEG-2 video: which unit a decoder can start at (ISO 13818-2 §6.2).

/// `picture_start_code` (Table 6-1).
const PICTURE: u8 = 0x00;
/// `sequence_header_code` (Table 6-1).
const SEQUENCE: u8 = 0xb3;
/// `picture_coding_type` of an I picture (Table 6-12).
const INTRA: u8 = 1;

/// The unit under way: its first picture header decides. Of a field pair that is the first field, which may be I
/// where the second is P. Slices in front of it belong to a picture begun in the PES packet before.
#[derive(Default)]
pub(super) struct Unit {
    has_sequence: bool,
    in_picture: bool,
}

impl Unit {
    /// Takes the byte at `offset` behind a prefix. Gives the answer once it is known: true for a random access point.
    pub(super) fn byte(&mut self, offset: u32, byte: u8) -> Option<bool> {
        match offset {
            0 => {
                self.in_picture = byte == PICTURE;
                self.has_sequence |= byte == SEQUENCE;
                None
            }
            // picture_header: 10 bits of temporal_reference, then 3 of picture_coding_type (§6.2.3)
            2 if self.in_picture => Some(self.has_sequence && byte >> 3 & 7 == INTRA),
            _ => None,
        }
    }
}

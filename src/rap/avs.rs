//! AVS: which unit a decoder can start at (GB/T 20090.2 and GB/T 20090.16, the table of start codes).

/// `video_sequence_start_code`.
const SEQUENCE: u8 = 0xb0;
/// `i_picture_start_code`.
const INTRA_PICTURE: u8 = 0xb3;
/// `pb_picture_start_code`.
const INTER_PICTURE: u8 = 0xb6;

/// The unit under way: its first picture decides.
#[derive(Default)]
pub(super) struct Unit {
    has_sequence: bool,
}

impl Unit {
    /// Takes the byte at `offset` behind a prefix. Gives the answer once it is known: true for a random access point.
    pub(super) fn byte(&mut self, offset: u32, byte: u8) -> Option<bool> {
        match (offset, byte) {
            (0, SEQUENCE) => self.has_sequence = true,
            (0, INTRA_PICTURE) => return Some(self.has_sequence),
            (0, INTER_PICTURE) => return Some(false),
            _ => {}
        }
        None
    }
}

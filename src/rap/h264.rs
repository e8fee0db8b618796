//! H.264: which unit a decoder can start at (ITU-T H.264 7.3.1, 7.4.1.2).
//!
//! That is an IDR picture, or a picture with a sequence parameter set and a recovery point in front. The recovery
//! point of an open GOP is exact at once; that of a periodic intra refresh heals within its `recovery_frame_cnt`.

/// `payloadType` of the recovery point message (Annex D).
const RECOVERY_POINT: u32 = 6;

/// The unit under way: its first slice decides.
#[derive(Default)]
pub(super) struct Unit {
    has_parameters: bool,
    has_recovery_point: bool,
    /// The SEI NAL unit under way.
    sei: Option<Sei>,
}

impl Unit {
    /// Takes the byte at `offset` of a NAL unit. Gives the answer once it is known: true for a random access point.
    pub(super) fn byte(&mut self, offset: u32, byte: u8) -> Option<bool> {
        if offset > 0 {
            if let Some(sei) = &mut self.sei {
                self.has_recovery_point |= sei.begins_recovery_point(byte);
            }
            return None;
        }
        self.sei = None;
        // forbidden_zero_bit, 2 bits of nal_ref_idc, 5 of nal_unit_type: Table 7-1
        match byte & 0x1f {
            1..=4 => return Some(self.has_parameters && self.has_recovery_point), // 3 and 4 never come first
            5 => return Some(true),
            6 => self.sei = Some(Sei::default()),
            7 => self.has_parameters = true,
            _ => {}
        }
        None
    }
}

/// The messages of one SEI NAL unit: a type, a size and as many bytes each (7.3.2.3.1).
///
/// It needs no end: behind the last message come the byte 80 and zeros, which are no recovery point.
#[derive(Default)]
struct Sei {
    /// Zero bytes seen last, 0 to 2.
    zeros: u8,
    field: Field,
    /// Type or size so far, or the bytes of payload still to come.
    value: u32,
}

#[derive(Clone, Copy, Default)]
enum Field {
    #[default]
    Type,
    Size,
    Payload,
}

impl Sei {
    /// Takes the next byte. True where it ends the type of a recovery point message.
    fn begins_recovery_point(&mut self, byte: u8) -> bool {
        let emulation_prevention = self.zeros == 2 && byte == 3; // 7.4.1.1: no part of the payload
        self.zeros = if byte == 0 { (self.zeros + 1).min(2) } else { 0 };
        if emulation_prevention {
            return false;
        }
        match self.field {
            Field::Type => return self.add(byte) && self.turn(Field::Size) == RECOVERY_POINT,
            Field::Size => {
                if self.add(byte) {
                    self.field = if self.value == 0 { Field::Type } else { Field::Payload };
                }
            }
            Field::Payload => {
                self.value -= 1;
                if self.value == 0 {
                    self.field = Field::Type;
                }
            }
        }
        false
    }

    /// Adds a byte of type or size. True where it is the last: a byte ff says that there is one more.
    fn add(&mut self, byte: u8) -> bool {
        self.value = self.value.saturating_add(u32::from(byte));
        byte != 0xff
    }

    /// Goes on to `field` and gives the value of the field before.
    fn turn(&mut self, field: Field) -> u32 {
        self.field = field;
        std::mem::take(&mut self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of `bytes` end the type of a recovery point message.
    fn found(bytes: &[u8]) -> Vec<usize> {
        let mut sei = Sei::default();
        (0..bytes.len()).filter(|&i| sei.begins_recovery_point(bytes[i])).collect()
    }

    #[test]
    fn finds_the_message_among_others() {
        assert_eq!(found(&[6, 1, 0xc4, 0x80]), [0]);
        assert_eq!(found(&[1, 3, 6, 6, 6, 6, 1, 0xc4, 0x80]), [5]);
        assert_eq!(found(&[4, 0, 5, 0, 6, 1, 0xc4, 0x80]), [4]);
    }

    #[test]
    fn long_types_and_sizes_are_summed() {
        assert_eq!(found(&[0xff, 6, 1, 6, 6, 1, 0xc4, 0x80]), [4]); // type 261 first
        let mut long = vec![5, 0xff, 0xff, 2];
        long.extend([6; 512]);
        long.extend([6, 1, 0xc4, 0x80]);
        assert_eq!(found(&long), [4 + 512]);
    }

    #[test]
    fn emulation_prevention_is_no_payload() {
        assert_eq!(found(&[1, 3, 0, 0, 3, 1, 6, 1, 0xc4, 0x80]), [6]);
        assert_eq!(found(&[1, 2, 0, 0, 3, 6, 1, 0xc4, 0x80]), [5]);
        assert_eq!(found(&[0, 0, 3, 6, 1, 0xc4, 0x80]), [3]);
    }
}

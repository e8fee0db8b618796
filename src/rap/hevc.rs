//! HEVC: which unit a decoder can start at (ITU-T H.265 7.4.2.2). The first slice says it all.

/// Takes the byte at `offset` of a NAL unit. Gives the answer once it is known: true for a random access point.
pub(super) fn decide(offset: u32, byte: u8) -> Option<bool> {
    if offset > 0 {
        return None;
    }
    // nal_unit_header: forbidden_zero_bit, 6 bits of nal_unit_type, the high bit of nuh_layer_id (7.3.1.2)
    match byte >> 1 & 0x3f {
        16..=21 => Some(true), // BLA, IDR and CRA: Table 7-1
        0..=31 => Some(false), // any other slice
        _ => None,
    }
}

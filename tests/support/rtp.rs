//! Puts transport packets into RTP datagrams (RFC 3550, RFC 2250).

use super::ts::Packet;

/// The SSRC of all streams made here.
const SSRC: [u8; 4] = *b"test";

/// `stream` in datagrams of seven packets, from sequence number `first` on.
pub fn datagrams(stream: &[Packet], first: u16) -> Vec<Vec<u8>> {
    let sevens = stream.chunks(7).zip(0_u16..);
    sevens.map(|(packets, n)| datagram(33, first.wrapping_add(n), packets.as_flattened())).collect()
}

/// One datagram.
pub fn datagram(payload_type: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let stamp = u32::from(sequence) * 900;
    [&[0x80, payload_type], &sequence.to_be_bytes()[..], &stamp.to_be_bytes(), &SSRC, payload].concat()
}

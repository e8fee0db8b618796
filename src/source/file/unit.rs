//! The bytes of one unit (a PES packet or a section), wherever the packets of its PID lie among the others.

use std::ops::ControlFlow;

use crate::ts::packet::pid_of;
use crate::ts::{PACKET, Packet};

/// Copies the first bytes of the unit that begins in `slots[0]` into `bytes`, and tells how many. Fewer than asked for
/// where the unit is shorter, or goes on behind `slots`, or has lost a packet.
pub(super) fn peek(slots: &mut [[u8; PACKET]], bytes: &mut [u8]) -> usize {
    let mut at = 0;
    walk(slots, bytes.len(), |piece| {
        bytes[at..at + piece.len()].copy_from_slice(piece);
        at += piece.len();
    });
    at
}

/// Puts `bytes` in place of the first bytes of the unit that begins in `slots[0]`.
pub(super) fn poke(slots: &mut [[u8; PACKET]], bytes: &[u8]) {
    let mut rest = bytes;
    walk(slots, bytes.len(), |piece| {
        let (now, later) = rest.split_at(piece.len());
        piece.copy_from_slice(now);
        rest = later;
    });
}

/// Hands the first `wanted` bytes of the unit to `visit`, a packet's share at a time.
fn walk(slots: &mut [[u8; PACKET]], wanted: usize, mut visit: impl FnMut(&mut [u8])) {
    let Some(pid) = slots.first().map(pid_of) else { return };
    let mut left = wanted;
    let mut counter = None;
    for slot in slots.iter_mut().filter(|slot| pid_of(slot) == pid) {
        let piece = match Packet::new(slot) {
            Ok(packet) => next_piece(packet, &mut counter),
            Err(_) => ControlFlow::Continue(0),
        };
        let ControlFlow::Continue(length) = piece else { return };
        let start = PACKET - length;
        let end = start + length.min(left);
        visit(&mut slot[start..end]);
        left -= end - start;
        if left == 0 {
            return;
        }
    }
}

/// Bytes of payload by which `packet` continues the unit; 0 for one that is not part of it, `Break` where it ends.
fn next_piece(packet: Packet<'_>, counter: &mut Option<u8>) -> ControlFlow<(), usize> {
    if !packet.has_payload() || *counter == Some(packet.counter()) {
        return ControlFlow::Continue(0); // adaptation field only, or a duplicate (ISO 13818-1 §2.4.3.3)
    }
    let continues = match *counter {
        None => packet.starts_unit(),
        Some(before) => !packet.starts_unit() && (before + 1) & 0x0f == packet.counter(),
    };
    if !continues || packet.is_scrambled() {
        return ControlFlow::Break(());
    }
    *counter = Some(packet.counter());
    ControlFlow::Continue(packet.payload().len())
}

#[cfg(test)]
mod tests {
    use super::super::sample::packet;
    use super::*;

    fn all(slots: &mut [[u8; PACKET]]) -> Vec<u8> {
        let mut bytes = vec![0; 1000];
        let n = peek(slots, &mut bytes);
        bytes.truncate(n);
        bytes
    }

    #[test]
    fn a_unit_is_found_among_other_packets() {
        let mut slots = [
            packet(0x100, 15, true, None, &[1, 2, 3]),
            packet(0x101, 0, false, None, &[9; 20]),
            packet(0x100, 15, true, None, &[1, 2, 3]),
            packet(0x100, 0, false, None, &[4, 5]),
            packet(0x100, 1, true, None, &[6]),
        ];
        let before = slots;
        assert_eq!(all(&mut slots), [1, 2, 3, 4, 5]);
        poke(&mut slots, &[7, 7, 7, 8]);
        assert_eq!(all(&mut slots), [7, 7, 7, 8, 5]);
        assert_eq!(slots[1..3], before[1..3]);
        assert_eq!(slots[4], before[4]);
    }

    #[test]
    fn a_unit_ends_where_a_packet_is_lost() {
        let mut slots = [packet(0x100, 3, true, None, &[1]), packet(0x100, 5, false, None, &[2])];
        assert_eq!(all(&mut slots), [1]);
        assert_eq!(all(&mut slots[1..]), [0_u8; 0]);
    }
}

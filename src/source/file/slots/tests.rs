//! Slots out of files, sound and damaged.

use std::time::Duration;

use super::super::sample::{Cbr, TempFile};
use super::super::{FileInput, Now};
use super::*;
use crate::ts::Pid;
use crate::ts::clock::Ticks27M;

/// `n` slots whose second byte is their number and whose others cannot be taken for sync bytes.
fn numbered(n: u8) -> Vec<u8> {
    (0..n).flat_map(|i| [[SYNC, i].as_slice(), &[0; PACKET - 2]].concat()).collect()
}

/// The numbers of the slots found behind `start`, and the damage, with a buffer of `look_ahead`.
fn read(bytes: &[u8], look_ahead: usize) -> (Option<u64>, Vec<u8>, SourceCounts) {
    let file = TempFile::new(bytes);
    let mut slots = Slots::new(File::open(file.path()).unwrap(), look_ahead);
    let start = slots.find_start(bytes.len() as u64).unwrap();
    let mut found = Vec::new();
    slots.seek(start.unwrap_or(0), bytes.len() as u64);
    while !slots.is_at_end() || !slots.ahead().is_empty() {
        if slots.ahead().len() < 3 {
            slots.fill().unwrap();
        }
        found.extend(slots.ahead().first().map(|slot| slot[1]));
        slots.advance();
    }
    (start, found, slots.counts())
}

fn damage(skipped_bytes: u64, sync_losses: u64) -> SourceCounts {
    SourceCounts { skipped_bytes, sync_losses, ..SourceCounts::default() }
}

#[test]
fn junk_in_front_is_passed_over_even_with_sync_bytes_in_it() {
    let mut junk = vec![SYNC; 3];
    junk.extend([0; 700]);
    junk[3 * PACKET] = SYNC;
    let bytes = [junk, numbered(9)].concat();
    assert_eq!(read(&bytes, 0), (Some(703), (0..9).collect(), damage(0, 0)));
}

#[test]
fn what_is_no_stream_is_known_within_a_mebibyte() {
    assert_eq!(read(&[0; 5000], 0).0, None);
    assert_eq!(read(&[SYNC], 0).0, None);
    assert_eq!(read(&[], 0).0, None);
    assert_eq!(read(&[vec![0; (1 << 20) - 1], numbered(9)].concat(), 0).0, Some((1 << 20) - 1));
    assert_eq!(read(&[vec![0; 1 << 20], numbered(9)].concat(), 0).0, None);
}

#[test]
fn a_lone_wrong_sync_byte_stays_in_its_place() {
    let mut bytes = numbered(12);
    bytes[7 * PACKET] = 0x46;
    assert_eq!(read(&bytes, 0), (Some(0), (0..12).collect(), damage(0, 0)));
}

#[test]
fn bytes_put_in_cost_themselves() {
    let mut bytes = numbered(20);
    bytes.splice(9 * PACKET..9 * PACKET, [0; 5]);
    for look_ahead in [0, 3000, 1 << 16] {
        let (_, found, counts) = read(&bytes, look_ahead);
        assert_eq!((found, counts), ((0..20).collect(), damage(5, 1)));
    }
}

#[test]
fn a_packet_cut_off_is_skipped() {
    let mut bytes = numbered(9);
    bytes.truncate(9 * PACKET - 1);
    assert_eq!(read(&bytes, 0), (Some(0), (0..8).collect(), damage(187, 0)));
}

#[test]
fn two_wrong_sync_bytes_lose_two_slots() {
    let mut bytes = numbered(20);
    (bytes[8 * PACKET], bytes[9 * PACKET]) = (0, 0);
    let expected: Vec<u8> = (0..8).chain(10..20).collect();
    assert_eq!(read(&bytes, 0), (Some(0), expected, damage(2 * PACKET as u64, 1)));
}
/// `numbered`, with `before` and `behind` around each packet.
fn padded(n: u8, before: &[u8], behind: &[u8]) -> Vec<u8> {
    let sound = |packet: &[u8]| [&packet[..3], &[0x10], &packet[4..]].concat();
    numbered(n).chunks(PACKET).flat_map(|packet| [before, &sound(packet), behind].concat()).collect()
}

#[test]
fn what_is_between_packets_is_left_out() {
    for (before, behind) in [(&[1, SYNC, 3, SYNC][..], &[][..]), (&[], [[SYNC, 0]; 8].as_flattened())] {
        for look_ahead in [0, 3000, 1 << 16] {
            let mut bytes = padded(20, before, behind);
            let start = Some(before.len() as u64);
            assert_eq!(read(&bytes, look_ahead), (start, (0..20).collect(), damage(0, 0)));
            // A wrong sync byte stays in its place, bytes put in cost themselves.
            let stride = before.len() + PACKET + behind.len();
            bytes[before.len() + 7 * stride] = 0;
            bytes.splice(15 * stride..15 * stride, [0; 5]);
            assert_eq!(read(&bytes, look_ahead).1, (0..20).collect::<Vec<u8>>());
            // The last packet may be cut off behind its last byte.
            let cut = padded(9, before, behind);
            let cut = &cut[..cut.len() - behind.len()];
            assert_eq!(read(cut, look_ahead), (start, (0..9).collect(), damage(0, 0)));
        }
    }
}

#[test]
fn files_with_bytes_between_packets_are_played_at_the_same_pace_and_repeated() {
    let packets = Cbr { packets: 2000, ..Cbr::default() }.packets();
    let with = |before: &[u8], behind: &[u8]| {
        packets.iter().flat_map(|packet| [before, packet, behind].concat()).collect::<Vec<u8>>()
    };
    for bytes in [with(&[SYNC; 4], &[]), with(&[], &[7; 16])] {
        let file = TempFile::new(&bytes);
        let mut input = FileInput::open(&file.spec(true, 1)).unwrap();
        let mut buffer = vec![0; 3000 * PACKET];
        let mut at = 0;
        for (due, number) in [(0, 1), (5, 5), (1999, 1994), (2009, 10)] {
            // A packet of `Cbr` lasts 200 µs.
            let now = Now { boot: Duration::from_micros(due * 200), utc: Duration::ZERO };
            assert_eq!(input.read(now, &mut buffer[at..]).unwrap(), number * PACKET);
            at += number * PACKET;
        }
        let played = buffer[..at].as_chunks().0;
        assert!(played[..2000] == packets);
        let again = Packet::new(&played[2000]).unwrap();
        assert_eq!((again.pid(), again.pcr()), (Pid::new(0x100), Some(Ticks27M::new(2000 * 5400))));
        assert_eq!(input.counts(), SourceCounts::default());
    }
}

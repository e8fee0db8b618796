//! The scanner on hand-made units, cut into packets in every way.

use super::{naive::decide, *};
use crate::ts::PACKET;

static H264_IDR: [u8; 18] = [0, 0, 0, 1, 9, 0x10, 0, 0, 0, 1, 0x67, 0x4d, 0, 0, 1, 0x65, 0x88, 0x84];
static H264_OPEN: [u8; 32] = [
    0, 0, 0, 1, 9, 0x30, 0, 0, 0, 1, 0x67, 0x4d, 0, 0, 1, 0x68, 0xee, 0, 0, 1, 6, 1, 4, 0, 0, 3, 0, 1, 6, 1,
    0xc4, 0x80,
];
static H264_SLICE: [u8; 6] = [0, 0, 1, 0x41, 0x9a, 0x24];
/// A picture parameter set that would read as a recovery point, were it part of an SEI unit.
static H264_PARAMETERS: [u8; 7] = [0, 0, 1, 0x68, 0, 6, 1];
static HEVC_CRA: [u8; 14] = [0, 0, 0, 1, 0x46, 1, 0x50, 0, 0, 1, 0x2a, 1, 0xaf, 0x80];
static HEVC_TRAIL: [u8; 14] = [0, 0, 0, 1, 0x46, 1, 0x50, 0, 0, 1, 0x02, 1, 0xaf, 0x80];
/// A sequence header, a group of pictures and an I picture, whose type is in byte 23.
static MPEG2_I: [u8; 29] = [
    0, 0, 1, 0xb3, 0x16, 1, 0x20, 0x23, 0xff, 0, 0, 1, 0xb8, 0, 8, 0, 0x40, 0, 0, 0, 1, 0, 0, 0x8, 0xff,
    0xf8, 0, 0, 1,
];
static MPEG2_P: [u8; 8] = [0, 0, 1, 0, 0, 0x10, 0xff, 0xf8];
/// A picture header cut short by a group of pictures.
static MPEG2_CUT: [u8; 14] = [0, 0, 1, 0xb3, 0x16, 0, 0, 1, 0, 0, 1, 0xb8, 0, 8];
static AVS_I: [u8; 16] = [0, 0, 1, 0xb0, 0x20, 0x42, 0, 0, 1, 0xb3, 0xff, 0, 0, 0, 1, 0];

/// A PES packet with PTS 90000 and `stuffing` bytes in its head.
pub(super) fn pes(stream_id: u8, stuffing: u8, unit: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 1, stream_id, 0, 0, 0x84, 0x80, 5 + stuffing];
    bytes.extend(Ticks90k::new(90_000).to_bytes(0x20));
    bytes.extend(std::iter::repeat_n(0xff, stuffing.into()));
    bytes.extend(unit);
    bytes
}

/// Cuts a PES packet into packets of `sizes` payload bytes each, 1 to 184, in turn.
pub(super) fn packets(pes: &[u8], sizes: &[usize], counter: usize) -> Vec<[u8; PACKET]> {
    let (mut out, mut rest) = (Vec::new(), pes);
    for &size in sizes.iter().cycle() {
        let (now, later) = rest.split_at(size.min(rest.len()));
        out.push(packet(now, out.is_empty(), u8::try_from((counter + out.len()) % 16).unwrap()));
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    out
}

/// One packet, filled up by its adaptation field.
fn packet(payload: &[u8], starts: bool, counter: u8) -> [u8; PACKET] {
    let mut bytes = [0xff; PACKET];
    let start = PACKET - payload.len();
    bytes[..4].copy_from_slice(&[0x47, if starts { 0x41 } else { 1 }, 0, 0x10 | counter]);
    if start > 4 {
        bytes[3] |= 0x20;
        bytes[4] = u8::try_from(start - 5).unwrap();
    }
    if start > 5 {
        bytes[5] = 0;
    }
    bytes[start..].copy_from_slice(payload);
    bytes
}

pub(super) fn scan(codec: Codec, packets: &[[u8; PACKET]]) -> Vec<Finding> {
    let mut scanner = Scanner::new(codec);
    packets.iter().map(|bytes| scanner.push(Packet::new(bytes).unwrap())).collect()
}

/// How often a random access point was found.
fn confirmed(codec: Codec, packets: &[[u8; PACKET]]) -> usize {
    scan(codec, packets).iter().filter(|finding| finding.random_access).count()
}

fn golden() -> Vec<(Codec, Vec<u8>, bool)> {
    let with_byte = |unit: &[u8], at: usize, byte: u8| {
        let mut unit = unit.to_vec();
        unit[at] = byte;
        unit
    };
    let open = [&H264_OPEN[..], &H264_SLICE].concat();
    vec![
        (Codec::H264, H264_IDR.to_vec(), true),
        (Codec::H264, [&H264_IDR[..], &H264_SLICE].concat(), true), // a field pair
        (Codec::H264, H264_SLICE.to_vec(), false),
        (Codec::H264, with_byte(&open, 10, 0x6f), false), // no sequence parameter set
        (Codec::H264, with_byte(&open, 28, 5), false),    // no recovery point
        (Codec::H264, [&with_byte(&H264_OPEN, 28, 5)[..], &H264_PARAMETERS, &H264_SLICE].concat(), false),
        (Codec::H264, [&H264_SLICE[..], &H264_IDR].concat(), false),
        (Codec::H264, open, true),
        (Codec::Hevc, HEVC_CRA.to_vec(), true),
        (Codec::Hevc, HEVC_TRAIL.to_vec(), false),
        (Codec::Hevc, [&[0, 0, 1, 0x3e, 1][..], &HEVC_CRA].concat(), false), // a reserved slice type first
        (Codec::Mpeg2Video, MPEG2_I.to_vec(), true),
        (Codec::Mpeg2Video, [&MPEG2_I[..26], &MPEG2_P].concat(), true), // a field pair
        (Codec::Mpeg2Video, [&MPEG2_P[..], &MPEG2_I].concat(), false),
        (Codec::Mpeg2Video, with_byte(&MPEG2_I, 23, 0x10), false), // a P picture
        (Codec::Mpeg2Video, with_byte(&MPEG2_I, 3, 0xb2), false),  // no sequence header
        (Codec::Mpeg2Video, [&[0, 0, 1, 0x2c, 7][..], &MPEG2_I].concat(), true), // a slice of the picture before
        (Codec::Mpeg2Video, [&MPEG2_CUT[..], &MPEG2_P].concat(), false),
        (Codec::Avs, AVS_I.to_vec(), true),
        (Codec::Avs, with_byte(&AVS_I, 9, 0xb6), false),
        (Codec::Avs, with_byte(&AVS_I, 3, 0xb1), false),
    ]
}

#[test]
fn golden_units_in_every_pair_of_cuts() {
    for (codec, unit, expected) in golden() {
        assert_eq!(decide(codec, &unit), Some(expected), "{codec:?} {unit:02x?}");
        let pes = pes(0xe0, 2, &unit);
        for first in 1..=pes.len() {
            for second in 1..=pes.len() {
                let packets = packets(&pes, &[first, second, 184], 13);
                assert_eq!(confirmed(codec, &packets), usize::from(expected), "{codec:?} {first} {second}");
            }
        }
    }
}

#[test]
fn every_first_byte_of_a_unit_is_known() {
    for (codec, unit, at, of_all) in [
        (Codec::H264, [&H264_OPEN[..], &H264_SLICE].concat(), 35, 5 * 8), // types 1 to 5
        (Codec::H264, H264_SLICE.to_vec(), 3, 8),                         // type 5 alone
        (Codec::Hevc, HEVC_TRAIL.to_vec(), 10, 6 * 4),                    // types 16 to 21
        (Codec::Mpeg2Video, MPEG2_I.to_vec(), 23, 32),                    // I pictures
        (Codec::Avs, AVS_I.to_vec(), 9, 1),                               // I pictures
    ] {
        let random_access = |byte: &u8| {
            let mut unit = unit.clone();
            unit[at] = *byte;
            let found = confirmed(codec, &packets(&pes(0xe0, 0, &unit), &[184], 0)) == 1;
            assert_eq!(decide(codec, &unit) == Some(true), found, "{codec:?} {byte:02x}");
            found
        };
        assert_eq!((0..=255).filter(random_access).count(), of_all, "{codec:?}");
    }
}

#[test]
fn each_start_is_told_with_its_pts() {
    let unit = pes(0xe0, 0, &H264_IDR);
    let starts = |codec, sizes: &[usize]| {
        scan(codec, &packets(&unit, sizes, 0)).iter().map(|finding| finding.starts).collect::<Vec<_>>()
    };
    let whole = Some(Start { pts: Some(Ticks90k::new(90_000)) });
    for codec in [Codec::H264, Codec::Audio, Codec::Other] {
        assert_eq!(starts(codec, &[14, 184]), [whole, None]);
        assert_eq!(starts(codec, &[13, 184]), [Some(Start { pts: None }), None]);
        assert_eq!(starts(codec, &[1, 184]), [Some(Start { pts: None }), None]);
    }
}

#[test]
fn radio_starts_anywhere_and_the_unknown_nowhere() {
    let packets = packets(&pes(0xc0, 0, &H264_IDR), &[20, 184], 0);
    let found = |codec| scan(codec, &packets).iter().map(|finding| finding.random_access).collect::<Vec<_>>();
    assert_eq!(found(Codec::Audio), [true, false]);
    assert_eq!(found(Codec::Other), [false, false]);
}

#[test]
fn a_payload_that_is_no_pes_packet_starts_nothing() {
    for stream_id in [0xbe, 0xf0] {
        let packets = packets(&pes(stream_id, 0, &H264_IDR), &[184], 0);
        assert_eq!(scan(Codec::H264, &packets), [Finding::default()]);
        assert_eq!(scan(Codec::Audio, &packets), [Finding::default()]);
    }
}

#[test]
fn a_lost_packet_tears_its_unit_only() {
    for (codec, unit, expected) in golden().into_iter().filter(|(.., expected)| *expected) {
        let pes = pes(0xe0, 0, &unit);
        let whole = packets(&pes, &[1], 0);
        let decided = scan(codec, &whole).iter().position(|finding| finding.random_access).unwrap();
        for lost in 1..whole.len() {
            let mut torn = whole.clone();
            torn.remove(lost);
            assert_eq!(confirmed(codec, &torn), usize::from(lost > decided), "{codec:?} {lost}");
            torn.extend(packets(&pes, &[184], whole.len()));
            assert_eq!(confirmed(codec, &torn), usize::from(lost > decided) + usize::from(expected));
        }
    }
}

#[test]
fn duplicates_tell_nothing_and_disturb_nothing() {
    let once = packets(&pes(0xe0, 0, &H264_IDR), &[3], 0);
    let twice: Vec<_> = once.iter().flat_map(|bytes| [*bytes, *bytes]).collect();
    let (single, double) = (scan(Codec::H264, &once), scan(Codec::H264, &twice));
    assert!(double.iter().skip(1).step_by(2).all(|finding| *finding == Finding::default()));
    assert!(double.iter().step_by(2).eq(&single));
}

#[test]
fn an_announced_discontinuity_accepts_any_counter() {
    let mut all = packets(&pes(0xe0, 0, &H264_IDR), &[20, 184], 0);
    for (counter, expected) in [(2, 2), (1, 2), (9, 2)] {
        let next = packet(&pes(0xe0, 0, &H264_IDR), true, counter);
        let mut announced = next;
        announced[5] = 0x80;
        assert_eq!(confirmed(Codec::H264, &[all[0], all[1], announced]), expected);
    }
    all[1][5] = 0x80;
    assert_eq!(confirmed(Codec::H264, &all), 0, "nothing joins across it");
    let announcement = crate::ts::packet::discontinuity(crate::ts::Pid::new(0x100), 0, None);
    all[1][5] = 0;
    assert_eq!(confirmed(Codec::H264, &all), 1);
    all.insert(1, announcement);
    assert_eq!(confirmed(Codec::H264, &all), 0, "nor across a packet of its own");
    all[2] = packet(&pes(0xe0, 0, &H264_IDR), true, 0);
    assert_eq!(confirmed(Codec::H264, &all), 1, "and the same counter is no duplicate then");
}

#[test]
fn packets_without_payload_disturb_nothing() {
    let mut all = packets(&pes(0xe0, 0, &H264_IDR), &[20, 184], 0);
    let mut empty = crate::ts::packet::discontinuity(crate::ts::Pid::new(0x100), 0, None);
    (empty[1], empty[5]) = (empty[1] | 0x40, 0);
    empty[3] |= 0x80;
    all.insert(1, empty);
    assert_eq!(scan(Codec::H264, &all)[1], Finding::default());
    assert_eq!(confirmed(Codec::H264, &all), 1);
}

#[test]
fn scrambled_units_only_start() {
    let mut all = packets(&pes(0xe0, 0, &H264_IDR), &[20, 184], 0);
    all[1][3] |= 0x80;
    assert_eq!(confirmed(Codec::H264, &all), 0);
    all[0][3] |= 0x80;
    for codec in [Codec::H264, Codec::Audio, Codec::Other] {
        let findings = scan(codec, &all);
        assert_eq!(findings[0], Finding { starts: Some(Start { pts: None }), ..Finding::default() });
        assert_eq!(findings[1], Finding::default());
    }
    all[1][3] &= 0x3f;
    assert_eq!(confirmed(Codec::H264, &all), 0, "the clear rest of a scrambled unit is not read");
    all.extend(packets(&pes(0xe0, 0, &H264_IDR), &[184], 2));
    assert_eq!(confirmed(Codec::H264, &all), 1);
}

#[test]
fn the_indicator_is_passed_on() {
    let mut bytes = packet(&pes(0xe0, 0, &H264_SLICE), true, 0);
    bytes[5] = 0x40;
    assert!(scan(Codec::H264, &[bytes])[0].indicated);
    bytes[3] |= 0x80;
    assert!(scan(Codec::H264, &[bytes])[0].indicated);
}

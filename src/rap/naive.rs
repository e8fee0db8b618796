//! The slow twin of the scanner: looks at a whole PES payload at once, and is the judge of it on any unit.

use proptest::{collection::vec, prelude::*};

use super::{
    Codec, Scanner,
    tests::{packets, pes, scan},
};
use crate::ts::{PACKET, Packet};

/// Whether the first access unit of `payload` is a random access point; `None` where `payload` does not tell.
pub(super) fn decide(codec: Codec, payload: &[u8]) -> Option<bool> {
    let units = units(payload);
    let first = |is: &dyn Fn(&[u8]) -> bool| units.iter().position(|unit| is(unit));
    match codec {
        Codec::H264 => {
            let slice = first(&|unit| (1..=5).contains(&(unit[0] & 31)))?;
            let has = |is: &dyn Fn(&[u8]) -> bool| units[..slice].iter().any(|unit| is(unit));
            let open = has(&|unit| unit[0] & 31 == 7) && has(&is_recovery_point);
            Some(units[slice][0] & 31 == 5 || open)
        }
        Codec::Hevc => {
            let slice = first(&|unit| unit[0] >> 1 & 63 < 32)?;
            Some((16..=21).contains(&(units[slice][0] >> 1 & 63)))
        }
        Codec::Mpeg2Video => {
            let picture = first(&|unit| unit[0] == 0 && unit.len() >= 3)?;
            let has_sequence = units[..picture].iter().any(|unit| unit[0] == 0xb3);
            Some(has_sequence && units[picture][2] & 0x38 == 0x08)
        }
        Codec::Avs => {
            let picture = first(&|unit| unit[0] == 0xb3 || unit[0] == 0xb6)?;
            let has_sequence = units[..picture].iter().any(|unit| unit[0] == 0xb0);
            Some(has_sequence && units[picture][0] == 0xb3)
        }
        Codec::Audio | Codec::Other => None,
    }
}

/// What stands behind each start code prefix, up to the 01 of the next; none is empty.
fn units(payload: &[u8]) -> Vec<&[u8]> {
    let ones = (2..payload.len()).filter(|&i| payload[i - 2..=i] == [0, 0, 1]);
    let starts: Vec<usize> = ones.map(|i| i + 1).collect();
    let ends = starts.iter().skip(1).map(|&start| start - 1).chain([payload.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| &payload[start..end])
        .filter(|unit| !unit.is_empty())
        .collect()
}

fn is_recovery_point(unit: &[u8]) -> bool {
    unit[0] & 31 == 6 && types(&unescaped(&unit[1..])).contains(&6)
}

/// Without the emulation prevention bytes.
fn unescaped(body: &[u8]) -> Vec<u8> {
    let kept = |&i: &usize| i < 2 || body[i - 2..=i] != [0, 0, 3];
    (0..body.len()).filter(kept).map(|i| body[i]).collect()
}

/// `payloadType` of each SEI message.
fn types(mut body: &[u8]) -> Vec<usize> {
    let mut types = Vec::new();
    while let Some((kind, rest)) = number(body) {
        types.push(kind);
        let Some((size, rest)) = number(rest) else { break };
        body = rest.get(size..).unwrap_or(&[]);
    }
    types
}

/// A type or size, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let more = bytes.iter().take_while(|&&byte| byte == 0xff).count();
    let last = *bytes.get(more)?;
    Some((255 * more + usize::from(last), &bytes[more + 1..]))
}

/// Bytes as they gather around prefixes, SEI types and sizes.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        3 => Just(0), 2 => Just(1), 1 => Just(3), 1 => Just(6), 1 => Just(0xff),
        1 => prop::sample::select(&[5, 7, 0x21, 0x41, 0x65, 0x67, 0x2a, 0xb0, 0xb3, 0xb6][..]), 2 => any::<u8>()
    ]
}

/// An SEI NAL unit of messages with types and sizes of one to three bytes.
fn sei() -> impl Strategy<Value = Vec<u8>> {
    let message = (prop_oneof![Just(6_usize), 0..600_usize], vec(byte(), 0..520));
    vec(message, 0..4).prop_map(|messages| {
        let mut body = Vec::new();
        for (kind, payload) in messages {
            for number in [kind, payload.len()] {
                body.extend(std::iter::repeat_n(0xff, number / 255));
                body.push(u8::try_from(number % 255).unwrap());
            }
            body.extend(payload);
        }
        body.push(0x80);
        [vec![6], escaped(&body)].concat()
    })
}

/// With the emulation prevention bytes of ITU-T H.264 7.4.1.1.
fn escaped(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in body {
        if byte <= 3 && out.ends_with(&[0, 0]) {
            out.push(3);
        }
        out.push(byte);
    }
    out
}

/// A unit of any codec: prefixes, each with something behind it.
fn unit() -> impl Strategy<Value = Vec<u8>> {
    let raw = vec(byte(), 0..40);
    let escaped =
        (byte(), vec(byte(), 0..300)).prop_map(|(head, body)| [vec![head], escaped(&body)].concat());
    let nal = (0..3_usize, prop_oneof![2 => sei(), 2 => escaped, 2 => Just(vec![7, 9]), 1 => raw]);
    vec(nal, 0..8).prop_map(|nals| {
        let with_prefix = |(zeros, nal): (usize, Vec<u8>)| [vec![0; 2 + zeros], vec![1], nal].concat();
        nals.into_iter().flat_map(with_prefix).collect()
    })
}

fn video() -> impl Strategy<Value = Codec> {
    prop::sample::select(&[Codec::H264, Codec::Hevc, Codec::Mpeg2Video, Codec::Avs][..])
}

proptest! {
    #[test]
    fn scanner_and_twin_agree_after_every_packet(
        codec in video(), unit in unit(), stuffing in 0..=250_u8, sizes in vec(1..=184_usize, 1..12),
    ) {
        let packets = packets(&pes(0xe0, stuffing, &unit), &sizes, 0);
        let (mut seen, mut known) = (0, false);
        for (bytes, finding) in packets.iter().zip(scan(codec, &packets)) {
            seen += Packet::new(bytes).unwrap().payload().len();
            let unit_seen = seen.saturating_sub(14 + usize::from(stuffing));
            let expected = decide(codec, &unit[..unit_seen]) == Some(true);
            prop_assert_eq!(finding.random_access, expected && !known);
            known = expected;
        }
    }

    #[test]
    fn any_packets_are_survived(
        codec in video(), heads in vec((any::<u8>(), any::<u8>(), 0..=255_u8), 1..30), data in vec(byte(), 30 * 184),
    ) {
        let mut scanner = Scanner::new(codec);
        for ((flags, control, length), data) in heads.iter().zip(data.chunks_exact(184)) {
            let mut bytes = [0; PACKET];
            bytes[..4].copy_from_slice(&[0x47, flags & 0x7f, 0, *control]);
            bytes[4..].copy_from_slice(data);
            bytes[4] = if control & 0x20 == 0 { data[0] } else { *length };
            if let Ok(packet) = Packet::new(&bytes) {
                let finding = scanner.push(packet);
                prop_assert!(!finding.random_access || !packet.is_scrambled());
            }
        }
    }
}

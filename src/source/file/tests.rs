//! Whole files, played on a clock of the tests' own.

use std::time::Duration;

use super::sample::{Cbr, TempFile, eit, packet, stamps_of, tdt};
use super::*;
use crate::source::speed::Speed;
use crate::ts::Pid;
use crate::ts::packetise::Packetiser;
use crate::ts::section::{Assembler, EIT_SECTION, Section};

/// 2026-01-01 12:00:00 UTC.
const NOON: u64 = 1_767_268_800;
/// Of a packet of [`Cbr`] in a stretch at speed 1.
const MICROS: u64 = 200;

fn now(micros: u64) -> Now {
    Now { boot: Duration::from_micros(77_000_000 + micros), utc: Duration::from_secs(NOON + 9000) }
}

fn open(file: &TempFile, repeat: bool, times: u16) -> FileInput {
    FileInput::open(&file.spec(repeat, times)).unwrap()
}

/// All that comes until the end or `limit` packets, in steps of half a second.
fn play(input: &mut FileInput, limit: usize) -> Vec<[u8; PACKET]> {
    let mut out = Vec::new();
    let mut buffer = vec![0; 100 * PACKET];
    for step in 0..100_000 {
        match input.read(now(step * 500_000), &mut buffer) {
            Ok(n) => out.extend_from_slice(buffer[..n].as_chunks().0),
            Err(SourceError::End) => break,
            Err(why) => panic!("{why}"),
        }
        if out.len() >= limit {
            break;
        }
    }
    out.truncate(limit);
    out
}

fn bytes(packets: &[[u8; PACKET]]) -> &[u8] {
    packets.as_flattened()
}

#[test]
fn a_file_played_once_comes_out_as_it_is() {
    let mut packets = Cbr { packets: 6000, ..Cbr::default() }.packets();
    packets[7] = tdt(0, 0);
    packets[8] = packet(0x12, 0, true, None, &eit(0x4e, 0, &[Some(0)], 0));
    packets[5001][0] = 0x46;
    let file = TempFile::new(bytes(&packets));
    let mut input = open(&file, false, 1);
    assert!(play(&mut input, usize::MAX) == packets);
    assert_eq!(input.counts(), SourceCounts::default());
    assert!(matches!(input.read(now(0), &mut [0; PACKET]), Err(SourceError::End)));
}

#[test]
fn a_file_that_is_repeated_is_the_same_file_or_says_so() {
    let packets = Cbr { packets: 6000, ..Cbr::default() }.packets();
    let other = Cbr { packets: 5000, ..Cbr::default() }.packets();
    let changed = |change: fn(&std::path::Path, &[u8])| {
        let file = TempFile::new(bytes(&packets));
        let mut input = open(&file, true, 1);
        assert_eq!(play(&mut input, 100).len(), 100);
        change(file.path(), bytes(&other));
        let mut buffer = vec![0; 1000 * PACKET];
        let mut read = |step: u64| input.read(now(1_000_000 + step * 500_000), &mut buffer);
        (0..100_u64).find_map(|step| read(step).err())
    };
    let is_changed = |why: Option<SourceError>| matches!(why, Some(SourceError::Changed(_)));
    assert!(is_changed(changed(|path, other| std::fs::write(path, other).unwrap())), "written over");
    assert!(is_changed(changed(|path, _| std::fs::write(path, []).unwrap())), "emptied");
    assert!(
        is_changed(changed(|path, other| {
            let aside = path.with_extension("new");
            std::fs::write(&aside, other).unwrap();
            std::fs::rename(aside, path).unwrap();
        })),
        "another one in its place"
    );
    assert!(
        changed(|path, _| std::fs::remove_file(path).unwrap()).is_none(),
        "it is there until it is closed"
    );
    assert!(changed(|_, _| ()).is_none());
}

#[test]
fn packets_come_when_they_are_due() {
    let file = TempFile::new(bytes(&Cbr::default().packets()));
    for (speed, divisor) in [(1, 1), (4, 4)] {
        let mut input = open(&file, false, speed);
        let mut buffer = [0; 200 * PACKET];
        let mut read = |micros| input.read(now(micros / divisor), &mut buffer).unwrap() / PACKET;
        assert_eq!(read(0), 1);
        assert_eq!(read(MICROS - 4), 0);
        assert_eq!(read(MICROS), 1);
        assert_eq!(read(50 * MICROS), 49);
        assert_eq!(read(199 * MICROS - 4), 148);
        assert_eq!(read(199 * MICROS), 1);
    }
}

#[test]
fn each_interval_has_its_own_rate() {
    // Ten packets in 2 ms, and then ten in 18 ms.
    let mut packets = Cbr { packets: 40, ..Cbr::default() }.packets();
    for i in [20, 30] {
        crate::ts::packet::set_pcr(&mut packets[i], Ticks27M::new((2 + 18 * (i as u64 / 10 - 1)) * 27_000));
    }
    let file = TempFile::new(bytes(&packets));
    let mut input = open(&file, false, 1);
    let mut buffer = [0; 40 * PACKET];
    let mut read = |micros| input.read(now(micros), &mut buffer).unwrap() / PACKET;
    assert_eq!([0, 1999, 2000, 3799, 3800, 20_000].map(&mut read), [1, 9, 1, 0, 1, 9]);
}

#[test]
fn a_jump_of_the_clock_stops_nothing() {
    let mut packets = Cbr { packets: 100, base: 90 * Ticks27M::SECOND, ..Cbr::default() }.packets();
    packets.extend(Cbr { packets: 100, base: 0, ..Cbr::default() }.packets());
    packets.extend(Cbr { packets: 100, base: 5 * Ticks27M::SECOND, ..Cbr::default() }.packets());
    let file = TempFile::new(bytes(&packets));
    let mut input = open(&file, false, 1);
    let mut buffer = [0; 300 * PACKET];
    let mut read = |micros| input.read(now(micros), &mut buffer).unwrap() / PACKET;
    assert_eq!([0, 100 * MICROS, 200 * MICROS, 299 * MICROS].map(&mut read), [1, 100, 100, 99]);
}

/// Each packet of `packets` comes when it is due: 200 µs after the one before it.
fn is_evenly_paced(packets: &[[u8; PACKET]], repeat: bool) {
    let file = TempFile::new(bytes(packets));
    let mut input = open(&file, repeat, 1);
    let mut buffer = [0; 9 * PACKET];
    for i in 0..packets.len() as u64 * if repeat { 3 } else { 1 } {
        assert_eq!(input.read(now(i * MICROS + 1), &mut buffer).unwrap(), PACKET, "packet {i}");
    }
}

#[test]
fn a_wrap_of_the_clock_changes_no_pace() {
    for before in [100 * 5400, 100 * 5400 - 1, 200 * 5400, 5400] {
        for repeat in [false, true] {
            is_evenly_paced(&Cbr { base: Ticks27M::WRAP - before, ..Cbr::default() }.packets(), repeat);
        }
    }
}

#[test]
fn an_announced_jump_changes_no_pace() {
    for base in [0, 1 << 40, Ticks27M::WRAP - 1] {
        let mut packets = Cbr { base: 90 * Ticks27M::SECOND, ..Cbr::default() }.packets();
        let mut behind = Cbr { base, ..Cbr::default() }.packets();
        behind[0][5] |= 0x80;
        packets.extend(behind);
        is_evenly_paced(&packets, false);
    }
}

#[test]
fn a_clock_that_stops_is_gone_on_with() {
    let mut packets = Cbr { packets: 400, ..Cbr::default() }.packets();
    for packet in packets[100..].iter_mut().filter(|p| p[3] & 0x20 != 0) {
        packet[5] &= !0x10;
    }
    is_evenly_paced(&packets, false);
}

#[test]
fn presentation_times_that_wrap_pace_as_a_clock_does() {
    for base in [0, Ticks27M::WRAP - 100 * 5400 - Cbr::DELAY * 300] {
        let mut packets = Cbr { base, ..Cbr::default() }.packets();
        packets.iter_mut().filter(|p| p[3] & 0x20 != 0).for_each(|p| p[5] &= !0x10);
        for repeat in [false, true] {
            is_evenly_paced(&packets, repeat);
        }
    }
}

#[test]
fn lost_packets_make_no_rate_to_go_on_with() {
    // Of half a second one packet is left, and then the clock jumps. The mean, 2.8 ms a packet, bridges the jump.
    let mut packets = Cbr { packets: 101, ..Cbr::default() }.packets();
    packets.extend(Cbr { packets: 1, base: Ticks27M::SECOND / 2 + 100 * 5400, ..Cbr::default() }.packets());
    packets.extend(Cbr { packets: 100, base: 1 << 40, ..Cbr::default() }.packets());
    let file = TempFile::new(bytes(&packets));
    let mut input = open(&file, false, 1);
    let mut buffer = [0; 300 * PACKET];
    let mut read = |micros| input.read(now(micros), &mut buffer).unwrap() / PACKET;
    assert_eq!([0, 100 * MICROS, 519_999, 520_000, 541_000].map(&mut read), [1, 100, 0, 1, 91]);
}

#[test]
fn a_duplicate_packet_takes_no_time() {
    let doubled = |p: &[u8; PACKET]| [*p; 2];
    let packets: Vec<_> = Cbr::default().packets().iter().flat_map(doubled).collect();
    let file = TempFile::new(bytes(&packets));
    let mut input = open(&file, false, 1);
    let mut buffer = [0; 400 * PACKET];
    let mut read = |micros| input.read(now(micros), &mut buffer).unwrap() / PACKET;
    assert_eq!([0, 100 * MICROS, 190 * MICROS].map(&mut read), [1, 200, 180]);
}

#[test]
fn references_beyond_the_look_ahead_still_rule() {
    // Packets 0, 3000, 6000 and 9000 carry one; 2788 packets can be seen.
    let mut packets = Cbr { packets: 9100, ..Cbr::default() }.packets();
    for (i, packet) in packets.iter_mut().enumerate() {
        match i % 3000 {
            0 => crate::ts::packet::set_pcr(packet, Ticks27M::new([0, 600, 1200, 1900][i / 3000] * 27_000)),
            _ if i % 10 == 0 => packet[5] = 0,
            _ => {}
        }
    }
    let file = TempFile::new(bytes(&packets));
    let mut input = open(&file, false, 1);
    let mut buffer = vec![0; 9100 * PACKET];
    let mut read = |ms: u64| input.read(now(ms * 1000), &mut buffer).unwrap() / PACKET;
    assert_eq!([0, 600, 1200, 1900].map(&mut read), [1, 3000, 3000, 3000]);
}

#[test]
fn a_caller_held_up_gets_no_more_than_its_buffer() {
    let file = TempFile::new(bytes(&Cbr { packets: 20_000, ..Cbr::default() }.packets()));
    let mut input = open(&file, false, 1);
    let mut buffer = [0; 50 * PACKET + 100];
    let mut read = |micros| input.read(now(micros), &mut buffer).unwrap() / PACKET;
    assert_eq!(read(0), 1);
    assert_eq!([500_000, 500_000].map(&mut read), [50, 50]);
    assert_eq!([3_000_000, 3_000_000, 3_000_000 + 3 * MICROS].map(&mut read), [1, 0, 3]);
}

/// Clock and counters of `passes` of a file that begins at `base`.
fn check_seams(base: u64, junk: &[u8]) {
    let cbr = Cbr { packets: 205, base, ..Cbr::default() };
    let file = TempFile::new(&[junk, bytes(&cbr.packets())].concat());
    let mut input = open(&file, true, 1000);
    let mut counters = [None; Pid::COUNT];
    for (i, slot) in (0..).zip(play(&mut input, 5 * 205)) {
        let p = Packet::new(&slot).unwrap();
        let expected = counters[p.pid().index()].replace(p.counter()).map_or(0, |c: u8| (c + 1) & 0x0f);
        assert_eq!(p.counter(), expected, "packet {i}");
        if i % 205 % 10 == 0 {
            let pcr = Ticks27M::new(base).plus(i * cbr.ticks);
            assert_eq!(p.pcr(), Some(pcr), "packet {i}");
            let pts = Some((pcr.value() / 300 + Cbr::DELAY) % (1 << 33));
            assert_eq!(stamps_of(&slot), (pts, pts), "packet {i}");
        }
    }
    let skipped_bytes = junk.len() as u64;
    assert_eq!(input.counts(), SourceCounts { skipped_bytes, ..SourceCounts::default() });
}

#[test]
fn passes_are_one_stream() {
    check_seams(0, &[]);
    check_seams(Ticks27M::WRAP - 400 * 5400, &[]);
    check_seams(Ticks27M::WRAP - 5400, &[0x47; 77]);
}

#[test]
fn passes_are_evenly_paced() {
    let mut packets = Cbr { packets: 205, ..Cbr::default() }.packets();
    packets.rotate_left(3); // neither end is a clock reference
    let packets = &packets[..202];
    let file = TempFile::new(bytes(packets));
    let mut input = open(&file, true, 1);
    let mut buffer = [0; 300 * PACKET];
    for i in 0..3000 {
        assert_eq!(input.read(now(i * MICROS + 1), &mut buffer).unwrap(), PACKET, "packet {i}");
    }
}

#[test]
fn a_repeated_file_tells_the_time_of_now() {
    let noon = NOON.cast_signed();
    let mut packets = Cbr { packets: 400, ..Cbr::default() }.packets();
    packets[1] = tdt(0, noon);
    let long = eit(0x50, 1, &[Some(noon), None, Some(noon + 3600)], 400);
    let mut packetiser = Packetiser::new(Pid::EIT);
    let mut slots = (11..).step_by(7);
    for _ in 0..6 {
        packetiser.write(Section::new(&long).unwrap(), |p| packets[slots.next().unwrap()] = *p);
    }
    let file = TempFile::new(bytes(&packets));
    let mut input = open(&file, true, 1000);
    let mut assembler = Assembler::<EIT_SECTION>::default();
    let mut sections = Vec::new();
    for slot in play(&mut input, 1200) {
        let p = Packet::new(&slot).unwrap();
        if p.pid() == Pid::TDT {
            assert_eq!(guide::date_of(p), Some(noon + 9000));
        } else if p.pid() == Pid::EIT {
            assembler.push(p, |s| sections.push(s.bytes().to_vec()));
        }
    }
    assert!(sections.len() >= 16, "{} of 18", sections.len());
    assert_eq!((assembler.counts().broken, assembler.counts().torn), (0, 0));
    let moved = eit(0x50, 3, &[Some(noon + 7200), None, Some(noon + 10_800)], 400);
    assert!(sections.iter().all(|s| *s == moved));
}

#[test]
fn a_file_without_a_date_keeps_its_guide() {
    let noon = NOON.cast_signed();
    let mut packets = Cbr::default().packets();
    packets[11] = packet(0x12, 0, true, None, &[vec![0], eit(0x4e, 1, &[Some(noon)], 10)].concat());
    let file = TempFile::new(bytes(&packets));
    assert_eq!(play(&mut open(&file, true, 1000), 200), packets);
}

#[test]
fn a_box_that_lives_in_1970_plays_too() {
    let mut packets = Cbr::default().packets();
    packets[1] = tdt(0, NOON.cast_signed());
    let file = TempFile::new(bytes(&packets));
    for utc in [Duration::ZERO, Duration::MAX] {
        let mut input = open(&file, true, 1);
        assert_eq!(input.read(Now { boot: Duration::MAX, utc }, &mut [0; 9 * PACKET]).unwrap(), PACKET);
    }
}

#[test]
fn what_is_no_file_is_not_opened() {
    for path in ["/dev/zero", "/", "/nowhere/at/all.ts"] {
        let spec = FileSpec { path: path.into(), repeat: false, speed: Speed::OWN };
        assert!(matches!(FileInput::open(&spec), Err(SourceError::File(..))));
    }
}

#[test]
fn damage_is_counted() {
    let packets = Cbr::default().packets();
    let mut damaged = [&[0; 33], bytes(&packets), &[0x47; 100]].concat();
    damaged.splice(33 + 100 * PACKET..33 + 100 * PACKET, [0; 7]);
    let file = TempFile::new(&damaged);
    let mut input = open(&file, false, 1000);
    assert!(play(&mut input, usize::MAX) == packets);
    let expected = SourceCounts { skipped_bytes: 33 + 7 + 100, sync_losses: 1, ..SourceCounts::default() };
    assert_eq!(input.counts(), expected);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_file_is_survived(
        seed in proptest::collection::vec(proptest::num::u8::ANY, 0..40 * 8),
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..3000),
        repeat in proptest::bool::ANY,
    ) {
        // Packets with heads of chance: PIDs that matter, adaptation fields, PES and section starts.
        let mut data = Vec::new();
        for (i, s) in (0_u64..).zip(seed.as_chunks::<8>().0) {
            let pid = [0x100, 0x100, 0x12, 0x14, u16::from(s[7])][usize::from(s[0] % 5)];
            let pcr = (s[1] & 1 == 0).then(|| Ticks27M::new(i * 9000 + u64::from(s[2])));
            let mut slot = packet(pid, s[3], s[1] & 2 != 0, pcr, &vec![0; usize::from(s[4] % 150)]);
            let payload = PACKET - usize::from(s[4] % 150);
            let head: &[u8] = match s[5] % 4 {
                0 => &[0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, 0x31],
                1 => &[0, 0x70, 0x70, 5],
                2 => &[0, 0x73, 0x70, 200],
                _ => &[0, 0x4e, 0xf0, 30],
            };
            let n = head.len().min(PACKET - payload);
            slot[payload..payload + n].copy_from_slice(&head[..n]);
            slot[usize::from(s[6] % 188)] ^= s[7];
            data.extend(slot);
        }
        data.extend(&noise);
        let file = TempFile::new(&data);
        if let Ok(mut input) = FileInput::open(&file.spec(repeat, 1000)) {
            let played = play(&mut input, 500).len();
            proptest::prop_assert!(played > 0);
        }
        let file = TempFile::new(&noise);
        let _ = FileInput::open(&file.spec(repeat, 1)).map(|mut input| play(&mut input, 100).len());
    }
}

use std::time::Duration;

use heapless::Vec;

use super::sample::{AUDIO, CAPACITY, Feeder, Reader, VIDEO, identity, packet, programme};
use super::*;
use crate::ts::clock::Ticks90k;
use crate::ts::psi::{Codec, Component};

const TEXT: Pid = Pid::new(0x103);

fn whole(feeder: &Feeder, from: Position) -> std::vec::Vec<u8> {
    feeder.feed.ring().borrow().window(from, usize::MAX).unwrap().to_vec()
}

#[test]
fn a_newcomer_gets_tables_then_the_picture_and_counters_that_go_on() {
    let mut feeder = Feeder::new(CAPACITY);
    for _ in 0..60 {
        feeder.frame();
        let ring = feeder.feed.ring().borrow();
        let rap = ring.start(feeder.now()).unwrap();
        assert_eq!(feeder.frame - 1 - (feeder.frame - 1) % Feeder::GOP, rap.pts.unwrap().value() / 3600);
        let mut preamble = Vec::new();
        ring.preamble(&rap, Entrance::Join, &mut preamble).unwrap();
        let mut reader = Reader::new();
        reader.take(&preamble);
        reader.take(ring.window(rap.position, usize::MAX).unwrap());
        assert_eq!(reader.first[..3], [0, 0x1000, VIDEO.value()]);
        assert_eq!(reader.announced, 0);
    }
}

#[test]
fn tables_are_at_most_100_ms_apart() {
    let mut feeder = Feeder::new(CAPACITY);
    (0..50).for_each(|_| feeder.frame());
    let bytes = whole(&feeder, 0);
    let slots = bytes.as_chunks::<PACKET>().0;
    let frame_of = |at: usize| slots[..at].iter().filter(|p| p[1..3] == [0x41, 1]).count() as u64;
    let pats: std::vec::Vec<u64> =
        (0..slots.len()).filter(|i| slots[*i][..3] == [0x47, 0x40, 0]).map(frame_of).collect();
    assert!(pats.windows(2).all(|w| (w[1] - w[0]) * 40 <= 100), "{pats:?}");
    assert!(pats.len() < 30, "and not more often than that asks for");
}

#[test]
fn a_long_read_gets_tables_by_the_streams_own_clock() {
    let feed = Feed::new(CAPACITY).unwrap();
    let mut ring = feed.ring().borrow_mut();
    ring.assign(&programme(Codec::H264), &identity(), Duration::ZERO);
    ring.begin(Duration::ZERO);
    for i in 0..10u8 {
        let pcr = Ticks27M::new(u64::from(i) * 27_000_000 / 20); // 50 ms apart
        ring.push(Packet::new(&packet(VIDEO, i, &[0, 0, 1], Some(pcr))).unwrap(), Duration::ZERO);
    }
    let bytes = ring.window(0, usize::MAX).unwrap();
    let pats = bytes.as_chunks::<PACKET>().0.iter().filter(|p| p[..3] == [0x47, 0x40, 0]).count();
    assert_eq!(pats, 1 + 4, "at 0, 100, 200, 300 and 400 ms");
}

#[test]
fn a_clock_that_wraps_or_jumps_brings_tables_no_later_and_hardly_more_often() {
    const SLICE: u64 = Ticks27M::SECOND / 20; // 50 ms
    // Where the clock is in each of 20 packets: it wraps, it jumps on by an hour, it jumps back, it stands still.
    let clocks: [fn(u64) -> u64; 4] = [
        |i| Ticks27M::WRAP - 5 * SLICE + i * SLICE,
        |i| i * SLICE + if i < 11 { 0 } else { 3600 * Ticks27M::SECOND },
        |i| i * SLICE + if i < 11 { 3600 * Ticks27M::SECOND } else { 0 },
        |i| i.min(10) * SLICE,
    ];
    let pats = clocks.map(|clock| {
        let feed = Feed::new(CAPACITY).unwrap();
        let mut ring = feed.ring().borrow_mut();
        ring.assign(&programme(Codec::H264), &identity(), Duration::ZERO);
        ring.begin(Duration::ZERO);
        for i in 0..20u8 {
            let pcr = Some(Ticks27M::new(clock(i.into())));
            ring.push(Packet::new(&packet(VIDEO, i & 15, &[0, 0, 1], pcr)).unwrap(), Duration::ZERO);
        }
        let bytes = ring.window(0, usize::MAX).unwrap();
        bytes.as_chunks::<PACKET>().0.iter().filter(|p| p[..3] == [0x47, 0x40, 0]).count()
    });
    assert_eq!(pats, [1 + 9, 1 + 10, 1 + 10, 1 + 5], "each 100 ms, and once more at a jump");
}

#[test]
fn a_place_to_start_has_the_clock_that_is_in_force_there() {
    let feed = Feed::new(CAPACITY).unwrap();
    let mut ring = feed.ring().borrow_mut();
    let mut programme = programme(Codec::H264);
    let mut counter = 0;
    let mut idr = |ring: &mut ServiceRing, ms: u64, pcr: Option<u64>, pts: u64| {
        let pts = Ticks90k::new(pts).to_bytes(0x21);
        let unit =
            [&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5][..], &pts, &[0, 0, 1, 0x67, 0, 0, 1, 5, 0x80]].concat();
        let now = Duration::from_millis(ms);
        let bytes = packet(VIDEO, counter, &unit, pcr.map(Ticks27M::new));
        counter = (counter + 1) & 15;
        ring.push(Packet::new(&bytes).unwrap(), now);
        ring.start(now).map(|rap| (rap.pcr.map(Ticks27M::value), rap.pts.unwrap().value())).unwrap()
    };
    ring.assign(&programme, &identity(), Duration::ZERO);
    let (pcr, pts) = (Ticks27M::WRAP - 9, Ticks90k::WRAP - 1);
    assert_eq!(idr(&mut ring, 0, Some(pcr), pts), (Some(pcr), pts));
    assert_eq!(idr(&mut ring, 300, Some(Ticks27M::WRAP + 7), Ticks90k::WRAP + 1), (Some(7), 1), "both wrap");
    assert_eq!(idr(&mut ring, 600, Some(5_000_000_000), 9), (Some(5_000_000_000), 9), "a jump");
    assert_eq!(idr(&mut ring, 900, None, 10), (Some(5_000_000_000), 10), "the one before holds");
    // No clock: none is made up, nor is that of a PID that the PMT does not name.
    programme.pcr_pid = Pid::NULL;
    ring.assign(&programme, &identity(), Duration::from_secs(1));
    assert_eq!(idr(&mut ring, 1300, Some(77), 11), (None, 11));
}

#[test]
fn a_read_in_place_closes_up_over_what_is_refused() {
    let feed = Feed::new(CAPACITY).unwrap();
    let mut ring = feed.ring().borrow_mut();
    ring.assign(&programme(Codec::H264), &identity(), Duration::ZERO);
    let slots: std::vec::Vec<_> =
        (0..8u8).map(|i| packet(if i % 3 == 1 { Pid::NULL } else { AUDIO }, i, &[], None)).collect();
    ring.room()[..8 * PACKET].copy_from_slice(slots.as_flattened());
    let head = ring.head();
    ring.settle(8 * PACKET, Duration::ZERO, |slot| pid_of(slot) != Pid::NULL);
    let kept: std::vec::Vec<u8> =
        ring.window(head, usize::MAX).unwrap().as_chunks::<PACKET>().0.iter().map(|p| p[3] & 15).collect();
    assert_eq!(kept, [0, 2, 3, 5, 6]);
}

#[test]
fn a_changed_programme_is_told_at_once_and_old_places_keep_their_tables() {
    let mut feeder = Feeder::new(CAPACITY);
    (0..6).for_each(|_| feeder.frame());
    let before = feeder.feed.ring().borrow().start(feeder.now()).unwrap();
    let head = feeder.feed.ring().borrow().head();
    let mut changed = programme(Codec::H264);
    changed.components.pop();
    feeder.feed.ring().borrow_mut().update(&changed, &identity(), feeder.now());
    feeder.feed.ring().borrow_mut().update(&changed, &identity(), feeder.now()); // no news
    let news = whole(&feeder, head);
    assert_eq!(news.len(), 3 * PACKET, "PAT, PMT, SDT, once");
    assert_eq!((news[PACKET + 10] >> 1) & 0x1f, 2, "the PMT's version");
    let ring = feeder.feed.ring().borrow();
    let mut preamble = Vec::new();
    ring.preamble(&before, Entrance::Join, &mut preamble).unwrap();
    assert_eq!((preamble[PACKET + 10] >> 1) & 0x1f, 1);
}

#[test]
fn a_break_is_announced_on_each_pid_once() {
    let mut feeder = Feeder::new(CAPACITY);
    (0..5).for_each(|_| feeder.frame());
    feeder.feed.ring().borrow_mut().expect_break();
    feeder.lose(7);
    let head = feeder.feed.ring().borrow().head();
    (0..5).for_each(|_| feeder.frame());
    assert!(!feeder.feed.ring().borrow().expects_break());
    let mut reader = Reader::new();
    reader.take(&whole(&feeder, 0)); // it knows of a counter that does not go on unannounced
    assert_eq!(reader.announced, 2);
    let bytes = whole(&feeder, head);
    let first = bytes.as_chunks::<PACKET>().0.iter().find(|p| pid_of(p) == VIDEO).unwrap();
    let first = Packet::new(first).unwrap();
    assert!(first.is_discontinuity() && !first.has_payload());
    assert_eq!(first.pcr(), Some(Ticks27M::new(5 * 1_080_000)), "the new clock");
}

#[test]
fn a_pid_that_was_gone_comes_again_behind_a_break() {
    let mut feeder = Feeder::new(CAPACITY);
    feeder.frame();
    let silent = Programme {
        components: programme(Codec::H264).components[..1].iter().cloned().collect(),
        ..programme(Codec::H264)
    };
    for programme in [silent, programme(Codec::H264)] {
        feeder.feed.ring().borrow_mut().update(&programme, &identity(), feeder.now());
    }
    let mut ring = feeder.feed.ring().borrow_mut();
    assert!(ring.expects_break());
    let head = ring.head();
    ring.push(Packet::new(&packet(AUDIO, 9, &[], None)).unwrap(), feeder.now());
    assert_eq!((ring.head() - head, ring.expects_break()), (2 * PACKET as u64, false));
}

#[test]
fn a_pid_that_does_not_come_again_is_not_waited_for() {
    let feed = Feed::new(CAPACITY).unwrap();
    let mut ring = feed.ring().borrow_mut();
    ring.assign(&programme(Codec::H264), &identity(), Duration::ZERO);
    ring.expect_break();
    for second in 0..10 {
        let bytes = packet(AUDIO, second & 15, &[], None);
        ring.push(Packet::new(&bytes).unwrap(), Duration::from_secs(second.into()));
        assert_eq!(ring.expects_break(), second < 5);
    }
}

#[test]
fn without_a_random_access_point_nobody_waits_for_ever() {
    let feed = Feed::new(CAPACITY).unwrap();
    let mut ring = feed.ring().borrow_mut();
    ring.assign(&programme(Codec::H264), &identity(), Duration::ZERO);
    let slice = [0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0, 0, 0, 1, 1, 0x80];
    for i in 0..200u8 {
        let now = Duration::from_millis(u64::from(i) * 40);
        ring.push(Packet::new(&packet(VIDEO, i & 15, &slice, None)).unwrap(), now);
        let patience = Duration::from_millis(board::START_AGE_MAX_MS);
        assert_eq!(ring.start(now).map(|rap| rap.at), (now >= patience).then_some(now));
    }
}

#[test]
fn a_service_whose_video_is_dead_is_heard() {
    let feed = Feed::new(CAPACITY).unwrap();
    let mut ring = feed.ring().borrow_mut();
    let mut with_text = programme(Codec::H264);
    let text = Component { pid: TEXT, codec: Codec::Subtitles, ..with_text.components[1].clone() };
    with_text.components.push(text).unwrap();
    ring.assign(&with_text, &identity(), Duration::ZERO);
    for i in 0..200u8 {
        let now = Duration::from_millis(u64::from(i) * 40);
        let bytes = packet(AUDIO, i & 15, &[0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0], None);
        ring.push(Packet::new(&bytes).unwrap(), now);
        let heard = ring.head() - PACKET as u64;
        ring.push(Packet::new(&packet(TEXT, i & 15, &[0, 0, 1, 0xbd, 0, 0], None)).unwrap(), now);
        let patience = Duration::from_millis(board::START_AGE_MAX_MS);
        assert_eq!(ring.start(now).map(|rap| rap.position), (now >= patience).then_some(heard));
    }
}

#[test]
fn a_scrambled_service_starts_where_the_indicator_says() {
    let feed = Feed::new(CAPACITY).unwrap();
    let mut ring = feed.ring().borrow_mut();
    ring.assign(&programme(Codec::H264), &identity(), Duration::ZERO);
    let mut bytes = packet(VIDEO, 0, &[1, 2, 3], Some(Ticks27M::new(0)));
    bytes[3] |= 0x80;
    bytes[5] |= 0x40;
    ring.push(Packet::new(&bytes).unwrap(), Duration::ZERO);
    assert_eq!(ring.start(Duration::ZERO).map(|rap| rap.position), Some(ring.head() - PACKET as u64));
    assert_eq!(ring.is_scrambled(), Some(true));
}

#[test]
fn a_clock_alone_is_no_denser_than_needed_and_its_counter_stands() {
    let feed = Feed::new(CAPACITY).unwrap();
    let mut ring = feed.ring().borrow_mut();
    ring.assign_only(Tracks::Audio, &programme(Codec::H264), &identity(), Duration::ZERO);
    ring.begin(Duration::ZERO);
    let mut counter = 0;
    let mut push = |ring: &mut ServiceRing, ms: u64, flags: u8| {
        let mut bytes = packet(VIDEO, counter, &[0, 0, 1, 0xe0], Some(Ticks27M::new(ms * 27_000)));
        bytes[5] |= flags;
        ring.push(Packet::new(&bytes).unwrap(), Duration::ZERO);
        ring.push(Packet::new(&packet(VIDEO, counter + 1, &[], None)).unwrap(), Duration::ZERO);
        ring.push(Packet::new(&packet(AUDIO, counter & 15, &[0, 0, 1, 0xc0], None)).unwrap(), Duration::ZERO);
        counter = (counter + 2) & 15;
    };
    for ms in [0, 20, 39, 40, 60, 80, 170] {
        push(&mut ring, ms, 0);
    }
    push(&mut ring, 180, 0x80); // another clock begins
    let clocks: std::vec::Vec<_> = ring
        .window(0, usize::MAX)
        .unwrap()
        .as_chunks::<PACKET>()
        .0
        .iter()
        .map(|slot| Packet::new(slot).unwrap())
        .filter(|packet| packet.pid() == VIDEO)
        .map(|p| (p.pcr().unwrap().value() / 27_000, p.has_payload(), p.counter(), p.is_discontinuity()))
        .collect();
    let kept = |ms, announced| (ms, false, 15, announced);
    assert_eq!(clocks, [kept(0, false), kept(40, false), kept(80, false), kept(170, false), kept(180, true)]);
    // Who jumps there is told of the break with a counter that the next clock agrees with.
    let rap = ring.start(Duration::from_secs(9)).unwrap();
    let mut preamble = Vec::new();
    ring.preamble(&rap, Entrance::Jump, &mut preamble).unwrap();
    let told = preamble.as_chunks::<PACKET>().0.iter().map(|slot| Packet::new(slot).unwrap());
    assert_eq!(told.filter(|p| p.pid() == VIDEO).map(|p| p.counter()).collect::<std::vec::Vec<_>>(), [15]);
    // Once there are pictures no more, what comes on that PID is nobody's.
    ring.assign_only(Tracks::Audio, &programme(Codec::MpegAudio), &identity(), Duration::ZERO);
    assert!(!ring.clock.is_on(VIDEO) && !ring.clock.is_on(AUDIO));
}

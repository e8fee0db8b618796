use std::time::Duration;

use heapless::Vec;

use super::sample::{AUDIO, CAPACITY, Feeder, Reader, VIDEO, identity, packet, programme};
use super::*;
use crate::ts::psi::Codec;

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
    ring.assign(&programme(Codec::H264), &identity(), Duration::ZERO);
    for i in 0..200u8 {
        let now = Duration::from_millis(u64::from(i) * 40);
        let bytes = packet(AUDIO, i & 15, &[0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0], None);
        ring.push(Packet::new(&bytes).unwrap(), now);
        let patience = Duration::from_millis(board::START_AGE_MAX_MS);
        assert_eq!(ring.start(now).map(|rap| rap.at), (now >= patience).then_some(now));
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
    assert!(ring.is_scrambled());
}

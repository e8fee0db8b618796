use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::service::sample::{CAPACITY, Feeder};

/// An access unit at so many ms, a packet long.
fn unit(ms: u64) -> Rap {
    Rap {
        position: ms * 188,
        at: Duration::from_millis(ms),
        pcr: Some(Ticks27M::new(ms * 27_000)),
        pts: Some(Ticks90k::new(ms * 90 + 9000)),
        psi: 0,
        own: Default::default(),
        counters: Default::default(),
    }
}

/// Pieces of units 40 ms apart; a decoder can start at those of `places`, in ms.
fn pieces(until: u64, places: impl Fn(u64) -> bool) -> Segments {
    let mut segments = Segments::default();
    for ms in (0..until).step_by(40) {
        segments.unit(&unit(ms));
        if places(ms) {
            segments.place(&unit(ms));
        }
    }
    segments
}

fn lengths(segments: &Segments) -> Vec<u64> {
    segments.done.iter().map(|s| millis(s.duration)).collect()
}

#[test]
fn near_places_are_joined_and_far_ones_make_the_target_longer() {
    let now = Duration::ZERO;
    for (gop, length, target) in [
        (480, 2400, 2),
        (960, 1920, 2),
        (1280, 1280, 2),
        (1920, 1920, 2),
        (2000, 2000, 2),
        (2400, 2400, 3),
        (8000, 8000, 8),
    ] {
        let segments = pieces(30_000, |ms| ms % gop == 0);
        assert_eq!(segments.target(now), Duration::from_secs(target), "{gop} ms");
        assert_eq!(lengths(&segments)[..3], [length; 3], "{gop} ms");
    }
}

#[test]
fn a_piece_does_not_wait_for_a_place_that_would_come_too_late() {
    for gop in [960, 1280, 1920] {
        let segments = pieces(6 * gop + 40, |ms| ms % gop == 0);
        let whole: u64 = lengths(&segments).iter().sum();
        assert_eq!(whole, 6 * gop, "{gop} ms");
    }
}

#[test]
fn a_stream_without_places_is_cut_all_the_same() {
    let segments = pieces(45_000, |ms| ms == 0);
    assert_eq!(lengths(&segments), [10_320; 4]);
    assert_eq!(segments.target(Duration::ZERO), Duration::from_secs(11));
    assert!(pieces(45_000, |_| false).done.is_empty(), "without any, nothing can be begun");
}

#[test]
fn a_break_ends_a_piece_and_is_told_once() {
    let mut segments = Segments::default();
    segments.break_at(0);
    let mut end = 0;
    for ms in (0..12_000).step_by(40) {
        if ms == 5000 {
            end = unit(ms).position - 94;
            segments.break_at(end);
            segments.break_at(end);
        }
        segments.unit(&unit(ms));
        if ms % 1000 == 0 && ms != 5000 {
            segments.place(&unit(ms));
        }
    }
    let told: Vec<_> =
        segments.done.iter().map(|s| (millis(s.duration), s.is_break, s.breaks_before)).collect();
    let (a, b) = ((2000, false, 0), (960, false, 0));
    assert_eq!(told, [a, a, b, (2000, true, 0), (2000, false, 1)]);
    let ranges: Vec<_> = segments.done.iter().map(Segment::range).collect();
    assert_eq!(ranges[2].end, end);
    assert_eq!(ranges[3].start, unit(6000).position, "what no decoder can use is in no piece");
}

proptest! {
    #[test]
    fn pieces_adjoin_and_are_never_longer_than_was_promised(
        gaps in prop::collection::vec(1..120_u64, 40..120),
        promise in 0..20_000_u64,
    ) {
        let mut segments = Segments::default();
        let mut target = None;
        let mut seen: BTreeMap<u64, Segment> = BTreeMap::new();
        let mut places = gaps.iter().scan(0, |at, gap| { *at += gap * 40; Some(*at) }).peekable();
        let last: u64 = gaps.iter().sum::<u64>() * 40;
        for ms in (0..last).step_by(40) {
            segments.unit(&unit(ms));
            if places.next_if_eq(&ms).is_some() {
                segments.place(&unit(ms));
            }
            let now = Duration::from_millis(ms);
            if target.is_none() && ms >= promise && segments.done.len() >= LISTED_LEAST {
                let told = segments.target(now);
                segments.promised = Some((told, Duration::MAX));
                target = Some(told);
            }
            seen.extend(segments.done.iter().map(|s| (s.number, *s)));
            let target = target.unwrap_or_else(|| segments.target(now));
            for segment in &segments.done {
                let rounded = Duration::from_secs((segment.duration + Duration::from_millis(500)).as_secs());
                prop_assert!(rounded <= target, "{:?} of {target:?}", segment.duration);
                prop_assert!(segment.duration > Duration::ZERO);
            }
        }
        for (a, b) in seen.values().zip(seen.values().skip(1)) {
            prop_assert_eq!((a.number + 1, a.range().end, a.at + a.duration), (b.number, b.range().start, b.at));
            prop_assert_eq!(a.range().end - a.range().start, millis(a.duration) * 188);
        }
    }
}

/// A list as it was at a time, from its first number up to its last.
type List = (Duration, Vec<(u64, Duration)>);

#[test]
fn what_was_listed_stays_as_long_as_the_standard_says() {
    let mut feeder = Feeder::new(12 * CAPACITY);
    let mut lists: Vec<List> = Vec::new();
    let mut longest = Duration::ZERO;
    let mut gone: BTreeMap<u64, Duration> = BTreeMap::new();
    for _ in 0..4000 {
        feeder.frame();
        let now = feeder.now();
        let mut ring = feeder.feed.ring().borrow_mut();
        if ring.can_list(now).is_err() {
            assert!(lists.is_empty(), "once there is a list there always is one");
            continue;
        }
        let target = ring.promise_target(now, now + Duration::from_secs(20));
        let list: Vec<_> = ring.listed(target).map(|s| (s.number, s.duration)).collect();
        let length: Duration = list.iter().map(|(_, duration)| *duration).sum();
        longest = longest.max(length);
        if let Some((_, before)) = lists.last() {
            assert!(before[0].0 <= list[0].0, "a piece came back");
            if before[0].0 < list[0].0 {
                assert!(length >= target * 3, "RFC 8216 §6.2.2: {length:?}");
                (before[0].0..list[0].0).for_each(|number| _ = gone.insert(number, now));
            }
        }
        for (number, at) in &gone {
            if now <= *at + target + longest {
                assert!(
                    ring.segment(*number).is_some(),
                    "piece {number} is gone at {now:?}, and was listed till {at:?}"
                );
            }
        }
        lists.push((now, list));
    }
    assert!(gone.len() > 50, "{}", gone.len());
}

#[test]
fn a_ring_that_cannot_hold_what_the_standard_asks_for_says_so() {
    // 13 s, of which a list takes 7: it cannot stay for as long again.
    let mut feeder = Feeder::new(5 * CAPACITY);
    let mut answers = Vec::new();
    for _ in 0..400 {
        feeder.frame();
        let ring = feeder.feed.ring().borrow();
        let why = ring.can_list(feeder.now()).unwrap_err();
        if answers.last() != Some(&std::mem::discriminant(&why)) {
            answers.push(std::mem::discriminant(&why));
        }
        if let NoList::TooSmall { needed, capacity } = why {
            assert!(needed > capacity && capacity < 5 * CAPACITY as u64);
        }
    }
    assert_eq!(answers.len(), 2, "first it is not known, then it stays so");
}

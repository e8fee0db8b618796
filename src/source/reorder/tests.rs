//! The window against a naive twin, datagram by datagram.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// A window and what came out of it: the numbers that datagrams bear in their payload.
#[derive(Default)]
struct Bench {
    window: Window,
    out: Vec<u32>,
}

impl Bench {
    /// `number` comes; its low 16 bits are its sequence number.
    fn push_of(&mut self, stream: u32, number: u32, now: Duration) {
        let at = self.window.held() * SLOT;
        let mut bytes = vec![0; at + SLOT];
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
        let mut room = Room::new(&mut bytes);
        let stamp = Stamp { stream, sequence: number as u16 };
        self.window.push(stamp, now, at..at + 4, &mut room);
        let filled = room.filled();
        self.out.extend(bytes[..filled].as_chunks().0.iter().map(|b| u32::from_be_bytes(*b)));
    }

    fn push(&mut self, numbers: impl IntoIterator<Item = u32>) {
        numbers.into_iter().for_each(|n| self.push_of(1, n, Duration::ZERO));
    }

    fn expire(&mut self, now: Duration, slots: usize) {
        let mut bytes = vec![0; slots * SLOT];
        let mut room = Room::new(&mut bytes);
        self.window.expire(now, &mut room);
        let filled = room.filled();
        self.out.extend(bytes[..filled].as_chunks().0.iter().map(|b| u32::from_be_bytes(*b)));
    }

    /// Lost, reordered, late, restarts.
    fn order(&self) -> [u64; 4] {
        let Order { lost, reordered, late, restarts } = self.window.order();
        [lost, reordered, late, restarts]
    }
}

#[test]
fn order_is_left_alone_also_where_numbers_wrap() {
    let mut bench = Bench::default();
    bench.push(65_500..65_600);
    assert_eq!((bench.out.clone(), bench.order()), ((65_500..65_600).collect(), [0; 4]));
}

#[test]
fn two_that_swapped_are_swapped_back_and_one_sent_twice_comes_once() {
    let mut bench = Bench::default();
    bench.push([65_534, 65_536, 65_536, 65_535, 65_535, 65_537, 65_534]);
    assert_eq!((bench.out.clone(), bench.order()), ((65_534..65_538).collect(), [0, 1, 0, 0]));
}

#[test]
fn what_is_missing_is_given_up_when_the_window_is_full() {
    let mut bench = Bench::default();
    bench.push((100..200).filter(|n| ![110, 111, 150].contains(n)));
    let out: Vec<u32> = (100..200).filter(|n| ![110, 111, 150].contains(n)).collect();
    assert_eq!((bench.out.clone(), bench.order()), (out.clone(), [3, 0, 0, 0]));
    bench.push([150, 149, 72]);
    assert_eq!((bench.out.clone(), bench.window.order().late), (out, 2), "149 was handed on");
}

#[test]
fn nothing_is_held_for_long() {
    let mut bench = Bench::default();
    for (number, ms) in [(10, 0), (12, 1), (13, 2), (15, 40)] {
        bench.push_of(1, number, ms * MS);
    }
    bench.expire(50 * MS, 9);
    assert_eq!((bench.out.clone(), bench.order()[0]), (vec![10], 0));
    bench.expire(51 * MS, 9);
    assert_eq!((bench.out.clone(), bench.order()[0]), (vec![10, 12, 13], 1));
    bench.expire(90 * MS, 9);
    assert_eq!((bench.out.clone(), bench.order()[0]), (vec![10, 12, 13, 15], 2));
}

#[test]
fn in_a_small_room_the_rest_waits() {
    let mut bench = Bench::default();
    bench.push([10, 12, 13, 14]);
    for slots in [0, 1, 2] {
        bench.expire(60 * MS, slots);
    }
    assert_eq!((bench.out.clone(), bench.order()), (vec![10, 12, 13, 14], [1, 0, 0, 0]));
}

#[test]
fn a_jump_or_another_sender_begins_anew_and_loses_nothing() {
    let mut bench = Bench::default();
    bench.push([10, 11, 5000, 5001, 20, 21, 60_000]);
    assert_eq!((bench.out.clone(), bench.order()), (vec![10, 11, 5000, 5001, 20, 21, 60_000], [0, 0, 0, 3]));
    bench.push([60_002]);
    bench.push_of(2, 60_001, Duration::ZERO);
    bench.push_of(2, 60_002, Duration::ZERO);
    assert_eq!(bench.out[7..], [60_002, 60_001, 60_002]);
    assert_eq!(bench.order(), [1, 0, 0, 4]);
}

/// The same with unbounded numbers, a sorted map and no clock, for one stream without jumps.
#[derive(Default)]
struct Naive {
    next: Option<u32>,
    held: std::collections::BTreeSet<u32>,
    out: Vec<u32>,
    lost: u64,
}

impl Naive {
    /// A window ahead of all that came: where the twin does not follow.
    fn is_jump(&self, number: u32) -> bool {
        let end = self.held.last().map(|last| last + 1).or(self.next);
        end.is_some_and(|end| number >= end + u32::from(WINDOW))
    }

    fn push(&mut self, number: u32) {
        let next = self.next.get_or_insert(number);
        if number < *next {
            return;
        }
        self.held.insert(number);
        while self.held.contains(next) || self.held.last().is_some_and(|l| *l - *next >= u32::from(WINDOW)) {
            if self.held.remove(next) {
                self.out.push(*next);
            } else {
                self.lost += 1;
            }
            *next += 1;
        }
    }
}

/// 300 numbers from just before the wrap on, each up to `by` places from its own; some left out, some sent twice.
fn shuffled(by: u32) -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
    let each = prop::collection::vec((0..by, 0..24_u8), 300);
    each.prop_map(|each| {
        let (mut sent, mut kept) = (vec![(0, 65_400)], vec![65_400]);
        for (n, (delay, fate)) in (65_401..).zip(each) {
            let place = n + delay;
            let copies = usize::from(fate > 0) + usize::from(fate == 1);
            sent.extend(std::iter::repeat_n((place, n), copies));
            kept.extend((copies > 0).then_some(n));
        }
        sent.sort_by_key(|s| s.0);
        (sent.into_iter().map(|s| s.1).collect(), kept)
    })
}

proptest! {
    #[test]
    fn any_order_within_the_window_is_restored((sent, kept) in shuffled(16)) {
        let mut bench = Bench::default();
        bench.push(sent);
        bench.expire(50 * MS, 40);
        let missing = kept.last().unwrap() - kept[0] + 1 - kept.len() as u32;
        prop_assert_eq!(&bench.out, &kept);
        let [lost, _, late, restarts] = bench.order();
        prop_assert_eq!([lost, late, restarts], [missing.into(), 0, 0]);
    }

    #[test]
    fn the_naive_twin_agrees((sent, _) in shuffled(60)) {
        let (mut bench, mut naive) = (Bench::default(), Naive::default());
        for number in sent {
            if naive.is_jump(number) {
                break;
            }
            bench.push([number]);
            naive.push(number);
            prop_assert_eq!(&bench.out, &naive.out);
            prop_assert_eq!(bench.order()[0], naive.lost);
        }
    }

    #[test]
    fn any_numbers_are_survived(
        pushed in prop::collection::vec((0..3_u32, 0..70_000_u32, prop::bool::ANY, 0..30_u32), 0..300),
    ) {
        let (mut bench, mut now) = (Bench::default(), Duration::ZERO);
        for (stream, number, near, ms) in pushed {
            now += ms * MS;
            bench.push_of(stream / 2, if near { number % 100 } else { number }, now);
            bench.expire(now, 3);
            prop_assert!(bench.window.held() < usize::from(WINDOW));
        }
    }
}

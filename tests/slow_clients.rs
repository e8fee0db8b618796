//! Who reads too slowly, or not at all, hurts nobody but itself: it is sent whole pictures, or dropped.

mod support;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::http::{DEADLINE, Viewer};
use support::mux::{Codec, MuxBuilder, Service, number};
use support::rap::starts_clean;
use support::stb::{Stb, number as field, wait_for};
use support::ts::{Packet, contiguous_run, elementary, judge, packets, payload, pid};

/// What the source lasts, in seconds: a client that takes nothing is dropped after ten.
const LENGTH: u64 = 17;
/// For how long one client pauses. The ring of the board `host`, of 16 MB, holds less of [`fast`].
const PAUSE: Duration = Duration::from_secs(4);
/// What the kernel holds for a client that is slow: small beside the ring.
const BUFFER: usize = 64 * 1024;
/// Good viewers of the two services.
const GOOD: [usize; 2] = [4, 16];
/// Clients that read a byte a second, and clients that do not read on.
const TRICKLING: usize = 3;
const STOPPED: usize = 3;

fn fast() -> Service {
    Service::tv(1, "Fast", Codec::H264, 36_000_000)
}

fn plain() -> Service {
    Service::tv(2, "Plain", Codec::Mpeg2, 1_500_000)
}

#[test]
fn slow_clients_hurt_nobody_but_themselves() {
    let mux =
        MuxBuilder { lcns: vec![(1, 1), (2, 2)], ..MuxBuilder::new(&[fast(), plain()], LENGTH) }.build();
    let stb = Stb::playing(&mux, "");
    stb.wait_channels(2);
    // The first viewer then sees the source from its beginning.
    wait_for("the survey's end", || Some(stb.mux(0)).filter(|mux| mux.contains("\"state\":\"idle\"")));
    let urls = [stb.channel(1), stb.channel(2)];
    let sent = [fast(), plain()].map(|service| elementary(&mux, &service.pids()));
    let (over, slow_over) = (&AtomicBool::new(false), &AtomicBool::new(false));
    thread::scope(|scope| {
        let _over = SetOnDrop([over, slow_over]);
        let services = [fast(), plain()];
        let good = (0..2).flat_map(|i| (0..GOOD[i]).map(move |_| i));
        let good: Vec<_> = good
            .map(|i| (Viewer::open(&urls[i]), &sent[i], services[i].pids()))
            .map(|(viewer, sent, pids)| scope.spawn(move || follow(viewer, sent, &pids, over)))
            .collect();
        let slow = |read: fn(&mut Viewer)| {
            let mut viewer = Viewer::open_with_buffer(&urls[0], BUFFER);
            viewer.watch(50_000);
            scope.spawn(move || {
                while !slow_over.load(Ordering::Relaxed) {
                    read(&mut viewer);
                    thread::sleep(Duration::from_secs(1));
                }
                viewer
            })
        };
        let trickling: Vec<_> = (0..TRICKLING).map(|_| slow(|viewer| viewer.client.receive_byte())).collect();
        let stopped: Vec<_> = (0..STOPPED).map(|_| slow(|_| {})).collect();
        let pauses = scope.spawn(|| pause(&stb, &urls[0], &sent[0]));

        let resumed = pauses.join().expect("the pausing client is content");
        let dropped = TRICKLING + STOPPED;
        wait_for("the slow ones to be dropped", || {
            Some(()).filter(|()| field(&stb.status()[1], "stalled") == dropped as u64)
        });
        slow_over.store(true, Ordering::Relaxed);
        for viewer in trickling.into_iter().chain(stopped) {
            is_cut_short(viewer.join().expect("a slow client ends"), &sent[0]);
        }
        over.store(true, Ordering::Relaxed);
        for viewer in good {
            let followed = viewer.join().expect("a good viewer is content");
            assert!(followed > 0, "a good viewer got nothing");
        }
        let status = stb.status().pop().expect("the box has a line");
        assert_eq!((field(&status, "stalled"), field(&status, "too_slow")), (dropped as u64, 0), "{status}");
        assert_eq!(field(&status, "jumps"), (dropped + resumed.jumps) as u64, "{status}");
        assert_eq!(stb.log().matches(": Stalled").count(), dropped, "each is in the log");
    });
}

/// Reads as fast as it comes until `over`; every packet must be the one of `sent` that is next. Gives their number.
fn follow(mut viewer: Viewer, sent: &[Packet], pids: &[u16], over: &AtomicBool) -> usize {
    let (mut next, mut followed) = (None, 0);
    while !over.load(Ordering::Relaxed) {
        let more = viewer.client.receive(Instant::now() + Duration::from_millis(100));
        assert!(more || !viewer.client.ended, "the box hung up on a good viewer");
        let whole = viewer.bytes().len() / 188 * 188;
        for packet in elementary(&viewer.bytes()[..whole], pids) {
            let place = next.unwrap_or_else(|| place_of(&packet, sent));
            assert!(sent.get(place) == Some(&packet), "packet {place}, after {followed} that were right");
            (next, followed) = (Some(place + 1), followed + 1);
        }
        viewer.client.unread.drain(..whole);
    }
    followed
}

/// Where `packet` is in `sent`, by the number that it carries.
fn place_of(packet: &Packet, sent: &[Packet]) -> usize {
    sent.binary_search_by_key(&number(packet), number).expect("what comes was sent")
}

/// What the pausing client saw.
struct Resumed {
    jumps: usize,
}

/// Watches, pauses until the ring has lapped it, and watches on.
fn pause(stb: &Stb, url: &str, sent: &[Packet]) -> Resumed {
    let mut viewer = Viewer::open_with_buffer(url, BUFFER);
    viewer.watch(1_000_000);
    thread::sleep(PAUSE);
    wait_for("the ring to lap who pauses", || Some(()).filter(|()| field(&stb.status()[1], "jumps") > 0));
    viewer.watch_on(4_000_000);
    let whole = viewer.bytes().len() / 188 * 188;
    resumes_clean(&viewer.bytes()[..whole], &fast(), sent)
}

/// `got` is of `sent`, with gaps; each gap is announced on every PID, and behind it come PAT, PMT and a random access
/// point.
fn resumes_clean(got: &[u8], service: &Service, sent: &[Packet]) -> Resumed {
    let report = judge(got);
    let all = packets(got).0;
    let gaps = announcements(all);
    assert!(!gaps.is_empty(), "a gap is announced");
    for gap in &gaps {
        let announced: Vec<u16> = all[gap.clone()].iter().map(pid).collect();
        for wanted in service.pids().into_iter().chain([0, report.pat_programs[0].1]) {
            assert!(announced.contains(&wanted), "{wanted:#06x} is not among {announced:x?}");
        }
        assert_eq!(starts_clean(all[gap.end() + 1..].as_flattened()), Ok(()), "packet {}", gap.end() + 1);
    }
    for (pid, counts) in &report.pids {
        assert_eq!((counts.cc_errors, counts.duplicates), (0, 0), "PID {pid:#06x}");
    }
    assert_eq!(report.crc_errors, 0);
    // Between the gaps nothing is missing.
    let ends = gaps.iter().map(|gap| *gap.start()).chain([all.len()]);
    let starts = [0].into_iter().chain(gaps.iter().map(|gap| gap.end() + 1));
    let mut before = None;
    for (start, end) in starts.zip(ends) {
        let piece = elementary(all[start..end].as_flattened(), &service.pids());
        let at = contiguous_run(sent, &piece).unwrap_or_else(|why| panic!("packets {start} to {end}: {why}"));
        assert!(before.is_none_or(|before| before < at), "it goes back");
        before = Some(at + piece.len());
    }
    Resumed { jumps: gaps.len() }
}

/// Runs of packets without payload that announce a discontinuity.
fn announcements(all: &[Packet]) -> Vec<RangeInclusive<usize>> {
    let announces = |p: &Packet| payload(p).is_empty() && p[4] > 0 && p[5] & 0x80 != 0;
    let mut runs: Vec<RangeInclusive<usize>> = Vec::new();
    for i in (0..all.len()).filter(|&i| announces(&all[i])) {
        match runs.last_mut().filter(|run| run.end() + 1 == i) {
            Some(run) => *run = *run.start()..=i,
            None => runs.push(i..=i),
        }
    }
    runs
}

/// The box hung up; what came before is the stream from its start on, without a gap.
fn is_cut_short(mut viewer: Viewer, sent: &[Packet]) {
    let deadline = Instant::now() + DEADLINE;
    while viewer.client.receive(deadline) {}
    assert!(viewer.client.ended, "the box did not hang up");
    let whole = viewer.bytes().len() / 188 * 188;
    let got = &viewer.bytes()[..whole];
    assert_eq!(starts_clean(got), Ok(()));
    let run = contiguous_run(sent, &elementary(got, &fast().pids()));
    assert!(run.is_ok(), "{run:?}");
}

/// Ends those who wait for it, also where a test fails.
struct SetOnDrop<'a>([&'a AtomicBool; 2]);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|flag| flag.store(true, Ordering::Relaxed));
    }
}

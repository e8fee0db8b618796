//! Clocks that wrap, jump, are missing, or are not where the PMT says: what comes in comes out, at its pace, and who
//! joins starts at a picture.

mod support;

use support::http::Viewer;
use support::live::{Live, Segment};
use support::mux::{Codec, MuxBuilder, Service, pcr_bytes, pmt};
use support::rap::starts_clean;
use support::sender;
use support::stb::{Dir, Stb};
use support::ts::{Packet, contiguous_run, elementary, judge, packets, pcr, pid, strip_time};

/// Ticks of 27 MHz after which clocks begin at 0 again.
const TURN: u64 = (1 << 33) * 300;
const SECOND: u64 = 27_000_000;
const SECONDS: u64 = 6;

fn services() -> Vec<Service> {
    vec![Service::tv(1, "One", Codec::H264, 500_000), Service::tv(2, "Two", Codec::Mpeg2, 400_000)]
}

fn built(services: &[Service], start: u64) -> Vec<Packet> {
    let mux = MuxBuilder { start, ..MuxBuilder::new(services, SECONDS) };
    packets(&mux.build()).0.to_vec()
}

/// What can be wrong with the clocks of a mux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// PTS and PCR turn round, a fifth of a second after one another.
    Wraps,
    /// In the middle it goes on by so many ticks later, and says so or not.
    Jumps(u64, bool),
    /// There is none, and the PMT says so or names a PID that has none.
    None(u16),
    /// The PMT names a PID on which nothing is.
    Elsewhere,
    /// The PMT of the last service names the clock of the first.
    OfAnother,
}

const CLOCKS: [Clock; 8] = [
    Clock::Wraps,
    Clock::Jumps(5 * 3600 * SECOND, false),
    Clock::Jumps(5 * 3600 * SECOND, true),
    Clock::Jumps(TURN - 9 * SECOND, false), // back
    Clock::None(0x1fff),
    Clock::None(0x112),
    Clock::Elsewhere,
    Clock::OfAnother,
];

impl Clock {
    fn of(self, services: &[Service]) -> Vec<Packet> {
        let mut stream = built(services, if self == Self::Wraps { TURN - 3 * SECOND } else { 10 * SECOND });
        match self {
            Self::Wraps => {}
            Self::Jumps(by, announced) => jump(&mut stream, by, announced),
            Self::None(named) => {
                stream.iter_mut().filter(|p| pcr(p).is_some()).for_each(|p| p[5] &= !0x10);
                services.iter().for_each(|service| name_clock(&mut stream, service, named));
            }
            Self::Elsewhere => name_clock(&mut stream, &services[services.len() - 1], 0x1abc),
            Self::OfAnother => name_clock(&mut stream, &services[services.len() - 1], services[0].video_pid),
        }
        stream
    }
}

/// From the middle on all clocks are `by` later; the first packet of each says so.
fn jump(stream: &mut [Packet], by: u64, announced: bool) {
    let middle = stream.len() / 2;
    let mut told = Vec::new();
    for packet in &mut stream[middle..] {
        let Some(ticks) = pcr(packet) else { continue };
        packet[6..12].copy_from_slice(&pcr_bytes((ticks + by) % TURN));
        if announced && !told.contains(&pid(packet)) {
            told.push(pid(packet));
            packet[5] |= 0x80;
        }
    }
}

/// The PMT of `service` says that its clock is on `clock`.
fn name_clock(stream: &mut [Packet], service: &Service, clock: u16) {
    let section = pmt(service.sid, 0, clock, &service.streams());
    let own = stream.iter_mut().filter(|p| pid(p) == service.pmt_pid);
    own.for_each(|packet| packet[5..5 + section.len()].copy_from_slice(&section));
}

/// All that was got of `service` is a run of what was sent, and begins with a picture. Gives where it begins and ends.
fn is_exact(what: &str, got: &[u8], sent: &[Packet], service: &Service) -> (usize, usize) {
    let (sent, own) = (elementary(sent.as_flattened(), &service.pids()), elementary(got, &service.pids()));
    let start = contiguous_run(&sent, &own).unwrap_or_else(|why| panic!("{what}: {why}"));
    assert_eq!(starts_clean(got), Ok(()), "{what}");
    let report = judge(got);
    assert!(report.pids.values().all(|p| p.cc_errors == 0) && report.crc_errors == 0, "{what}");
    (start, start + own.len())
}

fn is_played_once(clock: Clock) {
    let (services, stream) = (services(), clock.of(&services()));
    let stb = Stb::playing(stream.as_flattened(), "?speed=2");
    stb.wait_channels(services.len());
    std::thread::scope(|scope| {
        for (channel, service) in (1..).zip(&services) {
            let (link, stream) = (stb.channel(channel), &stream);
            scope.spawn(move || {
                let what = format!("a file, {clock:x?}, channel {channel}");
                let got = Viewer::open(&link).watch_all();
                let (_, end) = is_exact(&what, &got, stream, service);
                assert_eq!(end, elementary(stream.as_flattened(), &service.pids()).len(), "{what}: its end");
            });
        }
    });
}

#[test]
fn a_file_is_played_to_its_end_whatever_its_clocks_do() {
    std::thread::scope(|scope| {
        for clock in CLOCKS {
            scope.spawn(move || is_played_once(clock));
        }
    });
}

fn is_passed_on(clock: Clock, services: &[Service]) {
    let to = sender::unicast();
    let stream = clock.of(services);
    let live = Live::start(to, &Segment::of(&stream, SECONDS as f64));
    let stb = Stb::start(&[&format!("udp://{to}")]);
    stb.wait_channels(services.len());
    for (channel, service) in (1..).zip(services) {
        let what = format!("a broadcast of {}, {clock:x?}, channel {channel}", services.len());
        let mut viewer = Viewer::open(&stb.channel(channel));
        // Across the middle, where a clock jumps, or the turn, and the seam: two joins on the way.
        for _ in 0..3 {
            let seen = live.sent().len();
            let mut late = Viewer::open(&stb.channel(channel));
            viewer.watch_on(60_000);
            late.watch_on(20_000);
            is_exact(&what, late.bytes(), &live.sent()[seen.saturating_sub(3000)..], service);
        }
        is_exact(&what, viewer.bytes(), &live.sent(), service);
        if clock == Clock::OfAnother {
            let (clock, sent) = (&[services[0].video_pid], live.sent());
            let sent = elementary(sent.as_flattened(), clock);
            assert!(contiguous_run(&sent, &elementary(viewer.bytes(), clock)).is_ok(), "{what}: its clock");
        }
        let named = judge(viewer.bytes()).pmt.map(|pmt| pmt.pcr_pid);
        assert_eq!(
            named,
            judge(stream.as_flattened()).pmts.get(&service.sid).map(|pmt| pmt.pcr_pid),
            "{what}"
        );
    }
}

#[test]
fn a_broadcast_is_passed_on_whatever_its_clocks_do() {
    std::thread::scope(|scope| {
        for clock in CLOCKS {
            scope.spawn(move || is_passed_on(clock, &services()));
            scope.spawn(move || is_passed_on(clock, &services()[..1]));
        }
    });
}

/// Clocks in `got` go on by at most 100 ms from one to the next, across every turn.
fn clock_is_even(what: &str, got: &[u8]) {
    let clocks: Vec<u64> = packets(got).0.iter().filter_map(pcr).collect();
    assert!(clocks.len() > 100, "{what}: {} references", clocks.len());
    for pair in clocks.windows(2) {
        let step = (pair[1] + TURN - pair[0]) % TURN;
        assert!(step <= SECOND / 10, "{what}: a step of {step} ticks");
    }
}

/// A file whose clock turns round in its middle, or at its seam, is one stream for as many passes as somebody watches.
#[test]
fn the_seam_of_a_loop_is_even_on_a_turn_of_the_clock_too() {
    std::thread::scope(|scope| {
        for before_turn in [3, SECONDS, 2 * SECONDS] {
            scope.spawn(move || {
                let (what, services) = (format!("{before_turn} s before the turn"), services());
                let stream = built(&services, TURN - before_turn * SECOND);
                let dir = Dir::new();
                let source = format!("file:{}?loop&speed=6", dir.file("mux.ts", stream.as_flattened()));
                let stb = Stb::start_in(dir, &[&source], &[]);
                stb.wait_channels(services.len());
                let mut viewer = Viewer::open(&stb.channel(1));
                let got = viewer.watch(usize::try_from(3 * SECONDS * 700_000 / 8).expect("it is short"));
                clock_is_even(&what, got);
                let report = judge(got);
                assert!(report.pids.values().all(|p| p.cc_errors + p.duplicates == 0), "{what}");
                let bare = |all: &[u8]| elementary(all, &services[0].pids()).iter().map(strip_time).collect();
                let (got, pass): (Vec<Packet>, Vec<Packet>) = (bare(got), bare(stream.as_flattened()));
                assert!(got.len() > 2 * pass.len(), "{what}: more than two passes");
                assert!(contiguous_run(&pass.repeat(5), &got).is_ok(), "{what}");
            });
        }
    });
}

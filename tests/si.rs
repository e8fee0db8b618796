//! What the mux says of its services is what the lists show: numbers of the network, and what is on now and next.

mod support;

use support::mux::{Codec, MuxBuilder, Service};
use support::stb::{Dir, Stb, demo, number, text};

/// Service ids by number.
fn numbers(stb: &Stb) -> Vec<(u64, u16)> {
    let sid = |line: &str| text(line, "id")?.rsplit('-').next()?.parse().ok();
    stb.channels().iter().map(|l| (number(l, "number"), sid(l).expect("an id ends with a number"))).collect()
}

/// Services 1 to 5; the third has no picture.
fn services() -> Vec<Service> {
    let tv = |sid| Service::tv(sid, &format!("S{sid}"), Codec::H264, 200_000);
    vec![tv(1), tv(2), Service::radio(3, "S3", 64_000), tv(4), tv(5)]
}

fn source(dir: &Dir, name: &str, mux: &MuxBuilder) -> String {
    format!("file:{}?loop", dir.file(name, &mux.build()))
}

#[test]
fn the_network_s_numbers_are_the_numbers() {
    let dir = Dir::new();
    // Out of order, with a number twice, and one service without.
    let lcns = vec![(1, 7), (2, 3), (3, 800), (5, 3)];
    let mux = MuxBuilder { lcns, ..MuxBuilder::new(&services(), 3) };
    let first = source(&dir, "first.ts", &mux);
    let mut stb = Stb::start_in(dir, &[&first], &[]);
    stb.wait_channels(5);
    // The first with a number has it; the other one and the one without take the lowest free ones.
    let given = [(1, 5), (2, 4), (3, 2), (7, 1), (800, 3)];
    assert_eq!(numbers(&stb), given);
    stb.restart();
    assert_eq!(numbers(&stb), given, "numbers outlive a restart");
    // The network gives other numbers: those of channels that are known stay.
    let lcns = vec![(1, 3), (2, 7), (3, 9), (6, 7), (7, 9)];
    let tv = |sid| Service::tv(sid, "new", Codec::H264, 200_000);
    let mux = MuxBuilder { lcns, ..MuxBuilder::new(&[services(), vec![tv(6), tv(7)]].concat(), 3) };
    stb.dir.file("first.ts", &mux.build());
    stb.restart();
    stb.wait_channels(7);
    assert_eq!(numbers(&stb), [&given[..3], &[(4, 6)], &given[3..4], &[(9, 7)], &given[4..]].concat());
}

#[test]
fn a_mux_without_a_network_has_channels_soon() {
    let mux = MuxBuilder::new(&services(), 3).build();
    let without: Vec<u8> =
        mux.chunks(188).filter(|p| (p[1] & 0x1f, p[2]) != (0, 0x10)).flatten().copied().collect();
    let began = std::time::Instant::now();
    let stb = Stb::playing(&without, "?loop");
    stb.wait_channels(5);
    assert!(began.elapsed().as_secs() < 9, "{:?}", began.elapsed());
    assert_eq!(numbers(&stb), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
}

#[test]
fn the_demo_has_its_numbers() {
    let stb = Stb::start(&[&format!("file:{}?loop", demo().display())]);
    let began = std::time::Instant::now();
    stb.wait_channels(4);
    assert!(began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
    assert_eq!(numbers(&stb), [(1, 1001), (2, 1002), (3, 1003), (4, 1004)]);
}

//! What the mux says of its services is what the lists show: numbers of the network, and what is on now and next.

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use support::http::{Viewer, get};
use support::live::{Live, Segment};
use support::mux::{Codec, MuxBuilder, Service};
use support::sender;
use support::stb::{Dir, Stb, demo, number, text, wait_for};

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

/// What is on, as a list shows it: title, start, duration.
fn event(line: &str, which: &str) -> Option<(String, u64, u64)> {
    let event = line.split_once(&format!("\"{which}\":{{"))?.1.split_once('}')?.0;
    Some((text(event, "title")?.to_owned(), number(event, "start"), number(event, "duration")))
}

#[test]
fn the_demo_shows_what_is_on_now_and_next() {
    let stb = Stb::start(&[&format!("file:{}?loop", demo().display())]);
    let both = |line: &String| Some((event(line, "now")?, event(line, "next")?));
    let events = || stb.channels().iter().map(both).collect::<Option<Vec<_>>>().filter(|all| all.len() == 4);
    let known = wait_for("events of four channels", events);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    for ((title, start, duration), (next, then, _)) in &known {
        assert!(!title.is_empty() && !next.is_empty());
        assert!(
            (*start..start + duration).contains(&time),
            "{title}: {start} to {duration} s later, at {time}"
        );
        assert_eq!(*then, start + duration, "{next}");
    }
    // They stay when nobody looks any more, and lists by HTTP have them, too.
    wait_for("the survey to end", || stb.mux(0).contains("\"state\":\"idle\"").then_some(()));
    assert_eq!(events(), Some(known.clone()));
    let listed = get(&stb.list().0).text();
    let title = &known[1].0.0;
    assert!(listed.contains(&format!("\"now\":{{\"title\":\"{title}\",\"start\":")), "{listed}");
    assert!(known.iter().any(|((title, ..), _)| !title.is_ascii()));
}

#[test]
fn what_is_on_changes_with_the_tables() {
    let segment = |events| Segment::new(&MuxBuilder { events, ..MuxBuilder::new(&services()[..2], 3) }, 0);
    let to = sender::unicast();
    let live = Live::start(to, &segment(vec![(1, ["News", "Film"])]));
    let stb = Stb::start(&[&format!("udp://{to}")]);
    let titles = |place: usize| {
        let lines = stb.channels();
        let title = |which| event(lines.get(place)?, which).map(|event| event.0);
        [title("now"), title("next")]
    };
    stb.wait_channels(2);
    // Somebody watches, so that the mux stays open.
    let mut viewer = Viewer::open(&stb.channel(1));
    viewer.watch_on(10_000);
    wait_for("the first", || (titles(0) == ["News", "Film"].map(|t| Some(t.to_owned()))).then_some(()));
    assert_eq!(titles(1), [None, None]);
    assert!(stb.channels()[1].contains("\"now\":null,\"next\":null"), "{:?}", stb.channels());
    live.play(&segment(vec![(1, ["Film", "Late"]), (2, ["A", "B"])]));
    wait_for("the second", || (titles(0) == ["Film", "Late"].map(|t| Some(t.to_owned()))).then_some(()));
    wait_for("the other", || (titles(1) == ["A", "B"].map(|t| Some(t.to_owned()))).then_some(()));
    let (_, start, duration) = event(&stb.channels()[0], "now").expect("it is there");
    assert_eq!((start, duration), (1_767_268_800, 3600));
}

//! What a box tells of itself as it happens, and of how it does, on the real program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::eit::{Event, Place, eit};
use support::http::Client;
use support::live::{Live, Segment};
use support::mux::{Codec, MuxBuilder, Service};
use support::sender;
use support::stb::{Dir, Stb, demo, number, text, wait_for};
use support::terminal::{Terminal, asked, one_more, owner};

/// A box on the demo mux.
fn demo_box() -> Stb {
    let stb = Stb::start_in(Dir::new(), &[&format!("file:{}?loop", demo().display())], &[]);
    stb.wait_channels(4);
    stb
}

/// Who listens to a box.
struct Listener(Client);

impl Listener {
    /// `more` is behind the path: `?status=1`.
    fn new(by: &Terminal, more: &str) -> Self {
        let mut client = Client::connect(by.address);
        client.send(&asked(by.address, ("GET", &format!("/api/v1/events{more}")), &by.by_cookie(), None));
        let head = client.head();
        assert_eq!(
            (head.status, head.field("content-type")),
            (200, Some("text/event-stream")),
            "{}",
            head.head
        );
        let mut listener = Self(client);
        let hello = listener.next("hello");
        assert_eq!(text(&hello, "version"), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(text(&hello, "app"), Some(stbcast::web::VERSION));
        listener
    }

    /// The data of the next event of that name.
    fn next(&mut self, name: &str) -> String {
        loop {
            let (found, data) = self.any(name);
            if found == name {
                return data;
            }
        }
    }

    /// The next event, while `what` is waited for.
    fn any(&mut self, what: &str) -> (String, String) {
        let end = |bytes: &[u8]| bytes.windows(2).position(|w| w == b"\n\n");
        self.0.receive_until(what, |bytes| end(bytes).is_some());
        let event: Vec<u8> = self.0.unread.drain(..end(&self.0.unread).unwrap() + 2).collect();
        let event = String::from_utf8(event).expect("events are UTF-8");
        let (name, data) =
            event.strip_suffix("\n\n").and_then(|e| e.split_once('\n')).unwrap_or((&event, ""));
        let field =
            |line: &str, field| line.strip_prefix(field).unwrap_or_else(|| panic!("{event}")).to_owned();
        (field(name, "event: "), field(data, "data: "))
    }
}

/// How many of these there are in an answer: parts that begin with `"name":`.
fn count(json: &str, begins: &str) -> usize {
    json.matches(begins).count()
}

/// The list `name` of a status.
fn list<'j>(json: &'j str, name: &str, next: &str) -> &'j str {
    let (_, rest) = json.split_once(&format!("\"{name}\":[")).unwrap_or_else(|| panic!("{name}: {json}"));
    rest.split_once(&format!("],\"{next}\":")).unwrap_or_else(|| panic!("{next}: {json}")).0
}

#[test]
fn owners_see_how_the_box_does_and_nobody_else() {
    let stb = demo_box();
    let (owner, viewer) = (owner(&stb), one_more(&stb, "Viewer", ",\"role\":\"viewer\""));
    for path in ["/api/v1/status", "/api/v1/events?status=1"] {
        assert_eq!(viewer.get(path).status, 403, "{path}");
        let stranger = Terminal { cookie: String::new(), ..viewer.clone() };
        assert_eq!(stranger.get(path).status, 401, "{path}");
    }
    assert_eq!(owner.ask("HEAD", "/api/v1/events", None).status, 200);
    let idle = owner.get("/api/v1/status").text();
    assert_eq!(
        (list(&idle, "receivers", "muxes"), list(&idle, "zaps", "version").split(']').next()),
        ("", Some(""))
    );

    let mut stream = viewer.watch("/live/2.ts");
    stream.watch(188 * 100);
    let status = wait_for("a stream that was measured", || {
        let status = owner.get("/api/v1/status").text();
        (number(list(&status, "viewers", "zaps"), "rate") > 0).then_some(status)
    });
    let ring = list(&status, "rings", "viewers");
    let of_it = ring.split("},{").find(|r| r.contains("\"channel\":2,")).expect("channel 2 has a ring");
    assert!(of_it.contains("\"state\":\"watched\",\"tracks\":\"all\",\"watchers\":1,"), "{ring}");
    assert!(number(of_it, "fill") > 188 * 90 && number(of_it, "fill") <= number(of_it, "capacity"), "{ring}");
    let watching = list(&status, "viewers", "zaps");
    assert_eq!((count(watching, "\"path\":"), text(watching, "terminal")), (1, Some("Viewer")));
    assert_eq!((number(watching, "channel"), text(watching, "path")), (2, Some("ts")));
    assert!(number(watching, "sent") > 188 * 90, "{watching}");
    let zaps = status.split_once("\"zaps\":[").expect("there are zaps").1;
    assert!(zaps.contains("\"channel\":2,\"done\":true,"), "{zaps}");
    for stage in ["rights", "ring", "place", "byte"] {
        assert_eq!(count(zaps, &format!("{{\"stage\":\"{stage}\",\"ms\":")), 1, "{stage}: {zaps}");
    }
    let mux = list(&status, "muxes", "rings");
    assert!(mux.contains("\"state\":\"watched\"") && number(mux, "packets") > 200, "{mux}");
    // The kernel's word for memory, and rounds of the loop that were measured, against their budgets.
    let process = std::fs::read_to_string(format!("/proc/{}/status", stb.pid())).unwrap();
    let resident = process.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    let told = number(&status, "rss_kib");
    assert!((resident / 3..=resident * 3).contains(&told), "{told} of {resident}");
    assert!(number(&status, "rounds") > 10, "{status}");
    let [median, p99, longest] = ["p50_us", "p99_us", "max_us"].map(|name| number(&status, name));
    assert!(0 < median && median <= p99 && p99 <= longest, "{status}");
    assert!(number(&status, "budget_us") > 0 && number(&status, "budget_kib") > 0, "{status}");

    // The same at the local socket, item by item, and as a picture.
    let lines = stb.query("{\"cmd\":\"top\"}").expect("the box answers");
    for item in ["mux", "ring", "viewer", "zap", "box"] {
        assert!(lines.iter().any(|line| line.starts_with(&format!("{{\"{item}\":{{"))), "{item}: {lines:?}");
    }
    let top = stb.ask(&["top", "--once"]);
    let picture = String::from_utf8(top.stdout).expect("a picture is text");
    assert!(top.status.success() && !picture.contains('\x1b'), "{picture}");
    for part in ["Viewer", "1.4 CC", "p99", "rights", " kbit/s", "memory  own ["] {
        assert!(picture.contains(part), "{part}: {picture}");
    }
}

#[test]
fn who_wants_sound_alone_is_seen_in_the_ring_that_has_it() {
    let stb = demo_box();
    let owner = owner(&stb);
    let mut streams = ["/live/1.ts", "/live/1.ts?tracks=audio"].map(|path| owner.watch(path));
    for stream in &mut streams {
        stream.watch(188 * 10);
    }
    let status = owner.get("/api/v1/status").text();
    for (name, next) in [("rings", "viewers"), ("viewers", "zaps")] {
        let list = list(&status, name, next);
        let of_channel = || list.split("},{").filter(|one| number(one, "channel") == 1);
        let mut tracks: Vec<_> = of_channel().filter_map(|one| text(one, "tracks")).collect();
        tracks.sort_unstable();
        assert_eq!(tracks, ["all", "audio"], "{name}: {list}");
    }
}

#[test]
fn who_listens_hears_of_tuners_of_status_and_of_its_own_end() {
    let stb = demo_box();
    let (owner, viewer) = (owner(&stb), one_more(&stb, "Viewer", ",\"role\":\"viewer\""));
    let mut own = Listener::new(&owner, "?status=1");
    let mut theirs = Listener::new(&viewer, "");
    assert_eq!(list(&own.next("status"), "viewers", "zaps"), "");
    let mut stream = viewer.watch("/live/1.ts");
    stream.watch(188 * 20);
    theirs.next("tuners");
    own.next("tuners");
    let watched = std::iter::repeat_with(|| own.next("status")).take(20);
    let with_viewer =
        watched.map(|s| list(&s, "viewers", "zaps").to_owned()).find(|viewers| !viewers.is_empty());
    assert_eq!(text(&with_viewer.expect("a status shows who watches"), "terminal"), Some("Viewer"));

    assert_eq!(owner.ask("DELETE", "/api/v1/terminals/1", None).status, 200);
    theirs.next("out");
    assert_eq!(theirs.0.receive_all(), b"", "it is the last");
    own.next("status");
}

#[test]
fn a_terminal_has_so_many_listeners_and_its_newest_are_those() {
    let stb = demo_box();
    let owner = owner(&stb);
    let mut listeners: Vec<Listener> = (0..5).map(|_| Listener::new(&owner, "?status=1")).collect();
    listeners[0].0.receive_all();
    listeners[1..].iter_mut().for_each(|l| _ = l.next("status"));
    // Who leaves makes room at once, and requests have the heads that listeners do not keep.
    drop(listeners);
    for _ in 0..2 * stbcast::board::EVENT_LISTENERS {
        Listener::new(&owner, "");
    }
    assert_eq!(owner.get("/api/v1/status").status, 200);
}

#[test]
fn a_new_list_and_another_event_are_told_as_they_come() {
    let mux = |name: &str, version: u8, title: &str| {
        let place = Place { table_id: 0x4e, version, section: 0, last_section: 0, last_table: 0x4e };
        let event = Event {
            id: u16::from(version),
            start: 3600,
            duration: 3600,
            title: title.into(),
            more: Vec::new(),
        };
        let service = Service::tv(1, name, Codec::H264, 200_000);
        let sections = vec![(0x12, eit(1, 1, place, &[event]))];
        Segment::new(&MuxBuilder { sections, ..MuxBuilder::new(&[service], 2) }, version)
    };
    let to = sender::unicast();
    let live = Live::start(to, &mux("One", 1, "First"));
    let stb = Stb::start(&[&format!("udp://{to}")]);
    stb.wait_channels(1);
    let owner = owner(&stb);
    let mut stream = owner.watch("/live/1.ts"); // so that the mux stays open
    stream.watch(188 * 20);
    let shows =
        |part: &str| wait_for(part, || owner.get("/api/v1/channels").text().contains(part).then_some(()));
    shows("\"title\":\"First\"");
    let mut listener = Listener::new(&owner, "");
    let told = |listener: &mut Listener, title: &str| loop {
        let now = listener.next("now");
        if now.contains(title) {
            return now;
        }
    };
    // What is on was looked at when that listener came: before this is answered.
    assert_eq!(owner.get("/api/v1/session").status, 200);
    live.play(&mux("One", 2, "Second"));
    let now = told(&mut listener, "\"title\":\"Second\"");
    assert!(number(&now, "number") == 1 && now.contains("\"next\":null"), "{now}");
    live.play(&mux("Uno", 3, "Second"));
    assert_eq!(listener.next("channels"), "{}");
    shows("\"name\":\"Uno\"");
}

#[test]
#[ignore = "needs 15 seconds of silence: run by scripts/check"]
fn a_listener_hears_that_the_box_lives_while_nothing_happens() {
    let stb = Stb::start(&[]);
    let mut listener = Listener::new(&owner(&stb), "");
    assert_eq!(listener.next("alive"), "{}");
}

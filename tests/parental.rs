//! What is rated for an older age than the parental lock's is locked until a terminal says the PIN.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

use support::eit::{Event, Place, descriptor, eit, tot};
use support::http::{Reply, get, request};
use support::live::{Live, Segment};
use support::mux::{Codec, MuxBuilder, Service};
use support::sender;
use support::stb::{Stb, text, wait_for};
use support::terminal::{Terminal, one_more, owner};

const HOUR: u64 = 3600;
const LOCK: &str = r#"{"age":12,"pin":"2468"}"#;

/// Two services; what is on the first is rated by this value of EN 300 468 §6.2.28, which is an age less three.
fn on_air(version: u8, rating: u8) -> Segment {
    let services = [1, 2].map(|sid| Service::tv(sid, &format!("S{sid}"), Codec::H264, 200_000));
    let place = |section| Place { table_id: 0x4e, version, section, last_section: 1, last_table: 0x4e };
    let event = |id, hour, ratings: &[u8]| Event {
        id,
        start: hour * HOUR,
        duration: HOUR,
        title: format!("E{id}"),
        more: if ratings.is_empty() { Vec::new() } else { descriptor(0x55, ratings) },
    };
    let now = event(u16::from(version), 12, &[b'F', b'R', b'A', 2, b'D', b'E', b'U', rating]);
    let sections = vec![
        (0x12, eit(1, 1, place(0), &[now])),
        (0x12, eit(1, 1, place(1), &[event(90, 13, b"FRA\x0f")])), // what comes next is no reason
        (0x12, eit(1, 2, place(0), &[event(91, 12, b"")])),
        (0x14, tot(12 * HOUR + 60, "FRA", 24 * HOUR)),
    ];
    Segment::new(&MuxBuilder { tsid: 1, sections, ..MuxBuilder::new(&services, 2) }, 0)
}

fn is_locked(reply: &Reply) -> bool {
    reply.status == 403 && String::from_utf8_lossy(&reply.body).contains("\"code\":\"parental\"")
}

fn locked(list: &str) -> usize {
    list.matches("\"locked\":true").count()
}

fn at(terminal: &Terminal, stb: &Stb) -> Terminal {
    Terminal { address: stb.address, ..terminal.clone() }
}

#[test]
fn what_is_rated_above_the_age_asks_for_the_pin() {
    let to = sender::unicast();
    let live = Live::start(to, &on_air(1, 9)); // from 12 on
    let mut stb = Stb::start(&[&format!("udp://{to}")]);
    stb.wait_channels(2);
    let (owner, child) = (owner(&stb), one_more(&stb, "Child", ""));
    let guest = one_more(&stb, "Guest", ",\"role\":\"guest\",\"for_s\":3600");
    let [of_child, of_box] = [child.hand_out(1).unwrap(), stb.channel(1)];
    let of_child = format!("http://{}/live/1.ts?t={of_child}", stb.address);

    // Who watches when something else begins is put out, and told why.
    assert_eq!(owner.ask("POST", "/api/v1/parental", Some(LOCK)).status, 200);
    let mut watches = child.watch("/live/1.ts?v=c");
    let mut other = child.watch("/live/2.ts?v=d");
    let hls = |terminal: &Terminal| terminal.get("/live/1/index.m3u8?v=h");
    wait_for("pieces", || Some(()).filter(|()| hls(&child).status == 200));
    let mut recorder = support::http::Viewer::open(&stb.link(1, &["--recording"]));
    watches.watch(188 * 20);
    assert_eq!(locked(&child.get("/api/v1/channels").text()), 0);
    live.play(&on_air(2, 10));
    watches.watch_all();
    let why = wait_for("why", || Some(child.get("/api/v1/ended?v=c")).filter(|why| why.status == 200)).text();
    assert_eq!(text(&why, "reason"), Some("parental"), "{why}");
    other.watch_on(60_000);
    recorder.watch_on(60_000);

    let by_hls =
        wait_for("the same by HLS", || Some(child.get("/api/v1/ended?v=h")).filter(|why| why.status == 200));
    assert_eq!(text(&by_hls.text(), "reason"), Some("parental"));
    assert!(is_locked(&hls(&child)));

    // Nobody is let in to it, by whatever right.
    for reply in [child.get("/live/1.ts"), guest.get("/live/1.ts"), get(&of_child), get(&of_box)] {
        assert!(is_locked(&reply), "{}", reply.head);
    }
    assert_eq!(request("HEAD", &of_box, "").status, 403);
    let list = child.get("/api/v1/channels").text();
    assert!(locked(&list) == 1 && list.find("\"locked\"") < list.find("\"number\":2"), "{list}");

    // Who was let in for good says the PIN.
    let say = |terminal: &Terminal, pin: &str| {
        let reply = terminal.ask("POST", "/api/v1/parental/unlock", Some(&format!("{{\"pin\":\"{pin}\"}}")));
        (reply.status, text(&reply.text(), "code").map(str::to_owned))
    };
    assert_eq!(say(&guest, "2468").0, 403);
    assert_eq!(say(&child, "2469"), (403, Some("pin".into())));
    assert_eq!(say(&child, "2468"), (200, None));
    assert_eq!(child.watch("/live/1.ts?v=c").reply.status, 200);
    assert_eq!(support::http::Viewer::open(&of_child).reply.status, 200, "and its links with it");
    assert!(is_locked(&owner.get("/live/1.ts")) && is_locked(&get(&of_box)), "that terminal alone");
    let state = child.get("/api/v1/parental").text();
    assert!(state.starts_with("{\"age\":12,\"has_pin\":true,\"unlocked_s\":14"), "{state}");

    // It is still there after a restart, guesses and all.
    for _ in 0..5 {
        assert_eq!(say(&owner, "0000"), (403, Some("pin".into())));
    }
    stb.restart();
    stb.wait_channels(2);
    let (owner, child) = (at(&owner, &stb), at(&child, &stb));
    assert_eq!(child.get("/api/v1/parental").text(), "{\"age\":12,\"has_pin\":true,\"unlocked_s\":0}");
    assert_eq!(say(&owner, "2468"), (429, Some("cool-down".into())));
    wait_for("the guide", || Some(()).filter(|()| child.watch("/live/1.ts?v=e").reply.status == 403));
    let bad = [r#"{"age":2}"#, r#"{"pin":"1357"}"#, r#"{"age":12,"pin":"12"}"#, r#"{"age":"x"}"#, "{"];
    assert!(bad.iter().all(|bad| owner.ask("POST", "/api/v1/parental", Some(bad)).status == 400));
    assert_eq!(owner.ask("POST", "/api/v1/parental", Some(r#"{"age":null}"#)).status, 200);
    assert_eq!(child.watch("/live/1.ts?v=c").reply.status, 200);
}

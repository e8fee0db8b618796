//! Nobody sees a list or a stream without a link of this box, and a link is good for what it says.

mod support;

use support::http::{Client, Viewer, get, request, token};
use support::stb::{Dir, Stb, demo, wait_for};

fn demo_box() -> Stb {
    let stb = Stb::start(&[&format!("file:{}?loop&speed=2", demo().display())]);
    stb.wait_channels(4);
    stb
}

/// What a token opens: the lists and the streams.
fn doors(stb: &Stb, query: &str) -> Vec<String> {
    let paths = ["/api/v1/channels", "/playlist.m3u", "/live/1.ts", "/live/2.ts", "/live/999.ts"];
    paths.iter().map(|path| format!("http://{}{path}{query}", stb.address)).collect()
}

#[test]
fn without_a_link_of_this_box_there_is_nothing() {
    let (stb, other) = (demo_box(), demo_box());
    let (_, good) = stb.list();
    let (_, foreign) = other.list();
    let mut forged = good.clone().into_bytes();
    forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let queries = [
        String::new(),
        "?t=".into(),
        "?t=garbage".into(),
        format!("?t={}", "A".repeat(43)),
        format!("?t={}", &good[..42]),
        format!("?t={good}A"),
        format!("?t={forged}"),
        format!("?t={foreign}"),
        format!("?T={good}"),
        format!("?t={good}&t={good}"),
    ];
    for query in &queries {
        for door in doors(&stb, query) {
            let refused = get(&door);
            assert_eq!(refused.status, 401, "{door}");
            assert!(refused.text().contains("pair with this box"), "{}", refused.text());
            assert_eq!(request("HEAD", &door, "").status, 401, "{door}");
        }
    }
    assert_eq!(get(&doors(&stb, &format!("?t={good}"))[0]).status, 200);
}

#[test]
fn a_link_ends_with_its_time() {
    let stb = demo_box();
    let short = stb.link(1, &["--ttl", "3s"]);
    assert_eq!(request("HEAD", &short, "").status, 200);
    wait_for("the link to expire", || Some(()).filter(|()| request("HEAD", &short, "").status == 401));
    for door in doors(&stb, &format!("?t={}", token(&short))) {
        assert_eq!(get(&door).status, 401, "{door}");
    }
}

#[test]
fn a_link_for_a_channel_is_for_no_other_and_not_for_the_list() {
    let stb = demo_box();
    let link = stb.link(1, &[]);
    let [list, playlist, one, two, none] = &doors(&stb, &format!("?t={}", token(&link)))[..] else {
        unreachable!("there are five doors")
    };
    for closed in [list, playlist, two, none] {
        assert_eq!(get(closed).status, 403, "{closed}");
        assert_eq!(request("HEAD", closed, "").status, 403, "{closed}");
    }
    assert!(!Viewer::open(one).watch(188).is_empty());
}

#[test]
fn a_link_has_as_many_players_as_it_says_and_one_that_comes_before_the_last_left() {
    let stb = demo_box();
    let link = stb.link(1, &["--connections", "1"]);
    let mut first = Viewer::open(&link);
    let mut second = Viewer::open(&link);
    let refused = get(&link);
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("this link is in use"), "{}", refused.text());
    // The two who were in go on, and who was refused did not take a place.
    first.watch_on(1000);
    second.watch_on(1000);
    drop(first);
    wait_for("a place", || Some(Viewer::ask(&link, "")).filter(|v| v.reply.status == 200)).watch(188);
    second.watch_on(1000);
    let other = stb.link(1, &["--connections", "1"]);
    Viewer::open(&other).watch(188);
}

#[test]
fn a_stranger_learns_what_the_box_is_and_no_more() {
    let stb = demo_box();
    let reply = get(&format!("http://{}/api/v1/box", stb.address));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!((reply.status, reply.field("content-type")), (200, Some("application/json")));
    assert_eq!(reply.text(), format!("{{\"product\":\"stbcastd\",\"version\":\"{version}\",\"api\":1}}"));
    assert_eq!(reply.field("server"), None);
    for name in ["cache-control", "referrer-policy", "x-content-type-options"] {
        assert!(reply.field(name).is_some(), "{name} is missing in {}", reply.head);
    }
}

#[test]
fn no_token_is_ever_in_the_log() {
    let mut stb = demo_box();
    let (_, all) = stb.list();
    let link = stb.link(1, &[]);
    let one = token(&link).to_owned();
    let mut viewer = Viewer::open(&link);
    viewer.watch(1000);
    for t in [&one, &all] {
        for door in doors(&stb, &format!("?t={t}")).iter().chain(&doors(&stb, &format!("?name=x&t={t}"))) {
            request("HEAD", door, "");
        }
        // Broken requests are where a log is most tempted to quote.
        for broken in [
            format!("GET /live/1.ts?t={t}\r\n\r\n"),
            format!("GET /live/1.ts?t={t} HTTP/1.1\r\nHost: a b\r\n\r\n"),
        ] {
            let mut client = Client::connect(stb.address);
            client.send(broken.as_bytes());
            assert_eq!(client.reply().status, 400);
        }
        request("GET", &format!("http://{}/live/1.ts?t={t}", stb.address), &format!("X: {t}\r\n a\r\n"));
    }
    drop(viewer);
    stb.stop();
    let log = stb.log();
    assert!(log.contains("channel 1"), "the log is read: {log}");
    for t in [one, all] {
        // Neither whole nor the part that proves it.
        assert!(!log.contains(&t) && !log.contains(&t[22..]), "{log}");
    }
}

#[test]
fn a_link_that_cannot_be_is_refused_with_a_reason() {
    let stb = demo_box();
    for (words, part) in [
        (&["link", "999"][..], "there is no channel 999"),
        (&["link", "1", "--ttl", "13h"], "12 hours"),
        (&["link", "1", "--ttl", "0"], "1 second"),
        (&["link", "1", "--connections", "64"], "63 players"),
    ] {
        let out = stb.ask(words);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains(part) && out.stdout.is_empty(), "{words:?}: {said}");
    }
}

#[test]
fn the_log_tells_nobody_what_is_watched() {
    let source = format!("file:{}?loop&speed=2", demo().display());
    let mut stb = Stb::start_in(Dir::new(), &[&source], &["--log", "info"]);
    stb.wait_channels(4);
    let link = stb.channel(1);
    Viewer::open(&link).watch(1880);
    assert_eq!(get(&link.replace("/live/1.ts", "/live/2.ts")).status, 403);
    stb.stop();
    let log = stb.log();
    assert!(log.contains("serving on"), "the log is read: {log}");
    for name in ["综合频道", "Télé", "channel", "live/"] {
        assert!(!log.contains(name), "'{name}' is in the log: {log}");
    }
}

//! What comes in wrong, and the clear answer to it. Nobody else is disturbed.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use support::http::{Client, Reply, Viewer, get, request};
use support::mux::{Codec, MuxBuilder, Service};
use support::rap::starts_clean;
use support::stb::{Dir, Stb, demo, number, run_to_end, wait_for};
use support::ts::{contiguous_run, elementary, judge};

/// Sends these bytes and gives the reply.
fn answer(address: SocketAddr, bytes: &[u8]) -> Reply {
    let mut client = Client::connect(address);
    client.try_send(bytes);
    client.reply()
}

fn is_refused(address: SocketAddr, bytes: &[u8], status: u16) {
    let reply = answer(address, bytes);
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
    assert_eq!(reply.status, status, "{shown:?}: {}", reply.text());
    assert!(reply.text().starts_with("{\"error\":\""), "{shown:?}: {}", reply.text());
}

/// Heads that are no requests, and what each is answered.
fn malformed(address: SocketAddr) {
    let with = |fields: &str| format!("GET /api/v1/box HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n");
    let filler = |count| format!("X: {}\r\n", "a".repeat(count));
    let cases = [
        (400, "\r\nhello\r\n\r\n".to_owned()),
        (400, "GET /\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, with("Host: other\r\n")),
        (400, format!("GET / HTTP/1.1\r\nHost: a@{address}\r\n\r\n")),
        (400, format!("GET http://{address}/ HTTP/1.1\r\nHost: {address}\r\n\r\n")),
        (400, with("X : a\r\n")),
        (400, with("X: a\r\n b\r\n")),
        (400, with("X: a\0\r\n")),
        (400, with("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")),
        (400, with("Content-Length: 0\r\nContent-Length: 0\r\n")),
        (400, with("Content-Length: -1\r\n")),
        (501, with("Transfer-Encoding: chunked\r\n")),
        (413, with("Content-Length: 5\r\n")),
        (505, format!("GET / HTTP/2.0\r\nHost: {address}\r\n\r\n")),
        (414, format!("GET /{} HTTP/1.1\r\nHost: {address}\r\n\r\n", "a".repeat(3000))),
        (431, with(&filler(5000))),
        (431, with(&"A: b\r\n".repeat(60))),
    ];
    for (status, bytes) in cases {
        is_refused(address, bytes.as_bytes(), status);
    }
    // The hello of TLS, and a header that never ends.
    is_refused(address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400);
    is_refused(address, format!("GET / HTTP/1.1\r\n{}", "a".repeat(1 << 20)).as_bytes(), 431);
}

/// Requests that are sound, for what is not there.
fn misdirected(stb: &Stb) {
    let (_, token) = stb.list();
    let base = format!("http://{}", stb.address);
    for path in ["/live/99.ts", "/live/0.ts", "/live/-1.ts", "/live/1e0.ts", "/live/.ts", "/live/70000.ts"] {
        let reply = get(&format!("{base}{path}?t={token}"));
        assert_eq!(reply.status, 404, "{path}: {}", reply.text());
    }
    for path in ["/app/", "/live/1", "/live/", "/api/v1/channels/", "//api/v1/box", "/../etc/passwd", "/%00"]
    {
        assert_eq!(get(&format!("{base}{path}")).status, 404, "{path}");
    }
    for path in ["/api/v1/box", "/api/v1/channels", "/playlist.m3u", "/live/1.ts"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
            let reply = request(method, &format!("{base}{path}"), "");
            assert_eq!((reply.status, reply.field("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
    for (host, status) in [
        ("evil.example", 421),
        ("evil.example:8800", 421),
        ("192.0.2.1", 421),
        ("localhost.evil.example", 421),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1", 200),
        ("127.0.0.1:1", 200),
    ] {
        let head = format!("GET /api/v1/box HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(answer(stb.address, head.as_bytes()).status, status, "{host}");
    }
}

/// Requests that come in odd pieces, and replies that must not have a body.
fn pieces(stb: &Stb) {
    let address = stb.address;
    let (_, token) = stb.list();
    let head = format!("GET /api/v1/box HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut client = Client::connect(address);
    head.bytes().for_each(|byte| client.send(&[byte]));
    assert_eq!(client.reply().status, 200);
    // The connection was kept: now three at one time, and the last is the last.
    let closing = head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let lists = format!("HEAD /api/v1/channels?t={token} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    client.send(format!("{head}{lists}{head}{closing}").as_bytes());
    assert_eq!(client.reply().status, 200);
    let listed = client.head();
    assert_eq!((listed.status, listed.field("transfer-encoding")), (200, Some("chunked")));
    assert_eq!(client.reply().status, 200);
    let last = client.reply();
    assert_eq!((last.status, last.field("connection")), (200, Some("close")));
    assert!(client.receive_all().is_empty());
    for path in [
        "/api/v1/box".into(),
        "/none".into(),
        format!("/api/v1/channels?t={token}"),
        format!("/playlist.m3u?t={token}"),
    ] {
        let url = format!("http://{address}{path}");
        let (get, head) = (get(&url), request("HEAD", &url, ""));
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.field("content-length"), get.field("content-length"), "{path}");
        assert!(!get.body.is_empty(), "{path}");
    }
    let old = answer(address, b"GET /api/v1/box HTTP/1.0\r\n\r\n");
    assert_eq!((old.status, old.field("connection")), (200, Some("close")));
    // Hanging up within a head, and within a reply, is nobody's trouble.
    for _ in 0..20 {
        Client::connect(address).send(&head.as_bytes()[..20]);
        Client::connect(address)
            .send(format!("GET /live/1.ts?t={token} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes());
    }
}

#[test]
fn who_watches_loses_nothing_while_others_misbehave() {
    let services = [Service::tv(1, "One", Codec::H264, 400_000), Service::radio(2, "Two", 64_000)];
    let mux = MuxBuilder::new(&services, 14).build();
    let stb = Stb::playing(&mux, "");
    stb.wait_channels(2);
    let mut viewer = Viewer::open(&stb.channel(1));
    let all = std::thread::scope(|scope| {
        let watching = scope.spawn(|| viewer.watch_all());
        let slow = scope.spawn(|| {
            let mut client = Client::connect(stb.address);
            client.send(b"GET /api/v1/box HTTP/1.1\r\n");
            let begun = Instant::now();
            let reply = client.reply();
            (reply.status, begun.elapsed())
        });
        malformed(stb.address);
        misdirected(&stb);
        pieces(&stb);
        let (status, waited) = slow.join().expect("the slow client got its answer");
        assert_eq!(status, 408);
        assert!((8..20).contains(&waited.as_secs()), "{waited:?}");
        watching.join().expect("who watches gets all")
    });
    let (sent, got) = (elementary(&mux, &services[0].pids()), elementary(&all, &services[0].pids()));
    let start = contiguous_run(&sent, &got).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(start + got.len(), sent.len(), "the end is missing");
    assert!(judge(&all).pids.values().all(|p| p.cc_errors == 0));
    let last = stb.status().pop().expect("the box has a line");
    assert_eq!((number(&last, "jumps"), number(&last, "viewers")), (0, 0), "{last}");
}

#[test]
fn who_takes_nothing_for_long_is_let_go_and_told() {
    let stb =
        Stb::playing(&MuxBuilder::new(&[Service::tv(1, "One", Codec::H264, 1_200_000)], 2).build(), "?loop");
    stb.wait_channels(1);
    let mut viewer = Viewer::open(&stb.channel(1));
    viewer.watch(1_000);
    let line = wait_for("the viewer to be let go", || {
        stb.status().pop().filter(|line| number(line, "viewers") == 0)
    });
    assert_eq!((number(&line, "stalled"), number(&line, "hung_up")), (1, 0), "{line}");
    viewer.watch_all();
}

#[test]
fn full_rings_are_said_and_a_free_one_is_given() {
    let services: Vec<_> = (1..=17).map(|n| Service::radio(n, &format!("Radio {n}"), 32_000)).collect();
    let stb = Stb::playing(&MuxBuilder::new(&services, 4).build(), "?loop");
    stb.wait_channels(17);
    let (_, token) = stb.list();
    let url = |n: usize| format!("http://{}/live/{n}.ts?t={token}", stb.address);
    let mut viewers: Vec<_> = (1..=16).map(|n| Viewer::open(&url(n))).collect();
    let refused = get(&url(17));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("all 16 rings are watched"), "{}", refused.text());
    // A second viewer of a channel needs no ring of its own.
    assert_eq!(starts_clean(Viewer::open(&url(16)).watch(188 * 20)), Ok(()));
    for viewer in &mut viewers {
        viewer.watch(188 * 20);
    }
    drop(viewers.pop());
    let mut late = wait_for("a ring", || Some(Viewer::ask(&url(17), "")).filter(|v| v.reply.status == 200));
    late.watch(188 * 20);
    assert_eq!(starts_clean(late.bytes()), Ok(()));
    assert_eq!(judge(late.bytes()).pat_programs[0].0, 17);
    for viewer in &mut viewers {
        viewer.watch_on(188);
        assert!(judge(viewer.bytes()).pids.values().all(|p| p.cc_errors == 0));
    }
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = Dir::new();
    let state = dir.state().to_str().unwrap().to_owned();
    let out = run_to_end(&["run", "--listen", &address, "--state", &state]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("listen {address}: another program has this port")), "{said}");
    assert!(!dir.state().join("stbcast.sock").exists());
}

#[test]
fn a_command_line_that_is_wrong_is_said() {
    for (words, part) in [
        (&[][..], "what shall it do?"),
        (&["dance"], "'dance'"),
        (&["run", "--frobnicate"], "--frobnicate"),
        (&["run", "--listen", "x"], "'x'"),
        (&["run", "--listen"], "--listen"),
        (&["run", "--source", "http://x"], "udp://"),
        (&["run", "--source", "udp://239.1.1.1:5000?ttl=1"], "ttl=1"),
        (&["run", "--source", "file:x?speed=0"], "speed '0'"),
        (&["run", "--log", "loud"], "'loud'"),
        (&["run", "--config", "/nowhere/at/all"], "/nowhere/at/all"),
        (&["link"], "number"),
        (&["link", "1", "--ttl", "soon"], "'soon'"),
    ] {
        let out = run_to_end(words);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(part) && said.contains("--help"), "{words:?}: {said}");
    }
    let help = run_to_end(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("udp://") && help.stderr.is_empty());
}

#[test]
fn a_source_that_gives_nothing_is_said_and_the_others_play() {
    let dir = Dir::new();
    let sources = [
        ("file:/nowhere/at/all.ts".to_owned(), "No such file or directory"),
        (format!("file:{}", dir.file("empty.ts", b"")), "not a transport stream"),
        (format!("file:{}", dir.file("text.ts", &b"no stream ".repeat(5000))), "not a transport stream"),
        (format!("file:{}", dir.path().display()), "not a regular file"),
        ("udp://239.1.1.1:5000?iface=none0".to_owned(), "there is no network interface 'none0'"),
    ];
    let mut words: Vec<&str> = sources.iter().map(|(source, _)| source.as_str()).collect();
    let mut stb = Stb::start_in(dir, &words, &[]);
    for (place, (source, why)) in sources.iter().enumerate() {
        let line = wait_for(source, || Some(stb.mux(place)).filter(|l| l.contains("\"state\":\"failed\"")));
        assert!(line.contains(why), "{line}");
        stb.wait_log(why);
    }
    assert_eq!(get(&stb.list().0).text(), "{\"channels\":[]}");
    assert_eq!(get(&stb.link("playlist", &[])).text().lines().count(), 1, "no channel");
    let good = format!("file:{}?loop", demo().display());
    words.push(&good);
    stb.restart_with(&words);
    stb.wait_channels(4);
    assert_eq!(starts_clean(Viewer::open(&stb.channel(1)).watch(188 * 100)), Ok(()));
}

#[test]
fn a_file_that_is_cut_off_or_damaged_plays_as_far_as_it_goes() {
    let services =
        [Service::tv(1, "One", Codec::H264, 400_000), Service::tv(2, "Two", Codec::Mpeg2, 400_000)];
    let whole = MuxBuilder::new(&services, 4).build();
    // It begins and ends within packets, and the sync is lost for a while in the middle.
    let mut cut = whole[100..whole.len() - 50].to_vec();
    let middle = cut.len() / 2;
    cut.splice(middle..middle + 1000, [0; 777]);
    let stb = Stb::playing(&cut, "?speed=2");
    stb.wait_channels(2);
    let mut viewer = Viewer::open(&stb.channel(2));
    let line = stb.mux(0);
    assert!(line.contains("\"state\":\"watched\""), "{line}");
    let all = wait_at_most_all(&mut viewer);
    let got = elementary(&all, &services[1].pids());
    let sent = elementary(&whole, &services[1].pids());
    assert_eq!(support::ts::is_subsequence(&sent, &got), Ok(()));
    assert!(sent.len() - got.len() < sent.len() / 2, "{} of {} came", got.len(), sent.len());
}

fn wait_at_most_all(viewer: &mut Viewer) -> Vec<u8> {
    let begun = Instant::now();
    let all = viewer.watch_all();
    assert!(begun.elapsed() < Duration::from_secs(20), "the file's end ends the stream");
    all
}

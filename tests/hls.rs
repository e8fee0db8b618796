//! HLS: lists by RFC 8216, pieces that are the stream, and sessions that end when they should.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

use support::hls::{self, Media};
use support::http::{Reply, Viewer, get, request, token};
use support::rap::{is_video, starts_clean};
use support::stb::{Stb, demo, number, text, wait_for};
use support::terminal::{one_more, owner};
use support::ts::{judge, packets, pcr};

fn demo_box(query: &str) -> Stb {
    let stb = Stb::start(&[&format!("file:{}{query}", demo().display())]);
    stb.wait_channels(4);
    stb
}

/// Where a channel's index is, by a link of any number of players.
fn index_url(stb: &Stb, channel: u16) -> String {
    format!("http://{}/live/{channel}/index.m3u8?t={}", stb.address, token(&stb.channel(channel)))
}

/// Opens a session and gives the URL of its playlist.
fn open(stb: &Stb, url: &str) -> String {
    let reply = get(url);
    assert_eq!(reply.status, 200, "{url}: {}", reply.text());
    assert_eq!(reply.field("content-type"), Some("application/vnd.apple.mpegurl"));
    let (bandwidth, uri) = hls::index(&reply.text()).unwrap();
    assert!(bandwidth > 10_000, "{bandwidth}");
    format!("http://{}{uri}", stb.address)
}

fn load(url: &str) -> Media {
    let reply = get(url);
    assert_eq!((reply.status, reply.field("cache-control")), (200, Some("no-store")), "{}", reply.text());
    hls::media(&reply.text()).unwrap_or_else(|why| panic!("{why}\n{}", reply.text()))
}

/// Seconds of stream in `bytes`, by its PCRs.
fn seconds(bytes: &[u8]) -> f64 {
    let pcrs: Vec<u64> = packets(bytes).0.iter().filter_map(pcr).collect();
    (pcrs[pcrs.len() - 1] - pcrs[0]) as f64 / 27e6
}

/// A word for programs in a refusal.
fn code(reply: &Reply) -> (u16, String) {
    (reply.status, text(&reply.text(), "code").unwrap_or_default().to_owned())
}

#[test]
fn lists_keep_to_the_standard_and_pieces_are_the_stream() {
    let stb = demo_box("?loop&speed=12");
    std::thread::scope(|scope| {
        for (channel, tracks) in [(1, ""), (2, ""), (3, ""), (4, ""), (1, "&tracks=audio")] {
            let (stb, url) = (&stb, index_url(&stb, channel) + tracks);
            scope.spawn(move || {
                let playlist = open(stb, &url);
                let mut before = load(&playlist);
                assert!(before.segments.len() >= 3 && !before.ended, "{before:?}");
                let (mut all, mut fetched, mut length) = (Vec::new(), before.sequence, 0);
                while fetched < before.sequence + 4 || all.is_empty() {
                    let list = load(&playlist);
                    hls::follows(&before, &list).unwrap_or_else(|why| panic!("{why}\n{before:?}\n{list:?}"));
                    for (number, segment) in (list.sequence..).zip(&list.segments) {
                        if number == fetched {
                            let piece = hls::fetch(&format!("http://{}/hls/{}", stb.address, segment.uri));
                            assert_eq!(
                                starts_clean(&piece.body),
                                Ok(()),
                                "piece {number} of channel {channel}"
                            );
                            (fetched, length) = (number + 1, length + segment.duration);
                            all.extend(piece.body);
                        }
                    }
                    before = list;
                }
                let report = judge(&all);
                assert_eq!(report.pat_programs.len(), 1, "§3: one programme");
                let streams = &report.pmt.as_ref().unwrap().streams;
                let has_picture = streams.iter().any(|s| is_video(s.0));
                assert_eq!(has_picture, channel != 3 && tracks.is_empty(), "channel {channel}{tracks}");
                for pid in streams.iter().map(|s| s.1) {
                    let counts = &report.pids[&pid];
                    assert_eq!((counts.cc_errors, counts.discontinuities), (0, 0), "PID {pid:#x} goes on");
                }
                let (told, is) = (length as f64 / 1e6, seconds(&all));
                assert!((told - is).abs() < 0.3, "channel {channel}: EXTINF says {told} s, PCRs {is} s");
            });
        }
    });
}

#[test]
fn a_viewer_has_one_stream_be_it_by_hls_or_not() {
    let stb = demo_box("?loop&speed=12");
    let (_, token) = stb.list();
    let at = |path: &str| format!("http://{}{path}v=tab&t={token}", stb.address);
    let ended = || text(&get(&at("/api/v1/ended?")).text(), "reason").map(str::to_owned);
    let mut stream = Viewer::open(&at("/live/1.ts?"));
    stream.watch(20_000);
    let first = open(&stb, &at("/live/1/index.m3u8?"));
    stream.watch_all();
    assert_eq!(ended().as_deref(), Some("put-out"));
    assert_eq!(open(&stb, &at("/live/1/index.m3u8?")), first, "the same again is the same session");
    let second = open(&stb, &at("/live/2/index.m3u8?"));
    assert_eq!(code(&get(&first)), (404, "ended".into()));
    load(&second);
    let other = open(&stb, &at("/live/2/index.m3u8?").replace("v=tab", "v=other"));
    assert_ne!(other, second);
    let mut stream = Viewer::open(&at("/live/3.ts?"));
    stream.watch(10_000);
    assert_eq!(code(&get(&second)), (404, "ended".into()));
    load(&other);
    let status = stb.status().concat();
    assert_eq!((number(&status, "viewers"), number(&status, "rings_watched")), (2, 2), "{status}");
}

#[test]
fn a_session_is_its_holders_and_ends_with_the_right() {
    let stb = demo_box("?loop&speed=12");
    let (owner, guest) = (owner(&stb), one_more(&stb, "Bob's phone", ",\"role\":\"viewer\""));
    let opened = guest.get("/live/1/index.m3u8");
    let (_, path) = hls::index(&opened.text()).unwrap();
    assert!(!path.contains('?'), "a browser has its cookie: {path}");
    assert_eq!(guest.get(&path).status, 200);
    let list = hls::media(&guest.get(&path).text()).unwrap();
    let piece = format!("/hls/{}", list.segments[0].uri);
    for path in [&path, &piece] {
        assert_eq!(code(&owner.get(path)), (404, "ended".into()), "{path} is another's");
        assert_eq!(get(&format!("http://{}{path}", stb.address)).status, 401, "{path}");
    }
    assert_eq!(guest.watch(&piece).reply.status, 200);
    let gone = piece.replace('-', "-9");
    assert_eq!(code(&guest.get(&gone)), (404, "piece".into()));
    for path in ["/hls/1.m3u8", "/hls/x.ts", "/hls/1-2-3.ts", "/hls/-1.ts"] {
        assert_eq!(code(&guest.get(path)), (404, "ended".into()), "{path}");
    }
    assert_eq!(guest.get("/live/999/index.m3u8").status, 404);
    assert_eq!(guest.get("/live/1/index.m3u8?v=a%20b").status, 400);
    let head = request("HEAD", &format!("http://{}{path}", stb.address), &guest.by_cookie());
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(number(&stb.status().concat(), "rings_watched"), 1);
    let revoked = owner.ask("DELETE", &format!("/api/v1/terminals/{}", guest.slot), None);
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    assert_eq!(guest.get(&path).status, 401);
    wait_for("the ring to be free", || {
        Some(()).filter(|()| number(&stb.status().concat(), "rings_watched") == 0)
    });
}

#[test]
fn the_end_of_the_source_is_in_the_list_and_its_reason_is_told() {
    let stb = demo_box("?speed=12");
    let url = format!("{}&v=tab", index_url(&stb, 2));
    let playlist = open(&stb, &url);
    let mut before = load(&playlist);
    let last = wait_for("the end", || {
        let list = load(&playlist);
        hls::follows(&before, &list).unwrap();
        before = list;
        before.ended.then(|| before.clone())
    });
    let uri = &last.segments.last().unwrap().uri;
    let piece = hls::fetch(&format!("http://{}/hls/{uri}", stb.address));
    assert_eq!(starts_clean(&piece.body), Ok(()));
    let why = get(&url.replace("live/2/index.m3u8", "api/v1/ended")).text();
    assert_eq!(text(&why, "reason"), Some("source"), "{why}");
}

//! What terminals that were let in have of it, and how it ends, on the real program.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

use std::time::{Duration, Instant};

use support::http::{Reply, Viewer, get, token};
use support::live::{Live, Segment};
use support::mux::{Codec, MuxBuilder, Service};
use support::sender;
use support::stb::{Dir, Stb, demo, number, run_to_end, text, wait_for};
use support::terminal::{HOME, Terminal, ask_from, b64, cookie, one_more, open_pairing, owner, unb64};
use support::ts::{contiguous_run, elementary, judge};

/// Streams of who is put out end within a second; a busy machine takes its time to notice.
const AT_ONCE: Duration = Duration::from_secs(3);

fn demo_box(more: &[&str]) -> Stb {
    let stb = Stb::start_in(Dir::new(), &[&format!("file:{}?loop", demo().display())], more);
    stb.wait_channels(4);
    stb
}

/// A request by a bearer token or a link.
fn by_bearer(stb: &Stb, bearer: &str, path: &str) -> Reply {
    ask_from(HOME, stb.address, ("GET", path), &format!("Authorization: Bearer {bearer}\r\n"), None)
}

fn by_link(stb: &Stb, token: &str, path: &str) -> Reply {
    ask_from(HOME, stb.address, ("HEAD", &format!("{path}?t={token}")), "", None)
}

/// The first bit of each byte, and all bits of some.
fn bits(bytes: usize) -> impl Iterator<Item = usize> {
    (0..bytes * 8).filter(|bit| bit % 8 == (bit / 8) % 8 || bit / 8 == 0)
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

#[test]
fn a_browser_takes_its_slot_to_another_once() {
    let stb = demo_box(&[]);
    let (owner, viewer) = (owner(&stb), one_more(&stb, "Viewer", ""));
    let redeem = |code: &str| {
        let body = format!("{{\"code\":\"{code}\"}}");
        ask_from(HOME, stb.address, ("POST", "/api/v1/session/redeem"), "", Some(&body))
    };
    let made = viewer.ask("POST", "/api/v1/session/handover", Some("{}")).text();
    let code = text(&made, "code").unwrap();
    assert_eq!(number(&made, "expires_s"), 600);
    let code_bytes: [u8; 16] = unb64(code);
    for bit in bits(16) {
        assert_eq!(redeem(&b64(&flipped(&code_bytes, bit))).status, 401, "bit {bit}");
    }
    let redeemed = redeem(code);
    assert_eq!((redeemed.status, text(&redeemed.text(), "name")), (200, Some("Viewer")));
    assert_eq!(redeem(code).status, 401, "spent");
    let there = Terminal { cookie: cookie(&redeemed).unwrap(), ..viewer.clone() };
    assert_ne!(there.cookie, viewer.cookie);
    for browser in [&there, &viewer] {
        assert_eq!(number(&browser.get("/api/v1/session").text(), "slot"), 1);
    }
    // It is one slot: its limit of streams is for both, and both go with it; a code that waits goes, too.
    let waits = viewer.ask("POST", "/api/v1/session/handover", Some("{}")).text();
    assert_eq!(owner.ask("DELETE", "/api/v1/terminals/1", None).status, 200);
    assert_eq!(redeem(text(&waits, "code").unwrap()).status, 401);
    for browser in [&there, &viewer] {
        assert_eq!(browser.get("/api/v1/session").status, 401);
    }
}

#[test]
fn revoking_ends_the_streams_of_a_slot_and_no_others() {
    let service = Service::tv(10, "A", Codec::H264, 2_000_000);
    let pids = service.pids();
    let to = sender::unicast();
    let live = Live::start(to, &Segment::new(&MuxBuilder::new(&[service], 3), 0));
    let stb = Stb::start(&[&format!("udp://{to}")]);
    stb.wait_channels(1);
    let (owner, viewer, third) = (owner(&stb), one_more(&stb, "Viewer", ""), one_more(&stb, "Third", ""));
    let watch = |by: &Terminal| {
        let mut viewer = by.watch("/live/1.ts");
        assert_eq!(viewer.reply.status, 200);
        viewer.watch(188 * 20);
        viewer
    };
    let by_handed_out_link =
        Viewer::open(&format!("http://{}/live/1.ts?t={}", stb.address, viewer.hand_out(1).unwrap()));
    let mut theirs = [watch(&viewer), watch(&viewer), by_handed_out_link];
    let mut others = [watch(&owner), watch(&third), Viewer::open(&stb.channel(1))];
    let bearer = viewer.sign_in().unwrap();

    let revoked = Instant::now();
    assert_eq!(owner.ask("DELETE", "/api/v1/terminals/1", None).status, 200);
    for viewer in &mut theirs {
        assert_eq!(viewer.watch_all().len() % 188, 0, "the last packet is whole");
    }
    assert!(revoked.elapsed() < AT_ONCE, "{:?}", revoked.elapsed());
    for status in [viewer.get("/api/v1/session").status, by_bearer(&stb, &bearer, "/api/v1/channels").status]
    {
        assert_eq!(status, 401);
    }
    assert!(viewer.sign_in().is_err());
    for viewer in &mut others {
        viewer.watch_on(150_000);
        let report = judge(viewer.bytes());
        assert!(report.pids.values().all(|p| (p.cc_errors, p.discontinuities) == (0, 0)), "{report:?}");
        let got = elementary(viewer.bytes(), &pids);
        contiguous_run(&elementary(live.sent().as_flattened(), &pids), &got).unwrap();
    }
    // Whoever has the slot next has another generation.
    let next = one_more(&stb, "Next", "");
    assert_eq!((next.slot, viewer.get("/api/v1/session").status), (1, 401));

    assert_eq!(owner.ask("POST", "/api/v1/terminals/revoke-all", Some("{}")).status, 200);
    let [mut of_owner, mut of_third, mut of_box] = others;
    of_owner.watch_all();
    of_third.watch_all();
    of_box.watch_on(150_000);
    let shown = open_pairing(&stb, "");
    assert_eq!(shown.role, "owner", "nobody owns the box now");
}

#[test]
fn a_viewer_that_comes_again_ends_its_own_stream_and_no_other() {
    let stb = demo_box(&[]);
    let (owner, viewer) = (owner(&stb), one_more(&stb, "Viewer", ""));
    let watch = |by: &Terminal, path: &str| {
        let mut viewer = by.watch(path);
        assert_eq!(viewer.reply.status, 200, "{path}");
        viewer.watch(188);
        viewer
    };
    let mut ghost = watch(&viewer, "/live/1.ts?v=tab-1");
    let mut others = [
        watch(&viewer, "/live/1.ts?v=tab-2"),
        watch(&viewer, "/live/1.ts"),
        watch(&owner, "/live/1.ts?v=tab-1"),
    ];
    // A HEAD ends none, nor does a request that is refused.
    assert_eq!(viewer.ask("HEAD", "/live/1.ts?v=tab-1", None).status, 200);
    assert_eq!(viewer.get("/live/999.ts?v=tab-1").status, 404);
    assert_eq!(viewer.get("/live/1.ts?v=").status, 400);
    assert_eq!(viewer.get(&format!("/live/1.ts?v={}", "x".repeat(33))).status, 400);
    ghost.watch_on(188);
    let again = Instant::now();
    let mut new = watch(&viewer, "/live/2.ts?v=tab-1");
    ghost.watch_all();
    assert!(again.elapsed() < AT_ONCE, "{:?}", again.elapsed());
    // It may ask why, and another's viewer of the same name is another.
    let why = viewer.get("/api/v1/ended?v=tab-1").text();
    assert_eq!(text(&why, "reason"), Some("put-out"), "{why}");
    for (who, name) in [(&owner, "tab-1"), (&viewer, "tab-2")] {
        assert_eq!(who.get(&format!("/api/v1/ended?v={name}")).status, 404, "{name}");
    }
    new.watch_on(188 * 100);
    for other in &mut others {
        other.watch_on(188 * 100);
    }
    // Four streams, and no fifth under another name.
    let _fourth = watch(&viewer, "/live/1.ts?v=tab-4");
    assert_eq!(viewer.watch("/live/1.ts?v=tab-5").reply.status, 429);
    watch(&viewer, "/live/1.ts?v=tab-4");
}

#[test]
fn a_guest_sees_its_channels_until_its_end() {
    let services = [10, 20, 30, 40].map(|sid| Service {
        has_schedule: true,
        ..Service::tv(sid, &format!("S{sid}"), Codec::H264, 200_000)
    });
    let events = [(10, ["one", "1"]), (20, ["two", "2"]), (30, ["three", "3"]), (40, ["four", "4"])];
    let mux = MuxBuilder { events: events.into(), ..MuxBuilder::new(&services, 3) };
    let stb = Stb::playing(&mux.build(), "?loop");
    stb.wait_channels(4);
    let guide = stb.list().0.replace("/channels", "/epg");
    wait_for("the guide of all four", || Some(()).filter(|()| get(&guide).text().contains("\"four\"")));
    owner(&stb);
    let guest = one_more(&stb, "Guest", ",\"role\":\"guest\",\"for_s\":3600,\"channels\":[2,3]");
    assert_eq!(guest.role, "guest");
    let me = guest.get("/api/v1/session").text();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((now + 3500..=now + 3600).contains(&number(&me, "until_s")), "{me}");
    let list = guest.get("/api/v1/channels").text();
    let playlist = guest.get("/playlist.m3u").text();
    let [epg, xmltv] = ["/api/v1/epg", "/xmltv.xml"].map(|path| guest.get(path).text());
    for (number, title, seen) in [(1, "one", false), (2, "two", true), (3, "three", true), (4, "four", false)]
    {
        assert_eq!(list.contains(&format!("\"number\":{number},")), seen, "{number} in {list}");
        assert_eq!(list.contains(&format!("\"{title}\"")), seen, "{title} in {list}");
        assert_eq!(playlist.contains(&format!("/live/{number}.ts?")), seen, "{number} in {playlist}");
        assert_eq!(epg.contains(&format!("\"{title}\"")), seen, "{title} in {epg}");
        assert_eq!(xmltv.contains(&format!(">{title}<")), seen, "{title} in {xmltv}");
        let expected = if seen { 200 } else { 403 };
        assert_eq!(guest.watch(&format!("/live/{number}.ts?v=x")).reply.status, expected, "{number}");
        assert_eq!(guest.get(&format!("/api/v1/epg?channel={number}")).status, expected, "{number}");
    }
    // The links in its playlist are no wider than it is.
    let entry = playlist.lines().find(|line| line.starts_with("http://")).unwrap();
    let link = entry.rsplit_once("t=").unwrap().1;
    assert_eq!([1, 2].map(|n| by_link(&stb, link, &format!("/live/{n}.ts")).status), [403, 200]);
    assert_eq!(by_link(&stb, link, "/playlist.m3u").status, 200);
    // One whose end comes while it watches.
    let short = one_more(&stb, "Short", ",\"role\":\"guest\",\"for_s\":4");
    let mut watches = short.watch("/live/1.ts");
    assert_eq!(watches.reply.status, 200, "no channels named: all");
    watches.watch_all();
    assert_eq!(short.get("/api/v1/session").status, 401);
    assert!(short.sign_in().is_err(), "nor by its key");
    assert_eq!(guest.get("/api/v1/session").status, 200);
}

#[test]
fn a_box_without_the_time_lets_no_guest_in_and_says_so() {
    let mut stb = demo_box(&[]);
    let owner_ = owner(&stb);
    let mut guest = one_more(&stb, "Guest", ",\"role\":\"guest\",\"for_s\":3600");
    assert_eq!(guest.get("/api/v1/channels").status, 200);
    let source = format!("file:{}?loop", demo().display());
    stb.restart_as(&["--source", &source, "--clock", "none"]);
    guest.address = stb.address;
    let refused = guest.get("/api/v1/channels");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("does not know the time"), "{}", refused.text());
    assert_eq!(guest.watch("/live/1.ts").reply.status, 503);
    let asked = stb.query("{\"cmd\":\"pair\",\"role\":\"guest\",\"for_s\":60}");
    let said = asked.map_or_else(|e| e.to_string(), |lines| lines.concat());
    assert!(said.contains("the box does not know the time"), "{said}");
    // Nobody else needs it.
    let owner = Terminal { address: stb.address, ..owner_ };
    assert_eq!(owner.get("/api/v1/terminals").status, 200);
    assert_eq!(one_more(&stb, "Viewer", "").role, "viewer");
    let out = run_to_end(&["run", "--clock", "sundial"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("'sundial'"));
}

#[test]
fn a_players_url_lasts_until_its_slot_is_revoked() {
    let mut stb = demo_box(&[]);
    let owner = owner(&stb);
    let url = String::from_utf8(stb.ask(&["player", "Kodi"]).stdout).unwrap();
    let player = token(url.trim()).to_owned();
    let watches = |stb: &Stb| {
        let entry = format!("http://{}/live/1.ts?t={player}", stb.address);
        assert_eq!(by_link(stb, &player, "/playlist.m3u").status, 200);
        Viewer::open(&entry).watch(188);
    };
    watches(&stb);
    let list = get(url.trim()).text();
    assert!(list.contains(&format!("t={player}")), "its entries carry its own token: {list}");
    stb.restart();
    stb.wait_channels(4);
    watches(&stb);
    stb.kill();
    stb.begin();
    stb.wait_channels(4);
    watches(&stb);
    let owner = Terminal { address: stb.address, ..owner };
    assert_eq!(owner.ask("PATCH", "/api/v1/terminals/1", Some("{\"name\":\"VLC\"}")).status, 200);
    watches(&stb);
    assert!(stb.ask(&["revoke", "1"]).status.success());
    for path in ["/playlist.m3u", "/live/1.ts"] {
        assert_eq!(by_link(&stb, &player, path).status, 401, "{path}");
    }
    stb.restart();
    assert_eq!(by_link(&stb, &player, "/playlist.m3u").status, 401);
}

#[test]
fn what_a_terminal_has_is_of_its_box_and_its_slot_alone() {
    let (mut stb, other) = (demo_box(&[]), demo_box(&[]));
    let (owner, viewer) = (owner(&stb), one_more(&stb, "Viewer", ""));
    // The same slots, generations and boot, but other keys.
    let strangers = [support::terminal::owner(&other), one_more(&other, "Viewer", "")];
    for stranger in &strangers {
        let here = Terminal { address: stb.address, ..stranger.clone() };
        assert_eq!(here.get("/api/v1/channels").status, 401);
        assert_eq!(by_bearer(&stb, &stranger.sign_in().unwrap(), "/api/v1/channels").status, 401);
        assert!(here.sign_in().is_err(), "another key");
        let link = stranger.hand_out(0).unwrap();
        assert_eq!(by_link(&stb, &link, "/api/v1/channels").status, 401);
    }
    // The right key under another slot, and for another box.
    let thief = Terminal { slot: owner.slot, ..viewer.clone() };
    assert!(thief.sign_in().is_err());
    let misled = Terminal { fingerprint: strangers[0].fingerprint, ..owner.clone() };
    assert!(misled.sign_in().is_err());
    // A nonce of another process, and a proof that was shown before.
    let (signature, proof) = owner.signature();
    assert_eq!(owner.send_signed(&signature, &proof).status, 200);
    assert_eq!(owner.send_signed(&signature, &proof).status, 401, "replayed");
    let (signature, proof) = owner.signature();
    let (link, bearer) = (viewer.hand_out(0).unwrap(), viewer.sign_in().unwrap());
    stb.restart();
    let [owner, viewer] = [owner, viewer].map(|t| Terminal { address: stb.address, ..t });
    assert_eq!(owner.send_signed(&signature, &proof).status, 401);
    // Cookies, sessions and links of this boot outlive the process.
    assert_eq!(viewer.get("/api/v1/channels").status, 200);
    assert_eq!(by_bearer(&stb, &bearer, "/api/v1/channels").status, 200);
    assert_eq!(by_link(&stb, &link, "/api/v1/channels").status, 200);
    // A cookie is given anew with each reply, and the old one goes on.
    let renewed = cookie(&viewer.get("/api/v1/session")).unwrap();
    assert_ne!(renewed, viewer.cookie);
    assert_eq!(Terminal { cookie: renewed, ..viewer.clone() }.get("/api/v1/session").status, 200);
    assert_eq!(viewer.get("/api/v1/session").status, 200);
    let gone = viewer.ask("DELETE", "/api/v1/session", None);
    assert_eq!(gone.field("set-cookie"), Some("stb=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"));
}

#[test]
fn a_page_that_lost_its_cookie_gets_one_when_it_signs_in() {
    let stb = demo_box(&[]);
    let owner = owner(&stb);
    let sign_in = |more: &str| {
        let (signature, proof) = owner.signature();
        let fields = format!("Authorization: {signature}, proof=\"{}\"\r\n{more}", b64(&proof));
        ask_from(owner.source, stb.address, ("POST", "/api/v1/session"), &fields, None)
    };
    let page = sign_in(&format!("Origin: http://{}\r\n", stb.address));
    let anew = Terminal { cookie: cookie(&page).expect("a cookie"), ..owner.clone() };
    assert_ne!(anew.cookie, owner.cookie);
    assert_eq!(anew.get("/api/v1/session").status, 200);
    let program = sign_in("");
    assert_eq!((program.status, cookie(&program)), (200, None), "its token is all it needs");
}

#[test]
fn no_bit_of_what_a_terminal_shows_can_be_changed() {
    let stb = demo_box(&[]);
    let owner = owner(&stb);
    let cookie: [u8; 32] = unb64(&owner.cookie);
    let bearer: [u8; 32] = unb64(&owner.sign_in().unwrap());
    let link: [u8; 32] = unb64(&owner.hand_out(0).unwrap());
    let list = "/api/v1/channels";
    for bit in bits(32) {
        let forged = Terminal { cookie: b64(&flipped(&cookie, bit)), ..owner.clone() };
        assert_eq!(forged.get(list).status, 401, "bit {bit} of a cookie");
        assert_eq!(by_bearer(&stb, &b64(&flipped(&bearer, bit)), list).status, 401, "bit {bit} of a session");
        assert_eq!(by_link(&stb, &b64(&flipped(&link, bit)), list).status, 401, "bit {bit} of a link");
    }
    let (signature, proof) = owner.signature();
    for bit in bits(32) {
        assert_eq!(owner.send_signed(&signature, &flipped(&proof, bit)).status, 401, "bit {bit} of a proof");
    }
    for (from, to) in
        [("slot=\"0\"", "slot=\"1\""), ("cnonce=\"", "cnonce=\"A"), (", nonce=\"", ", nonce=\"B")]
    {
        assert_eq!(owner.send_signed(&signature.replacen(from, to, 1), &proof).status, 401, "{from}");
    }
    assert_eq!(owner.send_signed(&signature, &proof).status, 200, "none of it spent the nonce");
    assert_eq!(owner.get(list).status, 200);
}

#[test]
fn a_terminal_goes_by_itself_and_its_owner_sees_who_is_there() {
    let stb = demo_box(&[]);
    let (owner, viewer) = (owner(&stb), one_more(&stb, "Viewer", ""));
    let list = owner.get("/api/v1/terminals").text();
    let lines: Vec<&str> = list.split("{\"slot\":").skip(1).collect();
    assert!(lines[0].contains("\"self\":true") && lines[1].contains("\"self\":false"), "{list}");
    assert!(lines[1].contains("\"role\":\"viewer\"") && lines[1].contains("\"paired\":1"), "{list}");
    assert_eq!(viewer.ask("PATCH", "/api/v1/terminals/1", Some("{\"name\":\"My phone\"}")).status, 200);
    assert!(owner.get("/api/v1/terminals").text().contains("My phone"));
    let shown = String::from_utf8(stb.ask(&["terminals"]).stdout).unwrap();
    assert_eq!(shown, "  0  owner   Owner\n  1  viewer  My phone\n");
    assert!(stb.ask(&["rename", "1", "Hers"]).status.success());
    assert_eq!(text(&viewer.get("/api/v1/session").text(), "name"), Some("Hers"));
    assert_eq!(viewer.ask("DELETE", "/api/v1/terminals/1", None).status, 200);
    assert_eq!(viewer.get("/api/v1/session").status, 401);
    for (words, part) in
        [(&["revoke", "1"][..], "no terminal in slot 1"), (&["rename", "1", "x"], "no terminal in slot 1")]
    {
        let out = stb.ask(words);
        assert_eq!(out.status.code(), Some(1), "{words:?}");
        assert!(String::from_utf8_lossy(&out.stderr).contains(part), "{words:?}");
    }
}

//! The main job: a mux comes in, and who asks for a channel gets that channel, whole and alone.

mod support;

use std::time::Duration;

use support::http::{Viewer, escape, get, request, token};
use support::mux::{Codec, MuxBuilder, Service};
use support::rap::starts_clean;
use support::sender::{self, Cut, Sender, full, uneven};
use support::stb::{Stb, demo, number, text, wait_for};
use support::ts::{Packet, Report, contiguous_run, elementary, judge, packets, pcr, pid};

/// The channels of the committed mux.
const NAMES: [&str; 4] = ["综合频道 One HD", "Télé Été Ö", "Radio Žluťoučký", "<img src=x onerror=alert(1)>"];
/// The longest that PAT and PMT may be apart: 100 ms, and what a PCR of the test's muxes is off by.
const GAP_MS: f64 = 110.0;
/// The same where packets are received straight into the ring, so that tables come between two reads and a read that is
/// late on a busy machine delays them (TR 101 290 §5.2.1).
const GAP_IN_PLACE_MS: f64 = 500.0;

fn demo_box(query: &str) -> Stb {
    let stb = Stb::start(&[&format!("file:{}{query}", demo().display())]);
    stb.wait_channels(NAMES.len());
    stb
}

/// Seconds of stream in `bytes`, by its PCRs.
fn seconds(bytes: &[u8]) -> f64 {
    let pcrs: Vec<u64> = packets(bytes).0.iter().filter_map(pcr).collect();
    let steps = pcrs.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    steps.map(|ticks| ticks as f64 / 27e6).sum()
}

/// `report` is of one programme alone, with tables of its own, and without a break.
fn is_sound(report: &Report, gap_ms: f64) {
    let [(program, pmt_pid)] = report.pat_programs[..] else {
        panic!("the PAT has {} programmes", report.pat_programs.len())
    };
    let pmt = report.pmt.as_ref().expect("there is a PMT");
    assert_eq!(pmt.program, program);
    let mut own: Vec<u16> = pmt.streams.iter().map(|s| s.1).collect();
    own.extend([0, 0x11, 0x12, 0x14, pmt_pid, pmt.pcr_pid]);
    for (pid, counts) in &report.pids {
        assert!(own.contains(pid), "PID {pid:#06x} is foreign");
        assert_eq!((counts.cc_errors, counts.duplicates, counts.discontinuities), (0, 0, 0), "{pid:#06x}");
    }
    assert_eq!(report.crc_errors, 0);
    let [sdt] = &report.sdt_services[..] else {
        panic!("the SDT has {} services", report.sdt_services.len())
    };
    assert_eq!(sdt.sid, program);
    let gaps = (report.pat_gap, report.pmt_gap);
    assert!(gaps.0.ms <= gap_ms && gaps.1.ms <= gap_ms, "{gaps:?}");
}

#[test]
fn each_channel_comes_out_alone_also_across_the_seam_of_a_loop() {
    let stb = demo_box("?loop&speed=8");
    std::thread::scope(|scope| {
        for (channel, name) in (1..).zip(NAMES) {
            let link = stb.channel(channel);
            scope.spawn(move || {
                let mut viewer = Viewer::open(&link);
                assert_eq!(viewer.reply.field("content-type"), Some("video/mp2t"));
                while seconds(viewer.watch_on(50_000)) < 30.0 {}
                let report = judge(viewer.bytes());
                is_sound(&report, GAP_MS);
                assert_eq!(report.pat_programs[0].0, 1000 + channel);
                assert_eq!(report.sdt_services[0].name_raw, [b"\x15", name.as_bytes()].concat());
                assert!(report.pids.values().all(|p| p.scrambled == 0));
                assert!(report.sections.contains_key(&(0x14, 0x70)), "the time is passed on");
                assert!(report.sections.contains_key(&(0x12, 0x4e)), "the guide is passed on");
            });
        }
    });
}

#[test]
fn every_join_starts_where_a_decoder_can_start() {
    let stb = demo_box("?loop&speed=8");
    std::thread::scope(|scope| {
        for channel in 1..=4 {
            let link = stb.channel(channel);
            scope.spawn(move || {
                // One who stays is the clock: the joins are as far apart as so many bytes.
                let mut stays = Viewer::open(&link);
                for join in 0..20 {
                    stays.watch_on(20_000);
                    let mut joins = Viewer::open(&link);
                    let verdict = starts_clean(joins.watch(188 * 120));
                    assert_eq!(verdict, Ok(()), "join {join} of channel {channel}");
                }
            });
        }
    });
}

/// Services of each kind that has its own way to start.
fn services() -> Vec<Service> {
    vec![
        Service::tv(1, "One", Codec::H264, 600_000),
        Service::tv(2, "Two", Codec::Hevc, 800_000),
        Service::tv(3, "Three", Codec::Mpeg2, 700_000),
        Service::tv(4, "Four", Codec::H264Open, 500_000),
        Service::radio(5, "Five", 128_000),
    ]
}

/// What `viewer` got is sound and is all that was sent of `service` from some packet on, up to the end.
fn is_exact(viewer: &Viewer, mux: &[u8], service: &Service, gap_ms: f64) {
    let got = elementary(viewer.bytes(), &service.pids());
    let sent = elementary(mux, &service.pids());
    let start = contiguous_run(&sent, &got).unwrap_or_else(|why| panic!("service {}: {why}", service.sid));
    assert_eq!(start + got.len(), sent.len(), "service {}: the end is missing", service.sid);
    is_sound(&judge(viewer.bytes()), gap_ms);
    assert_eq!(starts_clean(viewer.bytes()), Ok(()), "service {}", service.sid);
}

#[test]
fn a_file_comes_out_byte_by_byte_up_to_its_end() {
    let services = services();
    let mux = MuxBuilder::new(&services, 5).build();
    let stb = Stb::playing(&mux, "?speed=2");
    stb.wait_channels(services.len());
    std::thread::scope(|scope| {
        for (channel, service) in (1..).zip(&services) {
            let (link, mux, address) = (stb.channel(channel), &mux, stb.address);
            scope.spawn(move || {
                let mut viewers = [Viewer::open(&link), Viewer::open(&link)];
                viewers[0].watch(20_000);
                let mut late = Viewer::open(&format!("{link}&v=late{channel}"));
                for viewer in viewers.iter_mut().chain([&mut late]) {
                    let all = viewer.watch_all();
                    viewer.client.unread = all;
                    is_exact(viewer, mux, service, GAP_MS);
                }
                let (address, token) = (address, token(&link));
                let why = get(&format!("http://{address}/api/v1/ended?v=late{channel}&t={token}")).text();
                assert_eq!(text(&why, "reason"), Some("source"), "{why}");
            });
        }
    });
    let end = wait_for("the end to be said", || Some(stb.mux(0)).filter(|m| m.contains("\"failed\"")));
    assert!(end.contains("the file is at its end"), "{end}");
}

/// Sends `stream` to a box that listens at `source`, with two viewers for each of `services`, a channel each.
fn by_udp(source: &str, to: std::net::SocketAddr, services: &[Service], stream: Vec<Packet>, cut: Cut) {
    let stb = Stb::start(&[source]);
    let alone = services.len() == 1;
    let bytes = stream.as_flattened().to_vec();
    let sender = Sender::once(to, stream, Duration::from_secs(4), cut);
    stb.wait_channels(services.len());
    std::thread::scope(|scope| {
        for (channel, service) in (1..).zip(services) {
            let (link, bytes) = (stb.channel(channel), &bytes);
            scope.spawn(move || {
                let last = *elementary(bytes, &service.pids()).last().expect("something is sent");
                let mut viewers = [Viewer::open(&link), Viewer::open(&link)];
                for viewer in &mut viewers {
                    viewer.watch_until("the last packet", |packet| *packet == last);
                    is_exact(viewer, bytes, service, if alone { GAP_IN_PLACE_MS } else { GAP_MS });
                }
            });
        }
    });
    sender.finish();
    assert_eq!(number(&stb.mux(0), "dropped_datagrams"), 0);
}

fn built(services: &[Service]) -> Vec<Packet> {
    packets(&MuxBuilder::new(services, 8).build()).0.to_vec()
}

#[test]
fn a_mux_of_several_services_by_unicast_comes_out_byte_by_byte() {
    let to = sender::unicast();
    by_udp(&format!("udp://{to}"), to, &services(), built(&services()), full);
}

#[test]
fn a_mux_by_multicast_comes_out_byte_by_byte() {
    if !sender::multicast_works() {
        println!("skipped: this machine lets nobody join a group on lo");
        return;
    }
    let to = sender::multicast();
    by_udp(&format!("udp://{to}?iface=lo"), to, &services()[..2], built(&services()[..2]), full);
}

#[test]
fn a_mux_of_one_service_is_received_into_its_ring_byte_by_byte() {
    let to = sender::unicast();
    let one = [Service::tv(7, "Seven", Codec::H264, 2_000_000)];
    by_udp(&format!("udp://{to}"), to, &one, built(&one), full);
}

#[test]
fn short_datagrams_and_foreign_packets_leave_no_trace_in_a_ring() {
    let to = sender::unicast();
    let one = [Service::tv(8, "Eight", Codec::Hevc, 1_500_000)];
    let mut stream = Vec::new();
    for (i, packet) in built(&one).into_iter().enumerate() {
        stream.push(packet);
        for foreign in [(3, 0x1fff_u16), (5, 0x0010), (11, 0x0777)].into_iter().filter(|(n, _)| i % n == 0) {
            let [high, low] = foreign.1.to_be_bytes();
            let mut other = [0xff; 188];
            other[..4].copy_from_slice(&[0x47, high, low, 0x10]);
            stream.push(other);
        }
    }
    by_udp(&format!("udp://{to}"), to, &one, stream, uneven);
}

#[test]
fn number_and_name_travel_together() {
    let stb = demo_box("?loop");
    let link = stb.channel(2);
    let base = format!("http://{}/live/2.ts", stb.address);
    let url = |name: &str| format!("{base}?name={}&t={}", escape(name), token(&link));
    let refused = get(&url(NAMES[0]));
    assert_eq!(refused.status, 409);
    let body = refused.text();
    for part in ["\"number\":2", NAMES[0], NAMES[1]] {
        assert!(body.contains(part), "{body}");
    }
    assert_eq!(request("HEAD", &url("%"), "").status, 409);
    for right in [url(NAMES[1]), format!("{base}?t={}", token(&link)), link.clone()] {
        assert!(!Viewer::open(&right).watch(188).is_empty(), "{right}");
    }
}

#[test]
fn a_stream_has_no_ranges_and_head_takes_nothing() {
    let stb = demo_box("?loop");
    let link = stb.link(1, &[]);
    for _ in 0..3 {
        let head = request("HEAD", &link, "");
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.field("content-type"), Some("video/mp2t"));
        assert_eq!((head.field("content-length"), head.field("transfer-encoding")), (None, None));
    }
    let lines = stb.status();
    assert_eq!((number(&lines[1], "rings_watched"), number(&lines[1], "viewers")), (0, 0));
    let mut ranged = Viewer::ask(&link, "Range: bytes=0-\r\n");
    assert_eq!((ranged.reply.status, ranged.reply.field("accept-ranges")), (200, Some("none")));
    assert_eq!(ranged.reply.field("connection"), Some("close"));
    assert_eq!(pid(packets(ranged.watch(188)).0.first().expect("a packet came")), 0);
    let lines = stb.status();
    assert_eq!((number(&lines[1], "rings_watched"), number(&lines[1], "viewers")), (1, 1));
}

#[test]
fn who_listens_gets_the_sound_alone_and_its_clock() {
    // One service of several, which are filtered, and one that has its mux to itself.
    for services in [&services()[..], &services()[..1]] {
        let mux = MuxBuilder::new(services, 3).build();
        let stb = Stb::playing(&mux, "?speed=2");
        stb.wait_channels(services.len());
        let link = stb.channel(1);
        let wrong = ["video", "", "audio&tracks=audio"].map(|t| get(&format!("{link}&tracks={t}")).status);
        assert_eq!(wrong, [400; 3]);
        let mut viewers = [Viewer::open(&link), Viewer::open(&format!("{link}&tracks=audio"))];
        for viewer in &mut viewers {
            let all = viewer.watch_all();
            viewer.client.unread = all;
        }
        let [watches, listens] = &viewers;
        is_exact(watches, &mux, &services[0], GAP_MS);
        let report = judge(listens.bytes());
        is_sound(&report, GAP_MS);
        let (video, audio) = (services[0].streams()[0].1, services[0].streams()[1]);
        let pmt = report.pmt.as_ref().expect("there is a PMT");
        assert_eq!(
            (&pmt.streams.iter().map(|s| (s.0, s.1)).collect::<Vec<_>>(), pmt.pcr_pid),
            (&vec![audio], video)
        );
        let got = elementary(listens.bytes(), &[audio.1]);
        let sent = elementary(&mux, &[audio.1]);
        let start = contiguous_run(&sent, &got).expect("no packet of the sound is missing");
        assert!(
            start + got.len() == sent.len() && got.len() > sent.len() / 2,
            "{} of {}",
            got.len(),
            sent.len()
        );
        let clocks = elementary(listens.bytes(), &[video]);
        let pcrs: Vec<u64> = clocks.iter().filter_map(pcr).collect();
        assert_eq!((pcrs.len(), report.pids[&video].payload_packets), (clocks.len(), 0));
        let steps = || pcrs.windows(2).map(|pair| (pair[1] - pair[0]) / 27_000);
        assert!(
            pcrs.len() > 15 && steps().all(|ms| (40..=100).contains(&ms)),
            "{:?}",
            steps().collect::<Vec<_>>()
        );
        assert!(listens.bytes().len() * 2 < watches.bytes().len(), "{} bytes", listens.bytes().len());
    }
}

#[test]
fn listening_shares_the_mux_and_radio_its_ring() {
    let stb = demo_box("?loop&speed=8");
    let rings = || number(&stb.status()[1], "rings_watched");
    let _watches = Viewer::open(&stb.channel(1));
    let listen = |channel| Viewer::open(&format!("{}&tracks=audio", stb.channel(channel)));
    let mut listens = [listen(1), listen(2), listen(1)];
    for viewer in &mut listens {
        viewer.watch(188);
    }
    assert_eq!(rings(), 3, "one with pictures, two without");
    let _radio = [Viewer::open(&stb.channel(3)), listen(3)];
    assert_eq!(rings(), 4);
}

#[test]
fn the_playlist_names_every_channel_and_its_links_play() {
    let stb = demo_box("?loop");
    let reply = get(&stb.link("playlist", &["--connections", "0"]));
    assert_eq!((reply.status, reply.field("content-type")), (200, Some("audio/x-mpegurl")));
    let text = reply.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("#EXTM3U url-tvg=\"http://") && lines.len() == 9, "{text}");
    for (i, name) in NAMES.iter().enumerate() {
        let (entry, url) = (lines[1 + 2 * i], lines[2 + 2 * i]);
        let group = if i == 2 { "Radio" } else { "TV" };
        let id = text_of_id(&stb, i).replace('-', ".");
        for part in [
            format!("tvg-id=\"{id}\""),
            format!("tvg-chno=\"{}\"", i + 1),
            format!("tvg-name=\"{name}\""),
            format!("group-title=\"{group}\""),
        ] {
            assert!(entry.contains(&part), "{part} is not in {entry}");
        }
        assert!(entry.starts_with("#EXTINF:-1 ") && entry.ends_with(&format!(",{name}")), "{entry}");
        assert_eq!(
            judge(Viewer::open(url).watch(188 * 3)).pat_programs[0].0,
            1001 + u16::try_from(i).unwrap()
        );
    }
}

fn text_of_id(stb: &Stb, place: usize) -> String {
    text(&stb.channels()[place], "id").expect("a channel has an id").to_owned()
}

#[test]
fn the_list_says_of_each_channel_what_it_is() {
    let mut stb = demo_box("?loop");
    let demo = format!("file:{}?loop", demo().display());
    let gone = stb.dir.file("gone.ts", &MuxBuilder::new(&services()[..1], 3).build());
    stb.restart_with(&[&demo, &format!("file:{gone}?loop")]);
    stb.wait_channels(5);
    // A source that goes away keeps its channel's number; the list of what can be watched now is without it.
    std::fs::remove_file(gone).unwrap();
    stb.restart();
    wait_for("the demo's channels", || {
        Some(()).filter(|()| listed(&stb, "").matches("\"number\"").count() == 4)
    });
    let all = listed(&stb, "&all=1");
    assert_eq!(all.matches("\"number\":").count(), 5);
    assert_eq!(
        (all.matches("\"available\":\"no\"").count(), all.matches("\"available\":\"now\"").count()),
        (1, 4)
    );
    let now = listed(&stb, "");
    assert!(now.starts_with("{\"channels\":[{") && now.ends_with("}]}"), "{now}");
    for part in [
        "\"name\":\"Télé Été Ö\"",
        "\"kind\":\"radio\"",
        "\"kind\":\"tv\"",
        "-1004\",\"scrambled\":false",
        "{\"pid\":513,\"codec\":\"h264\",\"language\":null},{\"pid\":514,\"codec\":\"mp2\",\"language\":\"fra\"}",
        "\"stream\":\"/live/4.ts?name=%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E\"",
        "\"provider\":\"",
    ] {
        assert!(now.contains(part), "{part} is not in {now}");
    }
}

fn listed(stb: &Stb, query: &str) -> String {
    let reply = get(&format!("{}{query}", stb.list().0));
    assert_eq!((reply.status, reply.field("content-type")), (200, Some("application/json")));
    reply.text()
}

#[test]
fn zapping_within_a_mux_tunes_nothing_anew() {
    let stb = demo_box("?loop");
    let (one, two) = (stb.channel(1), stb.channel(2));
    let mut first = Viewer::open(&one);
    first.watch(20_000);
    let before = stb.mux(0);
    assert!(before.contains("\"state\":\"watched\""), "{before}");
    let mut second = Viewer::open(&two);
    second.watch(20_000);
    let after = stb.mux(0);
    assert!(number(&after, "packets") > number(&before, "packets"), "{before} {after}");
    assert_eq!((number(&before, "watched"), number(&after, "watched")), (1, 2));
    drop(second);
    wait_for("one to leave", || Some(stb.mux(0)).filter(|m| number(m, "watched") == 1));
    first.watch_on(20_000);
    is_sound(&judge(first.bytes()), GAP_MS);
}

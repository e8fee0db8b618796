//! The broadcast changes while somebody watches: what is on the air is what the box says and sends, and nobody's
//! connection ends for it.

mod support;

use support::http::{Viewer, get, token};
use support::live::{Live, Segment};
use support::mux::{Codec, MuxBuilder, Service};
use support::sender;
use support::stb::{Dir, Stb, number, text, wait_for};
use support::tables::be16;
use support::ts::{Packet, contiguous_run, elementary, is_subsequence, judge, packets, payload, pid};

fn one() -> Service {
    Service::tv(1, "One", Codec::H264, 500_000)
}

fn two() -> Service {
    Service::tv(2, "Two", Codec::Mpeg2, 400_000)
}

fn segment(services: &[Service], version: u8) -> Segment {
    Segment::new(&MuxBuilder::new(services, 4), version)
}

/// A box that receives `first`, with `channels` channels known.
fn on_air(first: &Segment, channels: usize) -> (Live, Stb) {
    let to = sender::unicast();
    let live = Live::start(to, first);
    let stb = Stb::start(&[&format!("udp://{to}")]);
    stb.wait_channels(channels);
    (live, stb)
}

/// Every packet of these PIDs that was sent during the viewer's stay came, in order, and nothing broke.
fn is_exact(viewer: &Viewer, live: &Live, pids: &[u16]) {
    let sent = well_formed(live, pids);
    let run = contiguous_run(&sent, &elementary(viewer.bytes(), pids));
    assert!(run.is_ok(), "{run:?}");
    let report = judge(viewer.bytes());
    for pid in pids {
        assert_eq!((report.pids[pid].cc_errors, report.pids[pid].discontinuities), (0, 0), "{pid:#06x}");
    }
    assert_eq!(report.crc_errors, 0);
}

/// What was sent of these PIDs, without slots that are no packets.
fn well_formed(live: &Live, pids: &[u16]) -> Vec<Packet> {
    live.sent().into_iter().filter(|p| p[0] == 0x47 && pids.contains(&pid(p))).collect()
}

fn channel_of(stb: &Stb, service: u16) -> Option<String> {
    stb.channels()
        .into_iter()
        .find(|line| text(line, "id").is_some_and(|id| id.ends_with(&format!("-{service}"))))
}

/// The channel of `service` is listed with `part`.
fn wait_channel(stb: &Stb, service: u16, part: &str) -> String {
    wait_for(&format!("{part} of service {service}"), || {
        channel_of(stb, service).filter(|l| l.contains(part))
    })
}

fn number_of(stb: &Stb, service: u16) -> u16 {
    let line = channel_of(stb, service).expect("the service has a channel");
    u16::try_from(number(&line, "number")).expect("a number is short")
}

/// Watches some more of the stream.
fn go_on(viewer: &mut Viewer) {
    viewer.watch_on(60_000);
}

/// A programme's picture changes its codec and its PID: `others` are beside it in the mux.
fn new_programme(others: &[Service]) {
    let before = one();
    let after = Service { video: Some(Codec::Hevc), video_pid: 0x1f1, ..one() };
    let mux = |service: &Service| segment(&[std::slice::from_ref(service), others].concat(), 0);
    let (live, stb) = on_air(&mux(&before), 1 + others.len());
    let mut viewer = Viewer::open(&stb.channel(number_of(&stb, 1)));
    // A second ring would have the mux of one read in another way.
    let listens = (!others.is_empty()).then(|| format!("{}&tracks=audio", stb.channel(number_of(&stb, 1))));
    let mut listens = listens.map(|link| Viewer::open(&link));
    go_on(&mut viewer);
    assert_eq!(judge(viewer.bytes()).pmt.expect("there is a PMT").streams, before.streams());
    live.play(&segment(&[std::slice::from_ref(&after), others].concat(), 1));
    viewer.watch_until("the new picture", |packet| pid(packet) == after.video_pid);
    go_on(&mut viewer);
    // The sound is the same stream as before, without a break; the picture is whole from its first packet on.
    is_exact(&viewer, &live, &[after.audio_pid]);
    is_exact(&viewer, &live, &[after.video_pid]);
    if let Some(listens) = &mut listens {
        listens.watch_until("the new clock", |packet| pid(packet) == after.video_pid);
        is_exact(listens, &live, &[after.audio_pid]);
        let pmt = judge(listens.bytes()).pmt.expect("there is a PMT");
        assert_eq!((pmt.streams, pmt.pcr_pid), (after.streams()[1..].to_vec(), after.video_pid));
    }
    let report = judge(viewer.bytes());
    let pmt = report.pmt.expect("there is a PMT");
    assert_eq!((pmt.streams, pmt.pcr_pid), (after.streams(), after.video_pid));
    let own = [0, 0x11, report.pat_programs[0].1, before.video_pid, after.video_pid, after.audio_pid];
    assert!(report.pids.keys().all(|pid| own.contains(pid)), "{:?}", report.pids.keys());
    assert!(report.pids.values().all(|p| p.cc_errors == 0));
    said_before_it_came(&viewer, report.pat_programs[0].1, after.video_pid);
    wait_channel(&stb, 1, "{\"pid\":497,\"codec\":\"hevc\"");
    let late = Viewer::open(&stb.channel(number_of(&stb, 1))).watch(188 * 40).to_vec();
    assert_eq!(support::rap::starts_clean(&late), Ok(()));
}

/// The PMT that names `new` comes before its first packet, under another version than the first PMT.
fn said_before_it_came(viewer: &Viewer, pmt_pid: u16, new: u16) {
    let all = packets(viewer.bytes()).0;
    let first = all.iter().position(|p| pid(p) == new).expect("it came");
    let mut pmts = all[..first].iter().filter(|p| pid(p) == pmt_pid).map(payload);
    let version = |section: &[u8]| section[6] >> 1 & 0x1f;
    let oldest = version(pmts.next().expect("there is a PMT"));
    let newest = pmts.next_back().expect("there is another PMT");
    assert_ne!(version(newest), oldest);
    assert!(newest.windows(2).any(|w| be16(w) & 0x1fff == new), "the last PMT before {new:#06x} names it");
}

#[test]
fn a_new_programme_of_a_mux_of_one_reaches_who_watches() {
    new_programme(&[]);
}

#[test]
fn a_new_programme_in_a_mux_of_several_reaches_who_watches() {
    new_programme(&[two()]);
}

#[test]
fn services_come_and_go_beside_who_watches() {
    let three = Service::radio(3, "Three", 128_000);
    let first = segment(&[one(), two()], 0);
    let (live, stb) = on_air(&first, 2);
    let mut stays = Viewer::open(&stb.channel(number_of(&stb, 1)));
    let mut goes = Viewer::open(&stb.channel(number_of(&stb, 2)));
    go_on(&mut stays);
    go_on(&mut goes);
    let two_s = number_of(&stb, 2);
    live.play(&segment(&[one(), three], 1));
    wait_channel(&stb, 2, "\"available\":\"no\"");
    wait_channel(&stb, 3, "\"available\":\"now\"");
    let mut new = Viewer::open(&stb.channel(number_of(&stb, 3)));
    new.watch(10_000);
    live.play(&segment(&[one(), two()], 2));
    wait_channel(&stb, 2, "\"available\":\"now\"");
    wait_channel(&stb, 3, "\"available\":\"no\"");
    assert_eq!(number_of(&stb, 2), two_s, "it has its number again");
    // Whoever watched what was gone is still there, and watches again.
    go_on(&mut goes);
    go_on(&mut stays);
    is_exact(&stays, &live, &one().pids());
    assert!(new.is_connected());
}

#[test]
fn a_new_name_is_the_name_at_once() {
    let renamed = Service { name: b"Uno".to_vec(), ..one() };
    let (live, stb) = on_air(&segment(&[one(), two()], 0), 2);
    let link = stb.channel(number_of(&stb, 1));
    let mut viewer = Viewer::open(&link);
    watch_until_named(&mut viewer, "One");
    live.play(&segment(&[renamed, two()], 1));
    wait_channel(&stb, 1, "\"name\":\"Uno\"");
    watch_until_named(&mut viewer, "Uno");
    go_on(&mut viewer);
    is_exact(&viewer, &live, &one().pids());
    let refused = get(&link);
    assert_eq!(refused.status, 409, "the old link has the old name");
    assert!(refused.text().contains("One") && refused.text().contains("Uno"), "{}", refused.text());
    let anew = format!("http://{}/live/{}.ts?t={}", stb.address, number_of(&stb, 1), token(&link));
    Viewer::open(&anew).watch(188);
}

/// Watches until the stream's own SDT has this name.
fn watch_until_named(viewer: &mut Viewer, name: &str) {
    let named = |bytes: &[u8]| judge(bytes).sdt_services.first().map(|sdt| sdt.name_raw[1..].to_vec());
    for _ in 0..100 {
        viewer.watch_on(10_000);
        if named(viewer.bytes()).is_some_and(|n| n == name.as_bytes()) {
            return;
        }
    }
    panic!("a megabyte came, and no SDT with the name '{name}'");
}

#[test]
fn tables_may_be_missing_for_a_while() {
    for others in [vec![], vec![two()]] {
        let whole = segment(&[&[one()], &others[..]].concat(), 0);
        let (live, stb) = on_air(&whole, 1 + others.len());
        let mut viewer = Viewer::open(&stb.channel(number_of(&stb, 1)));
        go_on(&mut viewer);
        let tables: Vec<u16> = others.iter().map(|s| s.pmt_pid).chain([0, 0x11, one().pmt_pid]).collect();
        live.play(&whole.without(&tables));
        // Three seconds of picture and sound.
        viewer.watch_on(3 * (500_000 + 192_000) / 8);
        is_exact(&viewer, &live, &one().pids());
        let report = judge(viewer.bytes());
        assert!(report.pat_gap.ms < 500.0, "the box's own tables go on: {:?}", report.pat_gap);
        assert!(channel_of(&stb, 1).is_some_and(|l| l.contains("\"available\":\"now\"")));
        live.play(&whole);
        go_on(&mut viewer);
        is_exact(&viewer, &live, &one().pids());
    }
}

#[test]
fn damage_of_a_service_is_counted_and_leaves_the_other_whole() {
    let whole = segment(&[one(), two()], 0);
    let (live, stb) = on_air(&whole, 2);
    let mut sound = Viewer::open(&stb.channel(number_of(&stb, 1)));
    let mut hurt = Viewer::open(&stb.channel(number_of(&stb, 2)));
    go_on(&mut sound);
    go_on(&mut hurt);
    let counts = || {
        let line = stb.mux(0);
        ["transport_errors", "no_sync", "broken_sections"].map(|name| number(&line, name))
    };
    assert_eq!(counts(), [0, 0, 0]);
    let damaged = whole.changed(&two().pids(), |place, packet| match place % 10 {
        3 => packet[1] |= 0x80,
        5 => packet[0] = 0x46,
        // An adaptation field longer than its packet.
        7 => (packet[3], packet[4]) = (packet[3] | 0x30, 0xff),
        _ => {}
    });
    // From the second PMT on, which is read, since the first one is known already.
    live.play(&damaged.changed(&[two().pmt_pid], |_, packet| packet[20] ^= 1));
    wait_for("the damage to be counted", || Some(()).filter(|()| counts().iter().all(|n| *n > 10)));
    go_on(&mut sound);
    go_on(&mut hurt);
    live.play(&whole);
    go_on(&mut sound);
    is_exact(&sound, &live, &one().pids());
    hurt.watch_on(1000);
    let got = elementary(hurt.bytes(), &two().pids());
    assert!(got.iter().all(|packet| packet[1] & 0x80 == 0), "what is damaged is not sent on");
    assert_eq!(is_subsequence(&well_formed(&live, &two().pids()), &got), Ok(()));
}

#[test]
fn what_the_packets_show_decides_what_is_scrambled() {
    let clear = segment(&[one(), two()], 0);
    let (live, stb) = on_air(&clear, 2);
    let mut other = Viewer::open(&stb.channel(number_of(&stb, 1)));
    let mut viewer = Viewer::open(&stb.channel(number_of(&stb, 2)));
    go_on(&mut viewer);
    wait_channel(&stb, 2, "\"scrambled\":false");
    live.play(&clear.changed(&two().pids(), |_, packet| packet[3] |= 0x80));
    wait_channel(&stb, 2, "\"scrambled\":true");
    let refused = get(&stb.channel(number_of(&stb, 2)));
    assert_eq!((refused.status, text(&refused.text(), "code")), (409, Some("scrambled")), "{}", refused.head);
    go_on(&mut viewer);
    is_exact(&viewer, &live, &two().pids());
    live.play(&clear);
    wait_channel(&stb, 2, "\"scrambled\":false");
    go_on(&mut Viewer::open(&stb.channel(number_of(&stb, 2))));
    go_on(&mut other);
    is_exact(&other, &live, &one().pids());
}

#[test]
fn a_source_that_falls_silent_is_said_and_comes_back() {
    let whole = segment(&[one(), two()], 0);
    let (live, stb) = on_air(&whole, 2);
    let mut viewer = Viewer::open(&stb.channel(number_of(&stb, 1)));
    go_on(&mut viewer);
    fall_silent(&live, &stb);
    for service in [1, 2] {
        wait_channel(&stb, service, "\"available\":\"no\"");
    }
    assert_eq!(get(&stb.list().0).text(), "{\"channels\":[]}");
    let late = get(&stb.channel(number_of(&stb, 1)));
    assert_eq!((late.status, late.text().contains("the source is silent")), (503, true), "{}", late.text());
    viewer.watch_on(188 * 4); // the box's own tables go on
    assert!(viewer.is_connected());
    live.play(&whole);
    go_on(&mut viewer);
    wait_channel(&stb, 1, "\"available\":\"now\"");
    is_exact_but_for_breaks(&viewer, &live, &one().pids(), 1);
    stb.wait_log(": silent");
    stb.wait_log(": packets again");
}

fn fall_silent(live: &Live, stb: &Stb) {
    live.fall_silent();
    wait_for("silence", || Some(stb.mux(0)).filter(|l| l.contains("\"state\":\"silent\"")));
}

/// The same as [`is_exact`], with `breaks` announced on each PID: by a packet without payload, right before the first
/// one behind it.
fn is_exact_but_for_breaks(viewer: &Viewer, live: &Live, pids: &[u16], breaks: usize) {
    let got = elementary(viewer.bytes(), pids);
    let (payloads, marks): (Vec<Packet>, Vec<Packet>) = got.iter().partition(|p| !payload(p).is_empty());
    let run = contiguous_run(&well_formed(live, pids), &payloads);
    assert!(run.is_ok(), "{run:?}");
    let report = judge(viewer.bytes());
    for wanted in pids {
        let counts = &report.pids[wanted];
        assert_eq!((counts.cc_errors, counts.discontinuities), (0, breaks), "{wanted:#06x}");
        assert_eq!(marks.iter().filter(|p| pid(p) == *wanted).count(), breaks);
    }
}

#[test]
fn a_repeated_file_that_is_written_over_goes_on_as_what_it_is() {
    let after = Service { video: Some(Codec::Hevc), video_pid: 0x1f1, audio_pid: 0x1f2, ..one() };
    let [old, new] = [one(), after.clone()].map(|service| MuxBuilder::new(&[service, two()], 3).build());
    let dir = Dir::new();
    let path = dir.file("mux.ts", &old);
    let stb = Stb::start_in(dir, &[&format!("file:{path}?loop")], &[]);
    stb.wait_channels(2);
    let mut viewer = Viewer::open(&stb.channel(number_of(&stb, 1)));
    let mut shows = |service: &Service| {
        wait_for("the file's programme", || {
            go_on(&mut viewer);
            judge(viewer.bytes()).pmt.filter(|pmt| pmt.streams == service.streams())
        });
        go_on(&mut viewer);
        let report = judge(viewer.bytes());
        assert!(report.pids.values().all(|p| p.cc_errors == 0), "{:?}", report.pids);
    };
    shows(&one());
    let aside = stb.dir.file("new.ts", &new);
    std::fs::rename(aside, &path).expect("a file can be replaced");
    shows(&after);
    // Nothing is in it for a while, as when it is copied to.
    std::fs::write(&path, []).expect("a file can be emptied");
    stb.wait_log("cannot be opened anew");
    std::fs::write(&path, &old).expect("a file can be written");
    shows(&one());
    assert_eq!(stb.log().matches("the file has changed").count(), 2);
    std::fs::remove_file(&path).expect("a file can be removed");
    // It is there until it is closed: three more seams.
    viewer.watch_on(3 * 3 * (500_000 + 192_000) / 8);
    assert!(judge(viewer.bytes()).pids.values().all(|p| p.cc_errors == 0));
}

/// The source of a programme beside `others` falls silent and comes back with the programme as `after`.
fn comes_back_as(after: &Service, tsid: u16, others: &[Service]) {
    let mux = |service: &Service, tsid| {
        let services = [std::slice::from_ref(service), others].concat();
        MuxBuilder { tsid, ..MuxBuilder::new(&services, 4) }
    };
    let (live, stb) = on_air(&Segment::new(&mux(&one(), 1), 0), 1 + others.len());
    let mut viewer = Viewer::open(&stb.channel(number_of(&stb, 1)));
    go_on(&mut viewer);
    fall_silent(&live, &stb);
    live.play(&Segment::new(&mux(after, tsid), 1));
    let is_after = |bytes: &[u8]| {
        let report = judge(bytes);
        let streams = report.pmt.map(|pmt| (pmt.streams, pmt.pcr_pid));
        (report.transport_stream_id, streams) == (tsid, Some((after.streams(), after.video_pid)))
    };
    for _ in 0..20 {
        go_on(&mut viewer);
        if is_after(viewer.bytes()) {
            break;
        }
    }
    assert!(is_after(viewer.bytes()), "the tables are those of before");
    go_on(&mut viewer);
    // New PIDs begin; those that were there before go on behind an announced break.
    let breaks = usize::from(after.video_pid == one().video_pid);
    is_exact_but_for_breaks(&viewer, &live, &after.pids(), breaks);
    assert!(judge(viewer.bytes()).pids.values().all(|p| p.cc_errors == 0));
    wait_channel(&stb, 1, "\"available\":\"now\"");
    let now = stb.channels().into_iter().find(|l| l.contains("\"available\":\"now\"") && l.contains("One"));
    let number = number(&now.expect("it is listed"), "number");
    let mut late = Viewer::open(&stb.channel(u16::try_from(number).expect("a number is short")));
    assert_eq!(support::rap::starts_clean(late.watch(188 * 60)), Ok(()));
}

#[test]
fn a_source_comes_back_with_another_version_of_its_tables() {
    std::thread::scope(|scope| {
        for others in [vec![], vec![two()]] {
            scope.spawn(move || comes_back_as(&one(), 1, &others));
        }
    });
}

#[test]
fn a_source_comes_back_with_other_pids() {
    let after = Service { video: Some(Codec::Hevc), video_pid: 0x1f1, audio_pid: 0x1f2, ..one() };
    std::thread::scope(|scope| {
        for others in [vec![], vec![two()]] {
            let after = &after;
            scope.spawn(move || comes_back_as(after, 1, &others));
        }
    });
}

#[test]
fn a_source_comes_back_as_another_transport_stream() {
    let after = Service { pmt_pid: 0x1f0, ..one() };
    std::thread::scope(|scope| {
        for others in [vec![], vec![two()]] {
            let after = &after;
            scope.spawn(move || comes_back_as(after, 9, &others));
        }
    });
}

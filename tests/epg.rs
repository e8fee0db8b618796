//! What the muxes tell of events is what the guide shows: schedules of this mux and of others, bouquets, local time.

mod support;

use std::process::Command;

use miniz_oxide::inflate::decompress_to_vec;
use stbcast::board;
use support::eit::{Event, MIDNIGHT, Place, bat, descriptor, eit, tot};
use support::http::{Reply, Viewer, get, request};
use support::live::{Live, Segment};
use support::mux::{Codec, MuxBuilder, Service};
use support::sender;
use support::stb::{Dir, Stb, number, text, wait_for};

const HOUR: u64 = 3600;

fn service(sid: u16) -> Service {
    Service { has_schedule: true, ..Service::tv(sid, &format!("S{sid}"), Codec::H264, 200_000) }
}

fn hour(id: u16, hour: u64, title: &str) -> Event {
    Event { id, start: hour * HOUR, duration: HOUR, title: title.into(), more: Vec::new() }
}

/// The one section of a table that is the last.
fn whole(table_id: u8, version: u8) -> Place {
    Place { table_id, version, section: 0, last_section: 0, last_table: table_id }
}

/// The mux `tsid` of these services, with these sections of the guide.
fn mux(tsid: u16, services: &[Service], guide: Vec<Vec<u8>>, more: Vec<(u16, Vec<u8>)>) -> MuxBuilder {
    let guide = guide.into_iter().map(|section| (0x12, section));
    MuxBuilder { tsid, sections: guide.chain(more).collect(), ..MuxBuilder::new(services, 2) }
}

fn ask(stb: &Stb, parameters: &str) -> Reply {
    let (url, _) = stb.list();
    get(&format!("{}{parameters}", url.replace("/channels", "/epg")))
}

/// Titles and starts of an answer, in hours behind midnight, in its order.
fn events(answer: &str) -> Vec<(String, u64)> {
    let parts = answer.split("{\"id\":").skip(1).filter(|part| part.contains("\"title\":\""));
    let of = |part: &str| {
        let title = text(part, "title").expect("an event has a title").to_owned();
        (title, (number(part, "start") - MIDNIGHT) / HOUR)
    };
    parts.map(of).collect()
}

fn wait_events(stb: &Stb, parameters: &str, expected: &[(&str, u64)]) -> String {
    let expected: Vec<(String, u64)> = expected.iter().map(|(t, h)| ((*t).to_owned(), *h)).collect();
    wait_for(&format!("{expected:?}"), || {
        let answer = ask(stb, parameters).text();
        (events(&answer) == expected).then_some(answer)
    })
}

#[test]
fn a_schedule_is_shown_whole() {
    let extended = |n: u8, text: &str| {
        let counts = [u8::try_from(text.len()).expect("short")];
        descriptor(0x4e, &[&[n << 4 | 1][..], b"fra", &[0], &counts, text.as_bytes()].concat())
    };
    let more = [
        extended(1, "et \u{e9}t\u{e9}"),
        extended(0, "Un \"phare\" "),
        descriptor(0x54, &[0x14, 0]),
        descriptor(0x55, b"FRA\x07"),
    ];
    let rich = Event { more: more.concat(), ..hour(1, 12, "Le phare") };
    let next = hour(2, 13, "Le journal");
    let past = hour(9, 3, "Nuit");
    let later = Place { section: 8, last_section: 8, ..whole(0x50, 3) };
    let first = Place { section: 0, ..later };
    let guide = vec![
        eit(1, 1, first, &[past, rich, next]),
        eit(1, 1, later, &[hour(3, 40, "Demain")]),
        eit(1, 2, whole(0x50, 1), &[hour(1, 12, "<b>")]),
    ];
    let more = vec![
        (0x14, tot(12 * HOUR + 60, "FRA", 24 * HOUR)),
        (0x11, bat(7, 0, "\u{15}Cin\u{e9}ma;\"1\"", 1, &[(1, 40)])),
        (0x11, bat(8, 0, "Sport", 1, &[(1, 41), (2, 50)])),
    ];
    let stb = Stb::playing(&mux(1, &[service(1), service(2)], guide, more).build(), "");
    stb.wait_channels(2);
    // The numbers of the bouquet with the lowest id, for want of others.
    let all = [("Le phare", 12), ("Le journal", 13), ("Demain", 40), ("<b>", 12)];
    let answer = wait_events(&stb, "", &all);
    assert!(answer.starts_with("{\"clock\":{\"utc\":"), "{answer}");
    let zone = format!(
        "[{{\"country\":\"FRA\",\"region\":0,\"offset\":60,\"change\":{},\"next_offset\":120}}]",
        MIDNIGHT + 24 * HOUR
    );
    assert!(answer.contains(&zone) && answer.ends_with("],\"next\":null}"), "{answer}");
    assert!(answer.contains("\"number\":40,\"name\":\"S1\",\"id\":\"8192-1-1\",\"time\":"), "{answer}");
    let facts = "\"language\":\"fra\",\"content\":[{\"level_1\":1,\"level_2\":4,\"name\":\"movie\"}],\
                 \"ratings\":[{\"country\":\"FRA\",\"value\":7,\"age\":10}],\"running\":null,\"scrambled\":false";
    assert!(answer.contains("\"extended\":\"Un \\\"phare\\\" et ") && answer.contains(facts), "{answer}");
    // A part of it.
    let within = format!("&channel=40&from={}&until={}", MIDNIGHT + 13 * HOUR, MIDNIGHT + 30 * HOUR);
    wait_events(&stb, &within, &[("Le journal", 13)]);
    wait_events(&stb, &format!("&channel=40&from={MIDNIGHT}"), &all[..3]);
    // The list of channels and the playlist know bouquets; now and next come from the schedule.
    let (list, token) = stb.list();
    let listed = get(&list).text();
    assert!(listed.contains("\"bouquets\":[\"Cin\u{e9}ma;\\\"1\\\"\",\"Sport\"]"), "{listed}");
    assert!(listed.contains("\"now\":{\"title\":\"Le phare\""), "{listed}");
    assert!(listed.contains("\"next\":{\"title\":\"Le journal\""), "{listed}");
    let playlist = |groups: &str| get(&format!("http://{}/playlist.m3u?t={token}{groups}", stb.address));
    assert!(playlist("&groups=bouquets").text().contains("group-title=\"Cin\u{e9}ma,'1';Sport\""));
    assert!(playlist("").text().contains("group-title=\"TV\""));
    assert_eq!(playlist("&groups=x").status, 400);
    printed(&stb);
    for_players(&playlist("").text());
}

/// The same as XMLTV, where the playlist says that it is.
fn for_players(playlist: &str) {
    let url = playlist.split("url-tvg=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a guide");
    assert!(playlist.starts_with("#EXTM3U ") && playlist.contains("tvg-id=\"8192.1.1\" tvg-chno=\"40\""));
    let reply = get(url);
    assert_eq!((reply.status, reply.field("content-type")), (200, Some("application/xml; charset=utf-8")));
    let text = reply.text();
    let channels = "<tv generator-info-name=\"stbcast\">\n<channel id=\"8192.1.1\"><display-name>S1</display-name>\
                    <display-name>40</display-name></channel>\n<channel id=\"8192.1.2\"><display-name>S2</display-name>\
                    <display-name>50</display-name></channel>\n<programme start=\"20260101120000 +0000\" \
                    stop=\"20260101130000 +0000\" channel=\"8192.1.1\"><title lang=\"fra\">Le phare</title>\
                    <desc lang=\"fra\">Un \"phare\" et ";
    let facts = "</desc><category lang=\"en\">movie</category><rating system=\"FRA\"><value>10</value></rating></programme>\n";
    assert!(text.contains(channels) && text.contains(facts), "{text}");
    let other = "channel=\"8192.1.2\"><title lang=\"fra\">&lt;b&gt;</title></programme>\n</tv>\n";
    assert!(text.ends_with(other) && text.matches("<programme").count() == 4, "{text}");
    // A part of it.
    let part = |parameters: &str| get(&format!("{url}{parameters}"));
    let one = part("&channel=40&days=1").text();
    assert_eq!((one.matches("<channel").count(), one.matches("<programme").count()), (1, 2), "{one}");
    assert!(!one.contains("Demain") && part("&days=2").text() == text);
    let wrong = ["&days=0", "&days=65", "&days=x", "&days=", "&channel=x"].map(|wrong| part(wrong).status);
    assert_eq!((wrong, part("&channel=7").status), ([400; 5], 404));
    // The same in fewer bytes, for who understands them; nothing for who asks for the head.
    let with = |method: &str, fields: &str| request(method, url, fields);
    let short = with("GET", "Accept-Encoding: gzip\r\n");
    assert_eq!((short.status, short.field("content-encoding")), (200, Some("gzip")));
    let inside = decompress_to_vec(&short.body[10..short.body.len() - 8]).expect("deflate");
    assert!(inside == text.as_bytes() && short.body.len() < text.len() / 2, "{}", short.body.len());
    assert!(with("HEAD", "Accept-Encoding: gzip\r\n").body.is_empty());
}

/// The terminals show it, too.
fn printed(stb: &Stb) {
    let link = stb.link("playlist", &["--connections", "0"]);
    let run = |words: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_stbcast")).args(words).args(["--link", &link]).output();
        String::from_utf8(done.expect("stbcast starts").stdout).expect("it prints text")
    };
    let one = run(&["guide", "40"]);
    let expected = "Times are those of FRA.\n\n40  S1\n  2026-01-01 13:00-14:00  Le phare (movie, 10+)\n      \
                    Un \"phare\" et ";
    assert!(one.starts_with(expected) && one.contains("  2026-01-02 18:00-19:00  Demain\n"), "{one}");
    assert!(!one.contains("<b>") && run(&["guide"]).contains("\n50  S2\n  2026-01-01 13:00-14:00  <b>\n"));
    let status = String::from_utf8(stb.ask(&["status"]).stdout).expect("it prints text");
    let events = format!("guide: 4 of {} events, ", board::GUIDE_EVENTS);
    assert!(status.contains(&events) && !status.contains("refused"), "{status}");
}

#[test]
fn a_new_version_is_followed_live() {
    let segment = |version, events: &[Event]| {
        Segment::new(&mux(1, &[service(1)], vec![eit(1, 1, whole(0x50, version), events)], vec![]), 0)
    };
    let to = sender::unicast();
    let live = Live::start(to, &segment(1, &[hour(1, 1, "One"), hour(2, 2, "Two")]));
    let stb = Stb::start(&[&format!("udp://{to}")]);
    stb.wait_channels(1);
    let mut viewer = Viewer::open(&stb.channel(1));
    viewer.watch_on(10_000);
    wait_events(&stb, "", &[("One", 1), ("Two", 2)]);
    live.play(&segment(2, &[hour(2, 3, "Two, late"), hour(3, 4, "Three")]));
    wait_events(&stb, "", &[("Two, late", 3), ("Three", 4)]);
    // What repeats is not read again.
    let read = |stb: &Stb| number(stb.status().last().expect("the box's line"), "guide_read");
    let before = read(&stb);
    viewer.watch_on(200_000);
    assert_eq!(read(&stb), before);
}

#[test]
fn a_mux_tells_of_the_services_of_another() {
    let dir = Dir::new();
    let file = |name: &str, mux: MuxBuilder| format!("file:{}?loop", dir.file(name, &mux.build()));
    let guide = vec![
        eit(1, 1, whole(0x50, 1), &[hour(1, 1, "Own")]),
        eit(2, 2, whole(0x60, 1), &[hour(1, 2, "Other")]),
        eit(2, 3, whole(0x60, 1), &[hour(1, 3, "Nobody's")]),
        eit(2, 2, Place { last_section: 1, ..whole(0x4f, 1) }, &[hour(7, 1, "Present")]),
    ];
    let one = file("one.ts", mux(1, &[service(1)], guide, vec![]));
    let silent = Service { has_schedule: false, ..service(2) };
    let two = file("two.ts", mux(2, &[silent], vec![], vec![]));
    let stb = Stb::start_in(dir, &[&one, &two], &[]);
    let channels = stb.wait_channels(2);
    // Both channels are known, and the mux that tells of them is heard.
    let own = channels.iter().find(|line| text(line, "name") == Some("S1")).expect("it is there");
    let number = u16::try_from(number(own, "number")).expect("a number is 16 bits");
    let mut viewer = Viewer::open(&stb.channel(number));
    viewer.watch_on(10_000);
    let answer = wait_for("three events", || {
        let answer = ask(&stb, "").text();
        (events(&answer).len() == 3).then_some(answer)
    });
    let mut titles = events(&answer);
    titles.sort();
    assert_eq!(titles, [("Other", 2), ("Own", 1), ("Present", 1)].map(|(t, h)| (t.to_owned(), h)));
}

#[test]
fn a_full_guide_keeps_what_is_nearest_and_comes_in_pages() {
    const SERVICES: u16 = 4;
    const IN_SECTION: usize = 100;
    let count = board::GUIDE_EVENTS + 2000;
    let sections = count.div_ceil(usize::from(SERVICES) * IN_SECTION);
    let minute = |i: usize| Event {
        id: u16::try_from(i).expect("fewer than 65536 events a service"),
        start: i as u64 * 60,
        duration: 60,
        title: "x".into(),
        more: vec![],
    };
    let mut guide = Vec::new();
    for (sid, n) in (1..=SERVICES).flat_map(|sid| (0..sections).map(move |n| (sid, n))) {
        let events: Vec<Event> = (0..IN_SECTION).map(|i| minute(n * IN_SECTION + i)).collect();
        let table_id = 0x50 + u8::try_from(n / 32).expect("few tables");
        let last_section = 8 * u8::try_from((sections - 1 - n / 32 * 32).min(31)).expect("of 32 segments");
        let section = 8 * u8::try_from(n % 32).expect("of 32 segments");
        let last_table = 0x50 + u8::try_from((sections - 1) / 32).expect("few tables");
        guide.push(eit(1, sid, Place { table_id, version: 1, section, last_section, last_table }, &events));
    }
    let services: Vec<Service> = (1..=SERVICES).map(service).collect();
    // It tells no time: the nearest are the first.
    let stb = Stb::playing(&MuxBuilder { seconds: 1, ..mux(1, &services, guide, vec![]) }.build(), "?loop");
    stb.wait_channels(SERVICES.into());
    let counts = |name| number(stb.status().last().expect("the box's line"), name);
    let most = board::GUIDE_EVENTS as u64;
    wait_for("a full guide", || {
        (counts("guide_events") > most * 9 / 10 && counts("guide_dropped") > 0).then_some(())
    });
    wait_for("the end of the survey", || stb.mux(0).contains("\"state\":\"idle\"").then_some(()));
    let held = counts("guide_events");
    assert!(held <= most && held + counts("guide_dropped") >= count as u64);
    // What is held is what is nearest, without a hole; page by page it is all there.
    let (mut after, mut listed, mut pages) = (String::new(), [0u64; SERVICES as usize], 0);
    loop {
        let answer = ask(&stb, &format!("&from={MIDNIGHT}{after}"));
        assert!(answer.body.len() < 300_000, "{} bytes", answer.body.len());
        let answer = answer.text();
        for channel in answer.split("{\"number\":").skip(1) {
            let place: usize = channel.split(',').next().and_then(|n| n.parse().ok()).expect("a number");
            for event in channel.split("\"start\":").skip(1) {
                let start: u64 = event.split(',').next().and_then(|n| n.parse().ok()).expect("a start");
                assert_eq!((start - MIDNIGHT) / 60, listed[place - 1], "channel {place}");
                listed[place - 1] += 1;
            }
        }
        pages += 1;
        let Some(next) = text(&answer, "next") else { break };
        after = format!("&after={next}");
    }
    assert_eq!(listed.iter().sum::<u64>(), held);
    assert!(
        pages > 2 && listed.iter().all(|n| n.abs_diff(held / 4) <= held / 32),
        "{pages} pages, {listed:?}"
    );
}

#[test]
fn what_cannot_be_asked_is_refused_clearly() {
    let stb = Stb::playing(&mux(1, &[service(1)], vec![], vec![]).build(), "");
    stb.wait_channels(1);
    for (parameters, status, part) in [
        ("&channel=x", 400, "channel is a number"),
        ("&channel=0", 400, "channel is a number"),
        ("&channel=%2B1", 400, "channel is a number"),
        ("&channel=9", 404, "no channel 9"),
        ("&from=-1", 400, "from is a time"),
        ("&until=99999999999999999999", 400, "until is a time"),
        ("&from=1&from=2", 400, "from is a time"),
        ("&from=5&until=4", 400, "until is before from"),
        ("&after=1-2", 400, "after is"),
    ] {
        let reply = ask(&stb, parameters);
        assert_eq!(reply.status, status, "{parameters}");
        assert!(reply.text().contains(part), "{parameters}: {}", reply.text());
    }
    assert!(ask(&stb, "&channel=1").text().contains("\"number\":1,"), "a channel without events is there");
    assert_eq!(get(&format!("http://{}/api/v1/epg", stb.address)).status, 401);
    let one = stb.link(1, &[]);
    let token = support::http::token(&one);
    assert_eq!(get(&format!("http://{}/api/v1/epg?t={token}", stb.address)).status, 403);
}

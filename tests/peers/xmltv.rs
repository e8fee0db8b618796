//! What XMLTV's own validator says of the guide, as curl gets it.

use std::process::Command;
use std::time::Duration;

use super::run::{run, run_command};
use super::stage::demo_box;
use super::support::eit::{Event, Place, descriptor, eit, tot};
use super::support::mux::{Codec, MuxBuilder, Service};
use super::support::stb::{Dir, Stb, wait_for};

const HOUR: u64 = 3600;
/// Where Debian's package has the DTD.
const SUPPLEMENT: &str = "/usr/share/xmltv";

/// The guide of `stb`, by curl, coded or not: the validator finds nothing in it.
fn validated(stb: &Stb, events: usize) -> String {
    let playlist = stb.link("playlist", &["--connections", "0"]);
    let url = playlist.replace("/playlist.m3u", "/xmltv.xml");
    let dir = Dir::new();
    let path = dir.path().join("guide.xml").to_str().unwrap().to_owned();
    let text = wait_for("the guide", || {
        let curl =
            ["curl", "--silent", "--fail", "--compressed", "--max-time", "20", "--output", &path, &url];
        assert_eq!(run(&curl, Duration::from_secs(30)).code, Some(0));
        let text = std::fs::read_to_string(&path).unwrap();
        (text.matches("<programme ").count() >= events).then_some(text)
    });
    let mut judge = Command::new("tv_validate_file");
    let said = run_command(judge.arg(&path).env("XMLTV_SUPPLEMENT", SUPPLEMENT), Duration::from_secs(60));
    assert_eq!(said.code, Some(0), "{}{}\n{text}", said.out, said.err);
    let plain = run(&["curl", "--silent", &url], Duration::from_secs(30)).out;
    assert!(plain == text || plain.len().abs_diff(text.len()) < 2000, "the same without a coding");
    text
}

#[test]
#[ignore = "needs xmltv-util: run by scripts/check"]
fn xmltv_s_validator_finds_nothing_in_the_demo_s_guide() {
    let text = validated(&demo_box(), 4);
    assert!(text.contains("<display-name>Télé Été Ö</display-name>"), "{text}");
}

#[test]
#[ignore = "needs xmltv-util: run by scripts/check"]
fn nor_in_one_with_whatever_a_broadcaster_writes() {
    let place = |table_id| Place { table_id, version: 1, section: 0, last_section: 0, last_table: table_id };
    let event = |id, hour, title: &str, more: Vec<u8>| Event {
        id,
        start: hour * HOUR,
        duration: HOUR,
        title: title.into(),
        more,
    };
    let text = b"]]> & <!-- \"'";
    let extended = [&[0x00][..], b"fra", &[0, u8::try_from(text.len()).unwrap()], text].concat();
    let extended = descriptor(0x4e, &extended);
    let ratings = descriptor(0x55, b"FRA\x07DEU\x0f");
    let contents = descriptor(0x54, &[0x14, 0, 0x20, 0, 0xf0, 0]);
    let odd = "\u{15}&amp; <b>\u{ffff}\u{ffe}\u{1f600} ]]> \"'";
    let events = [
        event(1, 12, odd, [&extended[..], &ratings, &contents].concat()),
        event(2, 13, "", Vec::new()),
        event(3, 14, "\u{15}\u{ffff}\u{fffe}", Vec::new()),
        event(4, 15, "Later", extended),
    ];
    let of = |sid| Service { has_schedule: true, ..Service::tv(sid, "\u{ffff}<&>\"", Codec::H264, 200_000) };
    let guide = vec![
        (0x12, eit(1, 1, place(0x50), &events)),
        (0x12, eit(1, 2, place(0x50), &events[1..2])),
        (0x14, tot(12 * HOUR + 60, "FRA", 24 * HOUR)),
    ];
    let mux = MuxBuilder { tsid: 1, sections: guide, ..MuxBuilder::new(&[of(1), of(2)], 2) };
    let stb = Stb::playing(&mux.build(), "");
    stb.wait_channels(2);
    let text = validated(&stb, 2);
    assert_eq!(text.matches("<channel ").count(), 1, "one has no event with a title");
}

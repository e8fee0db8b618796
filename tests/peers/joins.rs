//! Twenty joins per service, each decoded: the first thing a viewer gets is a picture, or sound.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::run::run;
use super::stage::{demo_box, made_box};
use super::support::http::Viewer;
use super::support::rap::{is_video, starts_clean};
use super::support::stb::Stb;
use super::support::ts::{Packet, judge, packets, pid, starts_unit};

const JOINS: u32 = 20;
/// From one join to the next; no divisor of a GOP's length.
const APART: Duration = Duration::from_millis(270);
/// How long each viewer stays.
const STAY: Duration = Duration::from_millis(1500);

/// What a decoder may say when it is started at a picture that others before it in the stream refer past: ffmpeg's
/// H.264 decoder names each reference it is told to forget and never had.
const OPEN_GOP: &[&str] = &["mmco: unref short failure"];

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn a_closed_gop_decodes_from_the_first_byte() {
    joins(&demo_box(), 1, &[]);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn an_open_gop_decodes_from_its_key_picture() {
    joins(&demo_box(), 2, OPEN_GOP);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn radio_sounds_from_the_first_byte() {
    joins(&demo_box(), 3, &[]);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn mpeg_2_decodes_from_the_first_byte() {
    joins(&demo_box(), 4, &[]);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn a_mux_by_ffmpeg_decodes_from_the_first_byte() {
    let stb = made_box();
    joins(&stb, 1, &[]);
    joins(&stb, 2, &[]);
    joins(&stb, 3, OPEN_GOP);
}

/// Joins `number` again and again; the decoder may say `allowed` and nothing else.
fn joins(stb: &Stb, number: u16, allowed: &[&str]) {
    let url = stb.channel(number);
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for join in 0..JOINS {
            let (url, send) = (&url, send.clone());
            scope.spawn(move || {
                thread::sleep(APART * join);
                // Nobody receives any more once a join has failed.
                let _failed = send.send((join, capture(url)));
            });
        }
        drop(send);
        for (join, bytes) in receive {
            let path = stb.dir.file(&format!("join-{number}-{join}.ts"), &bytes);
            let verdict = decodes(&path, &bytes, allowed);
            assert_eq!(verdict, Ok(()), "channel {number}, join {join} of {JOINS}");
            fs::remove_file(path).unwrap();
        }
    });
}

/// What a viewer gets in its stay, in whole units. The first of a channel waits for the end of a GOP.
fn capture(url: &str) -> Vec<u8> {
    let mut viewer = Viewer::open(url);
    viewer.watch(188);
    let deadline = Instant::now() + STAY;
    while viewer.client.receive(deadline) {}
    assert_eq!(starts_clean(viewer.bytes()), Ok(()));
    whole_units(viewer.bytes())
}

/// `bytes` without the unit of each stream that is under way at its end.
pub(crate) fn whole_units(bytes: &[u8]) -> Vec<u8> {
    let streams: Vec<u16> = judge(bytes).pmt.unwrap().streams.iter().map(|s| s.1).collect();
    let all = packets(bytes).0;
    let last = |wanted: u16| all.iter().rposition(|p| pid(p) == wanted && starts_unit(p)).unwrap_or(0);
    let ends: Vec<(u16, usize)> = streams.iter().map(|&s| (s, last(s))).collect();
    let is_whole = |i: usize, p: &Packet| !ends.iter().any(|&(s, end)| s == pid(p) && i >= end);
    all.iter().enumerate().filter(|(i, p)| is_whole(*i, p)).flat_map(|(_, p)| *p).collect()
}

/// The first unit of the main stream gives the first frame, which is a key frame, and the decoder is content.
fn decodes(path: &str, bytes: &[u8], allowed: &[&str]) -> Result<(), String> {
    let entries = "frame=media_type,key_frame,pkt_pos";
    let words = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "csv=p=0", path];
    let ran = run(&words, Duration::from_secs(60));
    if let Some(line) = ran.err.lines().find(|line| !allowed.iter().any(|known| line.contains(known))) {
        return Err(format!("the decoder says: {line}"));
    }
    let streams = judge(bytes).pmt.unwrap().streams;
    let video = streams.iter().find(|s| is_video(s.0));
    let (kind, main) = video.map_or(("audio", streams[0].1), |v| ("video", v.1));
    let frames: Vec<&str> = ran.out.lines().filter(|line| line.starts_with(kind)).collect();
    let at = packets(bytes).0.iter().position(|p| pid(p) == main).unwrap() * 188;
    let first = frames.first().map(|f| f.trim_end_matches(','));
    if !first.is_some_and(|f| f.starts_with(&format!("{kind},1,{at}"))) {
        return Err(format!("the first {kind} frame is {first:?}, not that of byte {at}"));
    }
    if frames.len() < 10 {
        return Err(format!("only {} frames of {kind}", frames.len()));
    }
    Ok(())
}

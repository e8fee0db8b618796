//! Who pauses for longer than the ring holds sees a jump, and no damage on either side of it.

use std::thread;
use std::time::Duration;

use super::joins::whole_units;
use super::run::run;
use super::stage::DEMO;
use super::support::http::Viewer;
use super::support::rap::starts_clean;
use super::support::stb::{Stb, demo, number, wait_for};
use super::support::ts::{Packet, judge, packets, payload};

/// The demo so much faster than life that a service laps the ring of 16 MB within seconds.
const SPEED: u32 = 60;
/// What the kernel holds for who pauses, in bytes.
const BUFFER: usize = 64 * 1024;
/// What is watched before and after the pause, in bytes: some hundred frames.
const WATCHED: usize = 700_000;
/// Frames that a decoder may give up at the gap: those before it that wait to be shown, those behind it that refer past
/// it.
const AT_GAP: usize = 12;

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn ffmpeg_sees_no_damage_around_a_pause() {
    let stb = Stb::start(&[&format!("file:{}?loop&speed={SPEED}", demo().display())]);
    stb.wait_channels(DEMO.len());
    let mut viewer = Viewer::open_with_buffer(&stb.channel(2), BUFFER);
    viewer.watch(WATCHED);
    thread::sleep(Duration::from_secs(4));
    let jumps = || Some(()).filter(|()| number(stb.status().last().unwrap(), "jumps") == 1);
    wait_for("the ring to lap who pauses", jumps);
    viewer.watch_on(WATCHED);
    let all = packets(viewer.bytes()).0;
    let is_mark = |p: &Packet| payload(p).is_empty() && p[4] > 0 && p[5] & 0x80 != 0;
    let [first, last] = [all.iter().position(is_mark), all.iter().rposition(is_mark)].map(Option::unwrap);
    assert!(last - first < 32, "one gap, from packet {first} to {last}");
    assert!(judge(viewer.bytes()).pids.values().all(|p| p.cc_errors == 0));
    let [before, after] = [&all[..first], &all[last + 1..]].map(|part| whole_units(part.as_flattened()));
    assert_eq!(starts_clean(&after), Ok(()));
    // Units that the gap tore and those that the test does end are left out; the gap itself is in the whole.
    let whole = [&before[..], all[first..=last].as_flattened(), &after].concat();
    let frames = [("before", &before), ("after", &after), ("whole", &whole)].map(|(name, bytes)| {
        let path = stb.dir.file(&format!("{name}.ts"), bytes);
        frames(name, &path)
    });
    println!("frames before, after, and in the whole: {frames:?}");
    let [before, after, whole] = frames;
    assert!(before > 100 && after > 100 && whole + AT_GAP >= before + after, "{frames:?}");
}

/// The number of frames that ffmpeg decodes. It must have nothing to say of them; open GOPs begin with pictures that
/// refer to what was before them, of which H.264 says so.
fn frames(name: &str, path: &str) -> usize {
    let words = ["ffmpeg", "-nostdin", "-loglevel", "repeat+error", "-i", path, "-map", "0:v:0"];
    let sink = ["-fps_mode", "passthrough", "-f", "framemd5", "-"];
    let ran = run(&[&words[..], &sink].concat(), Duration::from_secs(120));
    let said: Vec<_> = ran.err.lines().filter(|line| !line.contains("mmco: unref short failure")).collect();
    assert_eq!((ran.code, said), (Some(0), vec![]), "{name}");
    ran.out.lines().filter(|line| !line.starts_with('#')).count()
}

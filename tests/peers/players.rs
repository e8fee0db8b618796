//! mpv and VLC watch television.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::run::{run, run_command};
use super::stage::{DEMO, demo_box};
use super::support::stb::Dir;

/// Four seconds for each of four channels, and a slow machine.
const MOST: Duration = Duration::from_secs(90);
/// What a decoder says where an open GOP begins: it is told to forget references that it never had.
const OPEN_GOP: &str = "mmco: unref short failure";

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn mpv_plays_two_channels() {
    let stb = demo_box();
    assert_eq!(mpv(&[&stb.channel(1), &stb.channel(2)]), ["1280x720", "1920x1080"]);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn mpv_plays_the_list() {
    let stb = demo_box();
    let list = stb.link("playlist", &["--connections", "0"]);
    assert_eq!(mpv(&[&list]), ["1280x720", "1920x1080", "sound", "400x224"]);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn vlc_plays_two_channels() {
    let stb = demo_box();
    for (number, width) in [(1, 1280), (2, 1920)] {
        let pictures = vlc_pictures(&stb.channel(number));
        assert!(pictures.len() >= 3, "channel {number}: {} different pictures", pictures.len());
        for png in &pictures {
            // The height is the decoder's, padded to its macroblocks.
            assert_eq!(u32::from_be_bytes(png[16..20].try_into().unwrap()), width, "channel {number}");
        }
    }
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn vlc_plays_the_list() {
    let stb = demo_box();
    let log = vlc(&["-vv", &stb.link("playlist", &["--connections", "0"])], Dir::new().path());
    let first = log.lines().filter(|line| line.contains("Received first picture")).count();
    let television = DEMO.iter().filter(|s| s.codecs.len() > 1).count();
    assert_eq!(first, television, "channels with a picture");
}

/// Plays four seconds of each entry and gives what came out, by mpv's word on its outputs, which it opens with the
/// first decoded frame; without gapless audio it opens one anew for each entry. Panics at anything it complains of.
pub(crate) fn mpv(urls: &[&str]) -> Vec<String> {
    let outputs = ["mpv", "--no-config", "--vo=null", "--ao=null", "--gapless-audio=no"];
    let fixed = [&outputs[..], &["--length=4", "--msg-level=all=warn,cplayer=info"]].concat();
    let ran = run(&[&fixed[..], urls].concat(), MOST);
    let complaints: Vec<_> = ran.out.split("\nPlaying: ").flat_map(complaints).collect();
    assert_eq!((ran.code, ran.err.as_str(), complaints), (Some(0), "", vec![]), "mpv {urls:?}\n{}", ran.out);
    let out = format!("\n{}", ran.out);
    let entries = out.split("\nPlaying: ").skip(1).filter(|entry| entry.contains("AO: "));
    let picture = |entry: &str| entry.split("VO: [null] ").nth(1)?.split(' ').next().map(str::to_owned);
    entries.map(|entry| picture(entry).unwrap_or_else(|| "sound".to_owned())).collect()
}

/// What mpv complains of while it plays one entry. It hangs up in the middle of a PES packet, and its demuxer may say
/// so with its last words: once, and not of any packet before.
fn complaints(entry: &str) -> Vec<&str> {
    let mut lines: Vec<_> = entry.lines().filter(|l| l.starts_with('[') && !l.contains(OPEN_GOP)).collect();
    if lines.last().is_some_and(|last| last.contains("hls: Packet corrupt (stream = ")) {
        lines.pop(); // the outer demuxer passes on what the inner one says
    }
    if let [.., cut, corrupt] = lines[..]
        && cut.ends_with("mpegts: PES packet size mismatch")
        && corrupt.contains("mpegts: Packet corrupt (stream = ")
    {
        lines.truncate(lines.len() - 2);
    }
    lines
}

/// The different pictures among those that VLC shows in four seconds, one in 25, as PNG.
fn vlc_pictures(url: &str) -> BTreeSet<Vec<u8>> {
    vlc_pictures_by(&["cvlc", "--run-time=4"], url)
}

/// The same in twenty seconds of the wall: the times of HLS are of the day, so that VLC's run time means nothing.
pub(crate) fn vlc_pictures_of_hls(url: &str) -> BTreeSet<Vec<u8>> {
    vlc_pictures_by(&["timeout", "20", "cvlc"], url)
}

/// What VLC says of so many seconds of HLS.
pub(crate) fn vlc_log_of_hls(url: &str, seconds: u64) -> String {
    let length = seconds.to_string();
    let program = ["timeout", &length, "cvlc"];
    vlc_by(&program, &["-vv", url], Dir::new().path(), Duration::from_secs(seconds) + MOST)
}

fn vlc_pictures_by(program: &[&str], url: &str) -> BTreeSet<Vec<u8>> {
    let dir = Dir::new();
    let into = format!("--scene-path={}", dir.path().display());
    let scene = ["--video-filter=scene", "--scene-format=png", "--scene-ratio=25", &into, url];
    vlc_by(program, &scene, dir.path(), MOST);
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|e| e == "png"))
        .map(|png| fs::read(png).unwrap())
        .collect()
}

/// Plays four seconds of each entry and gives the log. VLC ends well whatever happens, so the log is looked at.
fn vlc(words: &[&str], home: &Path) -> String {
    vlc_by(&["cvlc", "--run-time=4"], words, home, MOST)
}

fn vlc_by(program: &[&str], words: &[&str], home: &Path, most: Duration) -> String {
    fs::set_permissions(home, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new("env");
    if nix::unistd::geteuid().is_root() {
        // VLC refuses to be root.
        command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "env"]);
    }
    command.arg(format!("HOME={}", home.display()));
    command.args(program).args(["--no-dbus", "--no-color", "--vout=dummy", "--aout=dummy"]);
    let ran = run_command(command.arg("--play-and-exit").args(words).arg("vlc://quit"), most);
    let faults: Vec<_> = ran.err.lines().filter(|line| is_fault(line)).take(5).collect();
    assert_eq!(faults, [""; 0], "VLC {words:?}");
    ran.err
}

/// An error that is not about windows, keys and filters between formats, which a machine without a screen lacks.
fn is_fault(line: &str) -> bool {
    let screen = ["interface", "libvlc", "chain filter", "main filter", "video output"];
    line.contains(" error: ") && !screen.iter().any(|part| line.contains(part))
}

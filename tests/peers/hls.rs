//! Players watch by HLS: ffmpeg, mpv, VLC, and in Chromium hls.js, Shaka Player and the browser by itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::players;
use super::run::{Ran, run, run_command};
use super::stage::{demo_box, long_box};
use super::support::hls::{follows, index, media};
use super::support::http::{get, token};
use super::support::stb::{Stb, number, wait_at_most};

/// How long players of a browser play in a step of every day.
const SECONDS: u64 = 8;

fn index_url(stb: &Stb, channel: u16) -> String {
    format!("http://{}/live/{channel}/index.m3u8?t={}", stb.address, token(&stb.channel(channel)))
}

/// What is said of streams that begin after the first piece: the guide's, which has no picture and no sound.
fn is_of_data(line: &&str) -> bool {
    line.contains("New data stream")
}

fn ffmpeg(url: &str, seconds: u64) {
    let length = seconds.to_string();
    let words = [
        "ffmpeg",
        "-nostdin",
        "-xerror",
        "-loglevel",
        "warning",
        "-t",
        &length,
        "-i",
        url,
        "-f",
        "null",
        "-",
    ];
    let ran = run(&words, Duration::from_secs(seconds + 60));
    let said: Vec<_> = ran.err.lines().filter(|line| !is_of_data(line)).collect();
    assert_eq!((ran.code, said), (Some(0), vec![]), "{url}");
}

/// Plays so long without a word, and without waiting for bytes once it had begun.
fn mpv(url: &str, seconds: u64) {
    let length = format!("--length={seconds}");
    let status = "--term-status-msg=waits: ${paused-for-cache}";
    let level = "--msg-level=all=warn,statusline=status";
    let words = ["mpv", "--no-config", "--vo=null", "--ao=null", &length, status, level, url];
    let ran = run(&words, Duration::from_secs(seconds + 60));
    let said: Vec<_> =
        ran.out.split(['\r', '\n']).filter_map(|line| line.trim().strip_prefix("waits: ")).collect();
    let begun = said.iter().skip_while(|waits| **waits != "no");
    let waited = begun.filter(|waits| **waits == "yes").count();
    assert_eq!((ran.code, waited), (Some(0), 0), "mpv {url}\n{}", ran.err);
}

/// What a player in Chromium said of itself.
fn chromium(player: &str, url: &str, seconds: u64) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/js/hls.mjs");
    let mut command = Command::new("node");
    command.arg(script).args([player, url, &seconds.to_string()]);
    let ran = run_command(&mut command, Duration::from_secs(seconds + 90));
    println!("{}", ran.out.trim());
    ran
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn ffmpeg_decodes_pieces_without_a_warning() {
    let stb = demo_box();
    for channel in [1, 3] {
        ffmpeg(&index_url(&stb, channel), 16);
    }
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn mpv_plays_hls() {
    let stb = demo_box();
    assert_eq!(players::mpv(&[&index_url(&stb, 1), &index_url(&stb, 3)]), ["1280x720", "sound"]);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn vlc_plays_hls() {
    let stb = demo_box();
    let pictures = players::vlc_pictures_of_hls(&index_url(&stb, 1));
    assert!(pictures.len() >= 5, "{} different pictures", pictures.len());
}

#[test]
#[ignore = "needs chromium and node: run by scripts/check"]
fn players_in_a_browser_play_hls_without_waiting() {
    let stb = demo_box();
    for (player, channel) in [("hlsjs", 1), ("hlsjs", 3), ("shaka", 1), ("native", 1), ("native", 3)] {
        let ran = chromium(player, &index_url(&stb, channel), SECONDS);
        assert_eq!(ran.code, Some(0), "{player}, channel {channel}: {}{}", ran.out, ran.err);
    }
}

#[test]
#[ignore = "needs a minute: run by scripts/check"]
fn a_session_that_is_silent_frees_its_ring() {
    let stb = demo_box();
    let reply = get(&index_url(&stb, 1));
    let (_, uri) = index(&reply.text()).unwrap();
    let watched = || number(&stb.status().concat(), "rings_watched");
    assert_eq!(watched(), 1);
    wait_at_most(Duration::from_secs(20), "the ring to be free", || (watched() == 0).then_some(()));
    assert_eq!(get(&format!("http://{}{uri}", stb.address)).status, 404);
}

#[test]
#[ignore = "needs all players and half an hour: run by scripts/check --all"]
fn long_every_player_plays_hls_for_half_an_hour() {
    const LONG: u64 = 1800;
    // Without a seam: at the end of a file that begins anew players wait by themselves.
    let stb = long_box(LONG + 90);
    let url = index_url(&stb, 1);
    std::thread::scope(|scope| {
        let named = |name: &str| format!("{url}&v={name}");
        let [by_ffmpeg, by_mpv, by_vlc] = ["ffmpeg", "mpv", "vlc"].map(named);
        scope.spawn(move || ffmpeg(&by_ffmpeg, LONG));
        scope.spawn(move || mpv(&by_mpv, LONG));
        scope.spawn(move || {
            let log = players::vlc_log_of_hls(&by_vlc, LONG);
            let waits = log.matches("Stream buffering done").count();
            assert_eq!(waits, 1, "VLC buffers once, at its start");
        });
        for player in ["hlsjs", "shaka", "native"] {
            let url = named(player);
            scope.spawn(move || {
                let ran = chromium(player, &url, LONG);
                assert_eq!(ran.code, Some(0), "{player}: {}{}", ran.out, ran.err);
            });
        }
        let (address, url) = (stb.address, named("judge"));
        scope.spawn(move || {
            let (_, uri) = index(&get(&url).text()).unwrap();
            let load = || media(&get(&format!("http://{address}{uri}")).text()).unwrap();
            let (mut before, mut names) = (load(), BTreeSet::new());
            for _ in 0..LONG {
                let list = load();
                follows(&before, &list).unwrap();
                names.extend(list.segments.iter().map(|s| s.uri.clone()));
                before = list;
                std::thread::sleep(Duration::from_secs(1));
            }
            assert!(names.len() as u64 > LONG / 4, "{} pieces", names.len());
        });
    });
}

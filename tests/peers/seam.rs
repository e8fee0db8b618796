//! The loop of a file has no seam that a strict decoder can find.

use std::time::Duration;

use super::run::run;
use super::stage::demo_box;

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn ffmpeg_decodes_across_the_seam_without_a_warning() {
    // The file lasts 24 s, so that a seam is among any 30 s of it.
    decode("30");
}

#[test]
#[ignore = "needs ffmpeg and a minute: run by scripts/check --all"]
fn long_ffmpeg_decodes_across_seams_for_a_minute() {
    decode("60");
}

fn decode(seconds: &str) {
    let stb = demo_box();
    let url = stb.channel(1);
    let words = [
        "ffmpeg",
        "-nostdin",
        "-xerror",
        "-loglevel",
        "warning",
        "-t",
        seconds,
        "-i",
        &url,
        "-f",
        "null",
        "-",
    ];
    let ran = run(&words, Duration::from_secs(seconds.parse::<u64>().unwrap() + 30));
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
}

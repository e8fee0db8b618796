//! What is played: the committed mux, and one that ffmpeg makes with codecs the committed one lacks.

use std::time::Duration;

use super::run::run;
use super::support::stb::{Dir, Stb, demo};

/// A service as the world shall see it.
pub(crate) struct Shown {
    pub(crate) number: u16,
    pub(crate) program: u16,
    pub(crate) name: &'static str,
    pub(crate) codecs: &'static [&'static str],
}

/// The services of the committed mux.
pub(crate) const DEMO: [Shown; 4] = [
    Shown { number: 1, program: 1001, name: "综合频道 One HD", codecs: &["h264", "aac"] },
    Shown { number: 2, program: 1002, name: "Télé Été Ö", codecs: &["h264", "mp2", "mp2"] },
    Shown { number: 3, program: 1003, name: "Radio Žluťoučký", codecs: &["aac"] },
    Shown { number: 4, program: 1004, name: "<img src=x onerror=alert(1)>", codecs: &["mpeg2video", "mp2"] },
];

/// The services of the mux that ffmpeg makes.
pub(crate) const MADE: [Shown; 3] = [
    Shown { number: 1, program: 1, name: "HEVC", codecs: &["hevc", "aac"] },
    Shown { number: 2, program: 2, name: "MPEG-2", codecs: &["mpeg2video", "mp2"] },
    Shown { number: 3, program: 3, name: "Open GOP", codecs: &["h264", "mp2"] },
];

/// A box that plays the committed mux for ever.
pub(crate) fn demo_box() -> Stb {
    let stb = Stb::start(&[&format!("file:{}?loop", demo().display())]);
    stb.wait_channels(DEMO.len());
    stb
}

/// A box that plays what ffmpeg made, for ever.
pub(crate) fn made_box() -> Stb {
    let dir = Dir::new();
    let path = dir.path().join("made.ts");
    make(path.to_str().unwrap());
    let stb = Stb::start_in(dir, &[&format!("file:{}?loop", path.display())], &[]);
    stb.wait_channels(MADE.len());
    stb
}

/// A box that plays one programme (H.264, AAC) for so many seconds, without a place where time begins anew.
pub(crate) fn long_box(seconds: u64) -> Stb {
    let dir = Dir::new();
    let path = dir.path().join("long.ts");
    let video = format!("testsrc2=size=640x360:rate=25:duration={seconds}");
    let audio = format!("sine=frequency=440:sample_rate=48000:duration={seconds}");
    let mut words =
        vec!["ffmpeg", "-y", "-v", "error", "-f", "lavfi", "-i", &video, "-f", "lavfi", "-i", &audio];
    words.extend("-c:v libx264 -preset veryfast -b:v 1M -maxrate 1.2M -bufsize 1M -g 50 -bf 2".split(' '));
    words.extend(["-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "mpegts", path.to_str().unwrap()]);
    let ran = run(&words, Duration::from_secs(120 + seconds));
    assert_eq!(ran.code, Some(0), "ffmpeg makes a programme: {}", ran.err);
    let stb = Stb::start_in(dir, &[&format!("file:{}", path.display())], &[]);
    stb.wait_channels(1);
    stb
}

/// HEVC with the encoder's own open GOPs, MPEG-2 with B pictures, H.264 with open GOPs and four references.
fn make(path: &str) {
    let video = "testsrc2=size=640x360:rate=25:duration=16";
    let audio = "sine=frequency=440:sample_rate=48000:duration=16";
    let x264 = "open-gop=1:ref=4:bframes=3:b-pyramid=normal:keyint=25:min-keyint=25:scenecut=0";
    let sources = ["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", audio];
    let maps = ["-map", "0", "-map", "1"];
    let codecs = [
        "-c:v:0 libx265 -preset:v:0 ultrafast -x265-params keyint=25:min-keyint=25:bframes=3:log-level=none",
        "-c:v:1 mpeg2video -b:v:1 2M -g:v:1 12 -bf:v:1 2",
        "-c:v:2 libx264 -preset:v:2 fast -x264-params",
    ];
    let mut words = vec!["ffmpeg", "-y", "-v", "error"];
    words.extend(sources.iter().chain(&maps).chain(&maps).chain(&maps));
    words.extend(codecs.iter().flat_map(|c| c.split(' ')));
    words.extend([x264, "-c:a:0", "aac", "-c:a:1", "mp2", "-c:a:2", "mp2", "-pix_fmt", "yuv420p"]);
    words.extend(["-program", "title=HEVC:st=0:st=1", "-program", "title=MPEG-2:st=2:st=3"]);
    words.extend(["-program", "title=Open GOP:st=4:st=5", "-f", "mpegts", path]);
    let ran = run(&words, Duration::from_secs(120));
    assert_eq!(ran.code, Some(0), "ffmpeg makes a mux: {}", ran.err);
}

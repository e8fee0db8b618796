//! What is joined at: streams of each kind that is on air, by the encoders there are, and real ones where they lie
//! beside the checkout.

use std::path::Path;
use std::time::Duration;

use super::cuts::joins;
use super::field_pictures::{self, Packing};
use super::run::run;
use super::support::stb::Dir;

/// Joins of each kind in `scripts/check`, and in its long form.
const SOME: usize = 6;
const ALL: usize = 20;
/// Seconds from one random access point to the next in what is made here.
const GOP: f64 = 0.48;
/// Seconds of the source for a join, so that a busy machine may miss every third point; for one of radio, which starts
/// a second back; and for the stay of the last one.
const A_JOIN: f64 = 1.5 * GOP;
const A_JOIN_OF_RADIO: f64 = 2.0;
const MORE: f64 = 5.0;
/// Real streams that may not be part of this project: tests read them where they are.
const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/streams/real");

const PROGRESSIVE: &str = "testsrc2=size=640x360:rate=25";
/// Two fields of a frame, 1/50 s apart.
const INTERLACED: &str = "testsrc2=size=1920x1080:rate=50,tinterlace=interleave_top";
const SOUND: &str = "sine=frequency=440:sample_rate=48000,tremolo=f=5";

/// A kind, and how ffmpeg makes it.
const MADE: [(&str, &str, &str); 9] = [
    (
        "open GOPs of H.264",
        PROGRESSIVE,
        "-c:v libx264 -preset veryfast -x264-params open-gop=1:ref=4:bframes=3:b-pyramid=normal:keyint=12:\
         min-keyint=12:scenecut=0",
    ),
    (
        "MBAFF 1080i25",
        INTERLACED,
        "-c:v libx264 -preset superfast -flags +ilme+ildct -x264-params tff=1:keyint=12:min-keyint=12:scenecut=0:\
         open-gop=1:bframes=2:ref=2",
    ),
    ("MPEG-2", PROGRESSIVE, "-c:v mpeg2video -b:v 2M -g 12 -bf 2"),
    ("MPEG-2 interlaced", INTERLACED, "-c:v mpeg2video -b:v 8M -g 12 -bf 2 -flags +ilme+ildct -top 1"),
    (
        "HEVC with CRA and RASL",
        PROGRESSIVE,
        "-c:v libx265 -preset ultrafast -x265-params open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:\
         log-level=none",
    ),
    (
        "HEVC with IDR",
        PROGRESSIVE,
        "-c:v libx265 -preset ultrafast -x265-params open-gop=0:keyint=12:min-keyint=12:scenecut=0:bframes=3:\
         log-level=none",
    ),
    ("radio in MP2", "", "-c:a mp2"),
    ("radio in AAC, ADTS", "", "-c:a aac"),
    ("radio in AAC, LATM", "", "-c:a aac -mpegts_flags latm"),
];

/// Each kind of [`MADE`] from `range`, `count` joins.
fn made(range: std::ops::Range<usize>, count: usize) {
    std::thread::scope(|scope| {
        for (kind, video, codec) in &MADE[range] {
            scope.spawn(move || {
                let dir = Dir::new();
                let path = dir.path().join(format!("{kind}.ts"));
                let path = path.to_str().unwrap();
                let each = if video.is_empty() { A_JOIN_OF_RADIO } else { A_JOIN };
                make(video, codec, each.mul_add(count as f64, MORE), path);
                assert_eq!(joins(path, 1, count), count + 1, "{kind}");
            });
        }
    });
}

fn make(video: &str, codec: &str, seconds: f64, path: &str) {
    let seconds = seconds.to_string();
    let mut words = vec!["ffmpeg", "-y", "-v", "error"];
    if video.is_empty() {
        words.extend(["-f", "lavfi", "-i", SOUND]);
    } else {
        words.extend(["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", SOUND, "-c:a", "mp2"]);
        words.extend(["-pix_fmt", "yuv420p"]);
    }
    words.extend(codec.split_whitespace());
    words.extend(["-t", &seconds, "-metadata", "service_name=Joins", "-f", "mpegts", path]);
    let ran = run(&words, Duration::from_secs(240));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "ffmpeg makes {codec}");
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn a_join_of_h264_is_as_good_as_a_cut_by_hand() {
    made(0..2, SOME);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn a_join_of_mpeg_2_is_as_good_as_a_cut_by_hand() {
    made(2..4, SOME);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn a_join_of_hevc_is_as_good_as_a_cut_by_hand() {
    made(4..6, SOME);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn a_join_of_radio_is_as_good_as_a_cut_by_hand() {
    made(6..9, SOME);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn a_join_of_field_pictures_is_as_good_as_a_cut_by_hand() {
    fields(SOME);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn a_join_of_a_real_stream_is_as_good_as_a_cut_by_hand() {
    real(SOME);
}

#[test]
#[ignore = "takes minutes: run by scripts/check --all"]
fn long_twenty_joins_of_each_kind_are_as_good_as_cuts_by_hand() {
    [0..2, 2..4, 4..6, 6..9].into_iter().for_each(|range| made(range, ALL));
    fields(ALL);
    real(ALL);
}

fn fields(count: usize) {
    let frames = (A_JOIN.mul_add(count as f64, MORE) * 25.0).round();
    for packing in [Packing::Field, Packing::Frame] {
        let dir = Dir::new();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred frames")]
        let path = dir.file("fields.ts", &field_pictures::mux(frames as usize, packing));
        decodes_whole(&path);
        assert_eq!(joins(&path, 1, count), count + 1);
    }
}

/// The stream that was made bit by bit is one: ffmpeg decodes it without a word, and every frame is interlaced.
fn decodes_whole(path: &str) {
    let words =
        ["ffprobe", "-v", "warning", "-show_entries", "frame=interlaced_frame", "-of", "csv=p=0", path];
    let ran = run(&words, Duration::from_secs(120));
    assert_eq!(ran.err, "");
    assert!(ran.out.lines().count() > 100 && ran.out.lines().all(|line| line == "1"), "{}", ran.out);
}

fn real(count: usize) {
    if !Path::new(REAL).is_dir() {
        println!("skipped: no real streams at {REAL}");
        return;
    }
    // Services 1, 8, 10, 11 and 15 of the French TNT, whose pictures are left out, and a clip with one key picture in
    // eight seconds: they end before there are many places to start at.
    let tnt = |sid| (format!("{REAL}/tnt-5w-12732v-isi6-10s.ts"), sid);
    let clip = (format!("{REAL}/bbb-1080p-h264-mp2.ts"), 1);
    std::thread::scope(|scope| {
        for (path, sid) in [1537, 1542, 1544, 1545, 1546].map(tnt).into_iter().chain([clip]) {
            scope.spawn(move || assert!(joins(&path, sid, count) > 1, "{path}, service {sid}"));
        }
    });
}

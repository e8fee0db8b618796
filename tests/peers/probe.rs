//! What ffprobe sees of each channel: one programme, its name, its streams.

use std::thread;
use std::time::Duration;

use super::run::run;
use super::stage::{DEMO, MADE, Shown, demo_box, made_box};
use super::support::stb::Stb;

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn each_channel_is_one_programme_with_its_name_and_streams() {
    see(&demo_box(), &DEMO);
}

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn so_are_those_of_a_mux_by_ffmpeg() {
    see(&made_box(), &MADE);
}

/// ffprobe, which listens for some seconds, sees each of `services` as it is.
pub(crate) fn see(stb: &Stb, services: &[Shown]) {
    thread::scope(|scope| {
        for service in services {
            let url = stb.channel(service.number);
            scope.spawn(move || see_at(&url, service));
        }
    });
}

/// ffprobe sees `service` alone at `url`, as it is.
pub(crate) fn see_at(url: &str, service: &Shown) {
    assert_eq!(programs(url), expected(service), "{url}");
}

/// The lines ffprobe prints of the programmes behind `url`.
fn programs(url: &str) -> Vec<String> {
    let entries = "program=program_num:program_tags=service_name:program_stream=codec_name";
    let words = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "flat", url];
    let ran = run(&words, Duration::from_secs(40));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "ffprobe {url}");
    ran.out.lines().filter(|line| line.starts_with("programs.")).map(str::to_owned).collect()
}

/// The lines for one programme alone, `service`.
fn expected(service: &Shown) -> Vec<String> {
    let mut lines = vec![
        format!("programs.program.0.program_num={}", service.program),
        format!("programs.program.0.tags.service_name=\"{}\"", service.name),
    ];
    let codecs = service.codecs.iter().enumerate();
    lines.extend(codecs.map(|(i, c)| format!("programs.program.0.streams.stream.{i}.codec_name=\"{c}\"")));
    lines
}

//! Players on a paired computer, which know nothing of pairing: `stbcast serve` is their box.

use super::players::mpv;
use super::probe::see_at;
use super::shell::Shell;
use super::stage::{DEMO, demo_box};

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn players_play_what_is_served_to_this_computer() {
    let (stb, shell) = (demo_box(), Shell::new());
    shell.pair(&stb, "me");
    let server = shell.start(&["serve"]);
    server.wait_out("/playlist.m3u\n");
    let list = server.out().trim().to_owned();
    let base = list.strip_suffix("/playlist.m3u").unwrap();
    for service in &DEMO {
        see_at(&format!("{base}/live/{}.ts", service.number), service);
    }
    assert_eq!(mpv(&[&list]), ["1280x720", "1920x1080", "sound", "400x224"]);
    assert_eq!(
        server.err().matches("channel ").count(),
        0,
        "players end streams, the box does not: {}",
        server.err()
    );
}

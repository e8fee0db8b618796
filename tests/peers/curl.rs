//! What curl is told.

use std::thread;
use std::time::Duration;

use super::run::{Ran, run};
use super::stage::demo_box;

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn each_answer_has_its_status_and_says_why() {
    let stb = demo_box();
    let link = stb.channel(1);
    let bare = link.split('?').next().unwrap().to_owned();
    let token = link.rsplit("t=").next().unwrap().to_owned();
    let (list, _) = stb.list();
    let one = stb.link(2, &["--connections", "1"]);

    assert_eq!(status(&["--head", &link]), "200 video/mp2t");
    assert_eq!(status(&[&list]), "200 application/json");
    assert_eq!(status(&[&bare]).split(' ').next(), Some("401"));
    assert_eq!(status(&[&format!("{bare}?t={token}x")]).split(' ').next(), Some("401"));
    assert_eq!(status(&["--request", "POST", &link]).split(' ').next(), Some("405"));
    assert_eq!(status(&["--header", "Host: elsewhere.example", &link]).split(' ').next(), Some("421"));
    assert_eq!(status(&["--range", "0-", "--max-time", "2", &link]), "200 video/mp2t");

    let renamed = curl(&[&format!("{bare}?name=Another&t={token}")]);
    assert_eq!(renamed.out.lines().last(), Some("409 application/json"));
    for part in ["综合频道 One HD", "Another", "\"number\":1"] {
        assert!(renamed.out.contains(part), "{part}: {}", renamed.out);
    }

    // A link for one player is good for two connections, since a player probes and opens again before it closes.
    thread::scope(|scope| {
        let two = [(); 2].map(|()| scope.spawn(|| status(&["--max-time", "5", &one])));
        thread::sleep(Duration::from_secs(2));
        assert_eq!(status(&["--max-time", "2", &one]).split(' ').next(), Some("429"));
        assert!(two.into_iter().all(|viewer| viewer.join().unwrap() == "200 video/mp2t"));
    });
}

/// Status and content type.
fn status(words: &[&str]) -> String {
    curl(words).out.lines().last().unwrap_or_default().to_owned()
}

fn curl(words: &[&str]) -> Ran {
    // Bodies of a stream are not text and not wanted.
    let wanted = if words.iter().any(|w| w.contains("name=Another")) { "-" } else { "/dev/null" };
    let fixed = ["curl", "--silent", "--no-buffer", "--max-time", "20", "--output", wanted];
    run(
        &[&fixed[..], &["--write-out", "\n%{http_code} %{content_type}"], words].concat(),
        Duration::from_secs(30),
    )
}

//! Lists that are imported at start: what they may not name is said with its line, and nothing of it is opened.

mod support;

use support::stb::{Dir, Stb, demo, run_to_end};

#[test]
fn what_a_list_may_not_name_is_said_and_not_opened() {
    let dir = Dir::new();
    let list = "#EXTM3U\n\
        #EXTINF:-1 tvg-chno=\"1\",Web\nhttp://127.0.0.1:1/a.ts\n\
        #EXTINF:-1 tvg-chno=\"2\",Local\nudp://224.0.0.5:5000\n\
        #EXTINF:-1 tvg-chno=\"3\",One host\nudp://127.0.0.1:5000\n\
        #EXTINF:-1 tvg-chno=\"4\",A file\nfile:///etc/passwd\n\
        #EXTINF:-1 tvg-chno=\"5\",Elsewhere\nudp://239.1.2.3:5000?iface=tun0\n";
    let path = dir.file("list.m3u", list.as_bytes());
    let stb = Stb::start_in(dir, &[&format!("file:{}?loop", demo().display())], &["--import", &path]);
    stb.wait_channels(4);
    let log = stb.log();
    for line in [3, 5, 7, 9, 11] {
        assert!(log.contains(&format!("{path}:{line}: ")), "line {line} is not said: {log}");
    }
    assert_eq!(stb.status().len(), 2, "one source, and the box: {:?}", stb.status());
}

#[test]
fn a_list_that_cannot_be_read_is_an_error() {
    let dir = Dir::new();
    let noise = dir.file("noise", &[0xff; 300]);
    for (path, part) in [("/nowhere/list.m3u", "No such file"), (&*noise, "noise")] {
        let state = dir.path().join("state").display().to_string();
        let words = ["run", "--listen", "127.0.0.1:0", "--state", &state, "--import", path];
        let out = run_to_end(&words);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(said.contains("import ") && said.contains(part), "{said}");
    }
}

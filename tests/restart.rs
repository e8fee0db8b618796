//! What outlives a restart, and what a box does when what it kept is damaged.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use support::http::{Client, Viewer, request};
use support::mux::{Codec, MuxBuilder, Service};
use support::stb::{Dir, STBCASTD, Stb, number, run_to_end, text, wait_for};

/// A file of two services in `dir`, as a source.
fn source(dir: &Dir, tsid: u16, names: [&str; 2]) -> String {
    let services =
        [Service::tv(10 * tsid, names[0], Codec::H264, 200_000), Service::radio(9, names[1], 64_000)];
    let mux = MuxBuilder { tsid, ..MuxBuilder::new(&services, 3) };
    format!("file:{}?loop", dir.file(&format!("{tsid}.ts"), &mux.build()))
}

/// Numbers by name.
fn numbers(stb: &Stb) -> BTreeMap<String, u64> {
    let lines = stb.channels();
    lines
        .iter()
        .map(|l| (text(l, "name").expect("a channel has a name").to_owned(), number(l, "number")))
        .collect()
}

#[test]
fn numbers_stay_whatever_comes_and_goes() {
    let dir = Dir::new();
    let [a, b, c] =
        [(1, ["A", "a"]), (2, ["B", "b"]), (3, ["C", "c"])].map(|(tsid, names)| source(&dir, tsid, names));
    let mut stb = Stb::start_in(dir, &[&a, &b], &[]);
    stb.wait_channels(4);
    let first = numbers(&stb);
    assert_eq!(first.values().copied().collect::<std::collections::BTreeSet<_>>(), (1..=4).collect());
    stb.restart();
    assert_eq!(numbers(&stb), first);
    stb.restart_with(&[&b, &a]);
    assert_eq!(numbers(&stb), first);
    // The link of a number plays what has that number, wherever its source stands now.
    for (name, sid) in [("A", 10), ("B", 20)] {
        let link = stb.channel(u16::try_from(first[name]).unwrap());
        let report = support::ts::judge(Viewer::open(&link).watch(188 * 3));
        assert_eq!(report.pat_programs[0].0, sid, "{name}");
    }
    stb.restart_with(&[&c, &b]);
    stb.wait_channels(6);
    let mut later = numbers(&stb);
    let new = [later.remove("C"), later.remove("c")].map(|n| n.expect("C and c are new"));
    assert!(new.iter().all(|n| [5, 6].contains(n)), "{new:?}");
    assert_eq!(later, first);
    let gone = stb.channels().into_iter().find(|l| text(l, "name") == Some("A")).expect("A is remembered");
    assert_eq!(text(&gone, "available"), Some("no"));
    let out = stb.ask(&["channels"]);
    assert!(!String::from_utf8_lossy(&out.stdout).contains("\"name\":\"A\""));
}

#[test]
fn links_outlive_the_process() {
    let dir = Dir::new();
    let source = source(&dir, 1, ["A", "a"]);
    let mut stb = Stb::start_in(dir, &[&source], &[]);
    stb.wait_channels(2);
    let link = stb.channel(1);
    Viewer::open(&link).watch(188);
    stb.restart();
    let moved = link.replace(&support::http::split(&link).0.to_string(), &stb.address.to_string());
    Viewer::open(&moved).watch(188);
    // Without its keys the box makes new ones, says so, and old links are dead.
    stb.stop();
    damage(&stb.dir.state(), "identity", &["a", "b"]);
    stb.begin();
    let dead = moved.replace(&support::http::split(&moved).0.to_string(), &stb.address.to_string());
    assert_eq!(request("HEAD", &dead, "").status, 401);
    stb.wait_log("old links are dead");
    Viewer::open(&stb.channel(1)).watch(188);
}

/// Flips a byte in these slots of a record, where they are there.
fn damage(state: &Path, record: &str, slots: &[&str]) {
    let paths = slots.iter().map(|slot| state.join(format!("{record}.{slot}"))).filter(|path| path.exists());
    let damaged = paths.map(|path| {
        let mut bytes = fs::read(&path).expect("a slot can be read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(&path, bytes).expect("a slot can be written");
    });
    assert!(damaged.count() > 0, "there is a slot to be damaged");
}

#[test]
fn one_damaged_slot_loses_nothing_and_two_are_said() {
    let dir = Dir::new();
    let source = source(&dir, 1, ["A", "a"]);
    let mut stb = Stb::start_in(dir, &[&source], &[]);
    stb.wait_channels(2);
    let first = numbers(&stb);
    stb.stop();
    let state = stb.dir.state();
    let slots = ["a", "b"].map(|slot| state.join(format!("channels.{slot}")));
    let newest = slots.iter().filter_map(|slot| fs::read(slot).ok()).max_by_key(|bytes| bytes[4]).unwrap();
    for [slot, other] in [["a", "b"], ["b", "a"]] {
        slots.iter().for_each(|slot| fs::write(slot, &newest).unwrap());
        // The damaged slot is written again at the start, so that the other may be damaged next.
        for slot in [slot, other] {
            damage(&state, "channels", &[slot]);
            stb.begin();
            stb.wait_log("one of two copies is damaged, the other is used");
            assert_eq!(numbers(&stb), first, "slot {slot}");
            Viewer::open(&stb.channel(1)).watch(188);
            stb.stop();
        }
    }
    assert!(!stb.log().contains("scans again"), "{}", stb.log());
    slots.iter().for_each(|slot| fs::write(slot, &newest).unwrap());
    damage(&state, "channels", &["b"]);
    fs::write(&slots[0], &newest[..newest.len() - 1]).unwrap();
    stb.begin();
    stb.wait_log(&format!("channels in {} are damaged: the box scans again", state.display()));
    stb.wait_channels(2);
    assert_eq!(numbers(&stb).into_keys().collect::<Vec<_>>(), ["A", "a"]);
    Viewer::open(&stb.channel(1)).watch(188);
}

#[test]
fn state_that_cannot_be_kept_is_said_at_once() {
    let dir = Dir::new();
    let below_a_file = format!("{}/state", dir.file("file", b"x"));
    let out = run_to_end(&["run", "--listen", "127.0.0.1:0", "--state", &below_a_file]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("state directory") && said.contains(&below_a_file), "{said}");
}

#[test]
fn a_state_directory_is_one_box_s() {
    let mut stb = Stb::start(&[]);
    let socket = stb.dir.state().join("stbcast.sock");
    assert!(socket.exists());
    let state = stb.dir.state().to_str().unwrap().to_owned();
    let out = run_to_end(&["run", "--listen", "127.0.0.1:0", "--state", &state]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("another stbcastd runs with this socket") && said.contains(&state), "{said}");
    assert!(socket.exists() && stb.query("{\"cmd\":\"status\"}").is_ok(), "the first is undisturbed");
    stb.stop();
    assert!(!socket.exists());
    let out = stb.ask(&["status"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(6), "{said}");
    assert!(said.contains("no stbcastd can be reached"), "{said}");
    // What a box that was killed left behind is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    stb.begin();
    assert!(stb.query("{\"cmd\":\"status\"}").is_ok());
}

#[test]
fn viewers_are_let_go_at_the_end() {
    let dir = Dir::new();
    let source = source(&dir, 1, ["A", "a"]);
    let mut stb = Stb::start_in(dir, &[&source], &[]);
    stb.wait_channels(2);
    let mut viewer = Viewer::open(&stb.channel(1));
    viewer.watch(20_000);
    let stops = std::time::Instant::now();
    stb.stop();
    let all = viewer.watch_all();
    assert_eq!(all.len() % 188, 0, "the last packet is whole");
    assert!(stops.elapsed() < std::time::Duration::from_secs(5), "nobody waits long for the end");
}

#[test]
fn settings_can_come_from_a_file() {
    let dir = Dir::new();
    let source = source(&dir, 1, ["A", "a"]);
    let config =
        dir.file("stbcast.conf", format!("# a box\n\nname = tv.example\nsource = {source}\n").as_bytes());
    let stb = Stb::start_in(dir, &[], &["--config", &config]);
    stb.wait_channels(2);
    let status_for = |host: &str| {
        let mut client = Client::connect(stb.address);
        client.send(format!("GET /api/v1/box HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        client.reply().status
    };
    assert_eq!(
        (status_for("tv.example"), status_for("TV.example:80"), status_for("a.example")),
        (200, 200, 421)
    );
    let dir = Dir::new();
    for (line, part) in [("lisen = 1", "unknown setting 'lisen'"), ("listen 1", "key = value")] {
        let wrong = dir.file("wrong.conf", format!("# one\n{line}\n").as_bytes());
        let out = run_to_end(&["run", "--config", &wrong]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{wrong}:2: ")) && said.contains(part), "{said}");
    }
}

#[test]
fn the_commands_ask_the_running_box() {
    let dir = Dir::new();
    let source = source(&dir, 1, ["A", "a"]);
    let stb = Stb::start_in(dir, &[&source], &[]);
    stb.wait_channels(2);
    let said = |words: &[&str]| String::from_utf8(stb.ask(words).stdout).unwrap();
    assert_eq!(said(&["channels"]), "    1  A (tv)\n    2  a (radio)\n");
    let lines = said(&["channels", "--json"]);
    assert!(lines.starts_with("{\"channel\":{\"number\":1,\"name\":\"A\""), "{lines}");
    let status = wait_for("the survey to end", || Some(said(&["status"])).filter(|s| s.contains(": idle")));
    assert!(status.starts_with(&source) && status.contains("2 channels, 0 viewers"), "{status}");
    let lines = said(&["status", "--json"]);
    assert!(lines.contains("\"state\":\"idle\"") && lines.contains("\"board\":\"host\""), "{lines}");
    let socket = stb.dir.state().join("stbcast.sock");
    let by_socket = std::process::Command::new(STBCASTD).args(["link", "1", "--socket"]).arg(socket).output();
    let link = String::from_utf8(by_socket.unwrap().stdout).unwrap();
    assert!(link.starts_with(&format!("http://{}/live/1.ts?name=", stb.address)), "{link}");
}

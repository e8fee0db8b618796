//! Lists that are imported at start: what they may not name is said with its line, and nothing of it is opened; whose
//! numbers count is what the authority says.

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use support::http::{Viewer, get, split};
use support::mux::{Codec, MuxBuilder, Service};
use support::sender::{self, Sender};
use support::stb::{Dir, Stb, demo, number, run_to_end, text, wait_for};
use support::ts::{judge, packets};

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
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains("import ") && said.contains(part), "{said}");
    }
}

#[test]
fn an_interface_that_is_not_there_is_an_error() {
    let dir = Dir::new();
    let state = dir.path().join("state").display().to_string();
    let config = dir.file("box.conf", b"iptv_interface = none0\n");
    for words in [["--iptv-interface", "none0"], ["--config", &config]] {
        let out = run_to_end(&[&["run", "--listen", "127.0.0.1:0", "--state", &state], &words[..]].concat());
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains("'none0'") && said.contains("but lo"), "{said}");
    }
}

/// A mux of service 1 with this name and number, sent to a group.
fn send(to: SocketAddr, name: &str, lcn: u16) -> Sender {
    let mux = MuxBuilder { lcns: vec![(1, lcn)], ..MuxBuilder::new(&services(name), 2) };
    Sender::forever(to, packets(&mux.build()).0.to_vec(), Duration::from_secs(2))
}

fn services(name: &str) -> [Service; 1] {
    [Service::tv(1, name, Codec::H264, 200_000)]
}

/// A channel as an M3U list has it.
fn line(number: u16, name: &str, group: &str, to: SocketAddr) -> String {
    format!("#EXTINF:-1 tvg-chno=\"{number}\" group-title=\"{group}\",{name}\nudp://{to}\n")
}

/// Numbers by name.
fn numbers(stb: &Stb) -> BTreeMap<String, u64> {
    let lines = stb.channels();
    lines.iter().filter_map(|l| Some((text(l, "name")?.to_owned(), number(l, "number")))).collect()
}

#[test]
fn the_authority_numbers_its_channels_and_leaves_the_others() {
    if !sender::multicast_works() {
        println!("skipped: this machine lets nobody join a group on lo");
        return;
    }
    let (one, two) = (sender::multicast(), sender::multicast());
    let _on_air = [send(one, "first", 21), send(two, "second", 22)];
    let dir = Dir::new();
    let vendor = dir.file("vendor.m3u", line(11, "One", "News", one).as_bytes());
    let user = [line(1, "One", "Mine & \\", one), line(31, "Two", "", two)].concat();
    let user = dir.file("user.m3u", user.as_bytes());
    let third = MuxBuilder { lcns: vec![(1, 31)], ..MuxBuilder::new(&services("Three"), 2) };
    let third = format!("file:{}?loop", dir.file("third.ts", &third.build()));
    let mut stb = Stb::start_in(dir, &[], &[]);
    let mut link = None;
    // Of a new box first, then of one with the numbers that the one before gave.
    for (authority, wanted) in [
        ("vendor", [11, 31, 1]),
        ("import", [1, 31, 2]),
        ("scan", [21, 22, 31]),
        ("vendor", [11, 22, 31]),
        ("scan", [21, 22, 31]),
        ("import", [1, 31, 2]),
    ] {
        let words = ["--authority", authority, "--iptv-interface", "lo", "--source", &third];
        stb.restart_as(&[&words[..], &["--vendor-import", &vendor, "--import", &user]].concat());
        let wanted = BTreeMap::from_iter(["One", "Two", "Three"].map(String::from).into_iter().zip(wanted));
        wait_for(&format!("{authority}: {wanted:?}"), || (numbers(&stb) == wanted).then_some(()));
        stb.restart();
        wait_for("all to be seen again", || {
            stb.channels().iter().all(|line| text(line, "available") == Some("now")).then_some(())
        });
        assert_eq!(numbers(&stb), wanted, "{authority}: a restart changes nothing");
        shows_groups(&stb, authority);
        if authority == "scan" {
            link.get_or_insert_with(|| stb.channel(31));
        }
        if let Some(link) = link.as_ref().filter(|_| wanted["Three"] == 31) {
            let moved = link.replace(&split(link).0.to_string(), &stb.address.to_string());
            assert_eq!(judge(Viewer::open(&moved).watch(188 * 3)).pat_programs[0].0, 1, "{moved}");
        }
    }
}

/// The lists' groups are shown, that of the list which is heard first before the other's.
fn shows_groups(stb: &Stb, authority: &str) {
    let groups = if authority == "import" { ["Mine & \\", "News"] } else { ["News", "Mine & \\"] };
    let [first, second] = groups.map(|group| group.replace('\\', "\\\\"));
    let list = get(&stb.list().0).text();
    for wanted in [&*format!("\"groups\":[\"{first}\",\"{second}\"]"), "\"groups\":[]"] {
        assert!(list.contains(wanted), "{wanted}: {list}");
        assert!(stb.channels().concat().contains(wanted), "{wanted}: {:?}", stb.channels());
    }
    let playlist = get(&stb.link("playlist", &[])).text();
    for (name, group) in [("One", &*groups.join(";")), ("Two", "TV"), ("Three", "TV")] {
        assert!(playlist.contains(&format!("group-title=\"{group}\",{name}\n")), "{name}: {playlist}");
    }
}

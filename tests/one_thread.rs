//! The box is one thread, and nothing it starts stays.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use support::http::Viewer;
use support::mux::{Codec, MuxBuilder, Service};
use support::sender::{self, Sender};
use support::stb::{Dir, Stb, demo, wait_for};
use support::ts::packets;

fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).expect("the box runs").count()
}

/// Processes whose parent is `pid`.
fn children(pid: u32) -> Vec<String> {
    let all = fs::read_dir("/proc").expect("there is a /proc").filter_map(Result::ok);
    let stats = all.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    // pid (name) state parent …; the name may hold spaces and brackets.
    let parent = |stat: &str| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok();
    stats.filter(|stat| parent(stat) == Some(pid)).collect()
}

#[test]
fn the_box_streams_on_one_thread_and_its_helper_goes() {
    let to = sender::unicast();
    let one = [Service::tv(7, "Seven", Codec::H264, 500_000)];
    let stream = packets(&MuxBuilder::new(&one, 4).build()).0.to_vec();
    let _sender = Sender::forever(to, stream, std::time::Duration::from_secs(4));
    let (file, udp) = (format!("file:{}?loop", demo().display()), format!("udp://{to}"));
    let stb = Stb::start_in(Dir::new(), &[&file, &udp], &[]);
    assert_eq!(threads(stb.pid()), 1, "from the beginning");
    stb.wait_channels(5);
    let mut viewers: Vec<_> =
        (1..=5).chain(1..=5).map(|channel| Viewer::open(&stb.channel(channel))).collect();
    for _ in 0..5 {
        for viewer in &mut viewers {
            viewer.watch_on(4_000);
            assert_eq!(threads(stb.pid()), 1);
        }
    }
    let written = ["identity.a", "channels.a"].map(|slot| stb.dir.state().join(slot));
    wait_for("the state to be written", || written.iter().all(|path| path.exists()).then_some(()));
    wait_for("the helper to go", || children(stb.pid()).is_empty().then_some(()));
    assert_eq!(threads(stb.pid()), 1);
}

#[test]
fn the_helper_of_a_tuner_has_one_thread_no_rights_to_gain_and_ends_with_its_line() {
    let (mut line, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stbcastd"));
    command.args(["helper-frontend", "255"]).stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
    let mut helper = command.spawn().unwrap();
    drop(command); // and with it the helper's end of the line, of which this process had a copy
    // "Release", the ninth command; the answer: of the ninth command, released.
    line.write_all(&[2, 9]).unwrap();
    let mut answer = [0; 3];
    line.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [2, 9, 4]);
    assert_eq!(threads(helper.id()), 1);
    let status = fs::read_to_string(format!("/proc/{}/status", helper.id())).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", helper.id())).unwrap().to_str(), Some("/"));
    drop(line);
    assert!(helper.wait().unwrap().success());
}

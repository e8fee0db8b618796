//! A cable that comes loose, an interface that goes away, a sender that stops: several groups at once over a link
//! between two network namespaces, with nobody on it that asks who is in which group.
//!
//! The test makes the namespaces and runs this test program in each once more: the box in the near one, the sender in
//! the far one.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use super::multicast::{ip, send};
use super::run::run_command;
use super::support::http::{DEADLINE, Viewer, get};
use super::support::mux::{Codec, MuxBuilder, Service};
use super::support::stb::{Stb, number, wait_for};
use super::support::ts::{judge, packets, payload, pid, starts_unit};

/// Tell the inner runs from the outer: the names of the namespaces, and what is sent.
const NEAR: &str = "STBCAST_TEST_NEAR";
const FAR: &str = "STBCAST_TEST_FAR";
const SENT: &str = "STBCAST_TEST_SENT";
/// Sender and group of each mux: any-source and source-specific, IPv4 and IPv6.
const GROUPS: [(&str, &str, &str); 3] = [
    ("10.77.0.1", "239.193.5.1:5500", "udp://239.193.5.1:5500?iface=lan0"),
    ("fd77::1", "[ff15::5501]:5501", "udp://[ff15::5501]:5501?iface=lan0"),
    ("10.77.0.1", "232.77.0.1:5502", "udp://10.77.0.1@232.77.0.1:5502?iface=lan0"),
];
/// How long a mux lasts: longer than the test, so that it has no seam.
const LENGTH: u64 = 100;
/// What follows of a stream when it is watched for a while.
const PICTURES: usize = 40;
/// The box gives a silent source up (`silence_max_ms`), and a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(45);

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn viewers_outlast_links_that_go_away_and_come_back() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can make a network namespace");
        return;
    }
    let cable = match Cable::make() {
        Ok(cable) => cable,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let mut command = inside(&cable.near, "links::at_the_near_end");
    command.env(NEAR, &cable.near).env(FAR, &cable.far);
    let ran = run_command(&mut command, Duration::from_secs(300));
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let said: Vec<_> = ran.out.lines().filter(|line| line.starts_with("links: ")).collect();
    assert_eq!(said.len(), 4, "{}", ran.out);
    println!("{}", said.join("\n"));
}

/// This program once more, in namespace `name`, for one test.
fn inside(name: &str, test: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name]).arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", test]);
    command
}

#[test]
#[ignore = "run by the first test"]
fn at_the_near_end() {
    let (Ok(near), Ok(far)) = (std::env::var(NEAR), std::env::var(FAR)) else { return };
    let cable = Cable { near, far };
    let mut sender = Sender::start(&cable, "before");
    let stb = Stb::start(&GROUPS.map(|group| group.2));
    stb.wait_channels(GROUPS.len());
    let mut watching = [1, 2, 3].map(|n| Viewer::open(&channel(&stb, n)));
    go_on(&mut watching, "before");

    cable.near(&["link", "set", "lan0", "down"]).unwrap();
    wait_silent(&stb);
    let late = get(&channel(&stb, 1));
    assert_eq!((late.status, late.text().contains("the source is silent")), (503, true), "{}", late.text());
    cable.near(&["link", "set", "lan0", "up"]).unwrap();
    go_on(&mut watching, "before");
    println!("links: an interface went down and up");

    cable.near(&["link", "delete", "lan0"]).unwrap();
    wait_silent(&stb);
    sender.stop();
    cable.plug().unwrap();
    let mut sender = Sender::start(&cable, "before");
    go_on(&mut watching, "before");
    stb.wait_log(": opened anew");
    println!("links: an interface went away and another came in its place");

    sender.stop();
    wait_silent(&stb);
    thread::sleep(Duration::from_secs(5));
    let mut sender = Sender::start(&cable, "after");
    go_on(&mut watching, "after");
    for (viewer, n) in watching.iter().zip(1..) {
        is_announced(viewer, n);
    }
    println!("links: a sender stopped and came back with other tables");

    sender.stop();
    let stopped = Instant::now();
    for viewer in &mut watching {
        while viewer.client.receive(stopped + GIVEN_UP) {}
        assert!(viewer.client.ended, "nobody waits for ever");
    }
    for place in 0..GROUPS.len() {
        let mux = wait_for("the reason", || Some(stb.mux(place)).filter(|m| m.contains("\"error\":\"")));
        assert!(mux.contains("nothing came for 30 s"), "{mux}");
    }
    assert_eq!(stb.log().matches(": Ended(Source)").count(), watching.len());
    let late = get(&channel(&stb, 2));
    assert_eq!((late.status, late.text().contains("the source is silent")), (503, true), "{}", late.text());
    let _sender = Sender::start(&cable, "after");
    let back = [1, 2, 3].map(|n| {
        wait_for("the source", || {
            let viewer = Viewer::ask(&channel(&stb, n), "");
            (viewer.reply.status == 200).then_some(viewer)
        })
    });
    go_on(&mut back.into_iter().collect::<Vec<_>>(), "after");
    println!("links: a sender that stopped for long was given up, and found again");
}

/// A link to the channel of service `n`.
fn channel(stb: &Stb, n: u16) -> String {
    let of = |line: &String| line.contains(&format!("-{n}\","));
    let line = stb.channels().into_iter().find(of).unwrap();
    stb.channel(u16::try_from(number(&line, "number")).unwrap())
}

fn wait_silent(stb: &Stb) {
    wait_for("silence on every group", || {
        let silent = |place| stb.mux(place).contains("\"state\":\"silent\"");
        (0..GROUPS.len()).all(silent).then_some(())
    });
}

/// Each viewer gets more of its picture: bytes alone could be the box's own tables.
fn go_on(watching: &mut [Viewer], sent: &str) {
    for (viewer, n) in watching.iter_mut().zip(1..) {
        let video = service(n, sent).video_pid;
        let pictures = |viewer: &Viewer| {
            packets(viewer.bytes()).0.iter().filter(|p| pid(p) == video && starts_unit(p)).count()
        };
        let before = pictures(viewer);
        let deadline = Instant::now() + DEADLINE;
        while pictures(viewer) < before + PICTURES {
            assert!(viewer.client.receive(deadline), "service {n} does not go on");
        }
    }
}

/// Every break of the stream is announced, and there were some.
fn is_announced(viewer: &Viewer, n: u16) {
    let report = judge(viewer.bytes());
    assert_eq!(report.pmt.map(|pmt| pmt.streams), Some(service(n, "after").streams()));
    for (pid, counts) in &report.pids {
        assert_eq!((counts.cc_errors, counts.duplicates), (0, 0), "service {n}, PID {pid:#06x}");
    }
    let video = service(n, "before").video_pid;
    let marks = packets(viewer.bytes()).0.iter().filter(|p| pid(p) == video && payload(p).is_empty());
    assert_eq!(marks.count(), 2, "service {n}: the link went away twice");
}

/// What is sent to group `n`.
fn service(n: u16, sent: &str) -> Service {
    let before = Service::tv(n, ["One", "Two", "Three"][usize::from(n) - 1], Codec::H264, 300_000);
    if sent == "before" {
        return before;
    }
    let (pmt_pid, video_pid, audio_pid) = (0x500, 0x501, 0x502);
    Service { pmt_pid, video_pid, audio_pid, video: Some(Codec::Hevc), ..before }
}

#[test]
#[ignore = "run by the test at the near end"]
fn at_the_far_end() {
    let Ok(sent) = std::env::var(SENT) else { return };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for (n, (from, to, _)) in (1..).zip(GROUPS) {
            let (sent, stop) = (&sent, &stop);
            scope.spawn(move || {
                let mux = MuxBuilder { tsid: n, ..MuxBuilder::new(&[service(n, sent)], LENGTH) }.build();
                let to: SocketAddr = to.parse().unwrap();
                send(&mux, from, &to.to_string(), Duration::from_secs(LENGTH), stop);
            });
        }
    });
}

/// The test program in the far namespace.
struct Sender(Child);

impl Sender {
    fn start(cable: &Cable, sent: &str) -> Self {
        let mut command = inside(&cable.far, "links::at_the_far_end");
        command.env(SENT, sent).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// `ip netns exec` becomes the program it runs, so this ends it.
    fn stop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Two namespaces and the cable between them.
struct Cable {
    near: String,
    far: String,
}

impl Cable {
    fn make() -> Result<Made, String> {
        let [near, far] = ["near", "far"].map(|end| format!("stbcast-{end}-{}", std::process::id()));
        let made = Made(Self { near, far });
        ip(&["netns", "add", &made.near])?;
        ip(&["netns", "add", &made.far])?;
        made.near(&["link", "set", "lo", "up"])?;
        made.plug()?;
        Ok(made)
    }

    /// Lays the cable; it goes when an end of it is deleted.
    fn plug(&self) -> Result<(), String> {
        let ends = format!("link add lan0 netns {} type veth peer name lan1 netns {}", self.near, self.far);
        ip(&ends.split(' ').collect::<Vec<_>>())?;
        for line in ["address add 10.77.0.9/24 dev lan0", "link set lan0 up"] {
            self.near(&line.split(' ').collect::<Vec<_>>())?;
        }
        for line in [
            "address add 10.77.0.1/24 dev lan1",
            "address add fd77::1/64 dev lan1 nodad",
            "link set lan1 up",
            "route add 224.0.0.0/4 dev lan1",
            "-6 route add multicast ff15::/16 dev lan1 table local",
        ] {
            let words: Vec<&str> = ["-n", &self.far].into_iter().chain(line.split(' ')).collect();
            ip(&words)?;
        }
        Ok(())
    }

    fn near(&self, words: &[&str]) -> Result<(), String> {
        ip(&[&["-n", &self.near], words].concat())
    }
}

/// A cable that was made here, and goes with this.
struct Made(Cable);

impl std::ops::Deref for Made {
    type Target = Cable;

    fn deref(&self) -> &Cable {
        &self.0
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for name in [&self.near, &self.far] {
            if let Err(why) = ip(&["netns", "delete", name]) {
                eprintln!("{why}");
            }
        }
    }
}

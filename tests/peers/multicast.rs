//! Multicast as in a house with several senders, in a network namespace of our own: nothing leaves it.
//!
//! The test makes the namespace and runs this test program in it once more, so that senders, box and players are all
//! inside.

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::probe::see;
use super::run::{run, run_command};
use super::stage::DEMO;
use super::support::stb::{Stb, demo};

/// Tells the inner run from the outer.
const INSIDE: &str = "STBCAST_TEST_NAMESPACE";
const GROUP: &str = "239.193.5.1:5500";
/// Who sends to the group, and who else does.
const SENDER: &str = "10.77.0.1";
const STRANGER: &str = "10.77.0.2";
const GROUP_6: &str = "[ff15::5501]:5501";
/// How long the committed mux lasts.
const LENGTH: Duration = Duration::from_secs(24);

#[test]
#[ignore = "needs ffmpeg, mpv, vlc: run by scripts/check"]
fn a_group_plays_and_one_sender_of_it_alone() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can make a network namespace");
        return;
    }
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &namespace.0]).arg(program).env(INSIDE, "1");
    command.args(["--ignored", "--exact", "--nocapture", "multicast::inside_the_namespace"]);
    let ran = run_command(&mut command, Duration::from_secs(150));
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let played: Vec<_> = ran.out.lines().filter(|line| line.contains("udp://")).collect();
    assert_eq!(played.len(), 4, "{}", ran.out);
    println!("{}", played.join("\n"));
}

#[test]
#[ignore = "run by the test above"]
fn inside_the_namespace() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let stop = &AtomicBool::new(false);
    let mux = &std::fs::read(demo()).unwrap();
    // On the same group: who takes this, too, loses sync.
    let noise = &vec![0x55; mux.len()];
    thread::scope(|scope| {
        let _stopped = StopOnDrop(stop);
        scope.spawn(move || send(mux, SENDER, GROUP, LENGTH, stop));
        scope.spawn(move || send(mux, "fd77::1", GROUP_6, LENGTH, stop));
        let specific = format!("udp://{SENDER}@{GROUP}?iface=lan0");
        let of_stranger = format!("udp://{STRANGER}@{GROUP}?iface=lan0");

        plays(&format!("udp://{GROUP}?iface=lan0"));
        plays(&format!("udp://{GROUP_6}?iface=lan0"));
        scope.spawn(move || send(noise, STRANGER, GROUP, LENGTH, stop));
        plays(&specific);
        plays_nothing(&of_stranger);
    });
}

/// Every channel of the committed mux is there, and ffmpeg decodes the first without a word.
fn plays(source: &str) {
    let stb = Stb::start(&[source]);
    stb.wait_channels(DEMO.len());
    see(&stb, &DEMO);
    let url = stb.channel(1);
    let words = ["ffmpeg", "-nostdin", "-v", "error", "-t", "3", "-i", &url, "-f", "null", "-"];
    let ran = run(&words, Duration::from_secs(30));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{source}");
    let mux = stb.mux(0);
    assert!(mux.contains("\"sync_losses\":0,"), "{mux}");
    println!("{source} plays");
}

fn plays_nothing(source: &str) {
    let stb = Stb::start(&[source]);
    thread::sleep(Duration::from_secs(5));
    assert_eq!(stb.channels(), [""; 0], "{source}");
    println!("{source} gives nothing");
}

/// Sends `mux` from one of our addresses at its own pace, again and again. The pause between two rounds is a break
/// in the stream, and a round is longer than what a player watches.
pub(crate) fn send(mux: &[u8], from: &str, to: &str, length: Duration, stop: &AtomicBool) {
    let to: SocketAddr = to.parse().unwrap();
    let socket = UdpSocket::bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    let datagrams: Vec<&[u8]> = mux.chunks(7 * 188).collect();
    let mut sent = 0;
    let started = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let due = length.mul_f64(sent as f64 / datagrams.len() as f64);
        if let Some(early) = due.checked_sub(started.elapsed()) {
            thread::sleep(early.min(Duration::from_millis(20)));
            continue;
        }
        // A network that is down takes nothing.
        let _refused = socket.send_to(datagrams[sent % datagrams.len()], to);
        sent += 1;
    }
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A network namespace with one cable, both ends of which are in it.
struct Namespace(String);

impl Namespace {
    fn new() -> Result<Self, String> {
        let namespace = Self(format!("stbcast-{}", std::process::id()));
        ip(&["netns", "add", &namespace.0])?;
        for line in [
            "link set lo up",
            "link add lan0 type veth peer name lan1",
            "address add 10.77.0.1/24 dev lan0",
            "address add 10.77.0.2/24 dev lan0",
            "address add fd77::1/64 dev lan0 nodad",
            "link set lan0 up",
            "link set lan1 up",
            "route add 239.0.0.0/8 dev lan0",
            "-6 route add multicast ff15::/16 dev lan0 table local",
        ] {
            let words: Vec<&str> = ["-n", &namespace.0].into_iter().chain(line.split(' ')).collect();
            ip(&words)?;
        }
        Ok(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(why) = ip(&["netns", "delete", &self.0]) {
            eprintln!("{why}");
        }
    }
}

pub(crate) fn ip(words: &[&str]) -> Result<(), String> {
    let ran = run(&[&["ip"], words].concat(), Duration::from_secs(10));
    if ran.code == Some(0) { Ok(()) } else { Err(format!("ip {}: {}", words.join(" "), ran.err.trim())) }
}

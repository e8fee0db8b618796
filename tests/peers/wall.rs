//! Who comes in by the plain listener: a box and its neighbour in two network namespaces of our own, with a cable
//! between. The neighbour has an address on the link, and one that is routed to the box.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::run::{Ran, run_command};
use super::support::stb::{Dir, demo, wait_for};

const BOX: &str = "10.77.1.9";
const ON_LINK: &str = "10.77.1.1";
const ROUTED: &str = "10.99.1.1";
/// Another interface of the box.
const OTHER: &str = "10.88.1.9";

#[test]
#[ignore = "needs ip and curl: run by scripts/check"]
fn only_who_is_on_a_link_of_the_lan_comes_in() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can make a network namespace");
        return;
    }
    let house = match House::build() {
        Ok(house) => house,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let dir = Dir::new();
    let running = house.start(&dir, &[]);
    wait_for("the box", || house.answers(ON_LINK, BOX).then_some(()));
    assert!(house.is_shut(ROUTED, BOX), "who is not on the link learns nothing");
    assert!(house.answers(ON_LINK, OTHER), "without a LAN that is named, every interface is a door");
    drop(running);
    let dir = Dir::new();
    let _running = house.start(&dir, &["--lan-interface", "lan0"]);
    wait_for("the box", || house.answers(ON_LINK, BOX).then_some(()));
    assert!(house.is_shut(ON_LINK, OTHER), "not an address of the LAN");
    assert!(house.is_shut(ROUTED, BOX));
    println!("wall: on-link sources came in by the LAN's address, others nowhere");
}

struct House {
    inside: String,
    outside: String,
}

/// A box that ends with this.
struct Running(Child);

impl House {
    fn build() -> Result<Self, String> {
        let [inside, outside] = ["in", "out"].map(|end| format!("stbcast-wall-{end}-{}", std::process::id()));
        let house = Self { inside, outside };
        ip(&format!("netns add {}", house.inside))?;
        ip(&format!("netns add {}", house.outside))?;
        let (inside, outside) = (&house.inside, &house.outside);
        ip(&format!("link add lan0 netns {inside} type veth peer name lan1 netns {outside}"))?;
        for line in [
            "link set lo up".to_owned(),
            format!("address add {BOX}/24 dev lan0"),
            "link add other0 type veth peer name other1".into(),
            format!("address add {OTHER}/24 dev other0"),
            "link set other0 up".into(),
            "link set other1 up".into(),
            "link set lan0 up".into(),
            format!("route add {ROUTED}/32 via {ON_LINK}"),
        ] {
            ip(&format!("-n {inside} {line}"))?;
        }
        for line in [
            "link set lo up".to_owned(),
            format!("address add {ON_LINK}/24 dev lan1"),
            format!("address add {ROUTED}/32 dev lo"),
            "link set lan1 up".into(),
            format!("route add {OTHER}/32 via {BOX}"),
        ] {
            ip(&format!("-n {outside} {line}"))?;
        }
        Ok(house)
    }

    fn start(&self, dir: &Dir, options: &[&str]) -> Running {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.inside, env!("CARGO_BIN_EXE_stbcastd"), "run"]);
        command.args(["--listen", "0.0.0.0:8800", "--source", &format!("file:{}?loop", demo().display())]);
        command.arg("--state").arg(dir.state()).args(options);
        Running(command.stderr(Stdio::null()).spawn().expect("ip runs"))
    }

    /// The box tells a client at `source` that comes to `address` what it is.
    fn answers(&self, source: &str, address: &str) -> bool {
        self.ask(source, address).out.contains("stbcastd")
    }

    /// A client at `source` is connected, and the connection ends without a byte.
    fn is_shut(&self, source: &str, address: &str) -> bool {
        const NOTHING: [i32; 2] = [52, 56]; // curl: an empty reply, or the connection was reset
        let ran = self.ask(source, address);
        ran.out.is_empty() && ran.code.is_some_and(|code| NOTHING.contains(&code))
    }

    fn ask(&self, source: &str, address: &str) -> Ran {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.outside, "curl", "-s", "-m", "5", "--interface", source]);
        command.arg(format!("http://{address}:8800/api/v1/box"));
        run_command(&mut command, Duration::from_secs(10))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _gone = [&self.inside, &self.outside].map(|name| ip(&format!("netns delete {name}")));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = (self.0.kill(), self.0.wait());
    }
}

fn ip(line: &str) -> Result<(), String> {
    let ran = Command::new("ip").args(line.split(' ')).output().map_err(|e| format!("ip: {e}"))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(format!("ip {line}: {}", String::from_utf8_lossy(&ran.stderr).trim()))
}

//! The box's name where networks are as they are: a box behind a router that rewrites its address, on an internet of
//! our own (192.0.1.0/24, in namespaces), with somebody else who captured its packets.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::run::{Ran, run_command};
use super::support::cloud::STBCAST_CLOUD;
use super::support::stb::{Dir, STBCASTD, ask_at, text, wait_at_most};

/// Packets with the second each came at.
type Captured = Arc<Mutex<Vec<(f64, Vec<u8>)>>>;

const SERVICE: &str = "192.0.1.53";
const HEARTBEAT: u16 = 5390;

#[test]
#[ignore = "needs ip, nft, tcpdump and dig: run by scripts/check"]
fn a_name_follows_its_box_through_what_routers_do() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can make a network namespace");
        return;
    }
    let town = match Town::build() {
        Ok(town) => town,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let (dir, stb) = (Dir::new(), Dir::new());
    let _service = town.service(&dir);
    let wire = town.capture();
    let _box = town.start_box(&dir, &stb);
    wait_at_most(Duration::from_secs(30), "the name", || (town.address() == "192.0.1.7").then_some(()));
    assert!(wire.count() >= 2, "a cookie proved where it is");

    town.moves_to_another_address(&wire);
    town.is_not_moved_by_a_captured_beat(&wire, "192.0.1.8");
    town.comes_from_another_port(&stb, &wire);
    town.cannot_send_udp(&stb, &wire);
}

impl Town {
    /// The router gets another address: the name has it within 2 s of the first beat that carries it.
    fn moves_to_another_address(&self, wire: &Wire) {
        let changed = now();
        self.renumber("192.0.1.7", "192.0.1.8");
        self.disturb(10);
        wait_at_most(Duration::from_secs(90), "the new address", || {
            (self.address() == "192.0.1.8").then_some(())
        });
        let known = now();
        let first = wire.times().into_iter().find(|at| *at > changed).unwrap();
        println!("names: {:.3} s from the first beat of a new address to its answer in DNS", known - first);
        assert!(known - first <= 2.0, "the first beat at {first}, DNS at {known}");
    }

    /// Somebody else sends what the box sent, as often as they like.
    fn is_not_moved_by_a_captured_beat(&self, wire: &Wire, address: &str) {
        let captured = wire.packets();
        for packet in captured.iter().rev().take(3) {
            (0..3).for_each(|_| self.send_as_thief(packet));
        }
        for _ in 0..5 {
            assert_eq!(self.address(), address, "a captured beat moved the name");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// The router forgets its mapping at once and takes another port for each packet.
    fn comes_from_another_port(&self, stb: &Dir, wire: &Wire) {
        self.in_router("sysctl -q -w net.netfilter.nf_conntrack_udp_timeout=1");
        self.in_router("sysctl -q -w net.netfilter.nf_conntrack_udp_timeout_stream=1");
        let (before, sent) = (seen(stb), wire.count());
        // What the router knows already keeps its old time until a packet renews it.
        self.disturb(11);
        wait_at_most(Duration::from_secs(60), "a beat", || (wire.count() > sent).then_some(()));
        std::thread::sleep(Duration::from_secs(3));
        self.disturb(12);
        let after = wait_at_most(Duration::from_secs(90), "another port", || {
            Some(seen(stb)).filter(|now| *now != before)
        });
        assert!(after.starts_with("192.0.1.8:") && before.starts_with("192.0.1.8:"), "{before} {after}");
        assert_eq!(wire.count(), sent + 2, "a packet each, no cookie");
        assert_eq!(self.address(), "192.0.1.8");
    }

    /// The router drops heartbeats, and its address changes: HTTP carries it. Then UDP is back.
    fn cannot_send_udp(&self, stb: &Dir, wire: &Wire) {
        self.in_router(&format!("nft add rule ip nat forward udp dport {HEARTBEAT} drop"));
        let sent = wire.count();
        self.renumber("192.0.1.8", "192.0.1.9");
        self.disturb(13);
        wait_at_most(Duration::from_secs(120), "the address by HTTP", || {
            (self.address() == "192.0.1.9").then_some(())
        });
        assert!(status(stb).contains("\"by_https\":true"), "{}", status(stb));
        // These never came to the service: to it they are new, and they come from somewhere else.
        assert!(wire.count() >= sent + 4, "UDP was tried");
        self.is_not_moved_by_a_captured_beat(wire, "192.0.1.9");
        self.in_router("nft flush chain ip nat forward");
        self.disturb(14);
        wait_at_most(Duration::from_secs(120), "UDP again", || {
            status(stb).contains("\"by_https\":false").then_some(())
        });
        assert_eq!(self.address(), "192.0.1.9");
    }
}

/// What the box says of its name.
fn status(stb: &Dir) -> String {
    ask_at(&stb.state(), "{\"cmd\":\"name\"}").map(|lines| lines[0].clone()).unwrap_or_default()
}

fn seen(stb: &Dir) -> String {
    text(&status(stb), "seen").unwrap_or_default().to_owned()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A service in the world, a thief in it, and a router with a box behind.
struct Town {
    world: String,
    thief: String,
    router: String,
    home: String,
}

/// A program that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = (self.0.kill(), self.0.wait());
    }
}

impl Town {
    fn build() -> Result<Self, String> {
        let [world, thief, router, home] = ["world", "thief", "router", "home"]
            .map(|place| format!("stbcast-name-{place}-{}", std::process::id()));
        let town = Self { world, thief, router, home };
        let Self { world, thief, router, home } = &town;
        for place in [world, thief, router, home] {
            host(&format!("ip netns add {place}"))?;
            host(&format!("ip -n {place} link set lo up"))?;
        }
        for line in [
            format!("ip link add wan0 netns {router} type veth peer name w0 netns {world}"),
            format!("ip link add eth0 netns {thief} type veth peer name t0 netns {world}"),
            format!("ip link add eth0 netns {home} type veth peer name lan0 netns {router}"),
        ] {
            host(&line)?;
        }
        for (place, line) in [
            (world, "ip link add br0 type bridge"),
            (world, "ip link set w0 master br0 up"),
            (world, "ip link set t0 master br0 up"),
            (world, &*format!("ip address add {SERVICE}/24 dev br0")),
            (world, "ip link set br0 up"),
            (thief, "ip address add 192.0.1.66/24 dev eth0"),
            (thief, "ip link set eth0 up"),
            (router, "ip address add 192.0.1.7/24 dev wan0"),
            (router, "ip link set wan0 up"),
            (router, "ip address add 192.168.50.1/24 dev lan0"),
            (router, "ip link set lan0 up"),
            (router, "sysctl -q -w net.ipv4.ip_forward=1"),
            (router, "nft add table ip nat"),
            (router, "nft add chain ip nat post { type nat hook postrouting priority 100 ; }"),
            (router, "nft add rule ip nat post oifname wan0 masquerade fully-random"),
            (router, "nft add chain ip nat forward { type filter hook forward priority 0 ; }"),
            (home, "ip address add 192.168.50.9/24 dev eth0"),
            (home, "ip link set eth0 up"),
            (home, "ip route add default via 192.168.50.1"),
        ] {
            host(&format!("ip netns exec {place} {line}"))?;
        }
        Ok(town)
    }

    fn service(&self, dir: &Dir) -> Running {
        let mut command = self.command(&self.world, STBCAST_CLOUD);
        command.args(["run", "--zone", "box.test", "--enrol", "open", "--state"]).arg(dir.path());
        command.args(["--http", &format!("{SERVICE}:8080"), "--dns", &format!("{SERVICE}:53")]);
        let heartbeat = format!("{SERVICE}:{HEARTBEAT}");
        command.args(["--heartbeat", &heartbeat, "--shard", &heartbeat]);
        command.args(["--record", &format!("ns1 A {SERVICE}")]);
        let running = Running(command.stderr(Stdio::null()).spawn().unwrap());
        wait_at_most(Duration::from_secs(20), "the name service", || {
            let ran = self.dig("ns1.box.test");
            (ran.out.trim() == SERVICE).then_some(())
        });
        running
    }

    fn start_box(&self, service: &Dir, dir: &Dir) -> Running {
        let mut command = Command::new(STBCAST_CLOUD);
        let key = run_command(command.args(["key", "--state"]).arg(service.path()), Duration::from_secs(10));
        let mut command = self.command(&self.home, STBCASTD);
        command.args(["run", "--listen", "0.0.0.0:8800", "--state"]).arg(dir.state());
        command.args(["--ddns-service", &format!("http://{SERVICE}:8080"), "--ddns-key", key.out.trim()]);
        command.args(["--ddns-zone", "box.test", "--ddns-name", "alice"]);
        Running(command.stderr(Stdio::null()).spawn().unwrap())
    }

    /// What DNS says of the box's name.
    fn address(&self) -> String {
        self.dig("alice.box.test").out.trim().to_owned()
    }

    fn dig(&self, name: &str) -> Ran {
        let mut command = self.command(&self.world, "dig");
        command.args([&format!("@{SERVICE}"), "+short", "+time=1", "+tries=1", name, "A"]);
        run_command(&mut command, Duration::from_secs(10))
    }

    /// What the box sends to the service, as its router gets it.
    fn capture(&self) -> Wire {
        let mut command = self.command(&self.router, "tcpdump");
        command.args(["-tt", "-n", "-x", "-l", "--immediate-mode", "-i", "lan0"]);
        command.args(["udp", "and", "dst", "port", &HEARTBEAT.to_string()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tcpdump runs");
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let packets: Captured = Arc::default();
        let gathered = Arc::clone(&packets);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let mut gathered = gathered.lock().unwrap();
                match line.strip_prefix("\t0x") {
                    Some(hex) => {
                        let words = hex.split_ascii_whitespace().skip(1);
                        let bytes = words.flat_map(|word| {
                            let pairs =
                                word.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
                            pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect::<Vec<_>>()
                        });
                        gathered.last_mut().unwrap().1.extend(bytes);
                    }
                    None => gathered.push((line.split(' ').next().unwrap().parse().unwrap(), Vec::new())),
                }
            }
        });
        // It says so once it listens.
        let said =
            BufReader::new(err).lines().map_while(Result::ok).find(|line| line.contains("listening on"));
        assert!(said.is_some(), "tcpdump does not listen");
        Wire { packets, _child: Running(child) }
    }

    /// Sends a datagram from somewhere else.
    fn send_as_thief(&self, packet: &[u8]) {
        const SEND: &str =
            "IO::Socket::INET->new(Proto => 'udp', PeerAddr => $ARGV[0])->send(pack('H*', $ARGV[1]))";
        let hex = packet.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut command = self.command(&self.thief, "perl");
        command.args(["-MIO::Socket::INET", "-e", SEND, &format!("{SERVICE}:{HEARTBEAT}"), &hex]);
        assert_eq!(run_command(&mut command, Duration::from_secs(5)).code, Some(0));
    }

    /// The router gets another address from its provider.
    fn renumber(&self, from: &str, to: &str) {
        self.in_router(&format!("ip address add {to}/24 dev wan0"));
        self.in_router(&format!("ip address delete {from}/24 dev wan0"));
        self.in_router(&format!("ip address replace {to}/24 dev wan0"));
    }

    /// Something changes in the box's own network, which makes it beat.
    fn disturb(&self, host_number: u8) {
        host(&format!("ip netns exec {} ip address add 192.168.50.{host_number}/24 dev eth0", self.home))
            .unwrap();
    }

    fn in_router(&self, line: &str) {
        host(&format!("ip netns exec {} {line}", self.router)).unwrap();
    }

    fn command(&self, place: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", place, program]);
        command
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        let all = [&self.world, &self.thief, &self.router, &self.home];
        let _gone = all.map(|place| host(&format!("ip netns delete {place}")));
    }
}

/// The packets of the box, with their times since 1970.
struct Wire {
    packets: Captured,
    _child: Running,
}

impl Wire {
    fn count(&self) -> usize {
        self.packets.lock().unwrap().len()
    }

    fn times(&self) -> Vec<f64> {
        self.packets.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    /// What was in the datagrams.
    fn packets(&self) -> Vec<Vec<u8>> {
        const HEADERS: usize = 20 + 8;
        let packets = self.packets.lock().unwrap();
        packets.iter().filter_map(|(_, bytes)| bytes.get(HEADERS..).map(<[u8]>::to_vec)).collect()
    }
}

fn host(line: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    let ran = Command::new(program).args(words).output().map_err(|e| format!("{program}: {e}"))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(format!("{line}: {}", String::from_utf8_lossy(&ran.stderr).trim()))
}

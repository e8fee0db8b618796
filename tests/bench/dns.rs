//! How fast the responder is: answers over a million names on one core, beside Knot, asked by the same client.
//!
//! ```text
//! cargo bench --bench dns                  a million names, ten seconds a run; about two minutes
//! cargo bench --bench dns -- 100000 3      so many names, so many seconds
//! ```
//!
//! Needs Debian's `knot` and `dnsperf`, and two cores: each server in turn is held to the first, `dnsperf` to the second.
//! Knot has one UDP worker. A figure that counts is answers per second of the server's CPU time, since the client may be
//! the slower end; latencies are of a run at a fixed rate.

#![allow(clippy::unwrap_used, reason = "a bench ends where what it relies on does not hold")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stbcast::cloud::dns::{Host, TcpLimits, notify, publish, serve_tcp, serve_udp};
use stbcast::nameserver::{
    Address, Change, Directory, Found, Nameserver, Notifier, Now, Published, Publisher, Snapshot, Taken,
    Text, Ticket, Update, UpdateError, Zone, ZoneSettings,
};

#[path = "../../src/cloud/dns/sample.rs"]
mod sample;
#[path = "../../src/nameserver/sample.rs"]
mod sample_of_names;

use sample::{Plan, Sandbox};
use sample_of_names::{Sample, online};

/// Questions in the file that is asked round and round.
const QUESTIONS: u32 = 300_000;
/// Questions a second of the run that latencies are taken of.
const RATE: u32 = 20_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "serve") {
        return serve(words[1].parse().unwrap());
    }
    let number = |i: usize, default: u32| words.get(i).map_or(default, |word| word.parse().unwrap());
    let (names, seconds) = (number(0, 1_000_000), number(1, 10));
    let dir = std::env::temp_dir().join(format!("stbcast-bench-dns-{}", std::process::id()));
    fs::create_dir_all(dir.join("db")).unwrap();
    let questions = questions(&dir, names);
    println!("{names} names, {seconds} s a run\n");
    println!(
        "| server | answers/s | CPU | answers per CPU second | lost | p50 | p99 at {RATE}/s | resident |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let own = measure("stbcast", &start_own(names), &questions, seconds);
    let knot = measure("Knot", &start_knot(&dir, names), &questions, seconds);
    println!("\nof Knot's answers per CPU second: {:.2}", own / knot);
    fs::remove_dir_all(&dir).unwrap();
}

/// This program as the server: prints its port, ends with its standard input.
fn serve(names: u32) {
    let sandbox = Sandbox::start(move || {
        let zone = Zone::new(&ZoneSettings {
            apex: "box.test".into(),
            ns: vec!["ns1.box.test".into()],
            ..ZoneSettings::default()
        });
        let mut directory = Sample::new(1);
        for i in 0..names {
            directory.load(0, &format!("n{i}"), online(&address(i).to_string(), None, 0));
        }
        Plan {
            server: Nameserver::new(vec![(zone.unwrap(), 1)], vec![]),
            directory,
            notifier: Notifier::new(1, vec![]),
            limits: TcpLimits::default(),
            publisher: None,
            tick: Duration::from_secs(1),
            clock_error: 0,
        }
    });
    println!("{}", sandbox.address.port());
    std::io::stdout().flush().unwrap();
    _ = std::io::stdin().read_line(&mut String::new());
}

fn address(i: u32) -> Ipv4Addr {
    Ipv4Addr::from(0xcb00_0000 | i & 0x00ff_ffff)
}

/// All about names that there are: answers that there is none are limited to 20 a second for one network, and would be a
/// measurement of that alone.
fn questions(dir: &Path, names: u32) -> PathBuf {
    let mut text = String::new();
    for i in 0..QUESTIONS {
        let which = i.wrapping_mul(2_654_435_761) % names;
        writeln!(text, "n{which}.box.test A").unwrap();
    }
    let path = dir.join("questions");
    fs::write(&path, text).unwrap();
    path
}

struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn start_own(names: u32) -> Server {
    let mut child = Command::new("taskset")
        .args(["-c", "0"])
        .arg(std::env::current_exe().unwrap())
        .args(["serve", &names.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    let server = Server { child, port: line.trim().parse().unwrap() };
    wait(&server);
    server
}

fn start_knot(dir: &Path, names: u32) -> Server {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = dir.display();
    let mut zone =
        String::from("$ORIGIN box.test.\n$TTL 60\n@ SOA ns1 hostmaster 1 300 60 1209600 30\n@ NS ns1\n");
    (0..names).for_each(|i| writeln!(zone, "n{i} A {}", address(i)).unwrap());
    fs::write(dir.join("box.zone"), zone).unwrap();
    let conf = format!(
        "server:\n    rundir: \"{at}\"\n    listen: 127.0.0.1@{port}\n    udp-workers: 1\n    tcp-workers: 1\n    \
         background-workers: 1\ndatabase:\n    storage: \"{at}/db\"\nzone:\n  - domain: box.test\n    \
         storage: \"{at}\"\n    file: box.zone\n"
    );
    fs::write(dir.join("knot.conf"), conf).unwrap();
    let child = Command::new("taskset")
        .args(["-c", "0", "/usr/sbin/knotd", "-c"])
        .arg(dir.join("knot.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server { child, port };
    wait(&server);
    server
}

/// Waits until the last of the names is answered.
fn wait(server: &Server) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let question = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x02n0\x03box\x04test\0\0\x01\0\x01";
    let deadline = Instant::now() + Duration::from_secs(180);
    let mut answer = [0; 512];
    while Instant::now() < deadline {
        socket.send_to(question, ("127.0.0.1", server.port)).unwrap();
        if socket.recv(&mut answer).is_ok_and(|_| answer[7] == 1) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the server does not answer");
}

/// A line of the table; returns answers per second of CPU time.
fn measure(name: &str, server: &Server, questions: &Path, seconds: u32) -> f64 {
    let before = cpu(server);
    let began = Instant::now();
    let said = ask(server, questions, seconds, &["-q", "1000"]);
    let (cpu, took) = (cpu(server) - before, began.elapsed().as_secs_f64());
    let figure = |what: &str| -> f64 {
        let line =
            said.lines().find_map(|line| line.trim().strip_prefix(what)).unwrap_or_else(|| panic!("{said}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let (completed, lost) = (figure("Queries completed:"), figure("Queries lost:"));
    let slow = ask(server, questions, seconds.min(5), &["-v", "-Q", &RATE.to_string()]);
    let mut latencies: Vec<f64> = slow
        .lines()
        .filter(|line| line.starts_with("> "))
        .filter_map(|line| line.split_whitespace().last()?.parse().ok())
        .collect();
    latencies.sort_by(f64::total_cmp);
    let quantile = |q: usize| latencies[(latencies.len() - 1) * q / 100] * 1e6;
    println!(
        "| {name} | {:.0} | {:.2} | {:.0} | {lost} | {:.0} µs | {:.0} µs | {} MB |",
        figure("Queries per second:"),
        cpu / took,
        completed / cpu,
        quantile(50),
        quantile(99),
        resident(server) / 1024,
    );
    completed / cpu
}

fn ask(server: &Server, questions: &Path, seconds: u32, more: &[&str]) -> String {
    let out = Command::new("taskset")
        .args(["-c", "1", "dnsperf", "-s", "127.0.0.1", "-c", "8", "-T", "1", "-p", &server.port.to_string()])
        .args(["-l", &seconds.to_string(), "-d"])
        .arg(questions)
        .args(more)
        .output()
        .unwrap();
    String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
}

/// Seconds of CPU time so far, user and system.
fn cpu(server: &Server) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    // utime and stime, in ticks of 10 ms (proc(5)).
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// KiB of memory.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

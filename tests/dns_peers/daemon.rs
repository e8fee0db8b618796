//! Other programs: directories and ports of their own, and an end.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use stbcast::nameserver::{Key, Nameserver, Notifier, Secondary, Zone, ZoneSettings};

use super::TcpLimits;
use super::sample::{Plan, Sandbox};
use super::sample_of_names::{Sample, online};

/// The key of transfers and of what is pushed.
pub(super) const SECRET: &str = "c2VjcmV0IG9mIHRoZSB0cmFuc2Zlcg==";
pub(super) const KEY: &str = "hmac-sha256:transfer.key:c2VjcmV0IG9mIHRoZSB0cmFuc2Zlcg==";
/// The secret of alice, as in a file of keys.
pub(super) const ALICE: &str = "hmac-sha256:alice.box.test:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

pub(super) fn key() -> Key {
    Key::parse(KEY).unwrap()
}

/// A directory that goes when it is dropped.
pub(super) struct Dir(PathBuf);

impl Dir {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("stbcast-dns-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A directory in it; one that is there already stays.
    pub(super) fn make(&self, name: &str) {
        fs::create_dir_all(self.0.join(name)).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// A port of 127.0.0.1 that nobody has by UDP and TCP.
pub(super) fn free_port() -> u16 {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// A server that runs until it is dropped.
pub(super) struct Daemon(Child);

impl Daemon {
    pub(super) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Politely first: NSD has children, which it ends itself.
        let id = nix::unistd::Pid::from_raw(self.0.id().try_into().unwrap());
        _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// What a program says, given `input`; it must end within 20 seconds.
pub(super) fn say(words: &[&str], input: &str) -> String {
    let mut command = Command::new("timeout");
    command.arg("20").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
}

/// Waits until `is` says what it found; 40 seconds at most.
#[track_caller]
pub(super) fn wait<T>(what: &str, mut is: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        match is() {
            Ok(found) => return found,
            Err(why) if Instant::now() > deadline => panic!("{what}: {why}"),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Waits until the server at `port` gives exactly `expected` for `question`, in words as `kdig +short` has them.
#[track_caller]
pub(super) fn wait_answer(port: u16, question: &[&str], expected: &str) {
    let port = port.to_string();
    let words = [&["kdig", "@127.0.0.1", "-p", &port, "+short", "+timeout=1", "+retry=0"], question].concat();
    wait(&format!("{question:?}"), || {
        let said = say(&words, "");
        let mut lines: Vec<&str> =
            said.lines().map(str::trim_end).filter(|line| !line.starts_with(";;")).collect();
        lines.sort_unstable();
        if lines.join("|") == expected && !said.contains(";;") { Ok(()) } else { Err(said) }
    });
}

/// A plan with alice, bob who is off, and `more` others.
pub(super) fn plan(secondaries: Vec<Secondary>, more: usize) -> Plan {
    let zone = Zone::new(&ZoneSettings {
        apex: "box.test".into(),
        ns: vec!["ns1.box.test".into()],
        records: vec!["ns1 A 127.0.0.1".into(), "@ CAA 0 issue \"ca.example\"".into()],
        ..ZoneSettings::default()
    })
    .unwrap();
    let mut directory = Sample::new(1);
    directory.load(0, "alice", online("203.0.113.5", Some("2001:db8::5"), 8443));
    directory.load(0, "bob", stbcast::nameserver::Snapshot::default());
    directory.set_secret(0, "alice", [7; 32]);
    for i in 0..more {
        let i = u32::try_from(i).unwrap();
        let v4 = std::net::Ipv4Addr::from(0xcb00_7100 + i % 256).to_string();
        directory.load(0, &format!("n{i}"), online(&v4, None, 0));
    }
    Plan {
        server: Nameserver::new(vec![(zone, 1000)], vec![key()]),
        directory,
        notifier: Notifier::new(1, secondaries),
        limits: TcpLimits::default(),
        publisher: None,
        tick: Duration::from_millis(200),
        clock_error: 0,
    }
}

pub(super) fn port(sandbox: &Sandbox) -> String {
    sandbox.address.port().to_string()
}

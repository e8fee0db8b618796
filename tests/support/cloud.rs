//! A name service under test: the real program, its state in a directory of its own.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::stb::{Dir, wait_for};

/// The program under test.
pub const STBCAST_CLOUD: &str = env!("CARGO_BIN_EXE_stbcast-cloud");
/// The zone of all tests.
pub const ZONE: &str = "box.test";

/// A name service that runs.
pub struct Cloud {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    arguments: Vec<String>,
    pub dir: Dir,
    pub dns: SocketAddr,
    pub http: SocketAddr,
    pub heartbeat: SocketAddr,
}

impl Cloud {
    /// One on loopback, where whoever comes first gets a name.
    pub fn open() -> Self {
        Self::start(Ipv4Addr::LOCALHOST.into(), &["--enrol", "open", "--publish-private"])
    }

    /// One at `ip` with these arguments more.
    pub fn start(ip: IpAddr, more: &[&str]) -> Self {
        let [dns, http, heartbeat] = [free_port(ip), free_port(ip), free_port(ip)];
        let mut arguments: Vec<String> = ["--zone", ZONE, "--log", "debug"].map(String::from).into();
        for (key, address) in
            [("--dns", dns), ("--http", http), ("--heartbeat", heartbeat), ("--shard", heartbeat)]
        {
            if key != "--shard" || !more.contains(&key) {
                arguments.extend([key.to_owned(), address.to_string()]);
            }
        }
        arguments.extend(["--record".to_owned(), format!("ns1 A {}", Ipv4Addr::LOCALHOST)]);
        arguments.extend(more.iter().map(|s| (*s).to_owned()));
        let (dir, log) = (Dir::new(), Arc::default());
        let (child, reader) = spawn(&dir, &arguments, &log);
        let mut cloud = Self { child, log, reader: Some(reader), arguments, dir, dns, http, heartbeat };
        cloud.wait_up();
        cloud
    }

    /// Runs `stbcast-cloud` with these words against it.
    pub fn ask(&self, words: &[&str]) -> Output {
        Command::new(STBCAST_CLOUD)
            .args(words)
            .arg("--state")
            .arg(self.dir.path())
            .output()
            .expect("it starts")
    }

    /// The same, which has to be done; what it said.
    pub fn tell(&self, words: &[&str]) -> String {
        let out = self.ask(words);
        let err = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{words:?}: {err}\n{}", self.log());
        String::from_utf8(out.stdout).expect("it says text").trim().to_owned()
    }

    /// A field of what `show` says of a name.
    pub fn field(&self, name: &str, field: &str) -> String {
        let shown = self.tell(&["show", name]);
        let line = shown.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {field} in:\n{shown}")).trim().to_owned()
    }

    /// Its public key.
    pub fn key(&self) -> String {
        self.tell(&["key"])
    }

    /// All it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader panicked").clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a cut of power does, as far as a process can be.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it can be waited for");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log's reader ends");
        }
    }

    /// Stops it by SIGTERM. Panics unless it ends well and in time.
    pub fn stop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).expect("a process id is positive"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it runs");
        let status = wait_for("its end", || self.child.try_wait().expect("it can be waited for"));
        assert_eq!(status.code(), Some(0), "it ends well; it wrote: {}", self.log());
    }

    /// Starts it after it ended, with the same arguments and state, and these more.
    pub fn begin(&mut self, more: &[&str]) {
        self.arguments.extend(more.iter().map(|s| (*s).to_owned()));
        let (child, reader) = spawn(&self.dir, &self.arguments, &self.log);
        (self.child, self.reader) = (child, Some(reader));
        self.wait_up();
    }

    fn wait_up(&mut self) {
        wait_for("the name service", || {
            let ended = self.child.try_wait().expect("it can be waited for");
            assert!(ended.is_none(), "the name service ended: {}", self.log());
            TcpStream::connect_timeout(&self.http, Duration::from_secs(1)).ok()
        });
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let end = log.lines().rev().take(20).collect::<Vec<_>>();
            eprintln!(
                "the name service wrote last: {}",
                end.into_iter().rev().collect::<Vec<_>>().join("\n")
            );
        }
    }
}

/// A port that is free for TCP and UDP, below those that the kernel gives away (32768 and on): who connects somewhere
/// meanwhile, or while the service is restarted, does not take it.
fn free_port(ip: IpAddr) -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    wait_for("a free port", || {
        // Each test program begins elsewhere.
        let n = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + n % 20_000).ok()?;
        let address = SocketAddr::new(ip, port);
        let _tcp = TcpListener::bind(address).ok()?;
        UdpSocket::bind(address).ok().map(|_| address)
    })
}

fn spawn(dir: &Dir, arguments: &[String], log: &Arc<Mutex<String>>) -> (Child, JoinHandle<()>) {
    let mut child = Command::new(STBCAST_CLOUD)
        .arg("run")
        .arg("--state")
        .arg(dir.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let (mut pipe, log) = (child.stderr.take().expect("it is piped"), Arc::clone(log));
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut bytes) {
            log.lock().expect("nobody panicked").push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    });
    (child, reader)
}

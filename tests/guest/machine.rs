//! A guest: Debian's kernel for ARM in QEMU, which does what it is told over a connection.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::support::http::Client;
use super::support::stb::wait_at_most;
use super::support::uninterrupted;

/// Where the guest's scripts are.
pub(super) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest")
}

/// A guest comes up within this, on the slowest machine; what it needs was fetched before.
const BOOT: Duration = Duration::from_secs(90);
/// No command in it takes longer.
const COMMAND: Duration = Duration::from_secs(60);
/// It ends by itself after so many seconds, whatever becomes of the test.
const LIFE: &str = "240";
/// The port of its shell, and of the box in it.
const PORTS: [u16; 2] = [2300, 8800];
/// What is added to them on this computer, below the ports that clients get.
const SHIFT: u16 = 10_000;

/// What a command in the guest left behind: what it printed, and its exit status.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
}

/// A guest that runs. It ends with this.
pub(super) struct Guest {
    child: Child,
    console: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// An address of this computer that is the guest's alone.
    address: Ipv4Addr,
}

impl Guest {
    /// Boots `machine` with the directory `share` and an image of a disk, and more options of `tests/guest/boot`.
    pub(super) fn boot(machine: &str, share: &Path, disk: &Path, more: &[&str]) -> Self {
        static MADE: AtomicU8 = AtomicU8::new(1);
        // All of 127.0.0.0/8 is this computer: a part of it for each process, so that tests do not meet.
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 64 + MADE.fetch_add(1, Ordering::Relaxed) % 128, high, low);
        let mut command = Command::new(scripts().join("boot"));
        command.arg("--share").arg(share).arg("--disk").arg(disk).args(["--seconds", LIFE]);
        for port in PORTS {
            command.arg("--forward").arg(format!("{address}:{}:{port}", port + SHIFT));
        }
        command.args(more).arg(machine).arg(scripts().join("listen"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("tests/guest/boot starts");
        let console = Arc::<Mutex<String>>::default();
        let mut stdout = child.stdout.take().expect("its standard output is a pipe");
        let into = Arc::clone(&console);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut chunk) {
                into.lock().expect("nobody panics with it").push_str(&String::from_utf8_lossy(&chunk[..n]));
            }
        });
        let mut guest = Self { child, console, reader: Some(reader), address };
        wait_at_most(BOOT, "the guest's shell", || {
            let ended = guest.child.try_wait().expect("it can be waited for");
            assert!(ended.is_none(), "the guest ended: {}", guest.console());
            guest.try_run("true").filter(|said| said.code == 0)
        });
        guest
    }

    /// Runs a script of its busybox.
    pub(super) fn run(&self, script: &str) -> Said {
        self.try_run(script).unwrap_or_else(|| panic!("no answer to '{script}'; console: {}", self.console()))
    }

    /// The same, which must go well; what it printed.
    pub(super) fn done(&self, script: &str) -> String {
        let said = self.run(script);
        assert_eq!(said.code, 0, "{script}: {}", said.out);
        said.out
    }

    fn try_run(&self, script: &str) -> Option<Said> {
        let mut stream = TcpStream::connect(self.reached(PORTS[0])).ok()?;
        stream.set_read_timeout(Some(COMMAND)).ok()?;
        stream.write_all(script.as_bytes()).ok()?;
        stream.shutdown(Shutdown::Write).ok()?;
        let mut out = Vec::new();
        // To the status, which comes last: what was started in the background may keep the connection open.
        let mut chunk = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&out);
            if let Some((said, code)) = text.trim_end_matches('\n').rsplit_once("exit ")
                && text.ends_with('\n')
                && let Ok(code) = code.parse()
                && (said.is_empty() || said.ends_with('\n'))
            {
                return Some(Said { code, out: said.to_owned() });
            }
            match uninterrupted(|| stream.read(&mut chunk)) {
                Ok(n @ 1..) => out.extend_from_slice(&chunk[..n]),
                _ => return None,
            }
        }
    }

    /// The address here that leads to a port there.
    fn reached(&self, port: u16) -> SocketAddr {
        (self.address, port + SHIFT).into()
    }

    /// Where the box in the guest is reached from here.
    pub(super) fn address(&self) -> SocketAddr {
        self.reached(PORTS[1])
    }

    /// A connection to the box in the guest.
    pub(super) fn client(&self) -> Client {
        Client::connect(self.reached(PORTS[1]))
    }

    /// What was written to its console.
    pub(super) fn console(&self) -> String {
        self.console.lock().expect("no reader panicked").clone()
    }

    /// Ends it as a cut of power does: what its kernel had not written is gone.
    pub(super) fn cut_power(mut self) {
        self.kill();
    }

    /// Switches it off, what was written being on its disk.
    pub(super) fn switch_off(mut self) {
        self.done("sync; kill $(cat /tmp/listener)");
        let status =
            wait_at_most(BOOT, "the guest's end", || self.child.try_wait().expect("it can be waited for"));
        assert_eq!(status.code(), Some(0), "{}", self.console());
    }

    fn kill(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id is positive"));
        let _ended = killpg(group, Signal::SIGKILL);
        let _reaped = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _panicked = reader.join();
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the guest's console: {}", self.console());
        }
    }
}

/// An empty ext4 file system of 16 MiB, as a box has for its state.
pub(super) fn disk(path: PathBuf) -> PathBuf {
    let file = fs::File::create(&path).expect("an image can be made");
    file.set_len(16 << 20).expect("an image can be made as long");
    let mut mkfs = Command::new("mkfs.ext4");
    mkfs.args(["-q", "-F"]).arg(&path).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    assert!(mkfs.status().expect("mkfs.ext4 starts").success());
    path
}

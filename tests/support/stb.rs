//! A box under test: the real program, its state in a directory of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::http::{DEADLINE, split};

/// The program under test.
pub const STBCASTD: &str = env!("CARGO_BIN_EXE_stbcastd");
/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// The committed mux of four services.
pub fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/demo.ts")
}

/// Waits until `found` gives something. Panics with `what` at the deadline.
pub fn wait_for<T>(what: &str, found: impl FnMut() -> Option<T>) -> T {
    wait_at_most(DEADLINE, what, found)
}

/// The same with a deadline of its own.
pub fn wait_at_most<T>(most: Duration, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + most;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {most:?}");
        std::thread::sleep(LOOK);
    }
}

/// A directory that goes when this does.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stbcast-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for a test can be made");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and gives its path as text.
    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("a file for a test can be written");
        path.to_str().expect("the path is UTF-8").to_owned()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // The helper of a box that was just ended may still be writing.
        for _ in 0..50 {
            let _again = fs::remove_dir_all(&self.0);
            if !self.0.exists() {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// A box that runs.
pub struct Stb {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    arguments: Vec<String>,
    /// Its state and whatever the test puts there.
    pub dir: Dir,
    pub address: SocketAddr,
}

impl Stb {
    /// A box with these sources, on a port of its own.
    pub fn start(sources: &[&str]) -> Self {
        Self::start_in(Dir::new(), sources, &[])
    }

    /// The same with its state in `dir`, and with more arguments.
    pub fn start_in(dir: Dir, sources: &[&str], more: &[&str]) -> Self {
        let mut arguments: Vec<String> =
            ["--listen", "127.0.0.1:0", "--log", "debug"].map(String::from).into();
        arguments.extend(sources.iter().flat_map(|s| ["--source".to_owned(), (*s).to_owned()]));
        arguments.extend(more.iter().map(|s| (*s).to_owned()));
        let log = Arc::default();
        let (child, reader) = spawn(&dir.state(), &arguments, &log);
        let address = ([127, 0, 0, 1], 0).into();
        let mut stb = Self { child, log, reader: Some(reader), arguments, dir, address };
        stb.learn_address();
        stb
    }

    /// A box that plays a file made of `bytes`, with `query` behind its name.
    pub fn playing(bytes: &[u8], query: &str) -> Self {
        let dir = Dir::new();
        let source = format!("file:{}{query}", dir.file("mux.ts", bytes));
        Self::start_in(dir, &[&source], &[])
    }

    /// A link to a channel's number, or to `playlist`, as `stbcastd link` prints it.
    pub fn link(&self, target: impl ToString, more: &[&str]) -> String {
        let target = target.to_string();
        let out = self.ask(&[&["link", &target], more].concat());
        assert!(out.status.success(), "link {target}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("a link is text").trim().to_owned()
    }

    /// A link to watch a channel by any number of players.
    pub fn channel(&self, number: u16) -> String {
        self.link(number, &["--connections", "0"])
    }

    /// The URL of the list of channels, and the token that any request may carry.
    pub fn list(&self) -> (String, String) {
        let link = self.link("playlist", &["--connections", "0"]);
        let token = super::http::token(&link).to_owned();
        (format!("http://{}/api/v1/channels?t={token}", self.address), token)
    }

    /// Runs `stbcastd` with these words against this box.
    pub fn ask(&self, words: &[&str]) -> Output {
        let asked = Command::new(STBCASTD).args(words).arg("--state").arg(self.dir.state()).output();
        asked.expect("stbcastd starts")
    }

    /// What the box answers to `status` at its local socket, a line each; the last is of the box itself.
    pub fn status(&self) -> Vec<String> {
        self.query("{\"cmd\":\"status\"}").expect("the box answers")
    }

    /// The line of a mux, by its place.
    pub fn mux(&self, place: usize) -> String {
        self.status().swap_remove(place)
    }

    /// The lines of all channels, those not available with them.
    pub fn channels(&self) -> Vec<String> {
        let mut lines = self.query("{\"cmd\":\"channels\",\"all\":true}").expect("the box answers");
        lines.pop();
        lines
    }

    /// Waits until so many channels are known, and gives their lines.
    pub fn wait_channels(&self, count: usize) -> Vec<String> {
        wait_for(&format!("{count} channels"), || Some(self.channels()).filter(|lines| lines.len() >= count))
    }

    /// A line to the local socket, and the lines back.
    pub fn query(&self, line: &str) -> std::io::Result<Vec<String>> {
        ask_at(&self.dir.state(), line)
    }

    /// All it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader panicked").clone()
    }

    /// Waits until `part` is in the log, which comes by a thread of its own.
    pub fn wait_log(&self, part: &str) {
        wait_for(&format!("'{part}' in the log"), || self.log().contains(part).then_some(()));
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it by SIGTERM, as an init does. Panics unless it ends well and in time.
    pub fn stop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).expect("a process id is positive"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("the box runs");
        let status = wait_for("the box's end", || self.child.try_wait().expect("the box can be waited for"));
        assert_eq!(status.code(), Some(0), "the box ends well; it wrote: {}", self.log());
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log's reader ends");
        }
    }

    /// Ends it as a cut of power does, as far as a process can be.
    pub fn kill(&mut self) {
        self.child.kill().expect("the box runs");
        self.child.wait().expect("the box can be waited for");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log's reader ends");
        }
    }

    /// Stops it and starts it again with the same arguments and state.
    pub fn restart(&mut self) {
        self.stop();
        self.begin();
    }

    /// Stops it and starts it again with these sources in place of the others.
    pub fn restart_with(&mut self, sources: &[&str]) {
        let words: Vec<_> = sources.iter().flat_map(|source| ["--source", source]).collect();
        self.restart_as(&words);
    }

    /// Stops it and starts it again with these arguments in place of the others.
    pub fn restart_as(&mut self, words: &[&str]) {
        self.stop();
        self.arguments.truncate(4);
        self.arguments.extend(words.iter().map(|word| (*word).to_owned()));
        self.begin();
    }

    /// Starts it after it was stopped.
    pub fn begin(&mut self) {
        let (child, reader) = spawn(&self.dir.state(), &self.arguments, &self.log);
        (self.child, self.reader) = (child, Some(reader));
        self.learn_address();
    }

    fn learn_address(&mut self) {
        let playlist = wait_for("the box's local socket", || {
            let ended = self.child.try_wait().expect("the box can be waited for");
            assert!(ended.is_none(), "the box ended: {}", self.log());
            let lines = self.query("{\"cmd\":\"link\",\"channel\":0}").ok()?;
            lines.first().and_then(|line| text(line, "url")).map(str::to_owned)
        });
        self.address = split(&playlist).0;
    }
}

impl Drop for Stb {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let end = log.lines().rev().take(20).collect::<Vec<_>>();
            eprintln!("the box wrote last: {}", end.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

impl Dir {
    /// Where a box keeps its state.
    pub fn state(&self) -> PathBuf {
        self.0.join("state")
    }
}

fn spawn(state: &Path, arguments: &[String], log: &Arc<Mutex<String>>) -> (Child, JoinHandle<()>) {
    let mut child = Command::new(STBCASTD)
        .arg("run")
        .arg("--state")
        .arg(state)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("stbcastd starts");
    let stderr = child.stderr.take().expect("its standard error is a pipe");
    let log = Arc::clone(log);
    let reader = std::thread::spawn(move || {
        let mut stderr = BufReader::new(stderr);
        let mut line = String::new();
        while stderr.by_ref().take(1 << 16).read_line(&mut line).is_ok_and(|n| n > 0) {
            log.lock().expect("nobody panics with the log").push_str(&line);
            line.clear();
        }
    });
    (child, reader)
}

/// A line to the local socket of the box with its state in `state`, and the lines back.
pub fn ask_at(state: &Path, line: &str) -> std::io::Result<Vec<String>> {
    let mut stream = UnixStream::connect(state.join("stbcast.sock"))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut lines = Vec::new();
    for answer in BufReader::new(stream).lines().skip(1) {
        lines.push(answer?);
        if lines.last().is_some_and(|l| l.starts_with("{\"done\":")) {
            return Ok(lines);
        }
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}

/// Runs `stbcastd` to its end, which must come soon by itself.
pub fn run_to_end(words: &[&str]) -> Output {
    let mut child = Command::new(STBCASTD)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("stbcastd starts");
    let deadline = Instant::now() + DEADLINE;
    while child.try_wait().expect("it can be waited for").is_none() {
        if Instant::now() >= deadline {
            let _killed = child.kill();
            let _reaped = child.wait();
            panic!("stbcastd {words:?} does not end");
        }
        std::thread::sleep(LOOK);
    }
    child.wait_with_output().expect("its output can be read")
}

/// The number behind `"name":` in a line of JSON.
pub fn number(line: &str, name: &str) -> u64 {
    let found = after(line, name).and_then(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    });
    found.unwrap_or_else(|| panic!("{line} has no number '{name}'"))
}

/// The text behind `"name":` in a line of JSON, as it stands there.
pub fn text<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = after(line, name)?.strip_prefix('"')?;
    let mut escaped = false;
    let end = rest.find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    Some(&rest[..end])
}

fn after<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!("\"{name}\":")).map(|(_, rest)| rest)
}

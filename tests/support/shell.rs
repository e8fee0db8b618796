//! Somebody at a shell: the real `stbcast` with keys of its own, and programs that are talked to while they run.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::support::stb::{Dir, STBCASTD, Stb, wait_for};

/// The program under test.
pub const STBCAST: &str = env!("CARGO_BIN_EXE_stbcast");

/// A user of `stbcast`.
pub struct Shell {
    home: Dir,
}

/// What a program left behind.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Shell {
    pub fn new() -> Self {
        Self { home: Dir::new() }
    }

    /// Where the keys are.
    pub fn keys(&self) -> PathBuf {
        self.home.path().join("stbcast/boxes")
    }

    /// What the file of keys holds; nothing where there is none.
    pub fn kept(&self) -> String {
        fs::read_to_string(self.keys()).unwrap_or_default()
    }

    /// `stbcast` with these words.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(STBCAST);
        command.args(words).env("XDG_CONFIG_HOME", self.home.path()).env_remove("STBCAST_LINK");
        command
    }

    /// Starts it.
    pub fn start(&self, words: &[&str]) -> Program {
        Program::start(&mut self.command(words))
    }

    /// The same, to its end, with nobody at the keyboard.
    pub fn run(&self, words: &[&str]) -> Said {
        self.start(words).end()
    }

    /// The same, which must go well; what it printed.
    pub fn done(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!(said.code, Some(0), "stbcast {words:?}: {said:?}");
        said.out
    }

    /// The same, which must fail; what it said of that.
    pub fn fails(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "stbcast {words:?}: {said:?}");
        said.err
    }

    /// Pairs with `stb` by the link of a window of its own, as `name`.
    pub fn pair(&self, stb: &Stb, name: &str) -> String {
        let screen = screen(stb, &["--qr", "--yes"]);
        let link = screen.word("link");
        let said = self.done(&["pair", &link, "--name", name]);
        assert_eq!(screen.end().code, Some(0));
        said
    }
}

/// `stbcastd pair` with these words, once it shows its code.
pub fn screen(stb: &Stb, words: &[&str]) -> Program {
    let mut command = Command::new(STBCASTD);
    command.arg("pair").args(words).arg("--state").arg(stb.dir.state());
    let screen = Program::start(&mut command);
    screen.wait_out("within ");
    screen
}

/// A program that runs. It ends with this.
pub struct Program {
    child: Child,
    keyboard: Option<ChildStdin>,
    out: Pipe,
    err: Pipe,
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        Self::start_at(command, None)
    }

    /// The same at this keyboard, in place of a pipe.
    pub fn start_at(command: &mut Command, keyboard: Option<OwnedFd>) -> Self {
        command.stdin(keyboard.map_or_else(Stdio::piped, Stdio::from));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let keyboard = child.stdin.take();
        let out = Pipe::of(child.stdout.take().expect("its standard output is a pipe"));
        let err = Pipe::of(child.stderr.take().expect("its standard error is a pipe"));
        Self { child, keyboard, out, err }
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        let keyboard = self.keyboard.as_mut().expect("it has a keyboard");
        keyboard.write_all(format!("{line}\n").as_bytes()).expect("the program reads");
    }

    /// Waits until `part` was printed.
    pub fn wait_out(&self, part: &str) {
        wait_for(&format!("'{part}'"), || {
            let said = self.out.text();
            assert!(said.contains(part) || !self.out.has_ended(), "it ended: {said}\n{}", self.err.text());
            said.contains(part).then_some(())
        });
    }

    /// Bytes that were printed so far.
    pub fn printed(&self) -> usize {
        self.out.bytes.lock().expect("no reader panicked").len()
    }

    /// What stands behind `word` at the start of a line.
    pub fn word(&self, word: &str) -> String {
        let out = self.out.text();
        let found = out.lines().find_map(|line| line.strip_prefix(word)).map(|rest| rest.trim().to_owned());
        found.unwrap_or_else(|| panic!("no '{word}' in {out}"))
    }

    pub fn out(&self) -> String {
        self.out.text()
    }

    pub fn err(&self) -> String {
        self.err.text()
    }

    /// Waits for its end, with nobody at the keyboard any more.
    pub fn end(mut self) -> Said {
        self.keyboard = None;
        let status = wait_for("the program's end", || self.child.try_wait().expect("it can be waited for"));
        for pipe in [&mut self.out, &mut self.err] {
            pipe.join();
        }
        Said { code: status.code(), out: self.out.text(), err: self.err.text() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What comes out of a program, read by a thread.
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Pipe {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let into = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 65536];
            while let Ok(n @ 1..) = pipe.read(&mut chunk) {
                into.lock().expect("nobody panics with it").extend_from_slice(&chunk[..n]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no reader panicked")).into_owned()
    }

    fn has_ended(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader ends");
        }
    }
}

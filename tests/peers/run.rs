//! Other programs: each has an end, by itself or by us.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `words` to its end. Panics where the program is missing or takes longer than `most`.
pub(crate) fn run(words: &[&str], most: Duration) -> Ran {
    run_command(Command::new(words[0]).args(&words[1..]), most)
}

/// The same for a command with more to it than words.
pub(crate) fn run_command(command: &mut Command, most: Duration) -> Ran {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let out = child.stdout.take().map(gather);
    let err = child.stderr.take().map(gather);
    let deadline = Instant::now() + most;
    let mut late = false;
    let status = loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => break status,
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
            None => {
                late = true;
                child.kill().expect("a running child can be ended");
                break child.wait().expect("a child can be waited for");
            }
        }
    };
    let [out, err] = [out, err].map(|reader| reader.map_or_else(String::new, |r| r.join().unwrap()));
    assert!(!late, "{command:?} did not end within {most:?}\n{out}\n{err}");
    Ran { code: status.code(), out, err }
}

fn gather(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _closed = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

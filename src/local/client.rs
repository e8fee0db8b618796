//! The asking end: a short-lived program, which may wait.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::protocol::{Done, Greeting, LINE_MAX, Request, line, read};

/// The box answers within this or is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where it has to ask its name service.
const PATIENCE_FOR_NAMES: Duration = Duration::from_secs(75);

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// No box runs with this socket, or it cannot be reached.
    NotRunning(io::Error),
    /// The line broke.
    Broken(io::Error),
    /// What speaks there is no `stbcastd` of this protocol.
    NotABox,
    /// The box says why not.
    Refused(String),
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotRunning(e) => write!(f, "no stbcastd can be reached: {e}"),
            Self::Broken(e) => write!(f, "the box does not answer: {e}"),
            Self::NotABox => f.write_str("what answers on the socket is no stbcastd of this version"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// A conversation with a box.
pub struct Conversation {
    lines: BufReader<UnixStream>,
}

impl Conversation {
    /// Begins one with the box at `socket`.
    pub fn begin(socket: &Path) -> Result<Self, AskError> {
        Self::begin_within(socket, PATIENCE)
    }

    /// The same with another patience than [`Conversation::begin`] has, above zero, until the box greets.
    pub fn begin_within(socket: &Path, patience: Duration) -> Result<Self, AskError> {
        let stream = UnixStream::connect(socket).map_err(AskError::NotRunning)?;
        stream.set_read_timeout(Some(patience)).map_err(AskError::Broken)?;
        let mut lines = BufReader::new(stream);
        let greeting = next(&mut lines)?;
        if read::<Greeting>(&greeting).is_none_or(|g| g.v != 1) {
            return Err(refusal(&greeting));
        }
        Ok(Self { lines })
    }

    /// Asks; every line of the answer but the last goes to `found`, and so does what happens meanwhile. Gives the last.
    pub fn ask(&mut self, request: &Request, mut found: impl FnMut(&[u8])) -> Result<Vec<u8>, AskError> {
        let of_names = request.cmd.starts_with("name-");
        let patience = if of_names { PATIENCE_FOR_NAMES } else { PATIENCE };
        self.lines.get_ref().set_read_timeout(Some(patience)).map_err(AskError::Broken)?;
        self.lines.get_mut().write_all(&line(request)).map_err(AskError::Broken)?;
        loop {
            let answer = next(&mut self.lines)?;
            match read::<Done>(&answer) {
                Some(Done { done: true, .. }) => return Ok(answer),
                Some(Done { done: false, .. }) => return Err(refusal(&answer)),
                None => found(&answer),
            }
        }
    }

    /// The next thing that happens, however long that takes.
    pub fn listen(&mut self) -> Result<Vec<u8>, AskError> {
        self.lines.get_ref().set_read_timeout(None).map_err(AskError::Broken)?;
        let event = next(&mut self.lines);
        self.lines.get_ref().set_read_timeout(Some(PATIENCE)).map_err(AskError::Broken)?;
        event
    }
}

/// Asks the box at `socket` one thing; every line of the answer but the last goes to `found`. Gives the last.
pub fn ask(socket: &Path, request: &Request, found: impl FnMut(&[u8])) -> Result<Vec<u8>, AskError> {
    Conversation::begin(socket)?.ask(request, found)
}

/// Why the box refuses, in its own words where it has some.
fn refusal(answer: &[u8]) -> AskError {
    let why = read::<Done>(answer).and_then(|done| done.error);
    why.map_or(AskError::NotABox, |why| AskError::Refused(why.as_str().into()))
}

fn next(lines: &mut BufReader<UnixStream>) -> Result<Vec<u8>, AskError> {
    let mut bytes = Vec::new();
    lines.by_ref().take(LINE_MAX as u64).read_until(b'\n', &mut bytes).map_err(AskError::Broken)?;
    match bytes.pop() {
        Some(b'\n') => Ok(bytes),
        _ => Err(AskError::Broken(io::ErrorKind::UnexpectedEof.into())),
    }
}

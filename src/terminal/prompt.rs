//! Questions to who sits at the keyboard.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Read, Write};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroize;

use crate::handshake::Pin;

/// Characters of what is typed at most.
const TYPED: usize = 64;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum PromptError {
    /// Standard input cannot be read.
    Input(io::Error),
    /// Ctrl-C, or the end of input.
    Cancelled,
    /// What was typed is no PIN.
    NotAPin,
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(e) => write!(f, "cannot read standard input: {e}"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::NotAPin => f.write_str("a PIN is the eight digits on the box's screen"),
        }
    }
}

/// The PIN, typed without being shown where standard input is a terminal, or read from a line of it.
pub(super) fn pin() -> Result<Pin, PromptError> {
    const QUESTION: &str = "PIN on the box's screen: ";
    let mut typed = Typed::default();
    if io::stdin().is_terminal() {
        let _hidden = Hidden::begin().map_err(PromptError::Input)?;
        say(QUESTION);
        typed.read(io::stdin().lock(), Keys::All)?;
    } else {
        say(QUESTION);
        typed.read(io::stdin().lock(), Keys::Line)?;
    }
    Pin::parse(&typed.0).ok_or(PromptError::NotAPin)
}

/// Asks `question`; no is the answer of who says nothing.
pub(super) fn consents(question: &str) -> bool {
    say(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let _read = io::stdin().lock().take(TYPED as u64).read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Writes to standard error, so that standard output stays what was asked for.
fn say(text: &str) {
    let mut out = io::stderr();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Standard input shows nothing that is typed, until this goes. Keys come one by one, Ctrl-C too, so that the terminal
/// is always left as it was.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _left_as_is = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
        say("\n");
    }
}

/// Which keys mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// The end of the line alone.
    Line,
    /// Those that a terminal would have handled, too.
    All,
}

/// The digits that were typed; all else that people put between them is left out.
#[derive(Default)]
struct Typed(heapless::String<TYPED>);

impl Typed {
    fn read(&mut self, mut input: impl Read, keys: Keys) -> Result<(), PromptError> {
        const CTRL_C: u8 = 3;
        const CTRL_D: u8 = 4;
        const CTRL_U: u8 = 21;
        loop {
            let mut byte = [0];
            let length = match input.read(&mut byte) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(PromptError::Input)?,
            };
            match byte[0] {
                _ if length == 0 => {
                    return if self.0.is_empty() { Err(PromptError::Cancelled) } else { Ok(()) };
                }
                b'\r' | b'\n' => return Ok(()),
                CTRL_C | CTRL_D if keys == Keys::All => return Err(PromptError::Cancelled),
                8 | 127 if keys == Keys::All => drop(self.0.pop()),
                CTRL_U if keys == Keys::All => self.0.clear(),
                b' ' | b'-' => {}
                // What is no ASCII, or does not fit, is no PIN either.
                byte => self.0.push(char::from(byte)).map_err(|_| PromptError::NotAPin)?,
            }
        }
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.as_mut_slice().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(input: &[u8], keys: Keys) -> Option<String> {
        let mut typed = Typed::default();
        typed.read(input, keys).ok().map(|()| typed.0.as_str().to_owned())
    }

    #[test]
    fn keys_do_what_they_do_elsewhere() {
        for (input, is) in [
            (b"12345678\r".as_slice(), Some("12345678")),
            (b"1234 5678\n9", Some("12345678")),
            (b"12-34\x7f5\x08\x086\r", Some("126")),
            (b"99\x1512\r", Some("12")),
            (b"\x7f\x7f1\r", Some("1")),
            (b"12345678\x03", None),
            (b"\x04", None),
            (b"", None),
        ] {
            assert_eq!(typed(input, Keys::All).as_deref(), is, "{input:?}");
        }
        assert_eq!(typed(b"1234", Keys::Line).as_deref(), Some("1234"), "a pipe that ends");
        assert_eq!(typed(b"1\x03\n", Keys::Line).as_deref(), Some("1\u{3}"));
        assert_eq!(typed(&[b'1'; 65], Keys::Line), None);
    }
}

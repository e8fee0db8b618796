//! `stbcastd top`: how the box does, drawn anew each second until `q` or Ctrl-C; once and as plain text with `--once`,
//! or where nobody sits before a terminal.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::ask::reach;
use super::exit::Failure;
use super::questions::Question;
use crate::local::client::{AskError, Conversation};
use crate::local::protocol::{Item, Request, read};
use crate::sys::terminal::{Keys, size};

mod draw;

use draw::{Look, Picture};

/// Between two pictures.
const EVERY: Duration = Duration::from_secs(1);

/// Another screen than the one that the shell is on, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left corner; behind each line and behind the last, what stood there is wiped away.
const HOME: &str = "\x1b[H";
const WIPE_LINE: &str = "\x1b[K\r\n";
const WIPE_REST: &str = "\x1b[J";

pub(super) fn top(question: &Question) -> Result<(), Failure> {
    let live = !question.once && io::stdout().is_terminal() && io::stdin().is_terminal();
    reach(&question.sockets, |socket| {
        let mut talk = Conversation::begin(socket)?;
        if live {
            return watch(&mut talk);
        }
        let picture = asked(&mut talk)?;
        let width = size(io::stdout().as_fd()).map_or(u16::MAX, |(width, _)| width);
        print!("{}", picture.text(None, &Look { width, colours: false }));
        Ok(())
    })
}

/// The status, as the box tells it now.
fn asked(talk: &mut Conversation) -> Result<Picture, AskError> {
    let mut picture = Picture::default();
    talk.ask(&Request::new("top"), |line| {
        if let Some(item) = read::<Item>(line) {
            picture.take(item);
        }
    })?;
    Ok(picture)
}

/// Draws until somebody has seen enough. The terminal is what it was before when this returns.
fn watch(talk: &mut Conversation) -> Result<(), AskError> {
    let (input, output) = (io::stdin(), io::stdout());
    let signals = signals().map_err(AskError::Broken)?;
    let keys = Keys::of(input.as_fd()).map_err(AskError::Broken)?;
    let mut screen = output.lock();
    let _gone = screen.write_all(ENTER.as_bytes());
    let mut before = None;
    let ended = loop {
        let began = Instant::now();
        let picture = match asked(talk) {
            Ok(picture) => picture,
            Err(why) => break Err(why),
        };
        let (width, height) = size(output.as_fd()).unwrap_or((80, 24));
        let text = picture.text(before.as_ref(), &Look { width, colours: true });
        if let Err(e) = show(&mut screen, &text, height.into()) {
            break Err(AskError::Broken(e));
        }
        before = Some(picture);
        match wait(input.as_fd(), &signals, EVERY.saturating_sub(began.elapsed())) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(e) => break Err(AskError::Broken(e)),
        }
    };
    let _gone = screen.write_all(LEAVE.as_bytes()).and_then(|()| screen.flush());
    drop(keys);
    ended
}

/// As many lines as there are rows, each over what stood there.
fn show(screen: &mut impl Write, text: &str, rows: usize) -> io::Result<()> {
    let lines: Vec<&str> = text.lines().take(rows.saturating_sub(1)).collect();
    write!(screen, "{HOME}{}{WIPE_REST}", lines.join(WIPE_LINE) + WIPE_LINE)?;
    screen.flush()
}

/// What would end the program comes here instead, so that the terminal is not left as it is; a change of its size, too.
fn signals() -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGWINCH] {
        set.add(signal);
    }
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

/// Waits for the next picture's time. `false`: it was the last one.
fn wait(input: BorrowedFd<'_>, signals: &SignalFd, time: Duration) -> io::Result<bool> {
    let wait = PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO);
    let mut ready = [PollFd::new(input, PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, wait) {
        Err(nix::Error::EINTR) => return Ok(true),
        other => other?,
    };
    if ready[0].any() == Some(true) {
        let mut keys = [0; 16];
        let n = nix::unistd::read(input, &mut keys)?;
        let ends = |key: &u8| matches!(key, b'q' | b'Q' | 0x03 | 0x04);
        return Ok(n > 0 && !keys[..n].iter().any(ends));
    }
    while let Ok(Some(signal)) = signals.read_signal() {
        if signal.ssi_signo.cast_signed() != Signal::SIGWINCH as i32 {
            return Ok(false);
        }
    }
    Ok(true)
}

//! `stbcastd pair`: the box's screen, in a terminal. Shows the QR code and the PIN, and asks who sits there.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use super::ask::reach;
use super::exit::Failure;
use super::questions::Question;
use crate::local::client::{AskError, Conversation};
use crate::local::protocol::{EventLine, PairingLine, QrLine, QrView, Request, read};

/// Opens the window and stays until somebody is let in, or it closes.
pub(super) fn pair(question: &Question) -> Result<(), Failure> {
    reach(&question.sockets, |socket| run(question, socket))
}

fn run(question: &Question, socket: &Path) -> Result<(), AskError> {
    let mut screen = Conversation::begin(socket)?;
    screen.ask(&Request::new("events"), |_| {})?;
    let (mut shown, mut code) = (None, None);
    screen.ask(&question.request, |line| {
        shown = shown.take().or_else(|| read::<PairingLine>(line));
        code = code.take().or_else(|| read::<QrLine>(line));
    })?;
    if let Some(PairingLine { pairing }) = shown {
        if let Some(link) = &pairing.link {
            if let Some(QrLine { qr }) = code.filter(|_| io::stdout().is_terminal()) {
                println!("{}", drawn(&qr));
            }
            println!("link  {link}");
        }
        if let Some(pin) = &pairing.pin {
            println!("PIN   {pin}");
        }
        println!("for a terminal of role {}, within {} s", pairing.role, pairing.expires_s);
    }
    follow(&mut screen, question.yes)
}

/// Follows what happens until it is over.
fn follow(screen: &mut Conversation, yes: bool) -> Result<(), AskError> {
    let mut proven = false;
    loop {
        let Some(event) = read::<EventLine>(&screen.listen()?) else { continue };
        let name = event.name.as_deref().unwrap_or_default();
        match event.event.as_str() {
            "ask" => {
                let allow = yes || consent(name, event.role.as_deref().unwrap_or_default());
                let answer = Request { ask: event.ask, allow: Some(allow), ..Request::new("answer") };
                match screen.ask(&answer, |_| {}) {
                    Err(AskError::Refused(why)) => println!("{why}"),
                    other => drop(other?),
                }
            }
            "paired" => {
                println!("paired: '{name}' in slot {}", event.slot.unwrap_or_default());
                return Ok(());
            }
            "pin" => match event.pin.as_deref().unwrap_or_default() {
                "" => println!("PIN   none: too many wrong ones; in an hour again"),
                pin => println!("PIN   {pin} (a new one: the old was tried too often)"),
            },
            "pair-failed" if proven => {
                let why = event.why.as_deref().unwrap_or_default();
                return Err(AskError::Refused(format!("who proved itself was not let in: {why}")));
            }
            "pair-failed" => println!("somebody tried: {}", event.why.as_deref().unwrap_or_default()),
            // Who has proven itself closes the window; whether it is let in comes next.
            "pairing-closed" if event.why.as_deref() == Some("proven") => proven = true,
            "pairing-closed" => return Err(AskError::Refused("nobody paired".into())),
            _ => {}
        }
    }
}

fn consent(name: &str, role: &str) -> bool {
    print!("Let '{name}' in as {role}? [y/N] ");
    let _shown = io::stdout().flush();
    let mut answer = String::new();
    let _read = io::stdin().lock().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// The code with its quiet zone, two modules a character; light on dark, as terminals are.
fn drawn(qr: &QrView) -> String {
    let quiet = 2;
    let is_light = |x: usize, y: usize| {
        let row = y.checked_sub(quiet).and_then(|y| qr.rows.get(y));
        row.and_then(|row| row.as_bytes().get(x.checked_sub(quiet)?)) != Some(&b'1')
    };
    let side = qr.size + 2 * quiet;
    let mut text = String::new();
    for y in (0..side).step_by(2) {
        for x in 0..side {
            text.push(match (is_light(x, y), y + 1 < side && is_light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        text.push('\n');
    }
    text
}

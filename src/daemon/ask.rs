//! The commands that ask a running box.

use std::io;

use super::args::{Question, What};
use crate::local::client::{AskError, ask as ask_box};
use crate::local::protocol::{Link, Request};

/// Asks and prints; the error is a sentence.
pub(super) fn ask(question: &Question) -> Result<(), String> {
    let request = match question.what {
        What::Status => Request { cmd: "status", ..Request::default() },
        What::Channels { all } => Request { cmd: "channels", all: Some(all), ..Request::default() },
        What::Link { channel, ttl, connections, all } => Request {
            cmd: "link",
            channel: Some(channel),
            ttl: Some(u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX)),
            connections: Some(connections),
            all: Some(all),
        },
    };
    let mut failure = None;
    for socket in &question.sockets {
        let answered = ask_box(socket, &request, |line| print_line(&question.what, line));
        match answered {
            Ok(_) => return Ok(()),
            Err(AskError::NotRunning(e)) if e.kind() == io::ErrorKind::NotFound && failure.is_none() => {
                failure = Some(format!("{}: {}", socket.display(), AskError::NotRunning(e)));
            }
            Err(AskError::NotRunning(e)) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e @ AskError::Refused(_)) => return Err(e.to_string()),
            Err(e) => return Err(format!("{}: {e}", socket.display())),
        }
    }
    Err(failure.unwrap_or_else(|| "no socket to ask at".into()))
}

fn print_line(what: &What, line: &[u8]) {
    if let What::Link { .. } = what
        && let Ok((link, _)) = serde_json_core::from_slice::<Link<'_>>(line)
    {
        println!("{}", link.url);
        return;
    }
    println!("{}", String::from_utf8_lossy(line));
}

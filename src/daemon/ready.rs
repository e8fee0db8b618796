//! `stbcastd ready`: waits until the box serves.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::exit::{Exit, Failure};
use crate::local::client::{AskError, Conversation};
use crate::local::protocol::Request;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// How long to wait, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Waiting {
    pub(super) sockets: Vec<PathBuf>,
    pub(super) most: Duration,
}

/// Asks until the box answers. It answers from its main loop, which serves HTTP by then: its addresses are bound before
/// the local socket is read.
pub(super) fn wait(waiting: &Waiting) -> Result<(), Failure> {
    let until = Instant::now() + waiting.most;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let mut why = String::from("no socket to ask at");
        for socket in &waiting.sockets {
            let asked = Conversation::begin_within(socket, left.max(PAUSE))
                .and_then(|mut box_| box_.ask(&Request::new("status"), |_| ()));
            match asked {
                Ok(_) => return Ok(()),
                // It answers, if only that it would rather not talk.
                Err(AskError::Refused(_)) => return Ok(()),
                Err(e) => why = format!("{}: {e}", socket.display()),
            }
        }
        if Instant::now() + PAUSE >= until {
            let most = waiting.most.as_secs();
            return Err(Failure::new(Exit::NoBox, format!("not ready within {most} s: {why}")));
        }
        std::thread::sleep(PAUSE);
    }
}

//! A bar on a terminal: how far a long command is.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Draws on standard error, where that is a terminal, and wipes itself off at its end.
pub(super) struct Bar {
    began: Instant,
    drawn: Option<Instant>,
    shows: bool,
}

impl Bar {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), drawn: None, shows: std::io::stderr().is_terminal() }
    }

    /// So many of so many are done.
    pub(super) fn at(&mut self, done: u64, all: u64) {
        let fresh = self.drawn.is_some_and(|at| at.elapsed() < Duration::from_millis(100));
        if !self.shows || fresh || all == 0 {
            return;
        }
        self.drawn = Some(Instant::now());
        let done = done.min(all);
        let percent = done * 100 / all;
        let filled = usize::try_from(percent * 30 / 100).unwrap_or(0);
        let left = self.began.elapsed().as_secs().saturating_mul(all - done).checked_div(done).unwrap_or(0);
        let mut out = std::io::stderr().lock();
        // A terminal that is gone needs no bar.
        let _gone = write!(
            out,
            "\r[{:-<30}] {percent:>3} %, {done} of {all}, {left} s left \x1b[K",
            "#".repeat(filled)
        );
        let _gone = out.flush();
    }

    /// Wipes it off.
    pub(super) fn end(&mut self) {
        if self.drawn.take().is_some() {
            let _gone = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.end();
    }
}

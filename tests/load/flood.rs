//! Strangers who send handshakes as fast as the box takes them, from many addresses.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use stbcast::handshake::Mode;

use super::support::terminal::{Phone, b64, random};

/// What the box answered, by kind.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Hellos that were welcomed.
    pub(crate) welcomes: AtomicU64,
    /// Shares that public-key work was done for.
    pub(crate) shares: AtomicU64,
    /// All the rest: refused.
    pub(crate) refusals: AtomicU64,
}

impl Answers {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn all(&self) -> u64 {
        [&self.welcomes, &self.shares, &self.refusals].map(|n| n.load(Ordering::Relaxed)).iter().sum()
    }
}

/// Floods until `stop`, by two threads. `share` is a point that is valid, so that each costs the box its work.
pub(crate) fn flood(stranger: &Phone, share: &[u8; 65], stop: &AtomicBool, answers: &Answers) {
    thread::scope(|scope| {
        for half in [0, 1] {
            scope.spawn(move || {
                let mut turn = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    let [_, second, third, fourth] = turn.to_be_bytes();
                    let source = Ipv4Addr::new(127, 2 + half + 2 * second, third, fourth);
                    one_stranger(&stranger.at(source), turn, share, answers);
                    turn += 1;
                }
            });
        }
    });
}

/// A source with one attempt, which it carries on in one wrong way or another.
fn one_stranger(at: &Phone, turn: u32, share: &[u8; 65], answers: &Answers) {
    let mode = if turn.is_multiple_of(2) { Mode::Pin } else { Mode::Qr };
    let attempt = match at.hello(mode) {
        Ok(begun) => {
            Answers::count(&answers.welcomes);
            begun.attempt
        }
        Err(_) => {
            Answers::count(&answers.refusals);
            b64(&random::<16>())
        }
    };
    let share = if turn.is_multiple_of(4) { *share } else { random() };
    let shared = at.share(&attempt, &share);
    Answers::count(if shared.is_ok() { &answers.shares } else { &answers.refusals });
    assert_ne!(at.finish(&attempt, &random::<32>()).status, 200, "a stranger was let in");
    at.post("/api/v1/pair/hello", "{\"mode\":\"pin\",\"nonce\":");
    answers.refusals.fetch_add(2, Ordering::Relaxed);
}

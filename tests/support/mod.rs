//! What the integration tests share. Nothing here uses the crate's own parsers, so that it can judge them; only the
//! terminal has the handshake's other end from the crate, which holds both ends to vectors.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

pub mod cloud;
pub mod damage;
pub mod eit;
pub mod hls;
pub mod http;
pub mod live;
pub mod mux;
pub mod rap;
pub mod registrant;
pub mod rtp;
pub mod screen;
pub mod sender;
pub mod stb;
pub mod tables;
pub mod terminal;
pub mod ts;

use std::io::{ErrorKind, Result};

/// Calls again as long as it was interrupted: where the machine is stopped and goes on, a receive with a time-out is,
/// even if no signal is handled (signal(7), "Interruption of system calls and library functions by stop signals").
pub fn uninterrupted<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

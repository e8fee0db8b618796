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

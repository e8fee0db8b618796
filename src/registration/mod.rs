//! What a box and its name service say to each other, both ends of it.
//!
//! Owns bytes, keys and signatures, with no I/O and no clock; randomness is brought by the caller. Knows nothing of
//! tables, sockets and JSON.
//!
//! ```text
//!   claim      box: Ed25519 over what it wants, with an X25519 share; service: Ed25519 over what it gives     claim
//!              PSK and recovery code are derived at both ends, and never sent                              claim
//!   statement  time, hand-over, cancel, release, voucher, moved: Ed25519 over a tag and fields         statement
//!   heartbeat  wire format 1: postcard bodies under HMAC-SHA-256, 128 bits                                  wire
//!              a counter per direction, 128 counters remembered; cookies prove an address         window, cookie
//!   name       one label of letters, digits and hyphens                                                     name
//! ```

mod claim;
mod cookie;
mod keys;
mod name;
mod recovery;
mod statement;
#[cfg(test)]
mod tests;
mod window;
mod wire;

pub use claim::{Claim, ClaimError, Claimed, Enrolled, Enrolment, Granted};
pub use cookie::{COOKIE, CookieKey, SLOT_S};
pub use keys::{BeatKey, BeatKeys, BoxKey, BoxPublic, Psk, ServiceKey, ServicePublic, Signature};
pub use name::{LABEL_MAX, LABEL_MIN, Label, LabelError};
pub use recovery::{RecoveryCode, RecoveryHash};
pub use statement::{Cancel, Handover, Moved, Nonce, Release, Statement, TimeIs, Voucher};
pub use window::{REMEMBERED, ReplayWindow};
pub use wire::{
    About, Ack, AckFlags, Beat, Body, Bye, FIRMWARE_MAX, Header, Kind, LONGEST_ACK, PACKET_MAX, Retry, Seen,
    Status, open, seal,
};

/// What a claim is known by in heartbeats: random, and not the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoxId(pub [u8; 8]);

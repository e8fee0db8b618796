//! The handshake: what a box and a terminal prove to each other, at pairing and at every session.
//!
//! Owns both ends of it, with no I/O, no clock and no randomness of its own: callers bring nonces, secrets and bytes.
//! Knows nothing of windows, budgets, slots and HTTP; whether a proof may be asked for at all is others' business.
//!
//! ```text
//!   T0    = SHA-256 of what both ends said, each field after its length          transcript
//!   QR    : K = HKDF(T0, secret); box: HMAC(K, "B"|T0), terminal: HMAC(K, "T"|T0)        qr
//!   PIN   : SPAKE2+ (RFC 9383) with Context = T0; K = K_shared; the box confirms first  pin
//!   Kt    = HKDF(T0, K, "terminal"): the terminal's key, never sent                    keys
//!   after : HMAC(HKDF(Kt, "auth"), nonces, request, fingerprint)                    session
//! ```
//!
//! Each step of an end consumes it, so that none is made twice or out of order, and a key comes out only of a proof
//! that was checked. `tests/data/handshake.json` fixes all of it, by a second implementation (`make_handshake.py`).

mod fragment;
mod keys;
mod pin;
mod qr;
mod session;
#[cfg(test)]
mod tests;
mod transcript;

pub use fragment::{BoxId, FRAGMENT_CHARS, Invitation};
pub use keys::{Purpose, Secret, TerminalKey};
pub use pin::{Ephemeral, PIN_DIGITS, Pin, PinBox, PinTerminal, SHARE};
pub use qr::{QrBox, QrTerminal};
pub use session::SessionRequest;
pub use transcript::{Hello, Mode, Role, Transcript};

/// Bytes of every proof: HMAC-SHA-256.
pub const PROOF: usize = 32;

/// 16 bytes that nobody used before. Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce(pub [u8; 16]);

/// What a box is known by: SHA-256 of the SubjectPublicKeyInfo (DER, RFC 5280 §4.1) of its key. Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of the key in `spki`.
    #[must_use]
    pub fn of_spki(spki: &[u8]) -> Self {
        Self(keys::sha256(&[spki]))
    }
}

/// Why a handshake ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// A name has more than 65 535 bytes.
    NameTooLong,
    /// The peer's share is no point it may be: not uncompressed, not on the curve, or one that hides nothing.
    PeerShare,
    /// The peer's proof is wrong: it has another secret, or somebody changed what was said.
    PeerProof,
}

impl std::fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NameTooLong => "a name is too long",
            Self::PeerShare => "the share is no valid point",
            Self::PeerProof => "the proof is wrong",
        })
    }
}

impl std::error::Error for HandshakeError {}

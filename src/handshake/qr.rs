//! Pairing by QR code: both ends prove that they have its secret. The box proves first.
//!
//! The secret has 128 bits, so a plain HMAC over public values gives nobody anything to search.

use super::keys::{self, CommonKey};
use super::{HandshakeError, PROOF, Secret, TerminalKey, Transcript};

/// The box, which has sent its proof and waits for the terminal's.
pub struct QrBox {
    key: CommonKey,
    transcript: Transcript,
}

impl QrBox {
    /// Starts; gives the box's proof to send: HMAC(K, "B" | T0).
    #[must_use]
    pub fn start(secret: &Secret, transcript: &Transcript) -> (Self, [u8; PROOF]) {
        let key = common_key(secret, transcript);
        let proof = proof(&key, BOX, transcript);
        (Self { key, transcript: *transcript }, proof)
    }

    /// Checks the terminal's proof.
    pub fn finish(self, terminal_proof: &[u8; PROOF]) -> Result<TerminalKey, HandshakeError> {
        keys::check(terminal_proof, &proof(&self.key, TERMINAL, &self.transcript))?;
        Ok(TerminalKey::of(&self.key, &self.transcript))
    }
}

/// The terminal, which waits for the box's proof.
pub struct QrTerminal {
    key: CommonKey,
    transcript: Transcript,
}

impl QrTerminal {
    /// Starts, with what the QR code said.
    #[must_use]
    pub fn start(secret: &Secret, transcript: &Transcript) -> Self {
        Self { key: common_key(secret, transcript), transcript: *transcript }
    }

    /// Checks the box's proof; gives the terminal's to send, HMAC(K, "T" | T0), and the key.
    pub fn finish(self, box_proof: &[u8; PROOF]) -> Result<([u8; PROOF], TerminalKey), HandshakeError> {
        keys::check(box_proof, &proof(&self.key, BOX, &self.transcript))?;
        let proof = proof(&self.key, TERMINAL, &self.transcript);
        Ok((proof, TerminalKey::of(&self.key, &self.transcript)))
    }
}

const BOX: &[u8] = b"B";
const TERMINAL: &[u8] = b"T";

/// K = HKDF(salt = T0, ikm = secret, info = "stb-pair-k").
pub(super) fn common_key(secret: &Secret, transcript: &Transcript) -> CommonKey {
    keys::hkdf(transcript.bytes(), secret.as_bytes(), b"stb-pair-k")
}

fn proof(key: &CommonKey, whose: &[u8], transcript: &Transcript) -> [u8; PROOF] {
    keys::mac(key.bytes(), &[whose, transcript.bytes()])
}

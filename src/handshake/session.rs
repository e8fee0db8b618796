//! Asking for a session: a paired terminal proves that it has its key, without sending it.

use ring::hmac;

use super::transcript::framed;
use super::{Fingerprint, HandshakeError, Nonce, PROOF, Purpose, TerminalKey, keys};

/// What a terminal signs. The request it stands for is always the same one, so its method and path are here.
#[derive(Clone, Copy, Debug)]
pub struct SessionRequest<'a> {
    /// From the box, fresh.
    pub box_nonce: &'a Nonce,
    /// From the terminal, fresh.
    pub terminal_nonce: &'a Nonce,
    /// The request's body.
    pub body: &'a [u8],
    /// Of the box that is meant, so that no other can pass the proof on.
    pub fingerprint: &'a Fingerprint,
}

const METHOD: &str = "POST";
const PATH: &str = "/api/v1/session";

impl SessionRequest<'_> {
    /// The terminal's proof: HMAC under the key "auth", each field after its length as in T0.
    #[must_use]
    pub fn sign(&self, key: &TerminalKey) -> [u8; PROOF] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*key.derive(Purpose::Auth));
        let mut mac = hmac::Context::with_key(&key);
        let body = keys::sha256(&[self.body]);
        let fields: [&[u8]; 7] = [
            b"auth",
            &self.box_nonce.0,
            &self.terminal_nonce.0,
            METHOD.as_bytes(),
            PATH.as_bytes(),
            &body,
            &self.fingerprint.0,
        ];
        framed(&fields, |bytes| mac.update(bytes)).expect("every field is short");
        let mut proof = [0; PROOF];
        proof.copy_from_slice(mac.sign().as_ref());
        proof
    }

    /// Checks a terminal's proof, in the same time whatever is wrong with it.
    pub fn verify(&self, key: &TerminalKey, proof: &[u8; PROOF]) -> Result<(), HandshakeError> {
        keys::check(proof, &self.sign(key))
    }
}

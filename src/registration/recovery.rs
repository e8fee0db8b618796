//! The recovery code: what an owner writes down for the day when the box's key is lost.

use std::fmt;

use ring::{digest, hmac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Signature;

/// RFC 4648 §6: no 0, 1, 8 or 9, which are read as letters.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// 80 bits that only the owner has. Shown once.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; 10]>);

impl RecoveryCode {
    pub(super) fn new(bytes: [u8; 10]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The code that somebody typed: groups, spaces and small letters do not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.bytes().filter(|b| !matches!(b, b'-' | b' '));
        let (mut bits, mut count) = (0_u128, 0);
        for letter in letters {
            let value = ALPHABET.iter().position(|a| *a == letter.to_ascii_uppercase())?;
            bits = bits << 5 | u128::try_from(value).ok()?;
            count += 1;
            if count > 16 {
                return None;
            }
        }
        let bytes = bits.to_be_bytes();
        (count == 16).then(|| bytes.last_chunk().map(|bytes| Self::new(*bytes))).flatten()
    }

    /// For the owner's eyes: `ABCD-EFGH-IJKL-MNOP`. Never to a log.
    #[must_use]
    pub fn shown(&self) -> heapless::String<19> {
        let mut bits = self.0.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte)) << 48;
        let mut text = heapless::String::new();
        for i in 0..16 {
            if i > 0 && i % 4 == 0 {
                let _ = text.push('-');
            }
            let value = usize::try_from(bits >> 123).unwrap_or(0);
            let _ = text.push(char::from(ALPHABET[value % 32])); // 19 letters in all
            bits <<= 5;
        }
        text
    }

    /// What the service keeps of it.
    #[must_use]
    pub fn hash(&self) -> RecoveryHash {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"stb-recovery-v1");
        context.update(self.0.as_slice());
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        RecoveryHash(hash)
    }

    /// Proves that the code is known, for this one claim.
    #[must_use]
    pub fn prove(&self, claim: &Signature) -> [u8; 32] {
        self.hash().proof(claim)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// What the service keeps of a recovery code.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryHash(pub [u8; 32]);

impl RecoveryHash {
    /// `proof` is of somebody who knows the code, and of this claim.
    #[must_use]
    pub fn is_proved(&self, claim: &Signature, proof: &[u8; 32]) -> bool {
        self.proof(claim).ct_eq(proof).into()
    }

    fn proof(&self, claim: &Signature) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut proof = [0; 32];
        proof.copy_from_slice(hmac::sign(&key, &claim.0).as_ref());
        proof
    }
}

impl fmt::Debug for RecoveryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

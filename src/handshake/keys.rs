//! Secrets and what is derived from them: HKDF (RFC 5869) and HMAC (RFC 2104), both with SHA-256.

use std::fmt;

use ring::{digest, hkdf, hmac};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::{HandshakeError, PROOF, Transcript};

/// Secret bytes: zeroed when dropped, never shown.
#[derive(Clone)]
pub(super) struct Hidden<const N: usize>([u8; N]);

impl<const N: usize> Hidden<N> {
    pub(super) const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    pub(super) const fn bytes_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> Drop for Hidden<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> fmt::Debug for Hidden<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// The secret that a QR code carries: 128 bits that nobody guesses.
#[derive(Clone, Debug)]
pub struct Secret(Hidden<16>);

impl Secret {
    /// The secret of these bytes, which must be uniformly random.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(Hidden::new(bytes))
    }

    /// Its bytes, for the QR code alone.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.bytes()
    }
}

/// K of a QR pairing, or `K_shared` of a PIN pairing: what both ends have in common.
pub(super) type CommonKey = Hidden<32>;

/// Kt: what a paired terminal and its box have in common, for good. Never sent.
#[derive(Clone, Debug)]
pub struct TerminalKey(Hidden<32>);

/// What a derived key is for; none passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signed session requests.
    Auth,
    /// The cookie of a browser.
    Cookie,
    /// Links for players.
    Link,
    /// The lasting playlist of a player.
    Player,
}

impl Purpose {
    const fn info(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cookie => "cookie",
            Self::Link => "link",
            Self::Player => "player",
        }
    }
}

impl TerminalKey {
    /// Kt = HKDF(salt = T0, ikm = K or `K_shared`, info = "terminal").
    pub(super) fn of(common: &CommonKey, transcript: &Transcript) -> Self {
        Self(hkdf(transcript.bytes(), common.bytes(), b"terminal"))
    }

    /// The key of these bytes, as they were kept on flash, or uniformly random ones.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(Hidden::new(bytes))
    }

    /// Its bytes, for flash alone.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// The key for `purpose`: HKDF(salt = empty, ikm = Kt, info = its name).
    #[must_use]
    pub fn derive(&self, purpose: Purpose) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*hkdf::<32>(&[], self.0.bytes(), purpose.info().as_bytes()).bytes())
    }
}

/// `N` bytes of HKDF-SHA-256 (RFC 5869).
pub(super) fn hkdf<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> Hidden<N> {
    struct Length<const N: usize>;
    impl<const N: usize> hkdf::KeyType for Length<N> {
        fn len(&self) -> usize {
            N
        }
    }
    const { assert!(N <= 255 * 32, "RFC 5869 §2.3: at most 255 blocks") };
    let mut out = Hidden([0; N]);
    let key = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(ikm);
    key.expand(&[info], Length::<N>)
        .and_then(|okm| okm.fill(out.bytes_mut()))
        .expect("the length is within HKDF's and is the buffer's");
    out
}

/// HMAC-SHA-256 of `parts`, one behind the other.
pub(super) fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; PROOF] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    let mut tag = [0; PROOF];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// Compares a proof with what it should be, in the same time wherever they differ.
pub(super) fn check(claimed: &[u8; PROOF], expected: &[u8; PROOF]) -> Result<(), HandshakeError> {
    if bool::from(claimed.ct_eq(expected)) { Ok(()) } else { Err(HandshakeError::PeerProof) }
}

/// SHA-256 of `parts`, one behind the other.
pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

//! Keys: of boxes, of the service, and what is derived from the secret they share.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::hkdf;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::{Zeroize, Zeroizing};

/// An Ed25519 signature (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// A pair of keys with a role: what one role signed, the other's public half does not verify by its type.
macro_rules! signing_pair {
    ($private:ident, $public:ident, $of:literal) => {
        #[doc = concat!("The Ed25519 key of ", $of, ", which signs. Zeroed when dropped, never shown.")]
        #[derive(Clone)]
        pub struct $private(Zeroizing<[u8; 32]>);

        impl $private {
            /// Of its seed: 32 random bytes (RFC 8032 §5.1.5).
            #[must_use]
            pub fn from_seed(seed: [u8; 32]) -> Self {
                Self(Zeroizing::new(seed))
            }

            /// The seed, for the place where it is kept.
            #[must_use]
            pub fn seed(&self) -> &[u8; 32] {
                &self.0
            }

            /// The half that anybody may know.
            #[must_use]
            pub fn public(&self) -> $public {
                let mut public = [0; 32];
                if let Some(pair) = self.pair() {
                    public.copy_from_slice(pair.public_key().as_ref());
                }
                $public(public)
            }

            pub(super) fn sign(&self, text: &[u8]) -> Signature {
                let mut signature = [0; 64];
                if let Some(pair) = self.pair() {
                    signature.copy_from_slice(pair.sign(text).as_ref());
                }
                Signature(signature)
            }

            /// Any 32 bytes are a seed.
            fn pair(&self) -> Option<Ed25519KeyPair> {
                let pair = Ed25519KeyPair::from_seed_unchecked(self.0.as_slice());
                debug_assert!(pair.is_ok(), "a seed has 32 bytes");
                pair.ok()
            }
        }

        impl fmt::Debug for $private {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("..")
            }
        }

        #[doc = concat!("The public half of the key of ", $of, ".")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $public(pub [u8; 32]);

        impl $public {
            /// Of its form in settings and JSON: base64url without padding.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let mut key = [0; 32];
                let decoded = Base64UrlUnpadded::decode(text, &mut key).ok()?;
                (decoded.len() == 32).then_some(Self(key))
            }

            pub(super) fn verifies(&self, text: &[u8], signature: &Signature) -> bool {
                UnparsedPublicKey::new(&ED25519, &self.0).verify(text, &signature.0).is_ok()
            }
        }

        impl fmt::Display for $public {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 43];
                f.write_str(Base64UrlUnpadded::encode(&self.0, &mut text).unwrap_or_default())
            }
        }
    };
}

signing_pair!(BoxKey, BoxPublic, "a box");
signing_pair!(ServiceKey, ServicePublic, "a name service or of a brand");

/// The key of heartbeats in one direction. Not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BeatKey(pub [u8; 16]);

impl fmt::Debug for BeatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// The keys of heartbeats of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeatKeys {
    /// Of what the box sends.
    pub to_service: BeatKey,
    /// Of what the service sends.
    pub to_box: BeatKey,
}

/// What a box and its name service share since the claim. Zeroed when dropped, never shown.
#[derive(Clone)]
pub struct Psk(Zeroizing<[u8; 32]>);

impl Psk {
    /// Of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes, for the place where it is kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The keys of heartbeats in `epoch`.
    #[must_use]
    pub fn beat_keys(&self, epoch: u32) -> BeatKeys {
        BeatKeys {
            to_service: BeatKey(self.derive("hb/b2m", epoch)),
            to_box: BeatKey(self.derive("hb/m2b", epoch)),
        }
    }

    /// The secret of the TSIG key (RFC 8945, HMAC-SHA-256) that may update this name.
    #[must_use]
    pub fn tsig_secret(&self, epoch: u32) -> [u8; 32] {
        self.derive("tsig", epoch)
    }

    /// The password with which a dyndns2 client updates this name; the user is the name.
    #[must_use]
    pub fn dyndns2_password(&self, epoch: u32) -> heapless::String<20> {
        let mut text = [0; 20];
        let bytes = Zeroizing::new(self.derive::<15>("dyndns2", epoch));
        let encoded = Base64UrlUnpadded::encode(bytes.as_slice(), &mut text).unwrap_or_default();
        heapless::String::try_from(encoded).unwrap_or_default()
    }

    fn derive<const N: usize>(&self, purpose: &str, epoch: u32) -> [u8; N] {
        expand(b"stb-beat-v1", self.0.as_slice(), &[purpose.as_bytes(), &epoch.to_be_bytes()])
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl Drop for BeatKeys {
    fn drop(&mut self) {
        self.to_service.0.zeroize();
        self.to_box.0.zeroize();
    }
}

/// HKDF (RFC 5869) with SHA-256: extract and expand.
pub(super) fn expand<const N: usize>(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> [u8; N] {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let mut key = [0; N];
    let done = prk.expand(info, Length(N)).and_then(|okm| okm.fill(&mut key));
    debug_assert!(done.is_ok(), "32 bytes are within what one hash gives 255 times");
    key
}

//! What a QR code says behind the `#` of its link. Browsers send no fragment, so the secret stays with who scanned it.

use base64ct::{Base64UrlUnpadded, Encoding};

use super::{Fingerprint, Secret};

/// Characters of a fragment: `1.<box id, 11>.<secret, 22>.<fingerprint, 22>`, base64url without padding.
pub const FRAGMENT_CHARS: usize = 1 + 1 + 11 + 1 + 22 + 1 + 22;
/// Of this format.
const VERSION: &str = "1";

/// Which box it is: random, made with its key. Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxId(pub [u8; 8]);

/// What a terminal learns from a QR code.
#[derive(Debug)]
pub struct Invitation {
    /// The box to pair with.
    pub box_id: BoxId,
    /// The one-use secret.
    pub secret: Secret,
    /// The first half of the box's fingerprint.
    fingerprint: [u8; 16],
}

impl Invitation {
    /// An invitation to the box with this id and fingerprint.
    #[must_use]
    pub fn new(box_id: BoxId, secret: Secret, fingerprint: &Fingerprint) -> Self {
        Self { box_id, secret, fingerprint: first_half(fingerprint) }
    }

    /// The box that answered with `fingerprint` is the one that is meant.
    #[must_use]
    pub fn is_to(&self, fingerprint: &Fingerprint) -> bool {
        self.fingerprint == first_half(fingerprint)
    }

    /// The fragment. It holds the secret: for the QR code and the link beside it alone.
    #[must_use]
    pub fn fragment(&self) -> heapless::String<FRAGMENT_CHARS> {
        let parts: [&[u8]; 3] = [&self.box_id.0, self.secret.as_bytes(), &self.fingerprint];
        let mut text = heapless::String::new();
        let mut written = text.push_str(VERSION);
        for part in parts {
            let mut encoded = [0; 22];
            let encoded = Base64UrlUnpadded::encode(part, &mut encoded).unwrap_or_default();
            written = written.and_then(|()| text.push('.')).and_then(|()| text.push_str(encoded));
        }
        written.expect("a fragment has FRAGMENT_CHARS characters");
        text
    }

    /// The invitation in a fragment, without its `#`.
    #[must_use]
    pub fn parse(fragment: &str) -> Option<Self> {
        let mut parts = fragment.split('.');
        let version = parts.next()?;
        let invitation = Self {
            box_id: BoxId(decoded(parts.next()?)?),
            secret: Secret::new(decoded(parts.next()?)?),
            fingerprint: decoded(parts.next()?)?,
        };
        (version == VERSION && parts.next().is_none()).then_some(invitation)
    }
}

fn first_half(fingerprint: &Fingerprint) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&fingerprint.0[..16]);
    half
}

/// Exactly `N` bytes.
fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
    (length == N).then_some(bytes)
}

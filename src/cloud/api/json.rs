//! What is said in JSON. Bytes are base64url without padding.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `N` bytes, as base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Bytes<N> {
    /// Of their text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        let decoded = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        (decoded.len() == N).then_some(Self(bytes))
    }
}

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Base64UrlUnpadded::encode_string(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("base64url of {N} bytes is wanted")))
    }
}

/// `GET /v1/time`.
#[derive(Serialize)]
pub(super) struct Time {
    pub(super) time: u64,
    pub(super) sig: Bytes<64>,
}

/// `GET /v1/nonce`.
#[derive(Serialize)]
pub(super) struct NewNonce {
    pub(super) nonce: Bytes<16>,
}

/// `POST /v1/claim`.
#[derive(Deserialize)]
pub(super) struct Claim {
    pub(super) zone: String,
    pub(super) name: String,
    pub(super) key: Bytes<32>,
    pub(super) nonce: Bytes<16>,
    pub(super) share: Bytes<32>,
    pub(super) sig: Bytes<64>,
    pub(super) voucher: Option<Voucher>,
    pub(super) recovery: Option<Bytes<32>>,
    pub(super) handover: Option<Handover>,
}

/// Of a claim.
#[derive(Deserialize)]
pub(super) struct Voucher {
    pub(super) serial: String,
    pub(super) sig: Bytes<64>,
}

/// Of a claim.
#[derive(Deserialize)]
pub(super) struct Handover {
    pub(super) sig: Bytes<64>,
}

/// The answer to a claim that was granted.
#[derive(Serialize)]
pub(super) struct Claimed<'a> {
    pub(super) box_id: Bytes<8>,
    pub(super) epoch: u32,
    pub(super) share: Bytes<32>,
    pub(super) hb: &'a str,
    pub(super) created: bool,
    pub(super) sig: Bytes<64>,
    pub(super) next_s: u16,
}

/// The answer to a claim that waits.
#[derive(Serialize)]
pub(super) struct Pending {
    pub(super) error: &'static str,
    pub(super) message: &'static str,
    pub(super) until: u32,
}

/// `POST /v1/cancel` and `POST /v1/release`.
#[derive(Deserialize)]
pub(super) struct ByOwner {
    pub(super) zone: String,
    pub(super) name: String,
    pub(super) nonce: Bytes<16>,
    pub(super) sig: Bytes<64>,
    #[serde(default)]
    pub(super) erase: bool,
}

/// `GET /v1/moved`.
#[derive(Serialize)]
pub(super) struct Moved<'a> {
    pub(super) service: &'a str,
    pub(super) key: Bytes<32>,
    pub(super) sig: Bytes<64>,
}

/// Nothing to say.
#[derive(Serialize)]
pub(super) struct Nothing {}

//! The box's own key: P-256, made once, never leaving the box. Terminals know the box by the fingerprint of its public
//! half.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde::{Deserialize, Serialize};

use super::record::RecordError;
use crate::handshake::{BoxId, Fingerprint};
use crate::sys::random;

/// What this program writes and reads.
const FORMAT: u8 = 1;
/// SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480 §2): id-ecPublicKey, prime256v1, BIT STRING.
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Bytes of an uncompressed point.
const POINT: usize = 65;

/// Who the box is.
pub struct Identity {
    id: BoxId,
    fingerprint: Fingerprint,
    pkcs8: heapless::Vec<u8, 150>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    format: u8,
    id: [u8; 8],
    pkcs8: heapless::Vec<u8, 150>,
}

impl Identity {
    /// A new one. `WouldBlock` while the kernel has no entropy: no key is made before.
    pub fn make() -> std::io::Result<Self> {
        let mut id = [0; 8];
        random::fill(&mut id)?; // says whether there is entropy; ring would wait for it
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let pkcs8 = made.ok().and_then(|d| heapless::Vec::from_slice(d.as_ref()).ok());
        pkcs8
            .and_then(|pkcs8| Self::of(BoxId(id), pkcs8))
            .ok_or_else(|| std::io::Error::other("no key could be made"))
    }

    fn of(id: BoxId, pkcs8: heapless::Vec<u8, 150>) -> Option<Self> {
        let rng = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, &rng).ok()?;
        let point: [u8; POINT] = pair.public_key().as_ref().try_into().ok()?;
        let mut spki = [0; SPKI_HEAD.len() + POINT];
        spki[..SPKI_HEAD.len()].copy_from_slice(&SPKI_HEAD);
        spki[SPKI_HEAD.len()..].copy_from_slice(&point);
        Some(Self { id, fingerprint: Fingerprint::of_spki(&spki), pkcs8 })
    }

    /// The box's id.
    #[must_use]
    pub fn id(&self) -> BoxId {
        self.id
    }

    /// SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// As bytes for flash.
    #[must_use]
    pub fn record(&self) -> Vec<u8> {
        let mut record = vec![0; 256];
        let line = Line { format: FORMAT, id: self.id.0, pkcs8: self.pkcs8.clone() };
        let length = postcard::to_slice(&line, &mut record).map_or(0, |bytes| bytes.len()); // 162 at most
        record.truncate(length);
        record
    }

    /// Of a record.
    pub fn read(record: &[u8]) -> Result<Self, RecordError> {
        if let Some(format) = record.first().filter(|format| **format > FORMAT) {
            return Err(RecordError::Newer(*format));
        }
        match postcard::take_from_bytes::<Line>(record) {
            Ok((line, [])) if line.format == FORMAT => {
                Self::of(BoxId(line.id), line.pkcs8).ok_or(RecordError::Damaged)
            }
            _ => Err(RecordError::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_kept_and_no_two_are_alike() {
        let one = Identity::make().unwrap();
        let kept = Identity::read(&one.record()).unwrap();
        assert_eq!((kept.id(), kept.fingerprint()), (one.id(), one.fingerprint()));
        let other = Identity::make().unwrap();
        assert!(other.id() != one.id() && other.fingerprint() != one.fingerprint());
    }

    #[test]
    fn a_damaged_record_is_no_identity() {
        let record = Identity::make().unwrap().record();
        for end in 0..record.len() {
            assert_eq!(Identity::read(&record[..end]).err(), Some(RecordError::Damaged), "{end}");
        }
        let newer = [&[FORMAT + 1], &record[1..]].concat();
        assert_eq!(Identity::read(&newer).err(), Some(RecordError::Newer(FORMAT + 1)));
    }
}

//! What the store keeps: one record per name, one per key of an old epoch.

use std::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};
use serde::{Deserialize, Serialize};

use crate::registration::{BoxId, Label};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
/// First byte of each record: how the rest is written.
const FORMAT: u8 = 1;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A name.
    Name {
        /// Its zone, without the dot at the end.
        zone: String,
        /// Its label.
        label: Label,
    },
    /// Keys of an epoch that is over, by the id of the box that has them.
    Former(BoxId),
}

/// What is kept of a name, or of the keys of an old epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Somebody has the name.
    Owned(Box<Owned>),
    /// It was released, and nobody gets it yet.
    Resting(Resting),
    /// Keys of an epoch that is over.
    Former(Former),
}

/// A name that somebody has.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    /// What its box is known by; `None` of a name that has no box.
    pub id: Option<[u8; 8]>,
    /// Of the keys.
    pub epoch: u32,
    /// Shared with the box.
    pub psk: [u8; 32],
    /// Derived from it, of this epoch, so that a start need not derive a million.
    pub to_service: [u8; 16],
    /// Likewise.
    pub to_box: [u8; 16],
    /// The box's public key; all zero without a box.
    pub key: [u8; 32],
    /// The hash of the recovery code.
    pub recovery: Option<[u8; 32]>,
    /// From the voucher; empty without one.
    pub serial: String,
    /// Seconds since 1970.
    pub created: u32,
    /// Seconds since 1970 of the last beat or update that was written down.
    pub used: u32,
    /// Published.
    pub v4: Option<[u8; 4]>,
    /// Published.
    pub v6: Option<[u8; 16]>,
    /// [`Owned::v4`] was set by an update, and has no lease.
    pub is_v4_fixed: bool,
    /// [`Owned::v6`] was set by an update, and has no lease.
    pub is_v6_fixed: bool,
    /// The port at which terminals from outside reach the box; 0 for none.
    pub pub_port: u16,
    /// The operator took it from its box.
    pub is_revoked: bool,
    /// Why the operator suspended it.
    pub suspended: Option<String>,
    /// Who waits for it, with the recovery code.
    pub moving: Option<Moving>,
    /// TXT records: the label below the name (empty: at the name) and the record's data.
    pub texts: Vec<(Vec<u8>, Vec<u8>)>,
    /// The box's address at home; port 0 for none.
    pub lan: ([u8; 4], u16),
    /// The box's version.
    pub firmware: String,
    /// The front end that hears its box; 0 where there is one.
    pub home: u32,
}

/// Who waits for a name, with its recovery code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moving {
    /// The key that gets it.
    pub key: [u8; 32],
    /// Not before; seconds since 1970.
    pub until: u32,
}

/// A name that nobody has, and nobody gets yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resting {
    /// Seconds since 1970.
    pub until: u32,
    /// Who had it, and may have it again; `None` when it was erased.
    pub key: Option<[u8; 32]>,
}

/// Keys of an epoch that is over, to tell their box.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Of what the box sends.
    pub to_service: [u8; 16],
    /// Of what it is told.
    pub to_box: [u8; 16],
    /// Seconds since 1970.
    pub until: u32,
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Owned {{ id: {:?}, epoch: {}, v4: {:?}, v6: {:?}, .. }}",
            self.id, self.epoch, self.v4, self.v6
        )
    }
}

impl fmt::Debug for Former {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Former {{ until: {}, .. }}", self.until)
    }
}

impl Key {
    /// As the store has it: `n`, zone, 0, label; or `f`, id.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Name { zone, label } => [b"n", zone.as_bytes(), &[0], label.as_str().as_bytes()].concat(),
            Self::Former(id) => [b"f".as_slice(), &id.0].concat(),
        }
    }

    /// Of those bytes.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (b'n', rest) => {
                let (zone, label) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
                Some(Self::Name { zone: zone.to_owned(), label: Label::new(label).ok()? })
            }
            (b'f', id) => Some(Self::Former(BoxId(id.try_into().ok()?))),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { zone, label } => write!(f, "{}.{zone}", label.as_str()),
            Self::Former(_) => f.write_str("keys of an old epoch"),
        }
    }
}

impl Record {
    /// As the store has it: the format's number, postcard, then CRC-32 over the key and all before, little endian.
    #[must_use]
    pub fn to_bytes(&self, key: &[u8]) -> Vec<u8> {
        let bytes = postcard::serialize_with_flavor(self, Growing(vec![FORMAT]));
        let mut bytes = bytes.unwrap_or_default(); // a Vec is never full
        let sum = checksum(key, &bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Of those bytes; `None` when one of them is not what was written.
    #[must_use]
    pub fn parse(key: &[u8], bytes: &[u8]) -> Option<Self> {
        let (text, sum) = bytes.split_last_chunk::<4>()?;
        if checksum(key, text) != u32::from_le_bytes(*sum) || text.first() != Some(&FORMAT) {
            return None;
        }
        let (record, rest) = postcard::take_from_bytes(text.get(1..)?).ok()?;
        rest.is_empty().then_some(record)
    }
}

fn checksum(key: &[u8], text: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(key);
    digest.update(text);
    digest.finalize()
}

/// Postcard into a `Vec`.
struct Growing(Vec<u8>);

impl postcard::ser_flavors::Flavor for Growing {
    type Output = Vec<u8>;

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Self::Output> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_a_changed_byte_is_seen() {
        let record = Record::Resting(Resting { until: 7, key: Some([9; 32]) });
        let key = Key::Name { zone: "box.test".into(), label: Label::new("alice").unwrap() };
        assert_eq!(Key::parse(&key.to_bytes()), Some(key.clone()));
        let former = Key::Former(BoxId([1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(Key::parse(&former.to_bytes()), Some(former));
        let (key, mut bytes) = (key.to_bytes(), record.to_bytes(&key.to_bytes()));
        assert_eq!(Record::parse(&key, &bytes), Some(record));
        assert_eq!(Record::parse(b"another", &bytes), None);
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            assert_eq!(Record::parse(&key, &bytes), None, "byte {at}");
            bytes[at] ^= 0x10;
            assert_eq!(Record::parse(&key, &bytes[..at]), None);
        }
    }
}

//! The box's name on flash: who the box is to name services, what it got, what it waits for; and, apart from that and
//! unsealed, what may be used of counters.

use heapless::String;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::registration::{BoxId, BoxKey, Label, Psk, ServicePublic};

/// What this program writes and reads.
const FORMAT: u8 = 1;
/// The oldest format that is read, and the newest.
pub const FORMATS: (u8, u8) = (FORMAT, FORMAT);
/// Bytes of the longest record.
const RECORD_MAX: usize = 2560;
/// Bytes of the longest URL of a service.
pub const SERVICE_MAX: usize = 255;
/// Bytes of the longest zone, as of every name of DNS (RFC 1035 §2.3.4).
pub const ZONE_MAX: usize = 253;
/// Bytes of the longest `host:port`.
pub const HEARTBEAT_MAX: usize = 260;

/// A name service, as an owner trusts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its URL.
    pub url: String<SERVICE_MAX>,
    /// The key that it signs with.
    pub key: [u8; 32],
}

impl Service {
    /// The key that it signs with.
    #[must_use]
    pub const fn public(&self) -> ServicePublic {
        ServicePublic(self.key)
    }
}

/// A name that the box holds, or held.
#[derive(Clone, Serialize, Deserialize)]
pub struct Held {
    /// The service that was configured.
    pub origin: Service,
    /// The service that has it now; another when that moved.
    pub service: Service,
    /// The zone.
    pub zone: String<ZONE_MAX>,
    name: String<32>,
    id: [u8; 8],
    /// Of the keys.
    pub epoch: u32,
    psk: [u8; 32],
    /// Where heartbeats go: `host:port`.
    pub heartbeat: String<HEARTBEAT_MAX>,
    /// It was taken away.
    pub is_lost: bool,
    /// The recovery code, until the owner has seen it.
    pub recovery: Option<String<19>>,
}

impl Held {
    /// Of what a claim brought.
    #[must_use]
    pub fn new(
        (origin, service): (Service, Service),
        (zone, name): (&str, &Label),
        (id, epoch, psk): (BoxId, u32, &Psk),
        heartbeat: &str,
    ) -> Option<Self> {
        Some(Self {
            origin,
            service,
            zone: String::try_from(zone).ok()?,
            name: String::try_from(name.as_str()).ok()?,
            id: id.0,
            epoch,
            psk: *psk.as_bytes(),
            heartbeat: String::try_from(heartbeat).ok()?,
            is_lost: false,
            recovery: None,
        })
    }

    /// The name; `None` where the record holds none that can be.
    #[must_use]
    pub fn name(&self) -> Option<Label> {
        Label::new(&self.name).ok()
    }

    /// What the service knows it by.
    #[must_use]
    pub const fn id(&self) -> BoxId {
        BoxId(self.id)
    }

    /// What box and service share.
    #[must_use]
    pub fn psk(&self) -> Psk {
        Psk::new(self.psk)
    }

    /// The whole name.
    #[must_use]
    pub fn fqdn(&self) -> std::string::String {
        format!("{}.{}", self.name, self.zone)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.psk.zeroize();
    }
}

/// A claim that its owner asked for and that is not through.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The name.
    pub name: String<32>,
    /// The recovery code that was typed in.
    pub recovery: Option<String<19>>,
    /// What the box that has the name signed.
    pub handover: Option<String<86>>,
}

/// All that flash has, sealed.
#[derive(Clone)]
pub struct Record {
    /// Who the box is to name services.
    pub key: BoxKey,
    /// What it holds.
    pub held: Option<Held>,
    /// What it waits for.
    pub pending: Option<Pending>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    format: u8,
    seed: [u8; 32],
    held: Option<Held>,
    pending: Option<Pending>,
}

impl Record {
    /// Of a box that has no name yet.
    #[must_use]
    pub fn new(key: BoxKey) -> Self {
        Self { key, held: None, pending: None }
    }

    /// As bytes for flash, to be sealed.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let (held, pending) = (self.held.clone(), self.pending.clone());
        let mut line = Line { format: FORMAT, seed: *self.key.seed(), held, pending };
        let mut bytes = vec![0; RECORD_MAX];
        let length = postcard::to_slice(&line, &mut bytes).map_or(0, |used| used.len()); // a test fills one
        line.seed.zeroize();
        bytes.truncate(length);
        bytes
    }

    /// Of what flash had; `None` where that is no such record.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (line, rest) = postcard::take_from_bytes::<Line>(bytes).ok()?;
        let seed = Zeroizing::new(line.seed);
        let is_whole = line.format == FORMAT && rest.is_empty();
        is_whole.then(|| Self { key: BoxKey::from_seed(*seed), held: line.held, pending: line.pending })
    }
}

/// What is no secret, and is written more often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// No counter above it was ever used.
    pub ceiling: u64,
    /// A hash of the addresses that the box had when it was last heard.
    pub network: u64,
    /// A hash of what the service was told of the box.
    pub about: u64,
}

impl Counters {
    /// As bytes for flash.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0; 32];
        let length = postcard::to_slice(&(FORMAT, self), &mut bytes).map_or(0, |used| used.len());
        bytes.truncate(length);
        bytes
    }

    /// Of what flash had; `None` where that is no such record.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let ((format, counters), rest) = postcard::take_from_bytes::<(u8, Self)>(bytes).ok()?;
        (format == FORMAT && rest.is_empty()).then_some(counters)
    }
}

/// A number that tells one text from another; the same in every version (FNV-1a, 64 bits).
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Record {
        let service = || Service { url: "u".repeat(SERVICE_MAX).as_str().try_into().unwrap(), key: [9; 32] };
        let name = Label::new(&"n".repeat(32)).unwrap();
        let (zone, psk) = ("z".repeat(ZONE_MAX), Psk::new([5; 32]));
        let got = (BoxId([1; 8]), u32::MAX, &psk);
        let at = "h".repeat(HEARTBEAT_MAX);
        let mut held = Held::new((service(), service()), (&zone, &name), got, &at).unwrap();
        held.recovery = Some("ABCD-ABCD-ABCD-ABCD".try_into().unwrap());
        let pending = Pending {
            name: "n".repeat(32).as_str().try_into().unwrap(),
            recovery: held.recovery.clone(),
            handover: Some("s".repeat(86).as_str().try_into().unwrap()),
        };
        Record { key: BoxKey::from_seed([3; 32]), held: Some(held), pending: Some(pending) }
    }

    #[test]
    fn the_longest_record_is_written_and_read() {
        let bytes = full().write();
        assert!((1000..RECORD_MAX).contains(&bytes.len()), "{}", bytes.len());
        let read = Record::read(&bytes).unwrap();
        assert_eq!(read.write(), bytes);
        let held = read.held.unwrap();
        assert_eq!((held.id(), held.epoch, held.psk().as_bytes()), (BoxId([1; 8]), u32::MAX, &[5; 32]));
        assert_eq!(read.key.seed(), &[3; 32]);
        let new = Record::new(BoxKey::from_seed([4; 32]));
        assert!(Record::read(&new.write()).unwrap().held.is_none());
        let counters = Counters { ceiling: u64::MAX, network: u64::MAX, about: u64::MAX };
        assert_eq!(Counters::read(&counters.write()), Some(counters));
    }

    #[test]
    fn damage_is_no_record() {
        let bytes = full().write();
        for end in 0..bytes.len() {
            assert!(Record::read(&bytes[..end]).is_none(), "{end}");
        }
        assert!(Record::read(&[&[FORMAT + 1], &bytes[1..]].concat()).is_none());
        assert!(Record::read(&[&bytes[..], &[0]].concat()).is_none());
        let counters = Counters { ceiling: 300, network: 1, about: 2 }.write();
        assert!((0..counters.len()).all(|end| Counters::read(&counters[..end]).is_none()));
    }

    #[test]
    fn the_hash_is_that_of_every_version() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}

//! Heartbeat, wire format 1.
//!
//! ```text
//!   0  2  "ST"
//!   2  1  version (high nibble) = 1 | kind (low nibble)
//!   3  8  box id
//!   11 8  counter, u64 LE: of the box's own packets; an answer has that of the packet it answers
//!   19 n  body (postcard), then zeroes
//!   .. 16 HMAC-SHA-256 over all before, its first 128 bits
//! ```
//!
//! No answer is longer than what it answers, so that nobody can be flooded by answers to a source that is not theirs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ring::hmac;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{BeatKey, BoxId, COOKIE};

/// Bytes of the longest packet: more is silently dropped.
pub const PACKET_MAX: usize = 128;
/// Bytes of a version of firmware.
pub const FIRMWARE_MAX: usize = 17;
/// Bytes of the longest answer, to a source of IPv6.
pub const LONGEST_ACK: usize = HEAD + 30 + MAC;

const MAGIC: [u8; 2] = *b"ST";
const VERSION: u8 = 1;
const HEAD: usize = 19;
const MAC: usize = 16;
/// What wants an answer is at least this long, and every answer is shorter.
const ASKING: usize = 72;
const _: () = assert!(LONGEST_ACK <= ASKING);

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The box is here.
    Beat = 1,
    /// The service heard it.
    Ack = 2,
    /// The service does not know yet that the box is where it seems to be.
    Retry = 3,
    /// Kept for a service that calls its box; nobody sends it yet.
    Wake = 4,
    /// The box goes off.
    Bye = 5,
    /// What a box tells of itself, by HTTPS alone.
    About = 6,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Beat, Self::Ack, Self::Retry, Self::Wake, Self::Bye, Self::About];
}

/// What stands before every body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Whose.
    pub id: BoxId,
    /// Of this packet, or of the one it answers.
    pub counter: u64,
}

impl Header {
    /// Of a packet whose length, magic and version are right. Nothing of it is proved yet.
    #[must_use]
    pub fn peek(packet: &[u8]) -> Option<Self> {
        if packet.len() < HEAD + MAC || packet.len() > PACKET_MAX || packet[..2] != MAGIC {
            return None;
        }
        if packet[2] >> 4 != VERSION {
            return None;
        }
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == packet[2] & 0x0f)?;
        let id = BoxId(*packet[3..].first_chunk()?);
        Some(Self { kind, id, counter: u64::from_le_bytes(*packet[11..].first_chunk()?) })
    }
}

/// What can be sent.
pub trait Body: Serialize + DeserializeOwned {
    /// What it is.
    const KIND: Kind;
    /// Bytes of the shortest packet; a shorter one gets zeroes.
    const LEAST: usize;
}

/// The box is here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// None is defined yet.
    pub flags: u8,
    /// Of the keys.
    pub epoch: u32,
    /// Seconds since the box started.
    pub uptime_s: u32,
    /// The port at which terminals from outside reach it; 0 for none.
    pub pub_port: u16,
    /// Its own global addresses.
    pub v6: heapless::Vec<[u8; 16], 2>,
    /// How it is reached from outside; 0 while that is not known.
    pub map: u8,
    /// What the service sent to this source.
    pub cookie: Option<[u8; COOKIE]>,
}

impl Body for Beat {
    const KIND: Kind = Kind::Beat;
    const LEAST: usize = ASKING;
}

/// The service heard a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Where it came from.
    pub seen: Seen,
    /// Its port.
    pub port: u16,
    /// What became of it.
    pub status: Status,
    /// Seconds until the next beat is wanted: 60 to 3600.
    pub next_s: u16,
    /// What else there is to know.
    pub flags: AckFlags,
    /// The time of day, seconds since 1970.
    pub srv_time: u32,
}

impl Body for Ack {
    const KIND: Kind = Kind::Ack;
    const LEAST: usize = 0;
}

/// An address as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// Of IPv4.
    V4([u8; 4]),
    /// Of IPv6.
    V6([u8; 16]),
}

impl From<IpAddr> for Seen {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => Self::V6(ip.octets()),
        }
    }
}

impl From<Seen> for IpAddr {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::V4(octets) => Ipv4Addr::from(octets).into(),
            Seen::V6(octets) => Ipv6Addr::from(octets).into(),
        }
    }
}

/// What became of a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// The name leads to this address.
    Published,
    /// The operator suspended the name.
    Suspended,
    /// This address is not one of the internet, and is not published.
    NotPublished,
}

/// What a box is told beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckFlags(pub u8);

impl AckFlags {
    /// Kept for a service that calls its box.
    pub const WAKE: Self = Self(1);
    /// Kept for certificates.
    pub const CERT_READY: Self = Self(2);
    /// The name is not this box's any more; these keys are old.
    pub const NAME_LOST: Self = Self(4);
    /// Somebody with the recovery code asks for the name; the box may say no.
    pub const MOVE_PENDING: Self = Self(8);
    /// The service moved: its statement says where to.
    pub const MOVED: Self = Self(16);

    /// All of `other` is said.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The service wants to know first that the box reads what is sent to where it seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// To be echoed.
    pub cookie: [u8; COOKIE],
}

impl Body for Retry {
    const KIND: Kind = Kind::Retry;
    const LEAST: usize = 0;
}

/// The box goes off. Not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    /// Of the keys.
    pub epoch: u32,
}

impl Body for Bye {
    const KIND: Kind = Kind::Bye;
    const LEAST: usize = 0;
}

/// What a box tells of itself when it changes: by HTTPS alone, where nobody else reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Of the keys.
    pub epoch: u32,
    /// Its address and port at home.
    pub lan: Option<([u8; 4], u16)>,
    /// Its version.
    pub fw: heapless::String<FIRMWARE_MAX>,
}

impl Body for About {
    const KIND: Kind = Kind::About;
    const LEAST: usize = ASKING;
}

/// Writes a packet; returns its length.
pub fn seal<B: Body>(id: BoxId, counter: u64, body: &B, key: &BeatKey, out: &mut [u8; PACKET_MAX]) -> usize {
    out[..2].copy_from_slice(&MAGIC);
    out[2] = VERSION << 4 | B::KIND as u8;
    out[3..11].copy_from_slice(&id.0);
    out[11..HEAD].copy_from_slice(&counter.to_le_bytes());
    let body = postcard::to_slice(body, &mut out[HEAD..PACKET_MAX - MAC]).map_or(0, |bytes| bytes.len());
    debug_assert!(body > 0, "PACKET_MAX holds the longest body");
    let end = (HEAD + body).max(B::LEAST.saturating_sub(MAC));
    out[HEAD + body..end].fill(0);
    let mac = mac(&out[..end], key);
    out[end..end + MAC].copy_from_slice(&mac);
    end + MAC
}

/// The body of a packet that the peer wrote with `key`: its MAC is checked first, in constant time, then that nothing
/// but zeroes follows the body.
#[must_use]
pub fn open<B: Body>(packet: &[u8], key: &BeatKey) -> Option<B> {
    if Header::peek(packet)?.kind != B::KIND || packet.len() < B::LEAST {
        return None;
    }
    let (text, tag) = packet.split_last_chunk::<MAC>()?;
    if !bool::from(mac(text, key).ct_eq(tag)) {
        return None;
    }
    let (body, rest) = postcard::take_from_bytes(&text[HEAD..]).ok()?;
    rest.iter().all(|byte| *byte == 0).then_some(body)
}

fn mac(text: &[u8], key: &BeatKey) -> [u8; MAC] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key.0), text);
    let mut mac = [0; MAC];
    mac.copy_from_slice(&tag.as_ref()[..MAC]);
    mac
}

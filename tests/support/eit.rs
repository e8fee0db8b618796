//! Makes sections of the guide, and reads them on its own (EN 300 468 §5.2.2 to §5.2.6).

use super::tables::be16;
use super::ts::crc32;

/// 2026-01-01 00:00 UTC, and its modified Julian date.
pub const MIDNIGHT: u64 = 1_767_225_600;
const MJD: u64 = 61_041;

/// An event to be sent.
#[derive(Clone, Debug, Default)]
pub struct Event {
    pub id: u16,
    /// Seconds behind [`MIDNIGHT`], and of it.
    pub start: u64,
    pub duration: u64,
    pub title: String,
    /// All its other descriptors.
    pub more: Vec<u8>,
}

/// Where a section stands: its numbers, its segment's last, the last table.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub table_id: u8,
    pub version: u8,
    pub section: u8,
    pub last_section: u8,
    pub last_table: u8,
}

/// A tag, a length, a body.
pub fn descriptor(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(body.len()).expect("a descriptor is short")], body].concat()
}

/// A section of `sid` on the mux `tsid`; the section is its segment's last.
pub fn eit(tsid: u16, sid: u16, place: Place, events: &[Event]) -> Vec<u8> {
    let [high, low] = sid.to_be_bytes();
    let Place { table_id, version, section, last_section, last_table } = place;
    let mut bytes = vec![table_id, 0, 0, high, low, 0xc1 | version << 1, section, last_section];
    bytes.extend(tsid.to_be_bytes());
    bytes.extend([0x20, 0, section, last_table]);
    for event in events {
        let text = [b"fra", &counted(event.title.as_bytes())[..], &[0]].concat();
        let descriptors = [descriptor(0x4d, &text), event.more.clone()].concat();
        bytes.extend(event.id.to_be_bytes());
        bytes.extend(time(event.start));
        bytes.extend(clock(event.duration));
        let length = u16::try_from(descriptors.len()).expect("an event is short");
        bytes.extend(length.to_be_bytes());
        bytes.extend(descriptors);
    }
    sealed(bytes)
}

/// A bouquet of services of the mux `tsid`, with numbers of EACEM for them.
pub fn bat(id: u16, version: u8, name: &str, tsid: u16, services: &[(u16, u16)]) -> Vec<u8> {
    let list: Vec<u8> =
        services.iter().flat_map(|(sid, _)| [&sid.to_be_bytes()[..], &[1]].concat()).collect();
    let numbers: Vec<u8> = services
        .iter()
        .flat_map(|(sid, n)| [sid.to_be_bytes(), (0xfc00 | n).to_be_bytes()].concat())
        .collect();
    let specifier = descriptor(0x5f, &[0, 0, 0, 0x28]);
    let loops = [descriptor(0x41, &list), specifier, descriptor(0x83, &numbers)].concat();
    let mux = [&tsid.to_be_bytes()[..], &[0x20, 0], &looped(&loops)].concat();
    let [high, low] = id.to_be_bytes();
    let head = vec![0x4a, 0, 0, high, low, 0xc1 | version << 1, 0, 0];
    sealed([head, looped(&descriptor(0x47, name.as_bytes())), looped(&mux)].concat())
}

/// A TOT of so many seconds behind [`MIDNIGHT`], for a country an hour ahead, two from `change` on.
pub fn tot(seconds: u64, country: &str, change: u64) -> Vec<u8> {
    let zone = [country.as_bytes(), &[2, 1, 0], &time(change), &[2, 0]].concat();
    let mut bytes = [&[0x73, 0, 0][..], &time(seconds), &looped(&descriptor(0x58, &zone))].concat();
    let length = u16::try_from(bytes.len() + 1).expect("a section is short");
    bytes[1..3].copy_from_slice(&(0x7000 | length).to_be_bytes());
    bytes.extend(crc32(&bytes).to_be_bytes());
    bytes
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(bytes.len() + 1).expect("a section is short");
    assert!(length < 4094, "a section has {length} bytes");
    bytes[1..3].copy_from_slice(&(0xf000 | length).to_be_bytes());
    bytes.extend(crc32(&bytes).to_be_bytes());
    bytes
}

fn looped(bytes: &[u8]) -> Vec<u8> {
    [&(0xf000 | u16::try_from(bytes.len()).expect("a loop is short")).to_be_bytes()[..], bytes].concat()
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).expect("a text is short")], bytes].concat()
}

fn time(seconds: u64) -> Vec<u8> {
    let day = u16::try_from(MJD + seconds / 86_400).expect("a day before 2038");
    [&day.to_be_bytes()[..], &clock(seconds % 86_400)].concat()
}

fn clock(seconds: u64) -> [u8; 3] {
    let digits = |n: u64| (n / 10 * 16 + n % 10).to_le_bytes()[0];
    [seconds / 3600, seconds / 60 % 60, seconds % 60].map(digits)
}

/// An event as it was received.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Received {
    pub service: [u16; 3],
    pub start: u64,
    pub id: u16,
    /// As sent, the character table's byte included.
    pub title_raw: Vec<u8>,
}

/// The events of a section of an EIT, those without a start left out.
pub fn received(section: &[u8]) -> Vec<Received> {
    let service = [be16(&section[10..]), be16(&section[8..]), be16(&section[3..])];
    let mut rest = &section[14..section.len() - 4];
    let mut events = Vec::new();
    while rest.len() >= 12 {
        let length = usize::from(be16(&rest[10..]) & 0x0fff);
        let digits = |b: u8| u64::from(b >> 4) * 10 + u64::from(b & 15);
        let second = digits(rest[4]) * 3600 + digits(rest[5]) * 60 + digits(rest[6]);
        let start = (u64::from(be16(&rest[2..])) * 86_400 + second).wrapping_sub(40_587 * 86_400);
        if rest[2..7] != [0xff; 5] {
            let title_raw = title(&rest[12..12 + length]);
            events.push(Received { service, start, id: be16(rest), title_raw });
        }
        rest = &rest[12 + length..];
    }
    events
}

fn title(mut descriptors: &[u8]) -> Vec<u8> {
    while let [tag, length, rest @ ..] = descriptors {
        let (body, behind) = rest.split_at(usize::from(*length));
        if *tag == 0x4d {
            return body[4..4 + usize::from(body[3])].to_vec();
        }
        descriptors = behind;
    }
    Vec::new()
}

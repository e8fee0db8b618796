//! Sections and tables, read on their own (ISO 13818-1 §2.4.4, EN 300 468 §5.2.3).

use super::ts::{Packet, payload, starts_unit};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pmt {
    pub program: u16,
    pub version: u8,
    pub pcr_pid: u16,
    /// Stream type and PID.
    pub streams: Vec<(u8, u16)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sdt {
    pub sid: u16,
    pub service_type: u8,
    /// As sent, the character table's byte included.
    pub provider_raw: Vec<u8>,
    pub name_raw: Vec<u8>,
}

/// The sections that `packet` ends; `buffer` is what its PID has begun.
pub fn sections(packet: &Packet, buffer: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut bytes = payload(packet);
    let mut found = Vec::new();
    if starts_unit(packet) {
        let Some((&pointer, rest)) = bytes.split_first() else { return found };
        let (before, after) = rest.split_at(rest.len().min(usize::from(pointer)));
        if !buffer.is_empty() {
            buffer.extend(before);
            cut(buffer, &mut found);
        }
        buffer.clear();
        bytes = after;
    } else if buffer.is_empty() {
        return found;
    }
    buffer.extend(bytes);
    cut(buffer, &mut found);
    found
}

/// Moves the whole sections at the front of `buffer` to `found`; stuffing empties it.
fn cut(buffer: &mut Vec<u8>, found: &mut Vec<Vec<u8>>) {
    while buffer.len() >= 3 && buffer[0] != 0xff {
        let length = 3 + usize::from(be16(&buffer[1..]) & 0x0fff);
        if buffer.len() < length {
            return;
        }
        found.push(buffer.drain(..length).collect());
    }
    if buffer.first() == Some(&0xff) {
        buffer.clear();
    }
}

/// A PMT section, its CRC left out of `body`.
pub fn pmt(section: &[u8], body: &[u8]) -> Option<Pmt> {
    let pcr_pid = be16(body.get(..2)?) & 0x1fff;
    let mut rest = body.get(4 + usize::from(be16(body.get(2..4)?) & 0x0fff)..)?;
    let mut streams = Vec::new();
    while let Some(entry) = rest.get(..5) {
        streams.push((entry[0], be16(&entry[1..]) & 0x1fff));
        rest = rest.get(5 + usize::from(be16(&entry[3..]) & 0x0fff)..)?;
    }
    Some(Pmt { program: be16(&section[3..]), version: section[5] >> 1 & 0x1f, pcr_pid, streams })
}

/// The services of an SDT that have a service descriptor (EN 300 468 §5.2.3, §6.2.33).
pub fn sdt(body: &[u8]) -> Vec<Sdt> {
    let mut services = Vec::new();
    let mut rest = body.get(3..).unwrap_or_default();
    while let Some(entry) = rest.get(..5) {
        let end = 5 + usize::from(be16(&entry[3..]) & 0x0fff);
        services.extend(service_descriptor(be16(entry), rest.get(5..end).unwrap_or_default()));
        rest = rest.get(end..).unwrap_or_default();
    }
    services
}

fn service_descriptor(sid: u16, mut descriptors: &[u8]) -> Option<Sdt> {
    while let Some(&[tag, length]) = descriptors.get(..2) {
        let body = descriptors.get(2..2 + usize::from(length))?;
        if tag == 0x48 {
            let (&service_type, rest) = body.split_first()?;
            let (&provider, rest) = rest.split_first()?;
            let (provider_raw, rest) = rest.split_at_checked(usize::from(provider))?;
            let (&name, rest) = rest.split_first()?;
            let (provider_raw, name_raw) = (provider_raw.to_vec(), rest.get(..usize::from(name))?.to_vec());
            return Some(Sdt { sid, service_type, provider_raw, name_raw });
        }
        descriptors = &descriptors[2 + usize::from(length)..];
    }
    None
}

/// The CRC of sections, bit by bit (ISO 13818-1 Annex A): 0 over a section and its own CRC.
pub fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte) << 24,
            |c, _| {
                if c >> 31 == 1 { c << 1 ^ 0x04c1_1db7 } else { c << 1 }
            },
        )
    })
}

/// The number in the first two bytes.
pub fn be16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

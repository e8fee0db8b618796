//! A request, parsed once.

use super::wire::{HEADER, Malformed, NAME_MAX, Name, Reader, class, rtype};

/// Bytes that a UDP answer may have where no EDNS says more (RFC 1035 §2.3.4).
pub(super) const UDP_PLAIN: u16 = 512;
/// Bytes that a UDP answer has at most, so that no router has to split it.
pub(super) const UDP_EDNS: u16 = 1232;

/// The header of a message (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) flags: u16,
    /// Records of each section: questions, answers, authority, additional.
    pub(super) counts: [u16; 4],
}

/// QR: an answer.
pub(super) const QR: u16 = 0x8000;
/// AA: from whom it comes.
pub(super) const AA: u16 = 0x0400;
/// TC: there is more by TCP.
pub(super) const TC: u16 = 0x0200;
/// Opcode and RD, which an answer repeats.
const REPEATED: u16 = 0x7900;

impl Header {
    /// The header of a request; `None` for what deserves silence: too short, or an answer itself.
    pub(super) fn peek(message: &[u8]) -> Option<Self> {
        let mut reader = Reader { message, at: 0 };
        let (id, flags) = (reader.u16().ok()?, reader.u16().ok()?);
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = reader.u16().ok()?;
        }
        (flags & QR == 0).then_some(Self { id, flags, counts })
    }

    pub(super) const fn opcode(self) -> u16 {
        self.flags >> 11 & 0xf
    }

    /// The flags that an answer begins with.
    pub(super) const fn answer_flags(self) -> u16 {
        QR | self.flags & REPEATED
    }
}

/// The one question of a request.
pub(super) struct Question {
    /// In lower case on the wire.
    pub(super) name: Name,
    pub(super) qtype: u16,
    pub(super) qclass: u16,
    /// Where it ends in the message; it begins behind the header.
    pub(super) end: usize,
}

/// What EDNS says of the asker (RFC 6891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edns {
    pub(super) size: u16,
    pub(super) version: u8,
    /// The DO bit, which an answer repeats (RFC 3225 §3).
    pub(super) wants_dnssec: bool,
}

/// A request taken apart: what an answer needs of it.
pub(super) struct Request<'a> {
    pub(super) message: &'a [u8],
    pub(super) header: Header,
    pub(super) question: Question,
    pub(super) edns: Option<Edns>,
    /// Where its TSIG record begins, the last of the message.
    pub(super) tsig_at: Option<usize>,
    /// The serial the asker has, of the SOA in the authority section (IXFR, RFC 1995 §3).
    pub(super) serial: Option<u32>,
}

impl<'a> Request<'a> {
    /// Takes a message apart to its last byte.
    pub(super) fn parse(header: Header, message: &'a [u8]) -> Result<Self, Malformed> {
        let question = Question::parse(header, message)?;
        let mut reader = Reader { message, at: question.end };
        let [_, answers, authorities, additional] = header.counts;
        for _ in 0..answers {
            reader.skip_name()?;
            reader.fixed()?;
        }
        let mut serial = None;
        for _ in 0..authorities {
            reader.skip_name()?;
            let fixed = reader.fixed()?;
            if fixed.rtype == rtype::SOA && serial.is_none() {
                serial = soa_serial(message, &reader, fixed.data);
            }
        }
        let (mut edns, mut tsig_at) = (None, None);
        for i in 0..additional {
            let at = reader.at;
            reader.skip_name()?;
            let name_length = reader.at - at;
            let fixed = reader.fixed()?;
            match fixed.rtype {
                // From RFC 6891 §6.1.1: more than one OPT, or another owner than the root: FORMERR.
                rtype::OPT if edns.is_some() || name_length != 1 => return Err(Malformed),
                rtype::OPT => edns = Some(Edns::of(fixed.class, fixed.ttl)),
                // From RFC 8945 §5.1: a TSIG record that is not the last one: FORMERR.
                rtype::TSIG if i + 1 != additional || fixed.class != class::ANY => return Err(Malformed),
                rtype::TSIG => tsig_at = Some(at),
                _ => {}
            }
        }
        if reader.at != message.len() {
            return Err(Malformed);
        }
        Ok(Self { message, header, question, edns, tsig_at, serial })
    }

    /// Bytes a UDP answer may have.
    pub(super) fn udp_limit(&self) -> usize {
        self.edns.map_or(UDP_PLAIN, |edns| edns.size.clamp(UDP_PLAIN, UDP_EDNS)).into()
    }
}

impl Question {
    /// The question, where there is exactly one; its name cannot be compressed, as nothing stands before it.
    pub(super) fn parse(header: Header, message: &[u8]) -> Result<Self, Malformed> {
        if header.counts[0] != 1 {
            return Err(Malformed);
        }
        let mut reader = Reader { message, at: HEADER };
        let mut name = Name::new();
        loop {
            let length = reader.u8()?;
            if length > 63 || name.len() + 1 + usize::from(length) > NAME_MAX {
                return Err(Malformed);
            }
            name.push(length).map_err(|_| Malformed)?;
            if length == 0 {
                break;
            }
            name.extend_from_slice(reader.take(length.into())?).map_err(|_| Malformed)?;
        }
        // Lengths are below 64, so that lower case leaves them alone.
        name.make_ascii_lowercase();
        Ok(Self { name, qtype: reader.u16()?, qclass: reader.u16()?, end: reader.at })
    }
}

impl Edns {
    fn of(class: u16, ttl: u32) -> Self {
        let [_, version, flags, _] = ttl.to_be_bytes();
        Self { size: class, version, wants_dnssec: flags & 0x80 != 0 }
    }
}

/// The serial of a SOA whose data ends where `reader` stands.
fn soa_serial(message: &[u8], reader: &Reader<'_>, data: &[u8]) -> Option<u32> {
    let mut soa = Reader { message: message.get(..reader.at)?, at: reader.at - data.len() };
    soa.skip_name().ok()?;
    soa.skip_name().ok()?;
    soa.u32().ok()
}

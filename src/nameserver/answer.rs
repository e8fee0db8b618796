//! What is answered to a question, without a word of transfers and updates.

use super::records::{self, Data, Place, TTL};
use super::wire::{Full, HEADER, Rcode, Writer, class, rtype};
use super::{Directory, Found, Published, Zone};

/// Seconds that "there is none" lives in caches (RFC 2308 §5).
const NEGATIVE_TTL: u32 = 30;
/// Seconds that the SOA lives in caches.
const SOA_TTL: u32 = 300;
/// SOA: secondaries are told of changes; they ask by themselves only when that was lost.
const REFRESH: u32 = 300;
const RETRY: u32 = 60;
/// SOA: secondaries go on for two weeks.
const EXPIRE: u32 = 14 * 24 * 3600;
/// Seconds that the answer to ANY lives in caches.
const ANY_TTL: u32 = 3600;

/// What an answer holds, its body being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) rcode: Rcode,
    pub(super) is_authoritative: bool,
    /// Records in answer, authority and additional.
    pub(super) counts: [u16; 3],
    /// The same for answers that are the same: what is limited (`rrl`).
    pub(super) kind: u64,
}

impl Body {
    /// No records.
    pub(super) const fn only(rcode: Rcode) -> Self {
        Self { rcode, is_authoritative: false, counts: [0; 3], kind: rcode as u64 }
    }
}

/// A question within a zone.
pub(super) struct Asked<'a, D> {
    pub(super) zone: &'a Zone,
    pub(super) number: usize,
    pub(super) serial: u32,
    pub(super) directory: &'a D,
    /// What data is asked for.
    pub(super) qtype: u16,
    /// What of the question's name stands before the apex.
    pub(super) relative: &'a [u8],
}

impl<D: Directory> Asked<'_, D> {
    /// Writes the records of the answer behind the question.
    pub(super) fn answer(&self, out: &mut Writer<'_>) -> Result<Body, Full> {
        if let Some(records) = self.zone.node(self.relative) {
            return self.of_settings(records, out);
        }
        let (below, label_at) = split(self.relative);
        let label = self.relative.get(label_at..).unwrap_or_default();
        if !below.is_empty() && self.zone.node(label).is_some() {
            return self.negative(Rcode::NxDomain, out);
        }
        match self.directory.find(self.number, label.get(1..).unwrap_or_default()) {
            Found::Entry(published) if records::exists(published, below) => {
                self.of_name(published, below, label.get(1..).unwrap_or_default(), out)
            }
            _ => self.negative(Rcode::NxDomain, out),
        }
    }

    fn of_settings(&self, records: &[super::Record], out: &mut Writer<'_>) -> Result<Body, Full> {
        let qtype = self.qtype;
        if qtype == rtype::ANY {
            return self.any(out);
        }
        let mut count = 0;
        if qtype == rtype::SOA && self.relative.is_empty() {
            put_soa(self.zone, self.serial, SOA_TTL, HEADER, out)?;
            count += 1;
        }
        for record in records.iter().filter(|record| record.rtype == qtype) {
            out.pointer(HEADER)?;
            out.record(record.rtype, record.ttl, |out| out.put(&record.data))?;
            count += 1;
        }
        if count == 0 {
            return self.negative(Rcode::NoError, out);
        }
        let additional = if qtype == rtype::NS { self.glue(out) } else { 0 };
        Ok(self.positive(count, additional))
    }

    fn of_name(
        &self,
        published: Published<'_>,
        below: &[u8],
        label: &[u8],
        out: &mut Writer<'_>,
    ) -> Result<Body, Full> {
        let qtype = self.qtype;
        if qtype == rtype::ANY {
            return self.any(out);
        }
        let place = Place::of(below);
        let mut count = 0;
        for (_, data) in
            records::of(published).filter(|(at, data)| Some(*at) == place && data.rtype() == qtype)
        {
            out.pointer(HEADER)?;
            out.record(qtype, TTL, |out| data.put(label, self.zone, out))?;
            count += 1;
        }
        if count == 0 {
            return self.negative(Rcode::NoError, out);
        }
        let mut additional = 0;
        if place == Some(Place::Service) {
            let name_at = HEADER + below.len();
            additional = records::of(published)
                .filter(|(at, data)| *at == Place::Name && matches!(data, Data::V4(_) | Data::V6(_)))
                .map(|(_, data)| {
                    whole(out, |out| {
                        out.pointer(name_at)?;
                        out.record(data.rtype(), TTL, |out| data.put(label, self.zone, out))
                    })
                })
                .sum();
        }
        Ok(self.positive(count, additional))
    }

    fn positive(&self, answers: u16, additional: u16) -> Body {
        // FNV-1a: who makes two names share an account gains nothing.
        let kind = self.relative.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let kind = kind ^ u64::from(self.qtype) << 48 ^ self.number as u64;
        Body { rcode: Rcode::NoError, is_authoritative: true, counts: [answers, 0, additional], kind }
    }

    /// One record instead of all of them (RFC 8482 §4.2).
    fn any(&self, out: &mut Writer<'_>) -> Result<Body, Full> {
        out.pointer(HEADER)?;
        out.record(rtype::HINFO, ANY_TTL, |out| out.put(b"\x07RFC8482\0"))?;
        Ok(self.positive(1, 0))
    }

    /// The SOA says for how long there is none (RFC 2308 §3).
    fn negative(&self, rcode: Rcode, out: &mut Writer<'_>) -> Result<Body, Full> {
        put_soa(self.zone, self.serial, NEGATIVE_TTL, HEADER + self.relative.len(), out)?;
        let kind = match rcode {
            // All names that do not exist are one: else a flood of them would never be the same answer twice.
            Rcode::NxDomain => (self.number as u64) << 8 | Rcode::NxDomain as u64,
            _ => self.positive(0, 0).kind,
        };
        Ok(Body { rcode, is_authoritative: true, counts: [0, 1, 0], kind })
    }

    /// Addresses of the zone's own name servers, as far as there is room. The question is the apex.
    fn glue(&self, out: &mut Writer<'_>) -> u16 {
        let records = self.zone.glue().flat_map(|host| {
            let records = self.zone.node(host).unwrap_or_default();
            records.iter().map(move |record| (host, record))
        });
        records
            .filter(|(_, record)| matches!(record.rtype, rtype::A | rtype::AAAA))
            .map(|(host, record)| {
                whole(out, |out| {
                    out.put(host)?;
                    out.pointer(HEADER)?;
                    out.record(record.rtype, record.ttl, |out| out.put(&record.data))
                })
            })
            .sum()
    }
}

/// The zone's SOA, its owner a pointer to `apex_at`.
pub(super) fn put_soa(
    zone: &Zone,
    serial: u32,
    ttl: u32,
    apex_at: usize,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    out.pointer(apex_at)?;
    out.record(rtype::SOA, ttl, |out| {
        out.name(zone.mname(), zone, apex_at)?;
        out.name(zone.rname(), zone, apex_at)?;
        [serial, REFRESH, RETRY, EXPIRE, NEGATIVE_TTL].into_iter().try_for_each(|number| out.u32(number))
    })
}

/// The zone's SOA of a transfer.
pub(super) fn put_transfer_soa(zone: &Zone, serial: u32, out: &mut Writer<'_>) -> Result<(), Full> {
    put_soa(zone, serial, SOA_TTL, HEADER, out)
}

/// Whether `qclass` and `qtype` ask for data at all.
pub(super) const fn is_data(qclass: u16, qtype: u16) -> Result<(), Rcode> {
    match (qclass, qtype) {
        (class::IN, rtype::OPT) => Err(Rcode::FormErr),
        // TKEY, TSIG; MAILB, MAILA (RFC 6895 §3.1: they are asked for, and are no data).
        (class::IN, 249 | 250 | 253 | 254) => Err(Rcode::NotImp),
        (class::IN, _) => Ok(()),
        _ => Err(Rcode::Refused),
    }
}

/// Writes a record that may be left out; 1 when it was written.
fn whole(out: &mut Writer<'_>, write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) -> u16 {
    let before = out.len();
    let written = write(out).is_ok();
    if !written {
        out.truncate(before);
    }
    written.into()
}

/// What stands before the last label of a name, and where that label begins.
pub(super) fn split(relative: &[u8]) -> (&[u8], usize) {
    let (mut at, mut last) = (0, 0);
    while let Some(&length) = relative.get(at) {
        last = at;
        at += 1 + usize::from(length);
    }
    (relative.get(..last).unwrap_or_default(), last)
}

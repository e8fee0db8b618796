//! The records of a claimed name.

use super::wire::{Full, Writer, rtype};
use super::{Published, Zone};

/// Seconds that the records of a box live in caches.
pub(super) const TTL: u32 = 60;
/// Where a box's service is found, below its name (RFC 2782).
pub(super) const SERVICE: &[u8] = b"\x08_stbcast\x04_tcp";
/// The TXT record of a name that has nothing else.
const MARKER: &[u8] = b"\x06v=stb1";

/// Where a record of a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// At the name itself.
    Name,
    /// One label below it, in lower case.
    Below(&'a [u8]),
    /// At `_stbcast._tcp` below it.
    Service,
}

impl<'a> Place<'a> {
    /// What `labels`, on the wire without the root, mean below a name; `None`: nothing is ever there.
    pub(super) fn of(labels: &'a [u8]) -> Option<Self> {
        match labels.split_first() {
            None => Some(Place::Name),
            Some((&length, rest)) if rest.len() == usize::from(length) => Some(Place::Below(rest)),
            Some(_) => (labels == SERVICE).then_some(Place::Service),
        }
    }

    /// The labels of this place, on the wire.
    pub(super) fn put(self, out: &mut Writer<'_>) -> Result<(), Full> {
        match self {
            Place::Name => Ok(()),
            Place::Below(label) => put_label(label, out),
            Place::Service => out.put(SERVICE),
        }
    }
}

/// A label with its length, which is below 64.
pub(super) fn put_label(label: &[u8], out: &mut Writer<'_>) -> Result<(), Full> {
    out.put(&[u8::try_from(label.len()).map_err(|_| Full)?])?;
    out.put(label)
}

/// A record's data, not yet written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data<'a> {
    /// As it is.
    V4([u8; 4]),
    V6([u8; 16]),
    Text(&'a [u8]),
    /// HTTPS: priority 1, the owner itself, `port=` (RFC 9460 §7.2).
    Https(u16),
    /// SRV: priority 0, weight 0, port, the name.
    Service(u16),
}

impl Data<'_> {
    pub(super) const fn rtype(self) -> u16 {
        match self {
            Data::V4(_) => rtype::A,
            Data::V6(_) => rtype::AAAA,
            Data::Text(_) => rtype::TXT,
            Data::Https(_) => rtype::HTTPS,
            Data::Service(_) => rtype::SRV,
        }
    }

    /// Writes it, with names in full: what is in SRV must not be compressed.
    pub(super) fn put(self, label: &[u8], zone: &Zone, out: &mut Writer<'_>) -> Result<(), Full> {
        match self {
            Data::V4(bytes) => out.put(&bytes),
            Data::V6(bytes) => out.put(&bytes),
            Data::Text(bytes) => out.put(bytes),
            Data::Https(port) => {
                out.put(&[0, 1, 0, 0, 3, 0, 2])?;
                out.u16(port)
            }
            Data::Service(port) => {
                out.put(&[0, 0, 0, 0])?;
                out.u16(port)?;
                put_label(label, out)?;
                out.put(zone.apex())
            }
        }
    }
}

/// All records of a name.
pub(super) fn of(published: Published<'_>) -> impl Iterator<Item = (Place<'_>, Data<'_>)> {
    let Published { v4, v6, port, texts } = published;
    let is_bare = v4.is_none() && v6.is_none() && port == 0 && texts.is_empty();
    let port = (port != 0).then_some(port);
    let texts = texts.iter().map(|text| {
        let place = if text.below.is_empty() { Place::Name } else { Place::Below(&text.below) };
        (place, Data::Text(&text.data))
    });
    v4.map(|v4| (Place::Name, Data::V4(v4.octets())))
        .into_iter()
        .chain(v6.map(|v6| (Place::Name, Data::V6(v6.octets()))))
        .chain(port.map(|port| (Place::Name, Data::Https(port))))
        .chain(port.map(|port| (Place::Service, Data::Service(port))))
        .chain(texts)
        .chain(is_bare.then_some((Place::Name, Data::Text(MARKER))))
}

/// Whether there is such a place below a claimed name, be it without records. Where a box can be found and where its
/// certificate is asked for is always there: what was not yet said may be at any moment.
pub(super) fn exists(published: Published<'_>, labels: &[u8]) -> bool {
    match Place::of(labels) {
        Some(Place::Name | Place::Service) => true,
        Some(Place::Below(label)) => {
            matches!(label, b"_tcp" | b"_acme-challenge")
                || published.texts.iter().any(|t| *t.below == *label)
        }
        None => false,
    }
}

//! Enigma2's bouquets (`userbouquet.*.tv`): which services, in which order, under which name.
//!
//! ```text
//!   #NAME Favourites
//!   #SERVICE 1:64:…                                     a marker: a heading among the channels
//!   #SERVICE 1:0:TYPE:SID:TSID:ONID:NAMESPACE:0:0:0:    a service of lamedb (hexadecimal)
//!   #SERVICE 4097:0:…:udp%3a//239.1.1.1%3a5000:Name     a stream of its own
//!   #DESCRIPTION Name                                   what the line before is called
//! ```
//!
//! The receiver counts the channels through all bouquets, and so does [`Import`]: a service has the number of the
//! place where it stands first.

use std::collections::BTreeMap;

use super::dvb::{DvbService, Triple};
use super::lamedb::hex16;
use super::lines::Line;
use super::{Culprit, Import, Imported, ImportedSource, Refusal};
use crate::ts::service_info::{Name, ServiceKind};

/// Reads a bouquet: numbers and groups the services of the lists before it.
pub(super) fn read<'a>(lines: impl Iterator<Item = Line<'a>>, import: &mut Import) {
    let known = import.entries.iter().enumerate().filter_map(|(i, e)| Some((Key::of(&e.source)?, i)));
    let known: BTreeMap<Key, usize> = known.collect();
    let mut group = Name::default();
    // What a description would name.
    let mut last = None;
    for line in lines {
        if let Some(name) = line.text.strip_prefix("#NAME") {
            group = Name::new(name);
        } else if let Some(reference) = line.text.strip_prefix("#SERVICE") {
            let reference = reference.trim_start_matches([':', ' ']);
            last = service(line.number, reference, &group, &known, import);
        } else if let Some(name) = line.text.strip_prefix("#DESCRIPTION") {
            let name = Name::new(name.trim_start_matches([':', ' ']));
            let named = last.take().and_then(|at: usize| import.entries.get_mut(at));
            if let Some(entry) = named.filter(|_| !name.is_empty()) {
                entry.name = name;
            }
        }
    }
}

/// Takes the service of a line; its place among the entries.
fn service(
    line: usize,
    reference: &str,
    group: &Name,
    known: &BTreeMap<Key, usize>,
    import: &mut Import,
) -> Option<usize> {
    let fields: Vec<&str> = reference.splitn(12, ':').collect();
    let flags = fields.get(1).and_then(|flags| flags.parse::<u32>().ok());
    let is = |flag| flags.is_some_and(|flags| flags & flag != 0);
    if is(DIRECTORY) || is(UNSEEN) && !is(NUMBERED) {
        return None;
    }
    let number = u16::try_from(import.next_in_bouquets).ok();
    import.next_in_bouquets = import.next_in_bouquets.saturating_add(1);
    if is(UNSEEN) {
        return None;
    }
    let name = Name::new(fields.get(11).copied().unwrap_or(""));
    let place = Place { line, number, name, group: group.clone() };
    let path = fields.get(10).copied().unwrap_or("").trim();
    let taken = if path.is_empty() {
        find(reference, &fields, known).and_then(|at| place.give(at, import))
    } else {
        let service_type = fields.get(2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        place.add(path, service_type.map(ServiceKind::of), import)
    };
    taken.unwrap_or_else(|why| {
        import.refuse(line, why);
        None
    })
}

/// The entry a bouquet names.
fn find(reference: &str, fields: &[&str], known: &BTreeMap<Key, usize>) -> Result<usize, Refusal> {
    let key = Key::parse(fields).ok_or_else(|| Refusal::Line(Culprit::new(reference)))?;
    known.get(&key).copied().ok_or_else(|| Refusal::NoService(Culprit::new(reference)))
}

/// A place in a bouquet.
struct Place {
    line: usize,
    number: Option<u16>,
    /// What the service is called here; empty where it keeps its name.
    name: Name,
    group: Name,
}

impl Place {
    /// Gives the place to entry `at`, if it stands in none yet.
    fn give(self, at: usize, import: &mut Import) -> Result<Option<usize>, Refusal> {
        if let Some(taken) = import.entries.get(at).and_then(|e| e.number) {
            return Err(Refusal::Again(taken));
        }
        let number = self.number.filter(|number| import.claim(self.line, *number));
        let Some(entry) = import.entries.get_mut(at) else { return Ok(None) };
        entry.number = number;
        entry.group = self.group;
        if !self.name.is_empty() {
            entry.name = self.name;
        }
        Ok(Some(at))
    }

    /// Gives the place to a stream of its own, whose colons are written as `%3a`.
    fn add(
        self,
        path: &str,
        kind: Option<ServiceKind>,
        import: &mut Import,
    ) -> Result<Option<usize>, Refusal> {
        let url = path.replace("%3a", ":").replace("%3A", ":");
        let entry = Imported {
            number: self.number,
            name: if self.name.is_empty() { Name::new(&url) } else { self.name },
            provider: Name::default(),
            kind: kind.filter(|k| *k == ServiceKind::Radio).unwrap_or(ServiceKind::Television),
            source: import.multicast(&url)?,
            group: self.group,
        };
        let at = import.entries.len();
        import.add(self.line, entry);
        Ok((import.entries.len() > at).then_some(at))
    }
}

/// A bouquet in a bouquet.
const DIRECTORY: u32 = 1;
/// A marker, or what the receiver does not show.
const UNSEEN: u32 = 64 | 512;
/// A marker that has a number.
const NUMBERED: u32 = 256;

/// What a bouquet knows a service by: where it is received, and its ids.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key(u16, Triple);

impl Key {
    fn parse(fields: &[&str]) -> Option<Self> {
        let ["1", _, _, sid, stream, network, namespace, ..] = fields else { return None };
        let namespace = u32::from_str_radix(namespace, 16).ok()?;
        let service = Triple {
            original_network_id: Some(hex16(network)?),
            transport_stream_id: Some(hex16(stream)?),
            service_id: hex16(sid)?,
        };
        Some(Self(u16::try_from(namespace >> 16).ok()?, service))
    }

    fn of(source: &ImportedSource) -> Option<Self> {
        let ImportedSource::Dvb(DvbService { service, tuning }) = source else { return None };
        let place = match tuning.system {
            system if system.is_cable() => 0xffff,
            system if system.is_satellite() => {
                let tenths = tuning.position?.tenths().rem_euclid(3600);
                u16::try_from(tenths).ok()?
            }
            _ => 0xeeee,
        };
        Some(Self(place, *service))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Framing, Rules};
    use super::*;
    use crate::source::SourceUrl;

    static SERVICES: &[u8] = b"eDVB services /5/\n\
        t:00c00000:03fb:0001,s:11493750:22000000:0:3:192:2:0:1:2:0:2\n\
        t:eeee0000:0301:2114,t:522000000:0:5:5:3:2:4:4:2:0:1:0\n\
        s:283d:00c00000:03fb:0001:25:0:0,\"Das Erste HD\",p:ARD\n\
        s:283e:00c00000:03fb:0001:25:0:0,\"arte HD\",p:ARD\n\
        s:0010:eeee0000:0301:2114:31:0:0,\"Das Erste HD\",p:ARD\n";

    #[test]
    fn bouquets_number_and_group_the_services() {
        let mut import = Import::new(Rules { interface: None, capacity: 10 });
        assert_eq!(import.read(SERVICES).unwrap().count(), 0);
        let first = "#NAME Favourites (TV)\r\n\
            #SERVICE 1:64:1:0:0:0:0:0:0:0::News\r\n\
            #DESCRIPTION News\r\n\
            #SERVICE 1:0:19:283E:3FB:1:C00000:0:0:0:\r\n\
            #DESCRIPTION ARTE\r\n\
            #SERVICE 1:320:2:0:0:0:0:0:0:0:\r\n\
            #SERVICE 1:0:1F:10:301:2114:EEEE0000:0:0:0:\r\n\
            #SERVICE 4097:0:1:1:0:0:0:0:0:0:http%3a//host/one.m3u8:One\r\n\
            #SERVICE 4097:0:2:1:0:0:0:0:0:0:rtp%3a//239.1.1.1%3a5000:Radio\r\n\
            #SERVICE 1:7:1:0:0:0:0:0:0:0:FROM BOUQUET \"userbouquet.x.tv\" ORDER BY bouquet\r\n";
        let refused = import.read(first.as_bytes()).unwrap();
        assert_eq!(refused.kept(), [(8, Refusal::Scheme(Culprit::new("http://host/one.m3u8")))]);
        let second = "#NAME All\n\
            #SERVICE 1:0:19:283D:3FB:1:C00000:0:0:0:\n\
            #SERVICE 1:0:19:283E:3FB:1:C00000:0:0:0:\n\
            #DESCRIPTION not this\n\
            #SERVICE 1:0:19:9999:3FB:1:C00000:0:0:0:\n\
            #SERVICE 1:0:19\n";
        let refused = import.read(second.as_bytes()).unwrap();
        let wanted = [
            (3, Refusal::Again(1)),
            (5, Refusal::NoService(Culprit::new("1:0:19:9999:3FB:1:C00000:0:0:0:"))),
            (6, Refusal::Line(Culprit::new("1:0:19"))),
        ];
        assert_eq!(refused.kept(), wanted);
        let entries = import.entries();
        let rows: Vec<_> =
            entries.iter().map(|e| (e.number, e.name.as_str(), e.group.as_str(), e.kind)).collect();
        assert_eq!(
            rows,
            [
                (Some(6), "Das Erste HD", "All", ServiceKind::Television),
                (Some(1), "ARTE", "Favourites (TV)", ServiceKind::Television),
                (Some(3), "Das Erste HD", "Favourites (TV)", ServiceKind::Television),
                (Some(5), "Radio", "Favourites (TV)", ServiceKind::Radio),
            ]
        );
        let ImportedSource::Multicast { group, framing } = &entries[3].source else { panic!() };
        assert_eq!(SourceUrl::Udp(group.clone()).to_string(), "udp://239.1.1.1:5000");
        assert_eq!(*framing, Framing::Rtp);
    }
}

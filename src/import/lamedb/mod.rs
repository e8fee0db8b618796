//! Enigma2's `lamedb`, versions 4 and 5: the transponders, and the services on them.
//!
//! ```text
//!   4:  NAMESPACE:TSID:ONID                          5:  t:NAMESPACE:TSID:ONID,s:FREQUENCY:…
//!       <tab>s FREQUENCY:SYMBOLS:POLARISATION:FEC:POSITION:INVERSION[:FLAGS:SYSTEM:MODULATION:…]
//!       /
//!       SID:NAMESPACE:TSID:ONID:TYPE:NUMBER[:SOURCE] 5:  s:SID:NAMESPACE:…,"NAME",p:PROVIDER,f:FLAGS
//!       NAME
//!       p:PROVIDER,c:…,f:FLAGS
//! ```
//!
//! Ids are hexadecimal, the rest decimal. A service's number is always 0: bouquets number the channels.

use std::collections::BTreeMap;

use super::dvb::{DvbService, Triple};
use super::lines::Line;
use super::{Culprit, Import, ImportError, Imported, ImportedSource, Refusal, service_name};
use crate::delivery::Tuning;
use crate::ts::service_info::{Name, ServiceKind};

#[cfg(test)]
mod tests;
mod transponder;

/// Reads a list.
pub(super) fn read<'a>(
    mut lines: impl Iterator<Item = Line<'a>>,
    import: &mut Import,
) -> Result<(), ImportError> {
    let first = lines.next().map(|l| l.text).unwrap_or_default();
    let version = first.strip_prefix("eDVB services ").unwrap_or(&first);
    match version {
        "/4/" => read_4(lines, import),
        "/5/" => read_5(lines, import),
        _ => return Err(ImportError::Version(Culprit::new(version))),
    }
    Ok(())
}

/// What is known of the transponders: namespace, transport stream, network.
type Transponders = BTreeMap<(u32, u16, u16), Tuning>;

fn read_4<'a>(mut lines: impl Iterator<Item = Line<'a>>, import: &mut Import) {
    let mut transponders = Transponders::new();
    // After damage the next line that reads as a head begins anew; what is between belongs to what was refused.
    let mut lost = false;
    let mut key = None;
    for line in lines.by_ref().skip_while(|l| l.text != "transponders").skip(1) {
        match (line.text.trim(), key) {
            ("end", _) => break,
            ("/", _) => key = None,
            (text, None) => {
                key = transponder::key(text);
                lost = refuse_first(key.is_none(), lost, &line, import);
            }
            (text, Some(of)) => match transponder::tuning(text) {
                Ok(tuning) => _ = transponders.insert(of, tuning),
                Err(why) => import.refuse(line.number, why),
            },
        }
    }
    lost = false;
    let mut services = lines.skip_while(|l| l.text != "services").skip(1);
    while let Some(head) = services.next().filter(|l| l.text != "end") {
        let Some(reference) = Reference::of(&head.text) else {
            lost = refuse_first(true, lost, &head, import);
            continue;
        };
        lost = false;
        let (Some(name), Some(data)) = (services.next(), services.next()) else {
            return import.refuse(head.number, Refusal::Value("name", Culprit::default()));
        };
        add(head.number, &reference, &name.text, &data.text, &transponders, import);
    }
}

/// Refuses the first of several lines that make no sense; whether this one made none.
fn refuse_first(bad: bool, lost: bool, line: &Line<'_>, import: &mut Import) -> bool {
    if bad && !lost {
        import.refuse(line.number, Refusal::Line(Culprit::new(&line.text)));
    }
    bad
}

fn read_5<'a>(lines: impl Iterator<Item = Line<'a>>, import: &mut Import) {
    let mut transponders = Transponders::new();
    for line in lines.filter(|l| !l.text.is_empty() && !l.text.starts_with('#')) {
        let nonsense = || Refusal::Line(Culprit::new(&line.text));
        let (head, data) = line.text.split_once(',').unwrap_or((&line.text, ""));
        if let Some(key) = head.strip_prefix("t:") {
            match transponder::key(key)
                .ok_or_else(nonsense)
                .and_then(|key| Ok((key, transponder::tuning(data)?)))
            {
                Ok((key, tuning)) => _ = transponders.insert(key, tuning),
                Err(why) => import.refuse(line.number, why),
            }
            continue;
        }
        let reference = head.strip_prefix("s:").and_then(Reference::of);
        let name = data.strip_prefix('"').and_then(|quoted| quoted.split_once('"'));
        match (reference, name) {
            (Some(reference), Some((name, data))) => {
                let data = data.trim_start_matches(',');
                add(line.number, &reference, name, data, &transponders, import);
            }
            _ => import.refuse(line.number, nonsense()),
        }
    }
}

fn add(line: usize, of: &Reference, name: &str, data: &str, known: &Transponders, import: &mut Import) {
    let Some(tuning) = known.get(&of.transponder) else {
        let (namespace, stream, network) = of.transponder;
        let text = Culprit::new(&format!("{namespace:08x}:{stream:04x}:{network:04x}"));
        return import.refuse(line, Refusal::NoTransponder(text));
    };
    let value = |key: &str| data.split(',').find_map(|pair| pair.strip_prefix(key));
    let flags = value("f:").and_then(|flags| u32::from_str_radix(flags, 16).ok()).unwrap_or(0);
    if flags & HIDDEN != 0 {
        return import.refuse(line, Refusal::Hidden(Culprit::new(name)));
    }
    let (_, stream, network) = of.transponder;
    let service = Triple {
        original_network_id: Some(network),
        transport_stream_id: Some(stream),
        service_id: of.service_id,
    };
    // Before there were keys, the line was the provider.
    let keyless = Some(data).filter(|data| data.get(1..2) != Some(":"));
    let entry = Imported {
        number: None,
        name: service_name(name, service),
        provider: Name::new(value("p:").or(keyless).unwrap_or("")),
        kind: of.kind,
        source: ImportedSource::Dvb(DvbService { service, tuning: *tuning }),
        group: Name::default(),
    };
    import.add(line, entry);
}

/// The flag of a service that the receiver does not show.
const HIDDEN: u32 = 2;

/// The first line of a service.
struct Reference {
    service_id: u16,
    transponder: (u32, u16, u16),
    kind: ServiceKind,
}

impl Reference {
    fn of(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.splitn(8, ':').collect();
        let [sid, namespace, stream, network, service_type, _, ..] = fields[..] else { return None };
        Some(Self {
            service_id: hex16(sid).filter(|sid| *sid != 0)?,
            transponder: (u32::from_str_radix(namespace, 16).ok()?, hex16(stream)?, hex16(network)?),
            kind: ServiceKind::of(service_type.parse().ok()?),
        })
    }
}

pub(super) fn hex16(text: &str) -> Option<u16> {
    u16::from_str_radix(text, 16).ok()
}

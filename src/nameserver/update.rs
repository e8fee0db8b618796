//! UPDATE (RFC 2136) by the holder of a name, with that name's own TSIG key.
//!
//! It may touch its own name and one label below it. A name has one address of each family and one port here, so of
//! several that are added the last one counts.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::records::{self, Data, Place};
use super::request::Request;
use super::wire::{Fixed, Malformed, Name, Rcode, Reader, class, rtype};
use super::{
    Address, Directory, Nameserver, Snapshot, TEXT_MAX, TEXTS_MAX, Text, Ticket, Update, UpdateError, Zone,
};

/// Records of a section at most; what a name can hold is less.
const RECORDS_MAX: u16 = 64;

/// Checks all of an update by the holder of `label` and hands it on: all or nothing. `None`: it changes nothing.
pub(super) fn apply<D: Directory>(
    server: &Nameserver,
    request: &Request<'_>,
    (number, label): (usize, &[u8]),
    directory: &mut D,
) -> Result<Option<Ticket>, Rcode> {
    let question = &request.question;
    // From RFC 2136 §3.1.1: one zone, by its SOA.
    if question.qtype != rtype::SOA || question.qclass != class::IN {
        return Err(Rcode::FormErr);
    }
    match server.zone_of(&question.name) {
        Some((zone, 0)) if zone == number => {}
        Some((_, 0)) => return Err(Rcode::Refused),
        _ => return Err(Rcode::NotAuth),
    }
    let [_, prerequisites, updates, _] = request.header.counts;
    if prerequisites > RECORDS_MAX || updates > RECORDS_MAX {
        return Err(Rcode::Refused);
    }
    let zone = &server.zones.get(number).ok_or(Rcode::NotAuth)?.zone;
    let before = directory.find(number, label).entry().ok_or(Rcode::Refused)?.to_snapshot();
    let mut reader = Reader { message: request.message, at: question.end };
    let mut wanted = Vec::new();
    for _ in 0..prerequisites {
        let (name, fixed) = read(&mut reader)?;
        prerequisite(zone, label, &before, &name, fixed, &mut wanted)?;
    }
    check_wanted(zone, label, &before, &wanted)?;
    let mut after = before.clone();
    let mut texts = after.texts.into_vec();
    after.texts = Box::default();
    for _ in 0..updates {
        let (name, fixed) = read(&mut reader)?;
        let place = own_place(zone, label, &name)?;
        change(&mut after, &mut texts, place, fixed)?;
    }
    if texts.len() > TEXTS_MAX {
        return Err(Rcode::Refused);
    }
    let update = difference(&before, &after, texts);
    if update == Update::default() {
        return Ok(None);
    }
    match directory.update(number, label, update) {
        Ok(ticket) => Ok(Some(ticket)),
        Err(UpdateError::Refused) => Err(Rcode::Refused),
        Err(UpdateError::Busy) => Err(Rcode::ServFail),
    }
}

fn read<'a>(reader: &mut Reader<'a>) -> Result<(Name, Fixed<'a>), Rcode> {
    let malformed = |Malformed| Rcode::FormErr;
    Ok((reader.name().map_err(malformed)?, reader.fixed().map_err(malformed)?))
}

/// Where a record of an update belongs: nobody changes what is not his.
fn own_place<'a>(zone: &Zone, label: &[u8], name: &'a [u8]) -> Result<Place<'a>, Rcode> {
    let relative = zone.relative(name).ok_or(Rcode::NotZone)?;
    let (below, at) = super::answer::split(relative);
    if relative.get(at + 1..) != Some(label) {
        return Err(Rcode::Refused);
    }
    match Place::of(below) {
        Some(place @ (Place::Name | Place::Below(_))) => Ok(place),
        _ => Err(Rcode::Refused),
    }
}

/// A prerequisite that compares a whole RRset: its parts come one by one (RFC 2136 §2.4.2).
type Wanted<'a> = Vec<(Name, u16, &'a [u8])>;

/// Checks one prerequisite (RFC 2136 §3.2), or notes what its RRset has to be.
fn prerequisite<'a>(
    zone: &Zone,
    label: &[u8],
    before: &Snapshot,
    name: &Name,
    fixed: Fixed<'a>,
    wanted: &mut Wanted<'a>,
) -> Result<(), Rcode> {
    if fixed.ttl != 0 {
        return Err(Rcode::FormErr);
    }
    let place = own_place(zone, label, name)?;
    let is_any = fixed.rtype == rtype::ANY;
    let holds = |rtype: u16| at(before, place).any(|data| rtype == rtype::ANY || data.rtype() == rtype);
    match (fixed.class, fixed.data.is_empty()) {
        // The name itself exists as long as it is claimed, whatever is there.
        (class::ANY, true) if is_any => {
            (place == Place::Name || holds(rtype::ANY)).then_some(()).ok_or(Rcode::NxDomain)
        }
        (class::ANY, true) => holds(fixed.rtype).then_some(()).ok_or(Rcode::NxRrset),
        (class::NONE, true) if is_any => {
            (place != Place::Name && !holds(rtype::ANY)).then_some(()).ok_or(Rcode::YxDomain)
        }
        (class::NONE, true) => (!holds(fixed.rtype)).then_some(()).ok_or(Rcode::YxRrset),
        (class::IN, _) => {
            wanted.push((name.clone(), fixed.rtype, fixed.data));
            Ok(())
        }
        _ => Err(Rcode::FormErr),
    }
}

/// Whether each RRset that is wanted is exactly there.
fn check_wanted(zone: &Zone, label: &[u8], before: &Snapshot, wanted: &Wanted<'_>) -> Result<(), Rcode> {
    for (name, rtype, _) in wanted {
        let place = own_place(zone, label, name)?;
        let there: Vec<Vec<u8>> =
            at(before, place).filter(|d| d.rtype() == *rtype).filter_map(|d| bytes(d, label, zone)).collect();
        let these = wanted.iter().filter(|(other, of, _)| other == name && of == rtype);
        let is_same = these.clone().all(|(_, _, data)| there.iter().any(|d| d == data))
            && there.iter().all(|d| these.clone().any(|(_, _, data)| d == data));
        if !is_same {
            return Err(Rcode::NxRrset);
        }
    }
    Ok(())
}

/// What is at a place.
fn at<'a>(snapshot: &'a Snapshot, place: Place<'a>) -> impl Iterator<Item = Data<'a>> {
    records::of(snapshot.published()).filter(move |(at, _)| *at == place).map(|(_, data)| data)
}

fn bytes(data: Data<'_>, label: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let mut out = [0; 512];
    let mut writer = super::wire::Writer::new(&mut out, 0);
    data.put(label, zone, &mut writer).ok()?;
    Some(writer.written().to_vec())
}

/// Applies one record of the update section (RFC 2136 §3.4).
fn change(
    after: &mut Snapshot,
    texts: &mut Vec<Text>,
    place: Place<'_>,
    fixed: Fixed<'_>,
) -> Result<(), Rcode> {
    let below: &[u8] = match place {
        Place::Below(label) => label,
        _ => &[],
    };
    let here = |text: &Text| *text.below == *below;
    let Fixed { rtype, class, ttl, data } = fixed;
    if class != class::IN && ttl != 0 || class == class::ANY && !data.is_empty() {
        return Err(Rcode::FormErr);
    }
    let is_text = matches!(rtype, rtype::TXT | rtype::ANY);
    if place != Place::Name && !is_text {
        return Err(Rcode::Refused);
    }
    match (class, rtype) {
        (class::IN, rtype::TXT) => {
            let text = Text { below: below.into(), data: check_text(data)?.into() };
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        (class::NONE, rtype::TXT) => texts.retain(|text| !here(text) || *text.data != *data),
        (class::ANY, rtype::TXT) => texts.retain(|text| !here(text)),
        (class::ANY, rtype::ANY) => {
            texts.retain(|text| !here(text));
            if place == Place::Name {
                (after.v4, after.v6, after.port) = (None, None, 0);
            }
        }
        (_, rtype::A) => set(&mut after.v4, class, data, |bytes: [u8; 4]| Ipv4Addr::from(bytes))?,
        (_, rtype::AAAA) => set(&mut after.v6, class, data, |bytes: [u8; 16]| Ipv6Addr::from(bytes))?,
        (_, rtype::HTTPS) => {
            let mut port = (after.port != 0).then_some(after.port);
            set(&mut port, class, https_port(class, data)?, u16::from_be_bytes)?;
            after.port = port.unwrap_or(0);
        }
        _ => return Err(Rcode::Refused),
    }
    // What is in the update while it is read has a bound, too.
    if texts.len() > usize::from(RECORDS_MAX) { Err(Rcode::Refused) } else { Ok(()) }
}

/// A record of which there is one: added, taken away if it is that one, or taken away.
fn set<T: PartialEq, const N: usize>(
    place: &mut Option<T>,
    class: u16,
    data: &[u8],
    make: impl FnOnce([u8; N]) -> T,
) -> Result<(), Rcode> {
    if class == class::ANY {
        *place = None;
        return Ok(());
    }
    let value = make(data.try_into().map_err(|_| Rcode::FormErr)?);
    match class {
        class::IN => *place = Some(value),
        class::NONE if *place == Some(value) => *place = None,
        class::NONE => {}
        _ => return Err(Rcode::FormErr),
    }
    Ok(())
}

/// The port of `1 . port=N`; no other HTTPS record is kept here.
fn https_port(class: u16, data: &[u8]) -> Result<&[u8], Rcode> {
    match data {
        [0, 1, 0, 0, 3, 0, 2, port @ ..] if port.len() == 2 && port != [0, 0] => Ok(port),
        [] if class == class::ANY => Ok(data),
        _ => Err(Rcode::Refused),
    }
}

/// Character strings that fill their record.
fn check_text(data: &[u8]) -> Result<&[u8], Rcode> {
    let mut rest = data;
    while let Some((&length, tail)) = rest.split_first() {
        rest = tail.get(usize::from(length)..).ok_or(Rcode::FormErr)?;
    }
    match data.len() {
        0 => Err(Rcode::FormErr),
        1..=TEXT_MAX => Ok(data),
        _ => Err(Rcode::Refused),
    }
}

fn difference(before: &Snapshot, after: &Snapshot, texts: Vec<Text>) -> Update {
    fn address<A>(value: Option<A>) -> Address<A> {
        value.map_or(Address::Gone, Address::Is)
    }
    Update {
        v4: (before.v4 != after.v4).then(|| address(after.v4)),
        v6: (before.v6 != after.v6).then(|| address(after.v6)),
        port: (before.port != after.port).then_some(after.port),
        texts: (*before.texts != *texts).then_some(texts),
    }
}

//! Pushes a zone to another server by signed UPDATE (RFC 2136): Knot or BIND as hidden primary.

use std::collections::HashMap;

use super::changes::Committed;
use super::records::{self, Place, TTL, put_label};
use super::tsig::{Key, Mac, Tsig};
use super::wire::{Full, HEADER, Reader, Writer, class, rtype};
use super::{Directory, Nameserver, Now, Published, Zone};

/// UPDATE.
const FLAGS: u16 = 5 << 11;
/// Bytes of a message at most: some hundreds of names, and pointers reach all of them.
const MESSAGE_MAX: usize = 16 * 1024;
/// Names that wait at most; with more, all of the zone is walked through again.
const WAITING_MAX: usize = 100_000;
/// Where certificates are asked for, which is cleared whether or not it is known to hold something.
const CHALLENGE: &[u8] = b"_acme-challenge";

/// What is still to be pushed of one zone. One batch is on its way at a time.
pub struct Publisher {
    zone: usize,
    key: Key,
    /// Names with the labels below them that held texts.
    waiting: HashMap<Box<[u8]>, Vec<Box<[u8]>>>,
    /// Where the walk through all names is; it starts with the records of the settings.
    walk: Walk,
    walked: u64,
    batch: Option<Batch>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    Settings,
    Names(u64),
    Over,
}

struct Batch {
    id: u16,
    mac: Mac,
    names: Vec<Waiting>,
    has_settings: bool,
}

/// A name, with the labels below it that held texts.
type Waiting = (Box<[u8]>, Vec<Box<[u8]>>);

/// How far a publisher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Names that the walk through the zone, begun at the start, has come by.
    pub walked: u64,
    /// That walk is over.
    pub is_whole: bool,
    /// Names that wait to be pushed, or are on their way.
    pub waiting: usize,
}

/// What the other server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It has taken the batch.
    Taken,
    /// It has not, by this rcode; the batch waits again.
    Refused(u16),
    /// This is no answer to the batch, or not signed by who should.
    NotOurs,
}

impl Publisher {
    /// Begins with the whole zone: what the other server has may be old.
    #[must_use]
    pub fn new(zone: usize, key: Key) -> Self {
        Self { zone, key, waiting: HashMap::new(), walk: Walk::Settings, walked: 0, batch: None }
    }

    /// Notes what [`Nameserver::commit`] told.
    pub fn note(&mut self, committed: &Committed) {
        if committed.zone != self.zone {
            return;
        }
        let Some(batch) = &committed.batch else { return self.restart() };
        for changed in &batch.changes {
            let below = self.waiting.entry(changed.label.clone()).or_default();
            let texts = changed.before.iter().flat_map(|before| &before.texts);
            below.extend(texts.filter(|text| !text.below.is_empty()).map(|text| text.below.clone()));
            below.sort();
            below.dedup();
        }
        if self.waiting.len() > WAITING_MAX {
            self.restart();
        }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let on_its_way = self.batch.as_ref().map_or(0, |batch| batch.names.len());
        Progress {
            walked: self.walked,
            is_whole: self.walk == Walk::Over,
            waiting: self.waiting.len() + on_its_way,
        }
    }

    /// Writes the next batch to `out`; `None`: there is nothing to push, or one is on its way. `id` is random.
    pub fn next<D: Directory>(
        &mut self,
        now: Now,
        server: &Nameserver,
        directory: &D,
        id: u16,
        out: &mut [u8],
    ) -> Option<usize> {
        if self.batch.is_some() {
            return None;
        }
        let zone = &server.zones.get(self.zone)?.zone;
        let limit = out.len().min(MESSAGE_MAX).checked_sub(self.key.room())?;
        let mut writer = Writer::new(out.get_mut(..limit)?, 0);
        let mut update = Update::begin(&mut writer, zone, id).ok()?;
        let has_settings = self.walk == Walk::Settings;
        if has_settings {
            update.settings(zone).ok()?;
            self.walk = Walk::Names(0);
        }
        while let (true, Walk::Names(cursor)) = (self.waiting.is_empty(), self.walk) {
            self.page(directory, zone, cursor);
        }
        let labels: Vec<Box<[u8]>> = self.waiting.keys().take(MESSAGE_MAX / 64).cloned().collect();
        let mut names = Vec::new();
        for label in labels {
            let Some((label, below)) = self.waiting.remove_entry(&label) else { continue };
            let published = directory.find(self.zone, &label).entry();
            if update.name(zone, &label, &below, published).is_err() {
                self.waiting.insert(label, below);
                break;
            }
            names.push((label, below));
        }
        if update.count == 0 {
            return None;
        }
        let count = update.count;
        writer.set(8, count);
        let written = writer.len();
        let mut writer = Writer::new(out, written);
        let mac = self.key.sign(&mut writer, &[], now.utc).ok()?;
        self.batch = Some(Batch { id, mac, names, has_settings });
        Some(writer.len())
    }

    /// Takes what the other server answered.
    pub fn answered(&mut self, now: Now, message: &[u8]) -> Answered {
        let Some(batch) = &self.batch else { return Answered::NotOurs };
        let mut reader = Reader { message, at: 0 };
        let (Ok(id), Ok(flags)) = (reader.u16(), reader.u16()) else { return Answered::NotOurs };
        if id != batch.id || flags & 0xf800 != 0x8000 | FLAGS {
            return Answered::NotOurs;
        }
        let rcode = flags & 0xf;
        let is_signed = matches!(Tsig::find(message), Ok(Some(tsig)) if tsig.verify(&self.key, &batch.mac, false, now.utc).is_ok());
        match rcode {
            0 if is_signed => {
                self.batch = None;
                Answered::Taken
            }
            0 => Answered::NotOurs,
            // Who does not know the key cannot sign; and to be refused by somebody else only costs time.
            rcode => {
                self.failed();
                Answered::Refused(rcode)
            }
        }
    }

    /// The batch did not arrive, or nobody knows: it waits again. Each name is told as a whole, so twice is not too often.
    pub fn failed(&mut self) {
        let Some(batch) = self.batch.take() else { return };
        for (label, mut below) in batch.names {
            self.waiting.entry(label).or_default().append(&mut below);
        }
        if batch.has_settings {
            self.restart();
        }
    }

    fn restart(&mut self) {
        self.walk = Walk::Settings;
        self.walked = 0;
        if self.waiting.len() > WAITING_MAX {
            self.waiting.clear();
        }
    }

    fn page<D: Directory>(&mut self, directory: &D, zone: &Zone, cursor: u64) {
        let (waiting, walked) = (&mut self.waiting, &mut self.walked);
        let next = directory.page(self.zone, cursor, &mut |label, _| {
            *walked += 1;
            if !super::transfer::is_settings(zone, label) {
                waiting.entry(label.into()).or_default();
            }
        });
        self.walk = next.map_or(Walk::Over, Walk::Names);
    }
}

/// An update section under way.
struct Update<'a, 'b> {
    out: &'a mut Writer<'b>,
    count: u16,
}

impl<'a, 'b> Update<'a, 'b> {
    fn begin(out: &'a mut Writer<'b>, zone: &Zone, id: u16) -> Result<Self, Full> {
        [id, FLAGS, 1, 0, 0, 0].into_iter().try_for_each(|word| out.u16(word))?;
        out.put(zone.apex())?;
        out.u16(rtype::SOA)?;
        out.u16(class::IN)?;
        Ok(Self { out, count: 0 })
    }

    /// The records of the settings, each RRset anew; the apex keeps its SOA, and NS records are only added (RFC 2136
    /// §7.13: a zone is never without).
    fn settings(&mut self, zone: &Zone) -> Result<(), Full> {
        for (name, all) in zone.nodes() {
            let owner = |out: &mut Writer<'_>| out.put(name).and_then(|()| out.pointer(HEADER));
            for (i, record) in all.iter().enumerate() {
                let is_first = !all.iter().take(i).any(|other| other.rtype == record.rtype);
                if is_first && record.rtype != rtype::NS {
                    self.delete(owner, record.rtype)?;
                }
                owner(self.out)?;
                self.out.record(record.rtype, record.ttl, |out| out.put(&record.data))?;
                self.count += 1;
            }
        }
        Ok(())
    }

    /// All of a name anew, or nothing of it.
    fn name(
        &mut self,
        zone: &Zone,
        label: &[u8],
        below: &[Box<[u8]>],
        published: Option<Published<'_>>,
    ) -> Result<(), Full> {
        let (start, count) = (self.out.len(), self.count);
        let written = self.try_name(zone, label, below, published);
        if written.is_err() {
            self.out.truncate(start);
            self.count = count;
        }
        written
    }

    fn try_name(
        &mut self,
        zone: &Zone,
        label: &[u8],
        below: &[Box<[u8]>],
        published: Option<Published<'_>>,
    ) -> Result<(), Full> {
        let owner = |place: Place<'_>, out: &mut Writer<'_>| {
            place.put(out)?;
            put_label(label, out)?;
            out.pointer(HEADER)
        };
        let texts = published.iter().flat_map(|published| published.texts).map(|text| &*text.below);
        let known = below.iter().map(|label| &**label).filter(|label| *label != CHALLENGE);
        let mut others: Vec<&[u8]> =
            known.chain(texts.filter(|b| !b.is_empty() && *b != CHALLENGE)).collect();
        others.sort_unstable();
        others.dedup();
        for place in [Place::Name, Place::Service, Place::Below(CHALLENGE)] {
            self.delete(|out| owner(place, out), rtype::ANY)?;
        }
        for label in others {
            self.delete(|out| owner(Place::Below(label), out), rtype::ANY)?;
        }
        for (place, data) in published.into_iter().flat_map(records::of) {
            owner(place, self.out)?;
            self.out.record(data.rtype(), TTL, |out| data.put(label, zone, out))?;
            self.count += 1;
        }
        Ok(())
    }

    /// Takes away an RRset, or all of a name (RFC 2136 §2.5.2, §2.5.3).
    fn delete(
        &mut self,
        owner: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>,
        rtype: u16,
    ) -> Result<(), Full> {
        owner(self.out)?;
        self.out.u16(rtype)?;
        self.out.u16(class::ANY)?;
        self.out.u32(0)?;
        self.out.u16(0)?;
        self.count += 1;
        Ok(())
    }
}

//! The channel table: found by number, corrected from the muxes.

use std::time::Duration;

use super::{
    Available, Channel, ChannelError, Claim, ComponentEntry, Entry, RecordError, Renamed, Wanted, record,
};
use crate::board;
use crate::ts::event::Guide;
use crate::ts::psi::{Kind, Programme};
use crate::ts::service_info::{Name, ServiceKind, ServiceTriple};
use crate::ts::time::StreamTime;
use crate::tuner::services::Service;
use crate::tuner::{Identity, Known, MuxId, OpenMux, Tuners};

/// A mux that has shown its programmes and no SDT for so long gets channels without names (TR 101 211 §4.4.1: the
/// SDT comes every 2 s).
const NAMELESS: Duration = Duration::from_secs(4);

/// All channels, ordered by number.
pub struct ChannelTable {
    pub(super) entries: Vec<Entry>,
    /// What imported lists say, each of one of `sources`.
    pub(super) claims: Vec<(u16, Claim)>,
    /// Every source a channel ever came from, as it was configured; entries name them by index.
    sources: Vec<String>,
    /// Which of `sources` each configured mux is, in the configuration's order.
    configured: Vec<(MuxId, u16)>,
    /// Something changed that flash does not know.
    pub(super) dirty: bool,
    /// It was said that the table is full.
    full: bool,
}

impl ChannelTable {
    /// The table as `record` has it (empty: no channel), for the muxes configured now.
    pub fn load(record: &[u8], tuners: &Tuners) -> Result<Self, RecordError> {
        let (sources, entries) = record::read(record)?;
        let mut table =
            Self { entries, claims: Vec::new(), sources, configured: Vec::new(), dirty: false, full: false };
        for (id, mux) in tuners.muxes() {
            let source = table.source_of(&mux.url.to_string());
            table.configured.push((id, source));
        }
        Ok(table)
    }

    /// The table for flash, if it changed since this was last asked.
    pub fn take_record(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.dirty).then(|| record::write(&self.sources, &self.entries))
    }

    /// Entry `index`, in the order of numbers.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// The services of all channels, each with the time of its mux where that was heard.
    pub fn services(&self) -> impl Iterator<Item = (ServiceTriple, Option<StreamTime>)> {
        self.entries.iter().map(|entry| (entry.service, entry.guide.time))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There is no channel yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a channel can be watched now.
    #[must_use]
    pub fn availability(&self, entry: &Entry, tuners: &Tuners) -> Available {
        let mux = self.mux_of(entry).and_then(|id| tuners.mux(id));
        let there = mux.is_some_and(|m| m.error.is_none() && !m.open().is_some_and(OpenMux::is_silent));
        if there && entry.present { Available::Now } else { Available::No }
    }

    /// The channel that is wanted. For `access` alone: it has checked that who asks may have it.
    pub fn grant(&self, wanted: &Wanted) -> Result<Channel, ChannelError> {
        let entry = self.find(wanted.number).ok_or(ChannelError::Unknown(wanted.number))?;
        if wanted.name.as_ref().is_some_and(|name| *name != entry.name) {
            let renamed = Renamed { wanted: wanted.clone(), name: entry.name.clone() };
            return Err(ChannelError::Renamed(renamed.into()));
        }
        let mux = self.mux_of(entry).ok_or(ChannelError::NoSource(wanted.number))?;
        Ok(Channel { mux, known: entry.known() })
    }

    /// The entry of `number`.
    #[must_use]
    pub fn find(&self, number: u16) -> Option<&Entry> {
        self.entries.binary_search_by_key(&number, |e| e.number).ok().map(|i| &self.entries[i])
    }

    /// Takes over what mux `id` shows now.
    pub fn correct(&mut self, id: MuxId, tuners: &Tuners, now: Duration) {
        let Some(mux) = tuners.mux(id) else { return };
        let Some(&(_, source)) = self.configured.iter().find(|(known, _)| *known == id) else { return };
        let Some(open) = mux.open().filter(|open| !open.services.all.is_empty()) else { return };
        for entry in self.entries.iter_mut().filter(|e| e.source == source) {
            entry.present = open.services.find(entry.service.service_id).is_some();
        }
        let nameless = open.services.has_programmes() && open.age(now) >= NAMELESS;
        let mut new = heapless::Vec::<_, { board::SERVICES_PER_MUX }>::new();
        for service in &open.services.all {
            let Some(programme) = service.programme.as_ref().filter(|p| has_sound_or_picture(p)) else {
                continue;
            };
            let at =
                self.entries.iter().position(|e| e.source == source && e.service.service_id == service.id);
            match at {
                Some(at) => self.update(at, service, programme, open),
                None if open.services.is_numbered() && (service.info.is_some() || nameless) => {
                    let _room = new.push((service, programme)); // there are no more than services of a mux
                }
                None => {}
            }
        }
        // Who has a number of its own gets it before others take the lowest that are free.
        new.sort_unstable_by_key(|(service, _)| precedence(service, open));
        for (service, programme) in new {
            self.add(source, service, programme, open);
        }
    }

    fn update(&mut self, at: usize, service: &Service, programme: &Programme, open: &OpenMux) {
        let claim = self.claim_on(self.entries[at].source, Some(self.entries[at].number)).cloned();
        let entry = &mut self.entries[at];
        open.services.tell(service, &mut entry.guide); // which is not for flash
        let mut new = entry.clone();
        fill(&mut new, service, programme, open);
        claim.iter().for_each(|claim| claim.dress(&mut new));
        if new != *entry {
            if new.name != entry.name {
                log::info!("channel {}: '{}' is now '{}'", entry.number, entry.name, new.name);
            }
            *entry = new;
            self.dirty = true;
        }
    }

    fn add(&mut self, source: u16, service: &Service, programme: &Programme, open: &OpenMux) {
        let claim = self.claim_on(source, None).cloned();
        let claimed = claim.as_ref().and_then(|claim| claim.number).filter(|n| self.find(*n).is_none());
        let number = claimed.or_else(|| self.new_number(service, open));
        let Some(number) = number.filter(|_| self.entries.len() < board::CHANNELS) else {
            if !std::mem::replace(&mut self.full, true) {
                log::warn!(
                    "the channel table is full ({}): service {} is left out",
                    board::CHANNELS,
                    service.id
                );
            }
            return;
        };
        let mut entry = Entry {
            number,
            name: Name::new(&format!("Service {}", service.id)),
            provider: Name::default(),
            kind: ServiceKind::Television,
            service: ServiceTriple { original_network_id: 0, transport_stream_id: 0, service_id: service.id },
            source,
            pcr_pid: 0,
            components: heapless::Vec::new(),
            scrambled: false,
            pmt: heapless::Vec::new(),
            present: true,
            guide: Guide::default(),
        };
        open.services.tell(service, &mut entry.guide);
        fill(&mut entry, service, programme, open);
        claim.iter().for_each(|claim| claim.dress(&mut entry));
        log::info!("channel {number}: '{}'", entry.name);
        self.insert(entry);
        self.dirty = true;
    }

    /// Puts an entry where its number belongs; nobody else bears it.
    pub(super) fn insert(&mut self, entry: Entry) {
        let at = self.entries.partition_point(|e| e.number < entry.number);
        self.entries.insert(at, entry);
    }

    /// The number for a service that is new: the one its network gives it where that is free, else the lowest free one
    /// that its network gives to no other of the mux.
    fn new_number(&self, service: &Service, open: &OpenMux) -> Option<u16> {
        let services = &open.services;
        let free = |number: &u16| self.find(*number).is_none() && !self.is_claimed(*number);
        let own = services.lcn(service).map(|lcn| lcn.number).filter(free);
        let given = |number: &u16| {
            services.all.iter().any(|s| services.lcn(s).is_some_and(|lcn| lcn.number == *number))
        };
        own.or_else(|| (1..=u16::MAX).find(|number| free(number) && !given(number)))
    }

    fn mux_of(&self, entry: &Entry) -> Option<MuxId> {
        self.configured.iter().find(|(_, source)| *source == entry.source).map(|(id, _)| *id)
    }

    /// The index of a source, which is remembered from now on.
    pub(super) fn source_of(&mut self, url: &str) -> u16 {
        let at = self.sources.iter().position(|s| s == url).unwrap_or_else(|| {
            self.sources.push(url.into());
            self.sources.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }
}

impl Entry {
    /// What the tuner is told of the service.
    fn known(&self) -> Known {
        Known {
            service: self.service.service_id,
            programme: Programme::remembered(&self.pmt).map(Box::new),
            identity: Identity {
                transport_stream_id: self.service.transport_stream_id,
                original_network_id: self.service.original_network_id,
                name: self.name.clone(),
                provider: self.provider.clone(),
                kind: self.kind,
            },
        }
    }
}

/// Brings `entry` up to what the mux's tables say.
fn fill(entry: &mut Entry, service: &Service, programme: &Programme, open: &OpenMux) {
    entry.service.transport_stream_id = open.services.transport_stream_id;
    if open.services.original_network_id != 0 {
        entry.service.original_network_id = open.services.original_network_id;
    }
    entry.pcr_pid = programme.pcr_pid.value();
    entry.pmt.clone_from(&programme.section);
    entry.components = programme
        .components
        .iter()
        .map(|c| ComponentEntry {
            pid: c.pid.value(),
            stream_type: c.stream_type,
            codec: c.codec,
            language: c.language,
        })
        .take(board::COMPONENTS)
        .collect();
    let says_video = programme.components.iter().any(|c| c.codec.kind() == Kind::Video);
    match &service.info {
        Some(info) => {
            if !info.name.is_empty() {
                entry.name = info.name.clone();
            }
            entry.provider = info.provider.clone();
            entry.kind = info.kind;
        }
        None => entry.kind = if says_video { ServiceKind::Television } else { ServiceKind::Radio },
    }
    let announced = programme.has_ca || service.info.as_ref().is_some_and(|i| i.scrambled);
    // What the packets show is true, whatever the tables announce.
    entry.scrambled = open.is_scrambled(service.id).unwrap_or(announced);
}

/// In which order new services get their numbers: those with one before those without, those in the network's lists
/// before those it hides.
fn precedence(service: &Service, open: &OpenMux) -> (u8, u16, usize) {
    let place = open.services.all.iter().position(|s| s.id == service.id).unwrap_or(0);
    match open.services.lcn(service) {
        Some(lcn) => (u8::from(!lcn.visible), lcn.number, place),
        None => (2, 0, place),
    }
}

fn has_sound_or_picture(programme: &Programme) -> bool {
    programme.components.iter().any(|c| c.codec.kind() != Kind::Text)
}

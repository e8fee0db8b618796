//! The channel table: found by number, corrected from the muxes.

use std::time::Duration;

use super::claim::Claimed;
use super::{Available, Channel, ChannelError, ComponentEntry, Entry, RecordError, Renamed, Wanted, record};
use crate::board;
use crate::import::Authority;
use crate::ts::event::Guide;
use crate::ts::psi::{Kind, Programme, Tracks};
use crate::ts::service_info::{Name, ServiceKind, ServiceTriple};
use crate::ts::time::StreamTime;
use crate::tuner::arbiter::{Choice, Priority};
use crate::tuner::services::Service;
use crate::tuner::{Identity, Known, Mux, MuxId, OpenMux, Tuners};

/// A mux that has shown its programmes and no SDT for so long gets channels without names (TR 101 211 §4.4.1: the
/// SDT comes every 2 s).
const NAMELESS: Duration = Duration::from_secs(4);

/// All channels, ordered by number.
pub struct ChannelTable {
    pub(super) entries: Vec<Entry>,
    /// Who may change numbers.
    pub(super) authority: Authority,
    /// What imported lists say, in the order in which they are heard.
    pub(super) claims: Vec<Claimed>,
    /// Every source a channel ever came from, as it was configured; entries name them by index.
    pub(super) sources: Vec<String>,
    /// The configured muxes, in the configuration's order.
    pub(super) configured: Vec<Configured>,
    /// Something changed that flash does not know.
    pub(super) dirty: bool,
    /// A channel's rate became known.
    measured: bool,
    /// It was said that the table is full.
    full: bool,
}

/// A mux that is configured now.
pub(super) struct Configured {
    pub(super) id: MuxId,
    /// Its place in the table's list of sources.
    pub(super) source: u16,
    /// It has shown what numbers its network gives since the box was started.
    pub(super) numbered: bool,
}

impl ChannelTable {
    /// The table as `record` has it (empty: no channel), for the muxes configured now.
    pub fn load(record: &[u8], tuners: &Tuners) -> Result<Self, RecordError> {
        let (sources, entries) = record::read(record)?;
        let authority = Authority::Import; // until `claim` says otherwise
        let (claims, configured) = (Vec::new(), Vec::new());
        let (dirty, measured, full) = (false, false, false);
        let mut table = Self { entries, authority, claims, sources, configured, dirty, measured, full };
        for (id, mux) in tuners.muxes() {
            let source = table.source_of(mux, tuners);
            table.configured.push(Configured { id, source, numbered: false });
            if mux.origin.tuning().is_some() {
                // A tuner is not had just to look: it is there until its mux shows otherwise.
                let of_mux = table.entries.iter_mut().filter(|entry| entry.source == source);
                of_mux.for_each(|entry| entry.present = true);
            }
        }
        Ok(table)
    }

    /// The table for flash, if it changed since this was last asked.
    pub fn take_record(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.dirty).then(|| record::write(&self.sources, &self.entries))
    }

    /// Whether a channel's rate became known since this was last asked; flash has none, but lists show it.
    pub fn take_measured(&mut self) -> bool {
        std::mem::take(&mut self.measured)
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

    /// Whether a channel can be watched now. `can_ask`: somebody is there who can answer for the television.
    #[must_use]
    pub fn availability(&self, entry: &Entry, tuners: &Tuners, can_ask: bool) -> Available {
        let mux = self.mux_of(entry).and_then(|id| Some((id, tuners.mux(id)?)));
        let there = |m: &Mux| m.error.is_none() && !m.open().is_some_and(OpenMux::is_silent);
        let carries = |(_, mux): &(MuxId, &Mux)| there(mux) && entry.present && !entry.is_gone();
        let Some((id, _)) = mux.filter(carries) else { return Available::No };
        match tuners.reach(id, Priority::VIEWER, can_ask) {
            Choice::Share(_) => Available::Now,
            Choice::Tune(_) | Choice::Take(_) => Available::Tuner,
            Choice::Ask(_) => Available::Ask,
            Choice::No => Available::No,
        }
    }

    /// The channel that is wanted. For `access` alone: it has checked that who asks may have it.
    pub fn grant(&self, wanted: &Wanted) -> Result<Channel, ChannelError> {
        let entry = self.find(wanted.number).ok_or(ChannelError::Unknown(wanted.number))?;
        if wanted.name.as_ref().is_some_and(|name| *name != entry.name) {
            let renamed = Renamed { wanted: wanted.clone(), name: entry.name.clone() };
            return Err(ChannelError::Renamed(renamed.into()));
        }
        let mux = self.mux_of(entry).ok_or(ChannelError::NoSource(wanted.number))?;
        let tracks = entry.tracks(wanted.tracks).ok_or(ChannelError::NoAudio(wanted.number))?;
        Ok(Channel { number: entry.number, mux, known: entry.known(tracks), scrambled: entry.scrambled })
    }

    /// The entry of a service of mux `id`.
    #[must_use]
    pub fn of_service(&self, id: MuxId, service: u16) -> Option<&Entry> {
        let source = self.configured.iter().find(|known| known.id == id)?.source;
        self.place_of(source, service).map(|at| &self.entries[at])
    }

    /// The entry of `number`.
    #[must_use]
    pub fn find(&self, number: u16) -> Option<&Entry> {
        self.entries.binary_search_by_key(&number, |e| e.number).ok().map(|i| &self.entries[i])
    }

    /// Takes over what mux `id` shows now.
    pub fn correct(&mut self, id: MuxId, tuners: &Tuners, now: Duration) {
        let Some(mux) = tuners.mux(id) else { return };
        if mux.is_on_trial() {
            return; // whether it is one to keep, its scan finds out
        }
        if !self.configured.iter().any(|known| known.id == id) {
            self.know(id, tuners); // the television was seen on it
        }
        let Some(configured) = self.configured.iter_mut().find(|known| known.id == id) else { return };
        let Some(open) = mux.open().filter(|open| !open.services.all.is_empty()) else { return };
        let (source, is_numbered) = (configured.source, open.services.is_numbered());
        configured.numbered |= is_numbered;
        for entry in self.entries.iter_mut().filter(|e| e.source == source) {
            let service = open.services.find(entry.service.service_id);
            entry.present = service.is_some();
            if entry.present {
                entry.misses = 0;
            }
            let lcn = service.and_then(|service| open.services.lcn(service)).map(|lcn| lcn.number);
            // A mux that was just opened again knows less than it showed before.
            let stays = !open.services.has_network();
            entry.lcn = if lcn.is_none() && stays { entry.lcn } else { lcn };
        }
        let nameless = open.services.has_programmes() && open.age(now) >= NAMELESS;
        // Neither has more than the services of a mux.
        let mut new = heapless::Vec::<_, { board::SERVICES_PER_MUX }>::new();
        let mut known = heapless::Vec::<_, { board::SERVICES_PER_MUX }>::new();
        for service in &open.services.all {
            let Some(programme) = service.programme.as_ref().filter(|p| has_sound_or_picture(p)) else {
                continue;
            };
            match self.place_of(source, service.id) {
                Some(at) => {
                    self.update(at, service, programme, open);
                    let _room = known.push(service);
                }
                None if is_numbered && (service.info.is_some() || nameless) => {
                    let _room = new.push((service, programme));
                }
                None => {}
            }
        }
        // Who has a number of its own gets it before others take the lowest that are free.
        known.sort_unstable_by_key(|service| precedence(service, open));
        self.settle(source, known.iter().map(|service| service.id));
        new.sort_unstable_by_key(|(service, _)| precedence(service, open));
        for (service, programme) in new {
            self.add(source, service, programme, open);
        }
    }

    fn update(&mut self, at: usize, service: &Service, programme: &Programme, open: &OpenMux) {
        let entry = &mut self.entries[at];
        // What is not for flash.
        open.services.tell(service, &mut entry.guide);
        let rate = open.rate(service.id).or(entry.rate);
        self.measured |= rate.is_some() && entry.rate.is_none();
        entry.rate = rate;
        let mut new = entry.clone();
        fill(&mut new, service, programme, open);
        if let Some(claimed) = self.claim_on(new.source, service.id) {
            claimed.dress(&mut new);
        }
        let entry = &mut self.entries[at];
        if new != *entry {
            if new.name != entry.name {
                log::debug!("channel {}: '{}' is now '{}'", entry.number, entry.name, new.name);
            }
            *entry = new;
            self.dirty = true;
        }
    }

    fn add(&mut self, source: u16, service: &Service, programme: &Programme, open: &OpenMux) {
        let services = &open.services;
        let lcn = services.lcn(service).map(|lcn| lcn.number);
        let given = |n: u16| services.all.iter().any(|s| services.lcn(s).is_some_and(|lcn| lcn.number == n));
        let has_room = self.entries.len() < board::CHANNELS;
        let number = has_room.then(|| self.number_of_new(source, service.id, lcn, given)).flatten();
        let Some(number) = number else {
            if !std::mem::replace(&mut self.full, true) {
                log::warn!(
                    "the channel table is full ({}): service {} is left out",
                    board::CHANNELS,
                    service.id
                );
            }
            return;
        };
        let mut entry = Entry { lcn, ..Entry::new(number, source, service.id) };
        open.services.tell(service, &mut entry.guide);
        fill(&mut entry, service, programme, open);
        if let Some(claimed) = self.claim_on(source, service.id) {
            claimed.dress(&mut entry);
        }
        log::debug!("channel {number}: '{}'", entry.name);
        self.insert(entry);
        self.bind(source, service.id);
        self.dirty = true;
    }

    /// Puts an entry where its number belongs; nobody else bears it.
    pub(super) fn insert(&mut self, entry: Entry) {
        let at = self.entries.partition_point(|e| e.number < entry.number);
        self.entries.insert(at, entry);
    }

    fn mux_of(&self, entry: &Entry) -> Option<MuxId> {
        self.configured.iter().find(|c| c.source == entry.source).map(|c| c.id)
    }

    /// Where the entry of a service is now.
    pub(super) fn place_of(&self, source: u16, service: u16) -> Option<usize> {
        self.entries.iter().position(|e| e.source == source && e.service.service_id == service)
    }

    /// The index of a source that is known.
    pub(super) fn find_source(&self, url: &str) -> Option<u16> {
        self.sources.iter().position(|s| s == url).and_then(|at| u16::try_from(at).ok())
    }

    /// The index of a configured source, which is remembered from now on. One that was known on an interface that is
    /// not configured any more is the same.
    pub(super) fn source_of(&mut self, mux: &Mux, tuners: &Tuners) -> u16 {
        let url = mux.origin.to_string();
        let is_configured = |known: &str| tuners.muxes().any(|(_, mux)| mux.origin.to_string() == known);
        let moved = |known: &String| mux.origin.is_stream_of(known) && !is_configured(known);
        let at = self.sources.iter().position(|known| *known == url);
        let at = at.or_else(|| self.sources.iter().position(moved)).unwrap_or(self.sources.len());
        match self.sources.get_mut(at) {
            Some(known) => {
                self.dirty |= *known != url;
                *known = url;
            }
            None => self.sources.push(url),
        }
        u16::try_from(at).unwrap_or(u16::MAX)
    }
}

impl Entry {
    /// A channel of which no more than this is known.
    pub(super) fn new(number: u16, source: u16, service_id: u16) -> Self {
        Self {
            number,
            name: Name::new(&format!("Service {service_id}")),
            provider: Name::default(),
            kind: ServiceKind::Television,
            service: ServiceTriple { original_network_id: 0, transport_stream_id: 0, service_id },
            source,
            pcr_pid: 0,
            components: heapless::Vec::new(),
            scrambled: false,
            pmt: heapless::Vec::new(),
            present: true,
            misses: 0,
            is_new: true,
            lcn: None,
            rate: None,
            guide: Guide::default(),
        }
    }

    /// What a wish for `tracks` comes to: who wants to hear radio shares its ring with the others. `None` where there
    /// is nothing to hear.
    fn tracks(&self, tracks: Tracks) -> Option<Tracks> {
        let has = |kind| self.components.iter().any(|c| c.codec.kind() == kind);
        match tracks {
            Tracks::Audio if self.components.is_empty() || has(Kind::Audio) && has(Kind::Video) => {
                Some(tracks)
            }
            Tracks::Audio if !has(Kind::Audio) => None,
            _ => Some(Tracks::All),
        }
    }

    /// What the tuner is told of the service.
    pub(super) fn known(&self, tracks: Tracks) -> Known {
        Known {
            service: self.service.service_id,
            tracks,
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

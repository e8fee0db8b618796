//! A mux that is open: its input, its filters, and the rings fed from it.

use std::time::Duration;

use heapless::Vec;

use super::Known;
use super::arbiter::Priority;
use super::line::Line;
use super::services::{Change, Service, Services};
use crate::delivery::Device;
use crate::demux;
use crate::demux::{Demux, DemuxCounts};
use crate::guide::Epg;
use crate::service::{Ended, Feed, Identity, READ_MAX};
use crate::source::{Now, SourceCounts, SourceError, SourceUrl};
use crate::ts::bouquet::BAT;
use crate::ts::event::EIT_PF_ACTUAL;
use crate::ts::psi::{Kind, Programme};
use crate::ts::section::{Section, section_length};
use crate::ts::service_info::{Name, ServiceKind, ServiceTriple};
use crate::ts::{PACKET, Pid};

/// Without a loss of sync for so long, a mux is in sync again.
const CALM: Duration = Duration::from_secs(10);
/// The farthest that one PAT may be behind the other (TR 101 290 §5.2.1).
const PAT_EVERY: Duration = Duration::from_millis(500);
/// Reads of one tick at most: a flood must not keep the thread from everybody else.
const READS: usize = 8;

/// A ring that is fed from here.
struct Outlet {
    feed: Feed,
    service: u16,
    /// The programme by which it was attached: in force until the mux shows its own.
    remembered: Programme,
    /// What the channel table says of it: in force until the SDT does.
    identity: Identity,
    /// When its last viewer left.
    idle_since: Option<Duration>,
    /// It was never watched: it runs so that a zap to it finds a picture.
    warm: bool,
    /// The most important of those who came to watch since nobody did.
    wish: Priority,
}

/// Owns the way from the source to the rings.
///
/// Its tables have room for the largest mux. They are made where they stay: of what is moved every page is touched.
pub struct OpenMux {
    line: Line,
    filters: Box<Demux>,
    /// What the tables say.
    pub services: Box<Services>,
    outlets: Box<Vec<Outlet, { demux::RINGS }>>,
    opened: Duration,
    /// When the PAT came last, or would have been missed first; and whether it is missed since.
    pat_at: Duration,
    pat_missed: bool,
    pat_errors: u64,
    /// Slots and bytes that were no packets, as last seen, and when they grew last.
    lost: u64,
    lost_at: Option<Duration>,
}

/// What changed in the sync of a mux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncNews {
    /// It was lost.
    Lost,
    /// It is there again; so many slots and runs of bytes were no packets since the mux was opened.
    Calm(u64),
}

/// What a tick brought.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The tables say something new.
    pub(super) changed: bool,
    /// Bytes read.
    pub(super) bytes: usize,
}

/// What sections of one read changed.
struct News<'g> {
    /// What is told of events and bouquets goes there.
    epg: &'g mut Epg,
    services: bool,
    programmes: bool,
    names: bool,
    lists: bool,
    /// A PAT came.
    pat: bool,
    /// When it is.
    now: Duration,
}

impl<'g> News<'g> {
    fn none(epg: &'g mut Epg, now: Duration) -> Self {
        Self { epg, services: false, programmes: false, names: false, lists: false, pat: false, now }
    }
}

impl OpenMux {
    pub(super) fn open(url: &SourceUrl, now: Duration) -> Result<Self, SourceError> {
        Ok(Self {
            line: Line::open(url, now)?,
            filters: Box::default(),
            services: Box::default(),
            outlets: Box::default(),
            opened: now,
            pat_at: now,
            pat_missed: false,
            pat_errors: 0,
            lost: 0,
            lost_at: None,
        })
    }

    /// The mux that a tuner has, by the demultiplexer behind it.
    pub(super) fn open_air(device: &Device, _now: Duration) -> Result<Self, SourceError> {
        Err(SourceError::NoMux(device.to_string()))
    }

    /// What comes next does not follow what came last.
    pub(super) fn expect_break(&mut self) {
        self.line.expect_break();
    }

    /// The ring that already carries the service.
    pub(super) fn running(&self, service: u16) -> Option<&Feed> {
        self.outlets.iter().find(|o| o.service == service).map(|o| &o.feed)
    }

    /// The service can be fed: its programme is shown, or remembered while none is.
    pub(super) fn can_attach(&self, known: &Known) -> bool {
        let shown = self.services.find(known.service).is_some_and(|s| s.programme.is_some());
        shown || known.programme.is_some()
    }

    /// Feeds `feed` with the service from now on.
    pub(super) fn attach(&mut self, feed: Feed, known: &Known, now: Duration) {
        let shown = self.services.find(known.service).and_then(|s| s.programme.as_ref());
        let Some(programme) = shown.or(known.programme.as_deref()) else { return };
        let outlet = Outlet {
            feed,
            service: known.service,
            remembered: programme.clone(),
            identity: known.identity.clone(),
            idle_since: None,
            warm: false,
            wish: Priority::SURVEY,
        };
        outlet.feed.ring().borrow_mut().assign(programme, &self.identity(&outlet), now);
        let _room = self.outlets.push(outlet);
        self.route();
    }

    /// Somebody watches the service, who weighs so much.
    pub(super) fn weigh(&mut self, service: u16, wish: Priority) {
        if let Some(outlet) = self.outlets.iter_mut().find(|o| o.service == service) {
            let idle = outlet.warm || outlet.idle_since.is_some();
            outlet.wish = if idle { wish } else { outlet.wish.max(wish) };
        }
    }

    /// The most important of those who watch.
    pub(super) fn wish(&self) -> Option<Priority> {
        self.outlets.iter().filter(|o| watchers(&o.feed) > 0).map(|o| o.wish).max()
    }

    /// Feeds `feed` with a service that nobody asked for, the nearest in the mux to one that is watched.
    pub(super) fn warm_up(&mut self, feed: Feed, now: Duration) {
        let Some(service) = self.nearest_cold().map(|i| self.services.all[i].id) else { return };
        // All there is where the SDT says nothing of it.
        let identity = Identity {
            transport_stream_id: self.services.transport_stream_id,
            original_network_id: self.services.original_network_id,
            name: Name::default(),
            provider: Name::default(),
            kind: ServiceKind::Television,
        };
        self.attach(feed, &Known { service, programme: None, identity }, now);
        if let Some(outlet) = self.outlets.last_mut() {
            (outlet.warm, outlet.idle_since) = (true, Some(now));
        }
    }

    /// Something is watched, and a service beside it could be warm and is not.
    pub(super) fn wants_warmth(&self) -> bool {
        self.nearest_cold().is_some()
    }

    /// The index of the service without a ring that is nearest to a watched one.
    fn nearest_cold(&self) -> Option<usize> {
        let place = |o: &Outlet| self.services.all.iter().position(|s| s.id == o.service);
        let watched = || self.outlets.iter().filter(|o| watchers(&o.feed) > 0).filter_map(place);
        let playable = |i: &usize| {
            let components = self.services.all[*i].programme.iter().flat_map(|p| &p.components);
            components.into_iter().any(|c| c.codec.kind() != Kind::Text)
        };
        let cold = |i: &usize| self.running(self.services.all[*i].id).is_none();
        let all = (0..self.services.all.len()).filter(cold).filter(playable);
        all.filter_map(|i| Some((watched().map(|w| w.abs_diff(i)).min()?, i))).min().map(|(_, i)| i)
    }

    /// Lets go of warm rings once nothing else runs beside them.
    pub(super) fn cool_down(&mut self) {
        if self.outlets.iter().all(|o| o.warm) && !self.outlets.is_empty() {
            self.outlets.clear();
            self.route();
        }
    }

    /// Some packet came since it was opened.
    pub(super) fn has_sent(&self) -> bool {
        self.filters.counts().packets > 0
    }

    /// Stops feeding `feed`, and gives back whether it was fed from here.
    pub(super) fn detach(&mut self, feed: &Feed) -> bool {
        let before = self.outlets.len();
        self.outlets.retain(|o| !o.feed.is(feed));
        self.route();
        self.outlets.len() < before
    }

    /// Services somebody watches.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.outlets.iter().filter(|o| watchers(&o.feed) > 0).count()
    }

    /// Rings fed from here, watched or lingering.
    pub(super) fn outlets(&self) -> usize {
        self.outlets.len()
    }

    /// The ring without viewers for longest, and since when.
    pub(super) fn idlest(&self) -> Option<(Feed, Duration)> {
        let unwatched = self.outlets.iter().filter(|o| !o.warm && watchers(&o.feed) == 0);
        let (feed, since) =
            unwatched.filter_map(|o| Some((&o.feed, o.idle_since?))).min_by_key(|(_, since)| *since)?;
        Some((feed.clone(), since))
    }

    /// A warm ring, the one that was made last: the farthest from what is watched.
    pub(super) fn warm(&self) -> Option<Feed> {
        self.outlets.iter().rev().find(|o| o.warm && watchers(&o.feed) == 0).map(|o| o.feed.clone())
    }

    /// Ends all streams.
    pub(super) fn end(&self, why: Ended) {
        for outlet in self.outlets.iter() {
            outlet.feed.ring().borrow_mut().end(why);
        }
    }

    /// For how long it has been open.
    #[must_use]
    pub fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.opened)
    }

    /// No packet came for a while.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.line.is_silent()
    }

    /// All that the mux promises of the guide was heard since it was opened.
    pub(super) fn has_guide(&self, epg: &Epg) -> bool {
        let Services { original_network_id, transport_stream_id, .. } = *self.services;
        let promised = |s: &&Service| s.info.as_ref().is_some_and(|info| info.has_schedule);
        let known = |s: &Service| {
            let service = ServiceTriple { original_network_id, transport_stream_id, service_id: s.id };
            epg.has_schedule(service, self.opened)
        };
        epg.has_bouquets() && self.services.all.iter().filter(promised).all(known)
    }

    /// Damage met by the source and by the demux.
    #[must_use]
    pub fn counts(&self) -> (SourceCounts, DemuxCounts) {
        (self.line.counts(), self.filters.counts())
    }

    /// Times that no PAT came for half a second while other packets did (`PAT_error` of TR 101 290, 1.3).
    #[must_use]
    pub fn pat_errors(&self) -> u64 {
        self.pat_errors
    }

    /// Whether sync was lost or came back since this was last asked.
    pub(super) fn sync_news(&mut self, now: Duration) -> Option<SyncNews> {
        let lost = self.line.counts().sync_losses + self.filters.no_sync();
        if lost > std::mem::replace(&mut self.lost, lost) {
            return self.lost_at.replace(now).is_none().then_some(SyncNews::Lost);
        }
        let calm = self.lost_at.is_some_and(|at| now >= at + CALM);
        calm.then(|| self.lost_at = None).map(|()| SyncNews::Calm(lost))
    }

    /// Some packet of the service was scrambled, as far as it is watched.
    #[must_use]
    pub fn is_scrambled(&self, service: u16) -> Option<bool> {
        self.running(service)?.ring().borrow().is_scrambled()
    }

    /// Reads what is due and brings it to the rings. `staging` holds one read.
    pub(super) fn drain(
        &mut self,
        now: Now,
        tick: Duration,
        staging: &mut [u8],
        epg: &mut Epg,
    ) -> Result<Progress, SourceError> {
        let mut progress = Progress { changed: self.services.tell_time(now.boot), bytes: 0 };
        let broken = self.line.take_break();
        let in_place = self.only_outlet().is_some();
        for outlet in self.outlets.iter_mut() {
            let mut ring = outlet.feed.ring().borrow_mut();
            if broken {
                ring.expect_break();
            }
            if in_place {
                ring.begin_in_place(now.boot, tick);
            } else {
                ring.begin(now.boot);
            }
            drop(ring);
            let idle = watchers(&outlet.feed) == 0;
            outlet.warm &= idle;
            outlet.idle_since = idle.then(|| outlet.idle_since.unwrap_or(now.boot));
        }
        let mut pat = false;
        for _ in 0..READS {
            let mut news = News::none(epg, now.boot);
            let read = match self.only_outlet() {
                Some(feed) => self.read_into(&feed, now, &mut news)?,
                None => self.read_through(staging, now, &mut news)?,
            };
            progress.changed |= self.apply(&news, now.boot);
            progress.bytes += read;
            pat |= news.pat;
            if read < READ_MAX / 2 {
                break;
            }
        }
        if progress.bytes > 0 {
            self.expect_pat(now.boot, pat);
        }
        self.line.listen(now.boot, progress.bytes)?;
        Ok(progress)
    }

    /// The ring of a mux of one service: it is read into without a copy. Not where a break is to be announced, which
    /// goes between the packets.
    fn only_outlet(&self) -> Option<Feed> {
        let [outlet] = &self.outlets[..] else { return None };
        let whole = self.services.all.len() == 1 && !outlet.feed.ring().borrow().expects_break();
        whole.then(|| outlet.feed.clone())
    }

    /// Reads straight into a ring, where the packets stay.
    fn read_into(&mut self, feed: &Feed, now: Now, news: &mut News<'_>) -> Result<usize, SourceError> {
        let mut ring = feed.ring().borrow_mut();
        let read = self.line.read(now, ring.room())?;
        // Sections that are passed on cannot be written while the read is being settled: they wait in `passed`.
        let mut passed: Vec<u8, READ_PASSED> = Vec::new();
        let Self { filters, services, outlets, .. } = self;
        ring.settle(read, now.boot, |slot| {
            filters
                .push(slot, |pid, section| {
                    let due = sort(services, pid, section, news).filter(|of| of.includes(&outlets[0]));
                    if due.is_some() && passed.len() + section.bytes().len() <= READ_PASSED {
                        let _room = passed.extend_from_slice(section.bytes());
                    }
                })
                .is_some()
        });
        let mut rest = &passed[..];
        while let Some(length) = section_length(rest) {
            let Some((bytes, later)) = rest.split_at_checked(length) else { break };
            if let Some(section) = Section::new(bytes) {
                ring.write_section(pid_of(section), section);
            }
            rest = later;
        }
        Ok(read)
    }

    /// Reads into `staging` and copies each packet to the rings that want it.
    fn read_through(
        &mut self,
        staging: &mut [u8],
        now: Now,
        news: &mut News<'_>,
    ) -> Result<usize, SourceError> {
        let read = self.line.read(now, staging)?;
        let Self { filters, services, outlets, .. } = self;
        for slot in staging[..read].as_chunks::<PACKET>().0 {
            let routed = filters.push(slot, |pid, section| {
                if let Some(of) = sort(services, pid, section, news) {
                    for outlet in outlets.iter().filter(|o| of.includes(o)) {
                        outlet.feed.ring().borrow_mut().write_section(pid, section);
                    }
                }
            });
            let Some((packet, mut mask)) = routed else { continue };
            while mask != 0 {
                let ring = mask.trailing_zeros() as usize;
                mask &= mask - 1;
                if let Some(outlet) = outlets.get(ring) {
                    outlet.feed.ring().borrow_mut().push(packet, now.boot);
                }
            }
        }
        Ok(read)
    }

    /// Follows what the tables say now.
    fn apply(&mut self, news: &News<'_>, now: Duration) -> bool {
        if news.services {
            self.filters.watch_pmts(self.services.all.iter().map(|s| s.pmt_pid));
        }
        if news.programmes || news.names {
            let mut rerouted = false;
            for i in 0..self.outlets.len() {
                let service = self.outlets[i].service;
                let changed = self.services.take_changed(service) || news.names;
                let identity = self.identity(&self.outlets[i]);
                let programme = self.services.find(service).and_then(|s| s.programme.as_ref());
                if let Some(programme) = programme.filter(|_| changed) {
                    self.outlets[i].feed.ring().borrow_mut().update(programme, &identity, now);
                    rerouted = true;
                }
            }
            if rerouted {
                self.route();
            }
        }
        news.services || news.programmes || news.names || news.lists
    }

    fn route(&mut self) {
        for ring in 0..self.outlets.capacity() {
            let programme = self.outlets.get(ring).map(|o| {
                let shown = self.services.find(o.service).and_then(|s| s.programme.as_ref());
                shown.unwrap_or(&o.remembered)
            });
            self.filters.route(ring, programme.into_iter().flat_map(elementary_pids));
        }
    }

    /// What the mux says of the service, and where it does not yet, what was known before.
    fn identity(&self, outlet: &Outlet) -> Identity {
        let before = outlet.identity.clone();
        let Services { transport_stream_id, original_network_id, .. } = *self.services;
        let has_pat = !self.services.all.is_empty();
        let before = Identity {
            transport_stream_id: if has_pat { transport_stream_id } else { before.transport_stream_id },
            ..before
        };
        match self.services.find(outlet.service).and_then(|s| s.info.as_ref()) {
            None => before,
            Some(info) => Identity {
                original_network_id,
                name: info.name.clone(),
                provider: info.provider.clone(),
                kind: info.kind,
                ..before
            },
        }
    }

    /// Packets came, a PAT among them or not: notices when it is missing. Behind a pause there is nothing to judge by.
    fn expect_pat(&mut self, now: Duration, came: bool) {
        if came || now.saturating_sub(self.line.last_packet()) >= PAT_EVERY {
            (self.pat_at, self.pat_missed) = (now, self.pat_missed && !came);
        } else if !self.pat_missed && now.saturating_sub(self.pat_at) >= PAT_EVERY {
            self.pat_missed = true;
            self.pat_errors += 1;
        }
    }
}

/// Bytes of sections passed on in one read straight into a ring.
const READ_PASSED: usize = 8192;

/// Whom a section is passed on to.
#[derive(Clone, Copy)]
enum PassTo {
    Service(u16),
    All,
}

impl PassTo {
    fn includes(self, outlet: &Outlet) -> bool {
        match self {
            Self::Service(id) => outlet.service == id,
            Self::All => true,
        }
    }
}

/// Takes what a section says; where it is to be passed on as it is, says to whom.
fn sort(services: &mut Services, pid: Pid, section: Section<'_>, news: &mut News<'_>) -> Option<PassTo> {
    match pid {
        Pid::EIT => news.epg.take_eit(section, news.now),
        Pid::TDT => news.epg.take_time(section, news.now),
        Pid::SDT if section.table_id() == BAT => news.epg.take_bat(section),
        _ => {}
    }
    let (change, to) = match pid {
        Pid::PAT => {
            news.pat |= section.table_id() == 0x00;
            (services.take_pat(section), None)
        }
        Pid::NIT => (services.take_nit(section), None),
        Pid::SDT if section.table_id() == BAT => (services.take_bat(section), None),
        Pid::SDT => (services.take_sdt(section), None),
        Pid::EIT if section.table_id() == EIT_PF_ACTUAL => {
            (services.take_event(section), Some(PassTo::Service(section.extension())))
        }
        Pid::EIT => return None,
        Pid::TDT => {
            services.take_time(section, news.now);
            (Change::None, Some(PassTo::All))
        }
        _ => (services.take_pmt(pid, section), None),
    };
    match change {
        Change::None => {}
        Change::Services => news.services = true,
        Change::Programmes => news.programmes = true,
        Change::Names => news.names = true,
        Change::Lists => news.lists = true,
    }
    to
}

/// The PID of a section that is passed on, by its table.
fn pid_of(section: Section<'_>) -> Pid {
    if section.table_id() == EIT_PF_ACTUAL { Pid::EIT } else { Pid::TDT }
}

/// The PIDs of a programme's packets.
fn elementary_pids(programme: &Programme) -> impl Iterator<Item = Pid> {
    programme.components.iter().map(|c| c.pid).chain([programme.pcr_pid])
}

/// Who watches, beside the pool and the outlet itself.
fn watchers(feed: &Feed) -> usize {
    feed.watchers().saturating_sub(1)
}

//! A mux that is open: its input, its filters, and the rings fed from it.

use std::time::Duration;

use heapless::Vec;

use super::Known;
use super::arbiter::Priority;
use super::line::Line;
use super::services::{Service, Services};
use crate::delivery::Device;
use crate::demux;
use crate::demux::{Demux, DemuxCounts};
use crate::guide::Epg;
use crate::service::{Ended, Feed, Identity};
use crate::source::dvb::ServiceTap;
use crate::source::{SourceCounts, SourceError, SourceUrl};
use crate::ts::Pid;
use crate::ts::psi::{Kind, Programme, Tracks};
use crate::ts::service_info::{Name, ServiceKind, ServiceTriple};

mod drain;

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
    /// What it carries of the service.
    tracks: Tracks,
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
    /// Its packets, where the demultiplexer of a tuner filters them.
    tap: ServiceTap,
}

impl Outlet {
    /// What the mux shows it to be, and until it does, what it was.
    fn programme<'a>(&'a self, services: &'a Services) -> &'a Programme {
        shown(services, self.service).unwrap_or(&self.remembered)
    }

    /// It carries all of the service: its packets go into its ring as they come.
    fn is_whole(&self) -> bool {
        self.tracks == Tracks::All
    }

    /// The PIDs of what it carries.
    fn pids(&self, services: &Services) -> usize {
        elementary_pids(self.programme(services), self.tracks).count()
    }
}

fn shown(services: &Services, service: u16) -> Option<&Programme> {
    services.find(service).and_then(|s| s.programme.as_ref())
}

/// A ring that a mux feeds.
pub struct Fed<'m> {
    /// The ring.
    pub feed: &'m Feed,
    /// `service_id`.
    pub service: u16,
    /// It was never watched: it runs so that a zap to it finds a picture.
    pub warm: bool,
    /// How many watch.
    pub watchers: usize,
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
    /// Something came since.
    heard: bool,
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
    /// Its tables are those of another mux now.
    pub(super) moved: bool,
}

impl OpenMux {
    pub(super) fn open(url: &SourceUrl, now: Duration) -> Result<Self, SourceError> {
        Line::open(url, now).map(|line| Self::new(line, now))
    }

    /// The mux that a tuner has, by the demultiplexer behind it.
    pub(super) fn open_air(device: &Device, now: Duration) -> Result<Self, SourceError> {
        Line::open_air(device, now).map(|line| Self::new(line, now))
    }

    fn new(line: Line, now: Duration) -> Self {
        Self {
            line,
            filters: Box::default(),
            services: Box::default(),
            outlets: Box::default(),
            opened: now,
            heard: false,
            pat_at: now,
            pat_missed: false,
            pat_errors: 0,
            lost: 0,
            lost_at: None,
        }
    }

    /// What comes next does not follow what came last.
    pub(super) fn expect_break(&mut self) {
        self.line.expect_break();
    }

    /// The ring that already carries these tracks of the service.
    pub(super) fn running(&self, service: u16, tracks: Tracks) -> Option<&Feed> {
        self.outlets.iter().find(|o| o.service == service && o.tracks == tracks).map(|o| &o.feed)
    }

    /// The programme has such tracks, as far as it is known.
    pub(super) fn has_tracks(&self, known: &Known) -> bool {
        let programme = shown(&self.services, known.service).or(known.programme.as_deref());
        known.tracks == Tracks::All
            || programme.is_none_or(|p| p.components.iter().any(|c| known.tracks.has(c.codec)))
    }

    /// The service can be fed: its programme is shown, or remembered while none is.
    pub(super) fn can_attach(&self, known: &Known) -> bool {
        shown(&self.services, known.service).is_some() || known.programme.is_some()
    }

    /// Feeds `feed` with the service from now on.
    pub(super) fn attach(&mut self, feed: Feed, known: &Known, now: Duration) {
        let shown = shown(&self.services, known.service);
        let Some(programme) = shown.or(known.programme.as_deref()) else { return };
        let outlet = Outlet {
            feed,
            service: known.service,
            tracks: known.tracks,
            remembered: programme.clone(),
            identity: known.identity.clone(),
            idle_since: None,
            warm: false,
            wish: Priority::SURVEY,
            tap: ServiceTap::default(),
        };
        let identity = self.identity(&outlet);
        outlet.feed.ring().borrow_mut().assign_only(known.tracks, programme, &identity, now);
        let pids = elementary_pids(programme, known.tracks).count();
        self.make_room(pids);
        let _room = self.outlets.push(outlet);
        self.route();
    }

    /// Somebody watches what `feed` carries, who weighs so much.
    pub(super) fn weigh(&mut self, feed: &Feed, wish: Priority) {
        if let Some(outlet) = self.outlets.iter_mut().find(|o| o.feed.is(feed)) {
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
        let pids = shown(&self.services, service).map_or(0, |p| elementary_pids(p, Tracks::All).count());
        if !self.has_room(pids) {
            return; // the filters are for who watches
        }
        // All there is where the SDT says nothing of it.
        let identity = Identity {
            transport_stream_id: self.services.transport_stream_id,
            original_network_id: self.services.original_network_id,
            name: Name::default(),
            provider: Name::default(),
            kind: ServiceKind::Television,
        };
        self.attach(feed, &Known { service, tracks: Tracks::All, programme: None, identity }, now);
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
        let cold = |i: &usize| self.running(self.services.all[*i].id, Tracks::All).is_none();
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

    /// Some packet or section came since it was opened.
    pub(super) fn has_sent(&self) -> bool {
        self.heard
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

    /// The rings that are fed from here.
    pub fn fed(&self) -> impl Iterator<Item = Fed<'_>> {
        self.outlets.iter().map(|o| {
            let Outlet { feed, service, warm, .. } = o;
            Fed { feed, service: *service, warm: *warm, watchers: watchers(feed) }
        })
    }

    /// Rings fed from here, watched or lingering.
    pub(super) fn outlets(&self) -> usize {
        self.outlets.len()
    }

    /// The ring without viewers for longest, and since when; of these tracks, where some are named.
    pub(super) fn idlest(&self, tracks: Option<Tracks>) -> Option<(Feed, Duration)> {
        let of = |o: &&Outlet| tracks.is_none_or(|tracks| o.tracks == tracks);
        let unwatched = self.outlets.iter().filter(of).filter(|o| !o.warm && watchers(&o.feed) == 0);
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

    /// Since when it is open.
    pub(super) fn opened(&self) -> Duration {
        self.opened
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
        let heard = || self.running(service, Tracks::Audio);
        self.running(service, Tracks::All).or_else(heard)?.ring().borrow().is_scrambled()
    }

    /// Bits a second of the service lately, as far as it is watched.
    #[must_use]
    pub fn rate(&self, service: u16) -> Option<u32> {
        self.running(service, Tracks::All)?.ring().borrow().rate()
    }

    /// Has the packets of each outlet's programme go to its ring.
    fn route(&mut self) {
        for ring in 0..self.outlets.capacity() {
            let outlet = self.outlets.get(ring).map(|o| (o.programme(&self.services), o.tracks));
            self.filters.route(ring, outlet.into_iter().flat_map(|(p, tracks)| elementary_pids(p, tracks)));
        }
        let fits = self.has_room(0);
        let Some(input) = self.line.filters() else { return };
        self.filters.forget_unwanted();
        let services = &self.services;
        let follow = |o: &mut Outlet| {
            let Outlet { tap, remembered, service, tracks, .. } = o;
            input.follow(tap, elementary_pids(shown(services, *service).unwrap_or(remembered), *tracks))
        };
        if !fits || !self.outlets.iter_mut().all(follow) {
            self.tap_whole();
        }
    }

    /// Lets go of warm rings where who watches needs their filters: `pids` more.
    fn make_room(&mut self, pids: usize) {
        while !self.has_room(pids) {
            let warm = self.outlets.iter().rposition(|o| o.warm && watchers(&o.feed) == 0);
            let Some(warm) = warm else { return };
            self.outlets.remove(warm);
        }
    }

    /// Beside the rings that are fed, `pids` more can be filtered; where the processor filters, any number.
    fn has_room(&mut self, pids: usize) -> bool {
        let used: usize = self.outlets.iter().map(|o| o.pids(&self.services)).sum();
        self.line.filters().is_none_or(|input| input.has_room(used + pids))
    }

    /// There are too few filters: all of the mux is read, and filtered here.
    fn tap_whole(&mut self) {
        let Some(input) = self.line.filters() else { return };
        log::info!("too few filters for so many services: the processor filters");
        for outlet in self.outlets.iter_mut() {
            outlet.tap = ServiceTap::default();
            outlet.feed.ring().borrow_mut().expect_break();
        }
        // Without a tap nothing comes, and that is noticed.
        if let Err(why) = input.tap_whole() {
            log::warn!("{why}");
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
}

/// The PIDs of these tracks of a programme, each once, and of its clock.
fn elementary_pids(programme: &Programme, tracks: Tracks) -> impl Iterator<Item = Pid> + Clone {
    let pcr = programme.pcr_pid;
    let wanted = programme.components.iter().filter(move |c| tracks.has(c.codec)).map(|c| c.pid);
    let apart = pcr != Pid::NULL && !wanted.clone().any(|pid| pid == pcr);
    wanted.chain(apart.then_some(pcr))
}

/// Who watches, beside the pool and the outlet itself.
fn watchers(feed: &Feed) -> usize {
    feed.watchers().saturating_sub(1)
}

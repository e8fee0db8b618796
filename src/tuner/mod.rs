//! The tuners: which muxes there are, which are open, and who holds them.
//!
//! Owns the pool of rings and every open mux. A [`Lease`] is the right to a service of a tuned mux: the mux stays
//! open while one lives, and for a while after. Knows nothing of channels, people or HTTP.

use std::fmt;
use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use heapless::Vec;

use crate::board;
use crate::delivery::Tuning;
use crate::frontend::Frontend;
use crate::guide::Epg;
use crate::service::{Ended, Feed, READ_MAX};
use crate::source::{Now, SourceUrl};
use crate::ts::psi::Programme;

pub mod arbiter;
mod line;
pub mod mux;
mod origin;
pub mod services;

pub use crate::service::Identity;
pub use mux::OpenMux;
use mux::SyncNews;
pub use origin::Origin;

/// Which mux, by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MuxId(u16);

impl MuxId {
    /// Its index among the sources.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A mux that could not be opened, or did not show all its services, is looked at again after this.
const RETRY: Duration = Duration::from_secs(10);

/// A mux that nobody watches stays open for its guide so long at most: schedules repeat within 30 s (TR 101 211 §4.4).
const GUIDE_PATIENCE: Duration = Duration::from_secs(32);

/// The right to one service of a tuned mux. Only [`Tuners::lease`] makes one; dropping it frees the tuner.
pub struct Lease(Feed);

impl Lease {
    /// The service's ring, and with it the right.
    #[must_use]
    pub fn into_feed(self) -> Feed {
        self.0
    }
}

/// What a viewer's service is known to be before its mux shows it: what it was when it was seen last. A ring can be
/// filled by it from the first packet on, instead of after PAT and PMT have come again.
#[derive(Debug)]
pub struct Known {
    /// `service_id`.
    pub service: u16,
    /// The programme as it was; `None` when it was not kept.
    pub programme: Option<Box<Programme>>,
    /// What the ring says of itself.
    pub identity: Identity,
}

/// Why there is no lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseError {
    /// Every ring is watched.
    RingsFull(usize),
    /// Every input is in use by other viewers.
    InputsFull(usize),
    /// The source cannot be opened; the text says why.
    Source(String),
    /// The source is open and silent.
    Silent,
    /// The mux is there and carries no such service.
    NoService(u16),
    /// The box is going down.
    Shutdown,
}

impl fmt::Display for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RingsFull(n) => write!(f, "all {n} rings are watched"),
            Self::InputsFull(n) => write!(f, "all {n} inputs are in use for other channels"),
            Self::Source(why) => write!(f, "the source cannot be opened: {why}"),
            Self::Silent => f.write_str("the source is silent"),
            Self::NoService(id) => write!(f, "service {id} does not show up in its mux"),
            Self::Shutdown => f.write_str("the box is going down"),
        }
    }
}

/// One mux.
pub struct Mux {
    /// Where it comes from.
    pub origin: Origin,
    open: Option<Box<OpenMux>>,
    /// Why it could not be opened or went away.
    pub error: Option<String>,
    /// When it is to be looked at again.
    survey_at: Duration,
    /// Somebody waits for it.
    wanted_until: Duration,
}

impl Mux {
    fn new(origin: Origin) -> Self {
        Self { origin, open: None, error: None, survey_at: Duration::ZERO, wanted_until: Duration::ZERO }
    }

    /// The mux, while it is open.
    #[must_use]
    pub fn open(&self) -> Option<&OpenMux> {
        self.open.as_deref()
    }
}

/// All muxes and all rings.
pub struct Tuners {
    muxes: Vec<Mux, { board::MUXES }>,
    /// The frontends of the configuration, in its order.
    receivers: Vec<Frontend, { board::INPUTS }>,
    rings: Vec<Feed, { board::RINGS }>,
    staging: Box<[u8]>,
    /// Tasks that wait for a mux to show its services.
    waiting: Vec<Waker, { board::HEADS }>,
    /// The tables of these muxes said something new since this was last taken.
    changed: Vec<MuxId, { board::MUXES }>,
    shutdown: bool,
}

impl Tuners {
    /// Tuners for `sources`, with all memory they will ever have.
    pub fn new(sources: impl IntoIterator<Item = SourceUrl>) -> io::Result<Self> {
        let mut rings = Vec::new();
        while !rings.is_full() {
            let _room = rings.push(Feed::new(board::RING_BYTES)?);
        }
        let (mut muxes, mut receivers) = (Vec::new(), Vec::new());
        for source in sources.into_iter().take(board::SOURCES) {
            // Neither has more room than there are sources.
            match source {
                SourceUrl::Dvb(device) => _ = receivers.push(Frontend::new(device)),
                line => _ = muxes.push(Mux::new(Origin::Line(line))),
            }
        }
        Ok(Self {
            muxes,
            receivers,
            rings,
            staging: vec![0; READ_MAX].into(),
            waiting: Vec::new(),
            changed: Vec::new(),
            shutdown: false,
        })
    }

    /// The muxes, in the configuration's order.
    pub fn muxes(&self) -> impl Iterator<Item = (MuxId, &Mux)> {
        // At most `board::MUXES` muxes, far below 65 536.
        (0..).map(MuxId).zip(&self.muxes)
    }

    /// The muxes that are open.
    pub fn open_ids(&self) -> impl Iterator<Item = MuxId> {
        self.muxes().filter(|(_, m)| m.open.is_some()).map(|(id, _)| id)
    }

    /// The mux that is sent so: the one that is known already, else one more. `None` when no more can be known.
    pub fn add_mux(&mut self, tuning: Tuning) -> Option<MuxId> {
        let known = self.muxes().find(|(_, mux)| mux.origin.tuning().is_some_and(|t| t.is_same_mux(&tuning)));
        if let Some((id, _)) = known {
            return Some(id);
        }
        let id = u16::try_from(self.muxes.len()).ok().map(MuxId)?;
        self.muxes.push(Mux::new(Origin::Air(tuning))).ok().map(|()| id)
    }

    /// A mux.
    #[must_use]
    pub fn mux(&self, id: MuxId) -> Option<&Mux> {
        self.muxes.get(id.index())
    }

    /// Rings that somebody watches, and rings in all.
    #[must_use]
    pub fn rings(&self) -> (usize, usize) {
        let watched = self.muxes.iter().filter_map(Mux::open).map(OpenMux::watched).sum();
        (watched, self.rings.len())
    }

    /// Something has to be drained at each tick.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.muxes.iter().any(|m| m.open.is_some())
    }

    /// The next mux whose tables said something new, once.
    pub fn take_changed(&mut self) -> Option<MuxId> {
        self.changed.pop()
    }

    /// Polls for a lease: ready when the mux is open and shows the service, or when that cannot be.
    pub fn poll_lease(
        &mut self,
        cx: &mut Context<'_>,
        id: MuxId,
        known: &Known,
        now: Duration,
    ) -> Poll<Result<Lease, LeaseError>> {
        match self.try_lease(id, known, now) {
            Some(result) => Poll::Ready(result),
            None => {
                if self.waiting.push(cx.waker().clone()).is_err() {
                    cx.waker().wake_by_ref(); // more wait than requests can be: ask again
                }
                Poll::Pending
            }
        }
    }

    /// Ends all streams, for good.
    pub fn shut_down(&mut self) {
        self.shutdown = true;
        for mux in &mut self.muxes {
            if let Some(open) = mux.open.take() {
                open.end(Ended::Shutdown);
            }
        }
        self.wake_all();
    }

    /// Drains every open mux, and opens and closes muxes as they are wanted. What they tell of events goes to `epg`.
    pub fn tick(&mut self, now: Now, tick: Duration, epg: &mut Epg) {
        epg.begin_tick();
        for i in 0..self.muxes.len() {
            let Some(open) = &mut self.muxes[i].open else { continue };
            let silent = open.is_silent();
            match open.drain(now, tick, &mut self.staging, epg) {
                Ok(progress) => {
                    let is_silent = open.is_silent();
                    let sync = open.sync_news(now.boot);
                    // Why it failed is known until it is seen to work.
                    let works = progress.bytes > 0 && self.muxes[i].error.take().is_some();
                    if progress.changed || is_silent != silent || works {
                        self.note_change(i);
                    }
                    self.report(i, (silent, is_silent), sync);
                }
                Err(why) => {
                    open.end(Ended::Source);
                    log::warn!("{}: {why}", self.muxes[i].origin);
                    self.close(i, now.boot, Some(why.to_string()));
                }
            }
            self.close_unwanted(i, now.boot, epg);
        }
        self.wake_all(); // what they wait for may be there, or late
    }

    /// Opens muxes that were not looked at for long, while inputs are free. Cheap when there is nothing to do.
    pub fn survey(&mut self, now: Duration) {
        for i in 0..self.muxes.len() {
            let mux = &self.muxes[i];
            if mux.open.is_none() && now >= mux.survey_at && self.open_count() < board::INPUTS {
                let _error_is_kept = self.open(i, now);
            }
        }
    }

    /// Fills one free ring for each watched mux with a service beside what is watched.
    pub fn warm_up(&mut self, now: Duration) {
        for mux in &mut self.muxes {
            let Some(open) = mux.open.as_mut().filter(|open| open.wants_warmth()) else { continue };
            let Some(feed) = self.rings.iter().find(|feed| feed.watchers() == 0) else { return };
            open.warm_up(feed.clone(), now);
        }
    }

    /// When [`Tuners::survey`] has something to do, while no mux is open.
    #[must_use]
    pub fn next_survey(&self) -> Option<Duration> {
        self.muxes.iter().map(|m| m.survey_at).min()
    }

    /// Bytes that all watched rings and all unwatched ones got: their heads. For rates.
    pub fn heads(&self) -> impl Iterator<Item = u64> {
        self.rings.iter().map(|feed| feed.ring().borrow().head())
    }

    fn try_lease(&mut self, id: MuxId, known: &Known, now: Duration) -> Option<Result<Lease, LeaseError>> {
        let i = id.index();
        if self.shutdown || i >= self.muxes.len() {
            return Some(Err(LeaseError::Shutdown));
        }
        if let Err(why) = self.open_for_viewer(i, now) {
            return Some(Err(why));
        }
        let open = self.muxes[i].open.as_ref()?;
        if open.is_silent() {
            return Some(Err(LeaseError::Silent));
        }
        let late = open.age(now) >= Duration::from_millis(board::SCAN_TIMEOUT_MS);
        if open.services.find(known.service).is_none() && (open.services.has_programmes() || late) {
            return Some(Err(LeaseError::NoService(known.service)));
        }
        if let Some(feed) = open.running(known.service) {
            // What is remembered is believed only once the mux is seen to send.
            return open.has_sent().then(|| Ok(Lease(feed.clone())));
        }
        if !open.can_attach(known) {
            return late.then_some(Err(LeaseError::NoService(known.service)));
        }
        let Some(feed) = self.free_ring() else {
            return Some(Err(LeaseError::RingsFull(self.rings.len())));
        };
        let open = self.muxes[i].open.as_mut()?;
        open.attach(feed.clone(), known, now);
        open.has_sent().then_some(Ok(Lease(feed)))
    }

    /// Opens mux `i` where it is not, if need be in place of one that nobody watches.
    fn open_for_viewer(&mut self, i: usize, now: Duration) -> Result<(), LeaseError> {
        self.muxes[i].wanted_until = now + Duration::from_millis(board::SCAN_TIMEOUT_MS);
        if self.muxes[i].open.is_some() {
            return Ok(());
        }
        if self.open_count() >= board::INPUTS {
            let unwatched =
                |m: &Mux| m.open.as_ref().is_some_and(|o| o.watched() == 0) && now >= m.wanted_until;
            let Some(victim) = self.muxes.iter().position(unwatched) else {
                return Err(LeaseError::InputsFull(board::INPUTS));
            };
            self.close(victim, now, None);
        }
        self.open(i, now).map_err(LeaseError::Source)
    }

    fn open(&mut self, i: usize, now: Duration) -> Result<(), String> {
        let mux = &mut self.muxes[i];
        let Origin::Line(url) = &mux.origin else { return Err("no tuner is free".into()) };
        match OpenMux::open(url, now) {
            Ok(open) => {
                mux.open = Some(Box::new(open));
                Ok(())
            }
            Err(why) => {
                let why = why.to_string();
                if mux.error.as_ref() != Some(&why) {
                    log::warn!("{}: {why}", mux.origin);
                }
                mux.error = Some(why.clone());
                mux.survey_at = now + RETRY;
                self.note_change(i);
                Err(why)
            }
        }
    }

    /// Closes mux `i` once its survey is done, nobody watches, and it has lingered.
    fn close_unwanted(&mut self, i: usize, now: Duration, epg: &Epg) {
        let hurry = self.others_wait(now);
        let Some(open) = &mut self.muxes[i].open else { return };
        let done =
            open.services.is_complete() || open.age(now) >= Duration::from_millis(board::SCAN_TIMEOUT_MS);
        let done = done && (hurry || open.age(now) >= GUIDE_PATIENCE || open.has_guide(epg));
        let linger = Duration::from_millis(board::LINGER_MS);
        if let Some((feed, since)) = open.idlest()
            && now >= since + linger
        {
            open.detach(&feed);
        }
        open.cool_down();
        let error = open.is_silent().then(|| LeaseError::Silent.to_string());
        let wanted = open.outlets() > 0 || now < self.muxes[i].wanted_until;
        let read = !self.changed.iter().any(|id| id.index() == i); // what it showed last was taken over
        if done && read && !wanted {
            self.close(i, now, error);
        }
    }

    fn close(&mut self, i: usize, now: Duration, error: Option<String>) {
        let mux = &mut self.muxes[i];
        let complete = mux.open.take().is_some_and(|open| open.services.is_complete());
        let again = match mux.origin {
            // A file does not change, and opening it reads much of it.
            Origin::Line(SourceUrl::File(_)) => Duration::MAX,
            _ => Duration::from_millis(board::SURVEY_EVERY_MS),
        };
        mux.error = error.or_else(|| mux.error.take()); // that of before, too, where it was not seen to work since
        let wait = if complete && mux.error.is_none() { again } else { RETRY };
        mux.survey_at = now.saturating_add(wait);
        self.note_change(i);
    }

    /// Another mux is to be looked at, and has no input: channels come before their guide.
    fn others_wait(&self, now: Duration) -> bool {
        let waits = |m: &Mux| m.open.is_none() && now >= m.survey_at;
        self.open_count() >= board::INPUTS && self.muxes.iter().any(waits)
    }

    fn open_count(&self) -> usize {
        self.muxes.iter().filter(|m| m.open.is_some()).count()
    }

    /// A ring that nobody uses; else one that is only warm; else the one that lingers longest.
    fn free_ring(&mut self) -> Option<Feed> {
        if let Some(feed) = self.rings.iter().find(|feed| feed.watchers() == 0) {
            return Some(feed.clone());
        }
        let muxes = || self.muxes.iter().enumerate();
        let warm = |(i, m): (usize, &Mux)| Some((i, m.open.as_ref()?.warm()?));
        let idle =
            |(i, m): (usize, &Mux)| m.open.as_ref().and_then(|o| o.idlest()).map(|(f, since)| (i, f, since));
        let lingering =
            || muxes().filter_map(idle).min_by_key(|(.., since)| *since).map(|(i, feed, _)| (i, feed));
        let (i, feed) = muxes().find_map(warm).or_else(lingering)?;
        self.muxes[i].open.as_mut()?.detach(&feed);
        Some(feed)
    }

    fn note_change(&mut self, i: usize) {
        let Ok(id) = u16::try_from(i).map(MuxId) else { return };
        if !self.changed.contains(&id) {
            let _room = self.changed.push(id);
        }
    }

    /// Says once what changed: silence before and now, and sync.
    fn report(&self, i: usize, silence: (bool, bool), sync: Option<SyncNews>) {
        let url = &self.muxes[i].origin;
        match silence {
            (false, true) => log::warn!("{url}: silent"),
            (true, false) => log::info!("{url}: packets again"),
            _ => {}
        }
        match sync {
            Some(SyncNews::Lost) => log::warn!("{url}: lost sync: not everything that comes is a packet"),
            Some(SyncNews::Calm(n)) => log::info!("{url}: in sync again; {n} losses since it was opened"),
            None => {}
        }
    }

    fn wake_all(&mut self) {
        while let Some(waker) = self.waiting.pop() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;

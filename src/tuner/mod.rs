//! The tuners: which muxes there are, which are open, and who holds them.
//!
//! Owns the pool of rings and every open mux. A [`Lease`] is the right to a service of a tuned mux: the mux stays
//! open while one lives, and for a while after. Knows nothing of channels, people or HTTP.

use std::io;
use std::task::Waker;
use std::time::Duration;

use heapless::Vec;

use crate::board;
use crate::delivery::Tuning;
use crate::frontend::Frontend;
pub use crate::frontend::Stages;
use crate::guide::Epg;
use crate::service::{Ended, Feed, READ_MAX};
use crate::source::{Now, SourceError, SourceUrl};

pub mod arbiter;
mod lease;
mod line;
pub mod mux;
mod origin;
mod probe;
mod receiver;
mod reception;
pub mod request;
pub mod services;
mod trial;

pub use crate::service::Identity;
use arbiter::{Owner, Priority};
pub use lease::{Known, Lease, LeaseError};
pub use mux::OpenMux;
use mux::SyncNews;
pub use origin::Origin;
pub use probe::Probe;
use probe::Probed;
pub use receiver::Receiver;
use trial::Stay;

/// Which mux, by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MuxId(u16);

impl MuxId {
    /// Its index among the sources.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// That of the mux at `index`.
    fn of(index: usize) -> Self {
        Self(u16::try_from(index).unwrap_or(u16::MAX)) // there are at most `board::MUXES`, far fewer
    }
}

/// A mux that could not be opened, or did not show all its services, is looked at again after this.
const RETRY: Duration = Duration::from_secs(10);

/// A mux of the air that was read is tuned to for its guide alone so seldom: it takes a tuner, and power.
const SURVEY_AIR_EVERY: Duration = Duration::from_secs(12 * 3600);

/// A mux that nobody watches stays open for its guide so long at most: schedules repeat within 30 s (TR 101 211 §4.4).
const GUIDE_PATIENCE: Duration = Duration::from_secs(32);

/// One mux.
pub struct Mux {
    /// Where it comes from.
    pub origin: Origin,
    open: Option<Box<OpenMux>>,
    /// Why it could not be opened or went away.
    pub error: Option<String>,
    /// When it is to be looked at again.
    survey_at: Duration,
    /// Somebody waits for it until then, and how much that weighs.
    wanted: Option<(Duration, Priority)>,
    /// Somebody reads its tables.
    probe: Option<Probed>,
    stay: Stay,
    /// It had no signal, and is not tried again before this.
    refused_until: Duration,
    /// How long after that it is looked at again, when nobody asks for it.
    pause: Duration,
    /// The receiver that it was opened by.
    by: Option<usize>,
}

impl Mux {
    fn new(origin: Origin) -> Self {
        Self {
            origin,
            open: None,
            error: None,
            survey_at: Duration::ZERO,
            wanted: None,
            probe: None,
            stay: Stay::Known,
            refused_until: Duration::ZERO,
            pause: Duration::ZERO,
            by: None,
        }
    }

    /// The mux, while it is open.
    #[must_use]
    pub fn open(&self) -> Option<&OpenMux> {
        self.open.as_deref()
    }

    /// Somebody watches what comes of it by this receiver.
    fn is_watched_by(&self, receiver: usize) -> bool {
        self.by == Some(receiver) && self.open().is_some_and(|open| open.watched() > 0)
    }

    /// The most important of those who watch it, wait for it or read its tables.
    fn wish(&self) -> Option<Priority> {
        let watched = self.open().and_then(OpenMux::wish);
        let wanted = self.wanted.map(|(_, wish)| wish);
        watched.max(wanted).max(self.probe.map(|probe| probe.wish))
    }
}

/// All muxes and all rings.
pub struct Tuners {
    muxes: Vec<Mux, { board::MUXES }>,
    /// The tuners of the configuration, in its order.
    receivers: Vec<Receiver, { board::INPUTS }>,
    /// For each receiver, who waits for its helper's line.
    listening: [Option<Waker>; board::INPUTS],
    /// When helpers were asked last whether they are stuck.
    polled: Duration,
    rings: Vec<Feed, { board::RINGS }>,
    /// Those for what is heard alone.
    audio_rings: Vec<Feed, { board::AUDIO_RINGS }>,
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
        let mut audio_rings = Vec::new();
        while !audio_rings.is_full() {
            let _room = audio_rings.push(Feed::new(board::AUDIO_RING_BYTES)?);
        }
        let (mut muxes, mut receivers) = (Vec::new(), Vec::new());
        let owner = Owner::named(board::TUNER_OWNER).unwrap_or(Owner::Ui);
        for source in sources.into_iter().take(board::SOURCES) {
            match source {
                SourceUrl::Dvb(device) => {
                    let receiver = Receiver::new(Frontend::new(device), owner);
                    if let Err(left_out) = receivers.push(receiver) {
                        let (most, device) = (board::INPUTS, left_out.device());
                        log::warn!("this board has room for {most} tuners: dvb:{device} is left out");
                    }
                }
                line => _ = muxes.push(Mux::new(Origin::Line(line))),
            }
        }
        Ok(Self {
            muxes,
            receivers,
            listening: [const { None }; board::INPUTS],
            polled: Duration::ZERO,
            rings,
            audio_rings,
            staging: vec![0; READ_MAX].into(),
            waiting: Vec::new(),
            changed: Vec::new(),
            shutdown: false,
        })
    }

    /// The muxes, in the configuration's order.
    pub fn muxes(&self) -> impl Iterator<Item = (MuxId, &Mux)> {
        // At most `board::MUXES` muxes, far below 65 536.
        (0..).map(MuxId).zip(&self.muxes).filter(|(_, mux)| mux.stay != Stay::Vacant)
    }

    /// The muxes that are open.
    pub fn open_ids(&self) -> impl Iterator<Item = MuxId> {
        self.muxes().filter(|(_, m)| m.open.is_some()).map(|(id, _)| id)
    }

    /// The mux that is sent so: the one that is known already, else one more. `None` when no more can be known.
    pub fn add_mux(&mut self, tuning: Tuning) -> Option<MuxId> {
        if let Some(id) = self.find_mux(&tuning) {
            self.keep_mux(id);
            return Some(id);
        }
        self.place_mux(tuning)
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
        (watched, self.rings.len() + self.audio_rings.len())
    }

    /// Something has to be drained at each tick.
    #[must_use]
    pub fn is_active(&self) -> bool {
        let probed = |m: &Mux| m.open.is_some() || m.probe.is_some();
        self.muxes.iter().any(probed) || self.receivers.iter().any(Receiver::is_busy)
    }

    /// The next mux whose tables said something new, once.
    pub fn take_changed(&mut self) -> Option<MuxId> {
        self.changed.pop()
    }

    /// Ends all streams, for good.
    pub fn shut_down(&mut self) {
        self.shutdown = true;
        for mux in &mut self.muxes {
            if let Some(open) = mux.open.take() {
                open.end(Ended::Shutdown);
            }
            (mux.by, mux.probe) = (None, None);
        }
        self.receivers.clear(); // their helpers end with them, and close what they have open
        self.wake_all();
    }

    /// Drains every open mux, and opens and closes muxes as they are wanted. What they tell of events goes to `epg`.
    pub fn tick(&mut self, now: Now, tick: Duration, epg: &mut Epg) {
        epg.begin_tick();
        if now.boot >= self.polled + Duration::from_secs(1) {
            self.polled = now.boot;
            self.poll_frontends(now.boot);
        }
        self.notice_leave(now.boot);
        self.keep_probes(now.boot);
        for i in 0..self.muxes.len() {
            self.muxes[i].wanted.take_if(|(until, _)| now.boot >= *until);
            let is_passenger = self.is_passenger(i);
            let Some(open) = &mut self.muxes[i].open else { continue };
            let silent = open.is_silent();
            match open.drain(now, tick, &mut self.staging, epg) {
                Ok(progress) if progress.moved && is_passenger => {
                    self.notice_move(i, now.boot);
                    continue;
                }
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
                    match why {
                        SourceError::Gone => self.lose_receiver(i, now.boot),
                        why => self.close(i, now.boot, Some(why.to_string())),
                    }
                }
            }
            self.close_unwanted(i, now.boot, epg);
        }
        self.wake_all(); // what they wait for may be there, or late
    }

    /// Opens muxes that were not looked at for long, while inputs are free. Cheap when there is nothing to do.
    pub fn survey(&mut self, now: Duration) {
        self.poll_frontends(now);
        for i in 0..self.muxes.len() {
            let mux = &self.muxes[i];
            if mux.open.is_some() || now < mux.survey_at || self.open_count() >= board::INPUTS {
                continue;
            }
            match mux.origin {
                Origin::Line(_) => _ = self.open_line(i, now), // the error is kept
                Origin::Air(_) => self.survey_air(i, now),
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

    /// When [`Tuners::survey`] has something to do, while no mux is open: also when a helper ought to have said something.
    #[must_use]
    pub fn next_survey(&self) -> Option<Duration> {
        let due = |(id, mux): (MuxId, &Mux)| self.can_survey(id).then_some(mux.survey_at);
        let again = self.receivers.iter().filter_map(Receiver::again_at);
        let silence = self.receivers.iter().filter_map(|r| r.frontend.deadline());
        self.muxes().filter_map(due).chain(again).chain(silence).min()
    }

    /// Bytes that all watched rings and all unwatched ones got: their heads. For rates.
    pub fn heads(&self) -> impl Iterator<Item = u64> {
        self.rings.iter().chain(&self.audio_rings).map(|feed| feed.ring().borrow().head())
    }

    fn open_line(&mut self, i: usize, now: Duration) -> Result<(), String> {
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
        if let Some((feed, since)) = open.idlest(None)
            && now >= since + linger
        {
            open.detach(&feed);
        }
        open.cool_down();
        let error = open.is_silent().then(|| LeaseError::Silent.to_string());
        let waits = self.muxes[i].wanted.is_some() || self.muxes[i].probe.is_some();
        let wanted = waits || self.muxes[i].open.as_ref().is_some_and(|open| open.outlets() > 0);
        let read = !self.changed.iter().any(|id| id.index() == i); // what it showed last was taken over
        if done && read && !wanted {
            self.close(i, now, error);
        }
    }

    /// Closes mux `i`, and its tuner where the box had that tuned.
    fn close(&mut self, i: usize, now: Duration, error: Option<String>) {
        let is_passenger = self.is_passenger(i);
        let mux = &mut self.muxes[i];
        let complete = mux.open.take().is_some_and(|open| open.services.is_complete());
        mux.by = None;
        let again = match mux.origin {
            // A file does not change, and opening it reads much of it.
            Origin::Line(SourceUrl::File(_)) => Duration::MAX,
            Origin::Air(_) if !is_passenger && complete => SURVEY_AIR_EVERY,
            _ => Duration::from_millis(board::SURVEY_EVERY_MS),
        };
        mux.error = error.or_else(|| mux.error.take()); // that of before, too, where it was not seen to work since
        let done = complete && mux.error.is_none() || matches!(mux.origin, Origin::Air(_));
        mux.survey_at = now.saturating_add(if done { again } else { RETRY });
        self.release(MuxId::of(i), now);
        self.note_change(i);
    }

    /// Another mux is to be looked at, and has no input: channels come before their guide.
    fn others_wait(&self, now: Duration) -> bool {
        let waits = |m: &Mux| m.open.is_none() && now >= m.survey_at && matches!(m.origin, Origin::Line(_));
        self.open_count() >= board::INPUTS && self.muxes.iter().any(waits)
    }

    fn open_count(&self) -> usize {
        self.muxes.iter().filter(|m| m.open.is_some()).count()
    }

    fn note_change(&mut self, i: usize) {
        let id = MuxId::of(i);
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
mod sample;
#[cfg(test)]
mod tests;

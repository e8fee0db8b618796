//! Leases: the right to a service of a tuned mux, and why there is none.

use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use super::arbiter::{Choice, Priority};
use super::{MuxId, Origin, Tuners};
use crate::board;
use crate::service::{Feed, Identity};
use crate::ts::psi::{Programme, Tracks};

/// Who waits for a tuner and does not ask again within this has left.
const WANTED: Duration = Duration::from_secs(2);

/// The right to one service of a tuned mux. Only [`Tuners::poll_lease`] makes one; dropping it frees the tuner.
pub struct Lease(Feed);

impl Lease {
    /// Its packets are scrambled; `None` while that is not seen.
    #[must_use]
    pub fn is_scrambled(&self, now: Duration) -> Option<bool> {
        let ring = self.0.ring().borrow();
        ring.is_scrambled().filter(|scrambled| *scrambled || ring.start(now).is_some())
    }

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
    /// What is wanted of it.
    pub tracks: Tracks,
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
    /// The service has nothing that is heard.
    NoAudio(u16),
    /// A tuner could be had if who sits before the television allows it.
    Ask,
    /// No tuner can be had; the text says why.
    NoTuner(String),
    /// The tuner cannot receive it; the text says why.
    Tuner(String),
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
            Self::NoAudio(id) => write!(f, "service {id} has no sound"),
            Self::Ask => f.write_str("the television would have to give up its tuner"),
            Self::NoTuner(why) | Self::Tuner(why) => f.write_str(why),
            Self::Shutdown => f.write_str("the box is going down"),
        }
    }
}

impl Tuners {
    /// Polls for a lease: ready when the mux is open and shows the service, or when that cannot be. `wish` is how much
    /// it weighs where a tuner is wanted by several.
    pub fn poll_lease(
        &mut self,
        cx: &mut Context<'_>,
        id: MuxId,
        known: &Known,
        wish: Priority,
        now: Duration,
    ) -> Poll<Result<Lease, LeaseError>> {
        match self.try_lease(id, known, wish, now) {
            Some(result) => {
                if let Some(mux) = self.muxes.get_mut(id.index()).filter(|_| result.is_ok()) {
                    mux.wanted = None; // others who wait say so again at the next tick
                }
                Poll::Ready(result)
            }
            None => {
                if self.waiting.push(cx.waker().clone()).is_err() {
                    cx.waker().wake_by_ref(); // more wait than requests can be: ask again
                }
                Poll::Pending
            }
        }
    }

    fn try_lease(
        &mut self,
        id: MuxId,
        known: &Known,
        wish: Priority,
        now: Duration,
    ) -> Option<Result<Lease, LeaseError>> {
        let i = id.index();
        if self.shutdown || i >= self.muxes.len() {
            return Some(Err(LeaseError::Shutdown));
        }
        if let Err(why) = self.open_for(i, wish, now) {
            return Some(Err(why));
        }
        let open = self.muxes[i].open.as_mut()?;
        if open.is_silent() {
            return Some(Err(LeaseError::Silent));
        }
        let late = open.age(now) >= Duration::from_millis(board::SCAN_TIMEOUT_MS);
        if open.services.find(known.service).is_none() && (open.services.has_programmes() || late) {
            return Some(Err(LeaseError::NoService(known.service)));
        }
        if let Some(feed) = open.running(known.service, known.tracks).cloned() {
            // What is remembered is believed only once the mux is seen to send.
            return open.has_sent().then(|| {
                open.weigh(&feed, wish);
                Ok(Lease(feed))
            });
        }
        if !open.can_attach(known) {
            return late.then_some(Err(LeaseError::NoService(known.service)));
        }
        if !open.has_tracks(known) {
            return Some(Err(LeaseError::NoAudio(known.service)));
        }
        let Some(feed) = self.free_ring(known.tracks) else {
            return Some(Err(LeaseError::RingsFull(self.pool(known.tracks).len())));
        };
        let open = self.muxes[i].open.as_mut()?;
        open.attach(feed.clone(), known, now);
        open.weigh(&feed, wish);
        open.has_sent().then_some(Ok(Lease(feed)))
    }

    /// Opens mux `i` where it is not, if need be in place of one that nobody watches; has it tuned where it comes
    /// from a tuner.
    pub(super) fn open_for(&mut self, i: usize, wish: Priority, now: Duration) -> Result<(), LeaseError> {
        let mux = &mut self.muxes[i];
        let wait = match mux.origin {
            Origin::Line(_) => Duration::from_millis(board::SCAN_TIMEOUT_MS),
            // Who waits asks at each tick; a tuner is not to be kept for who has left.
            Origin::Air(_) => WANTED,
        };
        let until = now + wait;
        mux.wanted = Some((until, mux.wanted.map_or(wish, |(_, other)| other.max(wish))));
        if mux.open.is_some() {
            return Ok(());
        }
        match mux.origin {
            Origin::Line(_) => {
                self.make_room(i, now)?;
                self.open_line(i, now).map_err(LeaseError::Source)
            }
            Origin::Air(_) => self.tune_for(i, wish, now),
        }
    }

    /// Has a tuner for mux `i`, or says why not.
    pub(super) fn tune_for(&mut self, i: usize, wish: Priority, now: Duration) -> Result<(), LeaseError> {
        if now < self.muxes[i].refused_until {
            return Err(LeaseError::Tuner(self.muxes[i].error.clone().unwrap_or_default()));
        }
        let id = MuxId::of(i);
        match self.reach(id, wish, wish >= Priority::VIEWER) {
            Choice::Share(r) if self.receivers[r].is_tuning(id) => Ok(()),
            Choice::Share(r) => {
                self.make_room(i, now)?;
                self.open_air(i, r, now).map_err(LeaseError::Tuner)
            }
            Choice::Tune(r) | Choice::Take(r) => {
                self.make_room(i, now)?;
                self.tune(r, i, now);
                Ok(())
            }
            Choice::Ask(_) => Err(LeaseError::Ask),
            Choice::No => Err(self.no_tuner(i)),
        }
    }

    /// Sees to it that mux `i` can be opened: closes one that nobody watches where all inputs are in use.
    fn make_room(&mut self, i: usize, now: Duration) -> Result<(), LeaseError> {
        if self.open_count() < board::INPUTS {
            return Ok(());
        }
        let unused = self.muxes.iter().enumerate().position(|(at, m)| {
            at != i && m.open.as_ref().is_some_and(|o| o.watched() == 0) && m.wish().is_none()
        });
        let victim = unused.ok_or(LeaseError::InputsFull(board::INPUTS))?;
        self.close(victim, now, None);
        Ok(())
    }

    /// The rings for these tracks.
    fn pool(&self, tracks: Tracks) -> &[Feed] {
        match tracks {
            Tracks::All => &self.rings,
            Tracks::Audio => &self.audio_rings,
        }
    }

    /// A ring that nobody uses; else one that is only warm; else the one that lingers longest.
    fn free_ring(&mut self, tracks: Tracks) -> Option<Feed> {
        if let Some(feed) = self.pool(tracks).iter().find(|feed| feed.watchers() == 0) {
            return Some(feed.clone());
        }
        let muxes = || self.muxes.iter().enumerate();
        let warm = |(i, m): (usize, &super::Mux)| {
            let feed = m.open.as_ref().filter(|_| tracks == Tracks::All)?.warm()?;
            Some((i, feed))
        };
        let idle = |(i, m): (usize, &super::Mux)| {
            m.open.as_ref().and_then(|o| o.idlest(Some(tracks))).map(|(feed, since)| (i, feed, since))
        };
        let lingering =
            || muxes().filter_map(idle).min_by_key(|(.., since)| *since).map(|(i, feed, _)| (i, feed));
        let (i, feed) = muxes().find_map(warm).or_else(lingering)?;
        self.muxes[i].open.as_mut()?.detach(&feed);
        Some(feed)
    }
}

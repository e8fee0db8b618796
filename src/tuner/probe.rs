//! Probes: a mux that is held open for reading its tables, by who looks for channels.

use std::time::Duration;

use super::arbiter::{Choice, Priority};
use super::{MuxId, Receiver, Tuners};
use crate::board;

/// A probe that is not kept up for so long lapses.
const LAPSE: Duration = Duration::from_secs(5);

/// How far a look at a mux came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// No tuner may be had for it now.
    Waits,
    /// A tuner looks for its signal.
    Tuning,
    /// It is there; its tables are being read.
    Reading,
    /// All was read that it tells, or nothing more came for long.
    Complete,
    /// It is not there; the text says why.
    Failed(String),
    /// Every tuner that could receive it is of no use; the text says why.
    Broken(String),
}

/// A mux that is probed.
#[derive(Clone, Copy)]
pub(super) struct Probed {
    pub(super) wish: Priority,
    pub(super) until: Duration,
    /// It came to nothing; why is the mux's error.
    pub(super) failed: bool,
}

impl Tuners {
    /// Has mux `id` open for reading its tables: begins, or keeps it up. What is not kept up for 5 s lapses.
    pub fn probe(&mut self, id: MuxId, wish: Priority, now: Duration) {
        let Some(mux) = self.muxes.get_mut(id.index()) else { return };
        let until = now + LAPSE;
        match &mut mux.probe {
            Some(probe) => (probe.until, probe.wish) = (until, wish),
            None => {
                mux.probe = Some(Probed { wish, until, failed: false });
                mux.refused_until = Duration::ZERO; // what failed before is tried again
            }
        }
        self.keep_probe(id.index(), now);
    }

    /// How far it came.
    #[must_use]
    pub fn probed(&self, id: MuxId, now: Duration) -> Probe {
        let Some(mux) = self.mux(id) else { return Probe::Failed("there is no such mux".into()) };
        if let Some(open) = mux.open() {
            let late = open.age(now) >= Duration::from_millis(board::SCAN_TIMEOUT_MS);
            return match (open.services.is_complete(), late) {
                (true, _) => Probe::Complete,
                (false, true) if open.services.all.is_empty() => {
                    Probe::Failed("a signal, and no programmes in it".into())
                }
                (false, true) => Probe::Complete,
                (false, false) => Probe::Reading,
            };
        }
        if mux.probe.is_some_and(|probe| probe.failed) {
            return Probe::Failed(mux.error.clone().unwrap_or_default());
        }
        if self.receivers.iter().any(|r| r.is_tuning(id)) {
            return Probe::Tuning;
        }
        self.broken(id).map_or(Probe::Waits, Probe::Broken)
    }

    /// Why no tuner can be had for a mux, and none will be by waiting for others to leave.
    fn broken(&self, id: MuxId) -> Option<String> {
        let tuning = self.mux(id)?.origin.tuning()?;
        let is_of_use = |r: &Receiver| r.failure().is_none() && r.can(tuning);
        if self.receivers.iter().any(is_of_use) {
            return None;
        }
        self.receivers.iter().find_map(Receiver::failure).map(ToString::to_string)
    }

    /// It is not looked at any more.
    pub fn end_probe(&mut self, id: MuxId) {
        if let Some(mux) = self.muxes.get_mut(id.index()) {
            mux.probe = None;
        }
    }

    /// Lets go of probes that lapsed, and goes on with those that wait for a tuner.
    pub(super) fn keep_probes(&mut self, now: Duration) {
        for i in 0..self.muxes.len() {
            match self.muxes[i].probe {
                Some(probe) if now >= probe.until => self.muxes[i].probe = None,
                Some(_) => self.keep_probe(i, now),
                None => {}
            }
        }
    }

    fn keep_probe(&mut self, i: usize, now: Duration) {
        let Some(probe) = self.muxes[i].probe.filter(|p| !p.failed) else { return };
        let id = MuxId::of(i);
        let waits = self.muxes[i].open.is_none() && !self.receivers.iter().any(|r| r.is_tuning(id));
        if !waits || self.reach(id, probe.wish, false) == Choice::No {
            return;
        }
        if let Err(why) = self.open_for(i, probe.wish, now) {
            let failed = self.muxes[i].error.is_some() && !matches!(why, super::LeaseError::InputsFull(_));
            if let Some(probe) = &mut self.muxes[i].probe {
                probe.failed = failed;
            }
        }
    }
}

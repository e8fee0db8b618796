//! Muxes on trial: what a scan looks for may not be there, and then is forgotten.

use std::time::Duration;

use super::{Mux, MuxId, Origin, Tuners};
use crate::delivery::Tuning;

/// Whether a mux is here to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// It is known.
    Known,
    /// Somebody looks whether it is there.
    Trial,
    /// It was not there: its place is free.
    Vacant,
}

impl Mux {
    /// Nobody knows yet whether it is there.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        self.stay != Stay::Known
    }
}

impl Tuners {
    /// The mux that is sent so: the one that is known already, else one on trial. `None` when no more can be known.
    pub fn try_mux(&mut self, tuning: Tuning) -> Option<MuxId> {
        if let Some(id) = self.find_mux(&tuning) {
            return Some(id);
        }
        let id = self.place_mux(tuning)?;
        let mux = &mut self.muxes[id.index()];
        (mux.stay, mux.survey_at) = (Stay::Trial, Duration::MAX);
        Some(id)
    }

    /// A mux on trial is there: it stays.
    pub fn keep_mux(&mut self, id: MuxId) {
        if let Some(mux) = self.muxes.get_mut(id.index()).filter(|mux| mux.stay == Stay::Trial) {
            mux.stay = Stay::Known;
        }
    }

    /// A mux on trial is not there: it is closed, and its place is another's. One that is known stays.
    pub fn forget_mux(&mut self, id: MuxId, now: Duration) {
        self.end_probe(id);
        if self.muxes.get(id.index()).is_some_and(|mux| mux.stay == Stay::Trial) {
            self.close(id.index(), now, None);
            let mux = &mut self.muxes[id.index()];
            (mux.stay, mux.survey_at, mux.error) = (Stay::Vacant, Duration::MAX, None);
        }
    }

    /// A mux is sent otherwise than it was. Answers `false` while it is open or being tuned to.
    pub fn retune_mux(&mut self, id: MuxId, tuning: Tuning) -> bool {
        let is_idle = !self.receivers.iter().any(|r| r.mux() == Some(id));
        let mux = self.muxes.get_mut(id.index()).filter(|mux| is_idle && mux.open.is_none());
        mux.map(|mux| mux.origin = Origin::Air(tuning)).is_some()
    }

    /// Some tuner of this box could receive what is sent so, as far as is known.
    #[must_use]
    pub fn can_receive(&self, tuning: &Tuning) -> bool {
        self.receivers.iter().any(|r| r.failure().is_some() || r.can(tuning))
    }

    /// The mux that is sent so is known, or somebody looks whether it is there.
    #[must_use]
    pub fn knows(&self, tuning: &Tuning) -> bool {
        self.find_mux(tuning).is_some()
    }

    pub(super) fn find_mux(&self, tuning: &Tuning) -> Option<MuxId> {
        let known = |mux: &Mux| mux.origin.tuning().is_some_and(|t| t.is_same_mux(tuning));
        self.muxes().find(|(_, mux)| known(mux)).map(|(id, _)| id)
    }

    /// One more mux, in a place that is free.
    pub(super) fn place_mux(&mut self, tuning: Tuning) -> Option<MuxId> {
        let mux = Mux::new(Origin::Air(tuning));
        if let Some(i) = self.muxes.iter().position(|mux| mux.stay == Stay::Vacant) {
            self.muxes[i] = mux;
            return Some(MuxId::of(i));
        }
        let id = MuxId::of(self.muxes.len());
        self.muxes.push(mux).ok().map(|()| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_leaves_its_place_to_another() {
        let mut tuners = Tuners::new([]).unwrap();
        let tuning = |n: u32| Tuning::new(crate::delivery::System::DvbT, 50_000_000 + n * 8_000_000);
        let known = tuners.add_mux(tuning(0)).unwrap();
        let all = |tuners: &Tuners| tuners.muxes().map(|(_, mux)| mux.origin.to_string()).collect::<Vec<_>>();
        for n in 1..1000 {
            let id = tuners.try_mux(tuning(n % 100)).unwrap();
            assert!(tuners.mux(id).is_some_and(Mux::is_on_trial) != (id == known));
            tuners.forget_mux(id, Duration::ZERO);
            assert_eq!(all(&tuners), [tuning(0).to_string()]);
        }
        let trial = tuners.try_mux(tuning(5)).unwrap();
        tuners.keep_mux(trial);
        tuners.forget_mux(trial, Duration::ZERO);
        assert_eq!(tuners.add_mux(tuning(5)), Some(trial), "what is known stays");
        let most = crate::board::MUXES as u32;
        let ids: Vec<_> = (100..).map_while(|n| tuners.try_mux(tuning(n))).take(1000).collect();
        assert_eq!(ids.len() as u32, most - 2);
        tuners.forget_mux(ids[3], Duration::ZERO);
        assert_eq!(tuners.try_mux(tuning(99)), Some(ids[3]));
    }
}

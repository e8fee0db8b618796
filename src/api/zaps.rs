//! The last zaps: how long each took, stage by stage.

use std::cell::RefCell;
use std::time::Duration;

use heapless::Deque;

use crate::access::Holder;
use crate::pump::First;
use crate::status::{StageView, ZapView, word};

/// Zaps that are kept; a newer one takes the place of the oldest.
const KEPT: usize = 16;

/// When a zap came how far, up to its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stages {
    /// The request came.
    pub(super) came: Duration,
    /// Who asks may watch.
    pub(super) allowed: Duration,
    /// What a tuner did for it; `None` where the mux was there.
    pub(super) tuned: Option<Tuned>,
    /// The mux shows the service.
    pub(super) ready: Duration,
}

/// When a tuner came how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuned {
    /// Its driver took the tuning.
    pub(super) tuned: Duration,
    /// It had a lock.
    pub(super) locked: Duration,
    /// Filters were open.
    pub(super) opened: Duration,
}

/// A zap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zap {
    pub(super) holder: Holder,
    pub(super) channel: u16,
    stages: Stages,
    first: Option<First>,
}

/// The last zaps of everybody.
#[derive(Default)]
pub struct Zaps(RefCell<Deque<Zap, KEPT>>);

impl Zaps {
    /// Takes note of one that has its lease.
    pub(super) fn note(&self, holder: Holder, channel: u16, stages: Stages) {
        let zap = Zap { holder, channel, stages, first: None };
        log::info!("zap in {} ms:{}", zap.total_ms(), zap.in_words());
        let mut zaps = self.0.borrow_mut();
        if zaps.is_full() {
            zaps.pop_front();
        }
        let _room = zaps.push_back(zap);
    }

    /// The first byte of the newest zap of this holder to this channel was sent.
    pub(super) fn begun(&self, holder: Holder, channel: u16, first: First) {
        let mut zaps = self.0.borrow_mut();
        let mut newest = zaps.iter_mut().rev();
        let zap = newest.find(|z| z.holder == holder && z.channel == channel && z.first.is_none());
        if let Some(zap) = zap {
            zap.first = Some(first);
            let all = zap.total_ms();
            log::debug!("zap: first byte after {all} ms, {} ms behind the head", first.behind_ms);
        }
    }

    /// Those that are kept, newest first.
    pub(super) fn all(&self) -> heapless::Vec<Zap, KEPT> {
        self.0.borrow().iter().rev().cloned().collect()
    }
}

impl Zap {
    /// Each stage that it had, in its order, with the time when it was over.
    fn over(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let Stages { allowed, tuned, ready, .. } = self.stages;
        let by_tuner = tuned.map(|t| [("tune", t.tuned), ("lock", t.locked), ("filters", t.opened)]);
        let shown = if tuned.is_some() { "packets" } else { "ring" };
        let first = self.first.map(|first| [("place", first.placed), ("byte", first.sent)]);
        let stages = [("rights", allowed)].into_iter().chain(by_tuner.into_iter().flatten());
        stages.chain([(shown, ready)]).chain(first.into_iter().flatten())
    }

    /// The stages, each with its milliseconds; together they are [`Zap::total_ms`].
    fn stages(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let came = self.stages.came;
        let since = move |at: Duration| millis(at.saturating_sub(came));
        self.over().scan(0, move |before, (stage, at)| {
            let at = since(at).max(*before);
            Some((stage, at - std::mem::replace(before, at)))
        })
    }

    fn total_ms(&self) -> u32 {
        self.stages().map(|(_, ms)| ms).sum()
    }

    fn in_words(&self) -> String {
        self.stages().map(|(stage, ms)| format!(" {stage} {ms}")).collect()
    }

    /// What is told of it, without its terminal's name.
    pub(super) fn view(&self, now: Duration) -> ZapView {
        ZapView {
            ago_s: now.saturating_sub(self.stages.came).as_secs(),
            slot: self.holder.slot(),
            terminal: heapless::String::new(),
            channel: self.channel,
            done: self.first.is_some(),
            total_ms: self.total_ms(),
            stages: self.stages().map(|(stage, ms)| StageView { stage: word(stage), ms }).collect(),
            behind_ms: self.first.map(|first| first.behind_ms),
        }
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn stages(came: u64, tuned: Option<[u64; 3]>, ready: u64) -> Stages {
        let tuned = tuned.map(|[tuned, locked, opened]| Tuned {
            tuned: ms(tuned),
            locked: ms(locked),
            opened: ms(opened),
        });
        Stages { came: ms(came), allowed: ms(came + 2), tuned, ready: ms(ready) }
    }

    fn told(zaps: &Zaps, place: usize) -> (Vec<(String, u32)>, ZapView) {
        let view = zaps.all()[place].view(ms(9000));
        (view.stages.iter().map(|s| (s.stage.as_str().into(), s.ms)).collect(), view)
    }

    #[test]
    fn a_zap_is_told_stage_by_stage() {
        let (zaps, holder) = (Zaps::default(), Holder::sample(3));
        zaps.note(holder, 7, stages(1000, Some([1010, 1500, 1510]), 1700));
        let (stages_told, view) = told(&zaps, 0);
        let to_packets = [("rights", 2), ("tune", 8), ("lock", 490), ("filters", 10), ("packets", 190)];
        assert_eq!(stages_told, to_packets.map(|(stage, ms)| (stage.to_owned(), ms)));
        assert_eq!(
            (view.total_ms, view.done, view.channel, view.slot, view.ago_s),
            (700, false, 7, Some(3), 8)
        );
        let first = First { placed: ms(1900), sent: ms(1905), behind_ms: 40 };
        zaps.begun(Holder::sample(4), 7, first);
        zaps.begun(holder, 8, first);
        assert!(!told(&zaps, 0).1.done, "another's first byte");
        zaps.begun(holder, 7, first);
        let (stages_told, view) = told(&zaps, 0);
        assert_eq!(stages_told[5..], [("place", 200), ("byte", 5)].map(|(s, ms)| (s.to_owned(), ms)));
        assert_eq!((view.total_ms, view.done, view.behind_ms), (905, true, Some(40)));
        let sum: u32 = stages_told.iter().map(|(_, ms)| ms).sum();
        assert_eq!(sum, view.total_ms);
    }

    #[test]
    fn a_mux_that_is_there_has_no_tuner_and_the_newest_is_first() {
        let (zaps, holder) = (Zaps::default(), Holder::sample(3));
        for n in 0..20 {
            zaps.note(holder, n, stages(u64::from(n) * 10, None, u64::from(n) * 10 + 5));
        }
        assert_eq!(zaps.all().len(), KEPT);
        let (stages_told, view) = told(&zaps, 0);
        assert_eq!(stages_told, [("rights", 2), ("ring", 3)].map(|(s, ms)| (s.to_owned(), ms)));
        assert_eq!((view.channel, zaps.all()[KEPT - 1].channel), (19, 4));
        // The same channel again: the newer one is meant.
        zaps.note(holder, 19, stages(300, None, 301));
        zaps.begun(holder, 19, First { placed: ms(302), sent: ms(302), behind_ms: 0 });
        assert!(told(&zaps, 0).1.done && !told(&zaps, 1).1.done);
    }
}

//! What goes when the guide is full: first what is over, then what is farthest from now.

use std::time::Duration;

use super::services::Row;
use super::{Clock, Epg};
use crate::ts::eit::Facts;

/// An event is kept for so long after its end: schedules slip.
const STALE: u64 = 5 * 60;
/// This part of the memory is made free at one time, so that it has to be looked through seldom.
const SHARE: usize = 16;

impl Row {
    /// The event is over, and was for a while, by the time of its mux.
    pub(super) fn is_past(&self, facts: &Facts, now: Duration) -> bool {
        self.time.is_some_and(|time| facts.end() + STALE < time.at(now))
    }

    /// Seconds from now to the event; of a mux that told no time, by the one that was heard last.
    pub(super) fn distance(&self, facts: &Facts, clock: Option<&Clock>, now: Duration) -> u64 {
        let time = self.time.or_else(|| clock.map(|clock| clock.time));
        u64::from(facts.start).saturating_sub(time.map_or(0, |time| time.at(now)))
    }
}

impl Epg {
    /// Drops what is over; where enough is free again, what was left out is read once more. To be called now and then.
    pub fn tidy(&mut self, now: Duration) {
        self.drop_past(now);
        // Twice as much as is made free at one time: else that would be read and dropped again and again.
        let roomy = |(used, all): (usize, usize)| used <= all - all / (SHARE / 2);
        if self.horizon.is_some() && roomy(self.events.held()) && roomy(self.events.texts()) {
            self.horizon = None;
            self.tables.forget_cut();
        }
    }

    /// Makes some room; false where nothing is left to go.
    pub(super) fn make_room(&mut self, now: Duration) -> bool {
        let share = (self.events.held().0 / SHARE).max(1);
        if self.drop_past(now) >= share {
            return true;
        }
        let Self { services, events, scratch, clock, .. } = self;
        let clock = clock.as_ref();
        scratch.clear();
        for (_, row) in services.rows() {
            scratch.extend(events.iter(row.events).map(|slot| row.distance(&slot.facts, clock, now)));
        }
        let Some(last) = scratch.len().checked_sub(1) else { return false };
        let at = scratch.len().saturating_sub(share).min(last);
        let (_, horizon, beyond) = scratch.select_nth_unstable(at);
        let horizon = *horizon;
        // Of those at the horizon itself, as many as are still wanted.
        let mut ties = share.min(last + 1) - beyond.iter().filter(|distance| **distance > horizon).count();
        self.horizon = Some(horizon);
        for (place, row) in self.services.rows() {
            let mut list = row.events;
            self.events.retain(&mut list, |slot| {
                let distance = row.distance(&slot.facts, clock, now);
                let tie = distance == horizon && ties > 0;
                ties -= usize::from(tie);
                let goes = tie || distance > horizon;
                if goes {
                    self.counts.dropped += 1;
                    self.tables.note_cut(place, slot.place.table, slot.place.section);
                }
                !goes
            });
            row.events = list;
        }
        true
    }

    /// Drops what is over, and says how much that was.
    fn drop_past(&mut self, now: Duration) -> usize {
        let before = self.events.held().0;
        for (_, row) in self.services.rows() {
            let mut list = row.events;
            self.events.retain(&mut list, |slot| !row.is_past(&slot.facts, now));
            row.events = list;
        }
        let gone = before - self.events.held().0;
        self.counts.past += gone as u64;
        gone
    }
}

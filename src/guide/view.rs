//! The guide as lists have it.

use std::time::Duration;

use super::events::{Events, PRESENT_FOLLOWING, Slot};
use super::{Clock, Counts, Epg};
use crate::text::CleanText;
use crate::ts::eit::{EXTENDED, Facts, SHORT, TITLE};
use crate::ts::service_info::{Name, ServiceTriple};

/// Seconds that an event is believed to be on behind its end: schedules slip.
const OVERRUN: u64 = 5 * 60;

/// An event of the guide.
pub struct Listed<'a> {
    slot: &'a Slot,
    events: &'a Events,
}

impl Listed<'_> {
    /// All but its texts.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.slot.facts
    }

    /// Its title; empty where none is given.
    #[must_use]
    pub fn title(&self) -> CleanText<TITLE> {
        self.events.title(self.slot)
    }

    /// Its short text.
    #[must_use]
    pub fn short(&self) -> CleanText<SHORT> {
        self.events.short(self.slot)
    }

    /// Its extended text.
    #[must_use]
    pub fn extended(&self) -> CleanText<EXTENDED> {
        self.events.extended(self.slot)
    }
}

impl Epg {
    /// The events of a service in the order of their times. What the table of present and following events tells of an
    /// event is what counts: it follows what happens on air.
    pub fn events(&self, service: ServiceTriple) -> impl Iterator<Item = Listed<'_>> {
        let list = self.services.get(service).map(|row| row.events);
        let all = move || list.into_iter().flat_map(|list| self.events.iter(list));
        let told = |slot: &&Slot| slot.place.table == PRESENT_FOLLOWING;
        let present: heapless::Vec<(u16, u32), 2> =
            all().filter(told).map(|slot| (slot.facts.id, slot.facts.start)).take(2).collect();
        let same = move |slot: &Slot| {
            present.iter().any(|(id, start)| *id == slot.facts.id || *start == slot.facts.start)
        };
        let shown = all().filter(move |slot| told(slot) || !same(slot));
        shown.map(|slot| Listed { slot, events: &self.events })
    }

    /// The age that what is on a service is rated for at `now`; of several the highest, `None` where none is told. An
    /// event is on by its time, or as long as the table of present events says so, for a few minutes behind its end.
    #[must_use]
    pub fn age_now(&self, service: ServiceTriple, now: Duration) -> Option<u8> {
        let row = self.services.get(service)?;
        let time = row.time.map(|time| time.at(now));
        let is_on = |slot: &&Slot| {
            let told = slot.place.table == PRESENT_FOLLOWING && slot.place.section == 0;
            let (start, end) = (u64::from(slot.facts.start), slot.facts.end());
            time.map_or(told, |time| told && time < end + OVERRUN || start <= time && time < end)
        };
        let on = self.events.iter(row.events).filter(is_on);
        on.flat_map(|slot| &slot.facts.ratings).filter_map(|rating| rating.age()).max()
    }

    /// The names of the bouquets that a service is in.
    pub fn bouquets(&self, service: ServiceTriple) -> impl Iterator<Item = &Name> {
        let row = self.services.get(service);
        row.into_iter().flat_map(|row| self.bouquets.names(&row.bouquets))
    }

    /// The time that was heard last.
    #[must_use]
    pub fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let dropped = self.counts.dropped + self.bouquets.dropped;
        Counts { events: self.events.held(), text_bytes: self.events.texts(), dropped, ..self.counts }
    }

    /// All of the service's schedule is known, and all of it was heard at or after `since`. True of a service whose
    /// events are not kept.
    #[must_use]
    pub fn has_schedule(&self, service: ServiceTriple, since: Duration) -> bool {
        let Some(place) = self.services.find(service) else { return true };
        let last = self.services.get(service).and_then(|row| row.last_table);
        last.is_some_and(|last| (0..=last).all(|n| self.tables.is_confirmed(place, n, since)))
    }

    /// Every bouquet that was heard of is wholly known.
    #[must_use]
    pub fn has_bouquets(&self) -> bool {
        self.bouquets.are_complete()
    }
}

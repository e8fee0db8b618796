//! The programme guide: the events of every channel, as far as their muxes tell.
//!
//! Owns the memory of the guide, all of it taken when it is made, and what was read of which table. Knows neither
//! muxes nor channels: sections come in, of the services it was told of, and lists of events go out.
//!
//! | file | owns |
//! |---|---|
//! | `services` | whose events are kept |
//! | `tables` | which sections of which version were taken |
//! | `events`, `texts` | the events' memory |
//! | `room` | what goes when that is full |
//! | `bouquets` | which service is in which bouquet |
//! | `view` | the guide as lists have it |
//!
//! A section that is known costs a search by its head. One that is news is read, a budget's worth of bytes in a tick:
//! what is beyond that is passed by, for it comes again.

use std::time::Duration;

use crate::text::Unmarked;
use crate::ts::bouquet::Bat;
use crate::ts::eit::{Eit, EitHead, EitTable, EventEntry};
use crate::ts::section::Section;
use crate::ts::service_info::ServiceTriple;
use crate::ts::time::{LocalTimes, StreamTime, local_times};

mod bouquets;
mod events;
mod room;
mod services;
mod tables;
mod texts;
mod view;

use bouquets::Bouquets;
use events::{Events, PRESENT_FOLLOWING, Place, TextsOf};
use services::Services;
use tables::{FORGET, Standing, Tables};
pub use view::Listed;

/// Tables of schedules that are kept for each service, on average: four days each (EN 300 468 §5.2.4), as much as is
/// on air.
const TABLES_PER_SERVICE: usize = 4;
/// Bytes of sections that are read in one tick: two of the longest. At a tick of 20 ms that is 3 Mbit/s, more than any
/// mux gives its guide.
const BUDGET: usize = 8192;
/// Events of the longest section, each of 12 bytes at least.
const SECTION_EVENTS: usize = 342;

/// What a guide has room for.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Services.
    pub services: usize,
    /// Events.
    pub events: usize,
    /// Bytes of their texts.
    pub text_bytes: usize,
    /// Bouquets, at most 255.
    pub bouquets: usize,
}

/// What was counted since the guide was made, and how full it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events held, and events that can be.
    pub events: (usize, usize),
    /// Bytes of texts held, and bytes that can be.
    pub text_bytes: (usize, usize),
    /// Sections read.
    pub read: u64,
    /// Sections that were news and passed by, since the tick had no time for more.
    pub deferred: u64,
    /// Sections refused: their content cannot be.
    pub refused: u64,
    /// Events refused: they begin at no time.
    pub undefined: u64,
    /// Events that were over.
    pub past: u64,
    /// Events, tables and bouquets left out or dropped for want of room.
    pub dropped: u64,
}

/// The time that was heard last, of any mux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The time.
    pub time: StreamTime,
    /// What the clocks of people show then, by country.
    pub local: LocalTimes,
}

/// The guide.
pub struct Epg {
    services: Services,
    tables: Tables,
    events: Events,
    bouquets: Bouquets,
    clock: Option<Clock>,
    counts: Counts,
    /// The table of texts that say none.
    unmarked: Unmarked,
    /// Bytes that may still be read in this tick.
    budget: usize,
    /// Events that begin so many seconds from now, or later, find no room.
    horizon: Option<u64>,
    /// Room to sort by time.
    scratch: Vec<u64>,
}

impl Epg {
    /// An empty guide, with all memory it will ever have.
    #[must_use]
    pub fn new(capacity: Capacity, unmarked: Unmarked) -> Self {
        Self {
            services: Services::new(capacity.services),
            tables: Tables::new(capacity.services * TABLES_PER_SERVICE),
            events: Events::new(capacity.events, capacity.text_bytes),
            bouquets: Bouquets::new(capacity.bouquets),
            clock: None,
            counts: Counts::default(),
            unmarked,
            budget: BUDGET,
            horizon: None,
            scratch: Vec::with_capacity(capacity.events),
        }
    }

    /// Another tick: as much as ever may be read.
    pub fn begin_tick(&mut self) {
        self.budget = BUDGET;
    }

    /// From now on these are the services, each with the time of its mux. What is kept of others goes.
    pub fn know(&mut self, services: impl Iterator<Item = (ServiceTriple, Option<StreamTime>)>) {
        let Self { tables, events, .. } = self;
        let news = self.services.know(services, |place, row| {
            events.retain(&mut row.events, |_| false);
            tables.drop_all(place);
        });
        if news {
            self.bouquets.forget();
        }
    }

    /// Takes a section of the EIT's PID that came at `now`.
    pub fn take_eit(&mut self, section: Section<'_>, now: Duration) {
        let Some(head) = EitHead::parse(section) else {
            self.counts.refused +=
                u64::from((0x4e..=0x6f).contains(&section.table_id()) && section.is_current());
            return;
        };
        let Some(service) = self.services.find(head.service) else { return };
        match head.table {
            EitTable::PresentFollowing => self.take_present_following(service, &head, section, now),
            EitTable::Schedule(n) => match self.tables.standing(service, n, &head, now) {
                Standing::News => self.take_schedule(service, n, &head, section, now),
                Standing::Known | Standing::Overruled => {}
                Standing::NoRoom => self.counts.dropped += 1,
            },
        }
    }

    /// Takes a section of a BAT.
    pub fn take_bat(&mut self, section: Section<'_>) {
        if !self.bouquets.is_news(section) || !self.affords(section) {
            return;
        }
        let Some(bat) = Bat::parse(section) else {
            self.counts.refused += 1;
            return;
        };
        self.counts.read += 1;
        let services = &mut self.services;
        let complete = self.bouquets.take(section, &bat, self.unmarked, |service, membership| {
            let place = services.find(service);
            place.is_none_or(|place| bouquets::enter(&mut services.row(place).bouquets, membership))
        });
        if let Some(complete) = complete {
            services.rows().for_each(|(_, row)| bouquets::leave_old(&mut row.bouquets, complete));
        }
    }

    /// Takes a TDT or TOT that came at `now`.
    pub fn take_time(&mut self, section: Section<'_>, now: Duration) {
        let Some(time) = StreamTime::parse(section, now) else { return };
        let local = local_times(section).or_else(|| self.clock.take().map(|clock| clock.local));
        self.clock = Some(Clock { time, local: local.unwrap_or_default() });
    }

    /// The section is within what may be read in this tick.
    fn affords(&mut self, section: Section<'_>) -> bool {
        let left = self.budget.checked_sub(section.bytes().len());
        self.budget = left.unwrap_or(self.budget);
        self.counts.deferred += u64::from(left.is_none());
        left.is_some()
    }

    /// The events of a section, where it is read now.
    fn read<'a>(&mut self, section: Section<'a>) -> Option<Eit<'a>> {
        if !self.affords(section) {
            return None;
        }
        let eit = Eit::parse(section);
        *(if eit.is_some() { &mut self.counts.read } else { &mut self.counts.refused }) += 1;
        eit
    }

    fn take_present_following(&mut self, service: u16, head: &EitHead, section: Section<'_>, now: Duration) {
        let row = self.services.row(service);
        let Some(told) = row.told.get(usize::from(head.section)) else { return };
        let overruled = !head.actual && row.told_by_own.is_some_and(|at| now.saturating_sub(at) < FORGET);
        if overruled || *told == Some(section.fingerprint()) {
            return;
        }
        let Some(eit) = self.read(section) else { return };
        let row = self.services.row(service);
        row.told[usize::from(head.section)] = Some(section.fingerprint());
        if head.actual {
            row.told_by_own = Some(now);
        }
        let place = Place { table: PRESENT_FOLLOWING, section: head.section, generation: 0 };
        let entry = eit.events().next();
        // An event that comes next in one section and is on in the other has begun in between.
        let id = entry.as_ref().and_then(|e| e.as_ref()).map(|e| e.facts.id);
        self.events.retain(&mut row.events, |slot| {
            slot.place.table != PRESENT_FOLLOWING
                || slot.place.section != head.section && Some(slot.facts.id) != id
        });
        entry.into_iter().for_each(|entry| self.add(service, place, entry, now));
    }

    fn take_schedule(&mut self, service: u16, n: u8, head: &EitHead, section: Section<'_>, now: Duration) {
        let Some(eit) = self.read(section) else { return };
        let (generation, begins) = self.tables.take(service, n, head, now);
        let row = self.services.row(service);
        row.last_table = Some(head.last_table);
        if begins {
            self.tables.drop_behind(service, head.last_table);
            let stays = |table: u8| table <= head.last_table || table == PRESENT_FOLLOWING;
            self.events.retain(&mut row.events, |slot| stays(slot.place.table));
        }
        let place = Place { table: n, section: head.section, generation };
        let span = Span::of(&eit);
        let complete = self.tables.is_complete(service, n);
        self.events.retain(&mut row.events, |slot| {
            let is_of = |place: Place| slot.place.table == place.table;
            let outdated = is_of(place) && slot.place.generation != generation;
            let replaced = is_of(place) && slot.place.section == place.section
                || slot.place.table != PRESENT_FOLLOWING && span.ids.contains(&slot.facts.id);
            !replaced && !(outdated && (complete || span.overlaps(&slot.facts)))
        });
        eit.events().for_each(|entry| self.add(service, place, entry, now));
    }

    /// Keeps an event where there is room.
    fn add(&mut self, service: u16, place: Place, entry: Option<EventEntry<'_>>, now: Duration) {
        let Some(entry) = entry else {
            self.counts.undefined += 1;
            return;
        };
        let row = self.services.row(service);
        if row.is_past(&entry.facts, now) {
            self.counts.past += 1;
            return;
        }
        let texts = TextsOf {
            title: entry.title(self.unmarked),
            short: entry.short(self.unmarked),
            extended: entry.extended(self.unmarked),
        };
        let distance = row.distance(&entry.facts, self.clock.as_ref(), now);
        loop {
            let refused = self.horizon.is_some_and(|horizon| distance >= horizon);
            let list = &mut self.services.row(service).events;
            if !refused && self.events.insert(list, place, &entry.facts, &texts) {
                return;
            }
            if refused || !self.make_room(now) {
                self.counts.dropped += 1;
                self.tables.note_cut(service, place.table, place.section);
                return;
            }
        }
    }
}

/// What the events of a section stand for.
struct Span {
    ids: heapless::Vec<u16, SECTION_EVENTS>,
    from: u64,
    until: u64,
}

impl Span {
    fn of(eit: &Eit<'_>) -> Self {
        let known = || eit.events().flatten().map(|entry| entry.facts);
        Self {
            ids: known().map(|facts| facts.id).take(SECTION_EVENTS).collect(),
            from: known().map(|facts| facts.start.into()).min().unwrap_or(u64::MAX),
            until: known().map(|facts| facts.end()).max().unwrap_or(0),
        }
    }

    fn overlaps(&self, facts: &crate::ts::eit::Facts) -> bool {
        u64::from(facts.start) < self.until && self.from < facts.end()
    }
}

/// A small guide, for tests of who uses one.
#[cfg(test)]
pub(crate) fn sample() -> Epg {
    let capacity = Capacity { services: 8, events: 64, text_bytes: 8192, bouquets: 4 };
    Epg::new(capacity, Unmarked::Iso6937)
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

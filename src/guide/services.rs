//! The services whose events are kept: those that the box has a channel of.

use std::time::Duration;

use super::bouquets::Memberships;
use super::events::List;
use crate::ts::service_info::ServiceTriple;
use crate::ts::time::StreamTime;

/// A service.
pub(super) struct Row {
    pub(super) service: ServiceTriple,
    /// The time of its mux.
    pub(super) time: Option<StreamTime>,
    pub(super) events: List,
    pub(super) bouquets: Memberships,
    /// The sections of present and following events that were taken last, whether they were of its own mux, and when
    /// that was heard.
    pub(super) told: [Option<u32>; 2],
    pub(super) told_by_own: Option<Duration>,
    /// The last table of its schedule, where one was heard.
    pub(super) last_table: Option<u8>,
    used: bool,
    kept: bool,
}

/// All services. A row keeps its place as long as its service is there.
pub(super) struct Services {
    rows: Vec<Row>,
    /// Places of rows in use, ordered by service.
    order: Vec<u16>,
    capacity: usize,
}

impl Services {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.min(usize::from(u16::MAX));
        Self { rows: Vec::with_capacity(capacity), order: Vec::with_capacity(capacity), capacity }
    }

    /// The place of a service.
    pub(super) fn find(&self, service: ServiceTriple) -> Option<u16> {
        self.search(service).ok().map(|i| self.order[i])
    }

    /// The row of a place that was found.
    pub(super) fn row(&mut self, place: u16) -> &mut Row {
        &mut self.rows[usize::from(place)]
    }

    /// The same, to be read.
    pub(super) fn get(&self, service: ServiceTriple) -> Option<&Row> {
        self.find(service).map(|place| &self.rows[usize::from(place)])
    }

    /// All rows in use, with their places.
    pub(super) fn rows(&mut self) -> impl Iterator<Item = (u16, &mut Row)> {
        (0..).zip(&mut self.rows).filter(|(_, row)| row.used)
    }

    /// From now on these are the services, each with the time of its mux; `gone` gets those that are none any more.
    /// Says whether some are new.
    pub(super) fn know(
        &mut self,
        services: impl Iterator<Item = (ServiceTriple, Option<StreamTime>)>,
        mut gone: impl FnMut(u16, &mut Row),
    ) -> bool {
        self.rows.iter_mut().for_each(|row| row.kept = false);
        let mut news = false;
        for (service, time) in services {
            let place = match self.search(service) {
                Ok(i) => Some(self.order[i]),
                Err(i) => self.add(service, i).inspect(|_| news = true),
            };
            if let Some(place) = place {
                let row = self.row(place);
                (row.kept, row.time) = (true, time.or(row.time));
            }
        }
        for (place, row) in (0..).zip(&mut self.rows).filter(|(_, row)| row.used && !row.kept) {
            gone(place, row);
            row.used = false;
        }
        let Self { rows, order, .. } = self;
        order.retain(|place| rows[usize::from(*place)].used);
        news
    }

    /// A row for a service that has none; its place is at `i` in the order.
    fn add(&mut self, service: ServiceTriple, i: usize) -> Option<u16> {
        let row = Row {
            service,
            time: None,
            events: List::EMPTY,
            bouquets: Memberships::new(),
            told: [None; 2],
            told_by_own: None,
            last_table: None,
            used: true,
            kept: true,
        };
        let free = self.rows.iter().position(|row| !row.used);
        let place = match free {
            Some(place) => {
                self.rows[place] = row;
                place
            }
            None if self.rows.len() < self.capacity => {
                self.rows.push(row);
                self.rows.len() - 1
            }
            None => return None,
        };
        let place = u16::try_from(place).ok()?;
        self.order.insert(i, place);
        Some(place)
    }

    fn search(&self, service: ServiceTriple) -> Result<usize, usize> {
        self.order.binary_search_by_key(&service, |place| self.rows[usize::from(*place)].service)
    }
}

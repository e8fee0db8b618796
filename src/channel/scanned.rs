//! What a scan finds out: muxes that are new, services that are gone, and services that moved to another mux.

use serde::{Deserialize, Serialize};

use super::table::Configured;
use super::{ChannelTable, Entry, record};
use crate::delivery::Tuning;
use crate::ts::service_info::ServiceTriple;
use crate::tuner::{MuxId, Tuners};

/// After so many scans that did not see it, a service is gone: its channel is greyed, and keeps its number.
pub const MISSES: u8 = 3;

/// A service that scans missed, for flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    service: ServiceTriple,
    /// Of its mux, which tells it from the same service on another.
    frequency: u32,
    misses: u8,
}

/// The muxes that tuners receive, by the table's record: tuners are to know them before it is loaded.
#[must_use]
pub fn muxes(record: &[u8]) -> Vec<Tuning> {
    let sources = record::read(record).map(|(sources, _)| sources).unwrap_or_default();
    sources.iter().filter_map(|source| source.parse().ok()).collect()
}

impl Entry {
    /// Scans looked for it so often in vain that it is taken to be gone.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        self.misses >= MISSES
    }
}

impl ChannelTable {
    /// A mux that came after the start, or is sent otherwise than it was: its channels are kept from now on.
    pub fn know(&mut self, id: MuxId, tuners: &Tuners) {
        let Some(mux) = tuners.mux(id).filter(|mux| !mux.is_on_trial()) else { return };
        let known = self.configured.iter().find(|c| c.id == id).map(|c| usize::from(c.source));
        if let Some(source) = known.and_then(|at| self.sources.get_mut(at)) {
            let text = mux.origin.to_string();
            self.dirty |= *source != text;
            *source = text;
            return;
        }
        let source = self.source_of(mux, tuners);
        self.configured.push(Configured { id, source, numbered: false });
        self.dirty = true;
    }

    /// A scan begins: what it adds is new.
    pub fn begin_scan(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.is_new = false);
    }

    /// A scan saw all of mux `id`, or, where that is not open, nothing of it: who is not in it is missed.
    pub fn looked_at(&mut self, id: MuxId, tuners: &Tuners) {
        let Some(source) = self.configured.iter().find(|c| c.id == id).map(|c| c.source) else { return };
        let open = tuners.mux(id).and_then(|mux| mux.open());
        for entry in self.entries.iter_mut().filter(|e| e.source == source) {
            let is_there = open.is_some_and(|open| open.services.find(entry.service.service_id).is_some());
            entry.misses = if is_there { 0 } else { (entry.misses + 1).min(MISSES) };
            entry.present &= is_there || open.is_none();
        }
        self.follow_moves();
    }

    /// Services that scans missed.
    pub fn missing(&self) -> impl Iterator<Item = Missing> {
        let missed = self.entries.iter().filter(|e| e.misses > 0);
        missed.filter_map(|e| {
            Some(Missing { service: e.service, frequency: self.frequency(e)?, misses: e.misses })
        })
    }

    /// What [`ChannelTable::missing`] said before the box was started again.
    pub fn remember_missing(&mut self, missing: &Missing) {
        for at in 0..self.entries.len() {
            if self.entries[at].service == missing.service
                && self.frequency(&self.entries[at]) == Some(missing.frequency)
            {
                self.entries[at].misses = missing.misses.min(MISSES);
            }
        }
    }

    fn frequency(&self, entry: &Entry) -> Option<u32> {
        let source = self.sources.get(usize::from(entry.source))?;
        source.parse::<Tuning>().ok().map(|tuning| tuning.frequency)
    }

    /// A service that is missed where it was, and was found on another mux by this scan, is that channel: it keeps its
    /// number and its name.
    fn follow_moves(&mut self) {
        let moved = |old: &Entry, new: &Entry| {
            let (was, is) = (old.service, new.service);
            old.misses > 0
                && new.is_new
                && new.misses == 0
                && old.source != new.source
                && was.original_network_id != 0
                && (was.original_network_id, was.service_id) == (is.original_network_id, is.service_id)
        };
        let pair = |table: &Self| {
            let all = || table.entries.iter().enumerate();
            all().find_map(|(i, old)| all().find(|(_, new)| moved(old, new)).map(|(j, _)| (i, j)))
        };
        while let Some((old, new)) = pair(self) {
            let mut entry = self.entries.remove(new);
            let old = &mut self.entries[old - usize::from(old > new)];
            log::info!("channel {}: '{}' moved to another mux", old.number, old.name);
            for claimed in &mut self.claims {
                claimed.follow(old.source, old.service.service_id, entry.source);
            }
            (entry.number, entry.is_new) = (old.number, false);
            entry.name.clone_from(&old.name);
            let (source, service) = (entry.source, entry.service.service_id);
            *old = entry;
            self.dirty = true;
            self.settle(source, std::iter::once(service));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Claim;
    use crate::import::{Authority, Triple};
    use crate::ts::service_info::{Name, ServiceKind};

    const A: &str = "dvb-t:474000000";
    const B: &str = "dvb-t2:482000000?bw=8000000";

    fn tuners(muxes: &[&str]) -> Tuners {
        let mut tuners = Tuners::new([]).unwrap();
        muxes.iter().for_each(|text| assert!(tuners.add_mux(text.parse().unwrap()).is_some()));
        tuners
    }

    fn id(tuners: &Tuners, text: &str) -> MuxId {
        tuners.muxes().find(|(_, mux)| mux.origin.is_stream_of(text)).unwrap().0
    }

    /// What a scan adds: service `service` of network 1 in mux `text`.
    fn found(table: &mut ChannelTable, tuners: &Tuners, text: &str, number: u16, service: u16) {
        let source = table.configured.iter().find(|c| c.id == id(tuners, text)).unwrap().source;
        let mut entry = Entry::new(number, source, service);
        entry.service.original_network_id = 1;
        entry.name = Name::new(text);
        table.insert(entry);
    }

    fn claim(text: &str, number: Option<u16>, service_id: u16) -> Claim {
        let service = Triple { original_network_id: Some(1), transport_stream_id: None, service_id };
        let (provider, group, kind) = (Name::default(), Name::default(), ServiceKind::Radio);
        let (by, source, name) = (Authority::Import, text.into(), Name::new("listed"));
        Claim { by, source, service: Some(service), number, name, provider, kind, group }
    }

    /// Number, service, name and mux of each.
    fn rows(table: &ChannelTable) -> Vec<(u16, u16, &str, &str)> {
        let row = |e: &Entry| (e.number, e.service.service_id, e.source);
        let text = |e: u16| table.sources[usize::from(e)].as_str();
        let names = table.entries.iter().map(|e| e.name.as_str());
        table
            .entries
            .iter()
            .map(row)
            .zip(names)
            .map(|((n, s, source), name)| (n, s, name, text(source)))
            .collect()
    }

    #[test]
    fn what_scans_miss_is_greyed_and_comes_back() {
        let tuners = tuners(&[A]);
        let mut table = ChannelTable::load(&[], &tuners).unwrap();
        found(&mut table, &tuners, A, 5, 7);
        let is_gone = |table: &ChannelTable| table.find(5).unwrap().is_gone();
        for scan in 1..=4 {
            table.looked_at(id(&tuners, A), &tuners); // which is not open: nothing was received
            assert_eq!(is_gone(&table), scan >= MISSES);
            // It is remembered over a start.
            let missing: Vec<Missing> = table.missing().collect();
            table.dirty = true;
            table = ChannelTable::load(&table.take_record().unwrap(), &tuners).unwrap();
            assert!(!is_gone(&table));
            missing.iter().for_each(|missing| table.remember_missing(missing));
            assert_eq!(is_gone(&table), scan >= MISSES);
        }
        assert_eq!(rows(&table), [(5, 7, A, A)], "it keeps its number");
    }

    #[test]
    fn a_service_that_moved_keeps_its_number_and_name() {
        let tuners = tuners(&[A, B]);
        let mut table = ChannelTable::load(&[], &tuners).unwrap();
        found(&mut table, &tuners, A, 5, 7);
        found(&mut table, &tuners, A, 6, 8);
        found(&mut table, &tuners, B, 7, 8);
        table.begin_scan(); // 8 was in both before
        found(&mut table, &tuners, B, 1, 7);
        table.follow_moves();
        assert_eq!(table.len(), 4, "it is in both");
        table.looked_at(id(&tuners, A), &tuners);
        assert_eq!(rows(&table), [(5, 7, A, B), (6, 8, A, A), (7, 8, B, B)]);
        assert_eq!(table.find(5).map(|entry| (entry.misses, entry.is_gone())), Some((0, false)));
    }

    #[test]
    fn muxes_are_known_from_the_record_on() {
        let mut tuners = tuners(&[A]);
        let mut table = ChannelTable::load(&[], &tuners).unwrap();
        let trial = tuners.try_mux(B.parse().unwrap()).unwrap();
        table.know(trial, &tuners);
        assert_eq!(table.configured.len(), 1, "nobody knows yet whether it is there");
        tuners.keep_mux(trial);
        for _twice in 0..2 {
            table.know(trial, &tuners);
            assert_eq!(table.configured.len(), 2);
        }
        let changed = "dvb-t2:474166000?bw=8000000".parse().unwrap();
        assert!(tuners.retune_mux(id(&tuners, A), changed));
        table.know(id(&tuners, A), &tuners);
        let record = table.take_record().unwrap();
        assert_eq!(muxes(&record), [changed, B.parse().unwrap()]);
        assert_eq!(muxes(&[9, 9]), []);
    }

    #[test]
    fn a_service_of_a_list_is_a_channel_before_its_mux_was_seen() {
        let tuners = tuners(&[A, B]);
        let mut table = ChannelTable::load(&[], &tuners).unwrap();
        let list = || {
            vec![
                claim(A, Some(20), 7),
                claim(A, None, 8),
                claim(B, Some(20), 9),
                claim("dvb-t:858000000", None, 1),
            ]
        };
        for _start in 0..2 {
            table.claim(Authority::Import, list());
            let wanted = [(1, 8, "listed", A), (2, 9, "listed", B), (20, 7, "listed", A)];
            assert_eq!(rows(&table), wanted);
            table.dirty = true;
            table = ChannelTable::load(&table.take_record().unwrap(), &tuners).unwrap();
        }
        let entry = table.find(20).unwrap();
        assert_eq!(
            (entry.kind, entry.service.original_network_id, entry.present),
            (ServiceKind::Radio, 1, true)
        );
        // It moved, and the list still has the old mux.
        table.begin_scan();
        found(&mut table, &tuners, B, 3, 7);
        table.looked_at(id(&tuners, A), &tuners);
        table.claim(Authority::Import, list());
        assert_eq!(rows(&table), [(1, 8, "listed", A), (2, 9, "listed", B), (20, 7, "listed", B)]);
    }
}

//! What imported lists say of channels: whose numbers and names they bear, whatever the mux calls them.

use crate::board;
use crate::import::{Authority, Triple};
use crate::ts::service_info::{Name, ServiceKind};

use super::{ChannelTable, Entry};

/// A channel of an imported list. Where that names no service, its source has one programme; of a mux of several it is
/// the first that is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose list it is: the vendor's, or an imported one.
    pub by: Authority,
    /// The source, as it is configured.
    pub source: String,
    /// The service, where the list names it: its channel is there before its mux was ever looked at.
    pub service: Option<Triple>,
    /// The number, where the list gives one.
    pub number: Option<u16>,
    /// The name.
    pub name: Name,
    /// Who makes it; empty where the list does not say.
    pub provider: Name,
    /// Television, radio or data.
    pub kind: ServiceKind,
    /// The bouquet or group it stands in; empty where it stands in none.
    pub group: Name,
}

/// What all lists together say of the channel of a source.
pub(super) struct Claimed {
    /// Its place in the table's list of sources.
    source: u16,
    /// The service that it is of: the one that the list names, else as soon as one was found.
    service: Option<u16>,
    /// The number, and who gives it. No two have the same number.
    pub(super) number: Option<(u16, Authority)>,
    /// Where it stands, by all lists, each name once.
    groups: heapless::Vec<Name, { board::GROUPS_PER_CHANNEL }>,
    /// The list that is heard first.
    claim: Claim,
}

impl ChannelTable {
    /// Takes over what imported lists say, for the channels that are there and for those still to be found.
    ///
    /// The lists of `authority` change numbers at once; see [`Authority`] for what the others do.
    pub fn claim(&mut self, authority: Authority, mut claims: Vec<Claim>) {
        self.authority = authority;
        claims.sort_by_key(|claim| authority.rank(claim.by)); // which keeps the order of the lists
        self.claims = self.merged(claims);
        for i in 0..self.claims.len() {
            if self.claims[i].claim.service.is_some() {
                self.find_named(i);
                continue;
            }
            let (source, number) = (self.claims[i].source, self.claims[i].number.map(|(number, _)| number));
            // An entry that bears the number already is the one that was bound to the claim before.
            let bound = self.entries.iter().find(|e| e.source == source && Some(e.number) == number);
            let bound = bound.or_else(|| self.entries.iter().find(|e| e.source == source));
            self.claims[i].service = bound.map(|e| e.service.service_id);
        }
        for i in 0..self.claims.len() {
            let Claimed { source, service, number, .. } = self.claims[i];
            let Some(at) = service.and_then(|service| self.place_of(source, service)) else {
                self.announce(i);
                continue;
            };
            let before = self.entries[at].clone();
            self.claims[i].claim.dress(&mut self.entries[at]);
            self.dirty |= self.entries[at] != before;
            if let Some((number, _)) = number.filter(|(_, by)| authority.lets_renumber(*by)) {
                self.renumber(at, number);
            }
        }
    }

    /// A list names a service: where that moved to another mux of its network since, it is meant there.
    fn find_named(&mut self, i: usize) {
        let Some(Triple { original_network_id: Some(network), transport_stream_id: stream, service_id }) =
            self.claims[i].claim.service
        else {
            return;
        };
        if self.place_of(self.claims[i].source, service_id).is_some() {
            return;
        }
        let is_it = |e: &&Entry| {
            let of = e.service;
            (of.original_network_id, of.service_id) == (network, service_id)
                && stream.is_none_or(|id| id == of.transport_stream_id)
        };
        if let Some(entry) = self.entries.iter().find(is_it) {
            self.claims[i].source = entry.source;
        }
    }

    /// Makes the channel of a service that a list names and no mux has shown yet.
    fn announce(&mut self, i: usize) {
        let (source, Some(service)) = (self.claims[i].source, self.claims[i].claim.service) else { return };
        let id = service.service_id;
        let has_room = self.entries.len() < board::CHANNELS;
        let number = has_room.then(|| self.number_of_new(source, id, None, |_| false)).flatten();
        let Some(number) = number else {
            log::warn!("the channel table is full ({}): service {id} of a list is left out", board::CHANNELS);
            return;
        };
        let mut entry = Entry::new(number, source, id);
        entry.service.original_network_id = service.original_network_id.unwrap_or(0);
        entry.service.transport_stream_id = service.transport_stream_id.unwrap_or(0);
        self.claims[i].claim.dress(&mut entry);
        self.insert(entry);
        self.dirty = true;
    }

    /// One for each source, or for each service that is named: the list that is heard first names it, and numbers it unless it has no number for it.
    fn merged(&self, claims: Vec<Claim>) -> Vec<Claimed> {
        let mut merged = Vec::<Claimed>::new();
        for claim in claims {
            // What is not configured was left out for want of room, and will not be found.
            let Some(source) = self.find_source(&claim.source) else { continue };
            let is_taken = |number| merged.iter().any(|c| c.number.is_some_and(|(taken, _)| taken == number));
            let number = claim.number.filter(|number| !is_taken(*number)).map(|number| (number, claim.by));
            let group = claim.group.clone();
            let service = claim.service.map(|service| service.service_id);
            let at = merged.iter().position(|c| c.source == source && c.service == service);
            let at = at.unwrap_or_else(|| {
                merged.push(Claimed { source, service, number: None, groups: heapless::Vec::new(), claim });
                merged.len() - 1
            });
            let claimed = &mut merged[at];
            claimed.number = claimed.number.or(number);
            if !group.is_empty() && !claimed.groups.contains(&group) {
                let _full = claimed.groups.push(group); // those that are heard first are shown
            }
        }
        merged
    }

    /// What lists say of a service of `source`; of a service that is new, if it is the first one.
    pub(super) fn claim_on(&self, source: u16, service: u16) -> Option<&Claimed> {
        self.claims.iter().find(|c| c.source == source && c.service.is_none_or(|first| first == service))
    }

    /// The groups of imported lists that an entry stands in.
    #[must_use]
    pub fn groups(&self, entry: &Entry) -> &[Name] {
        self.claim_on(entry.source, entry.service.service_id).map_or(&[], |claimed| &claimed.groups)
    }

    /// Remembers that a service was found, which may be the first of its source.
    pub(super) fn bind(&mut self, source: u16, service: u16) {
        let free = self.claims.iter_mut().find(|c| c.source == source && c.service.is_none());
        if let Some(claimed) = free {
            claimed.service = Some(service);
        }
    }
}

impl Claimed {
    /// The service `service` of `source` is in mux `to` now.
    pub(super) fn follow(&mut self, source: u16, service: u16, to: u16) {
        if (self.source, self.service) == (source, Some(service)) {
            self.source = to;
        }
    }

    /// Gives the list's name to an entry.
    pub(super) fn dress(&self, entry: &mut Entry) {
        self.claim.dress(entry);
    }
}

impl Claim {
    fn dress(&self, entry: &mut Entry) {
        entry.name = self.name.clone();
        // Lists of a tuner's services tell the kind by the PIDs that they happen to have; the mux knows better.
        if self.service.is_none() || entry.components.is_empty() {
            entry.kind = self.kind;
        }
        if !self.provider.is_empty() {
            entry.provider = self.provider.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::source::Now;
    use crate::tuner::Tuners;

    const DEMO: &str = concat!("file:", env!("CARGO_MANIFEST_DIR"), "/tests/data/demo.ts?loop");
    const TICK: Duration = Duration::from_millis(20);

    fn claim(number: Option<u16>, name: &str) -> Claim {
        let (name, provider, group) = (Name::new(name), Name::default(), Name::default());
        let (by, source) = (Authority::Import, DEMO.into());
        Claim { by, source, service: None, number, name, provider, kind: ServiceKind::Television, group }
    }

    /// The numbers and names of the demo's channels once it was surveyed, under `claims`.
    fn scanned(record: &[u8], claims: Vec<Claim>) -> (Vec<(u16, String)>, Vec<u8>) {
        let other = DEMO.replace("?loop", "?speed=1.5");
        let mut epg = crate::guide::sample();
        let mut tuners = Tuners::new([DEMO, &other].map(|url| url.parse().unwrap())).unwrap();
        let mut table = ChannelTable::load(record, &tuners).unwrap();
        table.claim(Authority::Import, claims);
        let mut now = Duration::from_secs(100);
        tuners.survey(now);
        while tuners.is_active() {
            now += TICK;
            tuners.tick(Now { boot: now, utc: Duration::ZERO }, TICK, &mut epg);
            while let Some(id) = tuners.take_changed() {
                table.correct(id, &tuners, now);
            }
        }
        let names = (0..table.len()).filter_map(|i| table.get(i)).map(|e| (e.number, e.name.as_str().into()));
        (names.collect(), table.take_record().unwrap_or_default())
    }

    fn numbers(all: &[(u16, String)]) -> Vec<u16> {
        all.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn the_first_service_found_bears_what_the_list_says() {
        let (all, _) = scanned(&[], vec![claim(Some(77), "Mine")]);
        assert_eq!(all.last(), Some(&(77, "Mine".into())));
        assert_eq!((all.len(), all.iter().filter(|(_, name)| name == "Mine").count()), (8, 1));
        let (all, _) = scanned(&[], vec![claim(None, "Mine")]);
        assert_eq!(numbers(&all), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(all.iter().filter(|(_, name)| name == "Mine").count(), 1);
    }

    #[test]
    fn a_list_outranks_a_scan_and_nobody_loses_his_place() {
        let (before, record) = scanned(&[], vec![]);
        assert_eq!(numbers(&before), [1, 2, 3, 4, 5, 6, 7, 8]);
        // The lowest channel of the demo takes a number of the other source, whose channel gets a free one.
        let theirs = if before[0].1 == before[4].1 { 5 } else { panic!("{before:?}") };
        let (after, record) = scanned(&record, vec![claim(Some(theirs), "Mine")]);
        assert_eq!(numbers(&after), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((after[4].1.as_str(), &after[0].1), ("Mine", &before[4].1));
        // The same list again changes nothing; without it the numbers stay.
        assert_eq!(scanned(&record, vec![claim(Some(theirs), "Mine")]).0, after);
        assert_eq!(numbers(&scanned(&record, vec![]).0), [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}

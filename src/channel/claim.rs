//! What an imported list says of channels: whose number and name they bear, whatever the mux calls them.

use crate::import::{Authority, may_renumber};
use crate::ts::service_info::{Name, ServiceKind};

use super::{ChannelTable, Entry};

/// A channel of an imported list. Its source has one programme; of a mux of several it is the first that is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The source, as it is configured.
    pub source: String,
    /// The number, where the list gives one.
    pub number: Option<u16>,
    /// The name.
    pub name: Name,
    /// Who makes it; empty where the list does not say.
    pub provider: Name,
    /// Television, radio or data.
    pub kind: ServiceKind,
}

impl ChannelTable {
    /// Takes over what imported lists say, for the channels that are there and for those still to be found.
    pub fn claim(&mut self, claims: Vec<Claim>) {
        self.claims = claims.into_iter().map(|claim| (self.source_of(&claim.source), claim)).collect();
        for i in 0..self.claims.len() {
            let (source, number) = (self.claims[i].0, self.claims[i].1.number);
            // An entry that bears the number already is the one that was bound to the claim before.
            let bound = self.entries.iter().position(|e| e.source == source && Some(e.number) == number);
            let Some(at) = bound.or_else(|| self.entries.iter().position(|e| e.source == source)) else {
                continue;
            };
            let mut entry = self.entries.remove(at);
            let before = entry.clone();
            if let Some(number) = number.filter(|_| may_renumber(Authority::Scan, Authority::Import)) {
                self.make_way(number);
                entry.number = number;
            }
            self.claims[i].1.dress(&mut entry);
            self.dirty |= entry != before;
            self.insert(entry);
        }
    }

    /// The claim on an entry of `source` that has this number, or that is about to get one.
    pub(super) fn claim_on(&self, source: u16, number: Option<u16>) -> Option<&Claim> {
        let (_, claim) = self.claims.iter().find(|(claimed, _)| *claimed == source)?;
        let first = self.entries.iter().filter(|e| e.source == source).map(|e| e.number).min();
        match number {
            None => first.is_none().then_some(claim),
            Some(number) => (claim.number.or(first) == Some(number)).then_some(claim),
        }
    }

    /// Some list gives this number to a channel.
    pub(super) fn is_claimed(&self, number: u16) -> bool {
        self.claims.iter().any(|(_, claim)| claim.number == Some(number))
    }

    /// Whoever bears `number` gets another: a scan gave it, and a list outranks a scan.
    fn make_way(&mut self, number: u16) {
        let Some(at) = self.entries.iter().position(|e| e.number == number) else { return };
        let mut entry = self.entries.remove(at);
        let free = |n: &u16| *n != number && self.find(*n).is_none() && !self.is_claimed(*n);
        // There are far fewer entries than numbers, so one is free.
        entry.number = (1..=u16::MAX).find(free).unwrap_or(u16::MAX);
        log::info!("channel {number}: '{}' is now number {}", entry.name, entry.number);
        self.insert(entry);
    }
}

impl Claim {
    /// Gives the list's name to an entry.
    pub(super) fn dress(&self, entry: &mut Entry) {
        entry.name = self.name.clone();
        entry.kind = self.kind;
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
        let (name, provider) = (Name::new(name), Name::default());
        Claim { source: DEMO.into(), number, name, provider, kind: ServiceKind::Television }
    }

    /// The numbers and names of the demo's channels once it was surveyed, under `claims`.
    fn scanned(record: &[u8], claims: Vec<Claim>) -> (Vec<(u16, String)>, Vec<u8>) {
        let other = DEMO.replace("?loop", "?speed=1.5");
        let mut epg = crate::guide::sample();
        let mut tuners = Tuners::new([DEMO, &other].map(|url| url.parse().unwrap())).unwrap();
        let mut table = ChannelTable::load(record, &tuners).unwrap();
        table.claim(claims);
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

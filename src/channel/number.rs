//! Which number a channel has: its own, or the lowest free one, as the authority says.

use crate::import::Authority;

use super::{ChannelTable, Entry};

impl ChannelTable {
    /// The number of a service that is new: what its list or its network (`lcn`) gives it where that is to be had, else
    /// the lowest that is free and that nobody else is to have. `given` says which those are in its mux.
    pub(super) fn number_of_new(
        &mut self,
        source: u16,
        service: u16,
        lcn: Option<u16>,
        given: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let listed = self.claim_on(source, service).and_then(|claimed| claimed.number);
        let mut wishes = [listed, lcn.map(|number| (number, Authority::Scan))];
        wishes.sort_by_key(|wish| wish.map(|(_, by)| self.authority.rank(by)));
        for (number, by) in wishes.into_iter().flatten() {
            if self.yields(number, by) {
                self.make_way(number);
                return Some(number);
            }
            if self.is_free_for(number, by) {
                return Some(number);
            }
        }
        self.lowest_free(given)
    }

    /// Where networks decide, gives each entry the number that its network gives it: those of `services` of `source`
    /// first, in their order.
    pub(super) fn settle(&mut self, source: u16, services: impl Iterator<Item = u16>) {
        for service in services {
            if let Some(at) = self.place_of(source, service) {
                self.take_own(at);
            }
        }
        // What one of them gave away may be another's own. Each round leaves one entry more with its own number.
        while let Some(at) = self.entries.iter().position(|e| self.own_number(e).is_some()) {
            self.take_own(at);
        }
    }

    /// The number that an entry's network gives it, where it has another and may take it.
    fn own_number(&self, entry: &Entry) -> Option<u16> {
        entry.lcn.filter(|lcn| *lcn != entry.number && self.yields(*lcn, Authority::Scan))
    }

    fn take_own(&mut self, at: usize) {
        if let Some(number) = self.own_number(&self.entries[at]) {
            self.renumber(at, number);
        }
    }

    /// Gives entry `at` another number, which whoever bears it loses.
    pub(super) fn renumber(&mut self, at: usize, number: u16) {
        if self.entries[at].number == number {
            return;
        }
        let mut entry = self.entries.remove(at);
        self.make_way(number);
        log::debug!("channel {}: '{}' is now number {number}", entry.number, entry.name);
        entry.number = number;
        self.insert(entry);
        self.dirty = true;
    }

    /// Whether the authority is `by`, and whoever bears `number` has to give it away.
    fn yields(&self, number: u16, by: Authority) -> bool {
        // Of lists, no two channels have the same number; of networks, the first keeps it.
        let keeps = |entry: &Entry| by == Authority::Scan && !self.is_known_otherwise(entry);
        self.authority.lets_renumber(by) && !self.find(number).is_some_and(keeps)
    }

    /// It is known that no network gives the entry the number that it bears: its mux is not configured any more, or has
    /// shown otherwise. A mux that was not looked at yet may show that it does.
    fn is_known_otherwise(&self, entry: &Entry) -> bool {
        let mux = self.configured.iter().find(|c| c.source == entry.source);
        mux.is_none_or(|mux| mux.numbered) && entry.lcn != Some(entry.number)
    }

    /// Whoever bears `number` gets another.
    fn make_way(&mut self, number: u16) {
        let Some(at) = self.entries.iter().position(|e| e.number == number) else { return };
        let mut entry = self.entries.remove(at);
        let own = entry.lcn.filter(|own| *own != number && self.is_free_for(*own, Authority::Scan));
        let given = |n: u16| n == number || self.entries.iter().any(|e| e.lcn == Some(n));
        // There are far fewer entries than numbers, so one is free.
        entry.number = own.or_else(|| self.lowest_free(given)).unwrap_or(u16::MAX);
        log::debug!("channel {number}: '{}' is now number {}", entry.name, entry.number);
        self.insert(entry);
    }

    /// Nobody bears `number`, and nobody who is heard before `by` keeps it for a channel.
    fn is_free_for(&self, number: u16, by: Authority) -> bool {
        let rank = |by| self.authority.rank(by);
        let is_kept = |(kept, keeper): (u16, Authority)| kept == number && rank(keeper) < rank(by);
        self.find(number).is_none() && !self.claims.iter().any(|c| c.number.is_some_and(is_kept))
    }

    /// The lowest number that nobody bears, no list gives to a channel, and that is not `given`.
    fn lowest_free(&self, given: impl Fn(u16) -> bool) -> Option<u16> {
        let is_listed = |n| self.claims.iter().any(|c| c.number.is_some_and(|(listed, _)| listed == n));
        (1..=u16::MAX).find(|n| self.find(*n).is_none() && !is_listed(*n) && !given(*n))
    }
}

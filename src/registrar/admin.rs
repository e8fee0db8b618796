//! What the operator asks and does.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::claim::nobody;
use super::record::{Key, Record};
use super::table::{Memory, flag};
use super::{Counters, Now, Refusal, Registrar, Slot};
use crate::nameserver::Ticket;
use crate::registration::{BoxId, BoxPublic, Psk};

/// Bytes of a reason at most.
const REASON_MAX: usize = 256;

/// Whether the name leads somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Its box beats.
    Online,
    /// Three beats are missing; the addresses are still published.
    Stale,
    /// It leads nowhere.
    Offline,
    /// Its addresses were set and stay.
    Fixed,
    /// It was given up.
    Resting,
}

/// What the operator may see of a name. No key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name in full.
    pub name: String,
    /// What its box is known by.
    pub id: Option<BoxId>,
    /// The box's public key.
    pub key: Option<BoxPublic>,
    /// From the voucher.
    pub serial: String,
    /// Of its keys.
    pub epoch: u32,
    /// Whether it leads somewhere.
    pub lease: Lease,
    /// Seconds since the last beat that this front end heard since it started.
    pub heard: Option<u32>,
    /// Seconds since 1970.
    pub created: u32,
    /// Seconds since 1970, to a day; of a name that rests: when that ends.
    pub used: u32,
    /// Published.
    pub v4: Option<Ipv4Addr>,
    /// Published.
    pub v6: Option<Ipv6Addr>,
    /// The port of terminals from outside.
    pub pub_port: u16,
    /// Why it is suspended.
    pub suspended: Option<String>,
    /// It was revoked.
    pub is_revoked: bool,
    /// When somebody with the recovery code gets it.
    pub moves: Option<u32>,
    /// The box's version.
    pub firmware: String,
}

/// Numbers of the whole service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Names in the table.
    pub names: usize,
    /// Names there is room for.
    pub capacity: usize,
    /// Old keys that are kept.
    pub former: usize,
    /// Writes that wait for the store.
    pub staged: usize,
    /// Why the store did not take the last writes; then nothing new is acknowledged, and what is known is answered.
    pub store_failure: Option<String>,
    /// The clock is far from what the store knows: no claim ends until the operator says that it is right.
    pub is_clock_doubted: bool,
    /// Bytes that names take.
    pub memory: Memory,
    /// Since the start.
    pub counters: Counters,
}

/// With what other programs update a name.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// For dyndns2; the user is the name.
    pub password: heapless::String<20>,
    /// For DNS UPDATE, hmac-sha256; the key's name is the name in full.
    pub tsig_secret: [u8; 32],
}

impl Registrar {
    /// Numbers of the whole service.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            names: self.table.len(),
            capacity: self.settings.capacity,
            former: self.former.len(),
            staged: self.stage.len(),
            store_failure: self.stage.failure.clone(),
            is_clock_doubted: self.sweep.is_clock_doubted,
            memory: self.table.bytes(),
            counters: self.counters,
        }
    }

    /// A name, as the operator may see it.
    #[must_use]
    pub fn show(&self, now: Now, zone: usize, name: &str) -> Option<Name> {
        let slot = self.table.by_name(u8::try_from(zone).ok()?, name.as_bytes())?;
        self.shown(now, slot)
    }

    /// Visits some hundreds of names from `cursor` on, 0 at first; returns the next cursor, `None` at the end.
    pub fn list(&self, now: Now, cursor: u64, visit: &mut dyn FnMut(&Name)) -> Option<u64> {
        let (slots, next) = self.some(cursor);
        for name in slots.filter_map(|slot| self.shown(now, slot)) {
            visit(&name);
        }
        next
    }

    /// The entries of a step of a walk, and where the next begins.
    pub(super) fn some(&self, cursor: u64) -> (impl Iterator<Item = Slot> + use<>, Option<u64>) {
        let end = (cursor + 512).min(self.table.slots() as u64);
        let slots = (cursor..end).filter_map(|slot| Slot::try_from(slot).ok());
        (slots, (end < self.table.slots() as u64).then_some(end))
    }

    fn shown(&self, now: Now, slot: Slot) -> Option<Name> {
        let label = self.table.label(slot)?;
        let (hot, cold) = (self.table.hot(slot), self.table.cold(slot));
        let silent = now.second().saturating_sub(hot.heard());
        let lease = match () {
            () if hot.is(flag::RESTING) => Lease::Resting,
            () if !hot.is(flag::V4) && !hot.is(flag::V6) => Lease::Offline,
            () if hot.is(flag::FIXED4) || hot.is(flag::FIXED6) => Lease::Fixed,
            () if silent > 3 * u32::from(self.sweep.next_s()) => Lease::Stale,
            () => Lease::Online,
        };
        Some(Name {
            name: format!("{}.{}", label.as_str(), self.zone_of(slot).name),
            id: hot.is(flag::BOX).then(|| BoxId(hot.id.to_be_bytes())),
            key: (cold.key != [0; 32]).then_some(BoxPublic(cold.key)),
            serial: self.table.text(cold.serial).to_owned(),
            epoch: hot.epoch,
            lease,
            heard: hot.is(flag::HEARD).then_some(silent),
            created: cold.created,
            used: cold.used,
            v4: hot.is(flag::V4).then(|| hot.v4.into()),
            v6: hot.is(flag::V6).then(|| hot.v6.into()),
            pub_port: hot.pub_port,
            suspended: self.reasons.get(&slot).map(|reason| reason.to_string()),
            is_revoked: hot.is(flag::REVOKED),
            moves: self.moving.get(&slot).map(|moving| moving.until),
            firmware: self.table.text(cold.firmware).to_owned(),
        })
    }

    /// Takes a name out of DNS, for abuse; its box is told.
    pub fn suspend(&mut self, zone: usize, name: &str, reason: &str) -> Result<Ticket, Refusal> {
        if reason.is_empty() || reason.len() > REASON_MAX {
            return Err(Refusal::Text("a reason has 1 to 256 bytes"));
        }
        let slot = self.owned_slot(zone, name)?;
        let mut owned = self.owned(slot);
        owned.suspended = Some(reason.to_owned());
        self.stage_owned(slot, owned)
    }

    /// Lets a name be again that was suspended or revoked.
    pub fn resume(&mut self, zone: usize, name: &str) -> Result<Ticket, Refusal> {
        let slot = self.owned_slot(zone, name)?;
        let mut owned = self.owned(slot);
        (owned.suspended, owned.is_revoked) = (None, false);
        self.stage_owned(slot, owned)
    }

    /// Makes the keys of a name's box worthless, as when they were stolen. Its key gets the name no more; who has the
    /// recovery code gets it with another one.
    pub fn revoke(&mut self, now: Now, zone: usize, name: &str) -> Result<Ticket, Refusal> {
        let slot = self.owned_slot(zone, name)?;
        let mut owned = self.owned(slot);
        (owned.id, owned.is_revoked, owned.epoch) = (None, true, owned.epoch.saturating_add(1));
        (owned.v4, owned.v6, owned.pub_port) = (None, None, 0);
        owned.texts.clear();
        let key = self.key_of(slot).ok_or_else(|| Refusal::Unknown(name.to_owned()))?;
        let mut puts = vec![(key, Some(Record::Owned(Box::new(owned))))];
        puts.extend(self.former_record(now, slot));
        self.stage(puts)
    }

    /// Ends a claim for its owner: the name rests.
    pub fn release_by_operator(
        &mut self,
        now: Now,
        zone: usize,
        name: &str,
        erase: bool,
    ) -> Result<Ticket, Refusal> {
        let slot = self.owned_slot(zone, name)?;
        self.rest(now, slot, erase, true)
    }

    /// Adds a name that has no box: other programs update it.
    pub fn add(&mut self, now: Now, zone: usize, name: &str) -> Result<(Credentials, Ticket), Refusal> {
        let zone_name = self.settings.zones.get(zone).map(|zone| zone.name.clone());
        let zone_name = zone_name.ok_or_else(|| Refusal::Zone(zone.to_string()))?;
        let (number, label) = self.named(&zone_name, name)?;
        if self.table.by_name(number, label.as_str().as_bytes()).is_some() {
            return Err(Refusal::Taken(label.as_str().to_owned()));
        }
        if !self.has_room() {
            return Err(Refusal::Full);
        }
        let mut owned = nobody(now);
        self.fill(&mut owned.psk)?;
        owned.home = self.settings.home;
        let psk = Psk::new(owned.psk);
        let credentials = Credentials {
            password: psk.dyndns2_password(owned.epoch),
            tsig_secret: psk.tsig_secret(owned.epoch),
        };
        let key = Key::Name { zone: zone_name, label };
        let ticket = self.stage(vec![(key, Some(Record::Owned(Box::new(owned))))])?;
        Ok((credentials, ticket))
    }

    /// The credentials of a name, for its operator.
    #[must_use]
    pub fn credentials(&self, zone: usize, name: &str) -> Option<Credentials> {
        let tsig_secret = self.tsig_secret_of(zone, name.as_bytes())?;
        let slot = self.owned_slot(zone, name).ok()?;
        let psk = Psk::new(self.table.cold(slot).psk);
        Some(Credentials { password: psk.dyndns2_password(self.table.hot(slot).epoch), tsig_secret })
    }
}

//! What an owner does with the name afterwards: say no to a move, give it up.

use std::net::IpAddr;

use super::record::{Record, Resting};
use super::table::flag;
use super::{Now, REST_S, Refusal, Registrar, Slot};
use crate::nameserver::Ticket;
use crate::registration::{BoxPublic, Cancel, Label, Nonce, Release, Signature, Statement};

impl Registrar {
    /// The box that has the name says no to a move: signed by its key.
    pub fn cancel(
        &mut self,
        now: Now,
        source: IpAddr,
        zone: &str,
        name: &str,
        (nonce, signature): (Nonce, Signature),
    ) -> Result<Option<Ticket>, Refusal> {
        let (slot, label) = self.asked(now, source, zone, name, &nonce)?;
        let statement = Cancel { zone: &self.zone_of(slot).name, name: &label, nonce };
        self.check_owner(slot, &statement, &signature)?;
        if !self.table.hot(slot).is(flag::MOVING) {
            return Ok(None);
        }
        let mut owned = self.owned(slot);
        owned.moving = None;
        self.stage_owned(slot, owned).map(Some)
    }

    /// The box that has the name gives it up: signed by its key. It rests for 90 days, in which the same key may have
    /// it again, unless `erase` was asked for: then nothing but the name is kept.
    pub fn release(
        &mut self,
        now: Now,
        source: IpAddr,
        zone: &str,
        name: &str,
        (nonce, erase, signature): (Nonce, bool, Signature),
    ) -> Result<Ticket, Refusal> {
        let (slot, label) = self.asked(now, source, zone, name, &nonce)?;
        let statement = Release { zone: &self.zone_of(slot).name, name: &label, nonce, erase };
        self.check_owner(slot, &statement, &signature)?;
        self.rest(now, slot, erase, !erase)
    }

    /// Ends a claim: the name rests. `is_told`: its keys are kept to tell the box, which does not know.
    pub(super) fn rest(
        &mut self,
        now: Now,
        slot: Slot,
        erase: bool,
        is_told: bool,
    ) -> Result<Ticket, Refusal> {
        let key = self.key_of(slot).ok_or_else(|| Refusal::Unknown(String::new()))?;
        let owner = Some(self.table.cold(slot).key).filter(|key| !erase && *key != [0; 32]);
        let resting = Resting { until: now.utc_s().saturating_add(REST_S), key: owner };
        let mut puts = vec![(key, Some(Record::Resting(resting)))];
        if is_told {
            puts.extend(self.former_record(now, slot));
        }
        self.stage(puts)
    }

    /// The name of a request that its owner should have signed.
    fn asked(
        &mut self,
        now: Now,
        source: IpAddr,
        zone: &str,
        name: &str,
        nonce: &Nonce,
    ) -> Result<(Slot, Label), Refusal> {
        let (zone, label) = self.named(zone, name)?;
        if !self.attempts.take(now.monotonic, source) {
            return Err(Refusal::Rate);
        }
        self.take_nonce(now, nonce)?;
        let slot = self.owned_slot(usize::from(zone), label.as_str())?;
        Ok((slot, label))
    }

    fn check_owner<S>(&self, slot: Slot, statement: &S, signature: &Signature) -> Result<(), Refusal>
    where
        S: Statement<By = crate::registration::BoxKey>,
    {
        let key = self.table.cold(slot).key;
        let is_revoked = self.table.hot(slot).is(flag::REVOKED);
        let is_owner = key != [0; 32] && !is_revoked && statement.is_signed(&BoxPublic(key), signature);
        if is_owner { Ok(()) } else { Err(Refusal::Signature) }
    }

    /// The entry of a name that somebody has.
    pub(super) fn owned_slot(&self, zone: usize, name: &str) -> Result<Slot, Refusal> {
        let slot = u8::try_from(zone).ok().and_then(|zone| self.table.by_name(zone, name.as_bytes()));
        let slot = slot.filter(|slot| !self.table.hot(*slot).is(flag::RESTING));
        slot.ok_or_else(|| Refusal::Unknown(name.to_owned()))
    }
}

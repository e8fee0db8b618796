//! Addresses and texts that clients of other protocols set: dyndns2, DNS UPDATE.

use std::net::IpAddr;

use subtle::ConstantTimeEq;

use super::claim::Staged;
use super::table::flag;
use super::{Now, Refusal, Registrar, Slot};
use crate::nameserver::{Address, TEXT_MAX, TEXTS_MAX, Text, Update};
use crate::registration::Psk;

impl Registrar {
    /// Sets what is published of a name, for who proved that it is theirs. It has no lease; the next beat of a box has
    /// the last word. The answer says whether anything changed.
    pub fn update_addresses(
        &mut self,
        now: Now,
        zone: usize,
        name: &str,
        update: Update,
    ) -> Result<Staged<bool>, Refusal> {
        let slot = self.owned_slot(zone, name)?;
        let hot = self.table.hot(slot);
        if hot.is(flag::SUSPENDED) || hot.is(flag::REVOKED) {
            return Err(Refusal::Suspended(name.to_owned()));
        }
        let old = self.owned(slot);
        let mut new = old.clone();
        if let Some(change) = update.v4 {
            new.v4 = self.checked(change, IpAddr::V4)?.map(|v4| v4.octets());
            new.is_v4_fixed = new.v4.is_some() && (old.is_v4_fixed || new.v4 != old.v4);
        }
        if let Some(change) = update.v6 {
            new.v6 = self.checked(change, IpAddr::V6)?.map(|v6| v6.octets());
            new.is_v6_fixed = new.v6.is_some() && (old.is_v6_fixed || new.v6 != old.v6);
        }
        new.pub_port = update.port.unwrap_or(new.pub_port);
        if let Some(texts) = update.texts {
            check_texts(&texts)?;
            new.texts = texts.into_iter().map(|text| (text.below.into_vec(), text.data.into_vec())).collect();
        }
        let is_old = now.utc_s().saturating_sub(old.used) > 86_400;
        if new == old && !is_old {
            return Ok(Staged { answer: false, ticket: None });
        }
        let answer = new != old;
        new.used = now.utc_s();
        Ok(Staged { answer, ticket: Some(self.stage_owned(slot, new)?) })
    }

    /// The password of a dyndns2 client is that of `name`. Takes the same time whatever is wrong.
    #[must_use]
    pub fn is_password(&self, zone: usize, name: &str, password: &str) -> bool {
        let slot = self.keyed_slot(zone, name.as_bytes());
        let (psk, epoch) =
            slot.map_or(([0; 32], 0), |slot| (self.table.cold(slot).psk, self.table.hot(slot).epoch));
        let expected = Psk::new(psk).dyndns2_password(epoch);
        bool::from(expected.as_bytes().ct_eq(password.as_bytes())) && slot.is_some()
    }

    /// The TSIG secret of `name`.
    #[must_use]
    pub fn tsig_secret_of(&self, zone: usize, name: &[u8]) -> Option<[u8; 32]> {
        let slot = self.keyed_slot(zone, name)?;
        Some(Psk::new(self.table.cold(slot).psk).tsig_secret(self.table.hot(slot).epoch))
    }

    /// The entry of a name whose keys count.
    fn keyed_slot(&self, zone: usize, name: &[u8]) -> Option<Slot> {
        let slot = self.table.by_name(u8::try_from(zone).ok()?, name)?;
        let hot = self.table.hot(slot);
        (!hot.is(flag::RESTING) && !hot.is(flag::REVOKED)).then_some(slot)
    }

    fn checked<A: Copy>(&self, change: Address<A>, ip: fn(A) -> IpAddr) -> Result<Option<A>, Refusal> {
        match change {
            Address::Gone => Ok(None),
            Address::Is(address) if self.may_publish(ip(address)) => Ok(Some(address)),
            Address::Is(address) => Err(Refusal::Address(ip(address).to_string())),
        }
    }
}

fn check_texts(texts: &[Text]) -> Result<(), Refusal> {
    if texts.len() > TEXTS_MAX {
        return Err(Refusal::Text("a name has at most 4 TXT records"));
    }
    if texts.iter().any(|t| t.below.len() > 63 || t.data.is_empty() || t.data.len() > TEXT_MAX) {
        return Err(Refusal::Text("a TXT record has at most 255 bytes of text, one label below the name"));
    }
    Ok(())
}

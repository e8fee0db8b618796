//! Claims: who gets a name.

use std::net::IpAddr;

use super::nonces::NonceError;
use super::record::{Key, Moving, Owned, Record};
use super::table::flag;
use super::{Enrol, Now, Refusal, Registrar, Slot};
use crate::nameserver::Ticket;
use crate::registration::{
    BoxId, BoxPublic, Claim, ClaimError, Claimed, Granted, Handover, Label, Nonce, RecoveryHash, Signature,
    Statement, Voucher,
};

/// What a box sends to claim a name.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRequest<'a> {
    /// The zone.
    pub zone: &'a str,
    /// The name.
    pub name: &'a str,
    /// The box's key, which is going to own the name.
    pub key: BoxPublic,
    /// Of this service, good for one claim.
    pub nonce: Nonce,
    /// The box's X25519 share.
    pub share: [u8; 32],
    /// Of the claim, by `key`.
    pub signature: Signature,
    /// The box's serial number and the brand's signature.
    pub voucher: Option<(&'a str, Signature)>,
    /// Proof of the recovery code, where the name's key is lost.
    pub recovery: Option<[u8; 32]>,
    /// By the key that has the name.
    pub handover: Option<Signature>,
}

/// An answer that counts when its ticket is on disk.
#[derive(Clone, Debug)]
pub struct Staged<T> {
    /// To be told when `ticket` is committed.
    pub answer: T,
    /// To be waited for; `None`: nothing was written.
    pub ticket: Option<Ticket>,
}

/// What a claim comes to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The name is the box's.
    Granted(Granting),
    /// The recovery code is right: the same claim, with a new nonce, is granted from then on (seconds since 1970),
    /// unless the box that has the name says no.
    Pending(u32),
}

/// What a box gets with its name.
#[derive(Clone, Debug)]
pub struct Granting {
    /// What it is known by in heartbeats.
    pub id: BoxId,
    /// The epoch of its keys.
    pub epoch: u32,
    /// The service's X25519 share.
    pub share: [u8; 32],
    /// There is a new recovery code.
    pub is_new: bool,
    /// Of [`Claimed`], by the service.
    pub signature: Signature,
    /// Seconds between beats.
    pub next_s: u16,
}

/// How a claim came to be right.
enum Right {
    /// Nobody has the name.
    New,
    /// It has it already.
    Same(Slot),
    /// The one that has it agreed, or did not object.
    Move(Slot),
    /// From this time on, unless the one that has it objects.
    Later(u32, Option<Ticket>),
}

impl Registrar {
    /// Answers a claim of `source`. Nothing is so before the ticket is on disk.
    pub fn claim(
        &mut self,
        now: Now,
        source: IpAddr,
        request: &ClaimRequest<'_>,
    ) -> Result<Staged<Answer>, Refusal> {
        let answer = self.judge(now, source, request);
        match &answer {
            Ok(_) => self.counters.claims += 1,
            Err(_) => self.counters.refused += 1,
        }
        answer
    }

    fn judge(&mut self, now: Now, source: IpAddr, r: &ClaimRequest<'_>) -> Result<Staged<Answer>, Refusal> {
        let (zone, label) = self.named(r.zone, r.name)?;
        if !self.attempts.take(now.monotonic, source) {
            return Err(Refusal::Rate);
        }
        self.take_nonce(now, &r.nonce)?;
        let zone_name = &self.settings.zones[usize::from(zone)].name;
        let claim = Claim { zone: zone_name, name: &label, nonce: r.nonce, key: r.key, share: r.share };
        if !claim.is_signed(&r.key, &r.signature) {
            return Err(Refusal::Signature);
        }
        let key = Key::Name { zone: zone_name.clone(), label: label.clone() };
        if self.stage.has(&key) {
            return Err(Refusal::Busy(label.as_str().to_owned()));
        }
        let right = match self.table.by_name(zone, label.as_str().as_bytes()) {
            None => Right::New,
            Some(slot) => match self.right_to(now, slot, &label, r)? {
                Right::Later(until, ticket) => {
                    return Ok(Staged { answer: Answer::Pending(until), ticket });
                }
                right => right,
            },
        };
        if !matches!(right, Right::Same(_)) {
            self.check_voucher(r)?;
        }
        if let Right::New = right {
            self.check_new(now, source, zone, &label)?;
        }
        let staged = self.grant(now, key, &right, r)?;
        if let Right::New = right {
            self.new_names.take(now.monotonic, source);
        }
        Ok(staged)
    }

    /// Zone and name of a request.
    pub(super) fn named(&self, zone: &str, name: &str) -> Result<(u8, Label), Refusal> {
        let number = self.zone_number(zone).ok_or_else(|| Refusal::Zone(zone.to_owned()))?;
        Ok((number, Label::new(name).map_err(Refusal::Name)?))
    }

    pub(super) fn take_nonce(&mut self, now: Now, nonce: &Nonce) -> Result<(), Refusal> {
        self.nonces.take(now.monotonic, &nonce.0).map_err(|error| match error {
            NonceError::Stale => Refusal::Nonce,
            NonceError::Full => Refusal::Rate,
        })
    }

    /// How the claim of a name that is in the table can be right.
    fn right_to(
        &mut self,
        now: Now,
        slot: Slot,
        label: &Label,
        r: &ClaimRequest<'_>,
    ) -> Result<Right, Refusal> {
        let (hot, cold) = (self.table.hot(slot), self.table.cold(slot));
        let (name, is_same) = (label.as_str(), cold.key == r.key.0 && cold.key != [0; 32]);
        if hot.is(flag::RESTING) {
            return if is_same { Ok(Right::New) } else { Err(Refusal::Held(name.to_owned(), cold.used)) };
        }
        if is_same {
            let is_revoked = hot.is(flag::REVOKED);
            return if is_revoked { Err(Refusal::Held(name.to_owned(), 0)) } else { Ok(Right::Same(slot)) };
        }
        if let Some(signature) = &r.handover {
            let statement = Handover { zone: &self.zone_of(slot).name, name: label, to: r.key };
            return if hot.is(flag::REVOKED) || !statement.is_signed(&BoxPublic(cold.key), signature) {
                Err(Refusal::Signature)
            } else {
                Ok(Right::Move(slot))
            };
        }
        let Some(proof) = &r.recovery else { return Err(Refusal::Taken(name.to_owned())) };
        let has_code = cold.recovery != [0; 32];
        if !has_code || !RecoveryHash(cold.recovery).is_proved(&r.signature, proof) {
            return Err(Refusal::Recovery);
        }
        self.check_voucher(r)?;
        self.recover(now, slot, r)
    }

    /// The recovery code is right: has its time come?
    fn recover(&mut self, now: Now, slot: Slot, r: &ClaimRequest<'_>) -> Result<Right, Refusal> {
        if let Some(moving) = self.moving.get(&slot).filter(|moving| moving.key == r.key.0) {
            let is_due = now.utc_s() >= moving.until;
            return Ok(if is_due { Right::Move(slot) } else { Right::Later(moving.until, None) });
        }
        let delay = u32::try_from(self.settings.move_delay.as_secs()).unwrap_or(u32::MAX);
        if delay == 0 {
            return Ok(Right::Move(slot));
        }
        let until = now.utc_s().saturating_add(delay);
        let mut owned = self.owned(slot);
        owned.moving = Some(Moving { key: r.key.0, until });
        let ticket = self.stage_owned(slot, owned)?;
        Ok(Right::Later(until, Some(ticket)))
    }

    fn check_voucher(&self, r: &ClaimRequest<'_>) -> Result<(), Refusal> {
        let Enrol::Voucher(brands) = &self.settings.enrol else { return Ok(()) };
        let (serial, signature) = r.voucher.ok_or(Refusal::Voucher)?;
        let voucher = Voucher { serial, key: r.key };
        let is_ours = serial.len() <= super::arena::TEXT_MAX;
        let is_vouched = is_ours && brands.iter().any(|brand| voucher.is_signed(brand, &signature));
        if is_vouched { Ok(()) } else { Err(Refusal::Voucher) }
    }

    /// A name that nobody has may be given to `source`.
    fn check_new(&self, now: Now, source: IpAddr, zone: u8, label: &Label) -> Result<(), Refusal> {
        let name = label.as_str();
        if label.is_reserved() || self.blocked.has(name) {
            return Err(Refusal::Reserved(name.to_owned()));
        }
        let is_there = self.table.by_name(zone, name.as_bytes()).is_some(); // it rests
        if !is_there && !self.has_room() {
            return Err(Refusal::Full);
        }
        if self.new_names.has_room(now.monotonic, source) { Ok(()) } else { Err(Refusal::Rate) }
    }

    /// There is room for one name more.
    pub(super) fn has_room(&self) -> bool {
        self.table.len() + self.stage.new_names < self.settings.capacity
    }

    fn grant(
        &mut self,
        now: Now,
        key: Key,
        right: &Right,
        r: &ClaimRequest<'_>,
    ) -> Result<Staged<Answer>, Refusal> {
        let granted = Granted::new(&r.signature, &r.share, &*self.random).map_err(|error| match error {
            ClaimError::Randomness => Refusal::Randomness,
            ClaimError::Share | ClaimError::Signature => Refusal::Share,
        })?;
        let old = match right {
            Right::New | Right::Later(..) => None,
            Right::Same(slot) | Right::Move(slot) => Some(self.owned(*slot)),
        };
        let is_new = !matches!(right, Right::Same(_));
        let id = match (right, old.as_ref().and_then(|old| old.id)) {
            (Right::Same(_), Some(id)) => BoxId(id),
            _ => self.new_id()?,
        };
        let epoch = old.as_ref().map_or(1, |old| old.epoch.saturating_add(1));
        let keys = granted.psk.beat_keys(epoch);
        let mut owned = old.unwrap_or_else(|| nobody(now));
        owned.id = Some(id.0);
        owned.epoch = epoch;
        owned.psk = *granted.psk.as_bytes();
        (owned.to_service, owned.to_box) = (keys.to_service.0, keys.to_box.0);
        (owned.used, owned.home) = (now.utc_s(), self.settings.home);
        if is_new {
            owned.key = r.key.0;
            owned.recovery = Some(granted.recovery.hash().0);
            owned.serial = r.voucher.map(|(serial, _)| serial.to_owned()).unwrap_or_default();
            owned.moving = None;
            owned.is_revoked = false;
            // where the other box is, and what it asked for, is not this one's
            (owned.v4, owned.v6, owned.pub_port) = (None, None, 0);
            (owned.lan, owned.firmware) = (([0; 4], 0), String::new());
            owned.texts.clear();
        }
        let mut puts = vec![(key, Some(Record::Owned(Box::new(owned))))];
        if let Right::Move(slot) = right {
            puts.extend(self.former_record(now, *slot));
        }
        let ticket = self.stage(puts)?;
        let heartbeat = self.heartbeat_of(id);
        let claimed = Claimed { claim: r.signature, id, epoch, share: granted.share, heartbeat, is_new };
        let signature = claimed.sign(&self.key);
        let next_s = self.sweep.next_s();
        let granting = Granting { id, epoch, share: granted.share, is_new, signature, next_s };
        Ok(Staged { answer: Answer::Granted(granting), ticket: Some(ticket) })
    }

    /// An id that no box has or had.
    pub(super) fn new_id(&self) -> Result<BoxId, Refusal> {
        let mut id = BoxId([0; 8]);
        loop {
            self.fill(&mut id.0)?;
            let is_used =
                self.table.by_id(id).is_some() || self.former.contains_key(&u64::from_be_bytes(id.0));
            if !is_used && id.0 != [0; 8] {
                return Ok(id);
            }
        }
    }

    /// Stages a name's record.
    pub(super) fn stage_owned(&mut self, slot: Slot, owned: Owned) -> Result<Ticket, Refusal> {
        let key = self.key_of(slot).ok_or_else(|| Refusal::Unknown(String::new()))?;
        self.stage(vec![(key, Some(Record::Owned(Box::new(owned))))])
    }
}

/// A name that was just given.
pub(super) fn nobody(now: Now) -> Owned {
    Owned {
        id: None,
        epoch: 1,
        psk: [0; 32],
        to_service: [0; 16],
        to_box: [0; 16],
        key: [0; 32],
        recovery: None,
        serial: String::new(),
        created: now.utc_s(),
        used: now.utc_s(),
        v4: None,
        v6: None,
        is_v4_fixed: false,
        is_v6_fixed: false,
        pub_port: 0,
        is_revoked: false,
        suspended: None,
        moving: None,
        texts: Vec::new(),
        lan: ([0; 4], 0),
        firmware: String::new(),
        home: 0,
    }
}

//! From records to the table and back: at the start, after a commit, when another front end wrote.

use std::cmp::Reverse;

use super::record::{Former, Key, Owned, Record};
use super::store::Others;
use super::table::{Cold, flag};
use super::{LoadError, Now, Registrar, Slot};
use crate::nameserver::Text;
use crate::registration::{BoxId, ReplayWindow};

impl Registrar {
    /// Takes a record that the store had at the start. Addresses get the time of a lease to be heard of again.
    pub fn load(&mut self, now: Now, key: &Key, record: &Record) -> Result<(), LoadError> {
        self.apply(now, key, Some(record), true)?;
        if let Record::Owned(owned) = record {
            self.sweep.loaded(owned.used);
        }
        Ok(())
    }

    /// All was loaded: changes count from here. Says whether the clock can be right (see [`Stats`](super::Stats)).
    pub fn loaded(&mut self, now: Now) -> bool {
        self.changes.begin();
        self.sweep.judge_clock(now)
    }

    /// Takes what other front ends wrote; returns what there was no room for.
    pub fn heard_of(&mut self, now: Now, others: &Others) -> Vec<LoadError> {
        self.heard_up_to(others.up_to);
        let apply =
            |(key, record): &(Key, Option<Record>)| self.apply(now, key, record.as_ref(), false).err();
        others.records.iter().filter_map(apply).collect()
    }

    /// What others wrote is known up to this number of the store.
    pub const fn heard_up_to(&mut self, number: u64) {
        self.stage.seen = number;
    }

    /// Makes `record` so. `is_ours`: nobody else heard the box since.
    pub(super) fn apply(
        &mut self,
        now: Now,
        key: &Key,
        record: Option<&Record>,
        is_ours: bool,
    ) -> Result<(), LoadError> {
        let (zone, label) = match key {
            Key::Former(id) => {
                self.apply_former(*id, record);
                return Ok(());
            }
            Key::Name { zone, label } => {
                (self.zone_number(zone).ok_or_else(|| LoadError::Zone(key.clone()))?, label)
            }
        };
        let Some(record) = record else {
            if let Some(slot) = self.table.by_name(zone, label.as_str().as_bytes()) {
                self.remove(slot);
            }
            return Ok(());
        };
        let old = self.table.by_name(zone, label.as_str().as_bytes());
        old.into_iter().for_each(|slot| self.touch(slot));
        let entry = self.table.entry(zone, label.as_str().as_bytes());
        let slot = entry.ok_or_else(|| LoadError::Full(key.clone()))?;
        if old.is_none() {
            self.appear(slot, label);
        }
        match record {
            Record::Owned(owned) => self.apply_owned(now, slot, owned, is_ours),
            Record::Resting(resting) => {
                self.empty(slot);
                let hot = self.table.hot_mut(slot);
                hot.flags = hot.flags & flag::CHANGED | flag::RESTING;
                let cold = self.table.cold_mut(slot);
                cold.used = resting.until;
                cold.key = resting.key.unwrap_or_default();
                self.table.due[slot as usize] = now.second();
            }
            Record::Former(_) => {}
        }
        Ok(())
    }

    fn apply_former(&mut self, id: BoxId, record: Option<&Record>) {
        let id = u64::from_be_bytes(id.0);
        match record {
            Some(Record::Former(former)) if self.former.len() < self.settings.capacity => {
                self.sweep.former.push(Reverse((former.until, id)));
                self.former.insert(id, Former::clone(former));
            }
            Some(_) => {}
            None => {
                self.former.remove(&id);
            }
        }
    }

    fn apply_owned(&mut self, now: Now, slot: Slot, owned: &Owned, is_ours: bool) {
        let (second, home) = (now.second(), self.settings.home);
        let hot = self.table.hot(slot);
        let same_box =
            hot.is(flag::BOX) && Some(hot.id.to_be_bytes()) == owned.id && hot.epoch == owned.epoch;
        let old = (hot.v4, hot.v6);
        self.empty_sides(slot);
        self.table.set_id(slot, owned.id.map(BoxId));
        let hot = self.table.hot_mut(slot);
        if !same_box {
            hot.window = ReplayWindow::default();
            hot.flags &= flag::CHANGED | flag::BOX;
            (hot.heard4, hot.heard6) = (second, second);
        }
        (hot.to_service, hot.to_box, hot.epoch) = (owned.to_service, owned.to_box, owned.epoch);
        (hot.v4, hot.v6) = (owned.v4.unwrap_or_default(), owned.v6.unwrap_or_default());
        hot.pub_port = owned.pub_port;
        let flags = [
            (flag::V4, owned.v4.is_some()),
            (flag::V6, owned.v6.is_some()),
            (flag::FIXED4, owned.is_v4_fixed),
            (flag::FIXED6, owned.is_v6_fixed),
            (flag::REVOKED, owned.is_revoked),
            (flag::SUSPENDED, owned.suspended.is_some()),
            (flag::MOVING, owned.moving.is_some()),
            (flag::TEXTS, !owned.texts.is_empty()),
            (flag::ELSEWHERE, owned.home != home),
            (flag::RESTING, false),
        ];
        flags.into_iter().for_each(|(flag, on)| hot.set(flag, on));
        if !is_ours {
            // it was heard elsewhere: what this front end knows of its address and counters is old
            if (hot.v4, hot.v6) != old {
                hot.set(flag::HEARD, false);
            }
            (hot.heard4, hot.heard6) = (second, second);
        }
        let lease = self.sweep.lease_s(second);
        self.table.due[slot as usize] = self.table.hot(slot).heard().saturating_add(lease);
        self.fill_cold(slot, owned);
    }

    fn fill_cold(&mut self, slot: Slot, owned: &Owned) {
        self.table.forget_cold(slot);
        let serial = self.table.texts.keep(owned.serial.as_bytes()).unwrap_or_default();
        let firmware = self.table.texts.keep(owned.firmware.as_bytes()).unwrap_or_default();
        *self.table.cold_mut(slot) = Cold {
            psk: owned.psk,
            key: owned.key,
            recovery: owned.recovery.unwrap_or_default(),
            created: owned.created,
            used: owned.used,
            serial,
            firmware,
            lan: owned.lan.0,
            lan_port: owned.lan.1,
        };
        if let Some(moving) = owned.moving {
            self.moving.insert(slot, moving);
        }
        if let Some(reason) = &owned.suspended {
            self.reasons.insert(slot, reason.as_str().into());
        }
        if !owned.texts.is_empty() {
            let texts = owned
                .texts
                .iter()
                .map(|(below, data)| Text { below: below.as_slice().into(), data: data.as_slice().into() });
            self.texts.insert(slot, texts.collect());
        }
    }

    /// The record of a name that somebody has, as it is now.
    pub(super) fn owned(&self, slot: Slot) -> Owned {
        let (hot, cold) = (self.table.hot(slot), self.table.cold(slot));
        let texts = self.texts.get(&slot).into_iter().flatten();
        Owned {
            id: hot.is(flag::BOX).then(|| hot.id.to_be_bytes()),
            epoch: hot.epoch,
            psk: cold.psk,
            to_service: hot.to_service,
            to_box: hot.to_box,
            key: cold.key,
            recovery: (cold.recovery != [0; 32]).then_some(cold.recovery),
            serial: self.table.text(cold.serial).to_owned(),
            created: cold.created,
            used: cold.used,
            v4: hot.is(flag::V4).then_some(hot.v4),
            v6: hot.is(flag::V6).then_some(hot.v6),
            is_v4_fixed: hot.is(flag::FIXED4),
            is_v6_fixed: hot.is(flag::FIXED6),
            pub_port: hot.pub_port,
            is_revoked: hot.is(flag::REVOKED),
            suspended: self.reasons.get(&slot).map(|reason| reason.to_string()),
            moving: self.moving.get(&slot).copied(),
            texts: texts.map(|text| (text.below.to_vec(), text.data.to_vec())).collect(),
            lan: (cold.lan, cold.lan_port),
            firmware: self.table.text(cold.firmware).to_owned(),
            home: self.settings.home,
        }
    }

    /// Takes a name out for good.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.touch(slot);
        self.vanish();
        self.empty_sides(slot);
        self.table.remove(slot);
    }

    /// Leaves nothing but the name.
    fn empty(&mut self, slot: Slot) {
        self.empty_sides(slot);
        self.table.set_id(slot, None);
        self.table.forget_cold(slot);
    }

    fn empty_sides(&mut self, slot: Slot) {
        self.moving.remove(&slot);
        self.reasons.remove(&slot);
        self.texts.remove(&slot);
    }
}

//! All names in memory: what each beat needs in one entry of fixed size, what claims need beside it, under one number.

use std::hash::{BuildHasher, RandomState};

use super::arena::{Arena, Text};
use super::index::Index;
use crate::registration::{BeatKey, BoxId, Label, ReplayWindow};

/// Number of a name's entry. It stays the name's while the name is in the table.
pub(super) type Slot = u32;

/// What is so of a name, as bits of [`Hot::flags`].
pub(super) mod flag {
    /// A box has it: its id leads here.
    pub(in super::super) const BOX: u16 = 1;
    /// Its box proved its address since the service started.
    pub(in super::super) const HEARD: u16 = 1 << 1;
    /// The operator suspended it.
    pub(in super::super) const SUSPENDED: u16 = 1 << 2;
    /// Somebody with the recovery code waits for it.
    pub(in super::super) const MOVING: u16 = 1 << 3;
    /// The operator took it from its box.
    pub(in super::super) const REVOKED: u16 = 1 << 4;
    /// It was released and rests.
    pub(in super::super) const RESTING: u16 = 1 << 5;
    /// Its IPv4 address was set by an update and stays.
    pub(in super::super) const FIXED4: u16 = 1 << 6;
    /// Its IPv6 address was set by an update and stays.
    pub(in super::super) const FIXED6: u16 = 1 << 7;
    /// It is in the list of changes.
    pub(in super::super) const CHANGED: u16 = 1 << 8;
    /// A write of it is on its way to the store.
    pub(in super::super) const STAGED: u16 = 1 << 9;
    /// [`super::Hot::path4`] is proved.
    pub(in super::super) const PATH4: u16 = 1 << 10;
    /// [`super::Hot::path6`] is proved.
    pub(in super::super) const PATH6: u16 = 1 << 11;
    /// [`super::Hot::v4`] is published.
    pub(in super::super) const V4: u16 = 1 << 12;
    /// [`super::Hot::v6`] is published.
    pub(in super::super) const V6: u16 = 1 << 13;
    /// It has texts, in the side table.
    pub(in super::super) const TEXTS: u16 = 1 << 14;
    /// Another front end hears its box.
    pub(in super::super) const ELSEWHERE: u16 = 1 << 15;
}

/// What a beat and an answer of DNS need.
#[derive(Clone, Default)]
pub(super) struct Hot {
    pub(super) id: u64,
    pub(super) window: ReplayWindow,
    pub(super) to_service: [u8; 16],
    pub(super) to_box: [u8; 16],
    pub(super) v6: [u8; 16],
    /// Keyed hash of the source of IPv6 that was proved.
    pub(super) path6: u64,
    /// The source of IPv4 that was proved.
    pub(super) path4: [u8; 4],
    pub(super) v4: [u8; 4],
    pub(super) epoch: u32,
    /// Second of the last beat by IPv4, on the registrar's clock.
    pub(super) heard4: u32,
    /// Second of the last beat by IPv6.
    pub(super) heard6: u32,
    pub(super) label: Text,
    pub(super) pub_port: u16,
    pub(super) flags: u16,
    pub(super) zone: u8,
}

const _: () = assert!(
    size_of::<Hot>() == 120 && size_of::<Cold>() == 120,
    "10 M of them are the memory of the service"
);

impl Hot {
    pub(super) const fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) const fn set(&mut self, flag: u16, on: bool) {
        if on {
            self.flags |= flag;
        } else {
            self.flags &= !flag;
        }
    }

    pub(super) const fn to_service(&self) -> BeatKey {
        BeatKey(self.to_service)
    }

    pub(super) const fn to_box(&self) -> BeatKey {
        BeatKey(self.to_box)
    }

    /// Second of the last beat.
    pub(super) fn heard(&self) -> u32 {
        self.heard4.max(self.heard6)
    }
}

/// What claims, updates and administration need.
#[derive(Clone, Default)]
pub(super) struct Cold {
    pub(super) psk: [u8; 32],
    pub(super) key: [u8; 32],
    /// All zero: there is none.
    pub(super) recovery: [u8; 32],
    /// Seconds since 1970.
    pub(super) created: u32,
    /// Seconds since 1970: last beat or update that was written down. Of a resting name: when it ends.
    pub(super) used: u32,
    pub(super) serial: Text,
    pub(super) firmware: Text,
    pub(super) lan: [u8; 4],
    pub(super) lan_port: u16,
}

/// The names.
pub(super) struct Table {
    hot: Vec<Hot>,
    cold: Vec<Cold>,
    /// When to look at an entry again, second of the registrar's clock.
    pub(super) due: Vec<u32>,
    free: Vec<Slot>,
    by_id: Index,
    by_name: Index,
    pub(super) texts: Arena,
    hasher: RandomState,
    capacity: usize,
}

impl Table {
    /// Room for `capacity` names. Memory is taken as they come, but for the two indices.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            hot: Vec::with_capacity(capacity),
            cold: Vec::with_capacity(capacity),
            due: Vec::with_capacity(capacity),
            free: Vec::new(),
            by_id: Index::new(capacity),
            by_name: Index::new(capacity),
            texts: Arena::new(),
            hasher: RandomState::new(),
            capacity,
        }
    }

    /// Names in it.
    pub(super) fn len(&self) -> usize {
        self.hot.len() - self.free.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Entries to walk over, free ones too.
    pub(super) fn slots(&self) -> usize {
        self.hot.len()
    }

    pub(super) fn hot(&self, slot: Slot) -> &Hot {
        &self.hot[slot as usize]
    }

    pub(super) fn hot_mut(&mut self, slot: Slot) -> &mut Hot {
        &mut self.hot[slot as usize]
    }

    pub(super) fn cold(&self, slot: Slot) -> &Cold {
        &self.cold[slot as usize]
    }

    pub(super) fn cold_mut(&mut self, slot: Slot) -> &mut Cold {
        &mut self.cold[slot as usize]
    }

    /// The entry holds a name.
    pub(super) fn is_taken(&self, slot: Slot) -> bool {
        self.hot.get(slot as usize).is_some_and(|hot| hot.label != Text::default())
    }

    /// Its letters.
    pub(super) fn label_bytes(&self, slot: Slot) -> &[u8] {
        self.texts.get(self.hot(slot).label)
    }

    /// Its name; `None` of a free entry.
    pub(super) fn label(&self, slot: Slot) -> Option<Label> {
        Label::new(std::str::from_utf8(self.label_bytes(slot)).ok()?).ok()
    }

    pub(super) fn text(&self, text: Text) -> &str {
        std::str::from_utf8(self.texts.get(text)).unwrap_or_default()
    }

    /// The box of this id.
    pub(super) fn by_id(&self, id: BoxId) -> Option<Slot> {
        let id = u64::from_be_bytes(id.0);
        self.by_id.find(id, |slot| self.hot(slot).id == id)
    }

    /// The name `label` of `zone`.
    pub(super) fn by_name(&self, zone: u8, label: &[u8]) -> Option<Slot> {
        let is_it = |slot| self.hot(slot).zone == zone && self.label_bytes(slot) == label;
        self.by_name.find(self.hash(zone, label), is_it)
    }

    /// The name `label` of `zone`, new if need be; `None` when the table is full.
    pub(super) fn entry(&mut self, zone: u8, label: &[u8]) -> Option<Slot> {
        if let Some(slot) = self.by_name(zone, label) {
            return Some(slot);
        }
        if self.is_full() {
            return None;
        }
        let hot = Hot { label: self.texts.keep(label)?, zone, ..Hot::default() };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.hot[slot as usize] = hot;
                slot
            }
            None => {
                let slot = Slot::try_from(self.hot.len()).ok().filter(|slot| *slot < Slot::MAX)?;
                self.hot.push(hot);
                self.cold.push(Cold::default());
                self.due.push(0);
                slot
            }
        };
        self.by_name.insert(self.hash(zone, label), slot);
        Some(slot)
    }

    /// Takes a name out, with all that is known of it.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.set_id(slot, None);
        let (zone, label) = (self.hot(slot).zone, self.hot(slot).label);
        let hash = self.hash(zone, self.texts.get(label));
        let (hot, texts, hasher) = (&self.hot, &self.texts, &self.hasher);
        self.by_name.remove(hash, slot, |other| {
            let other = &hot[other as usize];
            hash_of(hasher, other.zone, texts.get(other.label))
        });
        self.texts.free(label);
        self.forget_cold(slot);
        self.hot[slot as usize] = Hot::default();
        self.free.push(slot);
    }

    /// Takes out what only an owner's name has.
    pub(super) fn forget_cold(&mut self, slot: Slot) {
        let old = std::mem::take(self.cold_mut(slot));
        self.texts.free(old.serial);
        self.texts.free(old.firmware);
    }

    /// Makes `id` lead to the entry, or none.
    pub(super) fn set_id(&mut self, slot: Slot, id: Option<BoxId>) {
        let id = id.map(|id| u64::from_be_bytes(id.0));
        let (old, had) = (self.hot(slot).id, self.hot(slot).is(flag::BOX));
        if had && Some(old) == id {
            return;
        }
        if had {
            let hot = &self.hot;
            self.by_id.remove(old, slot, |other| hot[other as usize].id);
        }
        let hot = self.hot_mut(slot);
        hot.set(flag::BOX, id.is_some());
        hot.id = id.unwrap_or(0);
        if let Some(id) = id {
            self.by_id.insert(id, slot);
        }
    }

    /// Keyed hash of a source, so that 8 bytes stand for 16.
    pub(super) fn path6(&self, source: [u8; 16]) -> u64 {
        self.hasher.hash_one(source)
    }

    /// Bytes of memory, as far as they were touched: entries, claims, indices, letters.
    pub(super) fn bytes(&self) -> Memory {
        Memory {
            entries: self.hot.len() * (size_of::<Hot>() + size_of::<u32>()),
            claims: self.cold.len() * size_of::<Cold>(),
            indices: self.by_id.bytes() + self.by_name.bytes(),
            letters: self.texts.bytes(),
        }
    }

    fn hash(&self, zone: u8, label: &[u8]) -> u64 {
        hash_of(&self.hasher, zone, label)
    }
}

fn hash_of(hasher: &RandomState, zone: u8, label: &[u8]) -> u64 {
    hasher.hash_one((zone, label))
}

/// Bytes of memory that names take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What beats and DNS need.
    pub entries: usize,
    /// What claims need.
    pub claims: usize,
    /// By id and by name.
    pub indices: usize,
    /// Labels, serials.
    pub letters: usize,
}

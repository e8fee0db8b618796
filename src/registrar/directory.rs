//! What the responder sees: names and what is published of them, and what changed since it last looked.

use super::table::flag;
use super::{Registrar, Slot};
use crate::nameserver::{Change, Directory, Found, Published, Taken, Ticket, Update, UpdateError};
use crate::registration::Label;

/// Changes that are kept until they are taken; of more, only that there were more.
const CHANGES_MAX: usize = 262_144;

/// What changed since the responder last looked.
#[derive(Default)]
pub(super) struct Changes {
    list: Vec<Change>,
    is_lost: bool,
    /// Names went since then: one that comes may be in the list already.
    went: bool,
    /// Nothing is noted before.
    has_begun: bool,
}

impl Changes {
    /// What changes from here on is noted.
    pub(super) const fn begin(&mut self) {
        self.has_begun = true;
    }
}

impl Registrar {
    /// Notes that what is published of a name is about to change.
    pub(super) fn touch(&mut self, slot: Slot) {
        if !self.changes.has_begun || self.table.hot(slot).is(flag::CHANGED) {
            return;
        }
        let before = Some(self.seen(slot).to_snapshot());
        let (zone, label) = (usize::from(self.table.hot(slot).zone), self.table.label_bytes(slot).into());
        self.note(slot, Change { zone, label, before });
    }

    /// Notes a name that was not there.
    pub(super) fn appear(&mut self, slot: Slot, label: &Label) {
        if !self.changes.has_begun {
            return;
        }
        let (zone, label) = (usize::from(self.table.hot(slot).zone), label.as_str().as_bytes());
        let is_noted = self.changes.went
            && self.changes.list.iter().any(|change| change.zone == zone && *change.label == *label);
        if is_noted {
            self.table.hot_mut(slot).set(flag::CHANGED, true);
        } else {
            self.note(slot, Change { zone, label: label.into(), before: None });
        }
    }

    /// Notes that a name goes.
    pub(super) const fn vanish(&mut self) {
        self.changes.went = true;
    }

    fn note(&mut self, slot: Slot, change: Change) {
        if self.changes.list.len() >= CHANGES_MAX {
            self.changes.is_lost = true;
            return;
        }
        self.table.hot_mut(slot).set(flag::CHANGED, true);
        self.changes.list.push(change);
    }

    /// What is published of an entry.
    fn seen(&self, slot: Slot) -> Published<'_> {
        let hot = self.table.hot(slot);
        if hot.is(flag::SUSPENDED) || hot.is(flag::REVOKED) || hot.is(flag::RESTING) {
            return Published::default();
        }
        let texts = if hot.is(flag::TEXTS) { self.texts.get(&slot) } else { None };
        let is_somewhere = hot.is(flag::V4) || hot.is(flag::V6);
        Published {
            v4: hot.is(flag::V4).then(|| hot.v4.into()),
            v6: hot.is(flag::V6).then(|| hot.v6.into()),
            port: if is_somewhere { hot.pub_port } else { 0 },
            texts: texts.map(AsRef::as_ref).unwrap_or_default(),
        }
    }
}

impl Directory for Registrar {
    fn find(&self, zone: usize, label: &[u8]) -> Found<'_> {
        let slot = u8::try_from(zone).ok().and_then(|zone| self.table.by_name(zone, label));
        slot.map_or(Found::Never, |slot| Found::Entry(self.seen(slot)))
    }

    fn page(&self, zone: usize, cursor: u64, visit: &mut dyn FnMut(&[u8], Published<'_>)) -> Option<u64> {
        let (slots, next) = self.some(cursor);
        for slot in slots.filter(|slot| self.table.is_taken(*slot)) {
            if usize::from(self.table.hot(slot).zone) == zone {
                visit(self.table.label_bytes(slot), self.seen(slot));
            }
        }
        next
    }

    fn tsig_secret(&self, zone: usize, label: &[u8]) -> Option<[u8; 32]> {
        self.tsig_secret_of(zone, label)
    }

    fn update(&mut self, zone: usize, label: &[u8], update: Update) -> Result<Ticket, UpdateError> {
        let name = std::str::from_utf8(label).map_err(|_| UpdateError::Refused)?;
        let staged = self.update_addresses(self.now, zone, name, update);
        match staged {
            // what changes nothing was on disk before
            Ok(staged) => Ok(staged.ticket.unwrap_or(Ticket(0))),
            Err(refusal) if refusal.status() == 503 => Err(UpdateError::Busy),
            Err(_) => Err(UpdateError::Refused),
        }
    }

    fn take_changes(&mut self, changes: &mut Vec<Change>) -> Taken {
        for change in &self.changes.list {
            let slot =
                u8::try_from(change.zone).ok().and_then(|zone| self.table.by_name(zone, &change.label));
            if let Some(slot) = slot {
                self.table.hot_mut(slot).set(flag::CHANGED, false);
            }
        }
        changes.append(&mut self.changes.list);
        self.changes.went = false;
        if std::mem::take(&mut self.changes.is_lost) { Taken::Lost } else { Taken::All }
    }
}

//! The terminals that were let in: 32 slots, a key each.

use std::time::Duration;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::handshake::{Role, TerminalKey};
use crate::text::CleanText;

/// Terminals that a box knows.
pub const SLOTS: usize = 32;
/// Channels that a guest may be let in for.
pub const GUEST_CHANNELS: usize = 16;
/// Bytes of the longest name of a terminal: 32 characters of any script.
pub(super) const NAME_BYTES: usize = 96;
/// Characters of the longest name of a terminal.
const NAME_CHARS: usize = 32;

/// What a terminal is called by its owner. Made harmless, and cut to what fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalName(CleanText<NAME_BYTES>);

impl TerminalName {
    /// Of `text`; `None` when nothing is left of it.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let clean = CleanText::<NAME_BYTES>::new(text);
        let end = clean.as_str().char_indices().nth(NAME_CHARS).map_or(clean.as_str().len(), |(at, _)| at);
        let name = CleanText::new(&clean.as_str()[..end]);
        (!name.is_empty()).then_some(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// What a guest may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestTerms {
    /// The channels it may watch; none named: all.
    pub channels: Vec<u16, GUEST_CHANNELS>,
    /// When it ends, in seconds since 1970.
    pub until: u64,
}

/// Somebody to be let in.
pub struct Enrolment {
    /// Its name.
    pub name: TerminalName,
    /// What it may.
    pub role: Role,
    /// Its key.
    pub key: TerminalKey,
    /// A guest's terms.
    pub guest: Option<GuestTerms>,
}

/// A terminal that was let in.
#[derive(Clone)]
pub(super) struct Terminal {
    /// Its name.
    pub(super) name: TerminalName,
    /// What it may.
    pub(super) role: Role,
    /// A guest's terms.
    pub(super) guest: Option<GuestTerms>,
    /// When it was let in, in seconds since 1970, where the time was known.
    pub(super) paired: Option<u64>,
    pub(super) key: TerminalKey,
}

/// A place for a terminal. Its generation changes with whoever leaves it, so that nothing made for one is good for the
/// next.
#[derive(Clone, Default)]
pub(super) struct Slot {
    pub(super) generation: u16,
    pub(super) terminal: Option<Terminal>,
}

/// The table of terminals.
#[derive(Clone)]
pub(super) struct Terminals {
    pub(super) slots: [Slot; SLOTS],
}

impl Default for Terminals {
    fn default() -> Self {
        Self { slots: std::array::from_fn(|_| Slot::default()) }
    }
}

impl Terminals {
    /// Lets `enrolment` in at the first free slot.
    pub(super) fn enrol(&mut self, enrolment: Enrolment, now: Option<Duration>) -> Option<(u8, u16)> {
        let index = self.slots.iter().position(|slot| slot.terminal.is_none())?;
        let Enrolment { name, role, key, guest } = enrolment;
        let slot = &mut self.slots[index];
        slot.generation = slot.generation.wrapping_add(1);
        slot.terminal = Some(Terminal { name, role, guest, paired: now.map(|t| t.as_secs()), key });
        Some((u8::try_from(index).unwrap_or(u8::MAX), slot.generation)) // there are 32
    }

    /// Somebody owns the box.
    pub(super) fn has_owner(&self) -> bool {
        self.all().any(|(_, _, terminal)| terminal.role == Role::Owner)
    }

    /// The terminal of a slot, with the slot's generation.
    pub(super) fn get(&self, slot: u8) -> Option<(u16, &Terminal)> {
        let slot = self.slots.get(usize::from(slot))?;
        slot.terminal.as_ref().map(|terminal| (slot.generation, terminal))
    }

    /// All terminals, with their slots and generations.
    pub(super) fn all(&self) -> impl Iterator<Item = (u8, u16, &Terminal)> {
        (0..).zip(&self.slots).filter_map(|(i, slot)| slot.terminal.as_ref().map(|t| (i, slot.generation, t)))
    }

    /// Gives the terminal of `slot` another name.
    pub(super) fn rename(&mut self, slot: u8, name: TerminalName) -> bool {
        let terminal = self.slots.get_mut(usize::from(slot)).and_then(|slot| slot.terminal.as_mut());
        terminal.map(|terminal| terminal.name = name).is_some()
    }

    /// Puts the terminal of `slot` out; all that was made for it is dead.
    pub(super) fn revoke(&mut self, slot: u8) -> bool {
        let Some(slot) = self.slots.get_mut(usize::from(slot)) else { return false };
        slot.generation = slot.generation.wrapping_add(u16::from(slot.terminal.is_some()));
        slot.terminal.take().is_some()
    }

    /// Puts all terminals out.
    pub(super) fn revoke_all(&mut self) {
        (0..).zip(0..SLOTS).for_each(|(slot, _)| {
            self.revoke(slot);
        });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::access) fn enrolment(name: &str, role: Role) -> Enrolment {
        let guest = (role == Role::Guest).then(|| GuestTerms { channels: Vec::new(), until: 1000 });
        let name = TerminalName::new(name).unwrap();
        Enrolment { name, role, key: TerminalKey::new([7; 32]), guest }
    }

    #[test]
    fn terminals_take_the_first_free_slots() {
        let mut terminals = Terminals::default();
        assert_eq!(terminals.enrol(enrolment("player", Role::Player), None), Some((0, 1)));
        assert!(!terminals.has_owner());
        assert_eq!(terminals.enrol(enrolment("owner", Role::Owner), None), Some((1, 1)));
        assert_eq!(terminals.enrol(enrolment("next", Role::Viewer), None), Some((2, 1)));
        assert!(terminals.has_owner());
        let roles: std::vec::Vec<Role> = terminals.all().map(|(_, _, t)| t.role).collect();
        assert_eq!(roles, [Role::Player, Role::Owner, Role::Viewer]);
    }

    #[test]
    fn a_slot_that_was_left_has_another_generation() {
        let mut terminals = Terminals::default();
        for i in 0..SLOTS {
            assert!(terminals.enrol(enrolment("t", Role::Viewer), None).is_some(), "{i}");
        }
        assert_eq!(terminals.enrol(enrolment("t", Role::Viewer), None), None, "full is an answer");
        assert!(terminals.revoke(5) && !terminals.revoke(5) && !terminals.revoke(32));
        assert_eq!(terminals.enrol(enrolment("t", Role::Viewer), None), Some((5, 3)));
        terminals.revoke_all();
        assert_eq!(terminals.all().count(), 0);
        assert_eq!(terminals.enrol(enrolment("t", Role::Viewer), None), Some((0, 3)));
    }

    #[test]
    fn names_are_cleaned_and_cut() {
        let name = |text: &str| TerminalName::new(text).map(|n| n.as_str().to_owned());
        assert_eq!(name(" Ann's\u{202e}\n phone\u{0}"), Some("Ann's phone".into()));
        assert_eq!(name("\u{200e} \n"), None);
        assert_eq!(name(&"好".repeat(40)), Some("好".repeat(32)));
        assert_eq!(name(&"👪".repeat(40)).unwrap().chars().count(), 24, "96 bytes");
    }
}

//! Who is let in, who is put out, and what is kept of it on flash.

use std::io;

use super::Access;
use super::keys::commit_record;
use super::terminals::{Enrolment, GuestTerms, SLOTS, TerminalName, Terminals};
use crate::handshake::Role;
use crate::store::Kind as Record;

/// What a factory reset destroys, the key that seals the others first.
pub const SECRETS: [Record; 8] = [
    Record::Seal,
    Record::Terminals,
    Record::Identity,
    Record::Attempts,
    Record::Registration,
    Record::Counter,
    Record::Parental,
    Record::Providers, // where the box was, which is nobody else's business
];

/// A terminal in short, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// Its slot.
    pub slot: u8,
    /// The slot's generation.
    pub generation: u16,
    /// What its owner calls it.
    pub name: TerminalName,
    /// What it may.
    pub role: Role,
    /// A guest's terms.
    pub guest: Option<GuestTerms>,
    /// When it was let in, in seconds since 1970, where that is known.
    pub paired: Option<u64>,
}

/// Who was put out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutOut {
    /// Everybody.
    pub all: bool,
    /// These, a bit each.
    slots: u32,
}

impl PutOut {
    const ALL: Self = Self { all: true, slots: 0 };

    /// Single slots.
    pub fn slots(self) -> impl Iterator<Item = u8> {
        (0..32_u8).filter(move |slot| self.slots & 1 << slot != 0)
    }
}

const _: () = assert!(SLOTS == u32::BITS as usize);

/// Why nobody is let in.
#[derive(Debug)]
pub enum EnrolError {
    /// All slots are taken.
    Full,
    /// Flash does not take it, so it would be forgotten.
    Flash(io::Error),
}

impl Access {
    /// Lets a terminal in, for good: it is on flash when this returns.
    pub async fn enrol(&self, enrolment: Enrolment) -> Result<Brief, EnrolError> {
        let now = self.clock.now();
        let let_in = self.terminals.borrow_mut().enrol(enrolment, now);
        let (slot, _) = let_in.ok_or(EnrolError::Full)?;
        match self.save_terminals().await {
            Ok(()) => self.terminal(slot).ok_or(EnrolError::Full),
            Err(e) => {
                self.terminals.borrow_mut().revoke(slot);
                Err(EnrolError::Flash(e))
            }
        }
    }

    /// The terminal of a slot.
    #[must_use]
    pub fn terminal(&self, slot: u8) -> Option<Brief> {
        self.terminals().into_iter().find(|t| t.slot == slot)
    }

    /// Somebody owns the box; else the next who pairs is going to.
    #[must_use]
    pub fn has_owner(&self) -> bool {
        self.terminals.borrow().has_owner()
    }

    /// All terminals.
    #[must_use]
    pub fn terminals(&self) -> Vec<Brief> {
        let terminals = self.terminals.borrow();
        let brief = |(slot, generation, t): (u8, u16, &super::terminals::Terminal)| Brief {
            slot,
            generation,
            name: t.name.clone(),
            role: t.role,
            guest: t.guest.clone(),
            paired: t.paired,
        };
        terminals.all().map(brief).collect()
    }

    /// Gives a terminal another name. `false`: the slot is empty.
    pub async fn rename(&self, slot: u8, name: TerminalName) -> io::Result<bool> {
        if !self.terminals.borrow_mut().rename(slot, name) {
            return Ok(false);
        }
        self.save_terminals().await.map(|()| true)
    }

    /// Puts a terminal out: what was made for it is dead at once, its streams end. `false`: the slot is empty.
    pub async fn revoke(&self, slot: u8) -> io::Result<bool> {
        if !self.terminals.borrow_mut().revoke(slot) {
            return Ok(false);
        }
        log::info!("terminal {slot} was put out");
        self.put_out.update(|out| PutOut { slots: out.slots | 1 << slot, ..out });
        self.uses.borrow_mut().end(|account| account.slot == slot);
        self.handovers.borrow_mut().forget(Some(slot));
        self.save_terminals().await.map(|()| true)
    }

    /// Who was put out since this was last asked.
    pub fn take_put_out(&self) -> PutOut {
        self.put_out.take()
    }

    /// Puts all terminals out. The box stays who it is.
    pub async fn revoke_all(&self) -> io::Result<()> {
        log::info!("all terminals were put out");
        self.put_out.set(PutOut::ALL);
        self.terminals.borrow_mut().revoke_all();
        self.uses.borrow_mut().end(|account| account.slot != super::BOX_SLOT);
        self.handovers.borrow_mut().forget(None);
        self.save_terminals().await
    }

    /// Makes the box who it never was: all streams end, the key that its secrets are sealed with is destroyed, then
    /// they are, and a new identity is made. Slots begin anew: nothing made under the old keys is proven by the new.
    pub async fn factory_reset(&self) -> io::Result<()> {
        log::info!("factory reset");
        self.put_out.set(PutOut::ALL);
        self.uses.borrow_mut().end(|_| true);
        self.handovers.borrow_mut().forget(None);
        *self.terminals.borrow_mut() = Terminals::default();
        self.parental.take();
        let unsaved = self.keys.borrow_mut().renew()?;
        for kind in SECRETS {
            self.flash.erased(kind).await?;
        }
        for (kind, record) in unsaved {
            self.flash.saved(kind, record).await?;
        }
        Ok(())
    }

    /// This program stays: from now on it writes its own formats, which the one before it cannot read.
    pub async fn commit(&self) -> io::Result<()> {
        self.flash.saved(Record::Commit, commit_record()).await?;
        self.committed.set(true);
        self.save_terminals().await
    }
}

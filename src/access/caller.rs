//! Somebody whose credentials were proven, and what that allows.

use super::terminals::GuestTerms;
use super::token::{Claims, Kind, Scope};
use super::uses::{Account, Holder};
use super::{Refusal, STREAMS_OF_BOX};
use crate::board;
use crate::channel::{Channel, ChannelTable, Wanted};
use crate::handshake::Role;

const NOT_THIS_ONE: &str = "you are let in for other channels";

/// Somebody whose credentials were proven. Holding one proves that a token of this box, not expired, not revoked, was
/// shown through a door that it is good for; its methods say what that allows.
#[derive(Debug)]
pub struct Caller {
    pub(super) kind: Kind,
    pub(super) slot: u8,
    pub(super) generation: u16,
    pub(super) who: Who,
    scope: Scope,
    connections: Option<u16>,
    recording: bool,
    link: u32,
}

/// What a caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The box itself made the link.
    Box,
    /// A terminal that was let in.
    Terminal(Role, Option<GuestTerms>),
}

impl Caller {
    pub(super) fn new(claims: &Claims, who: Who) -> Self {
        let Claims { kind, slot, generation, scope, connections, recording, id, .. } = *claims;
        let link = if kind == Kind::Link { id } else { 0 };
        Self { kind, slot, generation, who, scope, connections, recording, link }
    }

    /// The slot of the caller's terminal; `None` for a link that the box made.
    #[must_use]
    pub fn slot(&self) -> Option<u8> {
        (self.who != Who::Box).then_some(self.slot)
    }

    /// Whose credential it came by.
    #[must_use]
    pub fn holder(&self) -> Holder {
        self.account().holder()
    }

    /// The caller comes by itself: with its cookie or after it signed, not by a link that anybody can hold.
    #[must_use]
    pub fn is_present(&self) -> bool {
        matches!(self.kind, Kind::Cookie | Kind::Session)
    }

    /// The caller is known by a browser's cookie.
    #[must_use]
    pub fn is_by_cookie(&self) -> bool {
        self.kind == Kind::Cookie
    }

    /// The caller is known by a player's token, which is good for its playlist's entries, too.
    #[must_use]
    pub fn is_player(&self) -> bool {
        self.kind == Kind::Player
    }

    /// The caller is known by a link, which is good for its playlist's entries, too.
    #[must_use]
    pub fn is_by_link(&self) -> bool {
        self.kind == Kind::Link
    }

    /// The caller is the box's own recorder.
    #[must_use]
    pub fn is_recorder(&self) -> bool {
        self.recording && self.who == Who::Box
    }

    /// What it was let in as; `None` for a link that the box made.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self.who {
            Who::Box => None,
            Who::Terminal(role, _) => Some(role),
        }
    }

    /// A guest's terms.
    #[must_use]
    pub fn guest_terms(&self) -> Option<&GuestTerms> {
        match &self.who {
            Who::Terminal(Role::Guest, terms) => terms.as_ref(),
            _ => None,
        }
    }

    /// Opens a channel, if the caller may watch it. Checked here and nowhere else.
    pub fn open(&self, channels: &ChannelTable, wanted: &Wanted) -> Result<Channel, Refusal> {
        self.may_see(wanted.number)?;
        channels.grant(wanted).map_err(Refusal::Channel)
    }

    /// Whether the caller may know of a channel and watch it.
    #[must_use]
    pub fn sees(&self, number: u16) -> bool {
        let by_scope = match self.scope {
            Scope::Channel(only) => only == number,
            Scope::Everything => true,
        };
        let by_terms =
            self.guest_terms().is_none_or(|t| t.channels.is_empty() || t.channels.contains(&number));
        by_scope && by_terms
    }

    /// The same, with the reason why not.
    pub fn may_see(&self, number: u16) -> Result<(), Refusal> {
        let by_link = self.is_by_link();
        let why = || if by_link { "this link is for another channel" } else { NOT_THIS_ONE };
        if self.sees(number) { Ok(()) } else { Err(Refusal::NotAllowed(why())) }
    }

    /// Whether the caller may see the list of channels, as far as it sees them.
    pub fn may_list(&self) -> Result<(), Refusal> {
        match self.scope {
            Scope::Everything => Ok(()),
            Scope::Channel(_) => Err(Refusal::NotAllowed("this link is for one channel, not for the list")),
        }
    }

    /// Whether the caller may speak for itself: keep its session, take it to another browser.
    pub fn may_speak_for_itself(&self) -> Result<(), Refusal> {
        if self.is_present() { Ok(()) } else { Err(Refusal::NotAllowed("a link is for watching only")) }
    }

    /// Whether the caller may say the PIN of the parental lock: who was let in for good may, and comes by itself.
    pub fn may_unlock(&self) -> Result<(), Refusal> {
        self.may_speak_for_itself()?;
        match self.who {
            Who::Terminal(Role::Owner | Role::Viewer, _) => Ok(()),
            _ => Err(Refusal::NotAllowed("a guest unlocks nothing")),
        }
    }

    /// Whether the caller may hand out links.
    pub fn may_hand_out(&self) -> Result<(), Refusal> {
        self.may_speak_for_itself()?;
        match self.who {
            Who::Terminal(Role::Owner | Role::Viewer, _) => Ok(()),
            _ => Err(Refusal::NotAllowed("a guest hands out no links")),
        }
    }

    /// Whether the caller may see and change who is let in.
    pub fn may_manage(&self) -> Result<(), Refusal> {
        self.may_speak_for_itself()?;
        match self.who {
            Who::Terminal(Role::Owner, _) => Ok(()),
            _ => Err(Refusal::NotAllowed("only an owner of this box may do that")),
        }
    }

    /// Whether the caller may rename or remove the terminal of `slot`: an owner any, the others themselves.
    pub fn may_change(&self, slot: u8) -> Result<(), Refusal> {
        match self.may_manage() {
            Err(_) if self.is_present() && self.slot() == Some(slot) && self.role() == Some(Role::Viewer) => {
                Ok(())
            }
            other => other,
        }
    }

    pub(super) fn account(&self) -> Account {
        let slot_most = match self.who {
            Who::Box => STREAMS_OF_BOX,
            Who::Terminal(..) => board::STREAMS_PER_TERMINAL,
        };
        let (slot, generation, link) = (self.slot, self.generation, self.link);
        Account { slot, generation, link, link_most: self.connections, slot_most }
    }
}

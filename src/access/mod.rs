//! Access: who asks, and what they may do. The box's security control module.
//!
//! Owns the keys and every check of a right. A [`Caller`] exists only because its credentials were proven, and a
//! channel can be opened only through one. Until pairing exists the only credential is a link made at the box itself.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::channel::{Channel, ChannelError, ChannelTable, Wanted};

mod token;

pub use token::{CONNECTIONS_MAX, LinkKey, MintError, Scope, TOKEN_CHARS, TTL_MAX, Terms, Token};

/// Checks credentials and counts who is connected by which link.
pub struct Access {
    key: LinkKey,
    /// Links with somebody connected, and how many.
    used: Rc<RefCell<Vec<(u32, u16)>>>,
    /// Links that can be in use at one time.
    capacity: usize,
}

/// Somebody whose credentials were proven. Holding one proves that a token of this box, of this boot, not expired, was
/// shown; it says what the token allows.
#[derive(Debug)]
pub struct Caller {
    token: Token,
}

/// One connection by a link; dropping it makes room for another.
pub struct LinkUse {
    used: Rc<RefCell<Vec<(u32, u16)>>>,
    id: u32,
}

/// Why a caller is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No token, or one that is forged, expired or of another boot. The three are not told apart.
    NotKnown,
    /// The token is for something else.
    NotAllowed(&'static str),
    /// The link is in use by as many players as it may have.
    LinkBusy(u16),
    /// More links are in use than the box counts.
    Full(usize),
    /// The channel is not to be had.
    Channel(ChannelError),
}

impl Access {
    /// Access by links under `key`, for at most `capacity` connections.
    #[must_use]
    pub fn new(key: LinkKey, capacity: usize) -> Self {
        Self { key, used: Rc::new(RefCell::new(Vec::with_capacity(capacity))), capacity }
    }

    /// Makes a link.
    pub fn mint(&self, terms: &Terms, now: Duration) -> Result<heapless::String<TOKEN_CHARS>, MintError> {
        self.key.mint(terms, now)
    }

    /// Proves who calls, from the text of a token.
    pub fn identify(&self, credentials: Option<&str>, now: Duration) -> Result<Caller, Refusal> {
        let token = credentials.and_then(|text| self.key.verify(text, now)).ok_or(Refusal::NotKnown)?;
        Ok(Caller { token })
    }

    /// Counts one more connection by the caller's link. A player may open one more than the link is for, since it
    /// probes and opens again before it closes.
    pub fn connect(&self, caller: &Caller) -> Result<LinkUse, Refusal> {
        const GRACE: u16 = 1;
        let mut used = self.used.borrow_mut();
        let id = caller.token.id;
        let full = used.len() >= self.capacity;
        match used.iter_mut().find(|(known, _)| *known == id) {
            Some((_, n)) => {
                if let Some(most) = caller.token.connections.filter(|most| *n >= most.saturating_add(GRACE)) {
                    return Err(Refusal::LinkBusy(most));
                }
                *n += 1;
            }
            None if full => return Err(Refusal::Full(self.capacity)),
            None => used.push((id, 1)),
        }
        Ok(LinkUse { used: Rc::clone(&self.used), id })
    }
}

impl Caller {
    /// Opens a channel, if the caller may watch it. Checked here and nowhere else.
    pub fn open(&self, channels: &ChannelTable, wanted: &Wanted) -> Result<Channel, Refusal> {
        if !self.token.allows(wanted.number) {
            return Err(Refusal::NotAllowed("this link is for another channel"));
        }
        channels.grant(wanted).map_err(Refusal::Channel)
    }

    /// Whether the caller may see the list of channels.
    pub fn may_list(&self) -> Result<(), Refusal> {
        match self.token.scope {
            Scope::Everything => Ok(()),
            Scope::Channel(_) => Err(Refusal::NotAllowed("this link is for one channel, not for the list")),
        }
    }
}

impl Drop for LinkUse {
    fn drop(&mut self) {
        let mut used = self.used.borrow_mut();
        if let Some(i) = used.iter().position(|(id, _)| *id == self.id) {
            used[i].1 -= 1;
            if used[i].1 == 0 {
                used.swap_remove(i);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(access: &Access, connections: Option<u16>) -> Caller {
        let terms = Terms { scope: Scope::Everything, ttl: Duration::from_secs(60), connections };
        let token = access.mint(&terms, Duration::ZERO).unwrap();
        access.identify(Some(&token), Duration::ZERO).unwrap()
    }

    #[test]
    fn a_link_has_its_connections_and_one_more() {
        let access = Access::new(LinkKey::new([1; 32], 0, 7), 2);
        let one = caller(&access, Some(1));
        let first = access.connect(&one).ok().unwrap();
        let _second = access.connect(&one).ok().unwrap();
        assert_eq!(access.connect(&one).err(), Some(Refusal::LinkBusy(1)));
        drop(first);
        let _again = access.connect(&one).ok().unwrap();
        let many = caller(&access, None);
        let _all: Vec<_> = (0..100).map(|_| access.connect(&many).ok().unwrap()).collect();
        assert_eq!(access.connect(&caller(&access, None)).err(), Some(Refusal::Full(2)));
    }

    #[test]
    fn without_a_token_nobody_is_known() {
        let access = Access::new(LinkKey::new([1; 32], 0, 7), 2);
        assert_eq!(access.identify(None, Duration::ZERO).err(), Some(Refusal::NotKnown));
        assert_eq!(access.identify(Some(""), Duration::ZERO).err(), Some(Refusal::NotKnown));
    }
}

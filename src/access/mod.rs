//! Access: who asks, and what they may do. The box's security control module.
//!
//! Owns the box's keys, the terminals that were let in, and every check of a right. A [`Caller`] exists only because
//! its credentials were proven, and a channel can be opened only through one.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ring::hmac;

use crate::board;
use crate::channel::ChannelError;
use crate::handshake::{BoxId, Fingerprint, Nonce, PROOF, Role, SessionRequest, TerminalKey};
use crate::store::{Kind as Record, Writer};
use crate::sys::{clock, random};

mod caller;
mod hand_out;
mod handover;
mod identity;
mod keys;
mod parental;
mod people;
mod record;
mod session;
mod terminals;
mod token;
mod uses;
mod wall_clock;

pub use caller::Caller;
pub use handover::{CODE, CODE_TTL, NoCode};
pub use identity::Identity;
pub use keys::{BoxKeys, IDENTITY_FORMATS, KeyError, Loaded, OnFlash, look};
pub use parental::{LockState, Locked, NoLock, PARENTAL_FORMATS, UNLOCKED};
pub use people::{Brief, EnrolError, PutOut, SECRETS};
pub use record::{RecordError, TERMINALS_FORMATS};
pub use terminals::{Enrolment, GUEST_CHANNELS, GuestTerms, SLOTS, TerminalName};
pub use token::{CONNECTIONS_MAX, MintError, Scope, TOKEN_CHARS, TTL_MAX, Terms, TokenText};
pub use uses::{Holder, LinkUse, VIEWER_ID_MAX, ViewerId};
pub use wall_clock::{ClockSource, Told};

use caller::Who;
use handover::Handovers;
use parental::Parental;
use session::Nonces;
use terminals::Terminals;
use token::{BOX_SLOT, Claims, Kind, Unproven};
use uses::Uses;
use wall_clock::WallClock;

/// Streams by links that the box made: no limit but its seats.
const STREAMS_OF_BOX: u16 = u16::MAX;

/// Checks credentials and counts who is connected by which.
pub struct Access {
    keys: RefCell<BoxKeys>,
    terminals: RefCell<Terminals>,
    /// The box's own slot, where the links made at the local socket come from.
    boot: u16,
    /// Takes the place of a key that is not there, so that time does not tell which are.
    dummy: TerminalKey,
    nonces: RefCell<Nonces>,
    handovers: RefCell<Handovers>,
    parental: RefCell<Parental>,
    uses: Rc<RefCell<Uses>>,
    clock: WallClock,
    flash: Rc<Writer>,
    /// This program stays: it writes its own formats.
    committed: Cell<bool>,
    /// Who was put out and nobody was told yet.
    put_out: Cell<PutOut>,
    registration: Cell<Option<Vec<u8>>>,
}

/// The way a request came in. What was made for one at home over plain HTTP is no good anywhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The plain listener on the board's LAN interfaces.
    Plain,
    /// The TLS listener, open to the world.
    Tls,
}

/// What a request says to prove who it is from. The first that is there counts, and no other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'r> {
    /// A link's token, from the query.
    pub link: Option<&'r str>,
    /// A session's token, from the `Authorization` field.
    pub bearer: Option<&'r str>,
    /// A browser's cookie.
    pub cookie: Option<&'r str>,
}

/// A terminal's signed request for a session.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'r> {
    /// Its slot.
    pub slot: u8,
    /// The box's nonce.
    pub nonce: Nonce,
    /// The terminal's own nonce.
    pub cnonce: Nonce,
    /// Its proof over both.
    pub proof: &'r [u8; PROOF],
}

/// Why a caller is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No credentials, or forged, expired, revoked ones, or of another boot or box. They are not told apart.
    NotKnown,
    /// The credentials are for something else.
    NotAllowed(&'static str),
    /// What is asked for cannot be.
    BadRequest(&'static str),
    /// The box does not know what time it is, so it cannot tell whether a guest's time is over.
    NoTime,
    /// What is on is rated for an older age than the parental lock's.
    Parental,
    /// The link is in use by as many players as it may have.
    LinkBusy(u16),
    /// The terminal has as many streams as one may have.
    TerminalBusy(u16),
    /// More links are in use than the box counts.
    Full(usize),
    /// The channel is not to be had.
    Channel(ChannelError),
}

impl Access {
    /// Access to a box that knows what was `loaded`, for at most `capacity` connections. `boot` tells this boot of
    /// the kernel from others.
    pub fn new(
        loaded: Loaded,
        flash: Rc<Writer>,
        clock: ClockSource,
        boot: u16,
        capacity: usize,
    ) -> io::Result<Self> {
        let Loaded { keys, terminals, parental, floor, committed, registration } = loaded;
        let (mut dummy, mut secret) = ([0; 32], [0; 32]);
        random::fill(&mut dummy)?;
        random::fill(&mut secret)?;
        Ok(Self {
            keys: RefCell::new(keys),
            terminals: RefCell::new(terminals),
            boot,
            dummy: TerminalKey::new(dummy),
            nonces: RefCell::new(Nonces::new(&secret)),
            handovers: RefCell::default(),
            parental: RefCell::new(parental),
            uses: Uses::new(capacity),
            clock: WallClock::new(clock, floor),
            flash,
            committed: Cell::new(committed),
            put_out: Cell::default(),
            registration: Cell::new(registration),
        })
    }

    /// Proves who calls.
    pub fn identify(&self, shown: Credentials<'_>, door: Door, now: Duration) -> Result<Caller, Refusal> {
        let (text, kinds): (_, &[Kind]) = match shown {
            Credentials { link: Some(link), .. } => (link, &[Kind::Link, Kind::Player]),
            Credentials { bearer: Some(bearer), .. } => (bearer, &[Kind::Session]),
            Credentials { cookie: Some(cookie), .. } => (cookie, &[Kind::Cookie]),
            _ => return Err(Refusal::NotKnown),
        };
        let claims = Unproven::decode(text).and_then(|token| {
            let (slot, kind) = token.claims_to_be();
            token.prove(&self.key_of(slot, kind))
        });
        let claims = claims.filter(|c| kinds.contains(&c.kind)).ok_or(Refusal::NotKnown)?;
        self.admit(&claims, door, now)
    }

    /// What is proven is still to be true: of this boot, not expired, not revoked, good for this door.
    fn admit(&self, claims: &Claims, door: Door, now: Duration) -> Result<Caller, Refusal> {
        let of_boot = claims.boot == self.boot && now.as_secs() < u64::from(claims.expiry);
        let is_over = claims.kind.ends_with_boot() && !of_boot;
        if is_over || (claims.plain && door != Door::Plain) {
            return Err(Refusal::NotKnown);
        }
        if claims.slot == BOX_SLOT {
            let current = self.keys.borrow().link_generation == claims.generation;
            let by_box = current && claims.kind == Kind::Link;
            return if by_box { Ok(Caller::new(claims, Who::Box)) } else { Err(Refusal::NotKnown) };
        }
        let terminals = self.terminals.borrow();
        let terminal = terminals.get(claims.slot).filter(|(generation, _)| *generation == claims.generation);
        let (_, terminal) = terminal.ok_or(Refusal::NotKnown)?;
        if (terminal.role == Role::Player) != (claims.kind == Kind::Player) {
            return Err(Refusal::NotKnown);
        }
        self.judge_time(terminal.guest.as_ref())?;
        Ok(Caller::new(claims, Who::Terminal(terminal.role, terminal.guest.clone())))
    }

    /// The caller, who was let in before, is so still: nobody put it out, and a guest's time is not over.
    #[must_use]
    pub fn still_admits(&self, caller: &Caller) -> bool {
        if caller.who == Who::Box {
            return self.keys.borrow().link_generation == caller.generation;
        }
        let terminals = self.terminals.borrow();
        let terminal = terminals.get(caller.slot).filter(|(generation, _)| *generation == caller.generation);
        terminal.is_some_and(|(_, terminal)| self.judge_time(terminal.guest.as_ref()).is_ok())
    }

    fn judge_time(&self, guest: Option<&GuestTerms>) -> Result<(), Refusal> {
        let Some(terms) = guest else { return Ok(()) };
        let now = self.clock.now().ok_or(Refusal::NoTime)?;
        if now.as_secs() < terms.until { Ok(()) } else { Err(Refusal::NotKnown) }
    }

    /// The key of tokens of `kind` for `slot`. One that is not there takes as long to be made.
    fn key_of(&self, slot: u8, kind: Kind) -> hmac::Key {
        let (terminals, keys) = (self.terminals.borrow(), self.keys.borrow());
        let key = match slot {
            BOX_SLOT => &keys.link_key,
            slot => terminals.get(slot).map_or(&self.dummy, |(_, terminal)| &terminal.key),
        };
        hmac::Key::new(hmac::HMAC_SHA256, &*key.derive(kind.purpose()))
    }

    /// A nonce for a terminal to sign.
    #[must_use]
    pub fn challenge(&self, now: Duration) -> Nonce {
        self.nonces.borrow().give(now)
    }

    /// Opens a session for a terminal that signed an empty request.
    pub fn sign_in(
        &self,
        signed: Signed<'_>,
        door: Door,
        now: Duration,
    ) -> Result<(Caller, TokenText), Refusal> {
        let terminals = self.terminals.borrow();
        let known = terminals.get(signed.slot);
        let key = known.map_or(&self.dummy, |(_, terminal)| &terminal.key);
        let fingerprint = self.keys.borrow().identity.fingerprint();
        let request = SessionRequest {
            box_nonce: &signed.nonce,
            terminal_nonce: &signed.cnonce,
            body: &[],
            fingerprint: &fingerprint,
        };
        let right = request.verify(key, signed.proof).is_ok();
        let mut nonces = self.nonces.borrow_mut();
        let fresh = nonces.is_fresh(&signed.nonce, now);
        let (generation, _) = known.filter(|_| right && fresh).ok_or(Refusal::NotKnown)?;
        if !nonces.spend(signed.cnonce, now) {
            return Err(Refusal::NotKnown);
        }
        drop(terminals);
        let terms = Terms { scope: Scope::Everything, ttl: TTL_MAX, connections: None, recording: false };
        let claims = Claims::limited(Kind::Session, &terms, (signed.slot, generation, self.boot), now);
        let claims = Claims { plain: door == Door::Plain, ..claims.map_err(|_| Refusal::NotKnown)? };
        let caller = self.admit(&claims, door, now)?;
        Ok((caller, claims.seal(&self.key_of(signed.slot, Kind::Session))))
    }

    /// Counts one more connection by the caller; its earlier one with the same viewer id is over.
    pub fn connect(&self, caller: &Caller, viewer: Option<ViewerId>) -> Result<LinkUse, Refusal> {
        Uses::begin(&self.uses, caller.account(), viewer)
    }

    /// Connections were ended since this was last asked: whoever holds one that [`LinkUse::is_over`] hangs up.
    #[must_use]
    pub fn take_over(&self) -> bool {
        self.uses.borrow_mut().take_over()
    }

    /// Ends the connections of guests whose time is over, or cannot be told any more.
    pub fn end_guests(&self) {
        let over: heapless::Vec<u8, SLOTS> = {
            let terminals = self.terminals.borrow();
            let guests = terminals.all().filter(|(_, _, t)| t.role == Role::Guest);
            guests
                .filter(|(_, _, t)| self.judge_time(t.guest.as_ref()).is_err())
                .map(|(slot, ..)| slot)
                .collect()
        };
        if !over.is_empty() {
            self.uses.borrow_mut().end(|account| over.contains(&account.slot));
        }
    }

    /// The box's id.
    #[must_use]
    pub fn box_id(&self) -> BoxId {
        self.keys.borrow().identity.id()
    }

    /// What terminals know the box by.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.keys.borrow().identity.fingerprint()
    }

    /// The time since 1970, where it can be trusted.
    #[must_use]
    pub fn wall_clock(&self) -> Option<Duration> {
        self.clock.now()
    }

    /// Takes the word of the name service on the time since 1970: it proved who it is.
    pub fn trust_time(&self, told: Told, utc: Duration) {
        self.clock.trust(told, utc, clock::boot());
    }

    /// The record of the box's name that flash had at the start, once.
    #[must_use]
    pub fn take_registration(&self) -> Option<Vec<u8>> {
        self.registration.take()
    }

    /// Has the record of the box's name on flash before it returns, sealed as the box's own keys are.
    pub async fn save_registration(&self, record: Vec<u8>) -> io::Result<()> {
        let sealed = self.keys.borrow().seal(record)?;
        self.flash.saved(Record::Registration, sealed).await
    }

    /// Has the terminals on flash before it returns.
    async fn save_terminals(&self) -> io::Result<()> {
        let format = if self.committed.get() { record::FORMAT } else { record::FORMAT_BEFORE };
        let bytes = record::write(&self.terminals.borrow(), self.clock.floor(), format);
        let sealed = self.keys.borrow().seal(bytes)?;
        self.flash.saved(Record::Terminals, sealed).await
    }
}

#[cfg(test)]
mod tests;

const _: () = assert!(board::STREAMS_PER_TERMINAL > 0);

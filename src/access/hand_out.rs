//! What is handed out to be shown again: links, cookies, players' URLs, hand-over codes.

use std::time::Duration;

use super::token::{BOX_SLOT, Claims, Kind, MintError, Terms, TokenText};
use super::{Access, Brief, CODE, Caller, Door, NoCode, Refusal, Who};
use crate::handshake::Role;

impl Access {
    /// Makes a link of the box itself. It is for plain HTTP at home.
    pub fn mint(&self, terms: &Terms, now: Duration) -> Result<TokenText, MintError> {
        let generation = self.keys.borrow().link_generation;
        self.link((BOX_SLOT, generation), Door::Plain, terms, now)
    }

    /// Makes a link that a caller hands out. It ends with the caller's terminal.
    pub fn mint_for(
        &self,
        caller: &Caller,
        door: Door,
        terms: &Terms,
        now: Duration,
    ) -> Result<TokenText, MintError> {
        let terms = Terms { recording: false, ..*terms };
        self.link((caller.slot, caller.generation), door, &terms, now)
    }

    fn link(
        &self,
        (slot, generation): (u8, u16),
        door: Door,
        terms: &Terms,
        now: Duration,
    ) -> Result<TokenText, MintError> {
        let claims = Claims::limited(Kind::Link, terms, (slot, generation, self.boot), now)?;
        Ok(Claims { plain: door == Door::Plain, ..claims }.seal(&self.key_of(slot, Kind::Link)))
    }

    /// A cookie for the terminal of `slot` at `generation`, each time another.
    pub fn cookie(&self, (slot, generation): (u8, u16), door: Door) -> Result<TokenText, MintError> {
        let claims = Claims::lasting(Kind::Cookie, slot, generation)?;
        Ok(Claims { plain: door == Door::Plain, ..claims }.seal(&self.key_of(slot, Kind::Cookie)))
    }

    /// A cookie in place of the one that `caller` showed.
    pub fn renewed_cookie(&self, caller: &Caller, door: Door) -> Option<TokenText> {
        caller.is_by_cookie().then(|| self.cookie_of(caller, door)).flatten()
    }

    /// A cookie for a caller who signed; none without randomness, when what it has goes on.
    pub fn cookie_of(&self, caller: &Caller, door: Door) -> Option<TokenText> {
        self.cookie((caller.slot, caller.generation), door).ok()
    }

    /// The token of a player's URL: good at home until the slot is revoked.
    pub fn player_token(&self, player: &Brief) -> Result<TokenText, MintError> {
        debug_assert!(player.role == Role::Player);
        let claims = Claims::lasting(Kind::Player, player.slot, player.generation)?;
        Ok(Claims { plain: true, ..claims }.seal(&self.key_of(player.slot, Kind::Player)))
    }

    /// A one-use code that takes the caller's slot to another browser, origin or home-screen app.
    pub fn hand_over(&self, caller: &Caller, now: Duration) -> Result<[u8; CODE], NoCode> {
        self.handovers.borrow_mut().make(caller.slot, caller.generation, now)
    }

    /// Spends a code: the caller it stands for, and the cookie it comes with.
    pub fn redeem(
        &self,
        code: &[u8; CODE],
        door: Door,
        now: Duration,
    ) -> Result<(Caller, TokenText), Refusal> {
        let (slot, generation) = self.handovers.borrow_mut().redeem(code, now).ok_or(Refusal::NotKnown)?;
        let claims = Claims::lasting(Kind::Cookie, slot, generation).map_err(|_| Refusal::NotKnown)?;
        let claims = Claims { plain: door == Door::Plain, ..claims };
        let caller = self.admit(&claims, door, now)?;
        debug_assert!(caller.who != Who::Box);
        Ok((caller, claims.seal(&self.key_of(slot, Kind::Cookie))))
    }
}

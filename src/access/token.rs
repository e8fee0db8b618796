//! Link tokens: what a player's URL carries, since players cannot send headers.
//!
//! ```text
//!   0   ver u8 = 1 | slot u8 | generation u16 | boot u16 | expiry u32 | scope u8 | channel u16 | id u24
//!   16  HMAC-SHA-256 over the 16 bytes before, its first 128 bits
//! ```
//!
//! 32 bytes, 43 characters of base64url. No wall clock is in it: the expiry counts seconds of the box's own clock
//! since it booted, and `boot` is a hash of the kernel's boot id, so that a token ends with the boot it was made in
//! and outlives a restart of the process. Slot 255 is the box itself.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::sys::random;

/// Bytes of a token.
const TOKEN: usize = 32;
/// Bytes of it that the MAC covers.
const CLAIMS: usize = 16;
/// Characters of a token in a URL.
pub const TOKEN_CHARS: usize = 43;
/// The longest a link may live.
pub const TTL_MAX: Duration = Duration::from_secs(12 * 3600);
/// The slot of links that the box makes itself.
const BOX_SLOT: u8 = 255;
/// The most connections a link can be limited to; the field's highest value stands for "no limit".
pub const CONNECTIONS_MAX: u16 = 63;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Watch one channel.
    Channel(u16),
    /// See the list and watch every channel.
    Everything,
}

/// What a link shall allow.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What it is for.
    pub scope: Scope,
    /// How long it lives.
    pub ttl: Duration,
    /// How many players at one time, 1 to [`CONNECTIONS_MAX`]; `None`: no limit but the box's own.
    pub connections: Option<u16>,
}

/// Why a link cannot be made.
#[derive(Debug)]
pub enum MintError {
    /// Longer than [`TTL_MAX`], or no time at all.
    Ttl,
    /// Not 1 to [`CONNECTIONS_MAX`].
    Connections,
    /// The kernel has no randomness yet.
    NoEntropy(std::io::Error),
}

impl std::fmt::Display for MintError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ttl => write!(f, "a link lives from 1 second to {} hours", TTL_MAX.as_secs() / 3600),
            Self::Connections => {
                write!(f, "a link is for 1 to {CONNECTIONS_MAX} players at one time, or 0: no limit")
            }
            Self::NoEntropy(e) => write!(f, "no randomness yet: {e}"),
        }
    }
}

/// A token that was proven.
#[derive(Debug)]
pub struct Token {
    /// What it is for.
    pub(super) scope: Scope,
    /// Which link it is.
    pub(super) id: u32,
    /// How many players at one time.
    pub(super) connections: Option<u16>,
}

impl Token {
    /// It is for this channel.
    pub(super) fn allows(&self, channel: u16) -> bool {
        match self.scope {
            Scope::Channel(number) => number == channel,
            Scope::Everything => true,
        }
    }
}

/// The box's own link key, in this boot.
pub struct LinkKey {
    key: hmac::Key,
    generation: u16,
    boot: u16,
}

impl LinkKey {
    /// The key of `secret`, at its `generation`; `boot` tells this boot of the kernel from others.
    #[must_use]
    pub fn new(secret: [u8; 32], generation: u16, boot: u16) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &secret), generation, boot }
    }

    /// Makes a token for `terms`, at `now` of the boot clock.
    pub(super) fn mint(
        &self,
        terms: &Terms,
        now: Duration,
    ) -> Result<heapless::String<TOKEN_CHARS>, MintError> {
        if terms.ttl < Duration::from_secs(1) || terms.ttl > TTL_MAX {
            return Err(MintError::Ttl);
        }
        let limit = match terms.connections {
            None => 0x3f,
            Some(n @ 1..=CONNECTIONS_MAX) => u8::try_from(n - 1).map_err(|_| MintError::Connections)?,
            Some(_) => return Err(MintError::Connections),
        };
        let (scope, channel) = match terms.scope {
            Scope::Channel(number) => (1, number),
            Scope::Everything => (2, 0),
        };
        let mut id = [0; 3];
        random::fill(&mut id).map_err(MintError::NoEntropy)?;
        // A box that runs for 136 years makes no more links.
        let expiry = u32::try_from((now + terms.ttl).as_secs()).map_err(|_| MintError::Ttl)?;
        let mut token = [0; TOKEN];
        token[0..2].copy_from_slice(&[1, BOX_SLOT]);
        token[2..4].copy_from_slice(&self.generation.to_le_bytes());
        token[4..6].copy_from_slice(&self.boot.to_le_bytes());
        token[6..10].copy_from_slice(&expiry.to_le_bytes());
        token[10] = limit << 2 | scope;
        token[11..13].copy_from_slice(&channel.to_le_bytes());
        token[13..16].copy_from_slice(&id);
        let mac = hmac::sign(&self.key, &token[..CLAIMS]);
        token[CLAIMS..].copy_from_slice(&mac.as_ref()[..TOKEN - CLAIMS]);
        let mut text = [0; TOKEN_CHARS];
        let text = Base64UrlUnpadded::encode(&token, &mut text).unwrap_or_default();
        Ok(heapless::String::try_from(text).unwrap_or_default())
    }

    /// Proves the token in `text`, at `now` of the boot clock.
    pub(super) fn verify(&self, text: &str, now: Duration) -> Option<Token> {
        let mut bytes = [0; TOKEN];
        let token: &[u8; TOKEN] = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.try_into().ok()?;
        let mac = hmac::sign(&self.key, &token[..CLAIMS]);
        // The MAC is compared first and whole, so that time tells a forger nothing of the rest.
        let proven = bool::from(mac.as_ref()[..TOKEN - CLAIMS].ct_eq(&token[CLAIMS..]));
        let u16_at = |i: usize| u16::from_le_bytes([token[i], token[i + 1]]);
        let expiry = u32::from_le_bytes([token[6], token[7], token[8], token[9]]);
        let ours =
            token[0] == 1 && token[1] == BOX_SLOT && u16_at(2) == self.generation && u16_at(4) == self.boot;
        if !proven || !ours || now.as_secs() >= u64::from(expiry) {
            return None;
        }
        let scope = match token[10] & 3 {
            1 => Scope::Channel(u16_at(11)),
            2 => Scope::Everything,
            _ => return None,
        };
        let limit = u16::from(token[10] >> 2);
        Some(Token {
            scope,
            id: u32::from_le_bytes([token[13], token[14], token[15], 0]),
            connections: (limit != 0x3f).then_some(limit + 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(u64) -> Duration = Duration::from_secs;

    fn key(boot: u16) -> LinkKey {
        LinkKey::new([7; 32], 3, boot)
    }

    fn terms(scope: Scope, connections: Option<u16>) -> Terms {
        Terms { scope, ttl: T(60), connections }
    }

    #[test]
    fn a_token_says_what_it_was_made_for_until_it_expires() {
        let text = key(1).mint(&terms(Scope::Channel(42), Some(5)), T(100)).unwrap();
        assert_eq!(text.len(), TOKEN_CHARS);
        let token = key(1).verify(&text, T(159)).unwrap();
        assert_eq!((token.scope, token.connections), (Scope::Channel(42), Some(5)));
        assert!(token.allows(42) && !token.allows(43));
        assert!(key(1).verify(&text, T(160)).is_none());
        let text = key(1).mint(&terms(Scope::Everything, None), T(0)).unwrap();
        assert_eq!(key(1).verify(&text, T(1)).unwrap().connections, None);
    }

    #[test]
    fn no_other_text_is_a_token() {
        let text = key(1).mint(&terms(Scope::Channel(1), Some(1)), T(0)).unwrap();
        for i in 0..TOKEN_CHARS - 1 {
            let mut forged = text.as_bytes().to_vec();
            forged[i] = if forged[i] == b'A' { b'B' } else { b'A' };
            assert!(key(1).verify(std::str::from_utf8(&forged).unwrap(), T(1)).is_none(), "character {i}");
        }
        assert!(key(2).verify(&text, T(1)).is_none(), "another boot");
        assert!(LinkKey::new([8; 32], 3, 1).verify(&text, T(1)).is_none(), "another box");
        assert!(LinkKey::new([7; 32], 4, 1).verify(&text, T(1)).is_none(), "another generation");
        for text in ["", "A", &text[1..], &format!("{text}A")] {
            assert!(key(1).verify(text, T(1)).is_none());
        }
    }

    #[test]
    fn terms_that_cannot_be_are_refused() {
        let mint =
            |ttl, connections| key(1).mint(&Terms { scope: Scope::Everything, ttl, connections }, T(0));
        assert!(matches!(mint(T(0), None), Err(MintError::Ttl)));
        assert!(matches!(mint(TTL_MAX + T(1), None), Err(MintError::Ttl)));
        assert!(matches!(mint(T(1), Some(0)), Err(MintError::Connections)));
        assert!(matches!(mint(T(1), Some(CONNECTIONS_MAX + 1)), Err(MintError::Connections)));
        assert!(mint(TTL_MAX, Some(CONNECTIONS_MAX)).is_ok());
    }
}

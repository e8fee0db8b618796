//! Tokens: what a URL, a cookie or an `Authorization` field carries in place of a key.
//!
//! ```text
//!   0   kind u8 | slot u8 | generation u16 | boot u16 | expiry u32 | scope u8 | channel u16 | id u24
//!   16  HMAC-SHA-256 over the 16 bytes before, its first 128 bits
//! ```
//!
//! 32 bytes, 43 characters of base64url. The low four bits of `kind` say what it is, its high bit that it was made over
//! plain HTTP, the bit below that it is the box's own recorder's. No wall clock is in it: the expiry counts seconds of the box's own clock since it booted, and `boot` is
//! a hash of the kernel's boot id, so that a token ends with the boot it was made in and outlives a restart of the
//! process. Cookies and players' tokens last over boots, until their slot's generation changes. Slot 255 is the box.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::handshake::Purpose;
use crate::sys::random;

/// Bytes of a token.
const TOKEN: usize = 32;
/// Bytes of it that the MAC covers.
const CLAIMS: usize = 16;
/// Characters of a token in a URL.
pub const TOKEN_CHARS: usize = 43;
/// The longest a link or a session may live.
pub const TTL_MAX: Duration = Duration::from_secs(12 * 3600);
/// The slot of links that the box makes itself.
pub(super) const BOX_SLOT: u8 = 255;
/// The most connections a link can be limited to; the field's highest value stands for "no limit".
pub const CONNECTIONS_MAX: u16 = 63;
/// The bit of `kind` that says "made over plain HTTP".
const PLAIN: u8 = 0x80;
/// The bit of `kind` that says "for a recording". A program from before it takes no token that has it.
const RECORDING: u8 = 0x40;

/// The text of a token.
pub type TokenText = heapless::String<TOKEN_CHARS>;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// In a URL, for players: watches, for a time.
    Link = 1,
    /// A browser's lasting credential.
    Cookie = 2,
    /// In a URL, until its slot is revoked.
    Player = 3,
    /// A native terminal's, for a time, after it signed.
    Session = 4,
}

impl Kind {
    const fn from_number(number: u8) -> Option<Self> {
        match number & !(PLAIN | RECORDING) {
            1 => Some(Self::Link),
            2 => Some(Self::Cookie),
            3 => Some(Self::Player),
            4 => Some(Self::Session),
            _ => None,
        }
    }

    /// What the key is for that it is made with. The MAC covers the kind, so a link passes for no session.
    pub(super) const fn purpose(self) -> Purpose {
        match self {
            Self::Link | Self::Session => Purpose::Link,
            Self::Cookie => Purpose::Cookie,
            Self::Player => Purpose::Player,
        }
    }

    /// It ends with the boot it was made in.
    pub(super) const fn ends_with_boot(self) -> bool {
        matches!(self, Self::Link | Self::Session)
    }
}

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
    /// It is a recorder's, whose wish for a tuner goes before that of people who watch. Only the box hands such out.
    pub recording: bool,
}

/// Why a token cannot be made.
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

/// What a token says. Whether that is so, [`Unproven::prove`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) kind: Kind,
    /// Made over plain HTTP: no good anywhere else.
    pub(super) plain: bool,
    pub(super) slot: u8,
    pub(super) generation: u16,
    pub(super) boot: u16,
    /// In seconds of the boot clock.
    pub(super) expiry: u32,
    pub(super) scope: Scope,
    /// How many players at one time.
    pub(super) connections: Option<u16>,
    /// It is a recorder's.
    pub(super) recording: bool,
    /// Tells one link from another.
    pub(super) id: u32,
}

impl Claims {
    /// Claims of a new link or session under `terms`, at `now` of the boot clock.
    pub(super) fn limited(
        kind: Kind,
        terms: &Terms,
        (slot, generation, boot): (u8, u16, u16),
        now: Duration,
    ) -> Result<Self, MintError> {
        if terms.ttl < Duration::from_secs(1) || terms.ttl > TTL_MAX {
            return Err(MintError::Ttl);
        }
        if terms.connections.is_some_and(|n| n == 0 || n > CONNECTIONS_MAX) {
            return Err(MintError::Connections);
        }
        // A box that runs for 136 years makes no more links.
        let expiry = u32::try_from((now + terms.ttl).as_secs()).map_err(|_| MintError::Ttl)?;
        let Terms { scope, connections, recording, .. } = *terms;
        let id = fresh_id()?;
        Ok(Self { kind, plain: false, slot, generation, boot, expiry, scope, connections, recording, id })
    }

    /// Claims of a new cookie or player's token.
    pub(super) fn lasting(kind: Kind, slot: u8, generation: u16) -> Result<Self, MintError> {
        let (scope, id) = (Scope::Everything, fresh_id()?);
        let (boot, expiry, connections, recording) = (0, 0, None, false);
        Ok(Self { kind, plain: false, slot, generation, boot, expiry, scope, connections, recording, id })
    }

    /// The token's text, proven by `key`.
    pub(super) fn seal(&self, key: &hmac::Key) -> TokenText {
        let (scope, channel) = match self.scope {
            Scope::Channel(number) => (1, number),
            Scope::Everything => (2, 0),
        };
        let limit = self.connections.and_then(|n| u8::try_from(n - 1).ok()).unwrap_or(0x3f);
        let mut token = [0; TOKEN];
        let flag = |is_set, bit| if is_set { bit } else { 0 };
        token[0] = self.kind as u8 | flag(self.plain, PLAIN) | flag(self.recording, RECORDING);
        token[1] = self.slot;
        token[2..4].copy_from_slice(&self.generation.to_le_bytes());
        token[4..6].copy_from_slice(&self.boot.to_le_bytes());
        token[6..10].copy_from_slice(&self.expiry.to_le_bytes());
        token[10] = limit << 2 | scope;
        token[11..13].copy_from_slice(&channel.to_le_bytes());
        token[13..16].copy_from_slice(&self.id.to_le_bytes()[..3]);
        let mac = hmac::sign(key, &token[..CLAIMS]);
        token[CLAIMS..].copy_from_slice(&mac.as_ref()[..TOKEN - CLAIMS]);
        let mut text = [0; TOKEN_CHARS];
        let text = Base64UrlUnpadded::encode(&token, &mut text).unwrap_or_default();
        heapless::String::try_from(text).unwrap_or_default()
    }
}

fn fresh_id() -> Result<u32, MintError> {
    let mut id = [0; 3];
    random::fill(&mut id).map_err(MintError::NoEntropy)?;
    Ok(u32::from_le_bytes([id[0], id[1], id[2], 0]))
}

/// A text that has the shape of a token.
pub(super) struct Unproven([u8; TOKEN]);

impl Unproven {
    /// Of `text`.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let mut bytes = [0; TOKEN];
        let token = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        Some(Self(token.try_into().ok()?))
    }

    /// The slot and the kind that it claims, for the key to be found.
    pub(super) fn claims_to_be(&self) -> (u8, Kind) {
        (self.0[1], Kind::from_number(self.0[0]).unwrap_or(Kind::Link))
    }

    /// Its claims, if `key` made it. The MAC is compared first and whole: time tells a forger nothing of the rest.
    pub(super) fn prove(&self, key: &hmac::Key) -> Option<Claims> {
        let token = &self.0;
        let mac = hmac::sign(key, &token[..CLAIMS]);
        let proven = bool::from(mac.as_ref()[..TOKEN - CLAIMS].ct_eq(&token[CLAIMS..]));
        let kind = Kind::from_number(token[0]).filter(|_| proven)?;
        let u16_at = |i: usize| u16::from_le_bytes([token[i], token[i + 1]]);
        let limit = u16::from(token[10] >> 2);
        Some(Claims {
            kind,
            plain: token[0] & PLAIN != 0,
            slot: token[1],
            generation: u16_at(2),
            boot: u16_at(4),
            expiry: u32::from_le_bytes([token[6], token[7], token[8], token[9]]),
            scope: match token[10] & 3 {
                1 => Scope::Channel(u16_at(11)),
                2 => Scope::Everything,
                _ => return None,
            },
            connections: (limit != 0x3f).then_some(limit + 1),
            recording: token[0] & RECORDING != 0,
            id: u32::from_le_bytes([token[13], token[14], token[15], 0]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(u64) -> Duration = Duration::from_secs;

    fn key(secret: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[secret; 32])
    }

    fn terms(scope: Scope, ttl: Duration, connections: Option<u16>) -> Terms {
        Terms { scope, ttl, connections, recording: false }
    }

    fn claims(scope: Scope, connections: Option<u16>) -> Claims {
        Claims::limited(Kind::Link, &terms(scope, T(60), connections), (3, 2, 77), T(100)).unwrap()
    }

    #[test]
    fn a_token_says_what_it_was_made_for() {
        for scope in [Scope::Channel(42), Scope::Everything] {
            for connections in [None, Some(1), Some(CONNECTIONS_MAX)] {
                for (plain, recording) in [(false, false), (true, false), (false, true), (true, true)] {
                    let made = Claims { plain, recording, ..claims(scope, connections) };
                    let text = made.seal(&key(1));
                    assert_eq!(text.len(), TOKEN_CHARS);
                    let unproven = Unproven::decode(&text).unwrap();
                    assert_eq!(unproven.claims_to_be(), (3, Kind::Link));
                    assert_eq!(unproven.prove(&key(1)), Some(made));
                    assert_eq!(unproven.prove(&key(2)), None, "another key");
                }
            }
        }
        let lasting = Claims::lasting(Kind::Cookie, 9, 5).unwrap();
        assert_eq!(Unproven::decode(&lasting.seal(&key(1))).unwrap().prove(&key(1)), Some(lasting));
        assert_eq!(claims(Scope::Everything, None).expiry, 160);
    }

    #[test]
    fn no_bit_of_a_token_can_be_changed() {
        let text = claims(Scope::Channel(1), Some(1)).seal(&key(1));
        let token = Unproven::decode(&text).unwrap().0;
        for bit in 0..TOKEN * 8 {
            let mut forged = token;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Unproven(forged).prove(&key(1)), None, "bit {bit}");
        }
        for text in ["", "A", &text[1..], &format!("{text}A"), &format!("{text}=")] {
            assert!(Unproven::decode(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn terms_that_cannot_be_are_refused() {
        let make = |ttl, connections| {
            Claims::limited(Kind::Link, &terms(Scope::Everything, ttl, connections), (0, 0, 0), T(0))
        };
        assert!(matches!(make(T(0), None), Err(MintError::Ttl)));
        assert!(matches!(make(TTL_MAX + T(1), None), Err(MintError::Ttl)));
        assert!(matches!(make(T(1), Some(0)), Err(MintError::Connections)));
        assert!(matches!(make(T(1), Some(CONNECTIONS_MAX + 1)), Err(MintError::Connections)));
        assert!(make(TTL_MAX, Some(CONNECTIONS_MAX)).is_ok());
    }
}

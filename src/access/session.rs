//! Signed sessions: a native terminal proves that it holds its key, over a nonce that the box gave out a moment ago.

use std::time::Duration;

use heapless::Deque;
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::handshake::Nonce;

/// A nonce is good for so long.
const NONCE_TTL: Duration = Duration::from_secs(60);
/// Nonces that were used in that time; only a terminal that proved itself uses one up.
const USED: usize = 64;
/// Bytes of a nonce that say when it was given out.
const STAMP: usize = 4;

/// Makes nonces and knows them again, without a list of those it gave out: each holds its time and a MAC.
pub(super) struct Nonces {
    key: hmac::Key,
    used: Deque<(Duration, Nonce), USED>,
}

impl Nonces {
    /// `secret` is of this process.
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), used: Deque::new() }
    }

    /// A nonce, given out at `now` of the boot clock. Two of one second are alike: what makes a session's proof unlike
    /// all others is the terminal's half, and both halves are remembered together.
    pub(super) fn give(&self, now: Duration) -> Nonce {
        let stamp = u32::try_from(now.as_secs()).unwrap_or(u32::MAX).to_le_bytes();
        let mut nonce = [0; 16];
        nonce[..STAMP].copy_from_slice(&stamp);
        nonce[STAMP..].copy_from_slice(&hmac::sign(&self.key, &stamp).as_ref()[..16 - STAMP]);
        Nonce(nonce)
    }

    /// `nonce` was given out less than a minute ago.
    pub(super) fn is_fresh(&self, nonce: &Nonce, now: Duration) -> bool {
        let Some((stamp, mac)) = nonce.0.split_first_chunk::<STAMP>() else { return false };
        let right = hmac::sign(&self.key, stamp).as_ref()[..16 - STAMP].ct_eq(mac);
        let age = now.as_secs().checked_sub(u32::from_le_bytes(*stamp).into());
        bool::from(right) && age.is_some_and(|age| age < NONCE_TTL.as_secs())
    }

    /// Remembers that a terminal proved itself with `cnonce`; says no where it did before, or where more did in a
    /// minute than can be remembered.
    pub(super) fn spend(&mut self, cnonce: Nonce, now: Duration) -> bool {
        while self.used.front().is_some_and(|(at, _)| now >= *at + NONCE_TTL) {
            self.used.pop_front();
        }
        let replayed = self.used.iter().any(|(_, used)| *used == cnonce);
        !replayed && self.used.push_back((now, cnonce)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_nonce_is_good_for_a_minute_and_none_can_be_made_up() {
        let nonces = Nonces::new(&[1; 32]);
        let nonce = nonces.give(T(100));
        assert!(nonces.is_fresh(&nonce, T(100)) && nonces.is_fresh(&nonce, T(159)));
        assert!(!nonces.is_fresh(&nonce, T(160)) && !nonces.is_fresh(&nonce, T(99)));
        for bit in 0..128 {
            let mut forged = nonce.0;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!nonces.is_fresh(&Nonce(forged), T(100)), "bit {bit}");
        }
        assert!(!Nonces::new(&[2; 32]).is_fresh(&nonce, T(100)), "another process");
    }

    #[test]
    fn a_proof_is_good_once() {
        let mut nonces = Nonces::new(&[1; 32]);
        assert!(nonces.spend(Nonce([1; 16]), T(0)) && !nonces.spend(Nonce([1; 16]), T(59)));
        for i in 2..=64 {
            assert!(nonces.spend(Nonce([i; 16]), T(1)), "{i}");
        }
        assert!(!nonces.spend(Nonce([99; 16]), T(2)), "full is an answer");
        assert!(nonces.spend(Nonce([99; 16]), T(60)), "the first is forgotten");
    }
}

//! Nonces of one use that cost no memory until they are used.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use ring::hmac;

/// How long a nonce is good.
pub(super) const NONCE_LIFE: Duration = Duration::from_secs(120);

/// A nonce is `second u32 | number u32 | HMAC-SHA256/64 of both`: nobody can fill a table by asking for them.
pub(super) struct Nonces {
    key: hmac::Key,
    number: u32,
    used: HashSet<[u8; 16]>,
    by_age: VecDeque<(u32, [u8; 16])>,
    capacity: usize,
}

/// Why a nonce does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceError {
    /// Not one of ours, too old, or used before.
    Stale,
    /// Too many were used in the last two minutes.
    Full,
}

impl Nonces {
    /// At most `capacity` uses in [`NONCE_LIFE`].
    pub(super) fn new(key: &[u8; 32], capacity: usize) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            number: 0,
            used: HashSet::with_capacity(capacity),
            by_age: VecDeque::with_capacity(capacity),
            capacity,
        }
    }

    /// A new one.
    pub(super) fn issue(&mut self, now: Duration) -> [u8; 16] {
        self.number = self.number.wrapping_add(1);
        self.nonce(second(now), self.number)
    }

    /// Uses `nonce` up.
    pub(super) fn take(&mut self, now: Duration, nonce: &[u8; 16]) -> Result<(), NonceError> {
        let now = second(now);
        let life = second(NONCE_LIFE);
        while self.by_age.front().is_some_and(|(issued, _)| issued.saturating_add(life) < now) {
            if let Some((_, old)) = self.by_age.pop_front() {
                self.used.remove(&old);
            }
        }
        let [a, b, c, d, e, f, g, h, ..] = *nonce;
        let (issued, number) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        // a forged one gains nothing that a bought one has not, so the comparison need not be in constant time
        if self.nonce(issued, number) != *nonce || issued > now || issued.saturating_add(life) < now {
            return Err(NonceError::Stale);
        }
        if self.used.contains(nonce) {
            return Err(NonceError::Stale);
        }
        if self.used.len() >= self.capacity {
            return Err(NonceError::Full);
        }
        self.used.insert(*nonce);
        self.by_age.push_back((issued, *nonce));
        Ok(())
    }

    fn nonce(&self, second: u32, number: u32) -> [u8; 16] {
        let mut nonce = [0; 16];
        nonce[..4].copy_from_slice(&second.to_be_bytes());
        nonce[4..8].copy_from_slice(&number.to_be_bytes());
        let tag = hmac::sign(&self.key, &nonce[..8]);
        nonce[8..].copy_from_slice(&tag.as_ref()[..8]);
        nonce
    }
}

fn second(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_nonce_is_good_once_and_for_two_minutes() {
        let mut nonces = Nonces::new(&[1; 32], 2);
        let (a, b, c, d) =
            (nonces.issue(at(5)), nonces.issue(at(5)), nonces.issue(at(5)), nonces.issue(at(125)));
        assert_ne!(a, b);
        assert_eq!(nonces.take(at(5), &a), Ok(()));
        assert_eq!(nonces.take(at(5), &a), Err(NonceError::Stale), "used");
        assert_eq!(nonces.take(at(125), &b), Ok(()));
        assert_eq!(nonces.take(at(125), &c), Err(NonceError::Full));
        assert_eq!(nonces.take(at(126), &c), Err(NonceError::Stale), "too old");
        assert_eq!(nonces.take(at(126), &d), Ok(()), "the used ones were forgotten with their age");
        let mut forged = nonces.issue(at(126));
        forged[3] ^= 1;
        assert_eq!(nonces.take(at(126), &forged), Err(NonceError::Stale));
        let other = Nonces::new(&[2; 32], 2).issue(at(126));
        assert_eq!(nonces.take(at(126), &other), Err(NonceError::Stale), "of another start");
    }
}

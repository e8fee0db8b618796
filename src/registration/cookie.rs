//! Cookies: who can read what is sent to an address is there.
//!
//! The MAC of a beat cannot cover its source, which routers rewrite; so a captured beat that is sent from elsewhere
//! could move a name. A new source is believed only when it echoes what was sent to it (as in RFC 9000 §8.2).

use std::net::{IpAddr, SocketAddr};

use ring::hmac;
use subtle::ConstantTimeEq;

use super::BoxId;

/// Bytes of a cookie.
pub const COOKIE: usize = 16;
/// Seconds of a slot: a cookie is good in its own and in the next.
pub const SLOT_S: u64 = 30;

/// What cookies are made with. Random at every start, so that each box proves its address anew after one.
pub struct CookieKey(hmac::Key);

impl CookieKey {
    /// Of 32 random bytes.
    #[must_use]
    pub fn new(random: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, random))
    }

    /// What `id` has to echo from `source`; `seconds` are of a clock that never goes back.
    #[must_use]
    pub fn mint(&self, source: SocketAddr, id: BoxId, seconds: u64) -> [u8; COOKIE] {
        self.of_slot(source, id, seconds / SLOT_S)
    }

    /// It was made for this source and box, in this slot or the one before.
    #[must_use]
    pub fn is_valid(&self, cookie: &[u8; COOKIE], source: SocketAddr, id: BoxId, seconds: u64) -> bool {
        let slot = seconds / SLOT_S;
        let is_of = |slot| bool::from(self.of_slot(source, id, slot).ct_eq(cookie));
        is_of(slot) || slot.checked_sub(1).is_some_and(is_of)
    }

    fn of_slot(&self, source: SocketAddr, id: BoxId, slot: u64) -> [u8; COOKIE] {
        let ip = match source.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut text = [0; 16 + 2 + 8 + 8];
        text[..16].copy_from_slice(&ip.octets());
        text[16..18].copy_from_slice(&source.port().to_be_bytes());
        text[18..26].copy_from_slice(&id.0);
        text[26..].copy_from_slice(&slot.to_be_bytes());
        let tag = hmac::sign(&self.0, &text);
        let mut cookie = [0; COOKIE];
        cookie.copy_from_slice(&tag.as_ref()[..COOKIE]);
        cookie
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_good_for_one_source_and_box_for_a_short_time() {
        let (key, other) = (CookieKey::new(&[1; 32]), CookieKey::new(&[2; 32]));
        let (source, id) = ("192.0.1.7:4000".parse().unwrap(), BoxId([3; 8]));
        let cookie = key.mint(source, id, 100);
        for (seconds, good) in [(89, false), (90, true), (119, true), (120, true), (149, true), (150, false)]
        {
            assert_eq!(key.is_valid(&cookie, source, id, seconds), good, "{seconds}");
        }
        assert!(!other.is_valid(&cookie, source, id, 100));
        assert!(!key.is_valid(&cookie, "192.0.1.7:4001".parse().unwrap(), id, 100));
        assert!(!key.is_valid(&cookie, "192.0.1.8:4000".parse().unwrap(), id, 100));
        assert!(!key.is_valid(&cookie, source, BoxId([4; 8]), 100));
    }
}

//! Response rate limiting: a forged source shall not get a flood of our answers.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::network::Subscriber;

/// Answers of one kind a second to one network: /24 of IPv4, /56 of IPv6.
pub(super) const RATE: u32 = 20;
/// Every second answer beyond the rate is sent empty and truncated: who is real comes again by TCP.
const SLIP: u8 = 2;
/// Networks and kinds that are counted at a time; one that is full forgets who was quiet for longest.
const SETS: usize = 1 << 14;
const WAYS: usize = 4;
/// A unit of credit is a thousandth of an answer, so that credit per millisecond is a whole number.
const ANSWER: u32 = 1000;

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Send,
    /// Empty, with TC set.
    Truncate,
    Drop,
}

#[derive(Clone, Copy, Default)]
struct Account {
    /// Who; 0 is nobody.
    tag: u32,
    /// When it was last counted, in milliseconds that wrap.
    at: u32,
    credit: u32,
    slipped: u8,
}

/// Counts the answers that went to each network.
pub(super) struct Limiter {
    accounts: Box<[[Account; WAYS]]>,
    hasher: RandomState,
}

impl Limiter {
    pub(super) fn new() -> Self {
        Self { accounts: vec![[Account::default(); WAYS]; SETS].into(), hasher: RandomState::new() }
    }

    /// Counts an answer to `source`; `kind` is the same for answers that an attacker would get again and again.
    pub(super) fn count(&mut self, now: Duration, source: IpAddr, kind: u64) -> Fate {
        let hash = self.hasher.hash_one((Subscriber::from(source), kind));
        let [a, b, c, d, rest @ ..] = hash.to_le_bytes();
        let tag = u32::from_le_bytes([a, b, c, d]).max(1);
        let set = u32::from_le_bytes(rest) as usize % SETS;
        // Milliseconds that wrap after 49 days: an account that old is taken by somebody else long before.
        #[allow(clippy::cast_possible_truncation, reason = "they wrap")]
        let now = now.as_millis() as u32;
        let set = &mut self.accounts[set];
        let way = set.iter().position(|account| account.tag == tag).unwrap_or_else(|| {
            let oldest = (0..WAYS).max_by_key(|&way| now.wrapping_sub(set[way].at)).unwrap_or(0);
            set[oldest] = Account { tag, at: now, credit: RATE * ANSWER, slipped: 0 };
            oldest
        });
        let account = &mut set[way];
        let earned = now.wrapping_sub(account.at).saturating_mul(RATE);
        account.at = now;
        account.credit = account.credit.saturating_add(earned).min(RATE * ANSWER);
        if let Some(left) = account.credit.checked_sub(ANSWER) {
            account.credit = left;
            return Fate::Send;
        }
        account.slipped = (account.slipped + 1) % SLIP;
        if account.slipped == 0 { Fate::Truncate } else { Fate::Drop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn twenty_a_second_then_every_second_one_truncated() {
        let mut limiter = Limiter::new();
        let at = Duration::from_secs(100);
        let fates: Vec<_> = (0..24).map(|i| limiter.count(at, ip(&format!("192.0.2.{i}")), 7)).collect();
        assert!(fates[..20].iter().all(|fate| *fate == Fate::Send));
        assert_eq!(fates[20..], [Fate::Drop, Fate::Truncate, Fate::Drop, Fate::Truncate]);
        assert_eq!(limiter.count(at, ip("192.0.3.1"), 7), Fate::Send, "another network");
        assert_eq!(limiter.count(at, ip("192.0.2.1"), 8), Fate::Send, "another kind");
        assert_eq!(
            limiter.count(at, ip("::ffff:192.0.2.9"), 7),
            Fate::Drop,
            "the same by a socket of both families"
        );
        let later = at + Duration::from_millis(100);
        assert_eq!(
            limiter.count(later, ip("192.0.2.1"), 7),
            Fate::Send,
            "two more after a tenth of a second"
        );
        assert_eq!(limiter.count(later, ip("192.0.2.1"), 7), Fate::Send);
        assert_ne!(limiter.count(later, ip("192.0.2.1"), 7), Fate::Send);
    }

    #[test]
    fn a_subscriber_of_ipv6_is_a_56() {
        let mut limiter = Limiter::new();
        let at = Duration::ZERO;
        (0..20).for_each(|i| _ = limiter.count(at, ip(&format!("2001:db8:0:{i:x}::1")), 7));
        assert_eq!(limiter.count(at, ip("2001:db8:0:ff::1"), 7), Fate::Drop);
        assert_eq!(limiter.count(at, ip("2001:db8:0:100::1"), 7), Fate::Send);
    }

    #[test]
    fn a_full_table_forgets_the_quiet_ones() {
        let mut limiter = Limiter::new();
        for i in 0..u32::try_from(SETS * WAYS * 4).unwrap() {
            let source = IpAddr::from((i << 8).to_be_bytes());
            assert_eq!(limiter.count(Duration::from_micros(i.into()), source, 7), Fate::Send);
        }
    }
}

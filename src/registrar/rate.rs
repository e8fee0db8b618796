//! Who asks too often: a rate per /24 or /56 in fixed memory.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::network::Subscriber;

const WAYS: usize = 4;

/// Rates of many prefixes, as the generic cell rate algorithm (ITU-T I.371): one instant per prefix, 16 bytes.
///
/// When more prefixes ask than there is room for, the one that was quietest is forgotten: a limit may then be late, but
/// nobody is refused for what another did.
pub struct Rates {
    hasher: RandomState,
    sets: Box<[[Cell; WAYS]]>,
    step: u64,
    slack: u64,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    prefix: u64,
    /// When this prefix would be at its even rate, µs of the monotonic clock.
    even: u64,
}

impl Rates {
    /// `burst` at once, one more every `every`, for about `prefixes` busy prefixes.
    #[must_use]
    pub fn new(burst: u32, every: Duration, prefixes: usize) -> Self {
        let step = micros(every).max(1);
        let slack = step.saturating_mul(u64::from(burst.max(1)) - 1);
        let sets = vec![[Cell::default(); WAYS]; (prefixes / WAYS).max(1)].into_boxed_slice();
        Self { hasher: RandomState::new(), sets, step, slack }
    }

    /// Counts one request of `source` at `now` on the monotonic clock; false when it is one too many.
    pub fn take(&mut self, now: Duration, source: IpAddr) -> bool {
        let (step, slack, now) = (self.step, self.slack, micros(now) + 1);
        let cell = self.cell(now, source);
        if cell.even > now.saturating_add(slack) {
            return false;
        }
        cell.even = cell.even.max(now).saturating_add(step);
        true
    }

    /// Whether one more would pass, uncounted.
    #[must_use]
    pub fn has_room(&self, now: Duration, source: IpAddr) -> bool {
        let prefix = self.prefix(source);
        let set = &self.sets[self.set(prefix)];
        let late = micros(now).saturating_add(1).saturating_add(self.slack);
        !set.iter().any(|cell| cell.prefix == prefix && cell.even > late)
    }

    fn cell(&mut self, now: u64, source: IpAddr) -> &mut Cell {
        let prefix = self.prefix(source);
        let at = self.set(prefix);
        let set = &mut self.sets[at];
        let way = match set.iter().position(|cell| cell.prefix == prefix) {
            Some(way) => way,
            None => {
                let quietest = (0..WAYS).min_by_key(|way| set[*way].even).unwrap_or(0);
                set[quietest] = Cell { prefix, even: now };
                quietest
            }
        };
        &mut set[way]
    }

    fn prefix(&self, source: IpAddr) -> u64 {
        self.hasher.hash_one(Subscriber::from(source)) | 1 // never that of a free cell
    }

    fn set(&self, prefix: u64) -> usize {
        let place = (u128::from(prefix) * self.sets.len() as u128) >> 64;
        usize::try_from(place).unwrap_or(0) // below the length
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_prefix_has_its_burst_and_then_its_rate() {
        let mut rates = Rates::new(3, Duration::from_secs(1), 1024);
        let one = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        let taken = (0..10).filter(|i| rates.take(at(0), one(*i))).count();
        assert_eq!(taken, 3, "the whole /24 together");
        assert!(!rates.has_room(at(0), one(99)));
        assert!(rates.take(at(0), "192.0.3.1".parse().unwrap()), "its neighbour");
        assert!(rates.take(at(1001), one(1)) && !rates.take(at(1002), one(1)), "one a second");
        let again = (0..10).filter(|_| rates.take(at(60_000), one(1))).count();
        assert_eq!(again, 3, "no more saved up than the burst");
    }

    #[test]
    fn ipv6_counts_by_56_bits_and_mapped_ipv4_as_ipv4() {
        let mut rates = Rates::new(1, Duration::from_secs(1), 1024);
        assert!(rates.take(at(0), "2a00:1:2:300::1".parse().unwrap()));
        assert!(!rates.take(at(0), "2a00:1:2:3ff::2".parse().unwrap()));
        assert!(rates.take(at(0), "2a00:1:2:400::1".parse().unwrap()));
        assert!(rates.take(at(0), "::ffff:1.2.3.4".parse().unwrap()));
        assert!(!rates.take(at(0), "1.2.3.5".parse().unwrap()));
    }

    #[test]
    fn a_flood_of_prefixes_refuses_nobody_else() {
        let mut rates = Rates::new(2, Duration::from_secs(1), 64);
        for i in 0..100_000u32 {
            rates.take(at(1), IpAddr::V4((i << 8).into()));
        }
        let quiet: IpAddr = "2a00::1".parse().unwrap();
        assert!(rates.take(at(2), quiet));
    }
}

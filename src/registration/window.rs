//! Which counters came already (RFC 6479's purpose, in two words).

/// Counters below the highest one that are told apart.
pub const REMEMBERED: u64 = 128;

/// The last counters of one direction. A counter is taken once; one that is too old is taken for a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    /// The highest counter that came.
    highest: u64,
    /// Bit `i`: the counter `highest - i` came; the low word first.
    came: [u64; 2],
}

impl ReplayWindow {
    /// Nothing up to `counter` is taken any more.
    #[must_use]
    pub const fn after(counter: u64) -> Self {
        Self { highest: counter, came: [u64::MAX; 2] }
    }

    /// The highest counter that came.
    #[must_use]
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// It did not come yet, and is not too old to say so.
    #[must_use]
    pub fn is_new(&self, counter: u64) -> bool {
        match self.highest.checked_sub(counter) {
            None => true,
            Some(age) => age < REMEMBERED && self.bits() & (1 << age) == 0,
        }
    }

    /// It came. To be said only of what was proved to be of the peer.
    pub fn take(&mut self, counter: u64) {
        let bits = match counter.checked_sub(self.highest) {
            Some(ahead) if ahead < REMEMBERED => self.bits() << ahead | 1,
            Some(_) => 1,
            None => match self.highest - counter {
                age if age < REMEMBERED => self.bits() | 1 << age,
                _ => self.bits(),
            },
        };
        self.highest = self.highest.max(counter);
        #[expect(clippy::cast_possible_truncation, reason = "the two words are taken apart")]
        let words = [bits as u64, (bits >> 64) as u64];
        self.came = words;
    }

    fn bits(&self) -> u128 {
        u128::from(self.came[0]) | u128::from(self.came[1]) << 64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    proptest::proptest! {
        /// Against a set of all that came.
        #[test]
        fn each_counter_is_taken_once(jumps in proptest::collection::vec(-140_i64..140, 1..400)) {
            let (mut window, mut came, mut at) = (ReplayWindow::default(), BTreeSet::new(), 1000_i64);
            for jump in jumps {
                at = (at + jump).max(0);
                let counter = at.unsigned_abs();
                let highest = came.last().copied().unwrap_or(0);
                let expected = !came.contains(&counter) && counter + REMEMBERED > highest;
                proptest::prop_assert_eq!(window.is_new(counter), expected, "{} of {:?}", counter, window);
                if expected {
                    window.take(counter);
                    came.insert(counter);
                }
            }
        }
    }

    #[test]
    fn the_edges_are_counters_too() {
        let mut window = ReplayWindow::default();
        for counter in [0, u64::MAX, u64::MAX - 127] {
            assert!(window.is_new(counter));
            window.take(counter);
            assert!(!window.is_new(counter));
        }
        assert!(!window.is_new(u64::MAX - 128) && !window.is_new(0));
        assert!(!ReplayWindow::after(7).is_new(7) && ReplayWindow::after(7).is_new(8));
    }
}

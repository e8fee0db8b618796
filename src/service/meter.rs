//! How many bits a second a ring gets.

use std::time::Duration;

use crate::ring::Position;

/// Over so long: some pictures that stand alone, and those between.
const SPAN: Duration = Duration::from_secs(2);

/// Measures span after span.
#[derive(Default)]
pub(super) struct Meter {
    since: Option<(Duration, Position)>,
    rate: Option<u32>,
}

impl Meter {
    /// The ring's head is at `head` now.
    pub(super) fn see(&mut self, now: Duration, head: Position) {
        let (at, before) = *self.since.get_or_insert((now, head));
        let elapsed = now.saturating_sub(at);
        if elapsed >= SPAN {
            let bits = u128::from(head.saturating_sub(before)) * 8;
            self.rate = u32::try_from(bits * 1000 / elapsed.as_millis()).ok();
            self.since = Some((now, head));
        }
    }

    /// Bits a second in the last span; `None` before the first is over.
    pub(super) const fn rate(&self) -> Option<u32> {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_span_is_measured_by_itself() {
        let mut meter = Meter::default();
        let rates =
            [(0, 7000), (1990, 9000), (2000, 1_007_000), (3000, 1_507_000), (4500, 1_507_000), (6500, 0)]
                .map(|(ms, head)| {
                    meter.see(Duration::from_millis(ms), head);
                    meter.rate()
                });
        let (first, second) = (Some(4_000_000), Some(1_600_000));
        assert_eq!(rates, [None, None, first, first, second, Some(0)]);
    }
}

//! How long the main loop takes to go round: for so long everything else has to wait.

use std::time::Duration;

/// Rounds are forgotten after one to two of these.
const WINDOW: Duration = Duration::from_secs(30);
/// Buckets in which times double: a quantile is at most a quarter too large.
const STEPS: usize = 4;
/// Microseconds up to 2^24, which are 16 seconds; longer ones count as that.
const OCTAVES: usize = 24;

/// The times of the last rounds, in memory of fixed size.
#[derive(Default)]
pub struct Latency {
    now: Window,
    before: Window,
    since: Duration,
}

struct Window {
    counts: [u32; STEPS * OCTAVES],
    longest: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { counts: [0; STEPS * OCTAVES], longest: 0 }
    }
}

/// What most rounds took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Rounds that were measured.
    pub rounds: u64,
    /// Half of them took no longer.
    pub median: u32,
    /// All but one of a hundred took no longer.
    pub p99: u32,
    /// None took longer.
    pub longest: u32,
}

impl Latency {
    /// A round that ends `now` took so long.
    pub fn note(&mut self, now: Duration, took: Duration) {
        if now >= self.since + WINDOW {
            let over = now >= self.since + 2 * WINDOW;
            let last = std::mem::take(&mut self.now);
            self.before = if over { Window::default() } else { last };
            self.since = now;
        }
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let count = &mut self.now.counts[bucket(micros)];
        *count = count.saturating_add(1);
        self.now.longest = self.now.longest.max(micros);
    }

    /// What the rounds of the last half minute to minute took.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let pairs = || self.now.counts.iter().zip(&self.before.counts);
        let counts = || pairs().map(|(now, before)| u64::from(*now) + u64::from(*before));
        let rounds: u64 = counts().sum();
        let longest = self.now.longest.max(self.before.longest);
        let quantile = |of_hundred: u64| {
            let wanted = (rounds * of_hundred).div_ceil(100).max(1);
            let mut seen = 0;
            let at = counts().position(|n| {
                seen += n;
                seen >= wanted
            });
            at.map_or(0, |at| end_of(at).min(longest))
        };
        Quantiles { rounds, median: quantile(50), p99: quantile(99), longest }
    }
}

/// Which bucket a time belongs to: its highest bit, and the two behind that.
fn bucket(micros: u32) -> usize {
    let micros = micros.max(1);
    let octave = micros.ilog2() as usize;
    let behind = if octave >= 2 { micros >> (octave - 2) } else { micros << (2 - octave) };
    (octave * STEPS + (behind as usize & (STEPS - 1))).min(STEPS * OCTAVES - 1)
}

/// The longest time of a bucket, rounded up.
fn end_of(bucket: usize) -> u32 {
    let (octave, step) = (bucket / STEPS, bucket % STEPS);
    let end = ((STEPS + step + 1) << octave).div_ceil(STEPS) - 1;
    u32::try_from(end).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(times: impl IntoIterator<Item = u64>) -> Quantiles {
        let mut latency = Latency::default();
        times.into_iter().for_each(|t| latency.note(Duration::from_secs(1), Duration::from_micros(t)));
        latency.quantiles()
    }

    #[test]
    fn a_quantile_is_no_less_than_it_is_and_at_most_a_quarter_more() {
        let naive = |times: &[u64], of_hundred: usize| {
            let mut sorted = times.to_vec();
            sorted.sort_unstable();
            sorted[(sorted.len() * of_hundred).div_ceil(100).max(1) - 1]
        };
        for times in [
            (1..=1000).collect::<Vec<u64>>(),
            vec![3; 10],
            [vec![40; 985], vec![5000; 15]].concat(),
            [vec![40; 995], vec![5000; 5]].concat(),
            vec![1, 2, 4, 7, 1 << 20, 9],
        ] {
            let q = quantiles(times.iter().copied());
            assert_eq!((q.rounds, u64::from(q.longest)), (times.len() as u64, *times.iter().max().unwrap()));
            for (told, of_hundred) in [(q.median, 50), (q.p99, 99)] {
                let (told, right) = (u64::from(told), naive(&times, of_hundred));
                assert!((right..=right + right / 4 + 1).contains(&told), "{of_hundred}: {told} for {right}");
            }
        }
        assert_eq!(quantiles([]), Quantiles::default());
        assert_eq!(quantiles([u64::MAX / 2]).rounds, 1, "a time of any length has a bucket");
    }

    #[test]
    fn what_was_a_minute_ago_is_forgotten() {
        let mut latency = Latency::default();
        let second = Duration::from_secs;
        latency.note(second(1), Duration::from_millis(900));
        latency.note(second(29), Duration::from_millis(2));
        assert_eq!(latency.quantiles().longest, 900_000);
        latency.note(second(31), Duration::from_millis(3));
        assert_eq!(latency.quantiles(), Quantiles { rounds: 3, ..latency.quantiles() });
        assert_eq!(latency.quantiles().longest, 900_000, "half a minute is kept");
        latency.note(second(62), Duration::from_millis(4));
        let Quantiles { rounds, longest, .. } = latency.quantiles();
        assert_eq!((rounds, longest), (2, 4000));
        latency.note(second(500), Duration::from_millis(1));
        assert_eq!(latency.quantiles().longest, 1000);
    }
}

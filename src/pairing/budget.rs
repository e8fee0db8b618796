//! The budget of PIN attempts: what keeps eight digits from being tried out.
//!
//! An hour holds at most [`PER_HOUR`] attempts, whoever makes them, so one list of those of the last hour is all there
//! is to keep: a source is in it as often as it tried, and no stranger can push another out of it. A PIN is worn out
//! by [`PER_PIN`] attempts. QR pairing has no budget: its secret is not to be guessed.
//!
//! On flash (record `attempts`): `format u8 = 1 | count u8 | (Source, seconds left u16) each`. What is left of an
//! attempt's hour is kept, not when it was, so that neither a restart nor a boot clock that starts anew shortens it.

use std::fmt;
use std::time::Duration;

use heapless::Vec;

use super::Source;

/// Attempts of one source in an hour.
pub const PER_SOURCE: usize = 3;
/// Attempts at one PIN.
pub const PER_PIN: u8 = 5;
/// Attempts in an hour.
pub const PER_HOUR: usize = 10;
/// How long an attempt counts.
const HOUR: Duration = Duration::from_secs(3600);
/// What this program writes and reads.
const FORMAT: u8 = 1;
/// The oldest format that is read, and the newest.
pub const FORMATS: (u8, u8) = (FORMAT, FORMAT);
/// Bytes of the longest record: an IPv6 source takes 9, its seconds at most 3.
pub const RECORD_MAX: usize = 2 + PER_HOUR * 12;

/// Counts attempts. It knows no clock: `now` is of one that never goes back, while the process lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Budget {
    spent: Vec<Spent, PER_HOUR>,
    on_pin: u8,
}

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spent {
    source: Source,
    /// When its hour is over.
    until: Duration,
}

/// Whether the PIN can be tried once more after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wear {
    /// It can.
    Good,
    /// It was tried as often as it may be: another is to be shown.
    WornOut,
    /// So was the hour's last attempt: none is to be shown.
    Shut,
}

/// Why there is no attempt to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// This source has used its own.
    Source,
    /// The hour's are used.
    Hour,
}

/// Why a record is not a budget's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordError {
    /// It is of a format this program does not know.
    Format(u8),
    /// It ends early or holds what cannot be.
    Damaged,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(format) => write!(f, "format {format} is not known here"),
            Self::Damaged => f.write_str("damaged"),
        }
    }
}

impl Budget {
    /// The budget in `record`; nothing is spent in an empty one.
    pub(super) fn load(record: &[u8], now: Duration) -> Result<Self, RecordError> {
        let Some((format, rest)) = record.split_first() else { return Ok(Self::default()) };
        if *format != FORMAT {
            return Err(RecordError::Format(*format));
        }
        let (kept, rest): (Vec<(Source, u16), PER_HOUR>, _) =
            postcard::take_from_bytes(rest).map_err(|_| RecordError::Damaged)?;
        let within = kept.iter().all(|(_, left)| u64::from(*left) <= HOUR.as_secs());
        if !rest.is_empty() || !within {
            return Err(RecordError::Damaged);
        }
        let spent = |(source, left): &(Source, u16)| {
            let until = now + Duration::from_secs((*left).into());
            Spent { source: *source, until }
        };
        Ok(Self { spent: kept.iter().map(spent).collect(), on_pin: 0 })
    }

    /// A budget with nothing left for an hour: what a record that cannot be read has to count as.
    #[must_use]
    pub(super) fn shut(now: Duration) -> Self {
        let nobody = Spent { source: Source::V4([0; 4]), until: now + HOUR };
        Self { spent: [nobody; PER_HOUR].into_iter().collect(), on_pin: 0 }
    }

    /// As bytes.
    #[must_use]
    pub(super) fn record(&self, now: Duration) -> Vec<u8, RECORD_MAX> {
        let left = |until: Duration| {
            let left = until.saturating_sub(now);
            // Rounded up, so that saving and loading shortens nothing.
            u16::try_from(left.as_secs() + u64::from(left.subsec_nanos() > 0)).unwrap_or(u16::MAX)
        };
        let live = self.spent.iter().filter(|s| s.until > now);
        let kept: Vec<(Source, u16), PER_HOUR> = live.map(|s| (s.source, left(s.until))).collect();
        let mut bytes = [0; RECORD_MAX];
        bytes[0] = FORMAT;
        let length = postcard::to_slice(&kept, &mut bytes[1..]).map_or(0, |rest| rest.len());
        Vec::from_slice(&bytes[..=length]).unwrap_or_default()
    }

    /// Whether `source` has an attempt left.
    pub(super) fn has_left(&self, source: Source, now: Duration) -> Result<(), Exhausted> {
        let live = || self.spent.iter().filter(|s| s.until > now);
        if live().count() >= PER_HOUR {
            Err(Exhausted::Hour)
        } else if live().filter(|s| s.source == source).count() >= PER_SOURCE {
            Err(Exhausted::Source)
        } else {
            Ok(())
        }
    }

    /// A PIN may be shown.
    #[must_use]
    pub(super) fn is_open(&self, now: Duration) -> bool {
        self.spent.iter().filter(|s| s.until > now).count() < PER_HOUR
    }

    /// Another PIN is shown, which nobody has tried.
    pub(super) const fn pin_shown(&mut self) {
        self.on_pin = 0;
    }

    /// Counts an attempt of `source`.
    pub(super) fn spend(&mut self, source: Source, now: Duration) -> Result<Wear, Exhausted> {
        self.expire(now);
        self.has_left(source, now)?;
        let _has_room = self.spent.push(Spent { source, until: now + HOUR });
        self.on_pin += 1;
        Ok(if self.spent.is_full() {
            Wear::Shut
        } else if self.on_pin >= PER_PIN {
            Wear::WornOut
        } else {
            Wear::Good
        })
    }

    /// `source` proved that it knew the PIN: what it spent was no guessing.
    pub(super) fn give_back(&mut self, source: Source) {
        self.spent.retain(|s| s.source != source);
    }

    /// Forgets attempts whose hour is over; says whether there were any.
    pub(super) fn expire(&mut self, now: Duration) -> bool {
        let before = self.spent.len();
        self.spent.retain(|s| s.until > now);
        self.spent.len() < before
    }

    /// When there will next be something to forget.
    #[must_use]
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        self.spent.iter().map(|s| s.until).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: fn(u64) -> Duration = Duration::from_secs;
    const A: Source = Source::V4([192, 0, 2, 1]);

    fn source(n: u8) -> Source {
        if n.is_multiple_of(2) {
            Source::V4([10, 0, 0, n])
        } else {
            Source::V6([0x20, 1, 0xd, 0xb8, 0, 0, 0, n])
        }
    }

    #[test]
    fn a_source_has_three_in_any_hour() {
        let mut budget = Budget::default();
        for at in [0, 10, 20] {
            assert_eq!(budget.spend(A, T(at)), Ok(Wear::Good));
        }
        assert_eq!(budget.spend(A, T(3599)), Err(Exhausted::Source));
        assert_eq!(budget.spend(source(2), T(3599)), Ok(Wear::Good), "to that source alone");
        assert_eq!(budget.spend(A, T(3600)), Ok(Wear::WornOut), "the first one's hour is over");
        assert_eq!(budget.spend(A, T(3609)), Err(Exhausted::Source));
        budget.give_back(A);
        assert_eq!(budget.has_left(A, T(3609)), Ok(()));
    }

    #[test]
    fn five_wear_a_pin_out_and_ten_close_the_hour() {
        let mut budget = Budget::default();
        for n in 1..=10 {
            let wear = budget.spend(source(n), T(0)).unwrap();
            let expected =
                [Wear::Good, Wear::WornOut, Wear::Shut][usize::from(n == 5) + 2 * usize::from(n == 10)];
            assert_eq!(wear, expected, "{n}");
            if wear == Wear::WornOut {
                budget.pin_shown();
            }
        }
        assert!(!budget.is_open(T(3599)));
        assert_eq!(budget.spend(source(99), T(3599)), Err(Exhausted::Hour));
        assert!(budget.is_open(T(3600)) && budget.expire(T(3600)) && !budget.expire(T(3600)));
    }

    #[test]
    fn a_record_is_read_or_refused() {
        let mut budget = Budget::default();
        assert_eq!(Budget::load(&[], T(0)), Ok(Budget::default()));
        assert_eq!(Budget::load(&budget.record(T(0)), T(0)), Ok(Budget::default()));
        (1..=10).for_each(|n| assert!(budget.spend(source(n), T(5)).is_ok()));
        let record = budget.record(T(65));
        assert!(record.len() > 90 && record.len() <= RECORD_MAX);
        let again = Budget::load(&record, T(0)).unwrap();
        assert_eq!(again.record(T(0)), record, "an hour that goes on");
        assert_eq!(again.next_expiry(), Some(T(3540)));
        for end in 1..record.len() {
            assert_eq!(Budget::load(&record[..end], T(0)), Err(RecordError::Damaged), "{end}");
        }
        assert_eq!(Budget::load(&[&record, [0].as_slice()].concat(), T(0)), Err(RecordError::Damaged));
        assert_eq!(Budget::load(&[2, 0], T(0)), Err(RecordError::Format(2)));
        // 3601 seconds left, of one attempt; 11 attempts.
        assert_eq!(Budget::load(&[1, 1, 0, 1, 2, 3, 4, 0x91, 0x1c], T(0)), Err(RecordError::Damaged));
        assert!(Budget::load(&[1, 1, 0, 1, 2, 3, 4, 0x90, 0x1c], T(0)).is_ok());
        let eleven = [[1, 11].as_slice(), &[0, 1, 2, 3, 4, 9].repeat(11)].concat();
        assert_eq!(Budget::load(&eleven, T(0)), Err(RecordError::Damaged));
        assert!(!Budget::shut(T(7)).is_open(T(3606)) && Budget::shut(T(7)).is_open(T(3607)));
    }

    /// All that was ever spent, counted anew for each question.
    #[derive(Default)]
    struct Naive {
        spent: std::vec::Vec<(u64, Source)>,
        on_pin: u8,
    }

    impl Naive {
        fn spend(&mut self, source: Source, now: u64) -> Result<Wear, Exhausted> {
            let hour = |s: &&(u64, Source)| s.0 + 3600 > now;
            let live = self.spent.iter().filter(hour).count();
            let own = self.spent.iter().filter(hour).filter(|s| s.1 == source).count();
            if live == 10 {
                return Err(Exhausted::Hour);
            }
            if own == 3 {
                return Err(Exhausted::Source);
            }
            self.spent.push((now, source));
            self.on_pin += 1;
            Ok(match (live + 1, self.on_pin) {
                (10, _) => Wear::Shut,
                (_, 5..) => Wear::WornOut,
                _ => Wear::Good,
            })
        }
    }

    proptest! {
        #[test]
        fn it_counts_as_one_that_remembers_everything(
            steps in prop::collection::vec((0..900_u64, 0..14_u8, 0..12_u8), 1..200),
        ) {
            let (mut budget, mut naive) = (Budget::default(), Naive::default());
            let (mut now, mut booted) = (0, 0);
            for (pause, who, what) in steps {
                now += pause;
                let (who, clock) = (source(who), |booted| T(now - booted));
                match what {
                    0 => {
                        budget.give_back(who);
                        naive.spent.retain(|s| s.1 != who);
                    }
                    1 => {
                        // A restart, with the boot clock at zero: the count goes on.
                        let record = budget.record(clock(booted));
                        booted = now;
                        let on_pin = budget.on_pin;
                        budget = Budget { on_pin, ..Budget::load(&record, T(0)).unwrap() };
                    }
                    _ => {
                        let wear = naive.spend(who, now);
                        prop_assert_eq!(budget.spend(who, clock(booted)), wear);
                        if matches!(wear, Ok(Wear::WornOut | Wear::Shut)) {
                            budget.pin_shown();
                            naive.on_pin = 0;
                        }
                    }
                }
            }
        }

        #[test]
        fn a_restart_with_an_old_record_lets_nobody_try_more(
            steps in prop::collection::vec((0..900_u64, 0..14_u8, any::<bool>()), 1..200),
        ) {
            let (mut budget, mut naive) = (Budget::default(), Naive::default());
            let (mut now, mut booted, mut record) = (0, 0, budget.record(T(0)));
            for (pause, who, restart) in steps {
                now += pause;
                if restart {
                    booted = now;
                    budget = Budget::load(&record, T(0)).unwrap(); // as it was after the last attempt
                }
                if budget.spend(source(who), T(now - booted)).is_ok() {
                    prop_assert!(naive.spend(source(who), now).is_ok());
                    record = budget.record(T(now - booted));
                }
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
            if let Ok(budget) = Budget::load(&bytes, T(0)) {
                prop_assert!(budget.next_expiry().is_none_or(|at| at <= HOUR));
            }
        }
    }
}

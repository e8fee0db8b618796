//! What a driver measured, as far as it can be true.

use super::Signal;
use crate::sys::dvb::frontend::{Reading, property as p};

/// What is asked.
pub(super) const ASKED: [u32; 6] = [
    p::STAT_SIGNAL_STRENGTH,
    p::STAT_CNR,
    p::STAT_PRE_ERROR_BIT_COUNT,
    p::STAT_PRE_TOTAL_BIT_COUNT,
    p::STAT_ERROR_BLOCK_COUNT,
    p::STAT_TOTAL_BLOCK_COUNT,
];

/// The answers, without those that cannot be: drivers fill in garbage where they have no signal.
pub(super) fn signal(answers: [Option<Reading>; ASKED.len()]) -> Signal {
    let [strength, cnr, bit_errors, bits, block_errors, blocks] = answers;
    Signal {
        // From far below the noise of any receiver to far above what one survives.
        strength_mdbm: decibel(strength, -200_000, 20_000),
        strength_permille: permille(strength),
        // The best modulators there are reach 50 dB.
        cnr_mdb: decibel(cnr, -20_000, 60_000),
        cnr_permille: permille(cnr),
        bit_errors: counters(bit_errors, bits),
        block_errors: counters(block_errors, blocks),
    }
}

fn decibel(reading: Option<Reading>, from: i32, to: i32) -> Option<i32> {
    match reading {
        Some(Reading::Decibel(n)) => i32::try_from(n).ok().filter(|n| (from..=to).contains(n)),
        _ => None,
    }
}

fn permille(reading: Option<Reading>) -> Option<u16> {
    match reading {
        Some(Reading::Relative(n)) => {
            u16::try_from(n).ok().and_then(|n| u16::try_from(u32::from(n) * 1000 / 65_535).ok())
        }
        _ => None,
    }
}

fn counters(errors: Option<Reading>, all: Option<Reading>) -> Option<(u64, u64)> {
    match (errors, all) {
        (Some(Reading::Counter(errors)), Some(Reading::Counter(all))) if errors <= all => Some((errors, all)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_kept_apart_and_garbage_is_refused() {
        let good = signal([
            Some(Reading::Decibel(-34_512)),
            Some(Reading::Relative(65_535)),
            Some(Reading::Counter(3)),
            Some(Reading::Counter(1000)),
            None,
            Some(Reading::Counter(7)),
        ]);
        let expected = Signal {
            strength_mdbm: Some(-34_512),
            cnr_permille: Some(1000),
            bit_errors: Some((3, 1000)),
            ..Signal::default()
        };
        assert_eq!(good, expected);
        let garbage = signal([
            Some(Reading::Decibel(-4_294_967_296)),
            Some(Reading::Decibel(60_001)),
            Some(Reading::Counter(8)),
            Some(Reading::Counter(7)),
            Some(Reading::Decibel(1)),
            Some(Reading::Counter(7)),
        ]);
        assert_eq!(garbage, Signal::default());
        let no_fraction = signal([Some(Reading::Relative(65_536)), None, None, None, None, None]);
        assert_eq!(no_fraction, Signal::default());
        let edge =
            signal([Some(Reading::Decibel(-200_000)), Some(Reading::Relative(0)), None, None, None, None]);
        assert_eq!((edge.strength_mdbm, edge.cnr_permille), (Some(-200_000), Some(0)));
    }
}

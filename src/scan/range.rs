//! Where muxes may be that nobody named: the rasters of towers and cables.

use crate::delivery::{System, Tuning};

/// A raster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Towers of Europe and of who has its channels, with DVB-T; where a tuner knows DVB-T2, with that, too.
    DvbT,
    /// The same with DVB-T2 alone.
    DvbT2,
    /// Towers of China.
    Dtmb,
    /// Cables of 8 MHz channels, 47 to 862 MHz.
    DvbC,
}

/// Symbol rates of cables where nobody says another, the more common first.
pub const SYMBOL_RATES: [u32; 2] = [6_900_000, 6_875_000];

const MHZ: u32 = 1_000_000;

impl Range {
    /// Every one there is, with its name.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::DvbT, "dvb-t"), (Self::DvbT2, "dvb-t2"), (Self::Dtmb, "dtmb"), (Self::DvbC, "dvb-c")];

    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(range, _)| range)
    }

    /// Where muxes may be.
    pub fn muxes(self) -> impl Iterator<Item = Tuning> {
        let system = match self {
            Self::DvbT => System::DvbT,
            Self::DvbT2 => System::DvbT2,
            Self::Dtmb => System::Dtmb,
            Self::DvbC => System::DvbC,
        };
        self.rows().iter().flat_map(move |row| {
            (0..row.channels).map(move |n| Tuning {
                bandwidth: (self != Self::DvbC).then_some(row.width),
                symbol_rate: (self == Self::DvbC).then_some(SYMBOL_RATES[0]),
                ..Tuning::new(system, row.first + n * row.width)
            })
        })
    }

    const fn rows(self) -> &'static [Row] {
        match self {
            Self::DvbT | Self::DvbT2 => EUROPE,
            Self::Dtmb => CHINA,
            Self::DvbC => CABLE,
        }
    }
}

/// Channels 21 to 69, then E5 to E12.
const EUROPE: &[Row] = &[Row::new(474 * MHZ, 8, 49), Row::new(177_500_000, 7, 8)];
/// DS-13 to DS-24, DS-25 to DS-56, then DS-1 to DS-3, DS-4 and 5, DS-6 to DS-12.
const CHINA: &[Row] = &[
    Row::new(474 * MHZ, 8, 12),
    Row::new(610 * MHZ, 8, 32),
    Row::new(52_500_000, 8, 3),
    Row::new(80 * MHZ, 8, 2),
    Row::new(171 * MHZ, 8, 7),
];
/// Within 1 MHz of each channel there is, which demodulators follow.
const CABLE: &[Row] = &[Row::new(50 * MHZ, 8, 102)];

/// Channels side by side.
struct Row {
    /// The middle of the first, in Hz.
    first: u32,
    /// From one to the next, in Hz.
    width: u32,
    channels: u32,
}

impl Row {
    const fn new(first: u32, mhz: u32, channels: u32) -> Self {
        Self { first, width: mhz * MHZ, channels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rasters_end_where_their_bands_do() {
        let ends = |range: Range| {
            let all: Vec<Tuning> = range.muxes().collect();
            assert!(all.iter().all(Tuning::is_possible));
            let same = |a: usize, b: usize| a != b && all[a].is_same_mux(&all[b]);
            assert!((0..all.len()).all(|a| !(0..all.len()).any(|b| same(a, b))), "each once");
            let of = |pick: fn(u32, u32) -> u32| all.iter().map(|t| t.frequency).reduce(pick).unwrap();
            (all.len(), of(u32::min), of(u32::max), all[0].to_string())
        };
        assert_eq!(ends(Range::DvbT), (57, 177_500_000, 858_000_000, "dvb-t:474000000?bw=8000000".into()));
        assert_eq!(ends(Range::DvbT2).3, "dvb-t2:474000000?bw=8000000");
        assert_eq!(ends(Range::Dtmb), (56, 52_500_000, 858_000_000, "dtmb:474000000?bw=8000000".into()));
        assert_eq!(ends(Range::DvbC), (102, 50_000_000, 858_000_000, "dvb-c:50000000?sr=6900000".into()));
        assert!(Range::ALL.into_iter().all(|(range, name)| Range::named(name) == Some(range)));
    }
}

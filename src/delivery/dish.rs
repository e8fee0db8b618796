//! What is between a satellite tuner and the sky: the LNB, the switch before it, or a single cable for many tuners.

use std::fmt;
use std::str::FromStr;

use heapless::Vec;

use super::{Polarisation, Position, digits};

/// Satellites that one tuner sees: 4 by DiSEqC 1.0, 16 by DiSEqC 1.1.
pub const POSITIONS_MAX: usize = 16;

/// A satellite tuner's dish, or dishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dish {
    /// The satellites at the switch's ports, in the order of those. None: one, whichever, and no switch. Up to four are
    /// at a switch of DiSEqC 1.0 (committed), more at one of 1.1 (uncommitted).
    pub positions: Vec<Position, POSITIONS_MAX>,
    /// The LNB, the same for each.
    pub lnb: Lnb,
    /// The one cable that several tuners share.
    pub cable: Option<Cable>,
    /// Something else feeds the LNB and switches it: this tuner is behind it, and keeps its voltage to itself.
    pub is_fed: bool,
}

/// The local oscillators of a low-noise block converter, in MHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lnb {
    /// One.
    Single(u16),
    /// Two: below the third frequency, and from there on, which a tone of 22 kHz has it take.
    Bands(u16, u16, u16),
    /// Two at once: of vertical or right, and of horizontal or left polarisation.
    Stacked(u16, u16),
}

/// One cable for several tuners, each with a frequency of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cable {
    /// How what is at its end is told.
    pub kind: CableKind,
    /// The tuner's user band, from 0.
    pub slot: u8,
    /// The middle of that band, in MHz.
    pub megahertz: u16,
}

/// The standard of a single cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CableKind {
    /// EN 50494, unicable: 8 user bands, 2 satellites.
    En50494,
    /// EN 50607, unicable II: 32 user bands, 64 satellites.
    En50607,
}

/// The names of the common LNBs.
const LNBS: [(&str, Lnb); 6] = [
    ("universal", Lnb::UNIVERSAL),
    ("enhanced", Lnb::Single(9750)),
    ("dbs", Lnb::Single(11250)),
    ("bs", Lnb::Single(10678)),
    ("c", Lnb::Single(5150)),
    ("c-stacked", Lnb::Stacked(5150, 5750)),
];

impl Lnb {
    /// Europe's: 10.7 to 12.75 GHz in two bands.
    pub const UNIVERSAL: Self = Self::Bands(9750, 10600, 11700);

    /// The oscillator in kHz that is used for `frequency` in kHz, and whether the tone is on for it.
    #[must_use]
    pub fn oscillator(self, frequency: u32, polarisation: Option<Polarisation>) -> (u32, bool) {
        let khz = |mhz: u16| u32::from(mhz) * 1000;
        match self {
            Self::Single(only) => (khz(only), false),
            Self::Bands(_, high, from) if frequency >= khz(from) => (khz(high), true),
            Self::Bands(low, ..) => (khz(low), false),
            Self::Stacked(_, horizontal) if is_horizontal(polarisation) => (khz(horizontal), false),
            Self::Stacked(vertical, _) => (khz(vertical), false),
        }
    }

    /// The frequencies on air, in kHz, that `intermediate` may stand for, each with whether the tone is on for it.
    pub fn on_air(
        self,
        intermediate: u32,
        polarisation: Option<Polarisation>,
    ) -> impl Iterator<Item = (u32, bool)> {
        let oscillators = match self {
            Self::Single(one) | Self::Stacked(one, _) if !is_horizontal(polarisation) => [Some(one), None],
            Self::Single(one) | Self::Stacked(_, one) => [Some(one), None],
            Self::Bands(low, high, _) => [Some(low), Some(high)],
        };
        // An oscillator above what it receives turns the band round: C band and some others.
        oscillators
            .into_iter()
            .flatten()
            .flat_map(move |mhz| {
                let oscillator = u32::from(mhz) * 1000;
                [oscillator.checked_add(intermediate), oscillator.checked_sub(intermediate)]
            })
            .flatten()
            .filter_map(move |frequency| {
                let (oscillator, tone) = self.oscillator(frequency, polarisation);
                let is_in_band = match self {
                    // What is below the oscillator is received in C band alone.
                    Self::Single(5150) | Self::Stacked(..) => frequency < oscillator,
                    _ => frequency > oscillator,
                };
                (is_in_band && oscillator.abs_diff(frequency) == intermediate).then_some((frequency, tone))
            })
    }
}

/// Received at 18 V.
#[must_use]
pub fn is_horizontal(polarisation: Option<Polarisation>) -> bool {
    matches!(polarisation, Some(Polarisation::Horizontal | Polarisation::CircularLeft))
}

impl Default for Lnb {
    fn default() -> Self {
        Self::UNIVERSAL
    }
}

impl fmt::Display for Lnb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (LNBS.iter().find(|(_, lnb)| lnb == self), self) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Self::Single(only)) => write!(f, "{only}"),
            (None, Self::Bands(low, high, from)) => write!(f, "{low}/{high}/{from}"),
            (None, Self::Stacked(vertical, horizontal)) => write!(f, "{vertical}/{horizontal}"),
        }
    }
}

impl FromStr for Lnb {
    type Err = ();

    /// A name, or oscillators in MHz: one; low, high and where high begins; or vertical and horizontal.
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some((_, lnb)) = LNBS.iter().find(|(name, _)| *name == text) {
            return Ok(*lnb);
        }
        let mut numbers = Vec::<u16, 3>::new();
        for part in text.split('/') {
            let megahertz = digits(part).filter(|mhz| (2000..=50_000).contains(mhz)).ok_or(())?;
            numbers.push(megahertz).map_err(|_| ())?;
        }
        match numbers[..] {
            [only] => Ok(Self::Single(only)),
            [vertical, horizontal] => Ok(Self::Stacked(vertical, horizontal)),
            [low, high, from] if low < high && high < from => Ok(Self::Bands(low, high, from)),
            _ => Err(()),
        }
    }
}

impl Cable {
    /// Satellites it can tell apart.
    #[must_use]
    pub const fn positions(self) -> usize {
        match self.kind {
            CableKind::En50494 => 2,
            CableKind::En50607 => POSITIONS_MAX,
        }
    }
}

impl fmt::Display for Cable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, slot, megahertz } = self;
        let kind = match kind {
            CableKind::En50494 => "en50494",
            CableKind::En50607 => "en50607",
        };
        write!(f, "{kind}:{slot}:{megahertz}")
    }
}

impl FromStr for Cable {
    type Err = ();

    /// `en50494:SLOT:MHZ` or `en50607:SLOT:MHZ`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, slots) = match text.split_once(':').ok_or(())? {
            ("en50494", rest) => (CableKind::En50494, (8, rest)),
            ("en50607", rest) => (CableKind::En50607, (32, rest)),
            _ => return Err(()),
        };
        let (most, (slot, megahertz)) = (slots.0, slots.1.split_once(':').ok_or(())?);
        let slot = digits::<u16>(slot).filter(|n| *n < most).and_then(|n| u8::try_from(n).ok()).ok_or(())?;
        // What a tuner for satellites takes.
        let megahertz = digits(megahertz).filter(|mhz| (950..=2150).contains(mhz)).ok_or(())?;
        Ok(Self { kind, slot, megahertz })
    }
}

impl Dish {
    /// Sets one of `sat`, `lnb`, `unicable` and `lnb-power`; `None`: the key is another, or the value cannot be.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "sat" => {
                self.positions.clear();
                for position in value.split(',') {
                    let position = position.parse().ok().filter(|p| !self.positions.contains(p))?;
                    self.positions.push(position).ok()?;
                }
            }
            "lnb" => self.lnb = value.parse().ok()?,
            "unicable" => self.cable = Some(value.parse().ok()?),
            "lnb-power" => self.is_fed = if value == "off" { true } else { return None },
            _ => return None,
        }
        Some(())
    }

    /// More satellites than what is at the cable can tell apart.
    pub(super) fn is_overfull(&self) -> bool {
        self.cable.is_some_and(|cable| self.positions.len() > cable.positions())
    }

    /// Its parameters, as they are read; those that go without saying left out.
    pub(super) fn parameters(&self) -> impl Iterator<Item = String> {
        let Self { positions, lnb, cable, is_fed } = self;
        let sats: std::vec::Vec<_> = positions.iter().map(ToString::to_string).collect();
        let sat = (!sats.is_empty()).then(|| format!("sat={}", sats.join(",")));
        let lnb = (*lnb != Lnb::default()).then(|| format!("lnb={lnb}"));
        let cable = cable.map(|cable| format!("unicable={cable}"));
        let power = is_fed.then(|| "lnb-power=off".into());
        [sat, lnb, cable, power].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oscillators_follow_band_and_polarisation() {
        let horizontal = Some(Polarisation::Horizontal);
        assert_eq!(Lnb::UNIVERSAL.oscillator(11_362_000, horizontal), (9_750_000, false));
        assert_eq!(Lnb::UNIVERSAL.oscillator(11_700_000, horizontal), (10_600_000, true));
        let stacked: Lnb = "c-stacked".parse().unwrap();
        assert_eq!(stacked.oscillator(3_800_000, horizontal), (5_750_000, false));
        assert_eq!(stacked.oscillator(3_800_000, Some(Polarisation::CircularRight)), (5_150_000, false));
    }

    #[test]
    fn an_intermediate_frequency_stands_for_what_is_on_air() {
        let on_air = |lnb: &str, khz, polarisation| {
            lnb.parse::<Lnb>().unwrap().on_air(khz, polarisation).collect::<Vec<_, 4>>()
        };
        // Both bands have it, and the tone alone tells which.
        assert_eq!(on_air("universal", 1_612_000, None)[..], [(11_362_000, false), (12_212_000, true)]);
        assert_eq!(on_air("universal", 1_000_000, None)[..], [(10_750_000, false)]);
        assert_eq!(on_air("universal", 2_100_000, None)[..], [(12_700_000, true)]);
        assert_eq!(on_air("c", 1_350_000, None)[..], [(3_800_000, false)]);
        let left = Some(Polarisation::CircularLeft);
        assert_eq!(on_air("c-stacked", 1_950_000, left)[..], [(3_800_000, false)]);
        assert_eq!(on_air("bs", 1_049_480, None)[..], [(11_727_480, false)]);
    }

    #[test]
    fn lnbs_and_cables_are_written_as_they_are_read() {
        for text in ["universal", "c", "c-stacked", "dbs", "10750", "9750/10600/11800", "5100/5700"] {
            assert_eq!(text.parse::<Lnb>().map(|lnb| lnb.to_string()).as_deref(), Ok(text));
        }
        for text in ["en50494:7:1210", "en50607:31:2150"] {
            assert_eq!(text.parse::<Cable>().map(|cable| cable.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["", "ku", "97", "9750/10600/", "9750/10600/10000", "1/2/3/4", "+9750", "70000"] {
            assert_eq!(wrong.parse::<Lnb>(), Err(()), "{wrong}");
        }
        for wrong in ["en50494:8:1210", "en50607:32:1210", "en50494:0:900", "en50494:0", "jess:0:1210"] {
            assert_eq!(wrong.parse::<Cable>(), Err(()), "{wrong}");
        }
    }
}

//! How a mux is sent over the air or by cable: what a frontend is told, as a value and as text.
//!
//! Owns the words for it: delivery systems, frequencies, modulations, where a satellite is, which tuner of this machine
//! and what dish it is at. Knows no device, no ioctl and no table.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod device;
pub mod dish;

pub use device::{Device, DeviceError};

/// A delivery system, by the kernel's numbers (`enum fe_delivery_system`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
#[repr(u8)]
pub enum System {
    DvbC = 1,
    DvbCAnnexB = 2,
    DvbT = 3,
    Dss = 4,
    DvbS = 5,
    DvbS2 = 6,
    DvbH = 7,
    IsdbT = 8,
    IsdbS = 9,
    IsdbC = 10,
    Atsc = 11,
    AtscMh = 12,
    Dtmb = 13,
    Cmmb = 14,
    Dab = 15,
    DvbT2 = 16,
    Turbo = 17,
    DvbCAnnexC = 18,
    DvbC2 = 19,
}

impl System {
    /// Every one there is, with its name in a mux's text.
    pub const ALL: [(Self, &'static str); 19] = [
        (Self::DvbC, "dvb-c"),
        (Self::DvbCAnnexB, "dvb-c-b"),
        (Self::DvbT, "dvb-t"),
        (Self::Dss, "dss"),
        (Self::DvbS, "dvb-s"),
        (Self::DvbS2, "dvb-s2"),
        (Self::DvbH, "dvb-h"),
        (Self::IsdbT, "isdb-t"),
        (Self::IsdbS, "isdb-s"),
        (Self::IsdbC, "isdb-c"),
        (Self::Atsc, "atsc"),
        (Self::AtscMh, "atsc-mh"),
        (Self::Dtmb, "dtmb"),
        (Self::Cmmb, "cmmb"),
        (Self::Dab, "dab"),
        (Self::DvbT2, "dvb-t2"),
        (Self::Turbo, "turbo"),
        (Self::DvbCAnnexC, "dvb-c-c"),
        (Self::DvbC2, "dvb-c2"),
    ];

    /// The system with the kernel's `number`.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().map(|(system, _)| system).find(|system| *system as u8 == number)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(system, _)| *system == self).map_or("?", |(_, name)| name)
    }

    /// It comes from a satellite: frequencies are in kHz, and a dish is between.
    #[must_use]
    pub const fn is_satellite(self) -> bool {
        matches!(self, Self::Dss | Self::DvbS | Self::DvbS2 | Self::IsdbS | Self::Turbo)
    }

    /// Where its muxes are: in kHz of satellites, in Hz of all else.
    #[must_use]
    pub const fn frequencies(self) -> RangeInclusive<u32> {
        if self.is_satellite() { 2_000_000..=50_000_000 } else { 40_000_000..=2_200_000_000 }
    }

    /// It comes by cable.
    #[must_use]
    pub const fn is_cable(self) -> bool {
        matches!(self, Self::DvbC | Self::DvbCAnnexB | Self::DvbCAnnexC | Self::DvbC2 | Self::IsdbC)
    }
}

/// Polarisation of a satellite's signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Polarisation {
    Horizontal,
    Vertical,
    CircularLeft,
    CircularRight,
}

/// How symbols carry bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Modulation {
    /// The demodulator finds it.
    Auto,
    Qpsk,
    Psk8,
    Apsk16,
    Apsk32,
    Dqpsk,
    Qam4Nr,
    Qam16,
    Qam32,
    Qam64,
    Qam128,
    Qam256,
    Vsb8,
    Vsb16,
}

/// Share of the bits that carry data: the inner code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Fec {
    /// The demodulator finds it.
    Auto,
    None,
    Fec1_2,
    Fec2_3,
    Fec3_4,
    Fec4_5,
    Fec5_6,
    Fec6_7,
    Fec7_8,
    Fec8_9,
    Fec3_5,
    Fec9_10,
    Fec2_5,
    Fec1_4,
    Fec1_3,
}

/// A place above the equator: tenths of a degree, east positive, from -1799 to 1800.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position(i16);

impl Position {
    /// The place `tenths` of a degree east of Greenwich; those from 1801 to 3600 are west of it.
    #[must_use]
    pub fn east(tenths: i32) -> Option<Self> {
        let place = match tenths {
            -1800 => 1800,
            1801..=3600 => tenths - 3600,
            _ => tenths,
        };
        let place = i16::try_from(place).ok().filter(|t| (-1799..=1800).contains(t));
        place.map(Self)
    }

    /// Tenths of a degree, east positive.
    #[must_use]
    pub const fn tenths(self) -> i16 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.0 < 0 { 'W' } else { 'E' };
        let tenths = self.0.unsigned_abs();
        write!(f, "{}.{}{side}", tenths / 10, tenths % 10)
    }
}

impl FromStr for Position {
    type Err = ();

    /// `19.2E`, as it is written.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (degrees, sign) = match text.split_at_checked(text.len().saturating_sub(1)) {
            Some((degrees, "E")) => (degrees, 1),
            Some((degrees, "W")) => (degrees, -1),
            _ => return Err(()),
        };
        let (whole, tenth) = degrees.split_once('.').unwrap_or((degrees, "0"));
        let whole: u16 = digits(whole).ok_or(())?;
        let tenth = tenth.parse::<u8>().ok().filter(|n| *n < 10 && tenth.len() == 1).ok_or(())?;
        Self::east(sign * (i32::from(whole) * 10 + i32::from(tenth))).ok_or(())
    }
}

/// How one mux is sent. Guard intervals, roll-off, pilots and the like are left out: a demodulator finds them by itself.
///
/// As text `SYSTEM:FREQUENCY[POLARISATION][?KEY=VALUE…]`, in that order:
///
/// | key | means |
/// |---|---|
/// | `bw` | bandwidth in Hz |
/// | `sr` | symbols per second |
/// | `mod` | modulation, such as `qam64` |
/// | `fec` | inner code, such as `2/3` |
/// | `stream` | input stream (EN 302 307 §5.1.6), physical layer pipe (EN 302 755), or ISDB-S `transport_stream_id` |
/// | `sat` | where the satellite is, such as `19.2E` |
///
/// `dvb-t2:474000000?bw=8000000&stream=1` and `dvb-s:11362000H?sr=22000000&sat=19.2E` are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// Delivery system.
    pub system: System,
    /// In Hz; of satellites on air, in kHz.
    pub frequency: u32,
    /// Polarisation, of satellites.
    pub polarisation: Option<Polarisation>,
    /// Bandwidth in Hz, where it is known.
    pub bandwidth: Option<u32>,
    /// Symbols per second, of satellites and cable.
    pub symbol_rate: Option<u32>,
    /// Modulation.
    pub modulation: Modulation,
    /// Inner code.
    pub fec: Fec,
    /// One stream of several in a signal.
    pub stream: Option<u32>,
    /// Where the satellite is, where it is known.
    pub position: Option<Position>,
}

/// Why a text is no tuning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TuningError {
    /// No such delivery system.
    System(String),
    /// No frequency in its system's range: 40 MHz to 2.2 GHz, satellites 2 to 50 GHz.
    Frequency(String),
    /// A parameter that is none, or whose value cannot be.
    Parameter(String),
}

impl fmt::Display for TuningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(text) => write!(f, "'{text}' is no delivery system"),
            Self::Frequency(text) => {
                write!(
                    f,
                    "'{text}' is no frequency in Hz from 40 MHz to 2.2 GHz (satellites: in kHz, 2 to 50 GHz)"
                )
            }
            Self::Parameter(text) => {
                write!(f, "parameter '{text}' is none of bw, sr, mod, fec, stream, sat or cannot be")
            }
        }
    }
}

const MODULATIONS: [(Modulation, &str); 14] = [
    (Modulation::Auto, "auto"),
    (Modulation::Qpsk, "qpsk"),
    (Modulation::Psk8, "8psk"),
    (Modulation::Apsk16, "16apsk"),
    (Modulation::Apsk32, "32apsk"),
    (Modulation::Dqpsk, "dqpsk"),
    (Modulation::Qam4Nr, "qam4nr"),
    (Modulation::Qam16, "qam16"),
    (Modulation::Qam32, "qam32"),
    (Modulation::Qam64, "qam64"),
    (Modulation::Qam128, "qam128"),
    (Modulation::Qam256, "qam256"),
    (Modulation::Vsb8, "8vsb"),
    (Modulation::Vsb16, "16vsb"),
];

const FECS: [(Fec, &str); 15] = [
    (Fec::Auto, "auto"),
    (Fec::None, "none"),
    (Fec::Fec1_2, "1/2"),
    (Fec::Fec2_3, "2/3"),
    (Fec::Fec3_4, "3/4"),
    (Fec::Fec4_5, "4/5"),
    (Fec::Fec5_6, "5/6"),
    (Fec::Fec6_7, "6/7"),
    (Fec::Fec7_8, "7/8"),
    (Fec::Fec8_9, "8/9"),
    (Fec::Fec3_5, "3/5"),
    (Fec::Fec9_10, "9/10"),
    (Fec::Fec2_5, "2/5"),
    (Fec::Fec1_4, "1/4"),
    (Fec::Fec1_3, "1/3"),
];

const POLARISATIONS: [(Polarisation, char); 4] = [
    (Polarisation::Horizontal, 'H'),
    (Polarisation::Vertical, 'V'),
    (Polarisation::CircularLeft, 'L'),
    (Polarisation::CircularRight, 'R'),
];

impl Tuning {
    /// A mux of which no more is known.
    #[must_use]
    pub const fn new(system: System, frequency: u32) -> Self {
        Self {
            system,
            frequency,
            polarisation: None,
            bandwidth: None,
            symbol_rate: None,
            modulation: Modulation::Auto,
            fec: Fec::Auto,
            stream: None,
            position: None,
        }
    }

    /// There are muxes at its frequency.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.system.frequencies().contains(&self.frequency)
    }

    /// Both name the same mux: what lists, networks and frontends say of a frequency differs by offsets and rounding.
    #[must_use]
    pub fn is_same_mux(&self, other: &Self) -> bool {
        let family = |t: &Self| (t.system.is_satellite(), t.system.is_cable());
        let near = if self.system.is_satellite() { 2_000 } else { 1_000_000 };
        family(self) == family(other)
            && self.frequency.abs_diff(other.frequency) <= near
            && (self.polarisation == other.polarisation
                || self.polarisation.is_none()
                || other.polarisation.is_none())
            && (self.stream == other.stream || self.stream.is_none() || other.stream.is_none())
            && (self.position == other.position || self.position.is_none() || other.position.is_none())
    }
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.system.name(), self.frequency)?;
        if let Some((_, letter)) = POLARISATIONS.iter().find(|(p, _)| Some(*p) == self.polarisation) {
            write!(f, "{letter}")?;
        }
        let mut mark = '?';
        let mut say = |f: &mut fmt::Formatter<'_>, key: &str, value: &dyn fmt::Display| {
            write!(f, "{}{key}={value}", std::mem::replace(&mut mark, '&'))
        };
        self.bandwidth.iter().try_for_each(|bw| say(f, "bw", bw))?;
        self.symbol_rate.iter().try_for_each(|sr| say(f, "sr", sr))?;
        let modulation = MODULATIONS.iter().find(|(m, _)| *m == self.modulation && *m != Modulation::Auto);
        modulation.iter().try_for_each(|(_, name)| say(f, "mod", name))?;
        let fec = FECS.iter().find(|(fec, _)| *fec == self.fec && *fec != Fec::Auto);
        fec.iter().try_for_each(|(_, name)| say(f, "fec", name))?;
        self.stream.iter().try_for_each(|stream| say(f, "stream", stream))?;
        self.position.iter().try_for_each(|position| say(f, "sat", position))
    }
}

impl FromStr for Tuning {
    type Err = TuningError;

    fn from_str(text: &str) -> Result<Self, TuningError> {
        let (name, rest) = text.split_once(':').ok_or_else(|| TuningError::System(text.into()))?;
        let system = System::ALL.into_iter().find(|(_, known)| *known == name);
        let (system, _) = system.ok_or_else(|| TuningError::System(name.into()))?;
        let (frequency, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let letter = frequency.chars().last();
        let polarisation =
            POLARISATIONS.into_iter().find(|(_, c)| Some(*c) == letter && system.is_satellite());
        let number = if polarisation.is_some() { &frequency[..frequency.len() - 1] } else { frequency };
        let range = system.frequencies();
        let hertz: Option<u32> = digits(number).filter(|n| range.contains(n));
        let hertz = hertz.ok_or_else(|| TuningError::Frequency(frequency.into()))?;
        let mut tuning = Self { polarisation: polarisation.map(|(p, _)| p), ..Self::new(system, hertz) };
        for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
            tuning.set(parameter).ok_or_else(|| TuningError::Parameter(parameter.into()))?;
        }
        Ok(tuning)
    }
}

/// A number of digits alone.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

impl Tuning {
    fn set(&mut self, parameter: &str) -> Option<()> {
        let (key, value) = parameter.split_once('=')?;
        match key {
            "bw" => self.bandwidth = Some(digits(value)?),
            "sr" => self.symbol_rate = Some(digits(value)?),
            "mod" => self.modulation = MODULATIONS.iter().find(|(_, name)| *name == value)?.0,
            "fec" => self.fec = FECS.iter().find(|(_, name)| *name == value)?.0,
            "stream" => self.stream = Some(digits(value)?),
            "sat" => self.position = Some(value.parse().ok()?),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        for text in [
            "dvb-t:474000000",
            "dvb-t2:474166000?bw=8000000&stream=1",
            "dvb-c:346000000?sr=6900000&mod=qam256",
            "dvb-s:11362000H?sr=22000000&fec=5/6&sat=19.2E",
            "dvb-s2:12732000V?sr=29500000&mod=8psk&stream=6&sat=5.0W",
            "dtmb:650000000?bw=8000000",
        ] {
            assert_eq!(text.parse::<Tuning>().map(|t| t.to_string()), Ok(text.into()));
        }
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        for (text, why) in [
            ("dvb-x:474000000", TuningError::System("dvb-x".into())),
            ("474000000", TuningError::System("474000000".into())),
            ("dvb-t:474", TuningError::Frequency("474".into())),
            ("dvb-t:474000000H", TuningError::Frequency("474000000H".into())),
            ("dvb-s:é", TuningError::Frequency("é".into())),
            ("dvb-t:474000000?bw=x", TuningError::Parameter("bw=x".into())),
            ("dvb-s:11362000H?sat=19.22E", TuningError::Parameter("sat=19.22E".into())),
        ] {
            assert_eq!(text.parse::<Tuning>(), Err(why));
        }
    }

    #[test]
    fn places_are_east_or_west() {
        for (tenths, text) in [
            (192, "19.2E"),
            (0, "0.0E"),
            (1800, "180.0E"),
            (-1800, "180.0E"),
            (-8, "0.8W"),
            (3592, "0.8W"),
            (3600, "0.0E"),
        ] {
            let place = Position::east(tenths);
            assert_eq!(place.map(|p| p.to_string()).as_deref(), Some(text));
            assert_eq!(text.parse().ok(), place);
        }
        assert_eq!(Position::east(3601), None);
        assert_eq!(Position::east(-1801), None);
    }

    #[test]
    fn one_mux_by_two_accounts() {
        let same = |a: &str, b: &str| a.parse::<Tuning>().unwrap().is_same_mux(&b.parse().unwrap());
        assert!(same("dvb-t:474000000", "dvb-t2:474166000?bw=8000000"));
        assert!(same("dvb-s:11362000H?sr=22000000&sat=19.2E", "dvb-s:11361750H?sr=22000000"));
        assert!(!same("dvb-s:11362000H", "dvb-s:11362000V"));
        assert!(!same("dvb-t2:474000000?stream=0", "dvb-t2:474000000?stream=1"));
        assert!(!same("dvb-t:474000000", "dvb-c:474000000"));
        assert!(!same("dvb-t:474000000", "dvb-t:482000000"));
    }
}

//! What a tuner needs to know of a service: which it is, and how its mux is sent.
//!
//! Code rates, guard intervals and roll-off are left out: a demodulator finds them by itself.

use std::fmt;

/// A service and its mux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DvbService {
    /// Which one.
    pub service: Triple,
    /// How its mux is sent.
    pub delivery: Delivery,
}

/// What identifies a service everywhere (EN 300 468 §5.2.3), as far as the list gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Triple {
    /// `original_network_id`, where it is given.
    pub original_network_id: Option<u16>,
    /// `transport_stream_id`, where it is given.
    pub transport_stream_id: Option<u16>,
    /// `service_id`.
    pub service_id: u16,
}

/// How a mux is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// DVB-S, DVB-S2.
    Satellite {
        /// The first or the second.
        generation: Generation,
        /// Frequency on air, in kHz.
        kilohertz: u32,
        /// Symbols per second.
        symbol_rate: u32,
        /// Polarisation.
        polarisation: Polarisation,
        /// Modulation.
        modulation: Modulation,
        /// Where the satellite is, if the list says.
        position: Option<Position>,
        /// Input stream, of several in one signal (EN 302 307 §5.1.6).
        stream: Option<u8>,
    },
    /// DVB-T, DVB-T2.
    Terrestrial {
        /// The first or the second.
        generation: Generation,
        /// Frequency in Hz.
        hertz: u32,
        /// Bandwidth in Hz, if the list says.
        bandwidth: Option<u32>,
        /// Modulation.
        modulation: Modulation,
        /// Physical layer pipe, of several in one signal (EN 302 755).
        stream: Option<u8>,
    },
    /// DVB-C (annex A).
    Cable {
        /// Frequency in Hz.
        hertz: u32,
        /// Symbols per second.
        symbol_rate: u32,
        /// Modulation.
        modulation: Modulation,
    },
}

/// The generation of a delivery system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// DVB-S, DVB-T.
    First,
    /// DVB-S2, DVB-T2.
    Second,
}

/// Polarisation of a satellite's signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Polarisation {
    Horizontal,
    Vertical,
    CircularLeft,
    CircularRight,
}

/// How symbols carry bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Modulation {
    /// The demodulator finds it.
    Auto,
    Qpsk,
    Psk8,
    Apsk16,
    Apsk32,
    Qam16,
    Qam32,
    Qam64,
    Qam128,
    Qam256,
}

/// A place above the equator: tenths of a degree, east positive, from -1799 to 1800.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Frequency of a satellite's mux in kHz, if it is one: from S to Ka band. A list with an intermediate frequency in
/// its place was made by a broken scan.
pub(super) fn satellite_kilohertz(kilohertz: u32) -> Option<u32> {
    (2_000_000..=50_000_000).contains(&kilohertz).then_some(kilohertz)
}

/// Frequency of a mux on cable or from a tower in Hz, if it is one.
pub(super) fn hertz(hertz: u32) -> Option<u32> {
    (40_000_000..=1_300_000_000).contains(&hertz).then_some(hertz)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(Position::east(tenths).map(|p| p.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Position::east(3601), None);
        assert_eq!(Position::east(-1801), None);
    }
}

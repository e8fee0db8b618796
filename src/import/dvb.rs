//! What a list says of a service of a tuner: which it is, and how its mux is sent.
//!
//! Code rates are left out: a demodulator finds them by itself, and lists are often wrong there.

use crate::delivery::Tuning;

/// A service and its mux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DvbService {
    /// Which one.
    pub service: Triple,
    /// How its mux is sent.
    pub tuning: Tuning,
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

/// Frequency of a satellite's mux in kHz, if it is one: from S to Ka band. A list with an intermediate frequency in
/// its place was made by a broken scan.
pub(super) fn satellite_kilohertz(kilohertz: u32) -> Option<u32> {
    (2_000_000..=50_000_000).contains(&kilohertz).then_some(kilohertz)
}

/// Frequency of a mux on cable or from a tower in Hz, if it is one.
pub(super) fn hertz(hertz: u32) -> Option<u32> {
    (40_000_000..=1_300_000_000).contains(&hertz).then_some(hertz)
}

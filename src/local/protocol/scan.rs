//! The lines that tell how far a scan came.

use serde::{Deserialize, Serialize};

use super::{Text, Word};

/// A line of the answer to `scan-status`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanLine {
    /// How far the scan came.
    pub scan: ScanView,
}

/// How far a scan came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanView {
    /// `none`, `running`, `stopped` or `over`.
    pub state: Word,
    /// 0 to 100.
    pub percent: u8,
    /// Places that were looked at.
    pub done: usize,
    /// Places in all, as far as is known.
    pub all: usize,
    /// Muxes that were received.
    pub muxes: u16,
    /// Services of television in them.
    pub tv: u16,
    /// Services of radio.
    pub radio: u16,
    /// All other services.
    pub other: u16,
    /// Channels that are new in the table.
    pub new_channels: usize,
    /// What is being looked at.
    pub mux: Option<Text>,
    /// It waits for a tuner.
    pub waits: bool,
    /// Why it stopped by itself: a sentence.
    pub error: Option<Text>,
    /// Power at the input, in thousandths of a dBm.
    pub strength_mdbm: Option<i32>,
    /// The same in thousandths of what the driver takes for all.
    pub strength_permille: Option<u16>,
    /// Carrier to noise, in thousandths of a dB.
    pub cnr_mdb: Option<i32>,
    /// The same in thousandths of all.
    pub cnr_permille: Option<u16>,
    /// Seconds that it will still take.
    pub left_s: Option<u64>,
}

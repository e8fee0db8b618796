//! The lines about tuners.

use serde::{Deserialize, Serialize};

use super::protocol::{Text, Word};

/// A line of the answer to `tuners`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunerLine {
    /// What it is of.
    pub tuner: TunerView,
}

/// Delivery systems that one tuner can know.
pub const SYSTEMS: usize = 12;

/// A tuner.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunerView {
    /// For `tuner-grant` and `tuner-withdraw`: its place in the configuration, from 0.
    pub number: usize,
    /// Its device, as behind `dvb:`.
    pub device: Text,
    /// Its driver's name for it; `None` until it was opened once.
    pub name: Option<Text>,
    /// The delivery systems that it knows.
    pub systems: heapless::Vec<Word, SYSTEMS>,
    /// `idle`, `tuning`, `locked`, `lost`, `failed`, `watching` (somebody else has it) or `closing`.
    pub state: Word,
    /// What is wrong: a sentence.
    pub error: Option<Text>,
    /// What it is tuned to, by the box or by the television.
    pub mux: Option<Text>,
    /// What for: `television`, `recording`, `viewers`, `scan` or `guide`; `None` for nothing.
    pub users: Option<Word>,
    /// Services of its mux that are watched.
    pub watched: usize,
    /// Who may tune it: `box`, `ui`, or, by a grant of the `ui`, the box: `granted`.
    pub whose: Word,
    /// Power at the input, in thousandths of a dBm.
    pub strength_mdbm: Option<i32>,
    /// The same in thousandths of what the driver takes for all.
    pub strength_permille: Option<u16>,
    /// Carrier to noise, in thousandths of a dB.
    pub cnr_mdb: Option<i32>,
    /// The same in thousandths of all.
    pub cnr_permille: Option<u16>,
    /// Bits that were wrong since it was tuned, before they were corrected.
    pub bit_errors: Option<u64>,
    /// Of so many.
    pub bits: Option<u64>,
    /// Blocks that could not be corrected since it was tuned.
    pub block_errors: Option<u64>,
    /// Of so many.
    pub blocks: Option<u64>,
}

/// A line of the answer to `answer` where a tuner was allowed: from now on this conversation grants it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedLine {
    /// The tuner's number.
    pub granted: usize,
}

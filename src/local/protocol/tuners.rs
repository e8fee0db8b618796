//! The lines about tuners.

use serde::{Deserialize, Serialize};

use crate::status::TunerView;

/// A line of the answer to `tuners`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunerLine {
    /// What it is of.
    pub tuner: TunerView,
}

/// A line of the answer to `answer` where a tuner was allowed: from now on this conversation grants it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedLine {
    /// The tuner's number.
    pub granted: usize,
}

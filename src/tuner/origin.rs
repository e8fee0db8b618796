//! Where a mux comes from.

use std::fmt;

use crate::delivery::Tuning;
use crate::source::SourceUrl;

/// Where a mux comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A line of its own: multicast, a file.
    Line(SourceUrl),
    /// The air, a dish or a cable, by whichever tuner can.
    Air(Tuning),
}

impl Origin {
    /// How it is sent, where a tuner receives it.
    #[must_use]
    pub const fn tuning(&self) -> Option<&Tuning> {
        match self {
            Self::Line(_) => None,
            Self::Air(tuning) => Some(tuning),
        }
    }

    /// Whether `text` names the same stream: another interface, another account of the same frequency.
    #[must_use]
    pub fn is_stream_of(&self, text: &str) -> bool {
        match self {
            Self::Line(url) => url.is_stream_of(text),
            Self::Air(tuning) => text.parse().is_ok_and(|other| tuning.is_same_mux(&other)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(url) => url.fmt(f),
            Self::Air(tuning) => tuning.fmt(f),
        }
    }
}

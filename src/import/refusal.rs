//! Why a list, or a line of it, is refused.

use std::fmt;
use std::net::IpAddr;

use super::LIST_MAX;
use crate::text::CleanText;

/// Refusals kept with their lines; the rest are counted.
pub const REFUSALS_KEPT: usize = 64;

/// The part of a line that is refused, fit to be shown.
pub type Culprit = CleanText<48>;

/// Why a file is no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// It has this many bytes.
    Large(usize),
    /// It is of no known format.
    Format,
    /// It is a `lamedb` of this version.
    Version(Culprit),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Large(bytes) => write!(f, "{bytes} bytes are more than the {LIST_MAX} that are read"),
            Self::Format => f.write_str("no list of M3U, lamedb, bouquet, channels.conf or dvbv5 format"),
            Self::Version(version) => write!(f, "lamedb '{version}' is not of version 4 or 5"),
        }
    }
}

impl std::error::Error for ImportError {}

/// Why a line is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The source is neither `udp://` nor `rtp://`.
    Scheme(Culprit),
    /// The source is no group and port, or has a parameter it cannot have.
    Address(Culprit),
    /// The address is not a multicast group.
    Unicast(IpAddr),
    /// The group belongs to the network's own protocols.
    ControlGroup(IpAddr),
    /// The sender before `@` is no host's address.
    Sender(IpAddr),
    /// The interface is not the one the board keeps for multicast.
    Interface(Culprit),
    /// It is no number from 1 to 65535. The channel stays, without it.
    Number(Culprit),
    /// An entry before it has this number. The channel stays, without it.
    NumberTaken(u16),
    /// The import is full: it has this many entries.
    Full(usize),
    /// The line is not what stands at its place in this format.
    Line(Culprit),
    /// A value of the line (its name, its text) is missing or impossible.
    Value(&'static str, Culprit),
    /// The delivery system is none that is known here.
    System(Culprit),
    /// No transponder is given for the service.
    NoTransponder(Culprit),
    /// The bouquet names a service that no list read before it has.
    NoService(Culprit),
    /// The bouquets have the service before, with this number, which it keeps.
    Again(u16),
    /// The list hides the service from its viewers.
    Hidden(Culprit),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(url) => write!(f, "'{url}': a list may name udp:// and rtp:// groups alone"),
            Self::Address(url) => write!(f, "'{url}' is not group:port (IPv6 as [group]:port)"),
            Self::Unicast(ip) => write!(f, "{ip} is not a multicast group"),
            Self::ControlGroup(ip) => write!(f, "{ip} belongs to the network's own protocols"),
            Self::Sender(ip) => write!(f, "{ip} cannot be a sender"),
            Self::Interface(name) => write!(f, "interface '{name}' is not the one for multicast"),
            Self::Number(text) => write!(f, "'{text}' is not a number from 1 to 65535"),
            Self::NumberTaken(number) => write!(f, "number {number} is taken by a channel before"),
            Self::Full(capacity) => write!(f, "full: there is room for {capacity} channels"),
            Self::Line(text) => write!(f, "'{text}' is not understood"),
            Self::Value(what, text) if text.is_empty() => write!(f, "{what} is missing"),
            Self::Value(what, text) => write!(f, "{what} '{text}' is impossible"),
            Self::System(text) => write!(f, "'{text}' is a delivery system not known here"),
            Self::NoTransponder(text) => write!(f, "'{text}': the list has no such transponder"),
            Self::NoService(text) => write!(f, "'{text}': no list before has this service"),
            Self::Again(number) => write!(f, "the service is channel {number} already"),
            Self::Hidden(name) => write!(f, "'{name}' is hidden in the list"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The refused lines of one file: the first [`REFUSALS_KEPT`], and how many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    kept: Vec<(usize, Refusal)>,
    count: usize,
}

impl Refusals {
    /// Those that were kept: the line's number from 1, and why.
    #[must_use]
    pub fn kept(&self) -> &[(usize, Refusal)] {
        &self.kept
    }

    /// How many there were.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, line: usize, why: Refusal) {
        self.count += 1;
        if self.kept.len() < REFUSALS_KEPT {
            self.kept.push((line, why));
        }
    }
}

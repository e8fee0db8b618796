//! Why something is not done: a word for programs, a sentence for people.

use std::fmt;

use crate::registration::LabelError;

/// Why a claim, or what else was asked for, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No zone of this service.
    Zone(String),
    /// No name.
    Name(LabelError),
    /// A name that is kept for the operator, or looks like one that is.
    Reserved(String),
    /// No voucher, or one that none of the brand's keys signed.
    Voucher,
    /// The signature is not of the key that it should be of.
    Signature,
    /// The nonce is not of this service, was used before, or is too old.
    Nonce,
    /// The recovery code is another one.
    Recovery,
    /// The share is none.
    Share,
    /// Somebody else has it.
    Taken(String),
    /// Nobody has it, and nobody gets it before this time (seconds since 1970; 0: before the operator says so).
    Held(String, u32),
    /// Nobody has it.
    Unknown(String),
    /// The operator suspended it.
    Suspended(String),
    /// An address that may not be published.
    Address(String),
    /// A text that is too long, or one too many.
    Text(&'static str),
    /// Too many from there.
    Rate,
    /// There is no room for another name.
    Full,
    /// The same name is being written right now.
    Busy(String),
    /// The store does not take it.
    Store(String),
    /// The system has no randomness.
    Randomness,
    /// A line of an import that is none.
    Line(String),
}

impl Refusal {
    /// The word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Zone(_) | Self::Name(_) | Self::Reserved(_) => "name",
            Self::Voucher => "voucher",
            Self::Signature | Self::Recovery => "signature",
            Self::Nonce => "nonce",
            Self::Share | Self::Address(_) | Self::Text(_) | Self::Line(_) => "malformed",
            Self::Taken(_) => "taken",
            Self::Held(..) => "held",
            Self::Unknown(_) => "unknown",
            Self::Suspended(_) => "suspended",
            Self::Rate => "rate",
            Self::Full => "full",
            Self::Busy(_) => "busy",
            Self::Store(_) | Self::Randomness => "store",
        }
    }

    /// The status of HTTP that says so (RFC 9110 §15.5, RFC 6585 §4).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Share | Self::Address(_) | Self::Text(_) | Self::Line(_) => 400,
            Self::Voucher | Self::Signature | Self::Recovery | Self::Nonce | Self::Suspended(_) => 403,
            Self::Unknown(_) => 404,
            Self::Taken(_) | Self::Held(..) => 409,
            Self::Zone(_) | Self::Name(_) | Self::Reserved(_) => 422,
            Self::Rate => 429,
            Self::Full | Self::Busy(_) | Self::Store(_) | Self::Randomness => 503,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => write!(f, "'{}' is no zone of this service", zone.escape_debug()),
            Self::Name(why) => why.fmt(f),
            Self::Reserved(name) => {
                write!(f, "'{name}' is kept, or looks like a name that is: choose another")
            }
            Self::Voucher => f.write_str("the box has no voucher of a brand that this service knows"),
            Self::Signature => f.write_str("the signature is not of the key that it should be of"),
            Self::Nonce => f.write_str("the nonce is too old, or was used before: ask for a new one"),
            Self::Recovery => f.write_str("the recovery code is not that of this name"),
            Self::Share => f.write_str("the X25519 share is none"),
            Self::Taken(name) => write!(f, "somebody else has '{name}': choose another"),
            Self::Held(name, 0) => write!(f, "'{name}' is held by the operator of this service"),
            Self::Held(name, until) => {
                write!(f, "'{name}' was given up and rests until {until} (seconds since 1970)")
            }
            Self::Unknown(name) => write!(f, "nobody has '{}'", name.escape_debug()),
            Self::Suspended(name) => write!(f, "'{name}' is suspended by the operator of this service"),
            Self::Address(address) => {
                write!(f, "{address} cannot be reached from the internet and is not published")
            }
            Self::Text(what) => f.write_str(what),
            Self::Rate => f.write_str("too many from this network: try again in an hour"),
            Self::Full => f.write_str("this service has no room for another name"),
            Self::Busy(name) => write!(f, "'{name}' is being written right now: try again"),
            Self::Store(why) => write!(f, "the service cannot write it down now, so nothing was done: {why}"),
            Self::Randomness => f.write_str("the service has no randomness for a key"),
            Self::Line(why) => write!(f, "this line is no record of a name: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

//! Channels: what a person picks. The programme database of the box.
//!
//! Owns numbers, names and what each channel consists of; keeps them on flash; corrects them from the live tables of
//! the muxes. Knows nothing of who asks.

use std::cell::RefCell;
use std::time::Duration;

use heapless::Vec;
use serde::{Deserialize, Serialize};
use smol::future::poll_fn;

use crate::board;
use crate::sys::clock;
use crate::ts::event::Guide;
use crate::ts::psi::{Codec, Language, SECTION_KEPT, Tracks};
use crate::ts::service_info::{Name, ServiceKind, ServiceTriple};
use crate::tuner::arbiter::{Choice, Priority};
use crate::tuner::{Known, Lease, LeaseError, MuxId, Stages, Tuners};

mod claim;
mod number;
mod record;
mod scanned;
mod table;
#[cfg(test)]
mod tests;

pub use claim::Claim;
pub use record::{FORMATS, RecordError};
pub use scanned::{MISSES, Missing, muxes};
pub use table::ChannelTable;

/// One elementary stream, as lists show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentEntry {
    /// Its PID.
    pub pid: u16,
    /// `stream_type`.
    pub stream_type: u8,
    /// What it is.
    pub codec: Codec,
    /// ISO 639-2 code.
    pub language: Option<Language>,
}

/// An entry of the channel table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number a person keys in. Nobody but the [authority](crate::import::Authority) changes it.
    pub number: u16,
    /// The name.
    pub name: Name,
    /// Who makes it.
    pub provider: Name,
    /// Television, radio or data.
    pub kind: ServiceKind,
    /// The service it stands for.
    pub service: ServiceTriple,
    /// Its mux, by its place in the table's list of sources.
    source: u16,
    /// The PID with its clock.
    pub pcr_pid: u16,
    /// Its streams.
    pub components: Vec<ComponentEntry, { board::COMPONENTS }>,
    /// It cannot be watched for want of keys.
    pub scrambled: bool,
    /// Its PMT section as it was last, so that it can be watched before the next one comes.
    pmt: Vec<u8, SECTION_KEPT>,
    /// It was in its mux when that was last looked at.
    #[serde(skip)]
    present: bool,
    /// Scans in a row that did not see it in its mux.
    #[serde(skip)]
    misses: u8,
    /// The scan found it that runs, or ran last.
    #[serde(skip)]
    is_new: bool,
    /// The number that its network gives it, as its mux showed it last.
    #[serde(skip)]
    lcn: Option<u16>,
    /// Bits a second when it was received last, since the box was started.
    #[serde(skip)]
    pub rate: Option<u32>,
    /// What is on.
    #[serde(skip)]
    pub guide: Guide,
}

/// Whether a channel can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Available {
    /// At once: its mux is there, or has a line of its own.
    Now,
    /// After a tuner was tuned to its mux, which is free or used for something that matters less.
    Tuner,
    /// If who sits before the television allows that its tuner is taken.
    Ask,
    /// Its mux is not there or does not carry it now, or no tuner can be had.
    No,
}

impl Available {
    /// The name that lists carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Tuner => "tuner",
            Self::Ask => "ask",
            Self::No => "no",
        }
    }
}

/// What a request says of the channel it wants: the number, and the name the list had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The number.
    pub number: u16,
    /// The name, where it was sent along.
    pub name: Option<Name>,
    /// What is wanted of it.
    pub tracks: Tracks,
}

/// A channel that may be watched by who asked. Made by `access`, after it checked the right.
#[derive(Debug)]
pub struct Channel {
    number: u16,
    mux: MuxId,
    known: Known,
    /// It is listed as such.
    scrambled: bool,
}

/// Why a channel is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// No channel has this number.
    Unknown(u16),
    /// The number is another channel's: the list that was asked from is old.
    Renamed(Box<Renamed>),
    /// Its source is not configured any more.
    NoSource(u16),
    /// It has nothing that is heard, and that alone was asked for.
    NoAudio(u16),
}

/// A number and a name that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// What was asked for.
    pub wanted: Wanted,
    /// The number's name.
    pub name: Name,
}

impl Channel {
    /// The number it was granted by.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// What a wish for it would lead to now. `can_ask`: somebody is there who can answer for the television.
    #[must_use]
    pub fn reach(&self, tuners: &Tuners, wish: Priority, can_ask: bool) -> Choice {
        tuners.reach(self.mux, wish, can_ask)
    }

    /// When the tuning to its mux came how far, and since when its filters are open, where a tuner receives it.
    #[must_use]
    pub fn tuned(&self, tuners: &Tuners) -> Option<(Stages, Option<Duration>)> {
        tuners.tuned(self.mux)
    }

    /// The service it stands for.
    #[must_use]
    pub const fn service(&self) -> ServiceTriple {
        let identity = &self.known.identity;
        ServiceTriple {
            original_network_id: identity.original_network_id,
            transport_stream_id: identity.transport_stream_id,
            service_id: self.known.service,
        }
    }

    /// The list says that it is scrambled. Its packets may show otherwise.
    #[must_use]
    pub const fn is_marked_scrambled(&self) -> bool {
        self.scrambled
    }

    /// Locks the channel: shares its mux where it is tuned, tunes it where it is not. `wish` is how much that weighs
    /// where others want the tuner.
    pub async fn lease(&self, tuners: &RefCell<Tuners>, wish: Priority) -> Result<Lease, LeaseError> {
        let until = clock::boot() + Duration::from_millis(board::SCAN_TIMEOUT_MS);
        poll_fn(|cx| {
            let now = clock::boot();
            let late = now >= until + Duration::from_secs(1);
            if late {
                return std::task::Poll::Ready(Err(LeaseError::NoService(self.known.service)));
            }
            tuners.borrow_mut().poll_lease(cx, self.mux, &self.known, wish, now)
        })
        .await
    }
}

//! What the owner may know of the box's name.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::heartbeat::{State, Way};
use crate::registration::Status;

/// How it stands with the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// There is no name, and none is asked for.
    #[default]
    None,
    /// It is asked for.
    Claiming,
    /// It is going to be this box's, unless the box that has it says no.
    Waiting,
    /// It is this box's, and the service has not answered yet.
    Starting,
    /// The name leads here.
    Online,
    /// The service sees the box at an address that is none of the internet, and publishes none.
    NotPublished,
    /// The operator of the service suspended the name.
    Suspended,
    /// The service cannot be reached.
    Unreachable,
    /// The name is another box's now.
    Lost,
}

impl Phase {
    /// As a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Claiming => "claiming",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Online => "online",
            Self::NotPublished => "not-published",
            Self::Suspended => "suspended",
            Self::Unreachable => "unreachable",
            Self::Lost => "lost",
        }
    }

    /// Of a name whose heart beats.
    pub(super) fn beating(state: &State) -> Self {
        match (state.is_lost, state.way, state.status) {
            (true, ..) => Self::Lost,
            (_, Way::None, _) => Self::Unreachable,
            (_, Way::Unknown, _) | (.., None) => Self::Starting,
            (.., Some(Status::Published)) => Self::Online,
            (.., Some(Status::Suspended)) => Self::Suspended,
            (.., Some(Status::NotPublished)) => Self::NotPublished,
        }
    }
}

/// What the owner may know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameStatus {
    /// How it stands.
    pub phase: Phase,
    /// The whole name, once one is asked for.
    pub name: Option<String>,
    /// The service's URL; `None`: none is configured.
    pub service: Option<String>,
    /// Where the service sees the box.
    pub seen: Option<SocketAddr>,
    /// How long ago it last answered.
    pub heard: Option<Duration>,
    /// Beats go by HTTPS, since UDP does not come through.
    pub by_https: bool,
    /// Somebody asked for the name to be moved to another box.
    pub move_pending: bool,
    /// When the name becomes this box's, in seconds since 1970.
    pub waits_until: Option<u64>,
    /// What went wrong last, as a sentence.
    pub problem: Option<String>,
    /// There is a recovery code that the owner has not seen yet.
    pub has_recovery: bool,
}

/// Something that an owner should know at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameEvent {
    /// The name is this box's.
    Claimed {
        /// The whole name.
        name: String,
        /// There is a recovery code for the owner to write down.
        has_recovery: bool,
    },
    /// A claim was refused, and why.
    Refused(String),
    /// How it stands with the name changed.
    Phase(Phase),
    /// Somebody asked for the name to be moved; or does not any more.
    MovePending(bool),
}

/// An address as the service saw it.
pub(super) fn seen(state: &State) -> Option<SocketAddr> {
    state.seen.map(|(seen, port)| SocketAddr::new(IpAddr::from(seen), port))
}

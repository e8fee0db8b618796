//! What a zone's names hold, and the seam by which the responder learns it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// TXT records one name may have at most, those below it included.
pub const TEXTS_MAX: usize = 4;
/// Bytes of one TXT record's data at most, length bytes included: one full character string.
pub const TEXT_MAX: usize = 256;
/// Bytes of a label at most (RFC 1035 §2.3.4).
pub const LABEL_MAX: usize = 63;

/// Who has which name, and what is to be said of it. The claims are behind it.
///
/// Zones are numbered as in the responder's settings. Labels are in lower case, as on the wire, without their length.
/// All calls return at once.
pub trait Directory {
    /// What is published of `label`, the one label below the apex of `zone`.
    fn find(&self, zone: usize, label: &[u8]) -> Found<'_>;

    /// Visits some hundreds of a zone's names from `cursor` on, 0 at first; returns the next cursor, `None` at the end.
    ///
    /// A name that is there throughout a walk is visited; one that comes or goes meanwhile may be.
    fn page(&self, zone: usize, cursor: u64, visit: &mut dyn FnMut(&[u8], Published<'_>)) -> Option<u64>;

    /// The TSIG secret (hmac-sha256) of `label`; its key's name is the label in its zone.
    fn tsig_secret(&self, zone: usize, label: &[u8]) -> Option<[u8; 32]>;

    /// Applies what the holder of `label` asked for with its own TSIG key: all of it, or nothing.
    ///
    /// [`find`](Self::find) may tell the new state at once; the asker is told when the ticket's commit is on disk.
    fn update(&mut self, zone: usize, label: &[u8], update: Update) -> Result<Ticket, UpdateError>;

    /// Moves the changes since the last call to the end of `changes`: each name once.
    fn take_changes(&mut self, changes: &mut Vec<Change>) -> Taken;
}

/// What there is to say of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Nobody ever claimed it, or it was released and forgotten: the name does not exist (NXDOMAIN).
    Never,
    /// It is claimed; what is empty of it has no data.
    Entry(Published<'a>),
}

impl<'a> Found<'a> {
    /// What is published, where the name is claimed.
    #[must_use]
    pub const fn entry(self) -> Option<Published<'a>> {
        match self {
            Self::Never => None,
            Self::Entry(published) => Some(published),
        }
    }
}

/// What is published of a claimed name. Its default is that of a box which is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published<'a> {
    /// The A record.
    pub v4: Option<Ipv4Addr>,
    /// The AAAA record.
    pub v6: Option<Ipv6Addr>,
    /// The port of the HTTPS and SRV records; 0: none of them.
    pub port: u16,
    /// TXT records, [`TEXTS_MAX`] at most.
    pub texts: &'a [Text],
}

impl Published<'_> {
    /// The same, on its own.
    #[must_use]
    pub fn to_snapshot(self) -> Snapshot {
        Snapshot { v4: self.v4, v6: self.v6, port: self.port, texts: self.texts.into() }
    }
}

/// What was published at some time: [`Published`] that stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The A record.
    pub v4: Option<Ipv4Addr>,
    /// The AAAA record.
    pub v6: Option<Ipv6Addr>,
    /// The port of the HTTPS and SRV records; 0: none of them.
    pub port: u16,
    /// TXT records.
    pub texts: Box<[Text]>,
}

impl Snapshot {
    /// The same, borrowed.
    #[must_use]
    pub const fn published(&self) -> Published<'_> {
        Published { v4: self.v4, v6: self.v6, port: self.port, texts: &self.texts }
    }
}

/// A TXT record at a name, or one label below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The label below the name, in lower case, such as `_acme-challenge`; empty: at the name itself.
    pub below: Box<[u8]>,
    /// The record's data: character strings, each behind its length (RFC 1035 §3.3.14), [`TEXT_MAX`] bytes at most.
    pub data: Box<[u8]>,
}

/// What the holder of a name asks for. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Another IPv4 address, or none any more.
    pub v4: Option<Address<Ipv4Addr>>,
    /// Another IPv6 address, or none any more.
    pub v6: Option<Address<Ipv6Addr>>,
    /// Another port; 0: none any more.
    pub port: Option<u16>,
    /// All TXT records anew.
    pub texts: Option<Vec<Text>>,
}

/// What an address record becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<A> {
    /// This address.
    Is(A),
    /// No record.
    Gone,
}

/// Why an update was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateError {
    /// Not allowed: the name is suspended, or the address is not one to publish (REFUSED).
    Refused,
    /// Too often, or no room; later it may work (SERVFAIL).
    Busy,
}

/// Stands for a commit that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A name of which something else is published now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The number of its zone.
    pub zone: usize,
    /// The name's label.
    pub label: Box<[u8]>,
    /// What [`Directory::find`] said right after changes were last taken; `None`: [`Found::Never`].
    pub before: Option<Snapshot>,
}

/// How changes were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All that changed is in the list.
    All,
    /// More changed than the directory keeps: any name may be another now, whatever is in the list.
    Lost,
}

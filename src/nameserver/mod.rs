//! Authoritative DNS: answers, transfers, updates.
//!
//! Knows nothing of claims: what there is to say comes by the trait [`Directory`]. Logic without I/O: a request's bytes
//! in, an answer's bytes out in the caller's buffer, and the time comes with the call.
//!
//! Of a claimed name `alice` in `box.test` there is:
//!
//! ```text
//!   alice.box.test               60  A, AAAA     where the box is
//!   alice.box.test               60  HTTPS       1 . port=N                where the port is known
//!   _stbcast._tcp.alice.box.test 60  SRV         0 0 N alice.box.test.     likewise
//!   alice.box.test               60  TXT         what its holder set, such as _acme-challenge.alice
//!   alice.box.test               60  TXT         "v=stb1" where there is nothing else: so the name exists at secondaries, too
//! ```

mod answer;
mod changes;
mod directory;
mod envelope;
mod notify;
mod publish;
mod records;
mod request;
mod rrl;
mod server;
mod transfer;
mod tsig;
mod update;
mod wire;
mod zone;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub use changes::Committed;
pub use directory::{
    Address, Change, Directory, Found, LABEL_MAX, Published, Snapshot, TEXT_MAX, TEXTS_MAX, Taken, Text,
    Ticket, Update, UpdateError,
};
pub use notify::{Notifier, Secondary};
pub use publish::{Answered, Progress, Publisher};
pub use server::{Counters, Nameserver, Reply, Transport};
pub use transfer::{Step, Transfer};
pub use tsig::{Key, KeyError};
pub use zone::{Record, RecordError, Zone, ZoneSettings};

/// The time as the caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since any moment; never goes back.
    pub monotonic: std::time::Duration,
    /// Seconds since 1970, for signatures and serials.
    pub utc: u64,
}

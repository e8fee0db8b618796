//! Real DNS software against the responder: dig, kdig, delv, nsupdate, knsupdate, and as other servers Knot, NSD and BIND.
//! `scripts/check` installs them and runs these.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

use stbcast::cloud::dns::{Host, TcpLimits, notify, publish, serve_tcp, serve_udp};
use stbcast::nameserver::{
    Address, Change, Directory, Found, Nameserver, Notifier, Now, Published, Publisher, Snapshot, Taken,
    Text, Ticket, Update, UpdateError,
};

#[path = "dns_peers/ask.rs"]
mod ask;
#[path = "dns_peers/daemon.rs"]
mod daemon;
#[path = "dns_peers/publish.rs"]
mod publishing;
#[path = "../src/cloud/dns/sample.rs"]
mod sample;
#[path = "../src/nameserver/sample.rs"]
mod sample_of_names;
#[path = "dns_peers/secondaries.rs"]
mod secondaries;

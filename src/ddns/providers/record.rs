//! What every provider took last, on flash: a reboot is no reason for an update.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::manners::Settled;
use super::{Addresses, PROVIDERS, Providers};

/// What this program writes and reads.
const FORMAT: u8 = 1;
/// The oldest format that is read, and the newest.
pub const FORMATS: (u8, u8) = (FORMAT, FORMAT);
/// Bytes of the longest record: 43 a provider and the head.
const RECORD: usize = 256;

#[derive(Serialize, Deserialize)]
struct Record {
    format: u8,
    lines: heapless::Vec<Line, PROVIDERS>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Line {
    /// Of the setting.
    id: u64,
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
    /// Seconds since 1970; zero when no clock told.
    utc: u64,
}

/// What the provider of setting `id` took. A damaged record, or one of another format, tells of none.
pub(super) fn find(record: &[u8], id: u64) -> Option<Settled> {
    let (record, _) = postcard::take_from_bytes::<Record>(record).ok()?;
    let line = record.lines.into_iter().filter(|_| record.format == FORMAT).find(|line| line.id == id)?;
    let utc = (line.utc > 0).then(|| Duration::from_secs(line.utc));
    Some(Settled { addresses: Addresses { v4: line.v4, v6: line.v6 }, utc })
}

impl Providers {
    /// As bytes for flash.
    pub(super) fn record(&self) -> Vec<u8> {
        let line = |provider: &super::Provider| {
            let settled = provider.manners.borrow().settled()?;
            let Addresses { v4, v6 } = settled.addresses;
            Some(Line { id: provider.setting.id(), v4, v6, utc: settled.utc.map_or(0, |utc| utc.as_secs()) })
        };
        let mut record = vec![0; RECORD];
        let lines = self.all.iter().filter_map(line).collect();
        let length =
            postcard::to_slice(&Record { format: FORMAT, lines }, &mut record).map_or(0, |b| b.len());
        record.truncate(length);
        record
    }
}

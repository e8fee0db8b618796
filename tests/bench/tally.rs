//! What a crowd got, and what one run gave.

use super::cell::Cell;
use super::server::Kind;

/// What came to all clients of a crowd.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) bytes: u64,
    /// Elementary packets.
    pub(crate) packets: u64,
    /// Numbers that did not come in their place.
    pub(crate) lost: u64,
    /// Microseconds from the sender to a client, of a sample.
    pub(crate) late: Vec<u32>,
}

/// One run of one server in one cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) round: usize,
    pub(crate) cell: Cell,
    pub(crate) kind: Kind,
    pub(crate) cpu_per_gb: f64,
    /// Of the packets that should have come, those that did not: 0 to 1.
    pub(crate) lost: f64,
    /// Clients that got nothing, or whom the server left.
    pub(crate) lonely: usize,
    pub(crate) pss_mib: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The median from connect to the first byte of the stream.
    pub(crate) first_ms: f64,
}

impl Run {
    /// It did what it was there for.
    pub(crate) fn kept_up(&self) -> bool {
        self.lost < 0.001 && self.lonely == 0
    }
}

/// The value that `share` of all are not above; NaN of nothing.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let below = (1..values.len()).take_while(|&n| (n as f64) < share * values.len() as f64).count();
    values.get(below).copied().unwrap_or(f64::NAN)
}

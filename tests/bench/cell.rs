//! What is measured: so many clients of a service of so many Mbit/s.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// All cells; the last only where there is time left.
pub(crate) const ALL: &[Cell] = &[
    Cell::of(8, 1),
    Cell::of(8, 10),
    Cell::of(8, 100),
    Cell::of(8, 500),
    Cell::of(40, 1),
    Cell::of(40, 10),
    Cell::of(40, 50),
    Cell::of(40, 250),
];
/// What `--quick` measures.
pub(crate) const QUICK: &[Cell] = &[Cell::of(8, 1), Cell::of(8, 100), Cell::of(40, 10)];

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) mbit: u64,
    pub(crate) clients: usize,
}

impl Cell {
    const fn of(mbit: u64, clients: usize) -> Self {
        Self { mbit, clients }
    }

    /// Bits per second of the video.
    pub(crate) fn rate(self) -> u64 {
        self.mbit * 1_000_000
    }

    /// The tick of the box (src/daemon/main_loop.rs), which the floor keeps, too: 64 KiB of stream, but 20 ms at most,
    /// or 50 ms for more than a hundred clients.
    pub(crate) fn tick(self) -> Duration {
        let most = if self.clients > 100 { 50 } else { 20 };
        let micros = (64 << 10) * 8 * 1_000_000 / self.rate();
        Duration::from_micros(micros).clamp(Duration::from_millis(5), Duration::from_millis(most))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.mbit, self.clients)
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("'{text}' is not a cell like 8x10: Mbit/s x clients");
        let (mbit, clients) = text.split_once('x').ok_or_else(wrong)?;
        let (mbit, clients) = (mbit.parse().map_err(|_| wrong())?, clients.parse().map_err(|_| wrong())?);
        if (1..=200).contains(&mbit) && (1..=900).contains(&clients) {
            Ok(Self { mbit, clients })
        } else {
            Err(wrong())
        }
    }
}

//! How the box does: what is measured of it, and what is told of it by HTTP and at the local socket alike.
//!
//! Owns the views, the latency of the main loop and what the kernel says of memory. Knows neither who asks nor where
//! the numbers come from.

use std::cell::{Cell, RefCell};
use std::time::Duration;

mod latency;
mod view;

pub use latency::{Latency, Quantiles};
pub use view::{
    BoxView, Item, LoopView, MemoryView, MuxView, RingView, STAGES, SYSTEMS, StageView, Text, TunerView,
    ViewerView, Word, ZapView, text, word,
};

use crate::sys::machine::{Memory, memory};

/// The kernel walks all pages to say how much memory is in use: it is asked no oftener than this.
const MEMORY_EVERY: Duration = Duration::from_secs(5);

/// What is measured of the process.
pub struct Health {
    /// When it was started.
    pub started: Duration,
    /// How long rounds of the main loop took.
    pub latency: RefCell<Latency>,
    /// The tick: what a round may take at most for data to be in time.
    pub tick: Cell<Duration>,
    memory: Cell<Option<(Duration, Memory)>>,
}

impl Health {
    /// Of a process that starts now.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self {
            started: now,
            latency: RefCell::default(),
            tick: Cell::new(Duration::ZERO),
            memory: Cell::default(),
        }
    }

    /// Memory in use, as it was at most five seconds ago.
    #[must_use]
    pub fn memory(&self, now: Duration) -> Memory {
        let known = self.memory.get().filter(|(at, _)| now < *at + MEMORY_EVERY);
        let (at, memory) = known.unwrap_or_else(|| (now, memory()));
        self.memory.set(Some((at, memory)));
        memory
    }
}

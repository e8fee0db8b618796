//! What a scan visits, in which order, and what came of it. No tuner, no clock: it is told both.

use std::time::Duration;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::range::SYMBOL_RATES;
use crate::board;
use crate::delivery::{Modulation, System, Tuning};
use crate::ts::network::NetworkMux;

/// Places that a scan looks at, most.
pub const STOPS: usize = 4 * board::MUXES;

/// `original_network_id` and `transport_stream_id`.
pub type StreamId = (u16, u16);

/// Who named a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// Who asked for the scan, or the channel table.
    Name,
    /// Nobody: it is a place of a raster.
    Raster,
    /// A network, as that of this mux.
    Network(StreamId),
}

/// What came of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is still to be visited.
    Open,
    /// A mux is there, and was read.
    Received(StreamId),
    /// Nothing is there.
    Nothing,
    /// It was not visited: its mux was received elsewhere, or no tuner of this box can.
    Left,
}

/// A place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// How its mux is sent.
    pub tuning: Tuning,
    /// Who named it.
    pub by: By,
    /// What came of it.
    pub outcome: Outcome,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Muxes.
    pub muxes: u16,
    /// Services of television.
    pub tv: u16,
    /// Services of radio.
    pub radio: u16,
    /// All other services.
    pub other: u16,
}

/// A place that is being visited.
#[derive(Clone, Copy, Debug)]
struct Visit {
    stop: usize,
    /// How something may be sent there, and how many ways were tried in vain.
    way: Tuning,
    tried: u8,
    /// Time that was spent on it, without waiting for a tuner.
    spent: Duration,
    told: Duration,
    waits: bool,
}

/// The state of a scan.
pub struct Plan {
    stops: Vec<Stop, STOPS>,
    visits: Vec<Visit, { board::INPUTS }>,
    found: Found,
    /// Time spent on visits that are over, and how many those are.
    spent: (Duration, u32),
    /// Percent that were shown last: new places make no way back.
    shown: u8,
}

/// How far a scan came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// 0 to 100; 100 when it is over.
    pub percent: u8,
    /// Places that are done.
    pub done: usize,
    /// Places in all, as far as is known.
    pub all: usize,
    /// What was found.
    pub found: Found,
    /// How long it will still take, by the mean of what was visited.
    pub left: Option<Duration>,
}

impl Plan {
    /// A plan without places. Large: it is made where it stays.
    #[must_use]
    pub fn new() -> Box<Self> {
        Box::new(Self {
            stops: Vec::new(),
            visits: Vec::new(),
            found: Found::default(),
            spent: (Duration::ZERO, 0),
            shown: 0,
        })
    }

    /// The same as it was before the box was started again; what was being visited is visited anew.
    pub(super) fn restored(found: Found, stops: impl Iterator<Item = Stop>) -> Box<Self> {
        let mut plan = Self::new();
        plan.found = found;
        plan.stops.extend(stops.take(STOPS));
        plan
    }

    /// All places.
    #[must_use]
    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }

    /// One more place, unless it is known. Answers whether there was room.
    pub fn add(&mut self, tuning: Tuning, by: By) -> bool {
        let is_known = self.stops.iter().any(|stop| stop.tuning.is_same_mux(&tuning));
        let stop = Stop { tuning, by, outcome: Outcome::Open };
        is_known || self.stops.push(stop).is_ok()
    }

    /// Begins the next visit, at most `most` at one time. What a network named and was received elsewhere is left out.
    pub fn begin(&mut self, most: usize, now: Duration) -> Option<usize> {
        if self.visits.len() >= most || self.visits.is_full() {
            return None;
        }
        for stop in 0..self.stops.len() {
            if self.stops[stop].outcome != Outcome::Open || self.visits.iter().any(|v| v.stop == stop) {
                continue;
            }
            if let By::Network(id) = self.stops[stop].by
                && self.received(id)
            {
                self.stops[stop].outcome = Outcome::Left;
                continue;
            }
            let way = self.stops[stop].tuning;
            let visit = Visit { stop, way, tried: 0, spent: Duration::ZERO, told: now, waits: true };
            self.visits.push(visit).ok()?;
            return Some(stop);
        }
        None
    }

    /// What is being visited: the place, how something may be sent there, and whether it waits for a tuner.
    pub fn visits(&self) -> impl Iterator<Item = (usize, Tuning, bool)> {
        self.visits.iter().map(|visit| (visit.stop, visit.way, visit.waits))
    }

    /// A visit goes on, or waits for a tuner: that time does not count.
    pub fn goes_on(&mut self, stop: usize, waits: bool, now: Duration) {
        if let Some(visit) = self.visits.iter_mut().find(|visit| visit.stop == stop) {
            if !visit.waits {
                visit.spent += now.saturating_sub(visit.told);
            }
            (visit.waits, visit.told) = (waits, now);
        }
    }

    /// The mux of a place was read: what it is, what is in it, and what its network says of others. Answers whether it
    /// is new: the same mux may come from several towers.
    pub fn receive<'n>(
        &mut self,
        stop: usize,
        id: StreamId,
        services: Found,
        network: impl Iterator<Item = &'n NetworkMux>,
        now: Duration,
    ) -> bool {
        let is_new = !self.received(id);
        if let Some(visit) = self.visits.iter().find(|visit| visit.stop == stop) {
            self.stops[stop].tuning = visit.way;
        }
        let system = self.stops[stop].tuning.system;
        self.end(stop, Outcome::Received(id), now);
        if is_new {
            self.found.muxes += 1;
            self.found.tv = self.found.tv.saturating_add(services.tv);
            self.found.radio = self.found.radio.saturating_add(services.radio);
            self.found.other = self.found.other.saturating_add(services.other);
        }
        for mux in network {
            let by = By::Network((mux.original_network_id, mux.transport_stream_id));
            if !self.add(as_sent(system, mux.tuning), by) {
                log::warn!("a scan looks at {STOPS} places at most: {} is left out", mux.tuning);
            }
        }
        is_new
    }

    /// Nothing is there. Answers the other way in which something may be sent there, which is to be visited next: `knows`
    /// says what tuners there are for.
    pub fn fail(&mut self, stop: usize, knows: impl Fn(System) -> bool, now: Duration) -> Option<Tuning> {
        let by = self.stops[stop].by;
        let visit = self.visits.iter_mut().find(|visit| visit.stop == stop);
        let other = visit.and_then(|visit| {
            let other = visit.other_way(by, knows)?;
            (visit.way, visit.tried) = (other, visit.tried + 1);
            Some(other)
        });
        if other.is_none() {
            self.end(stop, Outcome::Nothing, now);
        }
        other
    }

    /// No tuner of this box can receive it.
    pub fn leave(&mut self, stop: usize, now: Duration) {
        self.end(stop, Outcome::Left, now);
    }

    /// All that is being visited is put off.
    pub fn pause(&mut self) {
        self.visits.clear();
    }

    /// Every place was visited or left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.visits.is_empty() && self.stops.iter().all(|stop| stop.outcome != Outcome::Open)
    }

    /// How far it came.
    pub fn way(&mut self, now: Duration) -> Way {
        let all = self.stops.len();
        let done = self.stops.iter().filter(|stop| stop.outcome != Outcome::Open).count();
        let percent = u8::try_from(done * 100 / all.max(1)).unwrap_or(100);
        self.shown = if self.is_over() { 100 } else { percent.min(99).max(self.shown) };
        Way { percent: self.shown, done, all, found: self.found, left: self.left(all - done, now) }
    }

    /// What was found.
    #[must_use]
    pub fn found(&self) -> Found {
        self.found
    }

    fn left(&self, places: usize, now: Duration) -> Option<Duration> {
        let (spent, visits) = self.spent;
        let mean = spent.checked_div(visits)?;
        // Those under way have their share done.
        let under_way = self.visits.iter().filter(|visit| !visit.waits);
        let begun: Duration =
            under_way.clone().map(|v| (v.spent + now.saturating_sub(v.told)).min(mean)).sum();
        let at_once = u32::try_from(under_way.count().max(1)).unwrap_or(1);
        let all = mean * u32::try_from(places).unwrap_or(u32::MAX);
        Some(all.saturating_sub(begun) / at_once)
    }

    fn end(&mut self, stop: usize, outcome: Outcome, now: Duration) {
        self.goes_on(stop, true, now);
        if let Some(at) = self.visits.iter().position(|visit| visit.stop == stop) {
            let visit = self.visits.remove(at);
            if outcome != Outcome::Left {
                self.spent = (self.spent.0 + visit.spent, self.spent.1 + 1);
            }
        }
        self.stops[stop].outcome = outcome;
    }

    fn received(&self, id: StreamId) -> bool {
        self.stops.iter().any(|stop| stop.outcome == Outcome::Received(id))
    }
}

impl Visit {
    /// The next way in which something may be sent here, after those that were tried.
    fn other_way(&self, by: By, knows: impl Fn(System) -> bool) -> Option<Tuning> {
        let Tuning { system, .. } = self.way;
        if self.tried == 0 && system == System::DvbT && knows(System::DvbT2) {
            return Some(Tuning { system: System::DvbT2, modulation: Modulation::Auto, ..self.way });
        }
        let rate = SYMBOL_RATES.get(usize::from(self.tried) + 1).filter(|_| by == By::Raster)?;
        (system == System::DvbC).then_some(Tuning { symbol_rate: Some(*rate), ..self.way })
    }
}

/// What a network says of a mux, as the frontend that received this one is told it: of tables there is one descriptor for
/// all towers and one for all cables.
fn as_sent(system: System, told: Tuning) -> Tuning {
    match (system, told.system) {
        (System::Dtmb | System::IsdbT, System::DvbT)
        | (System::DvbCAnnexB | System::DvbCAnnexC, System::DvbC) => {
            Tuning { system, modulation: Modulation::Auto, ..told }
        }
        _ => told,
    }
}

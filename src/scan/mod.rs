//! Scans: which muxes there are, and which channels are in them.
//!
//! Owns what is to be visited, in which order, and what came of it; it is kept on flash, so that a scan goes on after a
//! restart. Tuners are had by probes, which weigh less than who watches: a scan that loses its tuner waits and goes on.
//! Knows nothing of who asks, of sockets or of files.
//!
//! A scan begins with muxes that are named: by an initial table, by a raster, or by the channel table. Each mux that it
//! receives names others of its network, which are visited, too, each once. Channels of a mux are in the channel table
//! as soon as it was read.

use std::fmt;
use std::time::Duration;

use crate::board;
use crate::channel::{ChannelTable, MISSES};
use crate::delivery::Tuning;
use crate::frontend::Signal;
use crate::ts::network::NetworkMux;
use crate::ts::service_info::ServiceKind;
use crate::tuner::arbiter::Priority;
use crate::tuner::{MuxId, OpenMux, Probe, Tuners};

mod plan;
mod range;
mod record;
#[cfg(test)]
mod tests;

pub use plan::{By, Found, Outcome, Plan, STOPS, Stop, StreamId, Way};
pub use range::{Range, SYMBOL_RATES};
use record::Kept;

/// The oldest format of the record that is read, and the newest.
pub const FORMATS: (u8, u8) = (record::FORMAT, record::FORMAT);
/// A scan that runs is written to flash so often at most.
const KEEP_EVERY: Duration = Duration::from_secs(30);
/// A scan whose next places are still being told waits so long for them.
const HOLD: Duration = Duration::from_secs(10);
/// Muxes that a network names which are remembered at one time.
const NEWS: usize = 16;
/// After so many starts in a row in which no place was done, a scan does not go on by itself.
const RESUMES: u8 = 3;

/// What a scan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing: there was none.
    None,
    /// It visits muxes.
    Running,
    /// It was stopped, and can go on.
    Stopped,
    /// It is over.
    Over,
}

impl Phase {
    const ALL: [Self; 4] = [Self::None, Self::Running, Self::Stopped, Self::Over];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Over => "over",
        }
    }
}

/// What a scan begins with.
pub struct Wanted<M> {
    /// Muxes that are named.
    pub muxes: M,
    /// Who named them.
    pub by: By,
    /// All that are known, too.
    pub known: bool,
    /// Others are about to be named.
    pub more: bool,
}

/// Why a scan does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// The box has no tuner.
    NoTuner,
    /// Nothing was named, and no mux is known.
    NoMuxes,
    /// More places were named than there is room for.
    Full,
    /// There is no scan that could go on.
    Nothing,
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTuner => f.write_str("this box has no tuner: run it with --source dvb:ADAPTER"),
            Self::NoMuxes => f.write_str("no mux is known yet: name a table, a range or a mux to begin with"),
            Self::Full => write!(f, "a scan looks at {} places at most", STOPS),
            Self::Nothing => f.write_str("no scan was stopped"),
        }
    }
}

/// How far a scan came, for who watches it.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// How far it came.
    pub way: Way,
    /// What is being visited; one of them, where several tuners are used.
    pub current: Option<Tuning>,
    /// How well that is received.
    pub signal: Signal,
    /// It waits for a tuner.
    pub waits: bool,
    /// Why it stopped by itself.
    pub trouble: Option<String>,
    /// Channels that were not in the table when it began.
    pub new_channels: usize,
}

/// The scan of a box.
pub struct Scan {
    phase: Phase,
    plan: Box<Plan>,
    /// The muxes that are being visited.
    probes: heapless::Vec<(usize, MuxId), { board::INPUTS }>,
    /// Why it stopped by itself.
    trouble: Option<String>,
    /// More places are about to be told, until then.
    hold: Duration,
    /// Channels when it began.
    channels: usize,
    resumed: u8,
    /// Something is to be written, and when that was done last.
    dirty: bool,
    kept: Duration,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            phase: Phase::None,
            plan: Plan::new(),
            probes: heapless::Vec::new(),
            trouble: None,
            hold: Duration::ZERO,
            channels: 0,
            resumed: 0,
            dirty: false,
            kept: Duration::ZERO,
        }
    }
}

impl Scan {
    /// The scan as `record` has it: one that ran goes on. What it says of channels is told to them.
    #[must_use]
    pub fn load(record: &[u8], channels: &mut ChannelTable) -> Self {
        let Some(kept) = Kept::read(record) else { return Self::default() };
        kept.missing.iter().for_each(|missing| channels.remember_missing(missing));
        let phase = Phase::ALL.get(usize::from(kept.phase)).copied().unwrap_or(Phase::None);
        let resumed = kept.resumed.saturating_add(u8::from(phase == Phase::Running));
        let phase = match phase {
            Phase::Running if resumed > RESUMES => {
                log::warn!(
                    "the scan does not go on: the box was started {resumed} times while it got nowhere"
                );
                Phase::Stopped
            }
            phase => phase,
        };
        Self {
            phase,
            plan: Plan::restored(kept.found, kept.stops.into_iter()),
            channels: channels.len(),
            resumed,
            dirty: phase == Phase::Running,
            ..Self::default()
        }
    }

    /// Begins a scan of what is wanted, or adds that to the one that runs.
    pub fn begin(
        &mut self,
        wanted: Wanted<impl Iterator<Item = Tuning>>,
        tuners: &Tuners,
        channels: &mut ChannelTable,
        now: Duration,
    ) -> Result<(), ScanError> {
        if tuners.receivers().next().is_none() {
            return Err(ScanError::NoTuner);
        }
        let Wanted { muxes, by, known, more } = wanted;
        let mut muxes = muxes.peekable();
        let stay = tuners.muxes().filter(|(_, mux)| known && !mux.is_on_trial());
        let mut stay = stay.filter_map(|(_, mux)| mux.origin.tuning().copied()).peekable();
        if self.phase != Phase::Running && !more && muxes.peek().is_none() && stay.peek().is_none() {
            return Err(ScanError::NoMuxes);
        }
        if self.phase != Phase::Running {
            *self = Self { phase: Phase::Running, channels: channels.len(), ..Self::default() };
            channels.begin_scan();
        }
        self.hold = if more { now + HOLD } else { now };
        self.dirty = true;
        let has_room = stay.all(|tuning| self.plan.add(tuning, By::Name))
            && muxes.all(|tuning| self.plan.add(tuning, by));
        if has_room { Ok(()) } else { Err(ScanError::Full) }
    }

    /// Stops it. Answers whether it ran.
    pub fn stop(&mut self, tuners: &mut Tuners, now: Duration) -> bool {
        let ran = self.phase == Phase::Running;
        if ran {
            for (_, id) in std::mem::take(&mut self.probes) {
                tuners.forget_mux(id, now);
            }
            self.plan.pause();
            (self.phase, self.dirty) = (Phase::Stopped, true);
        }
        ran
    }

    /// Goes on with one that was stopped.
    pub fn resume(&mut self) -> Result<(), ScanError> {
        match self.phase {
            Phase::Running => Ok(()),
            Phase::Stopped => {
                (self.phase, self.resumed, self.dirty) = (Phase::Running, 0, true);
                self.trouble = None;
                Ok(())
            }
            Phase::None | Phase::Over => Err(ScanError::Nothing),
        }
    }

    /// What it does.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Does what is due; to be called some times a second while it runs. Answers whether it is over now.
    pub fn step(&mut self, tuners: &mut Tuners, channels: &mut ChannelTable, now: Duration) -> bool {
        if self.phase != Phase::Running || tuners.receivers().next().is_none() {
            return false;
        }
        for (stop, id) in self.probes.clone() {
            self.look(stop, id, (&mut *tuners, &mut *channels), now);
            if self.phase != Phase::Running {
                return false; // no tuner is of use: it has stopped
            }
        }
        while let Some(stop) = self.plan.begin(tuners.receivers().count(), now) {
            self.visit(stop, tuners, now);
        }
        let is_over = self.plan.is_over() && now >= self.hold;
        if is_over {
            (self.phase, self.dirty, self.kept) = (Phase::Over, true, Duration::ZERO);
            self.miss(tuners, channels);
        }
        is_over
    }

    /// How far it came.
    pub fn progress(&mut self, tuners: &Tuners, channels: &ChannelTable, now: Duration) -> Progress {
        let under_way = self.plan.visits().min_by_key(|(.., waits)| *waits);
        let id =
            under_way.and_then(|(stop, ..)| self.probes.iter().find(|(s, _)| *s == stop)).map(|(_, id)| *id);
        let receiver = id.and_then(|id| tuners.receivers().find(|receiver| receiver.mux() == Some(id)));
        Progress {
            phase: self.phase,
            current: under_way.map(|(_, tuning, _)| tuning),
            signal: receiver.map(|receiver| receiver.signal()).unwrap_or_default(),
            waits: under_way.is_some_and(|(.., waits)| waits),
            trouble: self.trouble.clone(),
            new_channels: channels.len().saturating_sub(self.channels),
            way: self.plan.way(now),
        }
    }

    /// The record for flash, where it is time to write one.
    pub fn take_record(&mut self, channels: &ChannelTable, now: Duration) -> Option<Vec<u8>> {
        let is_due =
            self.phase != Phase::Running || now >= self.kept + KEEP_EVERY || self.kept == Duration::ZERO;
        if !is_due || !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.kept = now;
        let phase = Phase::ALL.iter().position(|phase| *phase == self.phase).unwrap_or(0);
        let kept = Kept {
            phase: u8::try_from(phase).unwrap_or(0),
            resumed: self.resumed,
            found: self.plan.found(),
            missing: channels.missing().collect(),
            // What a scan that is over visited is of no use any more.
            stops: if self.phase == Phase::Over { Vec::new() } else { self.plan.stops().to_vec() },
        };
        Some(kept.write())
    }

    /// Begins the visit of a place.
    fn visit(&mut self, stop: usize, tuners: &mut Tuners, now: Duration) {
        let Some(tuning) = self.plan.stops().get(stop).map(|stop| stop.tuning) else { return };
        if !tuners.can_receive(&tuning) {
            log::info!("scan: no tuner of this box receives {tuning}");
            return self.plan.leave(stop, now);
        }
        let Some(id) = tuners.try_mux(tuning) else {
            log::warn!("this board knows {} muxes: {tuning} is left out", board::MUXES);
            return self.plan.leave(stop, now);
        };
        tuners.probe(id, Priority::SCAN, now);
        let _room = self.probes.push((stop, id)); // as many as there are visits
    }

    /// Looks how far a visit came.
    fn look(
        &mut self,
        stop: usize,
        id: MuxId,
        (tuners, channels): (&mut Tuners, &mut ChannelTable),
        now: Duration,
    ) {
        match tuners.probed(id, now) {
            Probe::Waits => self.plan.goes_on(stop, true, now),
            Probe::Tuning | Probe::Reading => self.plan.goes_on(stop, false, now),
            Probe::Complete => return self.receive(stop, id, (tuners, channels), now),
            Probe::Failed(why) => return self.fail(stop, id, &why, tuners, now),
            Probe::Broken(why) => {
                log::warn!("the scan stops: {why}");
                self.trouble = Some(why);
                self.stop(tuners, now);
                return;
            }
        }
        tuners.probe(id, Priority::SCAN, now);
    }

    /// A mux was read: its channels are in the table from now on.
    fn receive(
        &mut self,
        stop: usize,
        id: MuxId,
        (tuners, channels): (&mut Tuners, &mut ChannelTable),
        now: Duration,
    ) {
        self.end(stop);
        let Some(open) = tuners.mux(id).and_then(|mux| mux.open()) else { return };
        let services = &open.services;
        let mux = (services.original_network_id, services.transport_stream_id);
        let network = services.network().chain(services.other_networks());
        let is_new = self.plan.receive(stop, mux, found(open), network, now);
        // The same from another tower is not kept, unless it was known.
        if is_new {
            tuners.keep_mux(id);
            channels.know(id, tuners);
            channels.correct(id, tuners, now);
            channels.looked_at(id, tuners);
            tuners.end_probe(id);
        } else {
            tuners.forget_mux(id, now);
        }
    }

    /// Nothing is there, or not in this way.
    fn fail(&mut self, stop: usize, id: MuxId, why: &str, tuners: &mut Tuners, now: Duration) {
        let Some(tuning) = self.plan.stops().get(stop).map(|stop| stop.tuning) else { return };
        log::debug!("scan: {tuning}: {why}");
        tuners.end_probe(id);
        let knows = |system| tuners.can_receive(&Tuning { system, ..tuning });
        match self.plan.fail(stop, knows, now) {
            Some(other) if tuners.retune_mux(id, other) => tuners.probe(id, Priority::SCAN, now),
            Some(_) => {
                self.plan.leave(stop, now);
                self.abandon(stop, id, tuners, now);
            }
            None => {
                let _busy = tuners.retune_mux(id, tuning); // one that is known stays as it was known
                self.abandon(stop, id, tuners, now);
            }
        }
    }

    fn abandon(&mut self, stop: usize, id: MuxId, tuners: &mut Tuners, now: Duration) {
        self.end(stop);
        tuners.forget_mux(id, now);
    }

    fn end(&mut self, stop: usize) {
        self.probes.retain(|(visited, _)| *visited != stop);
        (self.resumed, self.dirty) = (0, true);
    }

    /// Muxes that are known and were not there: their channels are missed. Not where nothing at all was received, as
    /// without an antenna.
    fn miss(&self, tuners: &Tuners, channels: &mut ChannelTable) {
        if self.plan.found().muxes == 0 {
            return;
        }
        for stop in self.plan.stops().iter().filter(|stop| stop.outcome == Outcome::Nothing) {
            let is_it = |tuning: &Tuning| tuning.is_same_mux(&stop.tuning);
            let mux = tuners.muxes().find(|(_, mux)| mux.origin.tuning().is_some_and(is_it));
            if let Some((id, _)) = mux.filter(|(_, mux)| mux.open().is_none()) {
                channels.looked_at(id, tuners);
            }
        }
        let gone =
            (0..channels.len()).filter_map(|i| channels.get(i)).filter(|entry| entry.is_gone()).count();
        if gone > 0 {
            log::info!("{gone} channels were not seen by {MISSES} scans: they are greyed");
        }
    }
}

/// What a mux has.
fn found(open: &OpenMux) -> Found {
    let mut found = Found { muxes: 1, ..Found::default() };
    for service in &open.services.all {
        match service.info.as_ref().map(|info| info.kind) {
            Some(ServiceKind::Television) => found.tv += 1,
            Some(ServiceKind::Radio) => found.radio += 1,
            _ => found.other += 1,
        }
    }
    found
}

/// What the network of mux `id` says of others is remembered, without a scan: they are looked at when a tuner is free. Not
/// where it names several ways to receive one: which of them comes here, a scan finds out.
pub fn follow_network(id: MuxId, tuners: &mut Tuners, channels: &mut ChannelTable) {
    let Some(mux) = tuners.mux(id).filter(|mux| mux.origin.tuning().is_some() && !mux.is_on_trial()) else {
        return;
    };
    let Some(open) = mux.open().filter(|open| open.services.is_complete()) else { return };
    let services = &open.services;
    let own = services.transport_stream_id;
    let is_only_way = |mux: &&NetworkMux| {
        let same = |other: &&NetworkMux| other.transport_stream_id == mux.transport_stream_id;
        mux.transport_stream_id != own && services.network().filter(same).count() == 1
    };
    let is_news = |mux: &&NetworkMux| tuners.can_receive(&mux.tuning) && !tuners.knows(&mux.tuning);
    let news: heapless::Vec<Tuning, NEWS> =
        services.network().filter(is_only_way).filter(is_news).map(|mux| mux.tuning).take(NEWS).collect();
    for tuning in news {
        // Room is left for what scans find.
        if tuners.muxes().count() >= board::MUXES * 3 / 4 {
            return;
        }
        if let Some(id) = tuners.add_mux(tuning) {
            log::info!("{tuning}: named by the network");
            channels.know(id, tuners);
        }
    }
}

//! Receivers of a test: the helpers of their frontends are scripts, and what they receive is the demo mux.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::arbiter::{Owner, Priority};
use super::receiver::Receiver;
use super::{Known, LeaseError, MuxId, Tuners};
use crate::delivery::{Device, Tuning};
use crate::frontend::sample::{Script, scripted};
use crate::frontend::{Command, Failure, Report, Stage as Step};
use crate::guide::Epg;
use crate::service::Feed;
use crate::source::Now;
use crate::sys::dvb::demux::sample::Demux;
use crate::ts::section::{Assembler, EIT_SECTION};
use crate::ts::{PACKET, Packet};

pub(super) static DEMO: &[u8] = include_bytes!("../../tests/data/demo.ts");
pub(super) const TICK: Duration = Duration::from_millis(20);
/// Packets of the demo mux in a tick.
const PACKETS: usize = 21;

/// A receiver whose helper and whose demultiplexer are here.
pub(super) struct Air {
    pub(super) script: Script,
    pub(super) demux: Demux,
    /// All that the helper was told.
    pub(super) told: Vec<Command>,
    /// Frequencies with a signal.
    pub(super) signals: Vec<u32>,
    /// What somebody else has it tuned to.
    pub(super) tv: Option<Tuning>,
    /// It has a lock, and packets come.
    pub(super) playing: bool,
    serial: u16,
    at: usize,
    assemblers: BTreeMap<u16, Assembler<EIT_SECTION>>,
}

impl Air {
    /// Answers what it is told, and receives the next packets.
    fn turn(&mut self) {
        while let Some(command) = self.script.told() {
            self.told.push(command.clone());
            match command {
                Command::Tune { serial, tuning } => {
                    self.serial = serial;
                    self.stage(Step::Tuned);
                    self.playing = self.signals.contains(&tuning.frequency);
                    self.at = 0;
                    self.stage(if self.playing { Step::Locked } else { Step::Failed(Failure::NoLock(2000)) });
                }
                Command::Watch { serial } => {
                    self.serial = serial;
                    self.say_tv(self.tv);
                }
                Command::Release { serial } => {
                    (self.serial, self.playing) = (serial, false);
                    self.stage(Step::Released);
                }
            }
        }
        self.script.say(&Report::Alive);
        if self.playing || self.tv.is_some() {
            self.play(PACKETS);
        }
    }

    /// Says how far its last command came.
    pub(super) fn stage(&self, stage: Step) {
        self.script.say(&Report::Stage { serial: self.serial, stage });
    }

    /// The television goes to another mux, or off.
    pub(super) fn say_tv(&mut self, tuning: Option<Tuning>) {
        self.tv = tuning;
        self.script.say(&Report::Seen { serial: self.serial, tuning });
    }

    /// Has the demultiplexer give the next packets to who filters them, as the kernel does.
    fn play(&mut self, packets: usize) {
        let open = self.demux.open();
        let mut taps = vec![Vec::new(); open.len()];
        for _ in 0..packets {
            let slot: &[u8; PACKET] = DEMO[self.at..].first_chunk().unwrap();
            self.at = (self.at + PACKET) % (DEMO.len() / PACKET * PACKET);
            let packet = Packet::new(slot).unwrap();
            let pid = packet.pid().value();
            let mut sections = Vec::new();
            if pid < 0x20 || open.iter().any(|(_, is_section, pids)| *is_section && pids.contains(&pid)) {
                let assembler = self.assemblers.entry(pid).or_default();
                assembler.push(packet, |section| sections.push(section.bytes().to_vec()));
            }
            for ((at, is_section, pids), tap) in open.iter().zip(&mut taps) {
                if *is_section && pids.contains(&pid) {
                    sections.iter().for_each(|section| self.demux.send(*at, section));
                } else if !is_section && (pids.contains(&pid) || pids.contains(&0x2000)) {
                    tap.extend_from_slice(slot);
                }
            }
        }
        for ((at, ..), tap) in open.iter().zip(taps) {
            if !tap.is_empty() {
                self.demux.send(*at, &tap);
            }
        }
    }

    /// Places in the demultiplexer that are taps, with their PIDs.
    pub(super) fn taps(&self) -> Vec<(usize, Vec<u16>)> {
        let taps = self.demux.open().into_iter().filter(|(_, is_section, _)| !is_section);
        taps.map(|(at, _, pids)| (at, pids)).collect()
    }

    /// The frequencies it was tuned to, each time.
    pub(super) fn tuned(&self) -> Vec<u32> {
        let tuned = self.told.iter().filter_map(|command| match command {
            Command::Tune { tuning, .. } => Some(tuning.frequency / 1_000_000),
            _ => None,
        });
        tuned.collect()
    }

    /// It was told to close, and nothing since.
    pub(super) fn is_released(&self) -> bool {
        matches!(self.told.last(), Some(Command::Release { .. })) && self.demux.open().is_empty()
    }
}

/// Tuners with such receivers, driven by a clock of their own.
pub(super) struct AirStage {
    pub(super) tuners: Tuners,
    pub(super) air: Vec<Air>,
    pub(super) now: Duration,
    epg: Epg,
}

/// A mux with a signal on every receiver, by its frequency in MHz.
pub(super) fn at(mhz: u32) -> Tuning {
    format!("dvb-t:{mhz}000000").parse().unwrap()
}

impl AirStage {
    pub(super) fn new(receivers: usize, owner: Owner) -> Self {
        let mut tuners = Tuners::new([]).unwrap();
        let mut air = Vec::new();
        for i in 0..receivers {
            let device = (240 + i).to_string();
            let (frontend, script) = scripted(&device);
            let node = device.parse::<Device>().unwrap().node("demux");
            tuners.receivers.push(Receiver::new(frontend, owner)).ok().unwrap();
            air.push(Air {
                script,
                demux: Demux::new(node.to_str().unwrap()),
                told: Vec::new(),
                signals: [474, 482, 490].map(|mhz| mhz * 1_000_000).into(),
                tv: None,
                playing: false,
                serial: 0,
                at: 0,
                assemblers: BTreeMap::new(),
            });
        }
        Self { tuners, air, now: Duration::from_secs(100), epg: crate::guide::sample() }
    }

    pub(super) fn mux(&mut self, mhz: u32) -> MuxId {
        self.tuners.add_mux(at(mhz)).unwrap()
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += TICK;
            self.air.iter_mut().for_each(Air::turn);
            self.tuners.poll_frontends(self.now);
            self.tuners.tick(Now { boot: self.now, utc: Duration::ZERO }, TICK, &mut self.epg);
            while self.tuners.take_changed().is_some() {}
            if self.now.as_millis().is_multiple_of(1000) {
                self.tuners.warm_up(self.now);
            }
        }
    }

    pub(super) fn poll(
        &mut self,
        id: MuxId,
        known: &Known,
        wish: Priority,
    ) -> Poll<Result<Feed, LeaseError>> {
        let mut cx = Context::from_waker(Waker::noop());
        let lease = self.tuners.poll_lease(&mut cx, id, known, wish, self.now);
        lease.map(|lease| lease.map(super::Lease::into_feed))
    }

    /// Leases within a few ticks.
    pub(super) fn try_lease(&mut self, id: MuxId, known: &Known, wish: Priority) -> Result<Feed, LeaseError> {
        for _ in 0..500 {
            if let Poll::Ready(lease) = self.poll(id, known, wish) {
                return lease;
            }
            self.run(TICK);
        }
        panic!("neither a lease nor why not");
    }

    pub(super) fn lease(&mut self, id: MuxId, service: u16) -> Feed {
        self.try_lease(id, &super::tests::known(service, None), Priority::VIEWER).unwrap()
    }
}

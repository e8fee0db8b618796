//! The PSI/SI of a service ring: PAT, PMT and SDT of one programme, made by us, with our own counters.

use std::time::Duration;

use heapless::{Deque, Vec};

use crate::ts::clock::Ticks27M;
use crate::ts::packetise::Packetiser;
use crate::ts::psi::{COMPONENTS, Programme};
use crate::ts::section::{CRC, PSI_SECTION, Section};
use crate::ts::service_info::{Name, ServiceKind};
use crate::ts::{PACKET, Pid};

/// The farthest PAT and PMT may be apart (TR 101 290 §5.2.1 says 500 ms, TR 101 154 §4.1.7 asks for 100).
const INTERVAL: Duration = Duration::from_millis(100);
/// The same on the stream's clock.
const INTERVAL_TICKS: u64 = Ticks27M::SECOND / 10;
/// SDT at least every 2 s (TR 101 211 §4.4.1).
const SDT_INTERVAL: Duration = Duration::from_secs(1);
/// Generations of tables that are kept for random access points made under them.
const GENERATIONS: usize = 4;

/// What the SDT of a ring says, beside the programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `transport_stream_id`.
    pub transport_stream_id: u16,
    /// `original_network_id`.
    pub original_network_id: u16,
    /// The channel's name.
    pub name: Name,
    /// Who makes it.
    pub provider: Name,
    /// Television, radio or data.
    pub kind: ServiceKind,
}

/// The PIDs we write ourselves, as indices of counters.
#[derive(Clone, Copy)]
pub(super) enum Own {
    Pat,
    Pmt,
    Sdt,
    Eit,
    Tdt,
}

impl Own {
    pub(super) const COUNT: usize = 5;
    pub(super) const ALL: [Self; Self::COUNT] = [Self::Pat, Self::Pmt, Self::Sdt, Self::Eit, Self::Tdt];
}

/// PAT and PMT as they were for a while, and the elementary PIDs then.
pub(super) struct Generation {
    pub(super) number: u32,
    pub(super) pat: Vec<u8, 32>,
    pub(super) pmt: Vec<u8, PSI_SECTION>,
    pub(super) pmt_pid: Pid,
    pub(super) pcr_pid: Pid,
    pub(super) pids: Vec<Pid, { COMPONENTS + 1 }>,
}

/// Everything the ring says about itself.
pub(super) struct Tables {
    generations: Deque<Generation, GENERATIONS>,
    sdt: Vec<u8, 256>,
    /// One for each [`Own`].
    writers: [Packetiser; Own::COUNT],
    /// `version_number` of all three tables, 0 to 31.
    version: u8,
    /// Generations made since the ring was.
    made: u32,
    written: Option<Duration>,
    written_pcr: Option<Ticks27M>,
    sdt_written: Option<Duration>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            generations: Deque::new(),
            sdt: Vec::new(),
            writers: [Pid::PAT, Pid::NULL, Pid::SDT, Pid::EIT, Pid::TDT].map(Packetiser::new),
            version: 0,
            made: 0,
            written: None,
            written_pcr: None,
            sdt_written: None,
        }
    }
}

impl Tables {
    /// Another service begins: what was written says nothing about it. Counters and version go on.
    pub(super) fn reset(&mut self) {
        self.generations.clear();
        (self.written, self.written_pcr, self.sdt_written) = (None, None, None);
    }

    /// Takes over what the programme is now. Says whether that is news.
    pub(super) fn describe(&mut self, programme: &Programme, identity: &Identity) -> bool {
        let pmt_pid = self.pmt_pid(programme);
        let version = (self.version + 1) & 0x1f;
        let current = self.current().map(|g| (&g.pat[..], &g.pmt[..], &self.sdt[..]));
        let same_as = |version| {
            let pat = pat(programme.number, pmt_pid, identity.transport_stream_id, version);
            (pat, pmt(programme, version), sdt(programme.number, identity, version))
        };
        let (pat, pmt, sdt) = same_as(self.version);
        if current == Some((&pat, &pmt, &sdt)) {
            return false;
        }
        let (pat, pmt, sdt) = same_as(version);
        let mut pids: Vec<Pid, _> = programme.components.iter().map(|c| c.pid).collect();
        if programme.pcr_pid != Pid::NULL && !pids.contains(&programme.pcr_pid) {
            let _room = pids.push(programme.pcr_pid);
        }
        if self.generations.is_full() {
            self.generations.pop_front();
        }
        self.version = version;
        self.made += 1;
        let pcr_pid = programme.pcr_pid;
        let generation = Generation { number: self.made, pat, pmt, pmt_pid, pcr_pid, pids };
        let _room = self.generations.push_back(generation);
        self.sdt = sdt;
        self.writers[Own::Pmt as usize].set_pid(pmt_pid);
        (self.written, self.sdt_written) = (None, None);
        true
    }

    /// The generation in force.
    pub(super) fn current(&self) -> Option<&Generation> {
        self.generations.back()
    }

    /// The generation of that number, while it is kept.
    pub(super) fn generation(&self, number: u32) -> Option<&Generation> {
        self.generations.iter().find(|g| g.number == number)
    }

    /// The ring carried that PID, as far as is known.
    pub(super) fn carried(&self, pid: Pid) -> bool {
        self.generations.iter().any(|g| g.pids.contains(&pid))
    }

    /// Counters of the next packets of our own PIDs.
    pub(super) fn next_counters(&self) -> [u8; Own::COUNT] {
        self.writers.each_ref().map(Packetiser::next_counter)
    }

    /// PAT and PMT must be written now, for after `tick` it would be too late.
    pub(super) fn is_due(&self, now: Duration, tick: Duration) -> bool {
        self.written.is_none_or(|at| now + tick > at + INTERVAL)
    }

    /// The same by the stream's clock, which is `pcr` now and was `last` when it was read before: after as long
    /// again it would be too late.
    pub(super) fn is_due_by(&mut self, pcr: Ticks27M, last: Option<Ticks27M>) -> bool {
        let written = *self.written_pcr.get_or_insert(pcr);
        pcr.since(written) + last.map_or(0, |last| pcr.since(last)) > INTERVAL_TICKS
    }

    /// Hands PAT, PMT and, when its time has come, SDT to `out`.
    pub(super) fn write(&mut self, now: Duration, pcr: Option<Ticks27M>, mut out: impl FnMut(&[u8; PACKET])) {
        let Some(generation) = self.generations.back() else { return };
        (self.written, self.written_pcr) = (Some(now), pcr);
        let [pat, pmt, sdt, ..] = &mut self.writers;
        let mut emit = |writer: &mut Packetiser, bytes: &[u8]| {
            if let Some(section) = Section::new(bytes) {
                writer.write(section, &mut out);
            }
        };
        emit(pat, &generation.pat);
        emit(pmt, &generation.pmt);
        if self.sdt_written.is_none_or(|at| now >= at + SDT_INTERVAL) {
            self.sdt_written = Some(now);
            emit(sdt, &self.sdt);
        }
    }

    /// Writes a section of the mux that is passed on as it is.
    pub(super) fn pass_on(&mut self, pid: Pid, section: Section<'_>, out: impl FnMut(&[u8; PACKET])) {
        if let Some(writer) = self.writers[Own::Eit as usize..].iter_mut().find(|w| w.pid() == pid) {
            writer.write(section, out);
        }
    }

    /// A PID for the PMT that nothing else in the ring uses.
    fn pmt_pid(&self, programme: &Programme) -> Pid {
        let taken = |pid| programme.pcr_pid == pid || programme.components.iter().any(|c| c.pid == pid);
        let last = self.writers[Own::Pmt as usize].pid();
        let usual = (0x1000..0x1fff).map(Pid::new);
        let mut choices = [last].into_iter().filter(|pid| *pid != Pid::NULL).chain(usual);
        choices.find(|pid| !taken(*pid)).unwrap_or(last)
    }
}

/// A section under way: header first, CRC at the end.
struct Writer<const N: usize>(Vec<u8, N>);

impl<const N: usize> Writer<N> {
    /// `private` is the bit that is 0 in PSI and reserved 1 in SI tables.
    fn new(table_id: u8, private: u8, extension: u16, version: u8) -> Self {
        let [high, low] = extension.to_be_bytes();
        let head = [table_id, 0xb0 | private, 0, high, low, 0xc1 | version << 1, 0, 0];
        Self(head.into_iter().collect())
    }

    fn put(&mut self, bytes: &[u8]) {
        // What does not fit is left out by the callers; a section that is cut has no valid CRC and is not written.
        let _fits = self.0.extend_from_slice(bytes);
    }

    fn room(&self) -> usize {
        N - 4 - self.0.len()
    }

    fn finish(mut self) -> Vec<u8, N> {
        let length = u16::try_from(self.0.len() + 1).unwrap_or(u16::MAX); // what follows byte 2, CRC included
        let [high, low] = length.to_be_bytes();
        self.0[1] |= high & 0x0f;
        self.0[2] = low;
        let crc = CRC.checksum(&self.0);
        self.put(&crc.to_be_bytes());
        self.0
    }
}

fn pat(number: u16, pmt_pid: Pid, transport_stream_id: u16, version: u8) -> Vec<u8, 32> {
    let mut section = Writer::new(0x00, 0, transport_stream_id, version);
    section.put(&number.to_be_bytes());
    section.put(&(0xe000 | pmt_pid.value()).to_be_bytes());
    section.finish()
}

fn pmt(programme: &Programme, version: u8) -> Vec<u8, PSI_SECTION> {
    let mut section = Writer::new(0x02, 0, programme.number, version);
    section.put(&(0xe000 | programme.pcr_pid.value()).to_be_bytes());
    put_loop(&mut section, 0xf000, &programme.descriptors);
    for component in &programme.components {
        if section.room() < 5 + component.descriptors.len() {
            break;
        }
        section.put(&[component.stream_type]);
        section.put(&(0xe000 | component.pid.value()).to_be_bytes());
        put_loop(&mut section, 0xf000, &component.descriptors);
    }
    section.finish()
}

fn sdt(number: u16, identity: &Identity, version: u8) -> Vec<u8, 256> {
    let mut section = Writer::new(0x42, 0x40, identity.transport_stream_id, version);
    section.put(&identity.original_network_id.to_be_bytes());
    section.put(&[0xff]);
    section.put(&number.to_be_bytes());
    section.put(&[0xfd]); // EIT present/following, no schedule
    let service_type = match identity.kind {
        ServiceKind::Television => 0x01,
        ServiceKind::Radio => 0x02,
        ServiceKind::Data => 0x0c,
    };
    let mut body: Vec<u8, 160> = Vec::new();
    for text in [&identity.provider, &identity.name] {
        // UTF-8, EN 300 468 Annex A table A.3. A `Name` has at most 64 bytes, so its length is a byte.
        let selector: &[u8] = if text.is_empty() { &[] } else { &[0x15] };
        let length = u8::try_from(selector.len() + text.as_str().len()).unwrap_or(0);
        let _room = body.push(length);
        let _room =
            body.extend_from_slice(selector).and_then(|()| body.extend_from_slice(text.as_str().as_bytes()));
    }
    let mut descriptor: Vec<u8, 192> = Vec::new();
    let length = u8::try_from(body.len() + 1).unwrap_or(0);
    let _room = descriptor.extend_from_slice(&[0x48, length, service_type]);
    let _room = descriptor.extend_from_slice(&body);
    put_loop(&mut section, 0x8000, &descriptor); // running
    section.finish()
}

/// A 12-bit length below `flags`, then the descriptors.
fn put_loop<const N: usize>(section: &mut Writer<N>, flags: u16, descriptors: &[u8]) {
    section.put(&(flags | u16::try_from(descriptors.len()).unwrap_or(0) & 0x0fff).to_be_bytes());
    section.put(descriptors);
}

//! A judge of transport streams (ISO 13818-1): reads plain bytes on its own and reports what is in them.
//!
//! It judges our programs, so it shares nothing with them and asserts what a stream must be before it reports.

use std::collections::BTreeMap;

pub use super::tables::{Pmt, Sdt, crc32};
use super::tables::{be16, pmt, sdt, sections};

/// One transport packet.
pub type Packet = [u8; 188];

/// What a stream holds.
#[derive(Debug, Default)]
pub struct Report {
    /// Whole packets.
    pub packets: usize,
    /// Bytes behind the last whole packet.
    pub tail: usize,
    pub pids: BTreeMap<u16, PidReport>,
    /// Programme number and PMT PID of the last PAT; the NIT's entry is left out.
    pub pat_programs: Vec<(u16, u16)>,
    pub transport_stream_id: u16,
    /// The last PMT of the first programme of the PAT.
    pub pmt: Option<Pmt>,
    /// The last PMT of each programme.
    pub pmts: BTreeMap<u16, Pmt>,
    /// Services of the last SDT actual.
    pub sdt_services: Vec<Sdt>,
    /// Whole sections by PID and table id, those with a wrong CRC left out.
    pub sections: BTreeMap<(u16, u8), usize>,
    /// Sections with a wrong CRC.
    pub crc_errors: usize,
    pub pat_gap: Gap,
    pub pmt_gap: Gap,
    /// The PIDs of the first 40 packets.
    pub first_pids: Vec<u16>,
}

#[derive(Debug, Default)]
pub struct PidReport {
    pub packets: usize,
    pub payload_packets: usize,
    /// Counters that do not follow, where no `discontinuity_indicator` excuses it.
    pub cc_errors: usize,
    /// Packets sent twice, which is allowed.
    pub duplicates: usize,
    pub discontinuities: usize,
    pub scrambled: usize,
    /// FNV-1a over all payload bytes in order: equal streams have equal hashes.
    pub payload_hash: u64,
    last: Option<(u8, bool)>,
}

/// The longest way from one start of a table to the next, or to the end of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gap {
    pub packets: usize,
    /// By the PCR of the first programme; 0 where there is none.
    pub ms: f64,
}

/// Reads all of `bytes`. Panics where a packet does not begin with the sync byte.
pub fn judge(bytes: &[u8]) -> Report {
    let (packets, tail) = packets(bytes);
    let mut report = Report { packets: packets.len(), tail, ..Report::default() };
    let mut tables: BTreeMap<u16, Vec<u8>> = [0, 0x10, 0x11, 0x12, 0x14].map(|pid| (pid, Vec::new())).into();
    for packet in packets {
        let pid = pid(packet);
        let place = report.pids.entry(pid).or_default().take(packet);
        if let Some(buffer) = tables.get_mut(&pid).filter(|_| place != Place::Repeats) {
            if place == Place::Torn {
                buffer.clear();
            }
            for section in sections(packet, buffer) {
                report.table(pid, &section);
            }
            for &(_, pmt_pid) in &report.pat_programs {
                tables.entry(pmt_pid).or_default();
            }
        }
    }
    report.first_pids = packets.iter().take(40).map(pid).collect();
    report.pmt = report.pat_programs.first().and_then(|(program, _)| report.pmts.get(program)).cloned();
    let clock = clock(packets, report.pmt.as_ref().map(|pmt| pmt.pcr_pid));
    report.pat_gap = gap(packets, 0, &clock);
    report.pmt_gap = report.pat_programs.first().map(|p| gap(packets, p.1, &clock)).unwrap_or_default();
    report
}

/// The packets of `bytes`, and how many bytes are left over. Panics where one has no sync byte.
pub fn packets(bytes: &[u8]) -> (&[Packet], usize) {
    let (packets, tail) = bytes.as_chunks::<188>();
    for (i, packet) in packets.iter().enumerate() {
        assert_eq!(packet[0], 0x47, "packet {i} of {} has no sync byte", packets.len());
    }
    assert!(tail.first().is_none_or(|&b| b == 0x47), "the {} bytes at the end begin no packet", tail.len());
    (packets, tail.len())
}

/// The packets without their counters, which go on across the seam of a stream that is sent in a loop.
pub fn uncounted(packets: &[Packet]) -> Vec<Packet> {
    let mut bare = packets.to_vec();
    bare.iter_mut().for_each(|packet| packet[3] &= 0xf0);
    bare
}

/// The packets of `pids`, in order.
pub fn elementary(bytes: &[u8], pids: &[u16]) -> Vec<Packet> {
    packets(bytes).0.iter().filter(|p| pids.contains(&pid(p))).copied().collect()
}

/// Where in `sent` all of `got` stands, packet by packet.
pub fn contiguous_run(sent: &[Packet], got: &[Packet]) -> Result<usize, String> {
    let Some(first) = got.first() else { return Err("no packet was received".to_owned()) };
    let mut best = None;
    for start in (0..sent.len()).filter(|&i| sent[i] == *first) {
        let same = sent[start..].iter().zip(got).take_while(|(s, g)| s == g).count();
        if same == got.len() {
            return Ok(start);
        }
        if best.is_none_or(|(_, most)| same > most) {
            best = Some((start, same));
        }
    }
    let Some((start, same)) = best else {
        return Err(format!("packet 0, PID {:#06x}, was never sent", pid(first)));
    };
    Err(match sent.get(start + same) {
        None => format!("packet {same}, PID {:#06x}, comes after the end of what was sent", pid(&got[same])),
        Some(wanted) => format!(
            "packet {same}, PID {:#06x}: expected packet {} of those sent, PID {:#06x}; {}",
            pid(&got[same]),
            start + same,
            pid(wanted),
            match sent.iter().position(|p| *p == got[same]) {
                Some(i) => format!("it is packet {i} of those sent"),
                None => "it was never sent".to_owned(),
            }
        ),
    })
}

/// Every packet of `got` was sent, in the order of `sent`; packets between them may be missing.
pub fn is_subsequence(sent: &[Packet], got: &[Packet]) -> Result<(), String> {
    let mut rest = sent.iter();
    match got.iter().position(|g| !rest.any(|s| s == g)) {
        None => Ok(()),
        Some(i) => Err(format!("packet {i}, PID {:#06x}, was not sent after those before it", pid(&got[i]))),
    }
}

/// `packet` without what a looping source rewrites: counter, PCR, OPCR, PTS and DTS are zero.
pub fn strip_time(packet: &Packet) -> Packet {
    let mut bare = *packet;
    bare[3] &= 0xf0;
    let start = payload_start(packet);
    if packet[3] & 0x20 != 0 && packet[4] >= 7 && start <= 188 {
        let mut at = 6;
        for flag in [0x10, 0x08] {
            if packet[5] & flag != 0 && at + 6 <= start {
                bare[at..at + 6].fill(0);
                at += 6;
            }
        }
    }
    if starts_unit(packet) && payload(packet).starts_with(&[0, 0, 1]) {
        let stamps = match payload(packet).get(7).map_or(0, |flags| flags >> 6) {
            2 => 5,
            3 => 10,
            _ => 0,
        };
        let end = (start + 9 + stamps).min(188);
        bare[(start + 9).min(end)..end].fill(0);
    }
    bare
}

pub fn pid(packet: &Packet) -> u16 {
    u16::from_be_bytes([packet[1] & 0x1f, packet[2]])
}

/// `payload_unit_start_indicator`.
pub fn starts_unit(packet: &Packet) -> bool {
    packet[1] & 0x40 != 0
}

pub fn is_scrambled(packet: &Packet) -> bool {
    packet[3] & 0xc0 != 0
}

/// The payload; empty where there is none, or where the adaptation field leaves no room.
pub fn payload(packet: &Packet) -> &[u8] {
    if packet[3] & 0x10 == 0 { &[] } else { packet.get(payload_start(packet)..).unwrap_or_default() }
}

/// The PCR in ticks of 27 MHz.
pub fn pcr(packet: &Packet) -> Option<u64> {
    let has = packet[3] & 0x20 != 0 && packet[4] >= 7 && packet[5] & 0x10 != 0;
    let field = packet[6..12].iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    has.then_some((field >> 15) * 300 + (field & 0x1ff))
}

fn payload_start(packet: &Packet) -> usize {
    if packet[3] & 0x20 == 0 { 4 } else { 5 + usize::from(packet[4]) }
}

/// How a packet stands to the one before it on its PID.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Follows,
    Repeats,
    Torn,
}

impl PidReport {
    /// Counts `packet`.
    fn take(&mut self, packet: &Packet) -> Place {
        self.packets += 1;
        self.scrambled += usize::from(is_scrambled(packet));
        let counter = packet[3] & 0x0f;
        let announced = packet[3] & 0x20 != 0 && packet[4] > 0 && packet[5] & 0x80 != 0;
        self.discontinuities += usize::from(announced);
        if packet[3] & 0x10 == 0 {
            // The counter stands still; a break may move it.
            if announced {
                self.last = Some((counter, true));
            }
            return Place::Follows;
        }
        self.payload_packets += 1;
        let whole = match self.last {
            _ if announced || pid(packet) == 0x1fff => true,
            None => true,
            Some((last, false)) if last == counter => {
                self.duplicates += 1;
                self.last = Some((counter, true));
                return Place::Repeats;
            }
            Some((last, _)) => (last + 1) & 0x0f == counter,
        };
        self.cc_errors += usize::from(!whole);
        self.last = Some((counter, false));
        let seed = if self.payload_hash == 0 { 0xcbf2_9ce4_8422_2325 } else { self.payload_hash };
        self.payload_hash =
            payload(packet).iter().fold(seed, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        if whole { Place::Follows } else { Place::Torn }
    }
}

impl Report {
    fn table(&mut self, pid: u16, section: &[u8]) {
        // The TDT alone has no CRC.
        if section[0] != 0x70 && crc32(section) != 0 {
            self.crc_errors += 1;
            return;
        }
        *self.sections.entry((pid, section[0])).or_default() += 1;
        if section.len() < 12 || section[5] & 1 == 0 {
            return; // short, or not in force yet
        }
        let body = &section[8..section.len() - 4];
        match (pid, section[0]) {
            (0, 0) => {
                self.transport_stream_id = be16(&section[3..]);
                let entries = body.chunks_exact(4).map(|e| (be16(e), be16(&e[2..]) & 0x1fff));
                self.pat_programs = entries.filter(|&(program, _)| program != 0).collect();
            }
            (0x11, 0x42) => self.sdt_services = sdt(body),
            (_, 2) => {
                let pmt = pmt(section, body);
                self.pmts.extend(pmt.map(|pmt| (pmt.program, pmt)));
            }
            _ => {}
        }
    }
}

/// Milliseconds at each packet, between PCRs by proportion. A PCR that jumps, as at a loop, adds no time.
fn clock(packets: &[Packet], pcr_pid: Option<u16>) -> Vec<f64> {
    const SECOND: u64 = 27_000_000;
    let mut at = vec![0.0; packets.len()];
    let mut before: Option<(usize, u64)> = None;
    for (i, packet) in packets.iter().enumerate().filter(|(_, p)| Some(pid(p)) == pcr_pid) {
        let Some(now) = pcr(packet) else { continue };
        if let Some((from, then)) = before {
            let ticks = now.checked_sub(then).filter(|&ticks| ticks <= SECOND).unwrap_or(0);
            let step = (ticks as f64 / 27_000.0) / (i - from) as f64;
            for j in from + 1..=i {
                at[j] = at[j - 1] + step;
            }
        }
        before = Some((i, now));
    }
    if let Some((last, _)) = before {
        let end = at[last];
        at[last..].fill(end);
    }
    at
}

fn gap(packets: &[Packet], table_pid: u16, clock: &[f64]) -> Gap {
    let mut gap = Gap::default();
    let mut before = None;
    let starts = (0..packets.len()).filter(|&i| pid(&packets[i]) == table_pid && starts_unit(&packets[i]));
    for i in starts.chain(packets.len().checked_sub(1)) {
        let from = before.unwrap_or(0);
        gap.packets = gap.packets.max(i - from);
        gap.ms = gap.ms.max(clock[i] - clock[from]);
        before = Some(i);
    }
    gap
}

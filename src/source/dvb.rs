//! `dvb:`: a mux that a tuner has, through the demultiplexer behind it.
//!
//! Owns the filters: for each table's PID one of sections, for each service one tap of its packets. Where the hardware
//! has too few, one tap of the whole mux takes their place, and the processor filters. Knows nothing of tuning.

use std::io;
use std::path::PathBuf;

use heapless::Vec;

use super::{SourceCounts, SourceError};
use crate::delivery::Device;
use crate::sys::dvb::demux::{Got, SectionFilter, Tap, WHOLE_MUX, ready};
use crate::ts::packet::SYNC;
use crate::ts::psi::{COMPONENTS, PROGRAMMES};
use crate::ts::section::EIT_SECTION;
use crate::ts::{PACKET, Pid};

/// The tables that every mux has.
const TABLES: [Pid; 5] = [Pid::PAT, Pid::NIT, Pid::SDT, Pid::EIT, Pid::TDT];
/// Bytes of sections that the kernel holds for one filter: a second of an EIT of 1 Mbit/s.
const SECTION_BYTES: usize = 128 * 1024;
/// Sections taken of each filter in one tick at most.
const SECTIONS: usize = 64;
/// PIDs of one service: its components, and its clock where that is apart.
const PIDS: usize = COMPONENTS + 1;

/// The filters of one mux.
pub struct DvbInput {
    node: PathBuf,
    buffer_bytes: usize,
    /// PID and section filters that the demultiplexer has.
    filters: usize,
    /// Empty once the whole mux is tapped.
    tables: Vec<(Pid, SectionFilter), { TABLES.len() + PROGRAMMES }>,
    whole: Option<Aligned>,
    counts: SourceCounts,
    /// What comes next does not follow what came last.
    broken: bool,
    section: Box<[u8; EIT_SECTION]>,
}

/// The packets of one service.
#[derive(Default)]
pub struct ServiceTap {
    tap: Option<Aligned>,
    pids: Vec<Pid, PIDS>,
}

/// A tap, and the beginning of a packet that a read ended in: drivers were seen to give any number of bytes.
struct Aligned {
    tap: Tap,
    rest: Vec<u8, PACKET>,
}

/// What a read of packets brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes, whole packets.
    Bytes(usize),
    /// The kernel's buffer was full: what comes next does not follow.
    Broken,
}

impl DvbInput {
    /// Opens the filters for the tables of whatever the tuner of `device` has. `buffer_bytes` are for the whole mux;
    /// `filters` is what the demultiplexer has.
    pub fn open(device: &Device, buffer_bytes: usize, filters: usize) -> Result<Self, SourceError> {
        let node = device.node("demux");
        let mut input = Self {
            node,
            buffer_bytes,
            filters,
            tables: Vec::new(),
            whole: None,
            counts: SourceCounts::default(),
            broken: false,
            section: Box::new([0; EIT_SECTION]),
        };
        if filters < TABLES.len() || TABLES.into_iter().any(|pid| input.filter(pid).is_err()) {
            input.tap_whole()?;
        }
        Ok(input)
    }

    /// The whole mux is tapped: it is read by [`DvbInput::read`], and there are no taps of services.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Besides the tables, `pids` PIDs of services can be filtered.
    #[must_use]
    pub fn has_room(&self, pids: usize) -> bool {
        self.tables.len() + pids <= self.filters
    }

    /// Filters the PMTs on these PIDs from now on, and no others. `false`: there are too few filters.
    pub fn watch_pmts(&mut self, pids: impl Iterator<Item = Pid> + Clone) -> bool {
        self.tables.retain(|(pid, _)| TABLES.contains(pid) || pids.clone().any(|wanted| wanted == *pid));
        for pid in pids.filter(|pid| *pid != Pid::NULL && pid.value() > Pid::TDT.value()) {
            let known = self.tables.iter().any(|(known, _)| *known == pid);
            if !known && (!self.has_room(1) || self.filter(pid).is_err()) {
                return false;
            }
        }
        true
    }

    /// Gives up all filters of tables, and taps the whole mux. The taps of services are to be given up before.
    pub fn tap_whole(&mut self) -> Result<(), SourceError> {
        self.tables.clear();
        let tap = Tap::open(&self.node, WHOLE_MUX, self.buffer_bytes);
        let tap = tap.map_err(|e| SourceError::Demux(self.node.clone(), e))?;
        self.whole = Some(Aligned::new(tap));
        Ok(())
    }

    /// Has `tap` give the packets of these PIDs from now on, and no others. `false`: it cannot be had.
    pub fn follow(&self, tap: &mut ServiceTap, pids: impl Iterator<Item = Pid> + Clone) -> bool {
        let wanted = |pid: &Pid| *pid != Pid::NULL && pids.clone().any(|p| p == *pid);
        let mut left = true;
        if let Some(Aligned { tap: open, .. }) = &tap.tap {
            tap.pids.retain(|pid| wanted(pid) || open.remove(pid.value()).is_err());
            left = !tap.pids.is_empty();
        }
        if !left {
            tap.tap = None;
        }
        for pid in pids.clone().filter(|pid| *pid != Pid::NULL) {
            if tap.pids.contains(&pid) {
                continue;
            }
            let added = match &tap.tap {
                Some(open) => open.tap.add(pid.value()),
                None => Tap::open(&self.node, pid.value(), self.buffer_bytes / 4)
                    .map(|open| tap.tap = Some(Aligned::new(open))),
            };
            if added.is_err() || tap.pids.push(pid).is_err() {
                return false;
            }
        }
        true
    }

    /// Hands the sections that came to `found`. Gives how many bytes they had.
    pub fn read_sections(&mut self, mut found: impl FnMut(Pid, &[u8])) -> Result<usize, SourceError> {
        let mut bytes = 0;
        for _ in 0..SECTIONS {
            let ready = ready(self.tables.iter().map(|(_, filter)| filter));
            if ready == 0 {
                break;
            }
            let some = self.tables.iter().enumerate().filter(|(i, _)| ready >> i & 1 != 0);
            for (_, (pid, filter)) in some {
                match filter.read(&mut self.section[..]) {
                    Got::Bytes(n) => {
                        bytes += n;
                        found(*pid, &self.section[..n]);
                    }
                    Got::Nothing => {}
                    // Tables are repeated.
                    Got::Overflow => self.counts.overflows += 1,
                    Got::Gone => return Err(SourceError::Gone),
                }
            }
        }
        Ok(bytes)
    }

    /// Reads packets of one service into `buffer`, whose length is a multiple of 188.
    pub fn read_tap(&mut self, tap: &mut ServiceTap, buffer: &mut [u8]) -> Result<Read, SourceError> {
        match &mut tap.tap {
            None => Ok(Read::Bytes(0)),
            Some(tap) => tap.read(buffer, &mut self.counts),
        }
    }

    /// Reads packets of the whole mux into `buffer`, whose length is a multiple of 188.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let Some(tap) = &mut self.whole else { return Ok(0) };
        match tap.read(buffer, &mut self.counts)? {
            Read::Bytes(n) => Ok(n),
            Read::Broken => {
                self.broken = true;
                Ok(0)
            }
        }
    }

    /// What the whole mux gives next does not follow what it gave last. Said once.
    pub fn take_break(&mut self) -> bool {
        std::mem::take(&mut self.broken)
    }

    /// Damage so far.
    #[must_use]
    pub fn counts(&self) -> SourceCounts {
        self.counts
    }

    fn filter(&mut self, pid: Pid) -> io::Result<()> {
        let filter = SectionFilter::open(&self.node, pid.value(), SECTION_BYTES)?;
        self.tables.push((pid, filter)).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }
}

impl Aligned {
    fn new(tap: Tap) -> Self {
        Self { tap, rest: Vec::new() }
    }

    fn read(&mut self, buffer: &mut [u8], counts: &mut SourceCounts) -> Result<Read, SourceError> {
        let before = self.rest.len();
        let Some((head, room)) = buffer.split_at_mut_checked(before) else { return Ok(Read::Bytes(0)) };
        let mut n = match self.tap.read(room) {
            Got::Bytes(n) => before + n,
            Got::Nothing => return Ok(Read::Bytes(0)),
            Got::Overflow => {
                self.rest.clear();
                counts.overflows += 1;
                return Ok(Read::Broken);
            }
            Got::Gone => return Err(SourceError::Gone),
        };
        head.copy_from_slice(&self.rest);
        let skipped = first_packet(&buffer[..n]);
        if skipped > 0 {
            buffer.copy_within(skipped..n, 0);
            n -= skipped;
            counts.skipped_bytes += skipped as u64;
            counts.sync_losses += 1;
        }
        let whole = n / PACKET * PACKET;
        self.rest.clear();
        let _fits = self.rest.extend_from_slice(&buffer[whole..n]);
        Ok(Read::Bytes(whole))
    }
}

/// Where the first packet begins; the length where none does.
fn first_packet(bytes: &[u8]) -> usize {
    let begins = |at: &usize| bytes[*at] == SYNC && bytes.get(at + PACKET).is_none_or(|next| *next == SYNC);
    if bytes.first() == Some(&SYNC) { 0 } else { (0..bytes.len()).find(begins).unwrap_or(bytes.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::dvb::demux::sample::Demux;

    const BUFFER: usize = 1 << 20;

    fn opened(number: u8, filters: usize) -> (Demux, DvbInput) {
        let device: Device = number.to_string().parse().unwrap();
        let demux = Demux::new(device.node("demux").to_str().unwrap());
        let input = DvbInput::open(&device, BUFFER, filters).unwrap();
        (demux, input)
    }

    fn pids(numbers: &[u16]) -> std::vec::Vec<Pid> {
        numbers.iter().copied().map(Pid::new).collect()
    }

    #[test]
    fn a_service_s_tap_changes_without_being_opened_anew() {
        let (demux, input) = opened(201, 31);
        assert_eq!(demux.open().len(), TABLES.len());
        let mut tap = ServiceTap::default();
        assert!(input.follow(&mut tap, pids(&[0x100, 0x101, 0x1fff]).into_iter()));
        let at = TABLES.len();
        assert_eq!(demux.pids(at), [0x100, 0x101]);
        assert!(input.follow(&mut tap, pids(&[0x101, 0x102]).into_iter()));
        assert_eq!(demux.pids(at), [0x101, 0x102], "the same descriptor");
        assert!(input.follow(&mut tap, pids(&[0x200]).into_iter()));
        assert_eq!(demux.open().last().map(|(_, _, pids)| pids.clone()), Some(vec![0x200]));
        drop(tap);
        assert_eq!(demux.open().len(), TABLES.len());
    }

    #[test]
    fn more_pmts_than_filters_are_not_filtered() {
        let (demux, mut input) = opened(202, 7);
        assert!(input.watch_pmts(pids(&[0x20, 0x21]).into_iter()));
        assert!(input.watch_pmts(pids(&[0x21, 0x22]).into_iter()), "what goes makes room");
        assert!(!input.watch_pmts(pids(&[0x21, 0x22, 0x23]).into_iter()));
        assert!(!input.has_room(1));
        input.tap_whole().unwrap();
        assert_eq!(demux.open().into_iter().map(|(.., pids)| pids).collect::<std::vec::Vec<_>>(), [[0x2000]]);
        let (demux, input) = opened(203, 4);
        assert!(input.is_whole());
        assert_eq!(demux.open().len(), 1);
    }

    #[test]
    fn packets_come_out_whole_however_they_are_read() {
        let (demux, mut input) = opened(204, 31);
        let mut tap = ServiceTap::default();
        assert!(input.follow(&mut tap, pids(&[0x100]).into_iter()));
        let stream: std::vec::Vec<u8> =
            (0..4).flat_map(|i| [SYNC, 1, 0, 0x10 | i].into_iter().chain([i; 184])).collect();
        demux.send(5, &[9; 3]);
        for part in [&stream[..100], &stream[100..400], &stream[400..]] {
            demux.send(5, part);
        }
        let (mut read, mut buffer) = (std::vec::Vec::new(), [0; 10 * PACKET]);
        for _ in 0..4 {
            let Ok(Read::Bytes(n)) = input.read_tap(&mut tap, &mut buffer) else { panic!("broken") };
            read.extend_from_slice(&buffer[..n]);
        }
        assert!(read == stream, "{} bytes", read.len());
        assert_eq!((input.counts().skipped_bytes, input.counts().sync_losses), (3, 1));
    }

    #[test]
    fn a_full_buffer_is_told_and_a_device_that_is_gone_ends() {
        use nix::errno::Errno;
        let (demux, mut input) = opened(205, 31);
        let mut tap = ServiceTap::default();
        assert!(input.follow(&mut tap, pids(&[0x100]).into_iter()));
        let mut buffer = [0; 2 * PACKET];
        demux.fail(5, Errno::EOVERFLOW);
        demux.fail(5, Errno::ENODEV);
        assert_eq!(input.read_tap(&mut tap, &mut buffer).ok(), Some(Read::Broken));
        assert!(matches!(input.read_tap(&mut tap, &mut buffer), Err(SourceError::Gone)));
        demux.fail(0, Errno::EOVERFLOW);
        assert_eq!(input.read_sections(|_, _| ()).ok(), Some(0));
        assert_eq!(input.counts().overflows, 2);
        demux.fail(1, Errno::ENODEV);
        assert!(matches!(input.read_sections(|_, _| ()), Err(SourceError::Gone)));
    }
}

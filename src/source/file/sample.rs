//! Streams and files for the tests of this module.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::date;
use crate::source::speed::Speed;
use crate::source::url::FileSpec;
use crate::ts::clock::{Ticks27M, Ticks90k};
use crate::ts::section::CRC;
use crate::ts::{PACKET, Packet, Pid};

/// A file of this test alone, removed with the value.
pub(super) struct TempFile(PathBuf);

impl TempFile {
    pub(super) fn new(bytes: &[u8]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stbcast-file-{}-{number}.ts", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn spec(&self, repeat: bool, times: u16) -> FileSpec {
        let speed = Speed::new(&times.to_string()).unwrap();
        FileSpec { path: self.0.clone(), repeat, speed }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A packet that ends with `payload`, after an adaptation field that fills it up.
pub(super) fn packet(
    pid: u16,
    counter: u8,
    starts: bool,
    pcr: Option<Ticks27M>,
    payload: &[u8],
) -> [u8; PACKET] {
    let mut bytes = [0xff; PACKET];
    let [high, low] = pid.to_be_bytes();
    bytes[..3].copy_from_slice(&[0x47, high | if starts { 0x40 } else { 0 }, low]);
    let field = PACKET - 5 - payload.len();
    (bytes[3], bytes[4]) = (0x30 | counter & 0x0f, u8::try_from(field).unwrap());
    if field > 0 {
        bytes[5] = 0;
    }
    if let Some(pcr) = pcr {
        bytes[5] = 0x10;
        bytes[6..12].copy_from_slice(&pcr.to_bytes());
    }
    bytes[PACKET - payload.len()..].copy_from_slice(payload);
    assert!(payload.is_empty() || Packet::new(&bytes).is_ok());
    bytes
}

/// A PES header and a few bytes.
pub(super) fn pes(stream_id: u8, pts: Option<u64>, dts: Option<u64>) -> Vec<u8> {
    let flags = u8::from(pts.is_some()) << 7 | u8::from(dts.is_some()) << 6;
    let length = if dts.is_some() { 10 } else { 5 };
    let mut bytes = vec![0, 0, 1, stream_id, 0, 0, 0x80, flags, length];
    bytes.extend(pts.iter().flat_map(|t| Ticks90k::new(*t).to_bytes(flags >> 2)));
    bytes.extend(dts.iter().flat_map(|t| Ticks90k::new(*t).to_bytes(0x10)));
    bytes.extend([9, 9, 9]);
    bytes
}

/// PTS and DTS of the PES header that `packet` begins with.
pub(super) fn stamps_of(packet: &[u8; PACKET]) -> (Option<u64>, Option<u64>) {
    let payload = Packet::new(packet).unwrap().payload();
    let stamp = |at: usize| Ticks90k::from_bytes(payload[at..].first_chunk().copied().unwrap()).value();
    ((payload[7] & 0x80 != 0).then(|| stamp(9)), (payload[7] & 0x40 != 0).then(|| stamp(14)))
}

/// A TDT of `time`.
pub(super) fn tdt(counter: u8, time: i64) -> [u8; PACKET] {
    let mut payload = [0xff; PACKET - 4];
    payload[..4].copy_from_slice(&[0, 0x70, 0x70, 5]);
    payload[4..9].copy_from_slice(&date::to_bytes(time));
    let mut bytes = [0; PACKET];
    bytes[..4].copy_from_slice(&[0x47, 0x40, 0x14, 0x10 | counter & 0x0f]);
    bytes[4..].copy_from_slice(&payload);
    bytes
}

/// An EIT section with an event, of `text` bytes of descriptors, for each of `starts`.
pub(super) fn eit(table_id: u8, version: u8, starts: &[Option<i64>], text: usize) -> Vec<u8> {
    let length = 11 + starts.len() * (12 + text) + 4;
    let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
    let mut bytes =
        vec![table_id, 0xf0 | high, low, 0, 1, 0xc1 | version << 1, 0, 0, 0, 1, 0, 1, 0, table_id];
    for (id, start) in (1..).zip(starts) {
        bytes.extend([0, id]);
        bytes.extend(start.map_or([0xff; 5], date::to_bytes));
        let [high, low] = u16::try_from(text).unwrap().to_be_bytes();
        bytes.extend([1, 0, 0, 0x80 | high, low]);
        // One private descriptor after the other, so that any reader finds a sound loop.
        bytes.extend((0..text / 2).flat_map(|_| [0x80, 0]));
    }
    let crc = CRC.checksum(&bytes);
    bytes.extend(crc.to_be_bytes());
    bytes
}

/// A stream of constant bit rate: a picture with PCR and PTS on 0x100 every ten packets, between them 0x101 and 0x100.
pub(super) struct Cbr {
    pub(super) packets: u64,
    /// Ticks of a packet.
    pub(super) ticks: u64,
    /// Clock of the first packet.
    pub(super) base: u64,
}

impl Default for Cbr {
    fn default() -> Self {
        Self { packets: 200, ticks: 5400, base: 0 }
    }
}

impl Cbr {
    /// Time from a PCR to the PTS beside it.
    pub(super) const DELAY: u64 = 45_000;

    pub(super) fn packets(&self) -> Vec<[u8; PACKET]> {
        let mut counters = [0; Pid::COUNT];
        let build = |i: u64| {
            let pid = if i % 3 == 1 && !i.is_multiple_of(10) { 0x101 } else { 0x100 };
            let counter = counters[usize::from(pid)];
            counters[usize::from(pid)] = (counter + 1) & 0x0f;
            let pcr = Ticks27M::new(self.base).plus(i * self.ticks);
            if i.is_multiple_of(10) {
                let pts = pcr.value() / 300 + Self::DELAY;
                packet(pid, counter, true, Some(pcr), &pes(0xe0, Some(pts), Some(pts)))
            } else {
                packet(pid, counter, false, None, &[i.to_le_bytes()[0]; 170])
            }
        };
        (0..self.packets).map(build).collect()
    }
}

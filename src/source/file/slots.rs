//! The file as slots of 188 bytes: finds the sync bytes, and looks ahead.
//!
//! What a file has between its packets is left out: the time stamp of four bytes before each (M2TS, as Blu-ray discs
//! and many receivers have it), or the 16 bytes of error correction behind each (ETSI EN 300 744 §4.3.2).
//!
//! ```text
//!  0                taken              ready         raw                  filled
//! +----------------+------------------+-------------+--------------------+------------+
//! |  handed out    |  whole slots     |  skipped    |  not looked at yet |  free      |
//! +----------------+------------------+-------------+--------------------+------------+
//! ```

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::source::SourceCounts;
use crate::ts::packet::SYNC;
use crate::ts::{PACKET, Packet};

/// Sync bytes in a row, a slot apart, that prove a transport stream.
const RUN: usize = 5;
/// From one packet to the next: bare, with a time stamp, and with error correction.
const STRIDES: [usize; 3] = [PACKET, M2TS, PACKET + 16];
const M2TS: usize = 4 + PACKET;
/// Bytes looked at to prove a run, at most.
const RUN_BYTES: usize = (RUN - 1) * STRIDES[2] + 1;
/// How far from its beginning a file must prove to be a transport stream.
const HEAD: u64 = 1 << 20;

/// A part of a file, slot by slot.
///
/// A slot is 188 bytes at the place of a packet. All but a lone damaged one begin with the sync byte.
pub(super) struct Slots {
    file: File,
    buffer: Box<[u8]>,
    /// `taken..ready` is whole slots.
    taken: usize,
    ready: usize,
    raw: usize,
    filled: usize,
    /// Where in the file the byte at `filled` comes from.
    offset: u64,
    /// Where in the file the part ends.
    end: u64,
    synced: bool,
    /// Bytes from one packet to the next: one of [`STRIDES`].
    stride: usize,
    counts: SourceCounts,
}

impl Slots {
    /// No part of `file` yet; `look_ahead` bytes of buffer.
    pub(super) fn new(file: File, look_ahead: usize) -> Self {
        Self {
            file,
            buffer: vec![0; look_ahead.max(2 * RUN_BYTES)].into(),
            taken: 0,
            ready: 0,
            raw: 0,
            filled: 0,
            offset: 0,
            end: 0,
            synced: false,
            stride: PACKET,
            counts: SourceCounts::default(),
        }
    }

    /// Where the first run of sync bytes begins, of any stride, which holds from then on; `None` where the first
    /// mebibyte has none.
    pub(super) fn find_start(&mut self, length: u64) -> io::Result<Option<u64>> {
        // Nearly all files begin with a packet.
        for within in [RUN_BYTES as u64, HEAD] {
            let wanted = length.min(within + RUN_BYTES as u64);
            let mut head = vec![0; usize::try_from(wanted).unwrap_or_default()];
            self.file.read_exact_at(&mut head, 0)?;
            let is_last = wanted == length;
            let places = (0..head.len()).flat_map(|at| STRIDES.map(|stride| (at, stride)));
            let found = places
                .filter(|(at, _)| head[*at] == SYNC)
                .find(|&(at, stride)| begins_run(&head[at..], stride, is_last) == Some(true));
            if let Some((at, stride)) = found.filter(|(at, _)| (*at as u64) < within) {
                self.stride = stride;
                return Ok(u64::try_from(at).ok());
            }
        }
        Ok(None)
    }

    /// Bytes from one packet to the next.
    pub(super) fn stride(&self) -> u64 {
        self.stride as u64
    }

    /// Goes to the part of the file from byte `from` to byte `to`.
    pub(super) fn seek(&mut self, from: u64, to: u64) {
        (self.taken, self.ready, self.raw, self.filled) = (0, 0, 0, 0);
        (self.offset, self.end, self.synced) = (from, to.max(from), false);
    }

    /// The slots that can be seen, the next one first.
    pub(super) fn ahead(&self) -> &[[u8; PACKET]] {
        self.buffer[self.taken..self.ready].as_chunks().0
    }

    /// The same, to be rewritten.
    pub(super) fn ahead_mut(&mut self) -> &mut [[u8; PACKET]] {
        self.buffer[self.taken..self.ready].as_chunks_mut().0
    }

    /// Goes on to the next slot.
    pub(super) fn advance(&mut self) {
        self.taken = (self.taken + PACKET).min(self.ready);
    }

    /// Nothing comes behind what can be seen.
    pub(super) fn is_at_end(&self) -> bool {
        self.offset >= self.end
    }

    /// Damage so far. What is met again in a further pass counts again.
    pub(super) fn counts(&self) -> SourceCounts {
        self.counts
    }

    /// Forgets what was counted so far, but counts what stands before the first packet, at `start`, and is not its
    /// time stamp.
    pub(super) fn restart_counts(&mut self, start: u64) {
        let stamp = if self.stride == M2TS { (M2TS - PACKET) as u64 } else { 0 };
        let skipped = start.saturating_sub(stamp);
        self.counts = SourceCounts { skipped_bytes: skipped, ..SourceCounts::default() };
    }

    /// Reads as far ahead as the buffer goes. Nothing new to see after that means the end, or a buffer's length of
    /// bytes that are no packets.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.taken..self.ready, 0);
        (self.taken, self.ready) = (0, self.ready - self.taken);
        self.buffer.copy_within(self.raw..self.filled, self.ready);
        (self.raw, self.filled) = (self.ready, self.ready + self.filled - self.raw);
        while self.filled < self.buffer.len() && self.offset < self.end {
            let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
            let until = self.buffer.len().min(self.filled.saturating_add(left));
            match self.file.read_at(&mut self.buffer[self.filled..until], self.offset) {
                Ok(0) => self.end = self.offset, // shorter than it was when opened
                Ok(n) => {
                    self.filled += n;
                    self.offset += n as u64;
                }
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
        }
        while self.sort() {}
        Ok(())
    }

    /// Takes one step through what was read: a slot made ready, or a skip. False when it needs to see more.
    fn sort(&mut self) -> bool {
        let is_last = self.is_at_end();
        let rest = &self.buffer[self.raw..self.filled];
        if rest.is_empty() {
            return false;
        }
        if !self.synced {
            let found = find_run(rest, self.stride, is_last);
            self.synced = found.is_ok();
            let skipped = found.unwrap_or_else(|searched| searched);
            self.skip(skipped);
            return self.synced;
        }
        if rest.len() < PACKET {
            if is_last {
                self.skip(rest.len()); // the file is cut off within a packet
            }
            return false;
        }
        // One wrong byte where the next slot is in its place is damage, and for the demux to count.
        match (rest[0], rest.get(self.stride)) {
            // What is between the packets is taken with the one before it.
            (SYNC, _) if rest.len() < self.stride && !is_last => false,
            (SYNC, _) | (_, Some(&SYNC)) => {
                self.buffer.copy_within(self.raw..self.raw + PACKET, self.ready);
                self.ready += PACKET;
                self.raw += self.stride.min(self.filled - self.raw);
                true
            }
            (_, None) if !is_last => false,
            _ => {
                self.synced = false;
                self.counts.sync_losses += 1;
                true
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.raw += bytes;
        self.counts.skipped_bytes += bytes as u64;
    }
}

/// Where the first run of `stride` in `bytes` begins; `Err` is how many bytes surely begin none. `is_last`: nothing follows them.
fn find_run(bytes: &[u8], stride: usize, is_last: bool) -> Result<usize, usize> {
    for at in 0..bytes.len() {
        match begins_run(&bytes[at..], stride, is_last) {
            Some(true) => return Ok(at),
            Some(false) => {}
            None => return Err(at),
        }
    }
    Err(bytes.len())
}

/// The packets of the run at the head of `bytes` are sound. A time stamp's first byte changes but twice a second, so
/// that it can look like a run itself.
fn is_sound(bytes: &[u8], stride: usize) -> bool {
    let mut packets = bytes.chunks(stride).take(RUN).filter_map(|packet| packet.first_chunk());
    packets.all(|packet| Packet::new(packet).is_ok())
}

/// Whether a run of `stride` begins at the head of `bytes`; `None` where that cannot be told yet. A run that reaches the end of
/// the file may be of two.
fn begins_run(bytes: &[u8], stride: usize, is_last: bool) -> Option<bool> {
    let mut places = bytes.iter().step_by(stride).take(RUN);
    let seen = places.len();
    if !places.all(|b| *b == SYNC) || stride != PACKET && !is_sound(bytes, stride) {
        Some(false)
    } else if seen == RUN {
        Some(true)
    } else {
        is_last.then_some(seen >= 2)
    }
}

#[cfg(test)]
mod tests;

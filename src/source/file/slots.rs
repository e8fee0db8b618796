//! The file as slots of 188 bytes: finds the sync bytes, and looks ahead.
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
use crate::ts::PACKET;
use crate::ts::packet::SYNC;

/// Sync bytes in a row, a slot apart, that prove a transport stream.
const RUN: usize = 5;
/// Bytes looked at to prove a run.
const RUN_BYTES: usize = (RUN - 1) * PACKET + 1;
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
            counts: SourceCounts::default(),
        }
    }

    /// Where the first run of sync bytes begins; `None` where the first mebibyte has none.
    pub(super) fn find_start(&self, length: u64) -> io::Result<Option<u64>> {
        let wanted = length.min(HEAD + RUN_BYTES as u64);
        let mut head = vec![0; usize::try_from(wanted).unwrap_or_default()];
        self.file.read_exact_at(&mut head, 0)?;
        let found = find_run(&head, wanted == length);
        Ok(found.ok().and_then(|at| u64::try_from(at).ok()).filter(|at| *at < HEAD))
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

    /// Counts `skipped` bytes before the first slot, and forgets what was counted so far.
    pub(super) fn restart_counts(&mut self, skipped: u64) {
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
            let found = find_run(rest, is_last);
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
        match (rest[0], rest.get(PACKET)) {
            (SYNC, _) | (_, Some(&SYNC)) => {
                self.buffer.copy_within(self.raw..self.raw + PACKET, self.ready);
                self.ready += PACKET;
                self.raw += PACKET;
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

/// Where the first run in `bytes` begins; `Err` is how many bytes surely begin none. `is_last`: nothing follows them.
fn find_run(bytes: &[u8], is_last: bool) -> Result<usize, usize> {
    for at in 0..bytes.len() {
        match begins_run(&bytes[at..], is_last) {
            Some(true) => return Ok(at),
            Some(false) => {}
            None => return Err(at),
        }
    }
    Err(bytes.len())
}

/// Whether a run begins at the head of `bytes`; `None` where that cannot be told yet. A run that reaches the end of
/// the file may be of two.
fn begins_run(bytes: &[u8], is_last: bool) -> Option<bool> {
    let mut places = bytes.iter().step_by(PACKET).take(RUN);
    let seen = places.len();
    if !places.all(|b| *b == SYNC) {
        Some(false)
    } else if seen == RUN {
        Some(true)
    } else {
        is_last.then_some(seen >= 2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::TempFile;
    use super::*;

    /// `n` slots whose second byte is their number and whose others cannot be taken for sync bytes.
    fn numbered(n: u8) -> Vec<u8> {
        (0..n).flat_map(|i| [[SYNC, i].as_slice(), &[0; PACKET - 2]].concat()).collect()
    }

    /// The numbers of the slots found behind `start`, and the damage, with a buffer of `look_ahead`.
    fn read(bytes: &[u8], look_ahead: usize) -> (Option<u64>, Vec<u8>, SourceCounts) {
        let file = TempFile::new(bytes);
        let mut slots = Slots::new(File::open(file.path()).unwrap(), look_ahead);
        let start = slots.find_start(bytes.len() as u64).unwrap();
        let mut found = Vec::new();
        slots.seek(start.unwrap_or(0), bytes.len() as u64);
        while !slots.is_at_end() || !slots.ahead().is_empty() {
            if slots.ahead().len() < 3 {
                slots.fill().unwrap();
            }
            found.extend(slots.ahead().first().map(|slot| slot[1]));
            slots.advance();
        }
        (start, found, slots.counts())
    }

    fn damage(skipped_bytes: u64, sync_losses: u64) -> SourceCounts {
        SourceCounts { skipped_bytes, sync_losses, ..SourceCounts::default() }
    }

    #[test]
    fn junk_in_front_is_passed_over_even_with_sync_bytes_in_it() {
        let mut junk = vec![SYNC; 3];
        junk.extend([0; 700]);
        junk[3 * PACKET] = SYNC;
        let bytes = [junk, numbered(9)].concat();
        assert_eq!(read(&bytes, 0), (Some(703), (0..9).collect(), damage(0, 0)));
    }

    #[test]
    fn what_is_no_stream_is_known_within_a_mebibyte() {
        assert_eq!(read(&[0; 5000], 0).0, None);
        assert_eq!(read(&[SYNC], 0).0, None);
        assert_eq!(read(&[], 0).0, None);
        assert_eq!(read(&[vec![0; (1 << 20) - 1], numbered(9)].concat(), 0).0, Some((1 << 20) - 1));
        assert_eq!(read(&[vec![0; 1 << 20], numbered(9)].concat(), 0).0, None);
    }

    #[test]
    fn a_lone_wrong_sync_byte_stays_in_its_place() {
        let mut bytes = numbered(12);
        bytes[7 * PACKET] = 0x46;
        assert_eq!(read(&bytes, 0), (Some(0), (0..12).collect(), damage(0, 0)));
    }

    #[test]
    fn bytes_put_in_cost_themselves() {
        let mut bytes = numbered(20);
        bytes.splice(9 * PACKET..9 * PACKET, [0; 5]);
        for look_ahead in [0, 3000, 1 << 16] {
            let (_, found, counts) = read(&bytes, look_ahead);
            assert_eq!((found, counts), ((0..20).collect(), damage(5, 1)));
        }
    }

    #[test]
    fn a_packet_cut_off_is_skipped() {
        let mut bytes = numbered(9);
        bytes.truncate(9 * PACKET - 1);
        assert_eq!(read(&bytes, 0), (Some(0), (0..8).collect(), damage(187, 0)));
    }

    #[test]
    fn two_wrong_sync_bytes_lose_two_slots() {
        let mut bytes = numbered(20);
        (bytes[8 * PACKET], bytes[9 * PACKET]) = (0, 0);
        let expected: Vec<u8> = (0..8).chain(10..20).collect();
        assert_eq!(read(&bytes, 0), (Some(0), expected, damage(2 * PACKET as u64, 1)));
    }
}

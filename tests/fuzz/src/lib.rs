//! What the fuzz targets share: an input taken apart piece by piece, and the sections and packets made of the pieces.
//!
//! A fuzzer changes bytes at random. What a parser refuses at once (a CRC, a sync byte, a counter) is therefore made
//! right here, unless the input asks for it to be wrong.

use std::path::PathBuf;

use stbcast::ts::section::CRC;

/// Bytes of a transport packet.
pub const PACKET: usize = 188;

/// An input, taken from its front.
pub struct Input<'a> {
    rest: &'a [u8],
    /// The counter of the next packet of each PID.
    counters: Box<[u8; 0x2000]>,
}

impl<'a> Input<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, counters: Box::new([0; 0x2000]) }
    }

    /// The next byte; 0 behind the end.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next two bytes as a number.
    pub fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The next `n` bytes, or as many as there are.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(n.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// As many bytes as the next one says.
    pub fn counted(&mut self) -> &'a [u8] {
        let n = self.byte();
        self.take(n.into())
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A packet of one of `pids`: its shape, which PID, its control byte, then as much of it as the next byte says.
    /// Its counter goes on and its sync byte is right unless the shape says otherwise.
    pub fn packet(&mut self, pids: &[u16]) -> Option<[u8; PACKET]> {
        let &[shape, which, control, length] = self.take(4) else { return None };
        let mut packet = [0xff; PACKET];
        let pid = match pids.get(usize::from(which)) {
            Some(pid) => *pid,
            None => u16::from(which) << 5 & 0x1fff,
        };
        let [high, low] = pid.to_be_bytes();
        packet[0] = if shape >> 2 == 0x2a { shape } else { 0x47 };
        let flags = (shape & 1) << 6 | if shape >> 2 == 0x15 { 0x80 } else { 0 };
        (packet[1], packet[2]) = (high | flags, low);
        let counter = &mut self.counters[usize::from(pid)];
        packet[3] = if shape & 2 == 0 { control & 0xf0 | *counter } else { control };
        *counter = ((packet[3] & 0x0f) + (packet[3] >> 4 & 1)) & 0x0f;
        let body = self.take(usize::from(length).min(PACKET - 4));
        packet[4..4 + body.len()].copy_from_slice(body);
        Some(packet)
    }
}

/// A long section of this table, sound but for what `body` says.
#[must_use]
pub fn section(table_id: u8, extension: u16, body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(4093 - 9)];
    let length = u16::try_from(body.len() + 9).unwrap_or(9);
    let ([high, low], [ext_high, ext_low]) = (length.to_be_bytes(), extension.to_be_bytes());
    let head = [table_id, 0xb0 | high, low, ext_high, ext_low, 0xc1, 0, 0];
    sealed([&head, body].concat())
}

/// `bytes` with their CRC behind them.
#[must_use]
pub fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = CRC.checksum(&bytes);
    bytes.extend(crc.to_be_bytes());
    bytes
}

/// A directory of this process alone. `scripts/fuzz` has it in memory, and removes it.
#[must_use]
pub fn directory() -> PathBuf {
    let path = std::env::temp_dir().join(format!("stbcast-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a directory can be made");
    path
}

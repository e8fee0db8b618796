//! A video node that gives a transport stream: an HDMI encoder, a capture card with one (V4L2).
//!
//! `read()` is taken where the node has it: the driver writes into our memory, and there is nothing to be mapped. Where it
//! has not, its buffers are mapped. Both never wait, and the node may break packets where it likes.

use std::io::{self, ErrorKind};

use super::url::{VideoIo, VideoSpec};
use super::{Now, SourceCounts, SourceError};
use crate::sys::v4l::{Mapped, Video};
use crate::ts::PACKET;
use crate::ts::packet::SYNC;

/// `V4L2_PIX_FMT_MPEG`: MPEG, multiplexed.
const MPEG: [u8; 4] = *b"MPEG";

/// An open node.
pub struct VideoInput {
    spec: VideoSpec,
    stream: Stream,
    aligner: Aligner,
}

/// Finds packets in bytes that come in pieces of any length.
struct Aligner {
    /// The begin of a packet whose rest is still to come.
    begun: heapless::Vec<u8, PACKET>,
    in_sync: bool,
    counts: SourceCounts,
}

enum Stream {
    Read(Video),
    Mapped(Mapped),
}

impl VideoInput {
    /// Opens the node of `spec`, and has it give a transport stream.
    pub fn open(spec: &VideoSpec) -> Result<Self, SourceError> {
        let fails = |why: String| SourceError::Video(spec.path.clone(), why);
        let broken = |e: io::Error| fails(e.to_string());
        let node = Video::open(&spec.path).map_err(broken)?;
        let can = node.abilities().map_err(|e| match e.raw_os_error() {
            Some(libc::ENOTTY) => fails("it is no video device".into()),
            _ => broken(e),
        })?;
        if !can.captures {
            return Err(fails("it is no video device that captures".into()));
        }
        let has = node.format().map_err(broken)?;
        let format = if has == MPEG { Ok(has) } else { node.set_format(MPEG) };
        if format.as_ref().ok() != Some(&MPEG) {
            let has = String::from_utf8_lossy(&has).into_owned();
            return Err(fails(format!("it gives no MPEG stream, but '{}'", has.trim().escape_default())));
        }
        if !node.choose_transport_stream().map_err(broken)? {
            return Err(fails("it encodes no transport stream".into()));
        }
        let stream = match spec.io.unwrap_or(if can.reads { VideoIo::Read } else { VideoIo::Map }) {
            VideoIo::Read if can.reads => Stream::Read(node),
            VideoIo::Map if can.maps => Stream::Mapped(node.map().map_err(broken)?),
            VideoIo::Read => return Err(fails("it cannot be read from".into())),
            VideoIo::Map => return Err(fails("it has no buffers that can be mapped".into())),
        };
        Ok(Self { spec: spec.clone(), stream, aligner: Aligner::default() })
    }

    /// As [`super::Input::read`].
    pub(super) fn read(&mut self, _now: Now, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let begun = self.aligner.begin(buffer);
        let room = &mut buffer[begun..];
        let got = match &mut self.stream {
            Stream::Read(node) => node.read(room),
            Stream::Mapped(node) => node.read(room),
        };
        match got {
            Ok(n) => Ok(self.aligner.align(buffer, begun + n)),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) => {
                Err(SourceError::Unplugged(self.spec.path.clone()))
            }
            Err(e) => Err(SourceError::Video(self.spec.path.clone(), e.to_string())),
        }
    }

    pub(super) fn counts(&self) -> SourceCounts {
        self.aligner.counts
    }
}

impl Default for Aligner {
    fn default() -> Self {
        Self { begun: heapless::Vec::new(), in_sync: true, counts: SourceCounts::default() }
    }
}

impl Aligner {
    /// Writes what was begun to the front of `buffer`, which has room for two packets. Gives its length.
    fn begin(&self, buffer: &mut [u8]) -> usize {
        buffer[..self.begun.len()].copy_from_slice(&self.begun);
        self.begun.len()
    }

    /// Moves the packets in `bytes[..len]` to its front, one behind the other, and keeps what a packet begins with. Gives
    /// the length of the whole packets. A sync byte counts where another follows 188 bytes behind.
    fn align(&mut self, bytes: &mut [u8], len: usize) -> usize {
        let (mut at, mut out) = (0, 0);
        while at + PACKET <= len {
            let next = bytes[..len].get(at + PACKET).is_none_or(|byte| *byte == SYNC);
            let whole =
                bytes[at] == SYNC && (self.in_sync || next) || self.in_sync && next && at + PACKET < len;
            if whole {
                if out != at {
                    bytes.copy_within(at..at + PACKET, out);
                }
                (at, out, self.in_sync) = (at + PACKET, out + PACKET, true);
            } else {
                self.counts.sync_losses += u64::from(self.in_sync);
                self.in_sync = false;
                self.counts.skipped_bytes += 1;
                at += 1;
            }
        }
        self.begun.clear();
        let _fits = self.begun.extend_from_slice(&bytes[at..len]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `bytes` in pieces of `piece` to an aligner; what came out, and the counts.
    fn aligned(bytes: &[u8], piece: usize) -> (Vec<u8>, SourceCounts) {
        let mut aligner = Aligner::default();
        let (mut buffer, mut out) = ([0; 4 * PACKET], Vec::new());
        for piece in bytes.chunks(piece) {
            let begun = aligner.begin(&mut buffer);
            buffer[begun..begun + piece.len()].copy_from_slice(piece);
            let len = aligner.align(&mut buffer, begun + piece.len());
            out.extend_from_slice(&buffer[..len]);
        }
        (out, aligner.counts)
    }

    fn stream(packets: u8) -> Vec<u8> {
        (0..packets).flat_map(|n| [vec![SYNC], vec![n.min(SYNC - 1); PACKET - 1]].concat()).collect()
    }

    #[test]
    fn packets_come_out_whole_however_they_are_cut() {
        let stream = stream(40);
        for piece in [1, 7, 187, 188, 189, 376, 500, 564] {
            assert_eq!(
                aligned(&stream, piece),
                (stream.clone(), SourceCounts::default()),
                "pieces of {piece}"
            );
        }
    }

    #[test]
    fn what_is_no_packet_is_skipped_and_counted() {
        let stream = stream(40);
        let at = 10 * PACKET;
        let torn = [&stream[..at], &[0xff, SYNC, 0xff, 0xff, 0xff], &stream[at..]].concat();
        for piece in [188, 500, 564] {
            let (out, counts) = aligned(&torn, piece);
            assert_eq!((counts.sync_losses, counts.skipped_bytes), (1, 5), "pieces of {piece}");
            assert_eq!(out, stream, "pieces of {piece}");
        }
        let cut = [&stream[..at + 100], &stream[at + PACKET..]].concat();
        let (out, counts) = aligned(&cut, 564);
        assert_eq!(counts.sync_losses, 1);
        assert!(out.ends_with(&stream[at + 2 * PACKET..]));
    }

    #[test]
    fn a_damaged_sync_byte_is_the_demux_to_count() {
        let mut stream = stream(10);
        stream[4 * PACKET] = 0;
        assert_eq!(aligned(&stream, 564), (stream.clone(), SourceCounts::default()));
    }
}

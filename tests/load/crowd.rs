//! Many viewers in few threads, who look at every packet.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::support::http::split;
use super::support::mux::number;
use super::support::ts::{Packet, pid};

/// Threads for all of them: the box shall have a core.
const THREADS: usize = 2;
/// Between two looks at sockets that had nothing.
const REST: Duration = Duration::from_millis(5);

/// What a viewer got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Share {
    pub(crate) bytes: u64,
    /// The numbers of its first and its last packet.
    pub(crate) packets: Option<(u64, u64)>,
    /// Numbers between them that did not come in their place.
    pub(crate) lost: u64,
}

/// All who watch.
pub(crate) struct Crowd(Vec<Viewer>);

impl Crowd {
    /// `count` viewers of `url`, whose elementary packets are those of `pids`.
    pub(crate) fn join(url: &str, count: usize, pids: &[u16]) -> Self {
        Self((0..count).map(|_| Viewer::open(url, pids)).collect())
    }

    /// Watches for `length`. Panics where a viewer is disconnected or gets what is no transport stream.
    pub(crate) fn watch(&mut self, length: Duration) {
        let deadline = Instant::now() + length;
        let share = self.0.len().div_ceil(THREADS);
        thread::scope(|scope| {
            for viewers in self.0.chunks_mut(share) {
                scope.spawn(move || {
                    let mut buffer = vec![0; 1 << 17];
                    while Instant::now() < deadline {
                        let mut got = 0;
                        viewers.iter_mut().for_each(|viewer| got += viewer.receive(&mut buffer));
                        if got == 0 {
                            thread::sleep(REST);
                        }
                    }
                });
            }
        });
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.iter().map(|viewer| viewer.share.bytes).sum()
    }

    /// Ends all connections.
    pub(crate) fn leave(self) -> Vec<Share> {
        self.0.into_iter().map(|viewer| viewer.share).collect()
    }
}

struct Viewer {
    stream: TcpStream,
    pids: Vec<u16>,
    /// A packet that has not come whole.
    rest: Vec<u8>,
    share: Share,
}

impl Viewer {
    fn open(url: &str, pids: &[u16]) -> Self {
        let (address, path) = split(url);
        let mut stream = TcpStream::connect(address).expect("the box accepts");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out can be set");
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
            .expect("the box reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the box answers");
            head.extend(byte);
        }
        let head = String::from_utf8(head).expect("a head is text");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        stream.set_nonblocking(true).expect("a socket need not block");
        Self { stream, pids: pids.to_vec(), rest: Vec::new(), share: Share::default() }
    }

    /// Takes what is there, as far as it fits `buffer`. Gives its size.
    fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let got = match self.stream.read(buffer) {
            Ok(0) => panic!("the box ended a connection after {:?}", self.share),
            Ok(got) => got,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return 0,
            Err(e) => panic!("{e} after {:?}", self.share),
        };
        self.share.bytes += got as u64;
        let mut bytes = &buffer[..got];
        if !self.rest.is_empty() {
            let (end, behind) = bytes.split_at(bytes.len().min(188 - self.rest.len()));
            self.rest.extend(end);
            bytes = behind;
            if let Some(packet) = self.rest.first_chunk().copied() {
                self.take(&packet);
                self.rest.clear();
            }
        }
        let (packets, tail) = bytes.as_chunks();
        packets.iter().for_each(|packet| self.take(packet));
        self.rest.extend(tail);
        got
    }

    fn take(&mut self, packet: &Packet) {
        assert_eq!(packet[0], 0x47, "out of sync after {:?}", self.share);
        // A packet without payload is the box's own, where it says that the counters break.
        if packet[3] & 0x10 == 0 || !self.pids.contains(&pid(packet)) {
            return;
        }
        let got = number(packet);
        let (first, last) = self.share.packets.unwrap_or_else(|| (got, got.wrapping_sub(1)));
        let due = last.wrapping_add(1);
        // One that comes again or too early is as bad as one that is missing.
        self.share.lost += if got > due { got - due } else { u64::from(got != due) };
        self.share.packets = Some((first, got));
    }
}

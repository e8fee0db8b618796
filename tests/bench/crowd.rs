//! Many clients in one thread, who look at every packet.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::feed::{now, sent_at};
use super::support::mux::number;
use super::support::ts::{Packet, pid};
use super::tally::Tally;

/// All join within this, one after the other.
const JOINING: Duration = Duration::from_secs(1);
/// One packet of so many tells how late it is.
const SAMPLE: u64 = 32;

/// All clients of one server.
pub(crate) struct Crowd<'a> {
    target: (SocketAddr, &'a str),
    pids: &'a [u16],
    size: usize,
    clients: Vec<Client>,
    epoll: Epoll,
    buffer: Vec<u8>,
    /// What came since it was last taken.
    pub(crate) tally: Tally,
}

impl<'a> Crowd<'a> {
    /// `size` clients of `target`, whose elementary packets are those of `pids`. They join while they watch.
    pub(crate) fn new(target: (SocketAddr, &'a str), size: usize, pids: &'a [u16]) -> Self {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll is there");
        let (clients, buffer) = (Vec::with_capacity(size), vec![0; 256 << 10]);
        Self { target, pids, size, clients, epoll, buffer, tally: Tally::default() }
    }

    /// Watches for `length`; who has not joined yet, does.
    pub(crate) fn watch(&mut self, length: Duration) {
        let begun = now();
        let mut events = [EpollEvent::empty(); 128];
        loop {
            let elapsed = Duration::from_nanos(now() - begun);
            let Some(mut left) = length.checked_sub(elapsed).filter(|left| !left.is_zero()) else { return };
            if self.clients.len() < self.size {
                let due = JOINING.mul_f64(self.clients.len() as f64 / self.size as f64);
                if elapsed >= due {
                    self.join();
                    left = Duration::ZERO;
                } else {
                    left = left.min(due - elapsed);
                }
            }
            let wait = u16::try_from(left.as_millis()).unwrap_or(u16::MAX);
            let count = self.epoll.wait(&mut events, EpollTimeout::from(wait)).unwrap_or(0);
            for event in &events[..count] {
                self.receive(usize::try_from(event.data()).expect("the place of a client"));
            }
        }
    }

    /// Milliseconds from a client's connect to its first packet; nothing where none came.
    pub(crate) fn starts(&self) -> Vec<f64> {
        self.clients.iter().filter_map(|client| client.first).collect()
    }

    /// Clients that got nothing, or whom the server left.
    pub(crate) fn lonely(&self) -> usize {
        self.clients.iter().filter(|client| client.gone || client.first.is_none()).count()
    }

    fn join(&mut self) {
        let (address, path) = self.target;
        let asked = now();
        let mut stream = TcpStream::connect(address).expect("the server accepts");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the kernel takes a request");
        stream.set_nonblocking(true).expect("a socket need not block");
        let event = EpollEvent::new(EpollFlags::EPOLLIN, self.clients.len() as u64);
        self.epoll.add(&stream, event).expect("a socket can be polled");
        let (head, rest) = (Some(Vec::new()), Vec::with_capacity(188));
        self.clients.push(Client { stream, asked, first: None, head, rest, last: None, gone: false });
    }

    fn receive(&mut self, place: usize) {
        let client = &mut self.clients[place];
        let got = match client.stream.read(&mut self.buffer) {
            Ok(0) => None,
            Ok(got) => Some(got),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            Err(_) => None,
        };
        let Some(got) = got else {
            client.gone = true;
            self.epoll.delete(&client.stream).expect("it was polled");
            return;
        };
        self.tally.bytes += got as u64;
        client.take(&self.buffer[..got], self.pids, &mut self.tally);
    }
}

struct Client {
    stream: TcpStream,
    /// When it began to connect.
    asked: u64,
    /// Milliseconds until its first packet.
    first: Option<f64>,
    /// The reply's head as far as it came, until it is whole.
    head: Option<Vec<u8>>,
    /// A packet that has not come whole.
    rest: Vec<u8>,
    /// The number of the last elementary packet.
    last: Option<u64>,
    gone: bool,
}

impl Client {
    fn take(&mut self, mut bytes: &[u8], pids: &[u16], tally: &mut Tally) {
        let time = now();
        if let Some(head) = &mut self.head {
            let before = head.len();
            head.extend(bytes);
            let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") else { return };
            assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head[..end]));
            bytes = &bytes[end + 4 - before..];
            self.head = None;
        }
        if bytes.is_empty() {
            return;
        }
        self.first.get_or_insert_with(|| (time - self.asked) as f64 / 1e6);
        if !self.rest.is_empty() {
            let (end, behind) = bytes.split_at(bytes.len().min(188 - self.rest.len()));
            self.rest.extend(end);
            bytes = behind;
            let Some(packet) = self.rest.first_chunk().copied() else { return };
            self.check(&packet, time, pids, tally);
            self.rest.clear();
        }
        let (packets, tail) = bytes.as_chunks();
        packets.iter().for_each(|packet| self.check(packet, time, pids, tally));
        self.rest.extend(tail);
    }

    fn check(&mut self, packet: &Packet, time: u64, pids: &[u16], tally: &mut Tally) {
        assert_eq!(packet[0], 0x47, "a packet begins with the sync byte");
        // A packet without payload is the server's own.
        if packet[3] & 0x10 == 0 || !pids.contains(&pid(packet)) {
            return;
        }
        let got = number(packet);
        let due = self.last.map_or(got, |last| last + 1);
        self.last = Some(got);
        tally.packets += 1;
        // One that comes again or too early is as bad as one that is missing.
        tally.lost += if got > due { got - due } else { u64::from(got != due) };
        if got.is_multiple_of(SAMPLE) {
            tally.late.push(u32::try_from(time.saturating_sub(sent_at(packet)) / 1000).unwrap_or(u32::MAX));
        }
    }
}

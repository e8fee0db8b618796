//! Sends a mux by UDP, at a steady pace or on demand.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ts::Packet;

/// A loopback address that no other test of this machine uses, and a free port on it.
pub fn unicast() -> SocketAddr {
    free(|a, b| Ipv4Addr::new(127, a, b[0], b[1]))
}

/// A group that no other test of this machine uses, and a free port.
pub fn multicast() -> SocketAddr {
    free(|a, b| Ipv4Addr::new(239, 192 | a & 0x3f, b[0], b[1]))
}

fn free(address: impl Fn(u8, [u8; 2]) -> Ipv4Addr) -> SocketAddr {
    static GIVEN: AtomicU16 = AtomicU16::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let given = GIVEN.fetch_add(1, Ordering::Relaxed).to_be_bytes()[1];
    let ip = address(64 | high & 0x3f, [low, given]);
    let socket = UdpSocket::bind(SocketAddrV4::new(ip, 0)).expect("loopback addresses can be bound");
    socket.local_addr().expect("a bound socket has an address")
}

/// Whether this machine lets a program join a group on `lo`.
pub fn multicast_works() -> bool {
    let SocketAddr::V4(group) = multicast() else { return false };
    let Ok(receiver) = UdpSocket::bind(group) else { return false };
    let joined = receiver.join_multicast_v4(group.ip(), &Ipv4Addr::LOCALHOST);
    joined.is_ok() && Line::to(group.into()).socket.send_to(&[0], group).is_ok()
}

/// A socket that sends to a box.
pub struct Line {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Line {
    pub fn to(to: SocketAddr) -> Self {
        // A group is sent to by the interface that the sender's own address is on.
        Self { socket: UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound"), to }
    }

    /// One datagram.
    pub fn send(&self, packets: &[Packet]) {
        self.send_bytes(packets.as_flattened());
    }

    pub fn send_bytes(&self, bytes: &[u8]) {
        // Refused while nobody has the port open, as when a box has not opened its source yet.
        let _refused = self.socket.send_to(bytes, self.to);
    }
}

/// How a stream is cut into datagrams.
pub type Cut = fn(usize) -> usize;

/// Seven packets in each, as all senders do.
pub fn full(_: usize) -> usize {
    7
}

/// One to seven, in turn.
pub fn uneven(datagram: usize) -> usize {
    1 + datagram % 7
}

/// Datagrams that go out at once.
pub type Group = Vec<Vec<u8>>;

/// A stream on its way, by a thread of its own.
pub struct Sender {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    /// Sends `packets` once, evenly over `length`.
    pub fn once(to: SocketAddr, packets: Vec<Packet>, length: Duration, cut: Cut) -> Self {
        Self::start(move |stop| pace(&Line::to(to), &packets, length, cut, stop))
    }

    /// Sends `groups` once as they are, evenly over `length`.
    pub fn groups(to: SocketAddr, groups: Vec<Group>, length: Duration) -> Self {
        Self::start(move |stop| {
            let (line, started) = (Line::to(to), Instant::now());
            for (i, group) in groups.iter().enumerate() {
                let due = length.mul_f64(i as f64 / groups.len() as f64);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                group.iter().for_each(|bytes| line.send_bytes(bytes));
            }
        })
    }

    /// Sends `packets` again and again until it is stopped or dropped. Counters are not carried on.
    pub fn forever(to: SocketAddr, packets: Vec<Packet>, length: Duration) -> Self {
        Self::start(move |stop| {
            let line = Line::to(to);
            while !stop.load(Ordering::Relaxed) {
                pace(&line, &packets, length, full, stop);
            }
        })
    }

    fn start(work: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        Self { stop, thread: Some(std::thread::spawn(move || work(&seen))) }
    }

    /// Waits until all is sent.
    pub fn finish(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the sender ends");
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn pace(line: &Line, packets: &[Packet], length: Duration, cut: Cut, stop: &AtomicBool) {
    let started = Instant::now();
    let (mut at, mut datagrams) = (0, 0);
    while at < packets.len() && !stop.load(Ordering::Relaxed) {
        let due = length.mul_f64(at as f64 / packets.len() as f64);
        if let Some(early) = due.checked_sub(started.elapsed()).filter(|early| !early.is_zero()) {
            std::thread::sleep(early.min(Duration::from_millis(20)));
            continue;
        }
        let end = packets.len().min(at + cut(datagrams));
        line.send(&packets[at..end]);
        (at, datagrams) = (end, datagrams + 1);
    }
}

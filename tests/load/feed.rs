//! A service by UDP that never ends and never repeats: each elementary packet has a number and a time of its own.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::support::mux::{Codec, MuxBuilder, Service};
use super::support::ts::{Packet, packets, pcr, pid, starts_unit};

/// How long a pass is: whole GOPs and whole seconds.
const PASS: u64 = 12;
/// Ticks of 90 kHz in a pass.
const PASS_TICKS: u64 = PASS * 90_000;

/// Bytes of the time before the number of an elementary packet.
const TIME: usize = 9;
/// Where that time begins.
const TIME_AT: usize = 180 - TIME;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn now() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("the clock runs");
    u64::try_from(Duration::from(now).as_nanos()).expect("the machine did not run for 500 years")
}

/// When an elementary packet was sent, by the clock of [`now`].
#[allow(dead_code, reason = "the bench looks at it, the load test does not")]
pub(crate) fn sent_at(packet: &Packet) -> u64 {
    packet[TIME_AT..TIME_AT + TIME].iter().fold(0, |n, &b| n << 7 | u64::from(b & 0x7f))
}

/// A sender with a thread of its own, until it is dropped.
pub(crate) struct Feed {
    pids: Vec<u16>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Sends to `to` at `rate` bits a second, seven packets a datagram.
    pub(crate) fn start(to: SocketAddr, rate: u64) -> Self {
        let service = Service::tv(1, "Load", Codec::H264, rate);
        let pids = service.pids();
        let pass = Pass::new(&MuxBuilder::new(&[service], PASS).build(), &pids);
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = Some(thread::spawn(move || pass.send(to, &stopped, &counted)));
        Self { pids, stop, sent, thread }
    }

    /// The PIDs of the elementary packets.
    pub(crate) fn pids(&self) -> &[u16] {
        &self.pids
    }

    /// The number of the next elementary packet.
    #[allow(dead_code, reason = "the load test asks, the bench does not")]
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// What is sent in one pass, and what the next pass changes in it.
struct Pass {
    packets: Vec<Packet>,
    pids: Vec<u16>,
    /// Packets of each PID.
    counts: Vec<u64>,
}

impl Pass {
    fn new(bytes: &[u8], pids: &[u16]) -> Self {
        let packets = packets(bytes).0.to_vec();
        let mut counts = vec![0; 0x2000];
        packets.iter().for_each(|p| counts[usize::from(pid(p))] += 1);
        Self { packets, pids: pids.to_vec(), counts }
    }

    /// Sends pass after pass at a constant rate, by the clock: what was late is made up for.
    fn send(&self, to: SocketAddr, stop: &AtomicBool, sent: &AtomicU64) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        let started = Instant::now();
        let (mut number, mut pass) = (0, 0);
        loop {
            for (at, group) in self.packets.chunks(7).enumerate() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let due = (pass * PASS) as f64 + PASS as f64 * (at * 7) as f64 / self.packets.len() as f64;
                let early = Duration::from_secs_f64(due).checked_sub(started.elapsed());
                if let Some(early) = early.filter(|early| *early > Duration::from_millis(1)) {
                    thread::sleep(early);
                }
                let mut group = group.to_vec();
                let time = now();
                group.iter_mut().for_each(|packet| self.renew(packet, pass, time, &mut number));
                // Refused while the box does not listen yet.
                let _refused = socket.send_to(group.as_flattened(), to);
                sent.store(number, Ordering::Relaxed);
            }
            pass += 1;
        }
    }

    /// Gives a packet the counter, the times and the number that it has in `pass`, sent at `time`.
    fn renew(&self, packet: &mut Packet, pass: u64, time: u64, number: &mut u64) {
        let pid = pid(packet);
        let counter = u64::from(packet[3] & 15) + pass * self.counts[usize::from(pid)];
        packet[3] = packet[3] & 0xf0 | counter.to_le_bytes()[0] & 15;
        if !self.pids.contains(&pid) {
            return;
        }
        let payload = if let Some(clock) = pcr(packet) {
            let base = (clock / 300 + pass * PASS_TICKS) % (1 << 33);
            packet[6..12].copy_from_slice(&(base << 15 | 0x7e00 | (clock % 300)).to_be_bytes()[2..]);
            12
        } else {
            4
        };
        if starts_unit(packet) {
            put_pts(&mut packet[payload + 9..payload + 14], pass * PASS_TICKS);
        }
        put_sevens(&mut packet[TIME_AT..TIME_AT + TIME], time);
        put_sevens(&mut packet[180..], *number);
        *number += 1;
    }
}

/// Writes `value` seven bits a byte, high bits set, so that it does not look like a start code.
fn put_sevens(field: &mut [u8], value: u64) {
    for (i, byte) in field.iter_mut().rev().enumerate() {
        *byte = 0x80 | (value >> (7 * i)).to_le_bytes()[0] & 0x7f;
    }
}

/// Adds `ticks` to a PTS (ISO 13818-1 §2.4.3.6).
fn put_pts(field: &mut [u8], ticks: u64) {
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|i| u64::from(field[i]));
    let pts = (a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1;
    let pts = (pts + ticks) % (1 << 33);
    let spread =
        0x21 << 32 | (pts >> 30 & 7) << 33 | (pts >> 15 & 0x7fff) << 17 | (pts & 0x7fff) << 1 | 0x1_0001;
    field.copy_from_slice(&spread.to_be_bytes()[3..]);
}

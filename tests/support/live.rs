//! A broadcast that can change under way: plays a segment again and again until it is given another.
//!
//! Continuity counters go on across every seam, so that a break in what comes out is the box's.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::damage::Damage;
use super::mux::MuxBuilder;
use super::sender::Line;
use super::tables::crc32;
use super::ts::{Packet, packets, pid};

/// Stream seconds a second: tests are in a hurry.
const SPEED: f64 = 2.0;

/// What is on the air.
#[derive(Default)]
struct OnAir {
    segment: Vec<Packet>,
    next: usize,
    /// From one datagram to the next.
    interval: Duration,
    silent: bool,
    damage: Option<Damage>,
    sent: Vec<Packet>,
}

/// A broadcast by UDP.
pub struct Live {
    on_air: Arc<Mutex<OnAir>>,
    to: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Goes on the air with `segment`, at `to`.
    pub fn start(to: SocketAddr, segment: &Segment) -> Self {
        let (on_air, stop) = (Arc::<Mutex<OnAir>>::default(), Arc::<AtomicBool>::default());
        let (theirs, stopped) = (Arc::clone(&on_air), Arc::clone(&stop));
        let thread = std::thread::spawn(move || broadcast(&Line::to(to), &theirs, &stopped));
        let live = Self { on_air, to, stop, thread: Some(thread) };
        live.play(segment);
        live
    }

    /// From now on `segment` is played.
    pub fn play(&self, segment: &Segment) {
        let mut on_air = self.on_air.lock().unwrap_or_else(PoisonError::into_inner);
        let datagrams = segment.packets.len().div_ceil(7) as f64;
        on_air.interval = Duration::from_secs_f64(segment.seconds / SPEED / datagrams);
        (on_air.segment, on_air.next, on_air.silent) = (segment.packets.clone(), 0, false);
    }

    /// From now on nothing is sent, until [`Live::play`].
    pub fn fall_silent(&self) {
        self.on_air.lock().unwrap_or_else(PoisonError::into_inner).silent = true;
    }

    /// From now on what is sent suffers.
    pub fn damage(&self, damage: Damage) {
        self.on_air.lock().unwrap_or_else(PoisonError::into_inner).damage = Some(damage);
    }

    /// The damage is done.
    pub fn is_whole(&self) -> bool {
        let on_air = self.on_air.lock().unwrap_or_else(PoisonError::into_inner);
        on_air.damage.as_ref().is_none_or(Damage::is_over)
    }

    /// Sends one more datagram, as it is.
    pub fn interject(&self, bytes: &[u8]) {
        let on_air = self.on_air.lock().unwrap_or_else(PoisonError::into_inner);
        Line::to(self.to).send_bytes(bytes);
        drop(on_air);
    }

    /// All that was sent so far.
    pub fn sent(&self) -> Vec<Packet> {
        self.on_air.lock().unwrap_or_else(PoisonError::into_inner).sent.clone()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn broadcast(line: &Line, on_air: &Mutex<OnAir>, stop: &AtomicBool) {
    let mut counters = vec![0; 0x2000];
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let interval = {
            let mut on_air = on_air.lock().unwrap_or_else(PoisonError::into_inner);
            if !on_air.silent {
                let datagram = on_air.datagram(&mut counters);
                datagram.chunks(7).for_each(|packets| line.send(packets));
                on_air.sent.extend(datagram);
            }
            on_air.interval
        };
        due += interval;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

impl OnAir {
    fn datagram(&mut self, counters: &mut [u8]) -> Vec<Packet> {
        let end = self.segment.len().min(self.next + 7);
        let mut packets = self.segment[self.next..end].to_vec();
        self.next = if end == self.segment.len() { 0 } else { end };
        for packet in &mut packets {
            let counter = &mut counters[usize::from(pid(packet))];
            let payload = (packet[3] & 0x10) >> 4;
            *counter = (*counter + payload) & 0x0f;
            packet[3] = packet[3] & 0xf0 | *counter;
        }
        match &mut self.damage {
            Some(damage) => packets.iter().flat_map(|packet| damage.apply(packet)).collect(),
            None => packets,
        }
    }
}

/// A piece of a mux that can be played in a loop.
#[derive(Clone)]
pub struct Segment {
    pub packets: Vec<Packet>,
    seconds: f64,
}

impl Segment {
    /// What `mux` makes, with version numbers `version` in all tables.
    pub fn new(mux: &MuxBuilder, version: u8) -> Self {
        let mut made = packets(&mux.build()).0.to_vec();
        let tables: Vec<u16> = mux.services.iter().map(|s| s.pmt_pid).chain([0, 0x10, 0x11]).collect();
        made.iter_mut().filter(|p| tables.contains(&pid(p))).for_each(|packet| set_version(packet, version));
        Self { packets: made, seconds: mux.seconds as f64 }
    }

    /// `packets`, which last so long.
    pub fn of(packets: &[Packet], seconds: f64) -> Self {
        Self { packets: packets.to_vec(), seconds }
    }

    /// Without the packets of these PIDs.
    pub fn without(&self, pids: &[u16]) -> Self {
        let packets = self.packets.iter().filter(|p| !pids.contains(&pid(p))).copied().collect();
        Self { packets, ..*self }
    }

    /// With `change` made to each packet of these PIDs; it gets the packet's place among them.
    pub fn changed(&self, pids: &[u16], mut change: impl FnMut(usize, &mut Packet)) -> Self {
        let mut changed = self.clone();
        let own = changed.packets.iter_mut().filter(|p| pids.contains(&pid(p)));
        own.enumerate().for_each(|(place, packet)| change(place, packet));
        changed
    }
}

/// Sets the version of the section that is whole in `packet`.
fn set_version(packet: &mut Packet, version: u8) {
    let section = &mut packet[5..];
    let length = 3 + (usize::from(section[1] & 0x0f) << 8 | usize::from(section[2]));
    assert!(length <= section.len(), "tables of a test fit a packet");
    section[5] = 0xc1 | version << 1;
    let crc = crc32(&section[..length - 4]);
    section[length - 4..length].copy_from_slice(&crc.to_be_bytes());
}

//! A small service for tests: H.264 and audio, every packet numbered.

use std::time::Duration;

use super::{Feed, Identity, ServiceRing};
use crate::ts::clock::{Ticks27M, Ticks90k};
use crate::ts::psi::{Codec, Component, Programme};
use crate::ts::service_info::{Name, ServiceKind};
use crate::ts::{PACKET, Packet, Pid};

pub(crate) const VIDEO: Pid = Pid::new(0x101);
pub(crate) const AUDIO: Pid = Pid::new(0x102);
/// The least a ring can have here: 1024 packets.
pub(crate) const CAPACITY: usize = 192_512;

pub(crate) fn programme(codec: Codec) -> Programme {
    let component = |pid, stream_type, codec| Component {
        pid,
        stream_type,
        codec,
        language: None,
        descriptors: heapless::Vec::new(),
    };
    let video = (codec != Codec::MpegAudio).then(|| component(VIDEO, 0x1b, codec));
    Programme {
        number: 7,
        pcr_pid: if video.is_some() { VIDEO } else { AUDIO },
        descriptors: heapless::Vec::new(),
        components: video.into_iter().chain([component(AUDIO, 3, Codec::MpegAudio)]).collect(),
        has_ca: false,
        section: heapless::Vec::new(),
    }
}

pub(crate) fn identity() -> Identity {
    Identity {
        transport_stream_id: 1,
        original_network_id: 2,
        name: Name::new("Seven"),
        provider: Name::new("Tests"),
        kind: ServiceKind::Television,
    }
}

/// Feeds a ring with frames of `FRAME` video packets and one of audio, 25 a second, an IDR every `GOP`.
pub(crate) struct Feeder {
    pub(crate) feed: Feed,
    pub(crate) frame: u64,
    counters: [u8; 2],
}

impl Feeder {
    pub(crate) const FRAME: usize = 9;
    pub(crate) const GOP: u64 = 12;

    pub(crate) fn new(capacity: usize) -> Self {
        let feed = Feed::new(capacity).unwrap();
        feed.ring().borrow_mut().assign(&programme(Codec::H264), &identity(), Duration::ZERO);
        Self { feed, frame: 0, counters: [0; 2] }
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_millis(40 * self.frame)
    }

    /// So many packets of each PID go missing.
    pub(crate) fn lose(&mut self, packets: u8) {
        self.counters = self.counters.map(|counter| (counter + packets) & 15);
    }

    /// Writes the next frame.
    pub(crate) fn frame(&mut self) {
        let now = self.now();
        let feed = self.feed.clone();
        let mut ring = feed.ring().borrow_mut();
        ring.begin(now);
        let nal = if self.frame.is_multiple_of(Self::GOP) { 5 } else { 1 };
        let pts = Ticks90k::new(3600 * self.frame).to_bytes(0x21);
        let head =
            [&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5][..], &pts, &[0, 0, 1, 0x67, 0, 0, 1, nal, 0x80]].concat();
        for i in 0..Self::FRAME {
            let pcr = (i == 0).then(|| Ticks27M::new(1_080_000 * self.frame));
            self.push(&mut ring, 0, if i == 0 { &head } else { &[] }, pcr, now);
        }
        self.push(&mut ring, 1, &[0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0], None, now);
        self.frame += 1;
    }

    fn push(
        &mut self,
        ring: &mut ServiceRing,
        which: usize,
        head: &[u8],
        pcr: Option<Ticks27M>,
        now: Duration,
    ) {
        let pid = [VIDEO, AUDIO][which];
        let counter = self.counters[which];
        self.counters[which] = (counter + 1) & 15;
        let bytes = packet(pid, counter, head, pcr);
        ring.push(Packet::new(&bytes).unwrap(), now);
    }
}

/// A packet whose payload begins with `head`; with one, it starts a unit.
pub(crate) fn packet(pid: Pid, counter: u8, head: &[u8], pcr: Option<Ticks27M>) -> [u8; PACKET] {
    let mut bytes = [0xaa; PACKET];
    let [high, low] = pid.value().to_be_bytes();
    bytes[..3].copy_from_slice(&[0x47, high | if head.is_empty() { 0 } else { 0x40 }, low]);
    bytes[3] = 0x10 | counter;
    let mut at = 4;
    if let Some(pcr) = pcr {
        bytes[3] |= 0x20;
        bytes[4..6].copy_from_slice(&[7, 0x10]);
        bytes[6..12].copy_from_slice(&pcr.to_bytes());
        at = 12;
    }
    bytes[at..at + head.len()].copy_from_slice(head);
    bytes
}

/// Checks what a reader got: whole packets, and counters that go on or are announced not to.
pub(crate) struct Reader {
    counters: std::collections::BTreeMap<u16, u8>,
    rest: Vec<u8>,
    pub(crate) packets: usize,
    pub(crate) announced: usize,
    /// Breaks that came in the middle of a picture.
    pub(crate) cut: usize,
    /// Video packets since the last picture began.
    picture: usize,
    /// The PIDs of the first packets.
    pub(crate) first: Vec<u16>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            counters: Default::default(),
            rest: Vec::new(),
            packets: 0,
            announced: 0,
            cut: 0,
            picture: 0,
            first: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / PACKET * PACKET;
        let taken: Vec<u8> = self.rest.drain(..whole).collect();
        for slot in taken.as_chunks::<PACKET>().0 {
            self.packet(Packet::new(slot).expect("a whole packet"));
        }
    }

    fn packet(&mut self, packet: Packet<'_>) {
        let pid = packet.pid().value();
        self.packets += 1;
        if self.first.len() < 16 {
            self.first.push(pid);
        }
        if packet.is_discontinuity() {
            self.announced += 1;
            self.cut += usize::from(pid == VIDEO.value() && self.picture != Feeder::FRAME);
        } else if let Some(last) = self.counters.get(&pid) {
            let next = (last + u8::from(packet.has_payload())) & 15;
            assert_eq!(packet.counter(), next, "PID {pid:#x}, packet {}", self.packets);
        }
        if pid == VIDEO.value() && packet.has_payload() {
            self.picture = if packet.starts_unit() { 1 } else { self.picture + 1 };
        }
        self.counters.insert(pid, packet.counter());
    }
}

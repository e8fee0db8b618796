//! Makes transport streams for tests: one or several services of fake video and audio, the same bytes every time.
//!
//! Every elementary packet ends with a number of its own ([`number`]), so that no two packets are alike.

use super::ts::{Packet, crc32};

/// Frames a second.
const FPS: u64 = 25;
/// Ticks of 27 MHz in a frame.
const FRAME: u64 = 27_000_000 / FPS;
/// The PCR of the first frame, where a test says no other.
const START: u64 = 10 * 27_000_000;
/// Ticks of 90 kHz from the PCR of a frame to its PTS.
const DELAY: u64 = 18_000;
/// Bytes of the number at the end of each elementary packet.
const NUMBER: usize = 8;

/// What a service's video is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// IDR pictures.
    H264,
    /// No IDR pictures: recovery points with SPS.
    H264Open,
    Hevc,
    Mpeg2,
}

/// A service; its audio is MPEG layer II.
#[derive(Clone, Debug)]
pub struct Service {
    pub sid: u16,
    pub name: Vec<u8>,
    pub provider: Vec<u8>,
    /// `None` is radio.
    pub video: Option<Codec>,
    /// Bits per second of its video, or of its audio where that is all.
    pub rate: u64,
    pub scrambled: bool,
    pub pmt_pid: u16,
    pub video_pid: u16,
    pub audio_pid: u16,
    /// The SDT promises a schedule of it.
    pub has_schedule: bool,
}

impl Service {
    /// A television service with PIDs that follow from `sid`.
    pub fn tv(sid: u16, name: &str, codec: Codec, rate: u64) -> Self {
        Self { video: Some(codec), ..Self::radio(sid, name, rate) }
    }

    /// A radio service with PIDs that follow from `sid`.
    pub fn radio(sid: u16, name: &str, rate: u64) -> Self {
        let base = 0x100 + (sid & 0xff) * 0x10;
        let (pmt_pid, video_pid, audio_pid) = (base, base + 1, base + 2);
        let (name, provider) = (name.as_bytes().to_vec(), b"Test".to_vec());
        let (video, scrambled, has_schedule) = (None, false, false);
        Self { sid, name, provider, video, rate, scrambled, pmt_pid, video_pid, audio_pid, has_schedule }
    }

    /// The PIDs of its elementary streams.
    pub fn pids(&self) -> Vec<u16> {
        self.streams().iter().map(|s| s.1).collect()
    }

    /// Stream type and PID of each.
    pub fn streams(&self) -> Vec<(u8, u16)> {
        let video = self.video.map(|codec| match codec {
            Codec::H264 | Codec::H264Open => 0x1b,
            Codec::Hevc => 0x24,
            Codec::Mpeg2 => 0x02,
        });
        video.map(|kind| (kind, self.video_pid)).into_iter().chain([(0x03, self.audio_pid)]).collect()
    }
}

/// A multiplex to be made. [`MuxBuilder::build`] gives its bytes.
#[derive(Clone, Debug)]
pub struct MuxBuilder {
    pub tsid: u16,
    pub onid: u16,
    pub services: Vec<Service>,
    /// Frames from one random access point to the next.
    pub gop: u64,
    pub seconds: u64,
    /// The PCR of the first frame.
    pub start: u64,
    /// Logical channel numbers by service, as the NIT has them.
    pub lcns: Vec<(u16, u16)>,
    /// Titles of present and following events, by service.
    pub events: Vec<(u16, [&'static str; 2])>,
    /// More sections, by PID.
    pub sections: Vec<(u16, Vec<u8>)>,
}

impl MuxBuilder {
    /// `services` for `seconds`, half a second a GOP.
    pub fn new(services: &[Service], seconds: u64) -> Self {
        let (lcns, events, sections) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            tsid: 1,
            onid: 0x2000,
            services: services.to_vec(),
            gop: 12,
            seconds,
            start: START,
            lcns,
            events,
            sections,
        }
    }

    /// The stream: PAT and PMTs every 80 ms, SDT, NIT, EIT and more sections every second, a PCR per service every 40 ms.
    pub fn build(&self) -> Vec<u8> {
        let mut out = Writer { bytes: Vec::new(), counters: vec![0; 0x2000], number: 0 };
        for frame in 0..self.seconds * FPS {
            self.tables(frame, &mut out);
            let mut packets: Vec<(u64, Draft)> = Vec::new();
            for service in &self.services {
                for unit in self.units(service, frame) {
                    let count = unit.len() as u64;
                    packets.extend(unit.into_iter().zip(0..).map(|(draft, i)| (i * 10_000 / count, draft)));
                }
            }
            // A stable sort: packets of a unit keep their order, units of a frame are spread over it.
            packets.sort_by_key(|p| p.0);
            packets.into_iter().for_each(|(_, draft)| out.elementary(draft));
        }
        out.bytes
    }

    fn tables(&self, frame: u64, out: &mut Writer) {
        if frame.is_multiple_of(2) {
            let programs: Vec<_> = self.services.iter().map(|s| (s.sid, s.pmt_pid)).collect();
            out.section(0, &pat(self.tsid, 0, &programs));
            for s in &self.services {
                let streams = s.streams();
                out.section(s.pmt_pid, &pmt(s.sid, 0, streams[0].1, &streams));
            }
        }
        if frame.is_multiple_of(FPS) {
            out.section(0x11, &sdt(self.tsid, self.onid, &self.services));
            out.section(0x10, &nit(self.tsid, self.onid, &self.lcns));
            for (sid, titles) in &self.events {
                (0..).zip(titles).for_each(|(n, title)| out.section(0x12, &eit(*sid, n, title)));
            }
            self.sections.iter().for_each(|(pid, section)| out.section(*pid, section));
        }
    }

    /// The PES packets of `service` in `frame`, as packets.
    fn units(&self, service: &Service, frame: u64) -> Vec<Vec<Draft>> {
        let scrambled = service.scrambled;
        let audio_rate = if service.video.is_some() { 192_000 } else { service.rate };
        let clock = self.start + frame * FRAME;
        let audio =
            Unit { pid: service.audio_pid, clock, scrambled, stream_id: 0xc0, pcr: service.video.is_none() };
        let mut units = vec![audio.drafts(&[0xff, 0xfd, 0xa4, 0x04], size(audio_rate, 1, 1))];
        if let Some(codec) = service.video {
            let first = frame.is_multiple_of(self.gop);
            // A random access point is four times as long as another picture.
            let bytes = size(service.rate, if first { 4 } else { 1 } * self.gop, self.gop + 3);
            let video = Unit { pid: service.video_pid, clock, scrambled, stream_id: 0xe0, pcr: true };
            units.insert(0, video.drafts(&picture(codec, first), bytes));
        }
        units
    }
}

/// Bytes of a frame at `rate`, times `share / of`.
fn size(rate: u64, share: u64, of: u64) -> u64 {
    rate / 8 / FPS * share / of
}

/// The number at the end of an elementary packet that a [`MuxBuilder`] made.
pub fn number(packet: &Packet) -> u64 {
    packet[188 - NUMBER..].iter().fold(0, |n, &b| n << 7 | u64::from(b & 0x7f))
}

/// One PES packet.
struct Unit {
    pid: u16,
    /// Its PCR.
    clock: u64,
    scrambled: bool,
    stream_id: u8,
    pcr: bool,
}

/// A packet without counter and number.
struct Draft(Packet);

impl Unit {
    /// `head`, then filling up to about `bytes`, in whole packets.
    fn drafts(&self, head: &[u8], bytes: u64) -> Vec<Draft> {
        let count = usize::try_from(bytes.div_ceil(184)).unwrap_or(usize::MAX).max(1);
        (0..count).map(|i| Draft(self.packet(head, i, count))).collect()
    }

    fn packet(&self, head: &[u8], i: usize, count: usize) -> Packet {
        // High bits set: no filling looks like a start code.
        let mut packet = [0xa5; 188];
        let [high, low] = self.pid.to_be_bytes();
        packet[..4].copy_from_slice(&[0x47, high, low, if self.scrambled { 0x90 } else { 0x10 }]);
        if i > 0 {
            return packet;
        }
        packet[1] |= 0x40;
        let mut at = 4;
        if self.pcr {
            packet[3] |= 0x20;
            packet[4..6].copy_from_slice(&[7, 0x10]);
            packet[6..12].copy_from_slice(&pcr_bytes(self.clock));
            at = 12;
        }
        let payload = 188 * count - 4 * count - (at - 4);
        let pes = [self.pes_header(self.clock / 300 + DELAY, payload).as_slice(), head].concat();
        assert!(at + pes.len() + NUMBER <= 188, "the head of a unit must fit its first packet");
        if !self.scrambled {
            packet[at..at + pes.len()].copy_from_slice(&pes);
        }
        packet
    }

    /// A PES header with a PTS (ISO 13818-1 §2.4.3.6). The length is given for audio; video may leave it 0.
    fn pes_header(&self, pts: u64, payload: usize) -> [u8; 14] {
        let length = if self.stream_id == 0xc0 { u16::try_from(payload - 6).unwrap_or(0) } else { 0 };
        let [high, low] = length.to_be_bytes();
        let mut header = [0, 0, 1, self.stream_id, high, low, 0x84, 0x80, 5, 0, 0, 0, 0, 0];
        header[9..].copy_from_slice(&pts_bytes(pts));
        header
    }
}

/// What a picture begins with: its parameter sets and the first bytes of its slice.
fn picture(codec: Codec, first: bool) -> Vec<u8> {
    let nals: &[&[u8]] = match (codec, first) {
        (Codec::H264, true) => &[&[9, 0x10], &SPS, &PPS, &[0x65, 0x88, 0x84]],
        (Codec::H264Open, true) => &[&[9, 0x10], &SPS, &PPS, &[6, 6, 1, 0xc4, 0x80], &[0x41, 0x88, 0x84]],
        (Codec::H264 | Codec::H264Open, false) => &[&[9, 0x30], &[0x41, 0x9a, 0x84]],
        (Codec::Hevc, true) => {
            &[&[0x46, 1, 0x10], &[0x40, 1, 0x0c], &[0x42, 1, 1], &[0x44, 1, 0xc1], &[0x26, 1, 0xaf]]
        }
        (Codec::Hevc, false) => &[&[0x46, 1, 0x30], &[0x02, 1, 0xd0]],
        (Codec::Mpeg2, true) => &[
            &[0xb3, 0x2d, 0x02, 0x40, 0x33, 0xff, 0xff, 0xe0, 0x18],
            &[0xb5, 0x14, 0x82, 0, 1, 0, 0],
            &[0xb8, 0, 8, 0, 0x40],
            &[0, 0, 0x0f],
            &[1, 0x13],
        ],
        (Codec::Mpeg2, false) => &[&[0, 0, 0x57], &[1, 0x13]],
    };
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1], *nal].concat()).collect()
}

/// H.264 baseline, level 1, 128 x 96.
const SPS: [u8; 7] = [0x67, 0x42, 0x00, 0x0a, 0xf8, 0x41, 0xa2];
const PPS: [u8; 4] = [0x68, 0xce, 0x38, 0x80];

/// A PCR as it stands in an adaptation field.
pub fn pcr_bytes(ticks: u64) -> [u8; 6] {
    let [_, _, bytes @ ..] = ((ticks / 300 % (1 << 33)) << 15 | 0x7e00 | (ticks % 300)).to_be_bytes();
    bytes
}

/// A PTS as it stands in a PES header without a DTS.
pub fn pts_bytes(pts: u64) -> [u8; 5] {
    let spread =
        0x21 << 32 | (pts >> 30 & 7) << 33 | (pts >> 15 & 0x7fff) << 17 | (pts & 0x7fff) << 1 | 0x1_0001;
    let [_, _, _, bytes @ ..] = spread.to_be_bytes();
    bytes
}

/// The stream under way.
struct Writer {
    bytes: Vec<u8>,
    counters: Vec<u8>,
    number: u64,
}

impl Writer {
    fn elementary(&mut self, Draft(mut packet): Draft) {
        for (i, byte) in packet[188 - NUMBER..].iter_mut().rev().enumerate() {
            *byte = 0x80 | (self.number >> (7 * i) & 0x7f).to_le_bytes()[0];
        }
        self.number += 1;
        let counter = &mut self.counters[usize::from(super::ts::pid(&packet))];
        packet[3] |= *counter;
        *counter = (*counter + 1) & 0x0f;
        self.bytes.extend(packet);
    }

    fn section(&mut self, pid: u16, section: &[u8]) {
        let counter = &mut self.counters[usize::from(pid)];
        for packet in packetise(pid, section, counter) {
            self.bytes.extend(packet);
        }
    }
}

/// `section` in packets of `pid`; `counter` is the first one's, and afterwards the next one's.
pub fn packetise(pid: u16, section: &[u8], counter: &mut u8) -> Vec<Packet> {
    let [high, low] = pid.to_be_bytes();
    let bytes = [&[0], section].concat();
    let mut packets = Vec::new();
    for (i, part) in bytes.chunks(184).enumerate() {
        let mut packet = [0xff; 188];
        packet[..4].copy_from_slice(&[0x47, high | if i == 0 { 0x40 } else { 0 }, low, 0x10 | *counter]);
        packet[4..4 + part.len()].copy_from_slice(part);
        packets.push(packet);
        *counter = (*counter + 1) & 0x0f;
    }
    packets
}

/// A PAT of programme numbers and PMT PIDs.
pub fn pat(tsid: u16, version: u8, programs: &[(u16, u16)]) -> Vec<u8> {
    let entries =
        programs.iter().flat_map(|(program, pid)| [program.to_be_bytes(), (0xe000 | pid).to_be_bytes()]);
    section(0x00, tsid, version, entries.flatten().collect())
}

/// A PMT of stream types and PIDs.
pub fn pmt(program: u16, version: u8, pcr_pid: u16, streams: &[(u8, u16)]) -> Vec<u8> {
    let mut body = [(0xe000 | pcr_pid).to_be_bytes(), [0xf0, 0]].concat();
    for (kind, pid) in streams {
        let [high, low] = (0xe000 | pid).to_be_bytes();
        body.extend([*kind, high, low, 0xf0, 0]);
    }
    section(0x02, program, version, body)
}

/// An SDT actual of `services`, with a service descriptor each.
pub fn sdt(tsid: u16, onid: u16, services: &[Service]) -> Vec<u8> {
    let mut body = [&onid.to_be_bytes()[..], &[0xff]].concat();
    for s in services {
        let kind = if s.video.is_some() { 1 } else { 2 };
        let text = [&[kind][..], &counted(&s.provider), &counted(&s.name)].concat();
        let descriptor = [&[0x48][..], &counted(&text)].concat();
        let running = 0x8000 | if s.scrambled { 0x1000 } else { 0 };
        body.extend(s.sid.to_be_bytes());
        body.push(if s.has_schedule { 0xfe } else { 0xfc });
        body.extend(
            (running | u16::try_from(descriptor.len()).expect("a descriptor is short")).to_be_bytes(),
        );
        body.extend(descriptor);
    }
    section(0x42, tsid, 0, body)
}

/// A NIT actual of one mux, with EACEM's numbers in it.
pub fn nit(tsid: u16, onid: u16, lcns: &[(u16, u16)]) -> Vec<u8> {
    let numbers: Vec<u8> = lcns
        .iter()
        .flat_map(|(sid, lcn)| [sid.to_be_bytes(), (0xfc00 | lcn).to_be_bytes()])
        .flatten()
        .collect();
    let descriptors = [&[0x5f, 4, 0, 0, 0, 0x28, 0x83][..], &counted(&numbers)].concat();
    let looped = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).expect("a loop of a test is short");
        [&(0xf000 | length).to_be_bytes()[..], bytes].concat()
    };
    let mux = [&tsid.to_be_bytes()[..], &onid.to_be_bytes(), &looped(&descriptors)].concat();
    section(0x40, onid, 0, [looped(&[]), looped(&mux)].concat())
}

/// The present (`number` 0) or following event of a service: hours of the first of January 2026.
pub fn eit(sid: u16, number: u8, title: &str) -> Vec<u8> {
    let short = [&b"eng"[..], &counted(title.as_bytes()), &[0]].concat();
    let descriptor = [&[0x4d][..], &counted(&short)].concat();
    let length = u8::try_from(descriptor.len()).expect("a descriptor is short");
    let head = [0, 1, 0x20, 0, 1, 0x4e, 0, number, 0xee, 0x71, 0x12 + number, 0, 0, 1, 0, 0, 0x80, length];
    let mut bytes = section(0x4e, sid, 0, [&head[..], &descriptor].concat());
    (bytes[6], bytes[7]) = (number, 1);
    let end = bytes.len() - 4;
    let crc = crc32(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// `bytes` behind their number.
fn counted(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).expect("a text of a descriptor is short")], bytes].concat()
}

/// A long section, whole in one, with its CRC.
pub fn section(table_id: u8, extension: u16, version: u8, body: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(body.len() + 9).expect("a section is short");
    let [high, low] = (0xb000 | length).to_be_bytes();
    let [ext_high, ext_low] = extension.to_be_bytes();
    let mut bytes = vec![table_id, high, low, ext_high, ext_low, 0xc1 | version << 1, 0, 0];
    bytes.extend(body);
    let crc = crc32(&bytes);
    bytes.extend(crc.to_be_bytes());
    bytes
}

//! 1080i25 in field pictures (ITU-T H.264, PAFF), made bit by bit: no encoder at hand makes them, and much of what is
//! on air is made so.
//!
//! A mosaic of flat macroblocks that changes along a moving column. GOPs are open: a key picture's first field is I,
//! its second P; then come P frames, and before each key or P frame, in display order, two B frames.

use super::support::mux::{Codec, Service, packetise, pat, pcr_bytes, pmt, pts_bytes, sdt};

/// Macroblocks of a field, across and down.
const WIDE: usize = 120;
const HIGH: usize = 34;
/// Frames from one reference frame to the next.
const STEP: usize = 3;
/// Frames of a GOP.
pub(crate) const GOP: usize = 12;
/// Every so many GOPs begin with an IDR picture; the others with a recovery point.
const IDR_EVERY: usize = 4;
/// Ticks of 27 MHz in a frame, and the first PCR.
const FRAME: u64 = 1_080_000;
const START: u64 = 270_000_000;
/// Luma levels are codes themselves at this quantiser: 16 times the scale 16, shifted left by 4 and right by 8.
const QP: i32 = 28;

/// How access units are put into PES packets (ETSI TS 101 154 §4.1.5 allows both).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// A field each.
    Field,
    /// Both fields of a frame.
    Frame,
}

/// A mux of one service, `frames` long.
pub(crate) fn mux(frames: usize, packing: Packing) -> Vec<u8> {
    let service = Service::tv(1, "Joins", Codec::H264, 0);
    let mut out = Writer { bytes: Vec::new(), counters: [0; 4] };
    for (place, picture) in order(frames).into_iter().enumerate() {
        let clock = START + place as u64 * FRAME;
        out.tables(&service, place);
        let fields = picture.fields();
        // A frame is shown when those before it in display order were: one step of B frames later than decoded.
        let dts = clock / 300 + 9000;
        let pts = dts + 3600 * (picture.display as u64 + 1 - place as u64);
        match packing {
            Packing::Frame => out.pes(&service, Some(clock), (pts, dts), &fields.concat()),
            Packing::Field => {
                out.pes(&service, Some(clock), (pts, dts), &fields[0]);
                out.pes(&service, None, (pts + 1800, dts + 1800), &fields[1]);
            }
        }
    }
    out.bytes
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Idr,
    /// I with a recovery point: frames that follow in decoding order and come before it refer past it.
    Open,
    P,
    B,
}

struct Picture {
    kind: Kind,
    /// Its place in display order.
    display: usize,
    /// Frames since the last IDR picture in display order: what `pic_order_cnt_lsb` counts.
    order: usize,
    /// Reference frames since the last IDR picture.
    frame_num: usize,
}

/// The pictures in decoding order.
fn order(frames: usize) -> Vec<Picture> {
    let mut pictures: Vec<Picture> = Vec::new();
    let (mut idr, mut frame_num) = (0, 0);
    for reference in (0..frames).step_by(STEP) {
        let kind = match reference % (GOP * IDR_EVERY) {
            0 => Kind::Idr,
            n if n % GOP == 0 => Kind::Open,
            _ => Kind::P,
        };
        // An IDR picture takes all references away: the two frames before it cannot follow it.
        let leading = reference.saturating_sub(STEP - 1)..reference;
        let before = if kind == Kind::Idr { leading.clone() } else { 0..0 };
        let after = if kind == Kind::Idr { 0..0 } else { leading };
        let p = |display, idr, frame_num| {
            let order = display - idr;
            Picture { kind: Kind::P, display, order, frame_num }
        };
        for display in before {
            frame_num += 1;
            pictures.push(p(display, idr, frame_num));
        }
        if kind == Kind::Idr {
            (idr, frame_num) = (reference, 0);
        } else {
            frame_num += 1;
        }
        pictures.push(Picture { kind, ..p(reference, idr, frame_num) });
        pictures.extend(after.map(|display| Picture { kind: Kind::B, ..p(display, idr, frame_num + 1) }));
    }
    pictures
}

impl Picture {
    /// Both fields, the top one first, each with its delimiter.
    fn fields(&self) -> [Vec<u8>; 2] {
        [false, true].map(|bottom| {
            let intra = !bottom && matches!(self.kind, Kind::Idr | Kind::Open);
            let primary = [(intra, 0x10), (self.kind != Kind::B, 0x30)];
            let primary = primary.iter().find(|(is, _)| *is).map_or(0x50, |(_, code)| *code);
            let mut nals = vec![vec![9, primary]];
            if intra {
                nals.extend([sequence(), parameters()]);
            }
            if intra && self.kind == Kind::Open {
                nals.push(vec![6, 6, 1, 0xc4, 0x80]); // recovery_frame_cnt 0, exact
            }
            nals.push(self.slice(bottom, intra));
            nals.iter().flat_map(|nal| escaped(nal)).collect()
        })
    }

    /// One slice, which is the whole field (7.3.3).
    fn slice(&self, bottom: bool, intra: bool) -> Vec<u8> {
        let is_idr = intra && self.kind == Kind::Idr;
        let reference = self.kind != Kind::B;
        let mut bits = Bits::default();
        bits.put(
            8,
            if is_idr {
                0x65
            } else if reference {
                0x41
            } else {
                0x01
            },
        );
        bits.ue(0);
        bits.ue(if intra {
            2
        } else if reference {
            0
        } else {
            1
        });
        bits.ue(0);
        bits.put(8, self.frame_num & 0xff);
        bits.put(2, 2 | usize::from(bottom)); // field_pic_flag, bottom_field_flag
        if is_idr {
            bits.ue(self.display / (GOP * IDR_EVERY) % 2);
        }
        bits.put(8, (2 * self.order + usize::from(bottom)) & 0xff);
        if !intra {
            let second_of_key = bottom && matches!(self.kind, Kind::Idr | Kind::Open);
            match self.kind {
                Kind::B => bits.put(4, 0b1000), // spatial direct; no override; both lists as they are
                // The first field of the same frame: picture number one less (8.2.4.3.1).
                _ if second_of_key => {
                    bits.put(2, 0b01);
                    [0, 0, 3].into_iter().for_each(|code| bits.ue(code));
                }
                _ => bits.put(2, 0),
            }
        }
        if reference {
            bits.put(if is_idr { 2 } else { 1 }, 0); // dec_ref_pic_marking: as a matter of course
        }
        bits.se(0);
        bits.ue(1); // no deblocking: what is predicted from is what was coded
        match self.kind {
            Kind::B => bits.ue(WIDE * HIGH), // all is the mean of before and after
            _ => self.macroblocks(bottom, intra, &mut bits),
        }
        bits.finish()
    }

    /// All macroblocks of an I field; of a P field the column that moves (7.3.4).
    fn macroblocks(&self, bottom: bool, intra: bool, bits: &mut Bits) {
        let column = self.display % WIDE;
        let mut skipped = 0;
        for at in 0..WIDE * HIGH {
            let (x, y) = (at % WIDE, at / WIDE);
            if !intra && x != column {
                skipped += 1;
                continue;
            }
            if !intra {
                bits.ue(skipped);
                skipped = 0;
            }
            bits.ue(if intra { 3 } else { 8 }); // Intra16x16, DC, nothing else coded
            bits.ue(0);
            bits.se(0);
            let level = if intra {
                self.luma(x, y) - self.predicted(x, y)
            } else {
                // The neighbours are whatever they are: only a change is coded.
                i32::from(y % 2 == usize::from(bottom)) * 24 - 12
            };
            bits.level(level);
        }
        if !intra && skipped > 0 {
            bits.ue(skipped);
        }
    }

    fn luma(&self, x: usize, y: usize) -> i32 {
        let value = (x * 7 + y * 13 + self.display * 5) % 200;
        i32::try_from(value).unwrap() + 28
    }

    /// The mean of the neighbours, which are flat (8.3.3.3).
    fn predicted(&self, x: usize, y: usize) -> i32 {
        match (x, y) {
            (0, 0) => 128,
            (_, 0) => self.luma(x - 1, y),
            (0, _) => self.luma(x, y - 1),
            _ => (self.luma(x - 1, y) + self.luma(x, y - 1) + 1) >> 1,
        }
    }
}

/// Main profile, level 4, 1920 x 1080, fields or frames (7.3.2.1.1).
fn sequence() -> Vec<u8> {
    let mut bits = Bits::default();
    [0x67, 77, 0, 40].into_iter().for_each(|byte| bits.put(8, byte));
    [0, 4, 0, 4, 2].into_iter().for_each(|code| bits.ue(code)); // 8 bits of frame_num and order; two references
    bits.put(1, 0);
    bits.ue(WIDE - 1);
    bits.ue(HIGH - 1);
    bits.put(4, 0b0011); // fields, not adaptive by macroblock; 8x8 direct inference; cropped
    [0, 0, 0, 2].into_iter().for_each(|code| bits.ue(code));
    bits.put(1, 1);
    bits.put(5, 0b00001); // no shape, overscan, signal type, chroma place; but timing
    [1, 50].into_iter().for_each(|ticks| bits.put(32, ticks)); // a field lasts 1/50 s
    bits.put(4, 0b1000); // fixed rate; no HRD, no picture structure
    bits.put(2, 0b11); // restrictions; vectors may point outside
    [0, 0, 16, 16, 1, 2].into_iter().for_each(|code| bits.ue(code)); // one frame is reordered, two are kept
    bits.finish()
}

/// CAVLC, one reference in each list (7.3.2.2).
fn parameters() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(8, 0x68);
    bits.ue(0);
    bits.ue(0);
    bits.put(2, 0);
    [0, 0, 0].into_iter().for_each(|code| bits.ue(code));
    bits.put(3, 0);
    bits.se(QP - 26);
    bits.se(0);
    bits.se(0);
    bits.put(3, 0b100); // deblocking is said by the slice
    bits.finish()
}

/// Bits, the first one the highest.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    free: u32,
}

impl Bits {
    fn put(&mut self, count: u32, value: usize) {
        for at in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            let bit = u8::from(value >> at & 1 == 1);
            *self.bytes.last_mut().unwrap() |= bit << self.free;
        }
    }

    /// Exp-Golomb (9.1).
    fn ue(&mut self, value: usize) {
        let length = (value + 1).ilog2();
        self.put(length, 0);
        self.put(length + 1, value + 1);
    }

    fn se(&mut self, value: i32) {
        let twice = usize::try_from(value.abs()).unwrap() * 2;
        self.ue(if value > 0 { twice - 1 } else { twice });
    }

    /// The DC levels of a flat macroblock, the first of sixteen alone (9.2).
    fn level(&mut self, level: i32) {
        let size = usize::try_from(level.abs()).unwrap();
        let negative = usize::from(level < 0);
        match size {
            0 => return self.put(1, 1),
            1 => self.put(3, 0b010 | negative),
            _ => {
                self.put(6, 0b00_0101);
                // level_code, less the two that a lone level above one saves (9.2.2.1)
                let code = 2 * size - 2 + negative - 2;
                match code {
                    0..14 => self.put(u32::try_from(code).unwrap() + 1, 1),
                    14..30 => {
                        self.put(15, 1);
                        self.put(4, code - 14);
                    }
                    _ => {
                        self.put(16, 1);
                        self.put(12, code - 30);
                    }
                }
            }
        }
        self.put(1, 1); // no zeros before it
    }

    /// With the stop bit.
    fn finish(mut self) -> Vec<u8> {
        self.put(1, 1);
        self.bytes
    }
}

/// Behind a start code, with what would look like one escaped (7.4.1.1).
fn escaped(nal: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 1];
    let mut zeros = 0;
    for &byte in nal {
        if zeros == 2 && byte <= 3 {
            bytes.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        bytes.push(byte);
    }
    bytes
}

struct Writer {
    bytes: Vec<u8>,
    /// Of PAT, SDT, PMT and video.
    counters: [u8; 4],
}

impl Writer {
    fn tables(&mut self, service: &Service, place: usize) {
        if place.is_multiple_of(2) {
            self.section(0, 0, &pat(1, 0, &[(service.sid, service.pmt_pid)]));
            let streams = [(0x1b, service.video_pid)];
            self.section(2, service.pmt_pid, &pmt(service.sid, 0, service.video_pid, &streams));
        }
        if place.is_multiple_of(25) {
            self.section(1, 0x11, &sdt(1, 1, std::slice::from_ref(service)));
        }
    }

    fn section(&mut self, counter: usize, pid: u16, section: &[u8]) {
        for packet in packetise(pid, section, &mut self.counters[counter]) {
            self.bytes.extend(packet);
        }
    }

    /// A PES packet of unbounded length (ISO 13818-1 §2.4.3.6), the end of its last packet stuffed.
    fn pes(&mut self, service: &Service, pcr: Option<u64>, (pts, dts): (u64, u64), unit: &[u8]) {
        let stamp = |mark: u8, ticks| {
            let mut bytes = pts_bytes(ticks);
            bytes[0] = bytes[0] & 0x0f | mark;
            bytes
        };
        let head = [0, 0, 1, 0xe0, 0, 0, 0x84, 0xc0, 10];
        let bytes = [&head[..], &stamp(0x30, pts), &stamp(0x10, dts), unit].concat();
        let mut rest = &bytes[..];
        let [high, low] = service.video_pid.to_be_bytes();
        while !rest.is_empty() {
            let first = rest.len() == bytes.len();
            let mut field = match pcr.filter(|_| first) {
                Some(clock) => [&[0x10][..], &pcr_bytes(clock)].concat(),
                None => Vec::new(),
            };
            let room = 184 - field.len() - usize::from(!field.is_empty());
            let stuffing = room.saturating_sub(rest.len());
            let adapted = !field.is_empty() || stuffing > 0;
            if stuffing > 1 && field.is_empty() {
                field.push(0);
            }
            let start = 184 - rest.len().min(room);
            field.resize(start.saturating_sub(1), 0xff);
            let counter = &mut self.counters[3];
            let control = if adapted { 0x30 } else { 0x10 } | *counter;
            *counter = (*counter + 1) & 0x0f;
            self.bytes.extend([0x47, if first { 0x40 | high } else { high }, low, control]);
            if adapted {
                self.bytes.push(u8::try_from(field.len()).unwrap());
                self.bytes.extend(field);
            }
            let (now, later) = rest.split_at(188 - 4 - start);
            self.bytes.extend(now);
            rest = later;
        }
        assert!(self.bytes.len().is_multiple_of(188), "whole packets");
    }
}

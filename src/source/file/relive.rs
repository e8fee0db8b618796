//! Makes the passes over a file one endless stream: counters and clocks go on across the seam.

use std::time::Duration;

use super::guide::{self, Guide};
use super::unit;
use crate::ts::clock::{Ticks27M, Ticks90k};
use crate::ts::{PACKET, Packet, Pid};

/// Bytes of a PES header up to its length field, its PTS and its DTS (ISO 13818-1 §2.4.3.7).
const PES_HEAD: usize = 9;
const WITH_PTS: usize = PES_HEAD + 5;
const WITH_DTS: usize = WITH_PTS + 5;

/// Rewrites packets in the order of the stream.
pub(super) struct Relive {
    /// Ticks of a pass.
    pass: u64,
    /// What every clock is late by in this pass.
    shift: Ticks27M,
    counters: [Counter; Pid::COUNT],
    guide: Option<Guide>,
}

/// How the continuity counter of one PID goes on.
#[derive(Clone, Copy, Default)]
struct Counter {
    /// Added to the file's, modulo 16.
    offset: u8,
    /// The last one written.
    last: Option<u8>,
    /// This pass had no packet with payload yet.
    is_fresh: bool,
}

impl Relive {
    /// For a file whose passes last `pass` ticks; `date` is the time of day at its first packet, if it tells one.
    pub(super) fn new(pass: u64, date: Option<i64>) -> Self {
        let counters = [Counter::default(); Pid::COUNT];
        Self { pass, shift: Ticks27M::new(0), counters, guide: date.map(Guide::new) }
    }

    /// Begins a pass over the file, at `utc`. The first must be begun too.
    pub(super) fn begin(&mut self, is_first: bool, utc: Duration) {
        if !is_first {
            self.shift = self.shift.plus(self.pass);
        }
        self.counters.iter_mut().for_each(|counter| counter.is_fresh = true);
        if let Some(guide) = &mut self.guide {
            guide.begin(seconds(utc));
        }
    }

    /// Rewrites `slots[0]`, at `utc`. The others are what follows it in the file; where a time stamp or a section goes
    /// on in them they are rewritten with it.
    pub(super) fn rewrite(&mut self, slots: &mut [[u8; PACKET]], utc: Duration) {
        let Some(Ok(packet)) = slots.first().map(Packet::new) else { return };
        let (pid, has_payload, begins) =
            (packet.pid(), packet.has_payload(), packet.starts_unit() && !packet.is_scrambled());
        if let Some(guide) = &mut self.guide {
            if pid == Pid::EIT {
                slots[0] = guide.exchange(packet);
                return;
            }
            if pid == Pid::TDT && begins {
                guide::set_date(slots, seconds(utc));
            }
        }
        if self.shift.value() > 0 {
            shift_references(&mut slots[0], self.shift.value());
            if begins && has_payload {
                shift_stamps(slots, self.shift.value() / 300);
            }
        }
        if pid != Pid::NULL {
            let counter = &mut slots[0][3];
            *counter = *counter & 0xf0 | self.counters[pid.index()].follow(*counter & 0x0f, has_payload);
        }
    }
}

impl Counter {
    /// What is written for `counter`. Packets without payload do not advance it (ISO 13818-1 §2.4.3.3).
    fn follow(&mut self, counter: u8, has_payload: bool) -> u8 {
        if let (true, Some(last)) = (self.is_fresh, self.last) {
            self.offset = last.wrapping_add(u8::from(has_payload)).wrapping_sub(counter) & 0x0f;
        }
        let written = (counter + self.offset) & 0x0f;
        if has_payload {
            (self.is_fresh, self.last) = (false, Some(written));
        }
        written
    }
}

fn seconds(utc: Duration) -> i64 {
    i64::try_from(utc.as_secs()).unwrap_or(i64::MAX)
}

/// Shifts PCR and OPCR, where `slot` carries them. It is a sound packet.
fn shift_references(slot: &mut [u8; PACKET], ticks: u64) {
    let has_field = slot[3] & 0x20 != 0 && slot[4] > 0;
    let (end, flags) = (5 + usize::from(slot[4]), slot[5]);
    let mut at = 6;
    for flag in [0x10, 0x08] {
        if has_field && flags & flag != 0 && at + 6 <= end {
            let [b0, b1, b2, b3, b4, b5] = [0, 1, 2, 3, 4, 5].map(|i| slot[at + i]);
            let bits = u64::from_be_bytes([0, 0, b0, b1, b2, b3, b4, b5]);
            let shifted = Ticks27M::new((bits >> 15) * 300 + (bits & 0x1ff)).plus(ticks);
            slot[at..at + 6].copy_from_slice(&shifted.to_bytes());
            at += 6;
        }
    }
}

/// Shifts PTS and DTS of the PES packet that begins in `slots[0]`, if it is one and has them. A header that goes on
/// behind `slots` stays as it is.
fn shift_stamps(slots: &mut [[u8; PACKET]], ticks: u64) {
    let mut head = [0; WITH_DTS];
    // No section begins so: the byte behind pointer_field and table_id 0 has its highest bit set.
    if unit::peek(slots, &mut head[..3]) < 3 || head[..3] != [0, 0, 1] {
        return;
    }
    if unit::peek(slots, &mut head[..PES_HEAD]) < PES_HEAD || !has_optional_header(&head) {
        return;
    }
    let end = match head[7] >> 6 {
        2 => WITH_PTS,
        3 => WITH_DTS,
        _ => return,
    };
    if usize::from(head[8]) < end - PES_HEAD || unit::peek(slots, &mut head[..end]) < end {
        return;
    }
    let (stamps, _) = head[PES_HEAD..end].as_chunks_mut::<5>();
    for stamp in stamps {
        *stamp = Ticks90k::from_bytes(*stamp).plus(ticks).to_bytes(stamp[0]);
    }
    unit::poke(slots, &head[..end]);
}

/// Whether the nine bytes of `head` announce the optional header: all `stream_id`s but eight have it, and it begins
/// with the bits 10 (ISO 13818-1 §2.4.3.7).
fn has_optional_header(head: &[u8; WITH_DTS]) -> bool {
    !matches!(head[3], 0xbc | 0xbe | 0xbf | 0xf0..=0xf2 | 0xf8 | 0xff) && head[6] & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::super::sample::{packet, pes, stamps_of};
    use super::*;

    /// A second pass, with passes of `pass` ticks.
    fn second(pass: u64) -> Box<Relive> {
        let mut relive = Box::new(Relive::new(pass, None));
        relive.begin(true, Duration::ZERO);
        relive.begin(false, Duration::ZERO);
        relive
    }

    fn rewritten(relive: &mut Relive, slots: &mut [[u8; PACKET]]) {
        for i in 0..slots.len() {
            relive.rewrite(&mut slots[i..], Duration::ZERO);
        }
    }

    #[test]
    fn stamps_are_shifted_across_the_wrap() {
        let late = Ticks90k::WRAP - 1;
        let mut slots = [packet(0x100, 0, true, None, &pes(0xe0, Some(late), Some(5)))];
        rewritten(&mut second(300 * 11), &mut slots);
        assert_eq!(stamps_of(&slots[0]), (Some(10), Some(16)));
    }

    #[test]
    fn a_header_cut_by_packet_ends_is_shifted_whole() {
        let header = pes(0xc0, Some(0x1_ffff_ffff), Some(0x0_7fff_8000));
        let shifted = pes(0xc0, Some(1), Some(0x0_7fff_8002));
        for cut in 1..19 {
            let mut slots = [
                packet(0x100, 4, true, None, &header[..cut]),
                packet(0x101, 4, true, None, &[0, 0, 1]),
                packet(0x100, 5, false, None, &header[cut..]),
            ];
            rewritten(&mut second(600), &mut slots);
            let joined = [&slots[0][PACKET - cut..], &slots[2][PACKET - (header.len() - cut)..]].concat();
            assert_eq!(joined, shifted, "cut at {cut}");
        }
    }

    #[test]
    fn what_has_no_stamps_is_left_alone() {
        let with = pes(0xe0, Some(77), None);
        let mut padding = with.clone();
        padding[3] = 0xbe;
        let mut short = with.clone();
        short[8] = 4;
        let mut scrambled = packet(0x104, 0, true, None, &with);
        scrambled[3] |= 0x80;
        let mut slots = [
            packet(0x101, 0, true, None, &padding),
            packet(0x102, 0, true, None, &short),
            packet(0x103, 0, false, None, &with),
            scrambled,
            packet(0x105, 0, true, None, &with[..13]),
            packet(0x106, 0, true, None, &pes(0xe0, None, None)),
        ];
        let before = slots;
        rewritten(&mut second(600), &mut slots);
        assert_eq!(slots, before);
    }

    #[test]
    fn both_references_are_shifted() {
        let mut slot = packet(0x100, 0, false, Some(Ticks27M::new(Ticks27M::WRAP - 1)), &[1; 20]);
        slot[5] |= 0x08;
        slot[12..18].copy_from_slice(&Ticks27M::new(299).to_bytes());
        // Here the PCR fills its field, and there is no room for the OPCR that is announced.
        let mut full = packet(0x101, 0, false, Some(Ticks27M::new(5)), &[1; PACKET - 12]);
        full[5] |= 0x08;
        let mut slots = [slot, full];
        rewritten(&mut second(602), &mut slots);
        assert_eq!(Packet::new(&slots[1]).unwrap().pcr(), Some(Ticks27M::new(607)));
        assert_eq!(slots[1][12..], full[12..]);
        let p = Packet::new(&slots[0]).unwrap();
        assert_eq!(p.pcr(), Some(Ticks27M::new(601)));
        assert_eq!(slots[0][12..18], Ticks27M::new(901).to_bytes());
    }

    #[test]
    fn counters_go_on_over_the_seam() {
        let mut relive = Box::new(Relive::new(1, None));
        let mut empty = packet(0x100, 9, false, Some(Ticks27M::new(0)), &[]);
        empty[3] = 0x29;
        let full = |counter| packet(0x100, counter, false, None, &[1]);
        let mut written = Vec::new();
        for pass in 0..3 {
            relive.begin(pass == 0, Duration::ZERO);
            for slot in [empty, full(10), full(11), full(11), full(12), full(14)] {
                let mut slots = [slot];
                rewritten(&mut relive, &mut slots);
                written.push(slots[0][3] & 0x0f);
            }
        }
        // The duplicate and the loss within the file stay what they are.
        assert_eq!(written, [9, 10, 11, 11, 12, 14, 14, 15, 0, 0, 1, 3, 3, 4, 5, 5, 6, 8]);
    }
}

//! Brings the time of day and the programme guide of a repeated file to today (EN 300 468 §5.2.4 to §5.2.6).
//!
//! TDT and TOT are given the time of now, in their own packets. The events of the guide are moved by whole hours, so
//! that they still begin at round times and the one that was on when the file was made is on again. What else a
//! schedule tells of its day, that is its cut into segments of three hours (TR 101 211 §4.1.4), stays the file's.

use heapless::Deque;

use super::{date, unit};
use crate::ts::packet::SYNC;
use crate::ts::packetise::Packetiser;
use crate::ts::section::{Assembler, CRC, EIT_SECTION, PSI_SECTION, Section};
use crate::ts::{PACKET, Packet, Pid};

const TDT: u8 = 0x70;
const TOT: u8 = 0x73;
const HOUR: i64 = 3600;
/// Packets of the guide that may wait for a slot of its PID.
const QUEUE: usize = 64;
/// Bytes of an EIT section before its first event, and of an event before its descriptors.
const EIT_HEAD: usize = 14;
const EVENT_HEAD: usize = 12;
/// What a slot carries when there is no packet for it.
const NULL: [u8; PACKET] = {
    let mut packet = [0xff; PACKET];
    (packet[0], packet[1], packet[3]) = (SYNC, 0x1f, 0x10);
    packet
};

/// The guide of a file, moved to today.
///
/// Its sections are taken out of the packets of their PID, and go back into them, one section to a packet or more. As
/// many packets leave as come: one that finds none waiting becomes stuffing, and a section that finds no room for its
/// packets is dropped. It comes again.
pub(super) struct Guide {
    /// Time of day at the first packet of the file.
    file: i64,
    /// Hours the events are moved by.
    hours: i64,
    assembler: Assembler<EIT_SECTION>,
    packetiser: Packetiser,
    queue: Deque<[u8; PACKET], QUEUE>,
}

impl Guide {
    /// For a file whose first packet was sent at `file`.
    pub(super) fn new(file: i64) -> Self {
        let (assembler, packetiser) = (Assembler::default(), Packetiser::new(Pid::EIT));
        Self { file, hours: 0, assembler, packetiser, queue: Deque::new() }
    }

    /// Begins a pass over the file at `now`.
    pub(super) fn begin(&mut self, now: i64) {
        self.hours = now.saturating_sub(self.file).div_euclid(HOUR);
        self.assembler = Assembler::default();
    }

    /// Takes in `packet`, which is of the guide's PID, and gives the one that leaves in its place.
    pub(super) fn exchange(&mut self, packet: Packet<'_>) -> [u8; PACKET] {
        let Self { hours, assembler, packetiser, queue, .. } = self;
        assembler.push(packet, |section| {
            let mut copy = [0; EIT_SECTION];
            let moved = &mut copy[..section.bytes().len()];
            moved.copy_from_slice(section.bytes());
            move_events(moved, *hours);
            // A pointer_field, then 184 bytes to a packet.
            let room = (QUEUE - queue.len()) * (PACKET - 4);
            if let Some(moved) = Section::new(moved).filter(|s| s.bytes().len() < room) {
                packetiser.write(moved, |p| {
                    let queued = queue.push_back(*p);
                    debug_assert!(queued.is_ok(), "the room was measured");
                });
            }
        });
        queue.pop_front().unwrap_or(NULL)
    }
}

/// Moves the events of `section`, if it is of an EIT, by `hours`. Its version moves along, so that receivers see that
/// it changed.
fn move_events(section: &mut [u8], hours: i64) {
    let Some(content) = section.len().checked_sub(4) else { return };
    if !(0x4e..=0x6f).contains(&section[0]) || section[1] & 0x80 == 0 || content < EIT_HEAD {
        return;
    }
    let version = i64::from(section[5] >> 1 & 0x1f).wrapping_add(hours).rem_euclid(32);
    section[5] = section[5] & 0xc1 | u8::try_from(version << 1).unwrap_or_default();
    let (body, _) = section.split_at_mut(content);
    let mut rest = &mut body[EIT_HEAD..];
    while let Some((event, behind)) = rest.split_at_mut_checked(EVENT_HEAD) {
        if let Some(start) = event[2..].first_chunk_mut::<5>()
            && let Some(time) = date::from_bytes(*start)
        {
            *start = date::to_bytes(time.saturating_add(hours.saturating_mul(HOUR)));
        }
        let descriptors = usize::from(event[10] & 0x0f) << 8 | usize::from(event[11]);
        rest = behind.get_mut(descriptors..).unwrap_or_default();
    }
    seal(section);
}

/// Writes the CRC of `section` into its last four bytes.
fn seal(section: &mut [u8]) {
    if let Some((content, crc)) = section.split_last_chunk_mut::<4>() {
        *crc = CRC.checksum(content).to_be_bytes();
    }
}

/// Gives the TDT and TOT sections that begin in `slots[0]` the time `now`. One that is damaged, or goes on behind
/// `slots`, stays as it is. Of a TOT the announced change of its local offset stays too.
pub(super) fn set_date(slots: &mut [[u8; PACKET]], now: i64) {
    let mut bytes = [0; 1 + 255 + PSI_SECTION];
    if unit::peek(slots, &mut bytes[..1]) < 1 {
        return;
    }
    let mut at = 1 + usize::from(bytes[0]);
    while at + 3 <= bytes.len() {
        if unit::peek(slots, &mut bytes[..=at]) <= at || bytes[at] == 0xff {
            return;
        }
        if unit::peek(slots, &mut bytes[..at + 3]) < at + 3 {
            return;
        }
        let end = at + 3 + (usize::from(bytes[at + 1] & 0x0f) << 8 | usize::from(bytes[at + 2]));
        if end > bytes.len() || unit::peek(slots, &mut bytes[..end]) < end {
            return;
        }
        let section = &mut bytes[at..end];
        if time_of(section).is_some() {
            section[3..8].copy_from_slice(&date::to_bytes(now));
            if section[0] == TOT {
                seal(section);
            }
            unit::poke(slots, &bytes[..end]);
        }
        at = end;
    }
}

/// The time of day that `packet`, of the PID of TDT and TOT, tells: of the first section in it that is whole.
pub(super) fn date_of(packet: Packet<'_>) -> Option<i64> {
    let (&pointer, payload) = packet.payload().split_first()?;
    if !packet.starts_unit() || packet.is_scrambled() {
        return None;
    }
    let mut rest = payload.get(usize::from(pointer)..)?;
    while let Some(&[_, high, low]) = rest.first_chunk() {
        let (section, behind) =
            rest.split_at_checked(3 + (usize::from(high & 0x0f) << 8 | usize::from(low)))?;
        if let Some(bytes) = time_of(section) {
            return date::from_bytes(bytes);
        }
        rest = behind;
    }
    None
}

/// The time field of `section`, if it is a sound TDT or TOT.
fn time_of(section: &[u8]) -> Option<[u8; 5]> {
    let fits = match section.first() {
        Some(&TDT) => section.len() == 8,
        Some(&TOT) => section.len() >= 14,
        _ => false,
    };
    Section::new(section).filter(|_| fits)?.bytes()[3..].first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use broadcast_common::Parse;
    use dvb_si::tables::{eit::EitSection, tdt::TdtSection, tot::TotSection};

    use super::super::sample::{eit, packet, tdt};
    use super::*;

    /// 2026-01-01 12:00:00 UTC.
    const NOON: i64 = 1_767_268_800;

    /// Sends `sections` through a guide whose file is of noon, at `now`.
    fn exchanged(sections: &[Vec<u8>], now: i64) -> (Vec<[u8; PACKET]>, Vec<Vec<u8>>) {
        let mut guide = Guide::new(NOON);
        guide.begin(now);
        let mut packetiser = Packetiser::new(Pid::EIT);
        let mut out = Vec::new();
        for section in sections {
            packetiser
                .write(Section::new(section).unwrap(), |p| out.push(guide.exchange(Packet::new(p).unwrap())));
        }
        let mut assembler = Assembler::<EIT_SECTION>::default();
        let mut found = Vec::new();
        for p in out.iter().map(|p| Packet::new(p).unwrap()).filter(|p| p.pid() == Pid::EIT) {
            assembler.push(p, |s| found.push(s.bytes().to_vec()));
        }
        assert_eq!((assembler.counts().broken, assembler.counts().torn), (0, 0));
        (out, found)
    }

    #[test]
    fn events_move_by_whole_hours_either_way() {
        let starts = [Some(NOON), Some(NOON + 5400), None];
        let short = eit(0x4e, 30, &starts, 10);
        let sent = [eit(0x50, 30, &starts, 200), short.clone(), short.clone(), short];
        for (late, hours) in [(0, 0_i64), (7199, 1), (7200, 2), (-1, -1), (-NOON, -490_908), (26 * HOUR, 26)]
        {
            let (out, found) = exchanged(&sent, NOON + late);
            // The long one waits for its last packet, so its four come out with the four that follow.
            assert_eq!(out.iter().filter(|p| **p == NULL).count(), 3);
            assert_eq!(found.len(), 1);
            let got = EitSection::parse(&found[0]).unwrap();
            assert_eq!((got.table_id, i64::from(got.version_number)), (0x50, (30 + hours).rem_euclid(32)));
            let raw: Vec<_> = got.events.iter().map(|e| e.start_time_raw()).collect();
            let shift = hours * HOUR;
            assert_eq!(raw, [date::to_bytes(NOON + shift), date::to_bytes(NOON + 5400 + shift), [0xff; 5]]);
            assert_eq!(found[0].len(), sent[0].len());
        }
    }

    #[test]
    fn other_tables_of_the_pid_pass_unchanged() {
        let other = eit(0x4d, 3, &[Some(NOON)], 20);
        assert_eq!(exchanged(std::slice::from_ref(&other), NOON + 9 * HOUR).1, [other]);
    }

    #[test]
    fn a_full_queue_drops_whole_sections() {
        let mut guide = Guide::new(NOON);
        let small = eit(0x4e, 0, &[Some(NOON)], 0);
        let mut payload = vec![0];
        payload.extend(small.repeat(5));
        for counter in 0..100 {
            let p = packet(0x12, counter, true, None, &payload);
            let out = guide.exchange(Packet::new(&p).unwrap());
            assert_eq!((out[3] & 0x0f, out[4]), (counter & 0x0f, 0));
        }
        assert_eq!(guide.queue.len(), QUEUE - 1);
    }

    #[test]
    fn clocks_are_set_where_they_stand() {
        let mut tot = vec![TOT, 0x70, 26, 0, 0, 0, 0, 0, 0xf0, 15, 0x58, 13];
        tot.extend([7; 13]);
        tot.extend([0; 4]);
        seal(&mut tot);
        let mut both = vec![0, TDT, 0x70, 5, 0, 0, 0, 0, 0];
        both.extend(&tot);
        for cut in [both.len(), 30, 10, 2] {
            let mut slots =
                [packet(0x14, 1, true, None, &both[..cut]), packet(0x14, 2, false, None, &both[cut..])];
            set_date(&mut slots, NOON + 61);
            let joined = [&slots[0][PACKET - cut..], &slots[1][PACKET - (both.len() - cut)..]].concat();
            let (tdt, tot) = (&joined[1..9], &joined[9..]);
            assert_eq!(TdtSection::parse(tdt).unwrap().utc_time_raw(), date::to_bytes(NOON + 61));
            assert_eq!(TotSection::parse(tot).unwrap().utc_time_raw(), date::to_bytes(NOON + 61));
            assert!(Section::new(tot).is_some());
            assert_eq!(tot[8..25], both[17..34]);
        }
    }

    #[test]
    fn the_date_of_a_packet_is_its_first() {
        let slot = tdt(3, NOON);
        assert_eq!(date_of(Packet::new(&slot).unwrap()), Some(NOON));
        let mut undefined = slot;
        undefined[8..13].fill(0xff);
        assert_eq!(date_of(Packet::new(&undefined).unwrap()), None);
    }
}

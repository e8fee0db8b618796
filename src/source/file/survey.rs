//! What is learned of a file before it is played: its clock, its length, its date.

use super::clocks::{Clock, Clocks};
use super::guide;
use super::pace::Rate;
use super::slots::Slots;
use crate::source::{SourceError, url::FileSpec};
use crate::ts::clock::{Ticks27M, Ticks90k};
use crate::ts::{PACKET, Packet, Pid};

/// A file to be repeated is read whole up to this length, else its first `WHOLE` and its last `TAIL` bytes. Opening
/// happens between two ticks, so it must not take long: 20 MiB are some 50 ms from a slow flash's cache.
const WHOLE: u64 = 16 << 20;
const TAIL: u64 = 4 << 20;
/// Of a file played once only the head is read: its mean rate bridges the time until the first clock reference.
const ONCE: u64 = 4 << 20;
/// A pass this near a multiple of 300 ticks is meant to be one: less is what rounding leaves.
const NEAR: u64 = 4;

/// Holding one proves that the file has a transport stream with a clock that runs.
pub(super) struct Survey {
    /// Where the first packet begins.
    pub(super) start: u64,
    /// The PID whose clock paces the file: that of the clock which runs longest. [`Pid::NULL`] where none runs; the
    /// mean rate by presentation times paces the file then.
    pub(super) clock: Pid,
    /// The mean rate.
    pub(super) mean: Rate,
    /// Ticks from the first packet of a pass to the first of the next.
    ///
    /// For a constant bit rate that is exact: packets of the file × (last reference − first) ÷ packets between them.
    /// Within `NEAR` ticks of a multiple of 300 it is that multiple, so that stamps of 90 kHz shift exactly alike.
    pub(super) pass: u64,
    /// Time of day at the first packet, by the first TDT or TOT read.
    pub(super) date: Option<i64>,
}

impl Survey {
    /// Reads `length` bytes of the file, or enough of them.
    pub(super) fn take(slots: &mut Slots, spec: &FileSpec, length: u64) -> Result<Self, SourceError> {
        let head = if spec.repeat { WHOLE } else { ONCE };
        Self::learn(slots, spec, length, head, spec.repeat.then_some(TAIL))
    }

    /// Reads `head` bytes, and of a longer file the last `tail`, no more than `head`, where they are wanted.
    fn learn(
        slots: &mut Slots,
        spec: &FileSpec,
        length: u64,
        head: u64,
        tail: Option<u64>,
    ) -> Result<Self, SourceError> {
        let failed = |why| SourceError::File(spec.path.clone(), why);
        let no_clock = || SourceError::NoClock(spec.path.clone());
        let start = slots.find_start(length).map_err(failed)?;
        let start = start.ok_or_else(|| SourceError::NoTransportStream(spec.path.clone()))?;
        let mut scan = Scan::default();
        scan.read(slots, start, length.min(start + head)).map_err(failed)?;
        let (by, clock, head_mean) = scan.clock().ok_or_else(no_clock)?;
        let again = |scan: &Scan| scan.clocks(by).of(clock.pid).unwrap_or(clock);
        let mut mean = head_mean;
        if let Some(tail) = tail.filter(|_| start + head < length) {
            // On a whole number of packets from the start, where the slots are unless bytes were put in or lost.
            let skipped = (length - tail - start) / slots.stride();
            scan.packets = skipped;
            scan.read(slots, start + skipped * slots.stride(), length).map_err(failed)?;
            let whole = Rate::new(again(&scan).length(), again(&scan).packets());
            // Where the two disagree the clock jumped, or turned round, in the part that was not read.
            mean = whole.filter(|rate| rate.is_near(head_mean)).unwrap_or(head_mean);
        }
        let clock = again(&scan);
        let beyond = scan.packets.saturating_sub(clock.packets());
        let pass = clock.length().saturating_add(mean.ticks_for(beyond));
        let into = |index| i64::try_from(mean.ticks_for(index) / Ticks27M::SECOND).unwrap_or_default();
        Ok(Self {
            start,
            clock: if by == By::References { clock.pid } else { Pid::NULL },
            mean,
            pass: to_stamps(pass) % Ticks27M::WRAP,
            date: scan.date.map(|(index, time)| time - into(index)),
        })
    }
}

/// The multiple of 300 that `ticks` is meant to be; `ticks` where it is meant to be none.
fn to_stamps(ticks: u64) -> u64 {
    let nearest = ticks.saturating_add(150) / 300 * 300;
    if nearest.abs_diff(ticks) <= NEAR { nearest } else { ticks }
}

/// What a clock is read from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    References,
    PresentationTimes,
}

/// A reading in progress.
#[derive(Default)]
struct Scan {
    /// Packets so far.
    packets: u64,
    references: Clocks,
    presentation: Clocks,
    /// The first date, and the packet that carries it.
    date: Option<(u64, i64)>,
}

impl Scan {
    fn read(&mut self, slots: &mut Slots, from: u64, to: u64) -> std::io::Result<()> {
        slots.seek(from, to);
        while !slots.is_at_end() {
            slots.fill()?;
            while let Some(slot) = slots.ahead().first() {
                self.see(slot);
                slots.advance();
            }
        }
        Ok(())
    }

    fn see(&mut self, slot: &[u8; PACKET]) {
        let index = self.packets;
        self.packets += 1;
        let Ok(packet) = Packet::new(slot) else { return };
        if packet.pid() == Pid::TDT && self.date.is_none() {
            self.date = guide::date_of(packet).map(|date| (index, date));
        }
        if let Some(pts) = pts_of(packet) {
            self.presentation.see_presented(packet.pid(), index, Ticks27M::new(pts.value() * 300));
        }
        if let Some(pcr) = packet.pcr() {
            self.references.see(packet.pid(), index, pcr);
        }
    }

    fn clocks(&self, by: By) -> &Clocks {
        match by {
            By::References => &self.references,
            By::PresentationTimes => &self.presentation,
        }
    }

    /// The clock to go by, and its mean rate: of references, or of presentation times where no reference runs.
    fn clock(&self) -> Option<(By, Clock, Rate)> {
        [By::References, By::PresentationTimes].into_iter().find_map(|by| {
            let clock = self.clocks(by).longest()?;
            Some((by, clock, clock.mean()?))
        })
    }
}

/// The presentation time of the PES packet that begins in `packet` (ISO 13818-1 §2.4.3.6), where its head is whole.
fn pts_of(packet: Packet<'_>) -> Option<Ticks90k> {
    let head =
        packet.payload().first_chunk::<14>().filter(|_| packet.starts_unit() && !packet.is_scrambled())?;
    let [0, 0, 1, stream_id, _, _, _, flags, _, stamp @ ..] = head else { return None };
    let timed = matches!(stream_id, 0xbd | 0xc0..=0xef | 0xfd) && flags & 0x80 != 0;
    timed.then(|| Ticks90k::from_bytes(*stamp))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::super::sample::{Cbr, TempFile, packet, tdt};
    use super::*;

    fn survey(packets: &[[u8; PACKET]]) -> Result<Survey, SourceError> {
        let file = TempFile::new(packets.as_flattened());
        let mut slots = Slots::new(File::open(file.path()).unwrap(), 1 << 14);
        Survey::take(&mut slots, &file.spec(true, 1), packets.as_flattened().len() as u64)
    }

    #[test]
    fn a_constant_rate_gives_the_exact_length() {
        for base in [0, Ticks27M::WRAP - 300_000] {
            let found = survey(&Cbr { base, ..Cbr::default() }.packets()).unwrap();
            assert_eq!((found.clock, found.pass), (Pid::new(0x100), 200 * 5400));
            assert_eq!(found.mean.ticks_for(1), 5400);
        }
    }

    #[test]
    fn a_jump_does_not_count_as_time() {
        let mut packets = Cbr::default().packets();
        packets.extend(Cbr { base: 7_000_000_000, ..Cbr::default() }.packets());
        let found = survey(&packets).unwrap();
        assert_eq!(found.mean.ticks_for(1), 5400);
        // The seam still goes on from the last reference, whatever the file did before it.
        assert_eq!(found.pass, 7_000_000_000 + 200 * 5400);
    }

    #[test]
    fn of_a_long_file_the_ends_are_enough() {
        let learn = |packets: &[[u8; PACKET]]| {
            let file = TempFile::new(packets.as_flattened());
            let mut slots = Slots::new(File::open(file.path()).unwrap(), 0);
            let length = packets.as_flattened().len() as u64;
            Survey::learn(&mut slots, &file.spec(true, 1), length, 60 * 188 + 5, Some(50 * 188 + 7)).unwrap()
        };
        // At half the rate from packet 1000 on, which the head does not know.
        let mut packets = Cbr { packets: 1000, ..Cbr::default() }.packets();
        packets.extend(Cbr { packets: 1000, ticks: 10_800, base: 1000 * 5400 }.packets());
        let found = learn(&packets);
        assert_eq!(found.mean.ticks_for(1990), 1000 * 5400 + 990 * 10_800);
        // Nine packets follow the last reference, and the first of the next pass.
        assert_eq!(found.pass, 1000 * 5400 + 990 * 10_800 + found.mean.ticks_for(10));
        packets[1000..].copy_from_slice(&Cbr { packets: 1000, base: 1 << 40, ..Cbr::default() }.packets());
        let found = learn(&packets);
        assert_eq!((found.mean.ticks_for(1), found.pass % 5400), (5400, ((1 << 40) + 1000 * 5400) % 5400));
    }

    #[test]
    fn the_date_is_that_of_the_first_packet() {
        let mut packets = Cbr { ticks: 540_000, ..Cbr::default() }.packets();
        packets[101] = tdt(0, 1_000_000);
        packets[103] = tdt(0, 2_000_000);
        assert_eq!(survey(&packets).unwrap().date, Some(1_000_000 - 2));
    }

    #[test]
    fn presentation_times_pace_what_has_no_clock() {
        let mut packets = Cbr::default().packets();
        for packet in packets.iter_mut().filter(|p| p[3] & 0x20 != 0) {
            packet[5] &= !0x10;
        }
        let found = survey(&packets).unwrap();
        assert_eq!((found.clock, found.mean.ticks_for(1), found.pass), (Pid::NULL, 5400, 200 * 5400));
    }

    #[test]
    fn one_stray_reference_does_not_hide_the_clock() {
        for stray in [0, 150] {
            let mut packets = Cbr::default().packets();
            packets[stray] = packet(0x1abc, 0, false, Some(Ticks27M::new(1 << 40)), &[0; 20]);
            let found = survey(&packets).unwrap();
            let pass = 200 * 5400;
            assert_eq!((found.clock, found.mean.ticks_for(1), found.pass), (Pid::new(0x100), 5400, pass));
        }
    }

    #[test]
    fn presentation_times_that_jump_or_wrap_are_no_time() {
        let without = |base| {
            let mut packets = Cbr { base, ..Cbr::default() }.packets();
            packets.iter_mut().filter(|p| p[3] & 0x20 != 0).for_each(|p| p[5] &= !0x10);
            packets
        };
        let found = survey(&without(Ticks27M::WRAP - 100 * 5400 - Cbr::DELAY * 300)).unwrap();
        assert_eq!((found.mean.ticks_for(1), found.pass), (5400, 200 * 5400));
        let found = survey(&[without(1 << 40), without(0)].concat()).unwrap();
        assert_eq!(found.mean.ticks_for(1), 5400);
    }

    #[test]
    fn without_two_references_there_is_no_clock() {
        let mut packets = Cbr::default().packets();
        packets.truncate(9);
        assert!(matches!(survey(&packets), Err(SourceError::NoClock(_))));
        assert!(matches!(survey(&[[0; PACKET]; 9]), Err(SourceError::NoTransportStream(_))));
    }

    #[test]
    fn only_what_is_nearly_a_multiple_becomes_one() {
        assert_eq!([596, 595, 604, 605, 750].map(to_stamps), [600, 595, 600, 605, 750]);
    }
}

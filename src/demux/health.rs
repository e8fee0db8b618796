//! What continuity counters and clock references tell of lost packets (TR 101 290 §5.2.1, §5.2.2).

use heapless::Vec;

use super::DemuxCounts;
use crate::ts::clock::Ticks27M;
use crate::ts::psi::PROGRAMMES;
use crate::ts::{Packet, Pid};

/// The longest way from one clock reference to the next (ISO 13818-1 §2.7.2).
const PCR_STEP_MAX: u64 = Ticks27M::SECOND / 10;
/// Of [`Health::counters`]: the packet before came twice.
const TWICE: u8 = 0x10;
/// No packet came yet.
const NONE: u8 = 0xff;

/// What came last on each PID.
pub(super) struct Health {
    /// Counters of the payload packets before.
    counters: Box<[u8; Pid::COUNT]>,
    /// The clock references before. A mux has one for each programme; those that do not fit are not judged.
    clocks: Vec<(Pid, Ticks27M), PROGRAMMES>,
}

impl Default for Health {
    fn default() -> Self {
        Self { counters: Box::new([NONE; Pid::COUNT]), clocks: Vec::new() }
    }
}

impl Health {
    /// Takes a packet and counts what is wrong with its place.
    pub(super) fn see(&mut self, packet: Packet<'_>, counts: &mut DemuxCounts) {
        if packet.pid() == Pid::NULL {
            return; // its counter is undefined (ISO 13818-1 §2.4.3.3)
        }
        let known = &mut self.counters[packet.pid().index()];
        let (counter, before) = (packet.counter(), *known);
        if packet.is_discontinuity() {
            *known = counter;
        } else if packet.has_payload() {
            let follows = before == NONE || (before + 1) & 0x0f == counter;
            let repeats = before == counter;
            counts.continuity_errors += u64::from(!follows && !repeats);
            *known = if repeats { counter | TWICE } else { counter };
        }
        if let Some(pcr) = packet.pcr() {
            self.see_pcr(packet, pcr, counts);
        }
    }

    /// The PIDs of which `left` is true are begun anew when they come again.
    pub(super) fn forget(&mut self, left: impl Fn(Pid) -> bool) {
        for (value, counter) in (0..).zip(self.counters.iter_mut()) {
            if *counter != NONE && left(Pid::new(value)) {
                *counter = NONE;
            }
        }
        self.clocks.retain(|(pid, _)| !left(*pid));
    }

    fn see_pcr(&mut self, packet: Packet<'_>, pcr: Ticks27M, counts: &mut DemuxCounts) {
        match self.clocks.iter_mut().find(|(pid, _)| *pid == packet.pid()) {
            Some((_, before)) => {
                let wrong = pcr.since(*before) > PCR_STEP_MAX && !packet.is_discontinuity();
                counts.pcr_errors += u64::from(wrong);
                *before = pcr;
            }
            None => {
                let _full = self.clocks.push((packet.pid(), pcr));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::PACKET;
    use crate::ts::packet::discontinuity;

    fn counted(packets: &[[u8; PACKET]]) -> (u64, u64) {
        let (mut health, mut counts) = (Health::default(), DemuxCounts::default());
        packets.iter().for_each(|p| health.see(Packet::new(p).unwrap(), &mut counts));
        (counts.continuity_errors, counts.pcr_errors)
    }

    fn packet(pid: u16, counter: u8) -> [u8; PACKET] {
        let mut bytes = [0; PACKET];
        bytes[..4].copy_from_slice(&[0x47, (pid >> 8) as u8, pid as u8, 0x10 | counter & 0x0f]);
        bytes
    }

    /// With the clock at `ms`, announced as a break or not.
    fn pcr(ms: u64, announced: bool) -> [u8; PACKET] {
        let mut bytes = discontinuity(Pid::new(0x100), 0, Some(Ticks27M::new(ms * 27_000)));
        bytes[5] &= if announced { 0xff } else { 0x7f };
        bytes
    }

    #[test]
    fn breaks_of_a_counter_are_counted_and_what_is_allowed_is_not() {
        let run = |counters: &[u8]| {
            let packets: std::vec::Vec<_> = counters.iter().map(|c| packet(0x100, *c)).collect();
            counted(&packets).0
        };
        assert_eq!(run(&[7, 8, 8, 9, 15]), 1);
        assert_eq!(run(&[14, 15, 0, 1]), 0);
        assert_eq!(run(&[3, 3, 3, 4]), 1, "three times is once too often");
        assert_eq!(run(&[3, 5, 4, 5]), 2, "out of order");
        assert_eq!(run(&[1, 3, 4, 6]), 2);
    }

    #[test]
    fn what_has_no_counter_breaks_none() {
        let null = [packet(0x1fff, 1), packet(0x1fff, 9)];
        let mut empty = packet(0x100, 1);
        (empty[3], empty[4]) = (0x25, 183);
        let others = [packet(0x100, 1), packet(0x101, 9), empty, packet(0x100, 2), packet(0x101, 10)];
        assert_eq!(counted(&[&null[..], &others].concat()).0, 0);
        let announced = [packet(0x100, 1), discontinuity(Pid::new(0x100), 8, None), packet(0x100, 9)];
        assert_eq!(counted(&announced).0, 0);
    }

    #[test]
    fn clocks_that_jump_unannounced_are_counted() {
        let run = |steps: &[(u64, bool)]| {
            let packets: std::vec::Vec<_> =
                steps.iter().map(|(ms, announced)| pcr(*ms, *announced)).collect();
            counted(&packets).1
        };
        assert_eq!(run(&[(0, false), (40, false), (140, false), (241, false), (281, false)]), 1);
        assert_eq!(run(&[(500, false), (100, false), (140, false)]), 1, "back");
        assert_eq!(run(&[(0, false), (9000, true), (9040, false)]), 0);
        let wrap = Ticks27M::WRAP / 27_000;
        assert_eq!(run(&[(wrap - 20, false), (wrap + 20, false)]), 0);
    }
}

//! Which packet of a mux goes where: elementary packets to rings, PSI/SI to its tables.
//!
//! Owns the routes by PID, the section filters, and what each PID shows of damage. Knows no ring: it says by bit mask
//! which of its caller's rings want a packet.

mod health;

use health::Health;

use crate::ts::packet::{PACKET, Packet, PacketError, Pid};
use crate::ts::psi::PROGRAMMES;
use crate::ts::section::{Assembler, EIT_SECTION, PSI_SECTION, Section};

/// Rings that can be routed to, a bit each.
pub const RINGS: usize = 31;

/// A set of rings.
pub type Mask = u32;

/// The bit that sends a packet to the section filters.
const TABLES: Mask = 1 << RINGS;

/// What was counted since the mux was opened, by the names of TR 101 290 §5.2 where it has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemuxCounts {
    /// All 188-byte slots.
    pub packets: u64,
    /// Slots without a sync byte (`Sync_byte_error`, 1.2).
    pub no_sync: u64,
    /// Packets with `transport_error_indicator` (`Transport_error`, 2.1).
    pub transport_errors: u64,
    /// Packets whose adaptation field cannot be.
    pub malformed: u64,
    /// Sections refused for their CRC or length (`CRC_error`, 2.2).
    pub broken_sections: u64,
    /// Sections that nobody can read: they are scrambled.
    pub scrambled_sections: u64,
    /// Breaks in the continuity counter of a PID, and packets that came more than twice (`Continuity_count_error`,
    /// 1.4).
    pub continuity_errors: u64,
    /// Clock references that are not up to 100 ms later than the one before on their PID, without being announced
    /// (`PCR_error`, 2.3; by the stream's own clock).
    pub pcr_errors: u64,
}

/// The filters of one open mux.
pub struct Demux {
    /// For each PID, who wants it.
    routes: Box<[Mask; Pid::COUNT]>,
    pat: Assembler<PSI_SECTION>,
    nit: Assembler<PSI_SECTION>,
    sdt: Assembler<PSI_SECTION>,
    tdt: Assembler<PSI_SECTION>,
    eit: Assembler<EIT_SECTION>,
    /// A filter for each PID with a PMT.
    pmts: heapless::Vec<(Pid, Assembler<PSI_SECTION>), PROGRAMMES>,
    health: Health,
    counts: DemuxCounts,
}

impl Default for Demux {
    fn default() -> Self {
        let mut demux = Self {
            routes: Box::new([0; Pid::COUNT]),
            pat: Assembler::default(),
            nit: Assembler::default(),
            sdt: Assembler::default(),
            tdt: Assembler::default(),
            eit: Assembler::default(),
            pmts: heapless::Vec::new(),
            health: Health::default(),
            counts: DemuxCounts::default(),
        };
        for pid in [Pid::PAT, Pid::NIT, Pid::SDT, Pid::EIT, Pid::TDT] {
            demux.routes[pid.index()] = TABLES;
        }
        demux
    }
}

impl Demux {
    /// Takes one slot of the mux. Sections that end in it go to `found`; the answer says which rings want the packet.
    /// What is no packet goes nowhere and is counted.
    pub fn push<'a>(
        &mut self,
        slot: &'a [u8; PACKET],
        found: impl FnMut(Pid, Section<'_>),
    ) -> Option<(Packet<'a>, Mask)> {
        let packet = self.sound(slot)?;
        self.health.see(packet, &mut self.counts);
        let mask = self.routes[packet.pid().index()];
        if mask & TABLES != 0 {
            self.filter(packet, found);
        }
        Some((packet, mask & !TABLES)).filter(|(_, mask)| *mask != 0)
    }

    /// Takes one slot that came for ring `ring` alone, and gives its packet where the ring wants it. One that several
    /// rings want comes once for each: the first judges it.
    pub fn take<'a>(&mut self, slot: &'a [u8; PACKET], ring: usize) -> Option<Packet<'a>> {
        let packet = self.sound(slot)?;
        let wanted = self.routes[packet.pid().index()] & !TABLES;
        if wanted.trailing_zeros() as usize == ring {
            self.health.see(packet, &mut self.counts);
        }
        (wanted >> ring.min(RINGS) & 1 != 0).then_some(packet)
    }

    /// What comes next does not follow what came last on the PIDs that no ring wants.
    pub fn forget_unwanted(&mut self) {
        let routes = &self.routes;
        self.health.forget(|pid| routes[pid.index()] & !TABLES == 0);
    }

    /// The packet in a slot. What is none is counted.
    fn sound<'a>(&mut self, slot: &'a [u8; PACKET]) -> Option<Packet<'a>> {
        self.counts.packets += 1;
        let why = match Packet::new(slot) {
            Ok(packet) => return Some(packet),
            Err(why) => why,
        };
        let count = match why {
            PacketError::NoSync => &mut self.counts.no_sync,
            PacketError::TransportError => &mut self.counts.transport_errors,
            PacketError::AdaptationField => &mut self.counts.malformed,
        };
        *count += 1;
        None
    }

    /// Slots without a sync byte.
    #[must_use]
    pub fn no_sync(&self) -> u64 {
        self.counts.no_sync
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> DemuxCounts {
        let pmts = self.pmts.iter().map(|(_, filter)| filter.counts());
        let tables =
            [self.pat.counts(), self.nit.counts(), self.sdt.counts(), self.tdt.counts(), self.eit.counts()];
        pmts.chain(tables).fold(self.counts, |all, of| DemuxCounts {
            broken_sections: all.broken_sections + u64::from(of.broken),
            scrambled_sections: all.scrambled_sections + u64::from(of.scrambled),
            ..all
        })
    }

    /// Filters the PMTs on these PIDs from now on, and no others. Those filtered already go on undisturbed.
    pub fn watch_pmts(&mut self, pids: impl Iterator<Item = Pid> + Clone) {
        for (pid, _) in &self.pmts {
            self.routes[pid.index()] &= !TABLES;
        }
        self.pmts.retain(|(pid, _)| pids.clone().any(|wanted| wanted == *pid));
        for pid in pids.filter(|pid| *pid != Pid::NULL && pid.value() > Pid::TDT.value()) {
            if !self.pmts.iter().any(|(known, _)| *known == pid) {
                let _full = self.pmts.push((pid, Assembler::default()));
            }
        }
        for (pid, _) in &self.pmts {
            self.routes[pid.index()] |= TABLES;
        }
    }

    /// Ring `ring` wants these PIDs from now on, and no others.
    pub fn route(&mut self, ring: usize, pids: impl Iterator<Item = Pid>) {
        let bit = 1 << ring.min(RINGS - 1);
        for mask in self.routes.iter_mut() {
            *mask &= !bit;
        }
        for pid in pids.filter(|pid| *pid != Pid::NULL) {
            self.routes[pid.index()] |= bit;
        }
    }

    fn filter(&mut self, packet: Packet<'_>, mut found: impl FnMut(Pid, Section<'_>)) {
        let pid = packet.pid();
        let found = |section: Section<'_>| found(pid, section);
        match pid {
            Pid::PAT => self.pat.push(packet, found),
            Pid::NIT => self.nit.push(packet, found),
            Pid::SDT => self.sdt.push(packet, found),
            Pid::EIT => self.eit.push(packet, found),
            Pid::TDT => self.tdt.push(packet, found),
            _ => {
                if let Some((_, filter)) = self.pmts.iter_mut().find(|(known, _)| *known == pid) {
                    filter.push(packet, found);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(pid: u16) -> [u8; PACKET] {
        let mut bytes = [0xff; PACKET];
        bytes[..4].copy_from_slice(&[0x47, (pid >> 8) as u8, pid as u8, 0x10]);
        bytes
    }

    #[test]
    fn packets_go_to_the_rings_that_asked() {
        let mut demux = Demux::default();
        demux.route(0, [0x101, 0x102].map(Pid::new).into_iter());
        demux.route(3, [0x102, 0x1fff].map(Pid::new).into_iter());
        let mut mask = |pid| demux.push(&slot(pid), |_, _| ()).map(|(_, mask)| mask);
        assert_eq!(
            [mask(0x101), mask(0x102), mask(0x103), mask(0x1fff)],
            [Some(1), Some(0b1001), None, None]
        );
        demux.route(0, [Pid::new(0x103)].into_iter());
        let mut mask = |pid| demux.push(&slot(pid), |_, _| ()).map(|(_, mask)| mask);
        assert_eq!([mask(0x101), mask(0x102), mask(0x103)], [None, Some(0b1000), Some(1)]);
    }

    #[test]
    fn damage_is_counted_and_goes_nowhere() {
        let mut demux = Demux::default();
        demux.route(0, [Pid::new(0x101)].into_iter());
        let mut bad = slot(0x101);
        bad[0] = 0;
        assert!(demux.push(&bad, |_, _| ()).is_none());
        let mut bad = slot(0x101);
        bad[1] |= 0x80;
        assert!(demux.push(&bad, |_, _| ()).is_none());
        let counts = demux.counts();
        assert_eq!((counts.packets, counts.no_sync, counts.transport_errors), (2, 1, 1));
    }
}

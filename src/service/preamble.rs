//! What a reader gets before the packet it starts at.
//!
//! A newcomer gets PAT and PMT. One that jumped gets, before those, a packet per PID that announces the break. The
//! counters are such that the ring's own packets go on behind it without another break.

use heapless::Vec;

use crate::ts::packet::discontinuity;
use crate::ts::packetise::Packetiser;
use crate::ts::psi::COMPONENTS;
use crate::ts::section::Section;
use crate::ts::{PACKET, Pid};

use super::ServiceRing;
use super::rap_index::Rap;
use super::tables::Own;

/// Packets of PAT and PMT at most: the PAT of one programme has one, a PMT six.
const TABLE_PACKETS: usize = 7;
/// Bytes of the longest preamble.
pub const PREAMBLE_BYTES: usize = PACKET * (TABLE_PACKETS + Own::COUNT + COMPONENTS + 1);

/// How a reader comes to a random access point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// It is new: there is nothing before.
    Join,
    /// It was elsewhere in the ring, and something is missing now.
    Jump,
}

impl ServiceRing {
    /// Writes the preamble for `rap` to `out`. The same arguments give the same bytes. `None` once the tables of its
    /// time are no longer known.
    pub fn preamble(&self, rap: &Rap, entrance: Entrance, out: &mut Vec<u8, PREAMBLE_BYTES>) -> Option<()> {
        let generation = self.tables.generation(rap.psi)?;
        let (pat, pmt) = (Section::new(&generation.pat)?, Section::new(&generation.pmt)?);
        let mut emit = |packet: &[u8; PACKET]| {
            let _room = out.extend_from_slice(packet);
        };
        let packets = |section: Section<'_>| section.bytes().len().saturating_add(1).div_ceil(PACKET - 4);
        // Our own tables come again in the preamble, so their counters begin that much earlier.
        let ahead = |own: Own| match own {
            Own::Pat => packets(pat),
            Own::Pmt => packets(pmt),
            _ => 0,
        };
        let first = |own: Own| back(rap.own[own as usize], ahead(own));
        let pid = |own: Own| match own {
            Own::Pat => Pid::PAT,
            Own::Pmt => generation.pmt_pid,
            Own::Sdt => Pid::SDT,
            Own::Eit => Pid::EIT,
            Own::Tdt => Pid::TDT,
        };
        if entrance == Entrance::Jump {
            for own in Own::ALL {
                emit(&discontinuity(pid(own), back(first(own), 1), None));
            }
            for (pid, next) in generation.pids.iter().zip(rap.counters) {
                let pcr = rap.pcr.filter(|_| *pid == generation.pcr_pid && *pid != Pid::NULL);
                emit(&discontinuity(*pid, back(next, 1), pcr));
            }
        }
        for (own, section) in [(Own::Pat, pat), (Own::Pmt, pmt)] {
            Packetiser::starting(pid(own), first(own)).write(section, &mut emit);
        }
        Some(())
    }
}

/// `counter` `n` packets earlier.
fn back(counter: u8, n: usize) -> u8 {
    counter.wrapping_sub(u8::try_from(n & 0x0f).unwrap_or(0)) & 0x0f
}

//! The clock of a programme whose pictures are left out.
//!
//! Where it comes on the PID of the video, the packets of that PID are reduced to their clock: an adaptation field and
//! no payload, 25 a second at most.

use crate::ts::clock::Ticks27M;
use crate::ts::packet::discontinuity;
use crate::ts::psi::Programme;
use crate::ts::{PACKET, Packet, Pid};

/// Clocks nearer than this to the one before are left out. Where they come every 50 ms or more often, they are 100 ms
/// apart at most afterwards (ISO 13818-1 §2.7.2).
const APART: u64 = Ticks27M::SECOND / 25;
/// The counter of packets without payload never advances. Before the first of them a [`Rap`](super::Rap) has the 0 that
/// follows this one.
const COUNTER: u8 = 15;

/// Which PID is reduced, and to what.
pub(super) struct ClockAlone {
    pid: Pid,
    last: Option<Ticks27M>,
}

impl Default for ClockAlone {
    fn default() -> Self {
        Self { pid: Pid::NULL, last: None }
    }
}

impl ClockAlone {
    /// From now on that of `programme`, where none of its components is on it.
    pub(super) fn following(self, programme: &Programme) -> Self {
        let carries = programme.components.iter().any(|c| c.pid == programme.pcr_pid);
        let pid = if carries { Pid::NULL } else { programme.pcr_pid };
        if pid == self.pid { self } else { Self { pid, last: None } }
    }

    /// `pid` is reduced.
    pub(super) fn is_on(&self, pid: Pid) -> bool {
        pid == self.pid && pid != Pid::NULL
    }

    /// What stays of a packet of that PID.
    pub(super) fn reduced(&mut self, packet: Packet<'_>) -> Option<[u8; PACKET]> {
        let pcr = packet.pcr()?;
        let dense = self.last.is_some_and(|last| pcr.since(last) < APART);
        if dense && !packet.is_discontinuity() {
            return None;
        }
        self.last = Some(pcr);
        let mut bytes = discontinuity(self.pid, COUNTER, Some(pcr));
        if !packet.is_discontinuity() {
            bytes[5] &= 0x7f;
        }
        Some(bytes)
    }
}

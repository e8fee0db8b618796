//! Sections into packets, with a continuity counter of our own.

use super::packet::{PACKET, Pid, SYNC};
use super::section::Section;

/// Makes the packets of one PID. Each section starts a packet of its own, the rest of its last packet is stuffing.
pub struct Packetiser {
    pid: Pid,
    /// Counter of the next packet, 0 to 15.
    next: u8,
}

impl Packetiser {
    /// For `pid`, its counter at 0.
    #[must_use]
    pub const fn new(pid: Pid) -> Self {
        Self { pid, next: 0 }
    }

    /// For `pid`, its next packet with `counter`.
    #[must_use]
    pub const fn starting(pid: Pid, counter: u8) -> Self {
        Self { pid, next: counter & 0x0f }
    }

    /// The counter of the next packet.
    #[must_use]
    pub const fn next_counter(&self) -> u8 {
        self.next
    }

    /// The PID it writes.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// From now on the packets carry `pid`; the counter goes on.
    pub fn set_pid(&mut self, pid: Pid) {
        self.pid = pid;
    }

    /// Hands `section` to `out`, packet by packet.
    pub fn write(&mut self, section: Section<'_>, mut out: impl FnMut(&[u8; PACKET])) {
        let mut rest = section.bytes();
        let mut first = true;
        while !rest.is_empty() {
            let mut packet = [0xff; PACKET];
            let [high, low] = self.pid.value().to_be_bytes();
            packet[..4].copy_from_slice(&[SYNC, high | if first { 0x40 } else { 0 }, low, 0x10 | self.next]);
            let start = if first { 5 } else { 4 };
            if first {
                packet[4] = 0; // pointer_field: the section begins right behind it
            }
            let (now, later) = rest.split_at(rest.len().min(PACKET - start));
            packet[start..start + now.len()].copy_from_slice(now);
            out(&packet);
            self.next = (self.next + 1) & 0x0f;
            (rest, first) = (later, false);
        }
    }
}

//! What is known of a stream while it passes: bytes, rate, packets lost. Bytes and durations in, numbers out.

use std::time::Duration;

use crate::ts::packet::{PACKET, Packet, Pid, SYNC};

/// Watches the bytes of one stream, whatever the pieces they come in.
pub(super) struct Meter {
    bytes: u64,
    /// `bytes` at the last [`Meter::rate`].
    rated: u64,
    lost: u64,
    skipped: u64,
    /// The start of a packet whose rest has not come; `torn` bytes of it, below [`PACKET`].
    rest: [u8; PACKET],
    torn: usize,
    /// Where each PID is in its count.
    counts: Vec<Count>,
}

/// Where a PID's continuity counter is (ISO 13818-1 §2.4.3.3).
#[derive(Clone, Copy)]
enum Count {
    /// No packet came yet, so that any may.
    Unseen,
    /// The last packet had this counter.
    Once(u8),
    /// So had the one before it: a duplicate, which may come once.
    Twice(u8),
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            bytes: 0,
            rated: 0,
            lost: 0,
            skipped: 0,
            rest: [0; PACKET],
            torn: 0,
            counts: vec![Count::Unseen; Pid::COUNT],
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        while let Some(&first) = bytes.first() {
            if self.torn == 0 && first != SYNC {
                self.skipped += 1;
                bytes = &bytes[1..];
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PACKET - self.torn));
            self.rest[self.torn..self.torn + now.len()].copy_from_slice(now);
            self.torn += now.len();
            bytes = later;
            if self.torn == PACKET {
                self.torn = 0;
                let packet = self.rest;
                self.count(&packet);
            }
        }
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packets missing so far, by their counters: at least as many were lost, sixteen in a row go unnoticed.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Bytes that belonged to no packet.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Bits per second since the last call, which was `elapsed` ago.
    pub(super) fn rate(&mut self, elapsed: Duration) -> u64 {
        bits_per_second(self.bytes - std::mem::replace(&mut self.rated, self.bytes), elapsed)
    }

    fn count(&mut self, bytes: &[u8; PACKET]) {
        let Ok(packet) = Packet::new(bytes) else { return };
        if packet.pid() == Pid::NULL {
            return; // its counter means nothing
        }
        let count = &mut self.counts[packet.pid().index()];
        if packet.is_discontinuity() {
            *count = Count::Once(packet.counter());
        } else if packet.has_payload() {
            let (next, lost) = count.advance(packet.counter());
            *count = next;
            self.lost += u64::from(lost);
        }
    }
}

impl Count {
    /// The count after a packet with `counter`, and the packets missing before it.
    fn advance(self, counter: u8) -> (Self, u8) {
        match self {
            Self::Unseen => (Self::Once(counter), 0),
            Self::Once(last) if last == counter => (Self::Twice(counter), 0),
            Self::Once(last) | Self::Twice(last) => {
                (Self::Once(counter), counter.wrapping_sub(last + 1) & 0x0f)
            }
        }
    }
}

/// The rate of `bytes` in `elapsed`; 0 where no time passed.
pub(super) fn bits_per_second(bytes: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    bytes.saturating_mul(8_000).checked_div(millis).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::packet::discontinuity;

    fn packet(pid: u8, counter: u8) -> [u8; PACKET] {
        let mut bytes = [0xff; PACKET];
        bytes[..4].copy_from_slice(&[SYNC, 0x01, pid, 0x10 | counter]);
        bytes
    }

    fn lost(packets: &[[u8; PACKET]]) -> u64 {
        let mut meter = Meter::new();
        meter.push(packets.as_flattened());
        meter.lost()
    }

    #[test]
    fn gaps_are_counted_per_pid() {
        assert_eq!(lost(&[packet(1, 14), packet(2, 3), packet(1, 15), packet(2, 4), packet(1, 0)]), 0);
        assert_eq!(lost(&[packet(1, 14), packet(2, 3), packet(1, 1), packet(2, 5)]), 3);
    }

    #[test]
    fn one_duplicate_is_allowed() {
        assert_eq!(lost(&[packet(1, 5), packet(1, 5), packet(1, 6)]), 0);
        assert_eq!(lost(&[packet(1, 5), packet(1, 5), packet(1, 5)]), 15);
    }

    #[test]
    fn an_announced_break_is_no_loss() {
        let announced = discontinuity(Pid::new(0x101), 8, None);
        assert_eq!(lost(&[packet(1, 5), announced, packet(1, 9), packet(1, 11)]), 1);
    }

    #[test]
    fn null_packets_and_packets_without_payload_do_not_count() {
        let null = |counter| {
            let mut bytes = packet(0xff, counter);
            bytes[1] = 0x1f;
            bytes
        };
        let mut bare = discontinuity(Pid::new(0x101), 5, None);
        bare[5] = 0;
        assert_eq!(lost(&[null(1), null(9), packet(1, 5), bare, packet(1, 6)]), 0);
    }

    #[test]
    fn pieces_of_any_size_give_the_same_count() {
        let stream: Vec<_> = (0..40).filter(|i| i % 7 != 3).map(|i| packet(1, i & 15)).collect();
        for size in [1, 3, 187, 188, 189, 1000] {
            let mut meter = Meter::new();
            stream.as_flattened().chunks(size).for_each(|piece| meter.push(piece));
            assert_eq!((meter.lost(), meter.skipped()), (6, 0), "{size}");
            assert_eq!(meter.bytes(), 34 * 188);
        }
    }

    #[test]
    fn bytes_between_packets_are_skipped() {
        let mut meter = Meter::new();
        meter.push(&[1, 2, 3]);
        meter.push(&packet(1, 1));
        meter.push(&[4]);
        meter.push(&packet(1, 2));
        assert_eq!((meter.skipped(), meter.lost()), (4, 0));
    }

    #[test]
    fn the_rate_is_that_of_the_last_period() {
        let mut meter = Meter::new();
        meter.push(&[SYNC; 1000]);
        assert_eq!(meter.rate(Duration::from_secs(1)), 8_000);
        meter.push(&[SYNC; 500]);
        assert_eq!(meter.rate(Duration::from_millis(500)), 8_000);
        assert_eq!(meter.rate(Duration::ZERO), 0);
    }
}

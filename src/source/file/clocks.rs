//! The clocks of a file, by PID: which one shall pace it, and how fast it runs.

use heapless::Vec;

use super::pace::{JUMP, Rate, step};
use crate::ts::Pid;
use crate::ts::clock::Ticks27M;

/// Clocks followed: a mux has one for each programme. A damaged packet can bring another on any PID.
const CLOCKS: usize = 64;

/// What PCRs, or presentation times, tell of each PID that carries some.
#[derive(Default)]
pub(super) struct Clocks(Vec<Clock, CLOCKS>);

/// The clock of one PID.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) pid: Pid,
    pub(super) first: Reference,
    pub(super) last: Reference,
    /// Ticks, and packets, of all intervals without a jump.
    ticks: u64,
    between: u64,
}

/// A time and the packet that carries it.
#[derive(Clone, Copy)]
pub(super) struct Reference {
    pub(super) index: u64,
    pub(super) time: Ticks27M,
}

impl Clocks {
    /// Takes the clock reference of packet `index`.
    pub(super) fn see(&mut self, pid: Pid, index: u64, time: Ticks27M) {
        let reference = Reference { index, time };
        let Some(clock) = self.0.iter_mut().find(|clock| clock.pid == pid) else {
            let clock = Clock { pid, first: reference, last: reference, ticks: 0, between: 0 };
            let _full = self.0.push(clock);
            return;
        };
        if clock.last.time == time {
            return; // a duplicate packet
        }
        if let Some(ticks) = step(clock.last.time, time) {
            clock.ticks += ticks;
            clock.between += index - clock.last.index;
        }
        clock.last = reference;
    }

    /// Takes the presentation time of packet `index`. Pictures come in the order of decoding: one that is shown before
    /// others that came earlier tells nothing.
    pub(super) fn see_presented(&mut self, pid: Pid, index: u64, time: Ticks27M) {
        let newest = self.of(pid).map(|clock| clock.last.time);
        if newest.is_none_or(|newest| newest.since(time) > JUMP) {
            self.see(pid, index, time);
        }
    }

    /// The clock that ran longest, the first of equals. `None` where none runs. One that damage made up does not, or
    /// not for long.
    pub(super) fn longest(&self) -> Option<Clock> {
        let running = self.0.iter().rev().filter(|clock| clock.mean().is_some());
        running.max_by_key(|clock| clock.ticks).copied()
    }

    /// The clock of `pid`.
    pub(super) fn of(&self, pid: Pid) -> Option<Clock> {
        self.0.iter().find(|clock| clock.pid == pid).copied()
    }
}

impl Clock {
    /// The mean rate of the intervals without a jump.
    pub(super) fn mean(&self) -> Option<Rate> {
        Rate::new(self.ticks, self.between)
    }

    /// Ticks from the first reference to the last, whatever the clock did between them.
    pub(super) fn length(&self) -> u64 {
        self.last.time.since(self.first.time)
    }

    /// Packets from the first reference to the last.
    pub(super) fn packets(&self) -> u64 {
        self.last.index - self.first.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = Ticks27M::SECOND / 1000;

    fn clocks(seen: impl IntoIterator<Item = (u16, u64, u64)>) -> Clocks {
        let mut clocks = Clocks::default();
        for (pid, index, ms) in seen {
            clocks.see_presented(Pid::new(pid), index, Ticks27M::new(ms * MS));
        }
        clocks
    }

    #[test]
    fn the_clock_that_runs_longest_paces() {
        let found = clocks([(1, 0, 7), (2, 1, 100), (3, 2, 50), (2, 11, 140), (3, 12, 60), (2, 21, 180)]);
        let best = found.longest().unwrap();
        assert_eq!((best.pid, best.mean(), best.packets()), (Pid::new(2), Rate::new(80 * MS, 20), 20));
        assert!(clocks([(1, 0, 7), (2, 0, 7)]).longest().is_none());
        let equal = clocks([(1, 0, 0), (2, 0, 0), (1, 5, 40), (2, 5, 40)]);
        assert_eq!(equal.longest().unwrap().pid, Pid::new(1));
    }

    #[test]
    fn pictures_out_of_order_are_no_jumps_and_jumps_are_no_time() {
        let reordered = [(1, 0, 500), (1, 10, 620), (1, 20, 540), (1, 30, 580), (1, 40, 740)];
        assert_eq!(clocks(reordered).longest().unwrap().mean(), Rate::new(240 * MS, 40));
        let back =
            reordered.into_iter().chain([(1, 50, 9_000_000), (1, 60, 9_000_060), (1, 70, 100), (1, 80, 160)]);
        assert_eq!(clocks(back).longest().unwrap().mean(), Rate::new(360 * MS, 60));
        let wrap = Ticks27M::WRAP / MS;
        let over = [(1, 0, wrap - 30), (1, 10, wrap + 30), (1, 20, wrap - 10), (1, 30, wrap + 90)];
        assert_eq!(clocks(over).longest().unwrap().mean(), Rate::new(120 * MS, 30));
    }

    #[test]
    fn more_clocks_than_can_be_are_left_out() {
        let many = (0..1000).map(|n| (n % 500, u64::from(n), u64::from(n / 500 * 40)));
        let found = clocks(many);
        assert_eq!(found.0.len(), CLOCKS);
        assert_eq!(found.longest().unwrap().pid, Pid::new(0));
    }
}

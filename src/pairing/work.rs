//! The budget of public-key work: streams share the thread with it.
//!
//! A step multiplies points for some milliseconds, and strangers may ask for it. So at most one step starts in
//! [`TICK`], steps take at most a tenth of the thread's time, and each source gets its share: sources take turns, and
//! what waits has a limit.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use heapless::Vec;

use super::Source;
use crate::reactor::Reactor;
use crate::sys::clock;

/// No two steps start within it: the data street's longest tick with few viewers.
const TICK: Duration = Duration::from_millis(20);
/// After a step the thread is others' for this many times as long.
const REST: u32 = 9;
/// A step that seems to have taken longer was interrupted: by a box that slept, or a debugger.
const LONGEST_STEP: Duration = Duration::from_secs(1);
/// Steps that may wait for their turn.
pub const WAITING: usize = 8;
/// Steps of one source that may wait.
pub const WAITING_PER_SOURCE: usize = 2;
/// Sources whose turn in this round is remembered. When there are more, new ones wait for the next round.
const SERVED: usize = 16;

/// Gives steps their turns.
#[derive(Default)]
pub struct Work {
    line: RefCell<Line>,
}

/// No step may wait: too many do, or too many of this source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl Work {
    /// Runs `work` when it is its turn, or refuses it at once.
    pub async fn step<T>(
        &self,
        reactor: &Reactor,
        source: Source,
        work: impl FnOnce() -> T,
    ) -> Result<T, Busy> {
        let id = self.line.borrow_mut().join(source)?;
        let _place = Place { work: self, id };
        poll_fn(|cx| match self.line.borrow_mut().is_first(id, cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        let rest = self.line.borrow().free_at.saturating_sub(clock::boot());
        reactor.sleep(rest).await.map_err(|_| Busy)?;
        let started = clock::boot();
        let done = work();
        self.line.borrow_mut().free_at = next_start(started, clock::boot());
        Ok(done)
    }
}

/// When the next step may start after one that ran from `started` to `ended`.
fn next_start(started: Duration, ended: Duration) -> Duration {
    let took = ended.saturating_sub(started).min(LONGEST_STEP);
    (started + TICK).max(ended + took * REST)
}

/// Who waits, and whose turn it is.
#[derive(Default)]
struct Line {
    waiting: Vec<Waiting, WAITING>,
    /// The step that may run. It is set whenever one waits.
    first: Option<u64>,
    last_id: u64,
    /// Each source has one turn in a round.
    round: u64,
    /// Sources that had theirs.
    served: Vec<Source, SERVED>,
    /// No step may start before.
    free_at: Duration,
}

struct Waiting {
    id: u64,
    source: Source,
    round: u64,
    waker: Option<Waker>,
}

impl Line {
    fn join(&mut self, source: Source) -> Result<u64, Busy> {
        let own = || self.waiting.iter().filter(|w| w.source == source);
        if own().count() >= WAITING_PER_SOURCE {
            return Err(Busy);
        }
        let served = self.served.is_full() || self.served.contains(&source);
        let next = self.round + u64::from(served);
        let round = own().map(|w| w.round + 1).max().unwrap_or(next);
        let id = self.last_id + 1;
        self.waiting.push(Waiting { id, source, round, waker: None }).map_err(|_| Busy)?;
        self.last_id = id;
        if self.first.is_none() {
            self.call_next();
        }
        Ok(id)
    }

    /// It is `id`'s turn; else `waker` is called when it is.
    fn is_first(&mut self, id: u64, waker: &Waker) -> bool {
        if self.first == Some(id) {
            return true;
        }
        if let Some(waiting) = self.waiting.iter_mut().find(|w| w.id == id) {
            waiting.waker = Some(waker.clone());
        }
        false
    }

    /// Takes `id` out, done or given up; gives the waker of whose turn it became by that.
    fn leave(&mut self, id: u64) -> Option<Waker> {
        self.waiting.retain(|w| w.id != id);
        if self.first != Some(id) {
            return None;
        }
        self.call_next()
    }

    fn call_next(&mut self) -> Option<Waker> {
        let next = self.waiting.iter_mut().min_by_key(|w| (w.round, w.id));
        self.first = next.as_ref().map(|w| w.id);
        let next = next?;
        if next.round > self.round {
            self.round = next.round;
            self.served.clear();
        }
        let _full = self.served.push(next.source);
        next.waker.take()
    }
}

/// A place in the line; it ends with who waits in it.
struct Place<'a> {
    work: &'a Work,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let next = self.work.line.borrow_mut().leave(self.id);
        next.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use smol::LocalExecutor;

    use super::super::sample::run;
    use super::*;

    const fn source(n: u8) -> Source {
        Source::V4([10, 0, 0, n])
    }

    #[test]
    fn steps_take_a_tenth_of_the_time_and_one_starts_in_a_tick() {
        let ms = Duration::from_millis;
        for (took, next) in [(0, 20), (1, 20), (2, 20), (3, 30), (10, 100), (1000, 10_000)] {
            assert_eq!(next_start(ms(500), ms(500 + took)), ms(500 + next), "{took} ms");
        }
        assert_eq!(next_start(ms(0), ms(100_000)), ms(109_000), "an interrupted step counts as a second");
        assert_eq!(next_start(ms(10), ms(5)), ms(30));
    }

    /// The order in which a line that was joined in this order is served, each by the source's number.
    fn served(line: &mut Line, joined: &[u8]) -> std::vec::Vec<u8> {
        let ids: std::vec::Vec<u64> = joined.iter().map(|n| line.join(source(*n)).unwrap()).collect();
        let mut order = std::vec::Vec::new();
        while let Some(first) = line.first {
            order.push(joined[ids.iter().position(|id| *id == first).unwrap()]);
            line.leave(first);
        }
        order
    }

    #[test]
    fn sources_take_turns() {
        let mut line = Line::default();
        assert_eq!(served(&mut line, &[1, 1, 2, 2, 3]), [1, 2, 3, 1, 2]);
        assert_eq!(
            served(&mut line, &[3, 1, 2]),
            [3, 1, 2],
            "nobody waits: nobody owes a turn but within a round"
        );
        assert!(line.waiting.is_empty() && line.first.is_none());
    }

    #[test]
    fn who_comes_again_and_again_does_not_push_others_back() {
        let mut line = Line::default();
        let waits = [line.join(source(9)).unwrap(), line.join(source(9)).unwrap()][1];
        let mut turns = 0;
        // Others are always there, each with its next step as soon as one is done.
        let mut others = [(1, line.join(source(1)).unwrap()), (2, line.join(source(2)).unwrap())];
        while line.first != Some(waits) {
            turns += 1;
            assert!(turns <= 4, "its second turn comes after one of each");
            let first = line.first.unwrap();
            line.leave(first);
            if let Some(other) = others.iter_mut().find(|(_, id)| *id == first) {
                other.1 = line.join(source(other.0)).unwrap();
            }
        }
        // Nor do ever new ones.
        let mut line = Line::default();
        let waits = [line.join(source(255)).unwrap(), line.join(source(255)).unwrap()][1];
        for n in 0..200 {
            let first = line.first.unwrap();
            line.leave(first);
            if first == waits {
                assert!(n <= u32::try_from(SERVED + WAITING).unwrap());
                return;
            }
            let _full = line.join(source(u8::try_from(n).unwrap()));
        }
        panic!("it never came");
    }

    #[test]
    fn what_waits_has_a_limit() {
        let mut line = Line::default();
        assert!(line.join(source(1)).is_ok() && line.join(source(1)).is_ok());
        assert_eq!(line.join(source(1)), Err(Busy));
        for n in 2..8 {
            assert!(line.join(source(n)).is_ok());
        }
        assert_eq!(line.join(source(8)), Err(Busy), "eight wait");
        line.leave(1);
        assert!(line.join(source(1)).is_ok());
    }

    #[test]
    fn steps_are_done_and_one_that_is_given_up_is_passed_over() {
        let (reactor, work, done) = (Rc::new(Reactor::new().unwrap()), Work::default(), Cell::new(0));
        let executor = LocalExecutor::new();
        let step = |n| work.step(&reactor, source(n), || done.set(done.get() + 1));
        let [first, second, third, fourth, last] = [1, 1, 2, 2, 3].map(|n| executor.spawn(step(n)));
        let turn = || work.line.borrow().first;
        run(&reactor, &executor, async {
            // The first is done at once; now the second has its turn and rests, and the others wait.
            assert_eq!((done.get(), work.line.borrow().waiting.len()), (1, 4));
            drop((second, fourth));
            for step in [first, third, last] {
                assert_eq!(step.await, Ok(()));
            }
        });
        assert_eq!(done.get(), 3);
        assert!(work.line.borrow().waiting.is_empty() && turn().is_none());
    }
}

//! Deadlines of tasks.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use smol::future::FutureExt;

use super::Reactor;
use crate::sys::clock;

/// The deadlines that tasks wait for; one kernel timer serves the earliest.
#[derive(Default)]
pub(super) struct Timers {
    /// A slot per waiting task: as many as there were at one time.
    slots: Vec<Option<(Duration, Waker)>>,
    /// What the kernel's timer is set to; `None` when it may be wrong.
    armed: Option<Duration>,
}

impl Timers {
    /// The waker of a deadline that has passed, once.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<Waker> {
        let due = self.slots.iter_mut().find(|s| s.as_ref().is_some_and(|(at, _)| *at <= now))?;
        self.armed = None;
        due.take().map(|(_, waker)| waker)
    }

    /// What the kernel's timer is to be set to, unless it is already.
    pub(super) fn rearm(&mut self) -> Option<Duration> {
        let earliest = self.slots.iter().flatten().map(|(at, _)| *at).min();
        let news = earliest.filter(|at| self.armed != Some(*at));
        self.armed = earliest;
        news
    }

    fn put(&mut self, at: Duration, waker: Waker) -> usize {
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some((at, waker));
        slot
    }
}

/// Completes at a time. Dropping it frees its slot.
struct Deadline<'r> {
    reactor: &'r Reactor,
    at: Duration,
    slot: Option<usize>,
}

impl Future for Deadline<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.forget();
        if clock::boot() >= self.at {
            return Poll::Ready(Ok(()));
        }
        let slot = self.reactor.state.borrow_mut().timers.put(self.at, cx.waker().clone());
        self.slot = Some(slot);
        match self.reactor.arm_deadline() {
            Ok(()) => Poll::Pending,
            Err(e) => Poll::Ready(Err(e)),
        }
    }
}

impl Deadline<'_> {
    fn forget(&mut self) {
        if let Some(slot) = self.slot.take() {
            let timers = &mut self.reactor.state.borrow_mut().timers;
            // A fired slot is empty and may be another's by now: only our own deadline is taken back.
            if timers.slots[slot].as_ref().is_some_and(|(at, _)| *at == self.at) {
                timers.slots[slot] = None;
            }
        }
    }
}

impl Drop for Deadline<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Reactor {
    /// Waits.
    pub async fn sleep(&self, time: Duration) -> io::Result<()> {
        Deadline { reactor: self, at: clock::boot() + time, slot: None }.await
    }

    /// `work`, or `TimedOut` when it takes longer than `time`.
    pub async fn within<T>(
        &self,
        time: Duration,
        work: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let late = async {
            self.sleep(time).await?;
            Err(io::ErrorKind::TimedOut.into())
        };
        work.or(late).await
    }
}

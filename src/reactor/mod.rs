//! The reactor: the one place where the thread waits.
//!
//! Owns epoll, the tick, all timers and the signals. Tasks wait here for their sockets and deadlines; the tick, signals
//! and viewers' sockets are handed to the main loop as [`Event`]s. Knows no task's business.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::Waker;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::sys::clock;

mod connect;
mod io_task;
#[cfg(test)]
pub(crate) mod sample;
mod timer;

pub use io_task::Io;
use timer::Timers;

/// What concerns the main loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The tick's time has come.
    Tick,
    /// The process was asked to stop.
    Stop,
    /// The peer of a watched socket hung up. The number is what [`Reactor::watch_hangup`] was given.
    HungUp(u64),
}

/// Events taken from the kernel at one time.
const EVENTS: usize = 64;

/// Owns everything the thread can wait for.
pub struct Reactor {
    epoll: Epoll,
    tick: TimerFd,
    deadline: TimerFd,
    signals: SignalFd,
    state: RefCell<State>,
}

struct State {
    tasks: Vec<Option<Waiting>>,
    timers: Timers,
    period: Option<Duration>,
}

/// The tasks that wait for one socket.
#[derive(Default)]
struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a registration is for: the top byte of the kernel's 64 bits, the rest is a number.
mod token {
    pub(super) const TICK: u64 = 1 << 56;
    pub(super) const DEADLINE: u64 = 2 << 56;
    pub(super) const SIGNALS: u64 = 3 << 56;
    pub(super) const TASK: u64 = 4 << 56;
    pub(super) const HANGUP: u64 = 5 << 56;
    pub(super) const KIND: u64 = 0xff << 56;
}

impl Reactor {
    /// Takes over SIGTERM, SIGINT and SIGHUP; SIGPIPE is ignored by Rust's start-up already.
    pub fn new() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()?;
        let timer =
            || TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC);
        let reactor = Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            tick: timer()?,
            deadline: timer()?,
            signals: SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?,
            state: RefCell::new(State { tasks: Vec::new(), timers: Timers::default(), period: None }),
        };
        reactor.add(reactor.tick.as_fd(), token::TICK, EpollFlags::EPOLLIN)?;
        reactor.add(reactor.deadline.as_fd(), token::DEADLINE, EpollFlags::EPOLLIN)?;
        reactor.add(reactor.signals.as_fd(), token::SIGNALS, EpollFlags::EPOLLIN)?;
        Ok(reactor)
    }

    /// Ticks every `period` from now on; not at all for `None`.
    pub fn set_tick(&self, period: Option<Duration>) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        if state.period == period {
            return Ok(());
        }
        state.period = period;
        match period {
            Some(period) => self.tick.set(
                Expiration::Interval(TimeSpec::from_duration(period.max(Duration::from_micros(1)))),
                TimerSetTimeFlags::empty(),
            )?,
            None => self.tick.unset()?,
        }
        Ok(())
    }

    /// Hands the main loop [`Event::HungUp`] with `number`, below 2^56, once the peer of `socket` hangs up. It ends
    /// with the socket.
    pub fn watch_hangup(&self, socket: BorrowedFd<'_>, number: u64) -> io::Result<()> {
        self.add(socket, token::HANGUP | number & !token::KIND, EpollFlags::EPOLLRDHUP)
    }

    /// Waits until something happens, or not at all while `busy`; wakes the tasks it concerns and hands the rest to
    /// `found`.
    pub fn wait(&self, busy: bool, mut found: impl FnMut(Event)) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS];
        let timeout = if busy { EpollTimeout::ZERO } else { EpollTimeout::NONE };
        let n = match self.epoll.wait(&mut events, timeout) {
            Err(nix::Error::EINTR) => 0,
            other => other?,
        };
        for event in &events[..n] {
            match event.data() & token::KIND {
                token::TICK => {
                    if read_timer(&self.tick) {
                        found(Event::Tick);
                    }
                }
                token::DEADLINE => {
                    read_timer(&self.deadline);
                    self.fire_timers()?;
                }
                token::SIGNALS => {
                    while let Ok(Some(_)) = self.signals.read_signal() {
                        found(Event::Stop);
                    }
                }
                token::TASK => self.wake(event),
                _ => found(Event::HungUp(event.data() & !token::KIND)),
            }
        }
        Ok(())
    }

    fn add(&self, fd: BorrowedFd<'_>, token: u64, flags: EpollFlags) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(flags, token))?)
    }

    fn wake(&self, event: &EpollEvent) {
        let Ok(index) = usize::try_from(event.data() & !token::KIND) else { return };
        let flags = event.events();
        let broken = flags.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
        let mut state = self.state.borrow_mut();
        let Some(waiting) = state.tasks.get_mut(index).and_then(Option::as_mut) else { return };
        let reader = waiting.reader.take_if(|_| broken || flags.intersects(EpollFlags::EPOLLIN));
        let writer = waiting.writer.take_if(|_| broken || flags.intersects(EpollFlags::EPOLLOUT));
        drop(state); // a waker may come back here
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }

    fn fire_timers(&self) -> io::Result<()> {
        loop {
            let due = self.state.borrow_mut().timers.take_due(clock::boot());
            let Some(waker) = due else { break };
            waker.wake();
        }
        self.arm_deadline()
    }

    /// Sets the kernel's timer to the earliest deadline.
    fn arm_deadline(&self) -> io::Result<()> {
        let Some(at) = self.state.borrow_mut().timers.rearm() else { return Ok(()) };
        let at = at.max(Duration::from_nanos(1)); // zero would disarm
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        Ok(self.deadline.set(Expiration::OneShot(TimeSpec::from_duration(at)), flags)?)
    }
}

/// Takes the expirations; says whether there were any.
fn read_timer(timer: &TimerFd) -> bool {
    let mut count = [0; 8];
    nix::unistd::read(timer.as_fd(), &mut count).is_ok()
}

#[cfg(test)]
mod tests;

//! Sockets of tasks: non-blocking reads and writes that wait in the reactor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use embedded_io_async::{ErrorType, Read, Write};
use nix::sys::epoll::{EpollEvent, EpollFlags};
use smol::future::poll_fn;

use super::{Reactor, Waiting, token};

/// A non-blocking socket that one task reads and writes.
pub struct Io {
    /// `None` once it was given away.
    fd: Option<OwnedFd>,
    reactor: Rc<Reactor>,
    index: usize,
}

impl Io {
    /// Registers `fd`, which must be non-blocking.
    pub fn new(reactor: &Rc<Reactor>, fd: OwnedFd) -> io::Result<Self> {
        let index = {
            let tasks = &mut reactor.state.borrow_mut().tasks;
            let free = tasks.iter().position(Option::is_none).unwrap_or_else(|| {
                tasks.push(None);
                tasks.len() - 1
            });
            tasks[free] = Some(Waiting::default());
            free
        };
        let io = Self { fd: Some(fd), reactor: Rc::clone(reactor), index };
        reactor.add(io.fd(), token::TASK | index as u64, EpollFlags::EPOLLONESHOT)?;
        Ok(io)
    }

    /// The descriptor.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect("the descriptor is taken only by into_fd, which consumes self").as_fd()
    }

    /// Takes it out of the reactor and gives the descriptor away.
    #[must_use]
    pub fn into_fd(mut self) -> OwnedFd {
        self.leave();
        self.fd.take().expect("the descriptor is taken only here, which consumes self")
    }

    /// Does `work`, a non-blocking system call, as soon as the descriptor is ready for reading.
    pub async fn when_readable<T>(
        &self,
        work: impl FnMut(BorrowedFd<'_>) -> nix::Result<T>,
    ) -> io::Result<T> {
        self.when(work, |waiting, waker| waiting.reader = Some(waker)).await
    }

    pub(super) async fn when_writable<T>(
        &self,
        work: impl FnMut(BorrowedFd<'_>) -> nix::Result<T>,
    ) -> io::Result<T> {
        self.when(work, |waiting, waker| waiting.writer = Some(waker)).await
    }

    /// Tries `work`; while it would block, leaves the task's waker by `wait` and sleeps.
    async fn when<T>(
        &self,
        mut work: impl FnMut(BorrowedFd<'_>) -> nix::Result<T>,
        wait: impl Fn(&mut Waiting, Waker),
    ) -> io::Result<T> {
        poll_fn(|cx: &mut Context<'_>| {
            loop {
                match work(self.fd()) {
                    Err(nix::Error::EAGAIN) => break,
                    Err(nix::Error::EINTR) => {}
                    done => return Poll::Ready(done.map_err(Into::into)),
                }
            }
            match self.listen(|waiting| wait(waiting, cx.waker().clone())) {
                Ok(()) => Poll::Pending,
                Err(e) => Poll::Ready(Err(e)),
            }
        })
        .await
    }

    /// Leaves a waker and tells the kernel what is waited for now.
    fn listen(&self, wait: impl FnOnce(&mut Waiting)) -> io::Result<()> {
        let mut state = self.reactor.state.borrow_mut();
        let waiting = state.tasks[self.index].get_or_insert_default();
        wait(waiting);
        let mut flags = EpollFlags::EPOLLONESHOT;
        flags.set(EpollFlags::EPOLLIN, waiting.reader.is_some());
        flags.set(EpollFlags::EPOLLOUT, waiting.writer.is_some());
        let mut event = EpollEvent::new(flags, token::TASK | self.index as u64);
        Ok(self.reactor.epoll.modify(self.fd(), &mut event)?)
    }

    fn leave(&self) {
        if let Some(fd) = &self.fd {
            let left = self.reactor.epoll.delete(fd);
            debug_assert!(left.is_ok(), "it was registered by new");
            self.reactor.state.borrow_mut().tasks[self.index] = None;
        }
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        self.leave();
    }
}

impl AsFd for Io {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}

impl ErrorType for Io {
    type Error = io::Error;
}

impl Read for Io {
    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.when_readable(|fd| nix::unistd::read(fd, buf)).await
    }
}

impl Write for Io {
    async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.when_writable(|fd| nix::unistd::write(fd, buf)).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(()) // the kernel's buffer is the only one
    }
}

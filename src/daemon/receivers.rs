//! What the helpers of the frontends say is heard when they say it, without a tick.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use smol::LocalExecutor;

use crate::api::SetTopBox;
use crate::reactor::Io;
use crate::sys::clock;

/// Begins to listen, a task for each receiver.
pub(super) fn attend(stb: &Rc<SetTopBox>, executor: &Rc<LocalExecutor<'static>>) {
    let receivers = stb.tuners.borrow().receivers().count();
    for receiver in 0..receivers {
        executor.spawn(listen(Rc::clone(stb), receiver)).detach();
    }
}

async fn listen(stb: Rc<SetTopBox>, receiver: usize) {
    loop {
        // Each restart of the helper makes another line.
        let line = poll_fn(|cx| stb.tuners.borrow_mut().poll_line(cx, receiver)).await;
        if let Err(e) = follow(&stb, line).await {
            log::warn!("tuner {receiver}: the line to its helper: {e}");
            return;
        }
    }
}

/// Returns when the line is not the receiver's any more: it has ended, or what is in it nobody takes.
async fn follow(stb: &Rc<SetTopBox>, line: OwnedFd) -> io::Result<()> {
    // The messages themselves are taken by `poll_frontends`.
    let peek =
        |fd: BorrowedFd<'_>| recv(fd.as_raw_fd(), &mut [0; 1], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
    let line = Io::new(&stb.reactor, line)?;
    loop {
        let ended = matches!(line.when_readable(peek).await, Ok(0) | Err(_));
        stb.tuners.borrow_mut().poll_frontends(clock::boot());
        if ended || peek(line.fd()) != Err(Errno::EAGAIN) {
            return Ok(());
        }
    }
}

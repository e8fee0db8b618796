//! DNS by UDP and TCP, and what goes out: NOTIFY to secondaries, updates to another server.
//!
//! Each loop is a future for the one thread of the service. None holds a borrow while it waits, and each gives way
//! after a bounded piece of work.

use std::future::Future;
use std::io;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future;

use crate::nameserver::{Directory, Nameserver, Now, Ticket};
#[cfg(test)]
use crate::nameserver::{Notifier, Publisher, sample as sample_of_names};

mod notify;
mod publish;
mod tcp;
mod udp;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use notify::notify;
pub use publish::publish;
pub use tcp::{TcpLimits, serve_tcp};
pub use udp::serve_udp;

/// What the loops serve from.
pub trait Host {
    /// Who has which name.
    type Directory: Directory;

    /// The time.
    fn now(&self) -> Now;

    /// Uses the responder. It must not be called from within itself.
    fn with<R>(&self, act: impl FnOnce(&mut Nameserver, &mut Self::Directory) -> R) -> R;

    /// Waits until a commit is on disk; `false`: it failed. It is called right after the ticket was given, perhaps within
    /// [`with`](Self::with), and awaited later.
    fn committed(&self, ticket: Ticket) -> impl Future<Output = bool>;
}

/// Waits for `future`, but not for longer than `limit`.
async fn within<T>(limit: Duration, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    future::or(future, async {
        Timer::after(limit).await;
        Err(io::ErrorKind::TimedOut.into())
    })
    .await
}

/// An ID that nobody can guess (RFC 5452 §9.2).
fn random_id() -> io::Result<u16> {
    let mut id = [0; 2];
    crate::sys::random::fill(&mut id)?;
    Ok(u16::from_be_bytes(id))
}

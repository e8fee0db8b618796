//! What is done meanwhile: requests to the service, writes to flash. The task polls them beside its sockets.

use std::net::IpAddr;
use std::task::{Context, Poll};

use smol::future::{BoxedLocal, poll_fn};

use super::claim::{Outcome, Wanted};
use super::record::Service;
use super::service::PacketAnswer;

/// What came of a job.
pub(super) enum Done {
    /// A heartbeat's packet went by HTTPS, of the heart with this number.
    Posted(u32, PacketAnswer),
    /// Flash has the counters of the heart with this number, or has them not.
    Saved(u32, bool),
    /// Something else is on flash, or the log says why it is not.
    Written,
    /// The service's addresses.
    Resolved(std::io::Result<heapless::Vec<IpAddr, { crate::resolver::ADDRESSES }>>, u16),
    /// A claim.
    Claimed(Box<Wanted>, Outcome),
    /// Where the service is going to be.
    Moved(Result<Service, String>),
    /// The service was told of the box what has this hash; or was not.
    Told(Option<u64>),
}

/// A job that is to be begun.
pub(super) type Job = BoxedLocal<Done>;

/// The jobs under way: a handful, since each kind is begun once at a time.
#[derive(Default)]
pub(super) struct Jobs(Vec<Job>);

impl Jobs {
    pub(super) fn add(&mut self, todo: &mut Vec<Job>) {
        self.0.append(todo);
    }

    /// What the next of them comes to.
    pub(super) async fn next(&mut self) -> Done {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        for i in 0..self.0.len() {
            if let Poll::Ready(done) = self.0[i].as_mut().poll(cx) {
                drop(self.0.swap_remove(i));
                return Poll::Ready(done);
            }
        }
        Poll::Pending
    }
}

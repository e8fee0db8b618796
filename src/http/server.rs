//! The accept loop.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, getpeername, getsockname, listen,
    setsockopt, socket, sockopt,
};
use smol::lock::{Semaphore, SemaphoreGuardArc};

use super::Status;
use super::connection::{Head, HeadBuffer};
use super::seats::{NoSeat, Seat, Seats};
use super::wall::Wall;
use crate::reactor::{Io, Reactor};

/// After an accept that failed for want of something, the next try waits.
const BREATH: Duration = Duration::from_millis(100);

/// The buffers of request heads; while all are in use, new connections wait in the kernel's queue.
pub struct Heads {
    /// Those that were ever needed and are not now: the one given back last is the next, so that few are touched.
    free: RefCell<Vec<Box<HeadBuffer>>>,
    permits: std::sync::Arc<Semaphore>,
}

/// A buffer of the pool; dropping it gives it back.
pub struct HeadLoan {
    buffer: Option<Box<HeadBuffer>>,
    heads: Rc<Heads>,
    _permit: SemaphoreGuardArc,
}

impl Heads {
    /// A pool of `count` buffers.
    #[must_use]
    pub fn new(count: usize) -> Rc<Self> {
        let free = RefCell::new(Vec::with_capacity(count));
        Rc::new(Self { free, permits: std::sync::Arc::new(Semaphore::new(count)) })
    }

    async fn take(self: &Rc<Self>) -> HeadLoan {
        let permit = self.permits.acquire_arc().await;
        let buffer = self.free.borrow_mut().pop();
        HeadLoan { buffer, heads: Rc::clone(self), _permit: permit }
    }
}

impl HeadLoan {
    /// The buffer.
    pub fn buffer(&mut self) -> &mut HeadBuffer {
        self.buffer.get_or_insert_default() // no more than there are permits
    }
}

impl Drop for HeadLoan {
    fn drop(&mut self) {
        if let Some(mut buffer) = self.buffer.take() {
            buffer.clear();
            self.heads.free.borrow_mut().push(buffer);
        }
    }
}

/// A connection that was accepted.
pub struct Accepted {
    /// Its socket.
    pub stream: Io,
    /// The address the client came to.
    pub local: IpAddr,
    /// The address it came from.
    pub peer: IpAddr,
    /// The right to be connected.
    pub seat: Seat,
    /// The buffer for its request heads.
    pub head: HeadLoan,
}

/// Listens on `address`.
pub fn listener(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    // Connections have it from their listener. A body follows its head in a write of its own, which would otherwise wait
    // until the client has confirmed the head: 40 ms, where it waits to do so.
    setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
    if family == AddressFamily::Inet6 {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?; // IPv4 has a listener of its own, where it is wanted
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&socket, Backlog::new(1024).unwrap_or(Backlog::MAXCONN))?;
    Ok(socket)
}

/// The address `listener` is bound to, its port chosen.
pub fn bound_to(listener: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let address = getsockname::<SockaddrStorage>(listener.as_raw_fd())?;
    to_std(&address).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Accepts for ever and hands every connection that the wall admits and that has a seat to `found`. Who has no seat is
/// told why not.
pub async fn accept_all(
    listener: OwnedFd,
    reactor: Rc<Reactor>,
    (wall, seats, heads): (Rc<Wall>, Rc<Seats>, Rc<Heads>),
    mut found: impl FnMut(Accepted),
) -> io::Result<()> {
    let listener = Io::new(&reactor, listener)?;
    loop {
        let head = heads.take().await;
        let (stream, peer, local) = match listener.when_readable(accept).await {
            Ok(accepted) => accepted,
            Err(e) => {
                // Out of descriptors or memory, or a client that left: none of it ends the server.
                log::debug!("accept: {e}");
                reactor.sleep(BREATH).await?;
                continue;
            }
        };
        if !wall.admits(peer, local) {
            continue; // without a word: who is not at home learns nothing
        }
        match seats.take(peer) {
            Ok(seat) => match Io::new(&reactor, stream) {
                Ok(stream) => found(Accepted { stream, local, peer, seat, head }),
                Err(e) => log::warn!("a connection cannot be watched: {e}"),
            },
            Err(why) => turn_away(&stream, why),
        }
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::from((a.ip(), a.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::from((a.ip(), a.port()))))
}

fn accept(listener: BorrowedFd<'_>) -> nix::Result<(OwnedFd, IpAddr, IpAddr)> {
    let stream = crate::sys::socket::accept(listener)?;
    let ip = |address: SockaddrStorage| to_std(&address).map(|a| a.ip().to_canonical());
    let peer = getpeername::<SockaddrStorage>(stream.as_raw_fd()).map(ip)?.ok_or(nix::Error::EAFNOSUPPORT)?;
    let local =
        getsockname::<SockaddrStorage>(stream.as_raw_fd()).map(ip)?.ok_or(nix::Error::EAFNOSUPPORT)?;
    Ok((stream, peer, local))
}

/// Tells a client in one write that there is no place for it.
fn turn_away(stream: &OwnedFd, why: NoSeat) {
    let sentence = match why {
        NoSeat::Full(n) => format!("all {n} connections of this box are taken"),
        NoSeat::SourceFull(n) => format!("your address has all {n} connections it may have"),
    };
    let body = format!("{{\"error\":\"{sentence}\"}}");
    let mut head = Head::new(Status::ServiceUnavailable, "application/json");
    head.line(format_args!("Content-Length: {}", body.len()));
    head.line(format_args!("Retry-After: 10"));
    head.line(format_args!("Connection: close"));
    let reply = [head.finish(), body.as_bytes()].concat();
    // Read what is there already: closing over unread data would reset the reply away.
    let mut unread = [0; 2048];
    let _request = nix::unistd::read(stream.as_fd(), &mut unread);
    if let Err(e) = nix::unistd::write(stream.as_fd(), &reply) {
        log::debug!("a client left before it was told that all seats are taken: {e}");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn who_is_turned_away_is_told_why_as_in_every_reply() {
        let (mut client, server) = UnixStream::pair().unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        turn_away(&server.into(), NoSeat::SourceFull(24));
        let mut reply = String::new();
        client.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "{\"error\":\"your address has all 24 connections it may have\"}");
        for line in [
            "HTTP/1.1 503 Service Unavailable",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
            &format!("Content-Length: {}", body.len()),
        ] {
            assert!(head.lines().any(|l| l == line), "{line}: {head}");
        }
    }
}

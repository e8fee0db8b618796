//! Sockets of tasks that ask somebody else: connected, without a wait in the kernel.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, getpeername, getsockopt, socket, sockopt,
};

use super::{Io, Reactor};

impl Io {
    /// A TCP connection to `to`. Takes as long as the kernel tries: set a deadline.
    pub async fn connect_tcp(reactor: &Rc<Reactor>, to: SocketAddr) -> io::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd: OwnedFd = socket(family, SockType::Stream, flags, None)?;
        match connect(fd.as_raw_fd(), &SockaddrStorage::from(to)) {
            Ok(()) | Err(nix::Error::EINPROGRESS | nix::Error::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        let io = Self::new(reactor, fd)?;
        io.when_writable(|fd| match getsockopt(&fd, sockopt::SocketError)? {
            0 => match getpeername::<SockaddrStorage>(fd.as_raw_fd()) {
                Err(nix::Error::ENOTCONN) => Err(nix::Error::EAGAIN),
                other => other.map(drop),
            },
            error => Err(nix::Error::from_raw(error)),
        })
        .await?;
        Ok(io)
    }

    /// A UDP socket with a port of the kernel's choice that hears `to` alone, and what ICMP says of it.
    pub fn connect_udp(reactor: &Rc<Reactor>, to: SocketAddr) -> io::Result<Self> {
        let socket = match to {
            SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
            SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
        };
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        Self::new(reactor, socket.into())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use embedded_io_async::{Read, Write};

    use super::super::sample::run;
    use super::*;

    #[test]
    fn a_connection_is_made_or_refused() {
        let reactor = Rc::new(Reactor::new().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut io = run(&reactor, Io::connect_tcp(&reactor, address)).unwrap();
        let (peer, _) = listener.accept().unwrap();
        io::Write::write_all(&mut &peer, b"x").unwrap();
        let mut byte = [0];
        assert_eq!((run(&reactor, io.read(&mut byte)).unwrap(), byte), (1, *b"x"));
        drop(listener);
        let refused = run(&reactor, Io::connect_tcp(&reactor, address));
        assert_eq!(refused.err().map(|e| e.kind()), Some(io::ErrorKind::ConnectionRefused));
    }

    #[test]
    fn datagrams_of_others_are_not_heard() {
        let reactor = Rc::new(Reactor::new().unwrap());
        let [peer, other] = [(), ()].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let mut io = Io::connect_udp(&reactor, peer.local_addr().unwrap()).unwrap();
        run(&reactor, io.write_all(b"ask")).unwrap();
        let (_, from) = peer.recv_from(&mut [0; 8]).unwrap();
        other.send_to(b"lie", from).unwrap();
        peer.send_to(b"answer", from).unwrap();
        let mut answer = [0; 16];
        let size = run(&reactor, io.read(&mut answer)).unwrap();
        assert_eq!(&answer[..size], b"answer");
    }
}

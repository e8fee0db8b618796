//! The sockets that heartbeats go by, and where they go. Never waits.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, SockaddrStorage, recv, sendto};
use smol::future::{self, FutureExt};

use crate::reactor::{Io, Reactor};
use crate::registration::PACKET_MAX;
use crate::resolver;

/// A socket that fails is looked at again after this.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A socket for each family, the same ones for as long as the box runs, so that a router keeps its mapping.
pub(super) struct Line {
    reactor: Rc<Reactor>,
    v4: Option<Io>,
    v6: Option<Io>,
}

impl Line {
    pub(super) fn new(reactor: &Rc<Reactor>) -> Self {
        let socket = |ip: IpAddr| {
            let io = UdpSocket::bind((ip, 0)).and_then(|socket| {
                socket.set_nonblocking(true)?;
                Io::new(reactor, socket.into())
            });
            io.inspect_err(|e| log::debug!("heartbeats from {ip}: {e}")).ok()
        };
        let v4 = socket(Ipv4Addr::UNSPECIFIED.into());
        let v6 = socket(Ipv6Addr::UNSPECIFIED.into());
        Self { reactor: Rc::clone(reactor), v4, v6 }
    }

    pub(super) fn send(&self, to: SocketAddr, packet: &[u8]) -> io::Result<()> {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        let socket = socket.as_ref().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let flags = MsgFlags::MSG_DONTWAIT;
        sendto(socket.fd().as_raw_fd(), packet, &SockaddrStorage::from(to), flags)?;
        Ok(())
    }

    /// The next datagram, from whomever.
    pub(super) async fn receive(&self, buffer: &mut [u8; PACKET_MAX + 1]) -> usize {
        let mut other = [0; PACKET_MAX + 1];
        let (size, from_v4) = {
            let v4 = async { (self.receive_by(self.v4.as_ref(), buffer).await, true) };
            let v6 = async { (self.receive_by(self.v6.as_ref(), &mut other).await, false) };
            v4.or(v6).await
        };
        if !from_v4 {
            *buffer = other;
        }
        size
    }

    async fn receive_by(&self, socket: Option<&Io>, buffer: &mut [u8]) -> usize {
        let Some(socket) = socket else { return future::pending().await };
        loop {
            let take = |fd: std::os::fd::BorrowedFd<'_>| {
                recv(fd.as_fd().as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)
            };
            match socket.when_readable(take).await {
                Ok(size) => return size,
                Err(e) => {
                    log::debug!("heartbeats: {e}");
                    let _late = self.reactor.sleep(AFTER_FAILURE).await;
                }
            }
        }
    }
}

/// The service's addresses, and which one is used.
#[derive(Default)]
pub(super) struct Targets {
    list: heapless::Vec<SocketAddr, { resolver::ADDRESSES }>,
    current: usize,
}

impl Targets {
    /// Of `ips`, those of IPv4 first: what they are reached from is what no packet can tell of itself, while the box's
    /// own IPv6 addresses stand in its beats.
    pub(super) fn new(ips: &[IpAddr], port: u16) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) = ips.iter().partition::<Vec<IpAddr>, _>(|ip| ip.is_ipv4());
        Self { list: v4.into_iter().chain(v6).map(|ip| SocketAddr::new(ip, port)).collect(), current: 0 }
    }

    /// The next one; `false` when all had their turn.
    pub(super) fn turn(&mut self) -> bool {
        self.current += 1;
        self.current < self.list.len()
    }

    /// Sends to the current one, or to the first after it that the kernel has a way to. `false`: there is none.
    pub(super) fn send(&mut self, line: &Line, packet: &[u8]) -> bool {
        for _ in 0..self.list.len() {
            self.current %= self.list.len();
            match line.send(self.list[self.current], packet) {
                Ok(()) => return true,
                Err(e) => log::debug!("heartbeat to {}: {e}", self.list[self.current]),
            }
            self.current += 1;
        }
        false
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Host and port of `host:port`; an IPv6 address has its brackets.
pub(super) fn split(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_whole = !host.is_empty() && (bare.is_some() || !host.contains(':'));
    is_whole.then_some((bare.unwrap_or(host), port.parse().ok().filter(|port| *port > 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_told_apart() {
        assert_eq!(split("hb.box.test:4710"), Some(("hb.box.test", 4710)));
        assert_eq!(split("192.0.1.3:1"), Some(("192.0.1.3", 1)));
        assert_eq!(split("[2001:db8::1]:53"), Some(("2001:db8::1", 53)));
        for text in ["", "host", "host:", ":1", "host:0", "host:65536", "2001:db8::1:53", "host:x"] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    #[test]
    fn ipv4_comes_first_and_all_have_their_turn() {
        let ips = ["2001:db8::1", "192.0.1.1", "2001:db8::2"].map(|ip| ip.parse().unwrap());
        let mut targets = Targets::new(&ips, 9);
        let order: Vec<String> = targets.list.iter().map(ToString::to_string).collect();
        assert_eq!(order, ["192.0.1.1:9", "[2001:db8::1]:9", "[2001:db8::2]:9"]);
        assert_eq!([targets.turn(), targets.turn(), targets.turn()], [true, true, false]);
    }

    #[test]
    fn what_is_sent_to_the_box_comes_from_either_family() {
        let reactor = Rc::new(Reactor::new().unwrap());
        let line = Line::new(&reactor);
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut targets = Targets::new(&[peer.local_addr().unwrap().ip()], peer.local_addr().unwrap().port());
        assert!(targets.send(&line, b"beat"));
        let mut buffer = [0; PACKET_MAX + 1];
        let (size, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..size], b"beat");
        peer.send_to(b"answer", from).unwrap();
        let executor = smol::LocalExecutor::new();
        let got = executor.spawn(async move {
            let size = line.receive(&mut buffer).await;
            buffer[..size].to_vec()
        });
        while !got.is_finished() {
            if !executor.try_tick() {
                reactor.wait(false, |_| ()).unwrap();
            }
        }
        assert_eq!(smol::block_on(got), b"answer");
    }
}

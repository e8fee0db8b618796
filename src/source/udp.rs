//! A mux by UDP: datagrams of whole packets, received many at a time straight into the caller's buffer.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};

use super::url::Group;
use super::{SourceCounts, SourceError};
use crate::sys::datagram::{self, Datagram};
use crate::sys::socket as options;
use crate::ts::PACKET;

/// Bytes of a datagram: seven packets, what fits an Ethernet frame and what all senders use.
const SLOT: usize = 7 * PACKET;

/// A socket in its group.
pub struct UdpInput {
    socket: OwnedFd,
    counts: SourceCounts,
}

impl UdpInput {
    /// Binds to the group's address and joins it. `buffer_bytes` is what the kernel shall hold for us.
    pub fn open(group: &Group, buffer_bytes: usize) -> Result<Self, SourceError> {
        let failed = |what: &str| {
            let what = format!("{what} {}", group.address);
            move |e: io::Error| SourceError::Socket(what, e)
        };
        let index = match &group.interface {
            None => 0,
            Some(name) => nix::net::if_::if_nametoindex(name.as_str())
                .map_err(|_| SourceError::NoInterface(name.clone()))?,
        };
        let socket = bound(group.address, index).map_err(failed("cannot listen on"))?;
        hold(&socket, buffer_bytes);
        // Asked for, not needed: without it drops in the kernel go uncounted.
        if let Err(e) = setsockopt(&socket, sockopt::RxqOvfl, &1) {
            log::debug!("{}: SO_RXQ_OVFL: {e}", group.address);
        }
        if group.address.ip().is_multicast() {
            let v6 = group.address.is_ipv6();
            options::only_own_groups(socket.as_fd(), v6).map_err(failed("cannot restrict"))?;
            options::join(socket.as_fd(), group.address.ip(), group.sender, index)
                .map_err(failed("cannot join"))?;
        }
        Ok(Self { socket, counts: SourceCounts::default() })
    }

    /// Takes what has come, as far as it fits.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let mut filled = 0;
        loop {
            let room = &mut buffer[filled..];
            if room.len() < SLOT {
                return Ok(filled);
            }
            let got = datagram::receive(self.socket.as_fd(), room, SLOT)
                .map_err(|e| SourceError::Socket("cannot receive".into(), e))?;
            if let Some(dropped) = got.dropped {
                self.counts.dropped_datagrams = u64::from(dropped);
            }
            filled += self.close_up(room, &got.datagrams);
            if got.datagrams.len() < datagram::BATCH {
                return Ok(filled);
            }
        }
    }

    /// Damage so far.
    #[must_use]
    pub fn counts(&self) -> SourceCounts {
        self.counts
    }

    /// Brings the packets of short datagrams together. Nothing moves while all datagrams are full. Gives the bytes
    /// of whole packets.
    fn close_up(&mut self, room: &mut [u8], datagrams: &[Datagram]) -> usize {
        let mut filled = 0;
        for (i, datagram) in datagrams.iter().enumerate() {
            let whole = datagram.len / PACKET * PACKET;
            self.counts.skipped_bytes += (datagram.len - whole) as u64;
            self.counts.sync_losses += u64::from(whole != datagram.len || datagram.truncated);
            if filled != i * SLOT {
                room.copy_within(i * SLOT..i * SLOT + whole, filled);
            }
            filled += whole;
        }
        filled
    }
}

/// A socket bound to the group, which several programs may be. `interface` is the index of that to join on, or 0.
fn bound(address: SocketAddr, interface: u32) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Datagram, flags, None)?;
    if address.ip().is_multicast() {
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    }
    let mut scoped = address;
    // A link-local group is bound on its interface or not at all (ipv6(7)); for others the kernel ignores the scope.
    if let SocketAddr::V6(v6) = &mut scoped
        && interface != 0
    {
        v6.set_scope_id(interface);
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(scoped))?;
    Ok(socket)
}

/// Lets the kernel hold `bytes` for the socket; with a warning, as much as an unprivileged program may have.
fn hold(socket: &OwnedFd, bytes: usize) {
    if setsockopt(socket, sockopt::RcvBufForce, &bytes).is_ok() {
        return;
    }
    let asked = setsockopt(socket, sockopt::RcvBuf, &bytes);
    // The kernel doubles what it grants, for its own bookkeeping (socket(7)).
    let granted = nix::sys::socket::getsockopt(socket, sockopt::RcvBuf).unwrap_or(0) / 2;
    if asked.is_err() || granted < bytes {
        log::warn!("the kernel holds {granted} bytes of input, not {bytes}: raise net.core.rmem_max");
    }
}

//! A mux by UDP: datagrams of whole packets, received many at a time straight into the caller's buffer.
//!
//! They may be RTP, on any source: the sender decides, datagram by datagram. Nothing is copied while datagrams are full,
//! in order, and like those before.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};

use super::reorder::{Room, Window};
use super::rtp::{Header, Pieces};
use super::url::Group;
use super::{SourceCounts, SourceError};
use crate::sys::datagram::{self, Datagram, Edges, LEAD, Lead, TAIL};
use crate::sys::socket as options;
use crate::ts::PACKET;
use crate::ts::packet::SYNC;

/// Bytes of a datagram: seven packets, what fits an Ethernet frame and what all senders use.
pub(super) const SLOT: usize = 7 * PACKET;

/// What datagrams begin with: the packets, or an RTP header before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Packets from the first byte on.
    Plain,
    /// RTP (RFC 3550, RFC 2250).
    Rtp,
}

/// A socket in its group.
pub struct UdpInput {
    socket: OwnedFd,
    /// What the last datagram was, and so what is received for.
    framing: Framing,
    edges: Box<Edges>,
    window: Window,
    counts: SourceCounts,
}

/// A datagram in a [`Room`]: its slot begins at `at`, its other bytes are in the edges.
#[derive(Clone, Copy)]
struct Arrived<'a> {
    at: usize,
    lead: &'a [u8],
    tail: &'a [u8],
    /// Bytes in the slot.
    in_slot: usize,
}

/// What a datagram holds.
enum Content {
    /// Packets, in these bytes, with a place in an RTP stream.
    Rtp(Header),
    /// Packets from the first byte on.
    Plain,
    /// Something else.
    Foreign,
}

impl UdpInput {
    /// Binds to the group's address and joins it. `buffer_bytes` is what the kernel shall hold for us. `framing` is
    /// what is expected; what comes decides.
    pub fn open(group: &Group, buffer_bytes: usize, framing: Framing) -> Result<Self, SourceError> {
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
        let (edges, window) = (Box::default(), Window::default());
        Ok(Self { socket, framing, edges, window, counts: SourceCounts::default() })
    }

    /// Takes what has come, as far as it fits. Only then is given up what did not come in time: after a pause of this
    /// machine it may have come long ago.
    pub fn read(&mut self, now: Duration, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let mut room = Room::new(buffer);
        self.window.release(&mut room);
        loop {
            // Behind the room for what is held, which may have to be written before what comes.
            let base = room.filled() + self.window.held() * SLOT;
            let Some(space) = room.bytes.get_mut(base..).filter(|space| space.len() >= SLOT) else {
                if room.filled() == 0 {
                    self.window.expire(now, &mut room);
                }
                return Ok(room.filled());
            };
            let wanted = (space.len() / SLOT).min(datagram::BATCH);
            let lead = match self.framing {
                Framing::Plain => Lead::InSlot,
                Framing::Rtp => Lead::Apart,
            };
            let got = datagram::receive(self.socket.as_fd(), space, SLOT, &mut self.edges, lead)
                .map_err(|e| SourceError::Socket("cannot receive".into(), e))?;
            if let Some(dropped) = got.dropped {
                self.counts.dropped_datagrams = u64::from(dropped);
            }
            for (i, datagram) in got.datagrams.iter().enumerate() {
                self.take(&mut room, base, i, *datagram, lead, now);
            }
            if got.datagrams.len() < wanted {
                self.window.expire(now, &mut room);
                return Ok(room.filled());
            }
        }
    }

    /// Damage so far.
    #[must_use]
    pub fn counts(&self) -> SourceCounts {
        let order = self.window.order();
        SourceCounts {
            lost_datagrams: order.lost,
            reordered: order.reordered,
            late: order.late,
            restarts: order.restarts,
            ..self.counts
        }
    }

    /// Takes the datagram in slot `i` of those that begin at `base`.
    fn take(
        &mut self,
        room: &mut Room<'_>,
        base: usize,
        i: usize,
        datagram: Datagram,
        lead: Lead,
        now: Duration,
    ) {
        let Self { framing, edges, window, counts, .. } = self;
        let arrived = Arrived::new(edges.of(i), base + i * SLOT, datagram.len, lead);
        let content = framing.judge(&arrived.pieces(room.bytes));
        let part = match &content {
            Content::Rtp(header) => header.payload.clone(),
            Content::Plain => 0..datagram.len,
            Content::Foreign => {
                counts.foreign_datagrams += 1;
                return;
            }
        };
        let whole = part.len().min(SLOT) / PACKET * PACKET;
        counts.skipped_bytes += (part.len() - whole) as u64;
        counts.sync_losses += u64::from(whole != part.len() || datagram.truncated);
        let packets = arrived.settle(room.bytes, part.start..part.start + whole);
        if let Content::Rtp(header) = content {
            *framing = Framing::Rtp;
            window.push(header.stamp, now, packets, room);
        } else {
            *framing = Framing::Plain;
            window.flush(room);
            room.keep(packets);
        }
    }
}

impl Framing {
    /// What `datagram` holds, where this is what came before it.
    fn judge(self, datagram: &Pieces<'_>) -> Content {
        if self == Self::Plain && datagram.byte(0) == Some(SYNC) {
            return Content::Plain;
        }
        let (header, len) = (Header::parse(datagram), datagram.len());
        match (self, header) {
            (Self::Rtp, Ok(header)) if header.carries_packets(datagram) => Content::Rtp(header),
            // Without an announcement a payload type proves nothing: only packets do.
            (Self::Plain, Ok(header)) if datagram.is_packets(&header.payload) => Content::Rtp(header),
            (Self::Rtp, _) if !datagram.is_packets(&(0..len)) => Content::Foreign,
            _ => Content::Plain, // and damaged, perhaps
        }
    }
}

impl<'a> Arrived<'a> {
    /// `len` bytes, cut as `lead` says.
    fn new(edges: (&'a [u8; LEAD], &'a [u8; TAIL]), at: usize, len: usize, lead: Lead) -> Self {
        let lead = &edges.0[..lead.bytes().min(len)];
        let in_slot = (len - lead.len()).min(SLOT);
        Self { at, lead, tail: &edges.1[..(len - lead.len() - in_slot).min(TAIL)], in_slot }
    }

    fn pieces<'b>(&'b self, room: &'b [u8]) -> Pieces<'b> {
        Pieces([self.lead, &room[self.at..self.at + self.in_slot], self.tail])
    }

    /// Brings the bytes `part` of the datagram, a slot at most, to the slot's beginning, and says where they are.
    /// Nothing moves where they begin behind the lead.
    fn settle(&self, room: &mut [u8], part: Range<usize>) -> Range<usize> {
        let (place, len) = (self.at..self.at + part.len(), part.len());
        let slot = &mut room[self.at..self.at + SLOT];
        if let Some(start) = part.start.checked_sub(self.lead.len()) {
            let end = start + len;
            if start > 0 {
                slot.copy_within(start.min(SLOT)..end.min(SLOT), 0);
            }
            if end > SLOT {
                let tail = &self.tail[start.max(SLOT) - SLOT..end - SLOT];
                slot[len - tail.len()..len].copy_from_slice(tail);
            }
        } else if let Some(rest) = len.checked_sub(self.lead.len() - part.start) {
            let head = &self.lead[part.start..];
            slot.copy_within(..rest, head.len());
            slot[..head.len()].copy_from_slice(head);
        }
        place
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

#[cfg(test)]
mod tests;

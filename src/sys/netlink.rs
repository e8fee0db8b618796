//! The machine's addresses, links and default routes, and word of their changes: rtnetlink(7).
//!
//! A change only says that something changed; what is there now is asked anew, so that a message the kernel had no room
//! for loses nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, socket,
};

/// Bytes that are read at one time: what the kernel puts into one part of a dump.
const CHUNK: usize = 8192;
/// Reads of one dump; a machine with more addresses or routes than fit them is looked at in part.
const CHUNKS: usize = 64;

/// Addresses that are looked at.
pub const ADDRESSES: usize = 32;
/// Links and default routes that are looked at.
const LINKS: usize = 16;

// linux/rtnetlink.h, linux/if_addr.h, linux/if.h
const RTMGRP_LINK: u32 = 1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;
const RTMGRP_IPV6_ROUTE: u32 = 0x400;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_TEMPORARY: u32 = 0x01;
/// Optimistic, failed duplicate address detection, deprecated, tentative.
const IFA_F_UNUSABLE: u32 = 0x04 | 0x08 | 0x20 | 0x40;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RT_TABLE_MAIN: u8 = 254;
const RTN_UNICAST: u8 = 1;
const IFF_LOWER_UP: u32 = 1 << 16;

/// An address that this machine has and can be reached at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The interface's index.
    pub interface: u32,
    /// The address: of a network or of the world, neither temporary (RFC 8981) nor deprecated nor tentative.
    pub ip: IpAddr,
}

/// Where the machine is in its networks. Two that are equal look alike to a neighbour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Its addresses but those of loopback and of a link alone, in order.
    pub addresses: heapless::Vec<Address, ADDRESSES>,
    /// Its default routes: interface and gateway, in order.
    routes: heapless::Vec<(u32, Option<IpAddr>), LINKS>,
    /// The interfaces that have a carrier, in order.
    up: heapless::Vec<u32, LINKS>,
}

impl Surroundings {
    /// What the kernel says now. Never waits.
    pub fn look() -> io::Result<Self> {
        let mut seen = Self::default();
        for (ask, family) in [
            (libc::RTM_GETADDR, AddressFamily::Unspec),
            (libc::RTM_GETLINK, AddressFamily::Unspec),
            (libc::RTM_GETROUTE, AddressFamily::Inet),
            (libc::RTM_GETROUTE, AddressFamily::Inet6),
        ] {
            dump(ask, family, |kind, body| seen.take(kind, body))?;
        }
        // The kernel gives them in the order they were made.
        seen.addresses.sort_unstable();
        seen.routes.sort_unstable();
        seen.up.sort_unstable();
        Ok(seen)
    }

    /// Its global IPv6 addresses (RFC 4291 §2.4: 2000::/3), those behind a default route first.
    pub fn global_v6(&self) -> impl Iterator<Item = Ipv6Addr> {
        let v6 = self.addresses.iter().filter_map(|a| match a.ip {
            IpAddr::V6(v6) if v6.segments()[0] & 0xe000 == 0x2000 => Some((a.interface, v6)),
            _ => None,
        });
        let is_routed = |interface: u32| {
            self.routes.iter().any(|(i, gateway)| *i == interface && gateway.is_none_or(|g| g.is_ipv6()))
        };
        let (routed, others) = (v6.clone(), v6);
        let routed = routed.filter(move |(interface, _)| is_routed(*interface));
        routed.chain(others.filter(move |(interface, _)| !is_routed(*interface))).map(|(_, v6)| v6)
    }

    /// Its IPv4 address at home: that of the interface with a default route, else the first.
    #[must_use]
    pub fn v4(&self) -> Option<Ipv4Addr> {
        let v4 = |a: &Address| if let IpAddr::V4(v4) = a.ip { Some((a.interface, v4)) } else { None };
        let routed = |(interface, _): &(u32, Ipv4Addr)| {
            self.routes.iter().any(|(i, gateway)| i == interface && gateway.is_none_or(|g| g.is_ipv4()))
        };
        let all = || self.addresses.iter().filter_map(v4);
        all().find(routed).or_else(|| all().next()).map(|(_, ip)| ip)
    }

    /// One message of a dump.
    fn take(&mut self, kind: u16, body: &[u8]) {
        let _more_than_looked_at = match kind {
            libc::RTM_NEWADDR => {
                address(body).filter(is_of_a_network).is_some_and(|a| self.addresses.push(a).is_err())
            }
            libc::RTM_NEWLINK => link_up(body).is_some_and(|index| self.up.push(index).is_err()),
            libc::RTM_NEWROUTE => default_route(body).is_some_and(|route| self.routes.push(route).is_err()),
            _ => false,
        };
    }
}

/// A socket that becomes readable when addresses, links or routes change. Non-blocking.
pub fn watch() -> io::Result<OwnedFd> {
    let groups =
        RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;
    let fd = open()?;
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(fd)
}

/// Takes what a [`watch`] socket has, and says nothing of it: [`Surroundings::look`] does. `EAGAIN` when there is none.
pub fn take_changes(socket: BorrowedFd<'_>) -> nix::Result<()> {
    let mut chunk = [0; CHUNK];
    match recv(socket.as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT) {
        // The kernel had no room for one: that is a change, too.
        Ok(_) | Err(nix::Error::ENOBUFS) => {}
        Err(e) => return Err(e),
    }
    for _ in 1..CHUNKS {
        if recv(socket.as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT) == Err(nix::Error::EAGAIN) {
            break;
        }
    }
    Ok(())
}

fn open() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
}

/// Has the kernel list all it has of one kind. It answers within the calls: nothing is waited for.
fn dump(ask: u16, family: AddressFamily, mut found: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let fd = open()?;
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_DUMP).unwrap_or_default();
    // nlmsghdr, then the kind's own header of zeroes but for the family; the longest is an ifinfomsg.
    let mut request = [0; 32];
    request[..4].copy_from_slice(&32_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&ask.to_ne_bytes());
    request[6..8].copy_from_slice(&flags.to_ne_bytes());
    request[8..12].copy_from_slice(&1_u32.to_ne_bytes());
    request[16] = u8::try_from(family as i32).unwrap_or_default();
    sendto(fd.as_raw_fd(), &request, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut chunk = [0; CHUNK];
    for _ in 0..CHUNKS {
        let n = recv(fd.as_fd().as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT)?;
        for (kind, body) in messages(&chunk[..n]) {
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(()),
                libc::NLMSG_ERROR => return Err(io::Error::other("the kernel lists no addresses")),
                _ => found(kind, body),
            }
        }
    }
    Ok(())
}

/// The messages of a chunk: type and what follows the header.
fn messages(chunk: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const HEADER: usize = 16;
    parts(chunk, HEADER, |header| Some((u32_at(header, 0)? as usize, u16_at(header, 4)?)))
}

/// The attributes behind the first `skip` bytes of a message's body: type and value.
fn attributes(body: &[u8], skip: usize) -> impl Iterator<Item = (u16, &[u8])> {
    const HEADER: usize = 4;
    const KIND: u16 = 0x3fff; // without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER
    let rest = body.get(skip..).unwrap_or_default();
    parts(rest, HEADER, |header| Some((u16_at(header, 0)?.into(), u16_at(header, 2)? & KIND)))
}

/// Parts that begin with a header of `size` bytes, in which `read` finds the whole length and the type; each begins at
/// a multiple of 4. What does not fit ends them.
fn parts(
    mut rest: &[u8],
    size: usize,
    read: impl Fn(&[u8]) -> Option<(usize, u16)>,
) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (length, kind) = read(rest)?;
        let body = rest.get(size..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// Of an `ifaddrmsg`: `None` where it is not to be used.
fn address(body: &[u8]) -> Option<Address> {
    const HEADER: usize = 8;
    let (family, interface) = (*body.first()?, u32_at(body, 4)?);
    let mut flags = u32::from(*body.get(2)?);
    let (mut ip, mut own) = (None, None);
    for (kind, value) in attributes(body, HEADER) {
        match kind {
            IFA_ADDRESS => ip = ip_of(value),
            IFA_LOCAL => own = ip_of(value), // on a point-to-point link the other is the peer's
            IFA_FLAGS => flags = u32_at(value, 0)?,
            _ => {}
        }
    }
    let is_v6 = i32::from(family) == libc::AF_INET6;
    let unusable = if is_v6 { IFA_F_UNUSABLE | IFA_F_TEMPORARY } else { IFA_F_UNUSABLE };
    Some(Address { interface, ip: own.or(ip)? }).filter(|_| flags & unusable == 0)
}

fn is_of_a_network(address: &Address) -> bool {
    match address.ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

/// Of an `ifinfomsg`: the index, where the link has a carrier.
fn link_up(body: &[u8]) -> Option<u32> {
    let (index, flags) = (u32_at(body, 4)?, u32_at(body, 8)?);
    (flags & IFF_LOWER_UP != 0).then_some(index)
}

/// Of an `rtmsg`: interface and gateway, where it is a default route of the main table.
fn default_route(body: &[u8]) -> Option<(u32, Option<IpAddr>)> {
    const HEADER: usize = 12;
    let (length, table, kind) = (*body.get(1)?, *body.get(4)?, *body.get(7)?);
    if length != 0 || table != RT_TABLE_MAIN || kind != RTN_UNICAST {
        return None;
    }
    let (mut interface, mut gateway) = (0, None);
    for (kind, value) in attributes(body, HEADER) {
        match kind {
            RTA_OIF => interface = u32_at(value, 0)?,
            RTA_GATEWAY => gateway = ip_of(value),
            _ => {}
        }
    }
    Some((interface, gateway))
}

fn ip_of(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_ne_bytes(*b))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_ne_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_lists_what_getifaddrs_lists() {
        let seen = Surroundings::look().unwrap();
        let own = crate::sys::socket::own_addresses();
        for address in &seen.addresses {
            assert!(own.contains(&address.ip), "{address:?}");
        }
        let is_usable =
            |ip: &&IpAddr| matches!(ip, IpAddr::V4(v4) if !v4.is_loopback() && !v4.is_link_local());
        assert_eq!(
            own.iter().filter(is_usable).count(),
            seen.addresses.iter().filter(|a| a.ip.is_ipv4()).count()
        );
        assert!(!seen.up.is_empty(), "loopback at least has a carrier");
        assert_eq!(Surroundings::look().unwrap(), seen);
    }

    /// A message as the kernel writes one.
    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = 16 + body.len();
        let header = [&u32::try_from(length).unwrap().to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10]];
        let mut message = [header.concat(), body.to_vec()].concat();
        message.resize(length.next_multiple_of(4), 0);
        message
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = 4 + value.len();
        let mut all =
            [&u16::try_from(length).unwrap().to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        all.resize(length.next_multiple_of(4), 0);
        all
    }

    fn address_message(ip: IpAddr, flags: u32) -> Vec<u8> {
        let (family, octets) = match ip {
            IpAddr::V4(v4) => (libc::AF_INET, v4.octets().to_vec()),
            IpAddr::V6(v6) => (libc::AF_INET6, v6.octets().to_vec()),
        };
        let head = [u8::try_from(family).unwrap(), 64, 0, 0];
        let parts = [&head[..], &2_u32.to_ne_bytes(), &attribute(IFA_FLAGS, &flags.to_ne_bytes())];
        message(libc::RTM_NEWADDR, &[&parts.concat()[..], &attribute(IFA_ADDRESS, &octets)].concat())
    }

    fn seen(chunk: &[u8]) -> Surroundings {
        let mut seen = Surroundings::default();
        messages(chunk).for_each(|(kind, body)| seen.take(kind, body));
        seen
    }

    #[test]
    fn an_address_that_will_not_last_is_left_out() {
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        for (flags, count) in [(0, 1), (0x80, 1), (0x01, 0), (0x20, 0), (0x40, 0), (0x08, 0)] {
            assert_eq!(seen(&address_message(v6, flags)).addresses.len(), count, "{flags:#x}");
        }
        let secondary = address_message([10, 0, 0, 1].into(), 0x01);
        assert_eq!(seen(&secondary).addresses.len(), 1, "of IPv4 the flag says: secondary");
        for ip in ["127.0.0.1", "169.254.3.4", "::1", "fe80::1"] {
            assert!(seen(&address_message(ip.parse().unwrap(), 0)).addresses.is_empty(), "{ip}");
        }
        let unique_local = seen(&address_message("fd00::1".parse().unwrap(), 0));
        assert_eq!((unique_local.addresses.len(), unique_local.global_v6().count()), (1, 0));
    }

    #[test]
    fn only_default_routes_of_the_main_table_count() {
        let route = |length, table| {
            let head = [u8::try_from(libc::AF_INET).unwrap(), length, 0, 0, table, 3, 0, RTN_UNICAST];
            let oif = attribute(RTA_OIF, &7_u32.to_ne_bytes());
            let gateway = attribute(RTA_GATEWAY, &[10, 0, 0, 1]);
            message(libc::RTM_NEWROUTE, &[&head[..], &[0; 4], &oif, &gateway].concat())
        };
        assert_eq!(seen(&route(0, 254)).routes, [(7, Some([10, 0, 0, 1].into()))]);
        assert!(seen(&[route(24, 254), route(0, 255)].concat()).routes.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            kind in 16_u16..30,
        ) {
            seen(&bytes);
            seen(&message(kind, &bytes));
        }
    }
}

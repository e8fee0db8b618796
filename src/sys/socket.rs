//! Socket options that no crate wraps.

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Not in crate libc for every target (linux/tcp.h).
const TCP_NOTSENT_LOWAT: libc::c_int = 25;
/// linux/in.h.
const MCAST_JOIN_GROUP: libc::c_int = 42;
/// linux/in.h.
const MCAST_JOIN_SOURCE_GROUP: libc::c_int = 46;
/// linux/in.h.
const IP_MULTICAST_ALL: libc::c_int = 49;
/// asm-generic/socket.h.
const SO_PEERGROUPS: libc::c_int = 59;
/// linux/in6.h.
const IPV6_MULTICAST_ALL: libc::c_int = 29;

/// Accepts a connection, non-blocking and closed on exec. nix gives a bare number, which could leak.
pub fn accept(listener: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = nix::sys::socket::SockFlag::SOCK_CLOEXEC | nix::sys::socket::SockFlag::SOCK_NONBLOCK;
    let fd = nix::sys::socket::accept4(listener.as_raw_fd(), flags)?;
    // SAFETY: the kernel just gave us this descriptor, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An address of this machine with its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The interface that has it.
    pub interface: String,
    /// The machine's own address in it.
    pub address: IpAddr,
    /// The bits that all addresses on the link share.
    pub mask: IpAddr,
}

impl Network {
    /// `ip` is on the link.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        match (ip, self.address, self.mask) {
            (IpAddr::V4(ip), IpAddr::V4(own), IpAddr::V4(mask)) => ip & mask == own & mask,
            (IpAddr::V6(ip), IpAddr::V6(own), IpAddr::V6(mask)) => ip & mask == own & mask,
            _ => false,
        }
    }
}

/// The networks that this machine is on.
#[must_use]
pub fn networks() -> Vec<Network> {
    let ip = |address: Option<nix::sys::socket::SockaddrStorage>| {
        let address = address?;
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    };
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    all.filter_map(|i| {
        Some(Network { address: ip(i.address)?, mask: ip(i.netmask)?, interface: i.interface_name })
    })
    .collect()
}

/// The addresses of this machine's interfaces.
pub fn own_addresses() -> Vec<IpAddr> {
    networks().into_iter().map(|network| network.address).collect()
}

/// `ip` is an address of this machine.
#[must_use]
pub fn is_own_address(ip: IpAddr) -> bool {
    own_addresses().contains(&ip)
}

/// The supplementary groups that the peer of a Unix socket had when it connected (unix(7), `SO_PEERGROUPS`).
pub fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<libc::gid_t>> {
    const MOST: usize = 256;
    let mut groups: [libc::gid_t; MOST] = [0; MOST];
    let mut len = libc::socklen_t::try_from(size_of_val(&groups)).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and the length are those of `groups`, which the kernel may write up to `len`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error()); // more groups than anybody here needs, or a kernel before 4.13
    }
    Ok(groups[..(len as usize / size_of::<libc::gid_t>()).min(MOST)].to_vec())
}

/// The kernel takes at most `bytes` more than it has sent: what it holds is not stale video.
pub fn set_not_sent_low_water(socket: BorrowedFd<'_>, bytes: u32) -> io::Result<()> {
    set(socket, libc::IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes)
}

/// The socket gets the groups it joined and no others that the host is in (ip(7), `IP_MULTICAST_ALL`).
pub fn only_own_groups(socket: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    let off: libc::c_int = 0;
    if v6 {
        set(socket, libc::IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off)
    } else {
        set(socket, libc::IPPROTO_IP, IP_MULTICAST_ALL, &off)
    }
}

/// Joins `group` on the interface of index `interface` (0: the kernel's choice), for packets of `sender` alone where
/// one is given (RFC 3678 §5.1).
pub fn join(socket: BorrowedFd<'_>, group: IpAddr, sender: Option<IpAddr>, interface: u32) -> io::Result<()> {
    #[repr(C)]
    struct GroupRequest {
        interface: u32,
        group: libc::sockaddr_storage,
    }
    #[repr(C)]
    struct SourceRequest {
        interface: u32,
        group: libc::sockaddr_storage,
        sender: libc::sockaddr_storage,
    }
    let level = if group.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };
    let group = storage(group);
    match sender {
        None => set(socket, level, MCAST_JOIN_GROUP, &GroupRequest { interface, group }),
        Some(sender) => {
            let request = SourceRequest { interface, group, sender: storage(sender) };
            set(socket, level, MCAST_JOIN_SOURCE_GROUP, &request)
        }
    }
}

/// An address in the kernel's layout, port 0.
fn storage(ip: IpAddr) -> libc::sockaddr_storage {
    let address = nix::sys::socket::SockaddrStorage::from(SocketAddr::new(ip, 0));
    // SAFETY: all zeroes is a valid sockaddr_storage.
    let mut bytes: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let len = nix::sys::socket::SockaddrLike::len(&address) as usize;
    // SAFETY: `as_ptr` gives `len` readable bytes, `bytes` is larger than any address family's, and they are apart.
    unsafe {
        std::ptr::copy_nonoverlapping(
            nix::sys::socket::SockaddrLike::as_ptr(&address).cast::<u8>(),
            (&raw mut bytes).cast::<u8>(),
            len.min(size_of::<libc::sockaddr_storage>()),
        );
    }
    bytes
}

fn set<T>(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let len = libc::socklen_t::try_from(size_of::<T>()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and the length are those of `value`, a plain C value that the kernel only reads.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const *value).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

//! Many datagrams to many places by one system call.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{SockaddrLike, SockaddrStorage};

/// Datagrams sent by one call at most.
pub const BURST: usize = 64;

/// Sends the first [`BURST`] of `datagrams`, in order, without waiting. Returns how many the kernel took: fewer, when
/// one of them cannot be sent; the error is that of the first.
pub fn send_burst<'a>(
    socket: BorrowedFd<'_>,
    datagrams: impl Iterator<Item = (&'a SockaddrStorage, &'a [u8])>,
) -> io::Result<usize> {
    // SAFETY: both are C structs of integers and pointers, for which all zeroes is a valid value.
    let (mut headers, mut slices): ([libc::mmsghdr; BURST], [libc::iovec; BURST]) = unsafe { mem::zeroed() };
    let mut count = 0;
    for ((header, slice), (to, bytes)) in headers.iter_mut().zip(&mut slices).zip(datagrams) {
        *slice = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        header.msg_hdr.msg_iov = slice;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_hdr.msg_namelen = to.len();
        count += 1;
    }
    if count == 0 {
        return Ok(0);
    }
    // SAFETY: the first `count` headers point to live slices, and these and the addresses to what the iterator lent for
    // 'a, which outlives the call; the kernel only reads of them, and writes nothing but `msg_len` of the headers.
    let sent =
        unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn each_goes_where_it_should_and_a_bad_one_stops_the_burst() {
        let sockets = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let to = sockets.each_ref().map(|s| SockaddrStorage::from(s.local_addr().unwrap()));
        let nowhere = SockaddrStorage::from("127.0.0.1:0".parse::<SocketAddr>().unwrap());
        let all: [(&SockaddrStorage, &[u8]); 4] =
            [(&to[1], b"one"), (&to[2], b"two"), (&nowhere, b"none"), (&to[1], b"three")];
        let send = |from: usize| send_burst(sockets[0].as_fd(), all[from..].iter().copied());
        assert_eq!(send(0).unwrap(), 2);
        assert!(send(2).is_err(), "port 0 is none");
        assert_eq!((send(3).unwrap(), send(4).unwrap()), (1, 0));
        let mut buffer = [0; 8];
        for (socket, text) in [(1, "one"), (2, "two"), (1, "three")] {
            let len = sockets[socket].recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], text.as_bytes());
        }
    }
}

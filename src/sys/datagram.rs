//! Many datagrams by one system call, straight into a buffer of slots.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams taken by one call at most: with 1316-byte slots, 62 KiB.
pub const BATCH: usize = 48;

/// One datagram that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Bytes written to its slot.
    pub len: usize,
    /// It was longer than the slot, and its end is lost.
    pub truncated: bool,
}

/// What one call brought.
#[derive(Default)]
pub struct Received {
    /// The datagrams, one a slot, in order.
    pub datagrams: heapless::Vec<Datagram, BATCH>,
    /// Datagrams the socket dropped since it was made, where `SO_RXQ_OVFL` told.
    pub dropped: Option<u32>,
}

/// Receives as many datagrams as there are and as `buffer` has slots of `slot` bytes. Never waits: an empty result
/// says that none was there.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], slot: usize) -> io::Result<Received> {
    /// Room for one control message with the u32 of `SO_RXQ_OVFL`, aligned as the kernel writes it.
    #[derive(Clone, Copy)]
    #[repr(C, align(8))]
    struct Control([u8; 32]);

    // SAFETY: both are C structs of integers and pointers, for which all zeroes is a valid value.
    let (mut headers, mut slices): ([libc::mmsghdr; BATCH], [libc::iovec; BATCH]) = unsafe { mem::zeroed() };
    let mut controls = [Control([0; 32]); BATCH];
    let slots = buffer.chunks_exact_mut(slot.max(1)).take(BATCH);
    let mut count = 0;
    for (((header, slice), control), room) in
        headers.iter_mut().zip(&mut slices).zip(&mut controls).zip(slots)
    {
        *slice = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
        header.msg_hdr.msg_iov = slice;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = control.0.len() as _;
        count += 1;
    }
    if count == 0 {
        return Ok(Received::default());
    }
    let flags = libc::MSG_DONTWAIT;
    // SAFETY: the first `count` headers point to live slices, controls and disjoint rooms of `buffer`, all of which
    // outlive the call; no time-out is given.
    let n = unsafe {
        libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, flags as _, std::ptr::null_mut())
    };
    let Ok(n) = usize::try_from(n) else {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(Received::default()) } else { Err(error) };
    };
    let got = &headers[..n.min(BATCH)];
    let datagrams = got
        .iter()
        .map(|h| Datagram {
            len: (h.msg_len as usize).min(slot),
            truncated: h.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        })
        .collect();
    Ok(Received { datagrams, dropped: got.last().and_then(|h| overflow(&h.msg_hdr)) })
}

/// The count that `SO_RXQ_OVFL` attached.
fn overflow(header: &libc::msghdr) -> Option<u32> {
    // SAFETY: `header` was filled by the kernel and its control buffer still lives; CMSG_FIRSTHDR gives null or a
    // pointer into that buffer, which is aligned for a cmsghdr.
    let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
    let is_overflow = control.cmsg_level == libc::SOL_SOCKET && control.cmsg_type == libc::SO_RXQ_OVFL;
    // SAFETY: the kernel writes a u32 behind this header, inside the control buffer, perhaps unaligned.
    is_overflow.then(|| unsafe { libc::CMSG_DATA(control).cast::<u32>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_batch_fills_slots_in_order() {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        for data in [&b"one"[..], b"twotwo", b"3"] {
            a.send_to(data, b.local_addr().unwrap()).unwrap();
        }
        let mut buffer = [0; 12];
        let got = receive(b.as_fd(), &mut buffer, 4).unwrap();
        let d = |len, truncated| Datagram { len, truncated };
        assert_eq!(got.datagrams, [d(3, false), d(4, true), d(1, false)]);
        assert_eq!(&buffer, b"one\0twot3\0\0\0");
        assert!(receive(b.as_fd(), &mut buffer, 4).unwrap().datagrams.is_empty());
        assert!(receive(b.as_fd(), &mut [], 4).unwrap().datagrams.is_empty());
    }
}

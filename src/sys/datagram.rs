//! Many datagrams by one system call, straight into a buffer of slots.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams taken by one call at most: with 1316-byte slots, 62 KiB.
pub const BATCH: usize = 48;

/// Bytes of a lead: an RTP header without its optional parts (RFC 3550 §5.1).
pub const LEAD: usize = 12;
/// Bytes of a tail: with a lead and a slot of 1316 bytes, all that fits an Ethernet frame.
pub const TAIL: usize = 144;

/// Where the first bytes of a datagram go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// To the slot, like those that follow.
    InSlot,
    /// The first [`LEAD`] bytes to the edges, the others to the slot.
    Apart,
}

impl Lead {
    /// Bytes that do not go to the slot.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::InSlot => 0,
            Self::Apart => LEAD,
        }
    }
}

/// What does not belong into the slots, or does not fit them: the leads and tails of a batch.
///
/// ```text
///  datagram:  |  lead  |  slot, in the caller's buffer  |  tail  |
/// ```
pub struct Edges {
    leads: [[u8; LEAD]; BATCH],
    tails: [[u8; TAIL]; BATCH],
}

impl Default for Edges {
    fn default() -> Self {
        Self { leads: [[0; LEAD]; BATCH], tails: [[0; TAIL]; BATCH] }
    }
}

impl Edges {
    /// Lead and tail of the datagram in slot `i`, below [`BATCH`]; beyond its length they hold what was there before.
    #[must_use]
    pub fn of(&self, i: usize) -> (&[u8; LEAD], &[u8; TAIL]) {
        (&self.leads[i], &self.tails[i])
    }
}

/// One datagram that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Bytes written to its lead, slot and tail.
    pub len: usize,
    /// It was longer than these, and its end is lost.
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
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    slot: usize,
    edges: &mut Edges,
    lead: Lead,
) -> io::Result<Received> {
    /// Room for one control message with the u32 of `SO_RXQ_OVFL`, aligned as the kernel writes it.
    #[derive(Clone, Copy)]
    #[repr(C, align(8))]
    struct Control([u8; 32]);

    // SAFETY: both are C structs of integers and pointers, for which all zeroes is a valid value.
    let (mut headers, mut slices): ([libc::mmsghdr; BATCH], [[libc::iovec; 3]; BATCH]) =
        unsafe { mem::zeroed() };
    let mut controls = [Control([0; 32]); BATCH];
    let slots = buffer.chunks_exact_mut(slot.max(1)).take(BATCH);
    let mut count = 0;
    let edges = edges.leads.iter_mut().zip(&mut edges.tails);
    for ((((header, slices), control), room), (head, tail)) in
        headers.iter_mut().zip(&mut slices).zip(&mut controls).zip(slots).zip(edges)
    {
        let head = &mut head[..lead.bytes()];
        *slices = [head, room, tail.as_mut_slice()]
            .map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() });
        header.msg_hdr.msg_iov = slices.as_mut_ptr();
        header.msg_hdr.msg_iovlen = slices.len() as _;
        header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = control.0.len() as _;
        count += 1;
    }
    if count == 0 {
        return Ok(Received::default());
    }
    let flags = libc::MSG_DONTWAIT;
    // SAFETY: the first `count` headers point to live slices and controls, and these to disjoint parts of `buffer` and
    // `edges`, all of which outlive the call; no time-out is given.
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
            len: (h.msg_len as usize).min(lead.bytes() + slot + TAIL),
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

    fn send(data: &[&[u8]]) -> UdpSocket {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        data.iter().for_each(|data| _ = a.send_to(data, b.local_addr().unwrap()).unwrap());
        b
    }

    #[test]
    fn a_batch_fills_slots_in_order() {
        let socket = send(&[b"one", b"twotwo", b"3", &[b'.'; 4 + TAIL + 1]]);
        let (mut buffer, mut edges) = ([0; 16], Edges::default());
        let mut receive =
            |buffer: &mut [u8]| receive(socket.as_fd(), buffer, 4, &mut edges, Lead::InSlot).unwrap();
        let got = receive(&mut buffer);
        let d = |len, truncated| Datagram { len, truncated };
        assert_eq!(got.datagrams, [d(3, false), d(6, false), d(1, false), d(4 + TAIL, true)]);
        assert_eq!(&buffer, b"one\0twot3\0\0\0....");
        assert!(receive(&mut buffer).datagrams.is_empty());
        assert!(receive(&mut []).datagrams.is_empty());
        assert_eq!((&edges.of(1).1[..3], &edges.of(3).1[TAIL - 1..]), (&b"wo\0"[..], &b"."[..]));
    }

    #[test]
    fn a_lead_is_kept_out_of_the_slot() {
        let socket = send(&[b"twelve bytesslottail", b"short", b"twelve bytess"]);
        let (mut buffer, mut edges) = ([0; 12], Edges::default());
        let got = receive(socket.as_fd(), &mut buffer, 4, &mut edges, Lead::Apart).unwrap();
        assert_eq!(
            got.datagrams.iter().map(|d| (d.len, d.truncated)).collect::<Vec<_>>(),
            [(20, false), (5, false), (13, false)]
        );
        assert_eq!(&buffer, b"slot\0\0\0\0s\0\0\0");
        assert_eq!((edges.of(0).0, &edges.of(0).1[..4]), (b"twelve bytes", &b"tail"[..]));
        assert_eq!(&edges.of(1).0[..6], b"short\0");
    }
}

//! Questions by UDP, many by one system call.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;

use async_io::Async;
use futures_lite::future;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use smol::LocalExecutor;

use super::Host;
use crate::nameserver::{Reply, Ticket, Transport};

/// Datagrams by one call.
const BATCH: usize = 64;
/// Bytes of a request at most: an UPDATE by UDP may be longer than a question.
const REQUEST_MAX: usize = 4096;
/// Bytes of an answer at most.
const ANSWER_MAX: usize = 1232;
/// Answers that wait for their commit at a time; whoever is beyond that asks again.
const WAITING_MAX: usize = 256;

/// Answers what comes by `socket`, for ever. A socket that is bound to all addresses answers by the one that the kernel
/// chooses: machines with several bind one socket to each.
pub async fn serve_udp<H: Host>(host: &H, socket: UdpSocket) -> io::Result<Infallible> {
    let socket = Async::new(socket)?;
    let waiting = Cell::new(0);
    let later = LocalExecutor::new();
    let mut batch = Box::new(Batch::new());
    let serve = async {
        loop {
            let received = batch.turn(host, &socket, |ticket, answer: &[u8], to| {
                if waiting.get() >= WAITING_MAX {
                    return;
                }
                waiting.set(waiting.get() + 1);
                let (answer, socket, waiting) = (answer.to_vec(), &socket, &waiting);
                let committed = host.committed(ticket);
                let send = async move {
                    if committed.await {
                        send_one(socket, &answer, to);
                    }
                    waiting.set(waiting.get() - 1);
                };
                later.spawn(send).detach();
            });
            match received {
                Ok(0) => socket.readable().await?,
                Ok(_) => future::yield_now().await,
                Err(e) => {
                    log::warn!("dns: udp: {e}");
                    socket.readable().await?;
                }
            }
        }
    };
    later.run(serve).await
}

/// One answer; what the kernel cannot take now is lost, as datagrams may be.
fn send_one(socket: &Async<UdpSocket>, answer: &[u8], to: SockaddrStorage) {
    let flags = MsgFlags::MSG_DONTWAIT;
    if let Err(e) = nix::sys::socket::sendto(socket.as_raw_fd(), answer, &to, flags) {
        log::debug!("dns: udp: {e}");
    }
}

/// The room of a batch, made once.
struct Batch {
    incoming: MultiHeaders<SockaddrStorage>,
    outgoing: MultiHeaders<SockaddrStorage>,
    requests: Box<[[u8; REQUEST_MAX]]>,
    answers: Box<[[u8; ANSWER_MAX]]>,
    came: heapless::Vec<(usize, SockaddrStorage), BATCH>,
    goes: heapless::Vec<(usize, usize), BATCH>,
    to: heapless::Vec<Option<SockaddrStorage>, BATCH>,
}

impl Batch {
    fn new() -> Self {
        Self {
            incoming: MultiHeaders::preallocate(BATCH, None),
            outgoing: MultiHeaders::preallocate(BATCH, None),
            requests: vec![[0; REQUEST_MAX]; BATCH].into(),
            answers: vec![[0; ANSWER_MAX]; BATCH].into(),
            came: heapless::Vec::new(),
            goes: heapless::Vec::new(),
            to: heapless::Vec::new(),
        }
    }

    /// Receives what is there, answers it, and hands on what waits for a commit. Returns how many came.
    fn turn<H: Host>(
        &mut self,
        host: &H,
        socket: &Async<UdpSocket>,
        mut later: impl FnMut(Ticket, &[u8], SockaddrStorage),
    ) -> io::Result<usize> {
        self.receive(socket)?;
        if self.came.is_empty() {
            return Ok(0);
        }
        self.goes.clear();
        self.to.clear();
        let now = host.now();
        let Self { requests, answers, came, goes, to, .. } = self;
        host.with(|server, directory| {
            for (i, ((request, answer), (len, from))) in
                requests.iter().zip(&mut **answers).zip(&*came).enumerate()
            {
                let (Some(source), Some(request)) = (ip(from), request.get(..*len)) else { continue };
                match server.reply(now, Transport::Udp(source), request, directory, answer) {
                    Reply::Send(len) => {
                        // As many as came, so there is room.
                        _ = goes.push((i, len)).and_then(|()| to.push(Some(*from)).map_err(|_| (i, len)));
                    }
                    Reply::AfterCommit(len, ticket) => {
                        later(ticket, answer.get(..len).unwrap_or_default(), *from);
                    }

                    Reply::Silence | Reply::Transfer(_) => {}
                }
            }
        });
        self.send(socket);
        Ok(self.came.len())
    }

    fn receive(&mut self, socket: &Async<UdpSocket>) -> io::Result<()> {
        self.came.clear();
        let mut rooms = self.requests.iter_mut();
        // There are as many rooms as slices.
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(rooms.next().map_or(&mut [], |room| room))]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let results = match recvmmsg(socket.as_raw_fd(), &mut self.incoming, &mut slices, flags, None) {
            Ok(results) => results,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        for result in results {
            // What was cut off, or says not from whom it is, keeps its place and gets no answer.
            let is_whole = !result.flags.contains(MsgFlags::MSG_TRUNC);
            let len = if is_whole { result.bytes } else { 0 };
            let from = result.address.unwrap_or_else(|| SockaddrStorage::from(NOBODY));
            _ = self.came.push((len, from));
        }
        Ok(())
    }

    fn send(&mut self, socket: &Async<UdpSocket>) {
        let (answers, goes) = (&self.answers, &self.goes);
        let slices: heapless::Vec<[IoSlice<'_>; 1], BATCH> = goes
            .iter()
            .map(|&(i, len)| [IoSlice::new(answers.get(i).and_then(|a| a.get(..len)).unwrap_or_default())])
            .collect();
        let mut sent = 0;
        while let (Some(rest), Some(to)) = (slices.get(sent..), self.to.get(sent..))
            && !rest.is_empty()
        {
            let flags = MsgFlags::MSG_DONTWAIT;
            match sendmmsg(socket.as_raw_fd(), &mut self.outgoing, rest, to, [], flags) {
                Ok(results) => sent += results.count().max(1),
                // The socket is full: these are lost, as datagrams may be, and are asked for again.
                Err(Errno::EAGAIN) => return,
                // This one cannot be sent: no route, or port 0.
                Err(_) => sent += 1,
            }
        }
    }
}

/// Stands for a source that the kernel did not tell.
const NOBODY: std::net::SocketAddrV4 = std::net::SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 0);

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|a| (IpAddr::from(a.ip()), a.port()));
    let (ip, port) = v4.or_else(|| address.as_sockaddr_in6().map(|a| (IpAddr::from(a.ip()), a.port())))?;
    (port != 0).then_some(ip)
}

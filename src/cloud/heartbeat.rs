//! Heartbeats by UDP: many at a time in and out of the kernel, and no network at the cost of another.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::time::Duration;

use async_io::Async;
use futures_lite::future::yield_now;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt};
use smol::LocalExecutor;

use crate::nameserver::Ticket;
use crate::registrar::{Rates, Reply};
use crate::registration::PACKET_MAX;
use crate::sys::burst::{BURST, send_burst};

/// Datagrams taken by one call at most; then other tasks have their turn.
const BATCH: usize = BURST;
/// Bytes that the kernel keeps while other tasks have their turn, as far as it lets us.
const KERNEL_BUFFER: usize = 4 << 20;
/// Beats a second of one /24 or /56 that are looked at: 240 000 boxes that beat once a minute.
const PER_SECOND: u32 = 4000;
const NOBODY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
/// Prefixes that are counted one by one.
const PREFIXES: usize = 65_536;

/// Who knows what a beat is answered.
pub trait Beats: 'static {
    /// Since any instant; never goes back.
    fn monotonic(&self) -> Duration;

    /// Takes a packet of `source` and writes the answer to `out`.
    fn datagram(&self, source: SocketAddr, packet: &[u8], out: &mut [u8; PACKET_MAX]) -> Reply;

    /// Whether what `ticket` stands for got to the disk.
    fn is_committed(self: Rc<Self>, ticket: Ticket) -> impl Future<Output = bool> + 'static;

    /// So many packets were dropped unread, since their network sent too many.
    fn dropped(&self, packets: u64);
}

/// How many packets of one network are looked at. All sockets of a service share it.
pub type Fairness = Rc<RefCell<Rates>>;

/// The limits of a service.
#[must_use]
pub fn fairness() -> Fairness {
    let every = Duration::from_secs(1) / PER_SECOND;
    Rc::new(RefCell::new(Rates::new(2 * PER_SECOND, every, PREFIXES)))
}

/// A socket for heartbeats at `address`; one of IPv6 takes IPv6 alone.
pub fn bind(address: SocketAddr) -> io::Result<Async<UdpSocket>> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, bind, socket};

    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Datagram, flags, None)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    // the kernel may give less, which is no fault
    let _ = setsockopt(&fd, sockopt::RcvBuf, &KERNEL_BUFFER);
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    Async::new_nonblocking(UdpSocket::from(fd))
}

/// Answers heartbeats at `socket`. Returns when it fails for good.
pub async fn serve<B: Beats>(
    socket: Rc<Async<UdpSocket>>,
    beats: Rc<B>,
    fairness: Fairness,
    executor: Rc<LocalExecutor<'static>>,
) -> io::Result<()> {
    let mut exchange = Box::new(Exchange::new());
    loop {
        socket.readable().await?;
        while exchange.receive(&socket)? {
            exchange.answer(&socket, &beats, &fairness, &executor);
            exchange.send(&socket);
            yield_now().await;
        }
    }
}

/// The buffers of one socket.
struct Exchange {
    requests: [[u8; PACKET_MAX + 1]; BATCH],
    /// Length and source of each request.
    came: heapless::Vec<(usize, SocketAddr), BATCH>,
    replies: [[u8; PACKET_MAX]; BATCH],
    /// Length of each reply.
    lengths: heapless::Vec<usize, BATCH>,
    to: [Option<SockaddrStorage>; BATCH],
    headers: MultiHeaders<SockaddrStorage>,
}

impl Exchange {
    fn new() -> Self {
        Self {
            requests: [[0; PACKET_MAX + 1]; BATCH],
            came: heapless::Vec::new(),
            replies: [[0; PACKET_MAX]; BATCH],
            lengths: heapless::Vec::new(),
            to: [None; BATCH],
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Takes what is there; false when nothing is.
    fn receive(&mut self, socket: &Async<UdpSocket>) -> io::Result<bool> {
        let mut slices = self.requests.each_mut().map(|request| [IoSliceMut::new(request)]);
        self.came.clear();
        let received =
            recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None);
        match received {
            Ok(messages) => {
                for message in messages {
                    let source = message.address.and_then(|address| address_of(&address));
                    // without a source it counts as empty, and is answered with silence
                    let came = source.map_or((0, NOBODY), |from| (message.bytes, from));
                    let _ = self.came.push(came); // as many as there are buffers
                }
                Ok(!self.came.is_empty())
            }
            Err(Errno::EAGAIN) => Ok(false),
            // what an earlier answer met, such as a port that is closed
            Err(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EINTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    fn answer<B: Beats>(
        &mut self,
        socket: &Rc<Async<UdpSocket>>,
        beats: &Rc<B>,
        fairness: &Fairness,
        executor: &LocalExecutor<'static>,
    ) {
        let now = beats.monotonic();
        let (mut rates, mut dropped) = (fairness.borrow_mut(), 0);
        self.lengths.clear();
        for (request, (len, source)) in self.requests.iter().zip(&self.came) {
            let Some(packet) = request.get(..*len).filter(|packet| !packet.is_empty()) else { continue };
            if !rates.take(now, source.ip()) {
                dropped += 1;
                continue;
            }
            let at = self.lengths.len();
            let out = &mut self.replies[at];
            match beats.datagram(*source, packet, out) {
                Reply::Silence => {}
                Reply::Send(len) => {
                    self.to[at] = Some(SockaddrStorage::from(*source));
                    let _ = self.lengths.push(len); // as many as there are buffers
                }
                Reply::AfterCommit(len, ticket) => {
                    executor
                        .spawn(later(Rc::clone(socket), Rc::clone(beats), *source, *out, len, ticket))
                        .detach();
                }
            }
        }
        if dropped > 0 {
            beats.dropped(dropped);
        }
    }

    /// Sends the replies. What the kernel does not take is lost, as datagrams are: the box asks again.
    fn send(&self, socket: &Async<UdpSocket>) {
        let mut at = 0;
        while at < self.lengths.len() {
            let replies = self.replies.iter().zip(&self.lengths).zip(&self.to).skip(at);
            let replies = replies.filter_map(|((reply, len), to)| to.as_ref().map(|to| (to, &reply[..*len])));
            match send_burst(socket.as_fd(), replies) {
                Ok(sent) => at += sent.max(1),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => at += 1, // this one cannot be sent
            }
        }
    }
}

/// Sends an answer when what it tells of is on disk.
async fn later<B: Beats>(
    socket: Rc<Async<UdpSocket>>,
    beats: Rc<B>,
    to: SocketAddr,
    reply: [u8; PACKET_MAX],
    len: usize,
    ticket: Ticket,
) {
    if beats.is_committed(ticket).await {
        let _ = socket.get_ref().send_to(&reply[..len], to); // as datagrams are
    }
}

fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6))))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::registrar::sample::{Rig, TestBox, settings};
    use crate::registrar::{Came, Enrol, Registrar};

    /// A registrar whose store takes everything, late.
    struct Service {
        registrar: RefCell<Registrar>,
        dropped: Cell<u64>,
        commits: Cell<u64>,
    }

    impl Beats for Service {
        fn monotonic(&self) -> Duration {
            Duration::from_secs(1000)
        }

        fn datagram(&self, source: SocketAddr, packet: &[u8], out: &mut [u8; PACKET_MAX]) -> Reply {
            let now = crate::registrar::Now { monotonic: self.monotonic(), utc: 1_800_000_000 };
            self.registrar.borrow_mut().datagram(now, Came::Udp, source, packet, out)
        }

        async fn is_committed(self: Rc<Self>, ticket: Ticket) -> bool {
            yield_now().await;
            self.commits.set(self.commits.get() + 1);
            let now = crate::registrar::Now { monotonic: self.monotonic(), utc: 1_800_000_000 };
            let done = crate::registrar::Done { up_to: ticket, result: Ok(()), conflicts: Vec::new() };
            self.registrar.borrow_mut().committed(now, &done);
            true
        }

        fn dropped(&self, packets: u64) {
            self.dropped.set(self.dropped.get() + packets);
        }
    }

    /// A service with one claimed name, and its box.
    fn service() -> (Rc<Service>, TestBox) {
        let mut settings = settings();
        (settings.enrol, settings.publish_private) = (Enrol::Open, true);
        let (mut rig, mut stb) = (Rig::new(settings), TestBox::new(1));
        stb.claim(&mut rig, "alice").unwrap();
        let registrar = RefCell::new(rig.registrar);
        (Rc::new(Service { registrar, dropped: Cell::new(0), commits: Cell::new(0) }), stb)
    }

    fn run<T>(work: impl AsyncFnOnce(Rc<Async<UdpSocket>>, Rc<LocalExecutor<'static>>) -> T) -> T {
        let executor = Rc::new(LocalExecutor::new());
        let socket = Rc::new(bind("127.0.0.1:0".parse().unwrap()).unwrap());
        smol::block_on(executor.run(async {
            let late = async {
                async_io::Timer::after(Duration::from_secs(60)).await;
                panic!("it does not end");
            };
            futures_lite::future::or(work(socket, Rc::clone(&executor)), late).await
        }))
    }

    async fn ask(socket: &Async<UdpSocket>, to: SocketAddr, packet: &[u8]) -> Vec<u8> {
        socket.send_to(packet, to).await.unwrap();
        let mut buffer = [0; PACKET_MAX];
        let len = socket.recv(&mut buffer).await.unwrap();
        buffer[..len].to_vec()
    }

    #[test]
    fn a_box_is_answered_when_its_address_is_on_disk() {
        let (service, mut stb) = service();
        run(async |socket, executor: Rc<LocalExecutor<'static>>| {
            let to = socket.get_ref().local_addr().unwrap();
            let beats = Rc::clone(&service);
            executor.spawn(serve(socket, beats, fairness(), Rc::clone(&executor))).detach();
            let client = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
            let answer = ask(&client, to, &stb.packet()).await;
            assert_eq!(stb.hear(&answer), None, "a cookie first");
            let answer = ask(&client, to, &stb.packet()).await;
            assert_eq!(stb.hear(&answer).unwrap().port, client.get_ref().local_addr().unwrap().port());
            assert_eq!(service.commits.get(), 1);
            for _ in 0..200 {
                let answer = ask(&client, to, &stb.packet()).await;
                assert!(stb.hear(&answer).is_some());
            }
            assert_eq!(service.commits.get(), 1, "steady beats write nothing");
        });
    }

    #[test]
    fn a_flood_of_one_network_is_not_at_the_cost_of_another() {
        let (service, mut stb) = service();
        run(async |socket, executor: Rc<LocalExecutor<'static>>| {
            let to = socket.get_ref().local_addr().unwrap();
            let few = Rc::new(RefCell::new(Rates::new(20, Duration::from_secs(1), 64)));
            executor.spawn(serve(socket, Rc::clone(&service), few, Rc::clone(&executor))).detach();
            let flood = UdpSocket::bind("127.7.7.7:0").unwrap();
            let client = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
            let (mut id, junk) = (stb.packet(), stb.packet());
            id[60] ^= 1; // a MAC that is wrong, of a box that is known
            for round in 0..10 {
                for packet in [&id, &junk, &id, &junk] {
                    (0..25).for_each(|_| _ = flood.send_to(packet, to).unwrap());
                }
                let answer = ask(&client, to, &stb.packet()).await;
                assert!(stb.hear(&answer).is_some() || round == 0);
            }
            let looked_at =
                service.registrar.borrow().counters().silent + service.registrar.borrow().counters().retries;
            assert!(looked_at < 30, "{looked_at} were looked at");
            assert!(service.dropped.get() > 300, "{} were dropped", service.dropped.get());
        });
    }
}

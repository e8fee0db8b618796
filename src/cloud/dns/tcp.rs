//! Questions and transfers by TCP (RFC 7766).

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_lite::io::BufReader;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use smol::{LocalExecutor, Task};

use super::{Host, within};
use crate::nameserver::{Reply, Step, Transfer, Transport};

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    /// Connections at a time. A new one takes the place of who was idle for longest.
    pub connections: usize,
    /// Of these, from one source: an address of IPv4, a /56 of IPv6.
    pub of_one_source: usize,
    /// Transfers at a time; whoever is beyond that comes again.
    pub transfers: usize,
    /// For the next request to come whole, and for an answer to be taken whole.
    pub patience: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self { connections: 512, of_one_source: 16, transfers: 4, patience: Duration::from_secs(10) }
    }
}

/// Bytes of a request at most.
const REQUEST_MAX: usize = 16 * 1024;
/// Bytes of a message with its length.
const MESSAGE_MAX: usize = 2 + u16::MAX as usize;
/// Before the next connection is tried, where the kernel had none to give.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers who connects to `listener`, for ever.
pub async fn serve_tcp<H: Host>(
    host: &H,
    listener: TcpListener,
    limits: TcpLimits,
) -> io::Result<Infallible> {
    let listener = Async::new(listener)?;
    let shared =
        Shared { host, limits, scratch: RefCell::new(vec![0; MESSAGE_MAX]), transfers: Cell::new(0) };
    let seats = RefCell::new(Vec::<Seat>::new());
    let connections = LocalExecutor::new();
    let accept = async {
        loop {
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(e) => {
                    log::warn!("dns: tcp: {e}");
                    Timer::after(PAUSE).await;
                    continue;
                }
            };
            let source = source(from);
            if !make_room(&mut seats.borrow_mut(), source, limits) {
                continue;
            }
            let seen = Rc::new(Seen { at: Cell::new(Instant::now()), is_idle: Cell::new(true) });
            let task = connections.spawn(serve(&shared, stream, seen.clone()));
            seats.borrow_mut().push(Seat { source, seen, task });
        }
    };
    connections.run(accept).await
}

/// A connection as the others see it. When it goes, so does the connection.
struct Seat {
    source: IpAddr,
    seen: Rc<Seen>,
    task: Task<()>,
}

/// When a connection last did something.
struct Seen {
    at: Cell<Instant>,
    is_idle: Cell<bool>,
}

/// Whether one more connection of `source` may be; for it, one that is idle may have to go.
fn make_room(seats: &mut Vec<Seat>, source: IpAddr, limits: TcpLimits) -> bool {
    seats.retain(|seat| !seat.task.is_finished());
    if seats.iter().filter(|seat| seat.source == source).count() >= limits.of_one_source {
        return false;
    }
    if seats.len() < limits.connections {
        return true;
    }
    let idle = seats.iter().enumerate().filter(|(_, seat)| seat.seen.is_idle.get());
    let oldest = idle.min_by_key(|(_, seat)| seat.seen.at.get()).map(|(i, _)| i);
    oldest.map(|i| drop(seats.swap_remove(i))).is_some()
}

/// Who counts as one.
fn source(from: SocketAddr) -> IpAddr {
    match from.ip().to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 72 << 72).into()),
        v4 => v4,
    }
}

/// What all connections share.
struct Shared<'a, H> {
    host: &'a H,
    limits: TcpLimits,
    /// Where answers are made; never borrowed while somebody waits.
    scratch: RefCell<Vec<u8>>,
    transfers: Cell<usize>,
}

async fn serve<H: Host>(shared: &Shared<'_, H>, stream: Async<TcpStream>, seen: Rc<Seen>) {
    // Answers are whole messages; waiting to fill a packet only delays them.
    if stream.get_ref().set_nodelay(true).is_err() {
        return;
    }
    let mut reader = BufReader::with_capacity(4096, &stream);
    let mut request = Vec::new();
    loop {
        seen.at.set(Instant::now());
        seen.is_idle.set(true);
        let came = within(shared.limits.patience, read(&mut reader, &mut request)).await;
        seen.is_idle.set(false);
        if came.is_err() || shared.answer(&stream, &request).await.is_err() {
            return;
        }
        future::yield_now().await;
    }
}

/// The next message.
async fn read(reader: &mut BufReader<&Async<TcpStream>>, request: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 2];
    reader.read_exact(&mut length).await?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > REQUEST_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    request.resize(length, 0);
    reader.read_exact(request).await
}

impl<H: Host> Shared<'_, H> {
    /// Answers one request; an error ends the connection.
    async fn answer(&self, stream: &Async<TcpStream>, request: &[u8]) -> io::Result<()> {
        let (reply, message) = self.reply(request);
        match reply {
            Reply::Send(_) => self.write(stream, &message).await,
            Reply::AfterCommit(_, ticket) if self.host.committed(ticket).await => {
                self.write(stream, &message).await
            }
            Reply::Transfer(transfer) => self.transfer(stream, *transfer).await,
            Reply::Silence | Reply::AfterCommit(..) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn reply(&self, request: &[u8]) -> (Reply, Vec<u8>) {
        let mut scratch = self.scratch.borrow_mut();
        let out = scratch.get_mut(2..).unwrap_or_default();
        let now = self.host.now();
        let reply =
            self.host.with(|server, directory| server.reply(now, Transport::Tcp, request, directory, out));
        let len = match reply {
            Reply::Send(len) | Reply::AfterCommit(len, _) => len,
            Reply::Silence | Reply::Transfer(_) => 0,
        };
        (reply, framed(&mut scratch, len))
    }

    async fn transfer(&self, stream: &Async<TcpStream>, mut transfer: Transfer) -> io::Result<()> {
        if self.transfers.get() >= self.limits.transfers {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let _one_more = OneMore::of(&self.transfers);
        loop {
            let (step, message) = self.step(&mut transfer);
            self.write(stream, &message).await?;
            match step {
                Step::Send(_) => future::yield_now().await,
                Step::Last(_) => return Ok(()),
                Step::BreakOff => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
    }

    fn step(&self, transfer: &mut Transfer) -> (Step, Vec<u8>) {
        let mut scratch = self.scratch.borrow_mut();
        let out = scratch.get_mut(2..).unwrap_or_default();
        let now = self.host.now();
        let step = self.host.with(|server, directory| server.transfer(now, transfer, directory, out));
        let len = match step {
            Step::Send(len) | Step::Last(len) => len,
            Step::BreakOff => 0,
        };
        (step, framed(&mut scratch, len))
    }

    async fn write(&self, mut stream: &Async<TcpStream>, message: &[u8]) -> io::Result<()> {
        within(self.limits.patience, stream.write_all(message)).await
    }
}

/// A message behind its length; nothing where there is none.
fn framed(scratch: &mut [u8], len: usize) -> Vec<u8> {
    let Ok(length @ 1..) = u16::try_from(len) else { return Vec::new() };
    if let Some(place) = scratch.get_mut(..2) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    scratch.get(..2 + len).unwrap_or_default().to_vec()
}

/// Counts one until it goes.
struct OneMore<'a>(&'a Cell<usize>);

impl<'a> OneMore<'a> {
    fn of(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for OneMore<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

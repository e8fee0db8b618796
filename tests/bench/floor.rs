//! The floor: the least that does the job, in one thread.
//!
//! Datagrams by recvmmsg into one ring, and one plain write per client and tick. No HTTP beyond a fixed reply head, no
//! tables, no rights, no checks, no start at a picture.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use stbcast::board::RING_BYTES;
use stbcast::ring::{Position, Ring};
use stbcast::sys::datagram::{BATCH, Edges, Lead, receive};

use super::server::{HEAD, LIFETIME, hold};

/// Bytes of a datagram: seven packets.
const SLOT: usize = 7 * 188;

/// Serves what comes to `from` once a `tick`, for at most [`LIFETIME`].
pub(crate) fn serve(from: SocketAddr, tick: Duration) -> io::Result<()> {
    let input = UdpSocket::bind(from)?;
    hold(&input);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    let mut ring = Ring::new(RING_BYTES)?;
    let mut clients = Vec::new();
    let mut edges = Edges::default();
    let mut due = Instant::now();
    let end = due + LIFETIME;
    while due < end {
        due += tick;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        fill(&input, &mut ring, &mut edges)?;
        clients.retain_mut(|client: &mut Client| client.send(&ring));
        while let Ok((stream, _)) = listener.accept() {
            clients.push(Client::welcome(stream, ring.head())?);
        }
    }
    Ok(())
}

/// Takes all that has come.
fn fill(input: &UdpSocket, ring: &mut Ring, edges: &mut Edges) -> io::Result<()> {
    loop {
        let room = ring.room(BATCH * SLOT);
        let got = receive(input.as_fd(), room, SLOT, edges, Lead::InSlot)?;
        let mut filled = 0;
        for (i, datagram) in got.datagrams.iter().enumerate() {
            let len = datagram.len.min(SLOT);
            if filled != i * SLOT {
                room.copy_within(i * SLOT..i * SLOT + len, filled); // behind a short one
            }
            filled += len;
        }
        ring.commit(filled);
        if got.datagrams.len() < BATCH {
            return Ok(());
        }
    }
}

struct Client {
    stream: TcpStream,
    position: Position,
}

impl Client {
    fn welcome(mut stream: TcpStream, position: Position) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        stream.write_all(HEAD)?;
        Ok(Self { stream, position })
    }

    /// Sends what there is. False when the client is gone.
    fn send(&mut self, ring: &Ring) -> bool {
        let Ok(bytes) = ring.window(self.position, usize::MAX) else {
            self.position = ring.head();
            return true;
        };
        if bytes.is_empty() {
            return true;
        }
        match self.stream.write(bytes) {
            Ok(sent) => {
                self.position += sent as u64;
                true
            }
            Err(e) => e.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

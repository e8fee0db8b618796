//! The baseline: a plain server of crate tiny_http, with a thread per client and a bounded channel to each.

use std::error::Error;
use std::io::{self, Read};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tiny_http::{Header, Request, Response, StatusCode};

use super::server::{LIFETIME, hold};

/// Datagrams that wait for one client at most: more than a second at 8 Mbit/s.
const WAITING: usize = 1024;
/// A length that no client gets to the end of, so that the body is not sent in chunks.
const ENDLESS: usize = 1 << 50;

/// A channel for each client.
type Clients = Mutex<Vec<SyncSender<Arc<[u8]>>>>;

/// Serves what comes to `from`, for at most [`LIFETIME`].
pub(crate) fn serve(from: SocketAddr) -> Result<(), Box<dyn Error + Send + Sync>> {
    let input = UdpSocket::bind(from)?;
    hold(&input);
    let server = tiny_http::Server::http("127.0.0.1:0")?;
    println!("{}", server.server_addr());
    let end = Instant::now() + LIFETIME;
    let clients: Arc<Clients> = Arc::default();
    let listening = Arc::clone(&clients);
    thread::spawn(move || distribute(&input, &listening));
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        let Some(request) = server.recv_timeout(left)? else { break };
        let (sender, receiver) = sync_channel(WAITING);
        clients.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        thread::spawn(move || answer(request, receiver));
    }
    Ok(())
}

/// Each datagram to each client; one whose channel is full loses it.
fn distribute(input: &UdpSocket, clients: &Clients) -> io::Result<()> {
    let mut buffer = [0; 7 * 188];
    loop {
        let len = input.recv(&mut buffer)?;
        let datagram: Arc<[u8]> = Arc::from(&buffer[..len]);
        let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| {
            !matches!(client.try_send(Arc::clone(&datagram)), Err(TrySendError::Disconnected(_)))
        });
    }
}

fn answer(request: Request, datagrams: Receiver<Arc<[u8]>>) -> io::Result<()> {
    let kind = Header::from_bytes("Content-Type", "video/mp2t").map_err(|()| io::ErrorKind::InvalidInput)?;
    let body = Body { datagrams, rest: Arc::default(), taken: 0 };
    let response = Response::new(StatusCode(200), vec![kind], body, Some(ENDLESS), None);
    request.respond(response.with_chunked_threshold(usize::MAX))
}

/// What comes through a channel, as a body.
struct Body {
    datagrams: Receiver<Arc<[u8]>>,
    /// The datagram that did not fit, and how much of it did.
    rest: Arc<[u8]>,
    taken: usize,
}

impl Read for Body {
    /// Waits for one datagram and takes with it those that are there already.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.taken == self.rest.len() {
                let next =
                    if filled == 0 { self.datagrams.recv().ok() } else { self.datagrams.try_recv().ok() };
                let Some(next) = next else { break };
                (self.rest, self.taken) = (next, 0);
            }
            let fits = (buffer.len() - filled).min(self.rest.len() - self.taken);
            buffer[filled..filled + fits].copy_from_slice(&self.rest[self.taken..self.taken + fits]);
            (filled, self.taken) = (filled + fits, self.taken + fits);
        }
        Ok(filled)
    }
}

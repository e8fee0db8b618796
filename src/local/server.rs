//! The answering end, in the box.

use std::fs;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use nix::sys::socket::{getsockopt, sockopt};
use smol::lock::{Semaphore, SemaphoreGuardArc};

use super::protocol::{Done, Greeting, LINE_MAX, Request, line, text};
use crate::board;
use crate::reactor::{Io, Reactor};

/// A peer that does not read its answer, or asks nothing for so long, is dropped.
const PATIENCE: Duration = Duration::from_secs(30);

/// The socket's file; it is removed when this is dropped.
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_file(&self.0) {
            log::debug!("{}: {e}", self.0.display());
        }
    }
}

/// A peer that may ask.
pub struct Peer {
    line: Io,
    reactor: Rc<Reactor>,
    _place: SemaphoreGuardArc,
}

/// Makes the socket, for this user and root alone.
pub fn listen(path: &Path) -> io::Result<(OwnedFd, SocketFile)> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another stbcastd runs with this socket"));
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.into());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok((listener.into(), file))
}

/// Accepts for ever; a peer that may ask goes to `found`.
pub async fn accept_all(
    listener: OwnedFd,
    reactor: Rc<Reactor>,
    mut found: impl FnMut(Peer),
) -> io::Result<()> {
    let listener = Io::new(&reactor, listener)?;
    let places = Arc::new(Semaphore::new(board::LOCAL_PEERS));
    loop {
        let place = places.acquire_arc().await;
        let stream = match listener.when_readable(crate::sys::socket::accept).await {
            Ok(stream) => stream,
            Err(e) => {
                log::debug!("local socket: {e}");
                reactor.sleep(Duration::from_millis(100)).await?;
                continue;
            }
        };
        if may_ask(stream.as_fd()) {
            found(Peer { line: Io::new(&reactor, stream)?, reactor: Rc::clone(&reactor), _place: place });
        } else {
            let why = line(&Done::no("you are not allowed to ask this box"));
            let _told = nix::unistd::write(&stream, &why);
        }
    }
}

/// The peer is root or runs as this user.
fn may_ask(stream: BorrowedFd<'_>) -> bool {
    getsockopt(&stream, sockopt::PeerCredentials)
        .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == nix::unistd::geteuid().as_raw())
}

impl Peer {
    /// Answers requests until the peer has no more. `answer` gives all lines of an answer.
    pub async fn serve<F: Future<Output = Vec<u8>>>(
        mut self,
        answer: impl Fn(Vec<u8>) -> F,
    ) -> io::Result<()> {
        let greeting = Greeting { v: 1, product: text("stbcastd"), version: text(env!("CARGO_PKG_VERSION")) };
        self.write(&line(&greeting)).await?;
        let mut buffer = heapless::Vec::<u8, LINE_MAX>::new();
        loop {
            while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
                let reply = answer(buffer[..end].to_vec()).await;
                self.write(&reply).await?;
                buffer.copy_within(end + 1.., 0);
                buffer.truncate(buffer.len() - end - 1);
            }
            if buffer.is_full() {
                let why = line(&Done::no("a line has at most 4096 bytes"));
                return self.write(&why).await;
            }
            let mut chunk = [0; 256];
            let room = (buffer.capacity() - buffer.len()).min(chunk.len());
            let n = self.reactor.within(PATIENCE, self.line.read(&mut chunk[..room])).await?;
            if n == 0 {
                return Ok(());
            }
            let _fits = buffer.extend_from_slice(&chunk[..n]);
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let work = async { self.line.write_all(bytes).await };
        self.reactor.within(PATIENCE, work).await
    }
}

/// Reads a request line.
pub fn parse(bytes: &[u8]) -> Result<Request<'_>, &'static str> {
    match serde_json_core::from_slice::<Request<'_>>(bytes) {
        Ok((request, used)) if bytes[used..].trim_ascii().is_empty() => Ok(request),
        _ => Err("the line is no request of this protocol"),
    }
}

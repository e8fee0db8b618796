//! One TLS connection over a stream.

use std::io::{self, Read as _, Write as _};
use std::ops::{DerefMut, Range};

use embedded_io_async::{ErrorType, Read, Write};
use rustls::{ClientConnection, ConnectionCommon};

use super::TlsError;

/// Bytes read from the stream below at one time.
const CHUNK: usize = 4096;

/// A stream whose other end has proved who it is. Without [`TlsStream::close`] the peer takes it to be cut off.
///
/// `C` is a connection of rustls, the client's or the server's.
pub struct TlsStream<S, C = ClientConnection> {
    /// It is larger than the rest of most tasks.
    connection: Box<C>,
    stream: S,
    /// What came and `connection` has not taken yet: the part of `chunk` that `unread` says.
    chunk: Box<[u8; CHUNK]>,
    unread: Range<usize>,
    /// What is to go, the first `sent` bytes of it gone. A write that was given up halfway goes on where it was.
    outgoing: Vec<u8>,
    sent: usize,
}

impl<S: Read + Write, C, D> TlsStream<S, C>
where
    C: DerefMut<Target = ConnectionCommon<D>>,
{
    pub(super) fn new(connection: C, stream: S) -> Self {
        Self {
            connection: Box::new(connection),
            stream,
            chunk: Box::new([0; CHUNK]),
            unread: 0..0,
            outgoing: Vec::new(),
            sent: 0,
        }
    }

    pub(super) async fn shake_hands(&mut self) -> Result<(), TlsError<S::Error>> {
        loop {
            self.send().await?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            if self.receive().await? == 0 {
                return Err(TlsError::HungUp);
            }
        }
    }

    /// Tells the peer that this was all.
    pub async fn close(&mut self) -> Result<(), TlsError<S::Error>> {
        self.connection.send_close_notify();
        self.send().await
    }

    /// Sends what waits to be sent.
    async fn send(&mut self) -> Result<(), TlsError<S::Error>> {
        loop {
            while self.connection.wants_write() {
                // Into memory it cannot fail; the limit of the connection's own buffers is that of `outgoing`, too.
                self.connection.write_tls(&mut self.outgoing).map_err(|_| TlsError::HungUp)?;
            }
            if self.sent == self.outgoing.len() {
                self.outgoing.clear();
                self.sent = 0;
                return self.stream.flush().await.map_err(TlsError::Io);
            }
            match self.stream.write(&self.outgoing[self.sent..]).await.map_err(TlsError::Io)? {
                0 => return Err(TlsError::HungUp),
                n => self.sent += n,
            }
        }
    }

    /// Takes bytes from the stream below; 0 at its end. Not to be called while plaintext waits: there is room for that
    /// of one record and of one chunk.
    async fn receive(&mut self) -> Result<usize, TlsError<S::Error>> {
        if self.unread.is_empty() {
            let size = self.stream.read(&mut self.chunk[..]).await.map_err(TlsError::Io)?;
            self.unread = 0..size;
        }
        let taken = self.connection.read_tls(&mut &self.chunk[self.unread.clone()]);
        let taken = taken.map_err(|e| TlsError::Peer(rustls::Error::General(e.to_string())))?;
        self.unread.start += taken;
        if let Err(why) = self.connection.process_new_packets() {
            let _best_effort = self.send().await; // the alert that tells the peer why
            return Err(why.into());
        }
        Ok(taken)
    }
}

impl<S: ErrorType, C> ErrorType for TlsStream<S, C> {
    type Error = TlsError<S::Error>;
}

impl<S: Read + Write, C, D> Read for TlsStream<S, C>
where
    C: DerefMut<Target = ConnectionCommon<D>>,
{
    /// 0 once the peer said that this was all.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        loop {
            match self.connection.reader().read(buffer) {
                Ok(size) => return Ok(size),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(TlsError::Truncated),
            }
            self.send().await?; // a key update is to be answered
            self.receive().await?; // its end is seen by the reader
        }
    }
}

impl<S: Read + Write, C, D> Write for TlsStream<S, C>
where
    C: DerefMut<Target = ConnectionCommon<D>>,
{
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.send().await?; // so that there is room
        let size = self.connection.writer().write(bytes);
        let size = size.map_err(|e| TlsError::Peer(rustls::Error::General(e.to_string())))?;
        self.send().await?;
        Ok(size)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.send().await
    }
}

//! A reply body that is written as it comes: chunked (RFC 9112 §7.1), or plain up to the end.

use std::fmt::Write as _;
use std::io;

use embedded_io_async::{Read, Write};

use super::Connection;
use super::connection::Asked;

/// Bytes gathered before they are sent.
const GATHER: usize = 4096;

/// Takes the body of one reply.
pub struct Body<'c, S> {
    connection: &'c mut Connection<S>,
    asked: Asked,
    keep_alive: bool,
    gathered: Vec<u8>,
}

impl<'c, S: Read<Error = io::Error> + Write<Error = io::Error>> Body<'c, S> {
    pub(super) fn new(connection: &'c mut Connection<S>, asked: Asked, keep_alive: bool) -> Self {
        Self { connection, asked, keep_alive, gathered: Vec::with_capacity(2 * GATHER) }
    }

    /// More of the body.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(GATHER) {
            self.gathered.extend_from_slice(part);
            if self.gathered.len() >= GATHER {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// The end of the body. Says whether the connection goes on.
    pub async fn finish(mut self) -> io::Result<bool> {
        self.send().await?;
        if self.asked.is_1_1 && !self.asked.head_only {
            self.connection.write_all(b"0\r\n\r\n").await?;
        }
        Ok(self.keep_alive)
    }

    async fn send(&mut self) -> io::Result<()> {
        if self.asked.head_only || self.gathered.is_empty() {
            self.gathered.clear();
            return Ok(());
        }
        if self.asked.is_1_1 {
            let mut size = heapless::String::<16>::new();
            let _fits = write!(size, "{:x}\r\n", self.gathered.len());
            self.connection.write_all(size.as_bytes()).await?;
            self.gathered.extend_from_slice(b"\r\n");
        }
        self.connection.write_all(&self.gathered).await?;
        self.gathered.clear();
        Ok(())
    }
}

//! A stream's way to a player: what one read brings is one write. The end of either is the other's.

use std::io::{self, Write};

use super::super::Failure;
use super::super::http::{Answer, HttpError, STALL, within};

/// ISO 13818-1 over HTTP (RFC 3555 registers the type).
pub(super) const MPEG_TS: &str = "video/mp2t";
/// Bytes taken from the box at once.
const READ: usize = 64 * 1024;
/// Digits of a chunk's size, and its line end.
const SIZE: usize = 6 + 2;

/// How a player sees where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its last chunk (RFC 9112 §7.1). The end of the connection would not do: it is the player's to close.
    Chunked,
    /// By the end of the connection: HTTP/1.0.
    Close,
}

/// Who ended a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The player hung up.
    Player,
    Box,
}

impl Framing {
    /// For a player of this version of HTTP.
    pub(super) fn of(major: u8, minor: u8) -> Self {
        if (major, minor) >= (1, 1) { Self::Chunked } else { Self::Close }
    }

    fn head(self) -> String {
        let coding = if self == Self::Chunked { "Transfer-Encoding: chunked\r\n" } else { "" };
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {MPEG_TS}\r\nCache-Control: no-store\r\nAccept-Ranges: none\r\n\
             Connection: close\r\n{coding}\r\n"
        )
    }

    /// What goes out for the `length` bytes that stand in `buffer` behind [`SIZE`].
    fn framed(self, buffer: &mut [u8; SIZE + READ + 2], length: usize) -> &[u8] {
        if self == Self::Close {
            return &buffer[SIZE..SIZE + length];
        }
        buffer[..SIZE].copy_from_slice(format!("{length:06x}\r\n").as_bytes());
        buffer[SIZE + length..SIZE + length + 2].copy_from_slice(b"\r\n");
        &buffer[..SIZE + length + 2]
    }
}

/// Passes `answer` on until an end.
pub(super) fn pass(mut answer: Answer, mut player: impl Write, framing: Framing) -> Result<End, Failure> {
    if send(&mut player, framing.head().as_bytes()).is_err() {
        return Ok(End::Player);
    }
    let mut buffer = Box::new([0; SIZE + READ + 2]);
    let outcome = loop {
        match smol::block_on(within(STALL, answer.read(&mut buffer[SIZE..SIZE + READ]))) {
            Some(Ok(0)) => break Ok(End::Box),
            Some(Ok(length)) => {
                if send(&mut player, framing.framed(&mut buffer, length)).is_err() {
                    return Ok(End::Player);
                }
            }
            Some(Err(e)) => break Err(HttpError::Broken(e).into()),
            None => break Err(HttpError::Silent(STALL).into()),
        }
    };
    if framing == Framing::Chunked {
        let _gone = send(&mut player, b"0\r\n\r\n");
    }
    outcome
}

fn send(player: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    player.write_all(bytes)?;
    player.flush()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::super::super::authority::Authority;
    use super::super::super::http::{Request, ask};
    use super::*;

    /// The answer of a box that sends each of `pieces` after the last was taken, and hangs up.
    fn answer(pieces: Vec<Vec<u8>>) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = Authority::parse(&listener.local_addr().unwrap().to_string(), 0).unwrap();
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = io::Read::read(&mut socket, &mut [0; 4096]).unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n").unwrap();
            for piece in pieces {
                if socket.write_all(&piece).is_err() {
                    return;
                }
            }
        });
        smol::block_on(ask(&authority, &Request::new("GET", "/x"))).unwrap()
    }

    /// A player that hangs up after `left` writes.
    struct Player {
        got: Vec<u8>,
        left: usize,
    }

    impl Write for Player {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.left = self.left.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
            self.got.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = bytes.windows(2).position(|pair| pair == b"\r\n").unwrap();
            let size = usize::from_str_radix(str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
            body.extend_from_slice(&bytes[end + 2..end + 2 + size]);
            assert_eq!(bytes[end + 2 + size..][..2], *b"\r\n");
            bytes = &bytes[end + 4 + size..];
            if size == 0 {
                assert!(bytes.is_empty());
                return body;
            }
        }
    }

    #[test]
    fn every_byte_goes_on_and_the_end_too() {
        let sent: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
        let pieces = || sent.chunks(70_001).map(<[u8]>::to_vec).collect();
        for framing in [Framing::Chunked, Framing::Close] {
            let mut player = Player { got: Vec::new(), left: usize::MAX };
            assert_eq!(pass(answer(pieces()), &mut player, framing).unwrap(), End::Box);
            let body = player.got.strip_prefix(framing.head().as_bytes()).unwrap();
            assert!(if framing == Framing::Chunked { dechunked(body) } else { body.to_vec() } == sent);
        }
        assert_eq!([Framing::of(1, 1), Framing::of(1, 0)], [Framing::Chunked, Framing::Close]);
    }

    #[test]
    fn a_player_that_hangs_up_ends_it() {
        for left in [0, 1, 3] {
            let endless = vec![vec![1; 200_000]; 50];
            let mut player = Player { got: Vec::new(), left };
            assert_eq!(pass(answer(endless), &mut player, Framing::Close).unwrap(), End::Player);
        }
    }
}

//! One request to the box and its answer: HTTP/1.0, a connection each (RFC 1945).
//!
//! Follows no redirect, for the credential would go along. Version 1.0 is never answered in chunks.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use async_io::{Async, Timer};
use smol::future;
use smol::io::{AsyncReadExt, AsyncWriteExt};

use super::authority::{Authority, Host};
use super::challenge;
use crate::handshake::Nonce;

/// The box must be reached within this.
const REACH: Duration = Duration::from_secs(5);
/// Without a byte for this long, the box has gone.
pub(super) const STALL: Duration = Duration::from_secs(10);
/// Bytes of the longest head of an answer.
const HEAD: usize = 16 * 1024;
/// Bytes of the longest body that is no stream.
const BODY: usize = 1024 * 1024;
/// Fields of the longest head.
const FIELDS: usize = 64;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum HttpError {
    /// The box's name is not known.
    NameUnknown(io::Error),
    /// No connection.
    Unreachable(io::Error),
    /// No connection in time.
    TooFar,
    /// The connection broke.
    Broken(io::Error),
    /// The box fell silent.
    Silent(Duration),
    /// The box hung up before the end of its answer.
    HungUp,
    /// The answer is no HTTP/1, or is chunked.
    NotHttp,
    /// The head or the body is longer than any of ours.
    TooLong,
    /// A status that is not 200, without an explanation.
    Status(u16),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameUnknown(e) => write!(f, "the name of the box cannot be looked up: {e}"),
            Self::Unreachable(e) => write!(f, "the box cannot be reached: {e}"),
            Self::TooFar => {
                write!(
                    f,
                    "the box did not answer within {} s: is it on, and on this network?",
                    REACH.as_secs()
                )
            }
            Self::Broken(e) => write!(f, "the connection to the box broke: {e}"),
            Self::Silent(limit) => write!(f, "nothing came from the box for {} s", limit.as_secs()),
            Self::HungUp => f.write_str("the box hung up before its answer was whole"),
            Self::NotHttp => f.write_str("what answered is no box: the answer is not the HTTP expected"),
            Self::TooLong => f.write_str("what answered is no box: the answer is too long"),
            Self::Status(code) => write!(f, "the box answered with status {code}"),
        }
    }
}

/// What is asked of a box.
#[derive(Clone, Copy)]
pub(super) struct Request<'r> {
    pub(super) method: &'static str,
    /// The path and what follows it, ASCII without blanks.
    pub(super) path: &'r str,
    /// The value of `Authorization`.
    pub(super) authorization: Option<&'r str>,
    /// JSON.
    pub(super) body: Option<&'r [u8]>,
    /// How long the box may think before the next byte.
    pub(super) patience: Duration,
}

impl<'r> Request<'r> {
    pub(super) const fn new(method: &'static str, path: &'r str) -> Self {
        Self { method, path, authorization: None, body: None, patience: STALL }
    }

    pub(super) const fn with_body(self, json: &'r [u8]) -> Self {
        Self { body: Some(json), ..self }
    }

    /// As it goes to the socket, the credential with it.
    fn bytes(&self, authority: &Authority) -> Vec<u8> {
        let Self { method, path, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        let mut head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {authority}\r\nUser-Agent: stbcast/{version}\r\nAccept: */*\r\n\
             Connection: close\r\n"
        );
        if let Some(credential) = self.authorization {
            head += &format!("Authorization: {credential}\r\n");
        }
        if let Some(json) = self.body {
            head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
        } else if self.method == "POST" {
            head += "Content-Length: 0\r\n";
        }
        [head.as_bytes(), b"\r\n", self.body.unwrap_or_default()].concat()
    }
}

/// An answer whose head has come.
#[derive(Debug)]
pub(super) struct Answer {
    socket: Async<TcpStream>,
    head: Head,
    /// What came with the head and was not read yet.
    early: Vec<u8>,
    patience: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    length: Option<usize>,
    body: Kind,
    /// What the box wants signed.
    challenge: Option<Nonce>,
}

/// What the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `video/mp2t`.
    TransportStream,
    Other,
}

/// Asks the box at `authority`.
pub(super) async fn ask(authority: &Authority, request: &Request<'_>) -> Result<Answer, HttpError> {
    let patience = request.patience;
    let mut socket = within(REACH, connect(authority)).await.ok_or(HttpError::TooFar)??;
    within(STALL, socket.write_all(&request.bytes(authority)))
        .await
        .ok_or(HttpError::Silent(STALL))?
        .map_err(HttpError::Broken)?;
    let mut bytes = Vec::new();
    loop {
        if let Some((head, size)) = parse_head(&bytes)? {
            return Ok(Answer { socket, head, early: bytes.split_off(size), patience });
        }
        if bytes.len() >= HEAD {
            return Err(HttpError::TooLong);
        }
        if receive(&mut socket, &mut bytes, patience).await? == 0 {
            return Err(HttpError::HungUp);
        }
    }
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.head.status
    }

    /// What the box wants signed before it answers otherwise.
    pub(super) fn challenge(&self) -> Option<Nonce> {
        self.head.challenge
    }

    pub(super) fn is_transport_stream(&self) -> bool {
        self.head.body == Kind::TransportStream
    }

    /// The next bytes of the body; 0 at its end. Waits as long as it takes.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.early.is_empty() {
            return self.socket.read(buffer).await;
        }
        let size = self.early.len().min(buffer.len());
        buffer[..size].copy_from_slice(&self.early[..size]);
        self.early.drain(..size);
        Ok(size)
    }

    /// All of the body.
    pub(super) async fn body(mut self) -> Result<Vec<u8>, HttpError> {
        let mut body = self.early;
        loop {
            match self.head.length {
                Some(length) if length > BODY => return Err(HttpError::TooLong),
                Some(length) if body.len() >= length => {
                    body.truncate(length);
                    return Ok(body);
                }
                _ if body.len() > BODY => return Err(HttpError::TooLong),
                _ => {}
            }
            if receive(&mut self.socket, &mut body, self.patience).await? == 0 {
                return if self.head.length.is_none() { Ok(body) } else { Err(HttpError::HungUp) };
            }
        }
    }
}

/// `work`, or `None` when it takes longer than `limit`.
pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    future::or(async { Some(work.await) }, async {
        Timer::after(limit).await;
        None
    })
    .await
}

/// Tries every address of the box; each gets its share of the time.
async fn connect(authority: &Authority) -> Result<Async<TcpStream>, HttpError> {
    let addresses = resolve(authority).await.map_err(HttpError::NameUnknown)?;
    let share = REACH / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut outcome = Err(HttpError::TooFar);
    for address in addresses {
        match within(share, Async::<TcpStream>::connect(address)).await {
            Some(Ok(socket)) => return Ok(socket),
            Some(Err(e)) => outcome = Err(HttpError::Unreachable(e)),
            None => {}
        }
    }
    outcome
}

async fn resolve(authority: &Authority) -> io::Result<Vec<SocketAddr>> {
    let port = authority.port();
    match authority.host() {
        Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, port)]),
        Host::Name(name) => {
            let name = name.clone();
            smol::unblock(move || Ok((name.as_str(), port).to_socket_addrs()?.collect())).await
        }
    }
}

/// Appends what comes next to `bytes`; 0 is the end.
async fn receive(
    socket: &mut Async<TcpStream>,
    bytes: &mut Vec<u8>,
    patience: Duration,
) -> Result<usize, HttpError> {
    let mut buffer = vec![0; 4096];
    let read = within(patience, socket.read(&mut buffer)).await.ok_or(HttpError::Silent(patience))?;
    let size = read.map_err(HttpError::Broken)?;
    bytes.extend_from_slice(&buffer[..size]);
    Ok(size)
}

/// The head at the start of `bytes` and its size; `None` while it is not whole.
fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, HttpError> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    let size = match answer.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HttpError::TooLong),
        Err(_) => return Err(HttpError::NotHttp),
    };
    let status = answer.code.ok_or(HttpError::NotHttp)?;
    let mut head = Head { status, length: None, body: Kind::Other, challenge: None };
    for field in answer.headers.iter() {
        let value = std::str::from_utf8(field.value).unwrap_or_default().trim();
        if field.name.eq_ignore_ascii_case("content-length") {
            head.length = Some(value.parse().map_err(|_| HttpError::NotHttp)?);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(HttpError::NotHttp);
        } else if field.name.eq_ignore_ascii_case("content-type") && is_mpeg_ts(value) {
            head.body = Kind::TransportStream;
        } else if field.name.eq_ignore_ascii_case("www-authenticate") {
            head.challenge = head.challenge.or_else(|| challenge::nonce(value));
        }
    }
    Ok(Some((head, size)))
}

/// `video/mp2t`, whatever its parameters.
fn is_mpeg_ts(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("video/mp2t"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;

    /// A box that gives one answer, in pieces, and hands back the request.
    fn give(pieces: Vec<Vec<u8>>) -> (Authority, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = Authority::parse(&listener.local_addr().unwrap().to_string(), 80).unwrap();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            for piece in pieces {
                socket.write_all(&piece).unwrap();
            }
            String::from_utf8(request).unwrap()
        });
        (authority, server)
    }

    fn body(pieces: &[&str]) -> Result<String, HttpError> {
        let (authority, server) = give(pieces.iter().map(|p| p.as_bytes().to_vec()).collect());
        let body = smol::block_on(async { ask(&authority, &Request::new("GET", "/x")).await?.body().await });
        server.join().unwrap();
        body.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_stream_is_read_as_it_was_sent() {
        let sent: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: video/MP2T; x=1\r\nConnection: close\r\n\r\n".to_vec();
        let (authority, server) = give(vec![head, sent.clone()]);
        let mut got = Vec::new();
        smol::block_on(async {
            let mut answer = ask(&authority, &Request::new("GET", "/live/1.ts?t=x")).await.unwrap();
            assert_eq!((answer.status(), answer.is_transport_stream()), (200, true));
            let mut buffer = [0; 1000];
            loop {
                match answer.read(&mut buffer).await.unwrap() {
                    0 => break,
                    size => got.extend_from_slice(&buffer[..size]),
                }
            }
        });
        assert_eq!(got, sent);
        let head = format!("GET /live/1.ts?t=x HTTP/1.0\r\nHost: {authority}\r\n");
        assert!(server.join().unwrap().starts_with(&head));
    }

    #[test]
    fn a_body_ends_at_its_length_or_at_the_end() {
        assert_eq!(body(&["HTTP/1.1 403 No\r\nContent-Le", "ngth: 3\r\n\r\nabcd"]).unwrap(), "abc");
        assert_eq!(body(&["HTTP/1.1 200 OK\r\n\r\n", "ab", "c"]).unwrap(), "abc");
    }

    #[test]
    fn what_is_no_answer_is_named() {
        assert!(matches!(body(&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"]), Err(HttpError::HungUp)));
        assert!(matches!(body(&["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"]), Err(HttpError::NotHttp)));
        assert!(matches!(
            body(&["HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n"]),
            Err(HttpError::TooLong)
        ));
        assert!(matches!(
            body(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]),
            Err(HttpError::NotHttp)
        ));
        assert!(matches!(body(&["SSH-2.0-x\r\n\r\n"]), Err(HttpError::NotHttp)));
        assert!(matches!(body(&["HTTP/1.1 200 OK\r\nA: b"]), Err(HttpError::HungUp)));
        assert!(matches!(body(&[]), Err(HttpError::HungUp)));
    }

    #[test]
    fn a_request_has_its_credential_and_the_length_of_its_body() {
        let stb = Authority::parse("box:1", 80).unwrap();
        let text = |request: Request<'_>| String::from_utf8(request.bytes(&stb)).unwrap();
        let get = text(Request { authorization: Some("Bearer x"), ..Request::new("GET", "/a") });
        assert!(get.ends_with("Connection: close\r\nAuthorization: Bearer x\r\n\r\n"), "{get}");
        let post = text(Request::new("POST", "/a").with_body(b"{}"));
        assert!(post.ends_with("Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"), "{post}");
        assert!(text(Request::new("POST", "/a")).ends_with("Content-Length: 0\r\n\r\n"));
    }

    #[test]
    fn a_challenge_is_found_in_the_head() {
        let field = "WWW-Authenticate: STB nonce=\"AQEBAQEBAQEBAQEBAQEBAQ\"";
        let head = |fields: &str| parse_head(format!("HTTP/1.1 401 No\r\n{fields}\r\n\r\n").as_bytes());
        let challenge = |fields: &str| head(fields).unwrap().unwrap().0.challenge;
        assert_eq!(challenge(field), Some(Nonce([1; 16])));
        assert_eq!(challenge(&format!("WWW-Authenticate: Basic realm=x\r\n{field}")), Some(Nonce([1; 16])));
        assert_eq!(challenge("A: b"), None);
    }

    #[test]
    fn an_endless_head_is_given_up() {
        assert!(matches!(body(&["HTTP/1.1 200 OK\r\nA: ", &"x".repeat(HEAD)]), Err(HttpError::TooLong)));
    }

    #[test]
    fn a_closed_port_is_unreachable() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let authority = Authority::parse(&address.to_string(), 80).unwrap();
        let asked = smol::block_on(ask(&authority, &Request::new("GET", "/x")));
        assert!(matches!(asked, Err(HttpError::Unreachable(_))));
    }

    #[test]
    fn nothing_takes_longer_than_allowed() {
        assert_eq!(smol::block_on(within(Duration::from_millis(1), future::pending::<()>())), None);
        assert_eq!(smol::block_on(within(STALL, future::ready(1))), Some(1));
    }
}

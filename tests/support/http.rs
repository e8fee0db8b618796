//! A client of HTTP on bare sockets, so that a request can be sent byte by byte, and wrong.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt,
};

use super::uninterrupted;

/// Nothing in a test takes longer than this, on the slowest machine.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// How long one read waits, so that the deadline is looked at.
const SLICE: Duration = Duration::from_millis(100);

/// A URL of this kind: `http://address/path`.
pub fn split(url: &str) -> (SocketAddr, &str) {
    let rest = url.strip_prefix("http://").expect("the URL is one of http");
    let at = rest.find('/').expect("the URL has a path");
    (rest[..at].parse().expect("the URL names an address"), &rest[at..])
}

/// The token that a URL carries.
pub fn token(url: &str) -> &str {
    let (_, token) = url.split_once("t=").expect("the URL has a token");
    token
}

/// Text as it stands in a URL: every byte that is not a letter or digit becomes an escape.
pub fn escape(text: &str) -> String {
    let escaped = text
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") });
    escaped.collect()
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    /// Status line and fields, as sent.
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// A header field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is UTF-8")
    }
}

/// A connection to a box.
pub struct Client {
    stream: TcpStream,
    /// What was received and not taken yet.
    pub unread: Vec<u8>,
    /// The other end closed.
    pub ended: bool,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the box accepts"))
    }

    /// Connects by a socket for which the kernel keeps little that is not read (`SO_RCVBUF`, in bytes).
    pub fn connect_with_buffer(address: SocketAddr, bytes: usize) -> Self {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket =
            socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket is made");
        // Before the connection is made: the window is agreed on then.
        setsockopt(&socket, sockopt::RcvBuf, &bytes).expect("SO_RCVBUF can be set");
        connect(socket.as_raw_fd(), &SockaddrStorage::from(address)).expect("the box accepts");
        Self::over(socket.into())
    }

    /// Connects from an address of this machine: all of 127.0.0.0/8 are.
    pub fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
            .expect("a socket is made");
        bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::from((source, 0))))
            .expect("the source is ours");
        connect(socket.as_raw_fd(), &SockaddrStorage::from(address)).expect("the box accepts");
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(SLICE)).expect("a time-out can be set");
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        Self { stream, unread: Vec::new(), ended: false }
    }

    /// Receives one byte, if there is one.
    pub fn receive_byte(&mut self) {
        let mut byte = [0];
        if uninterrupted(|| self.stream.read(&mut byte)).is_ok_and(|n| n == 1) {
            self.unread.extend(byte);
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the box reads");
    }

    /// Sends what the other end may refuse to read.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Receives some bytes, until `deadline`. False at the end or when the deadline has passed.
    pub fn receive(&mut self, deadline: Instant) -> bool {
        let mut chunk = [0; 65536];
        while !self.ended && Instant::now() < deadline {
            match self.stream.read(&mut chunk) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    self.unread.extend(&chunk[..n]);
                    return true;
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.ended = true,
            }
        }
        false
    }

    /// Receives until `enough` says so. Panics at the end and at the deadline.
    pub fn receive_until(&mut self, what: &str, enough: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !enough(&self.unread) {
            let more = self.receive(deadline);
            assert!(more || enough(&self.unread), "{what}: {}", self.why_not());
        }
    }

    /// Receives until the other end closes.
    pub fn receive_all(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + DEADLINE;
        while self.receive(deadline) {}
        assert!(self.ended, "the box does not close: {}", self.why_not());
        std::mem::take(&mut self.unread)
    }

    /// A head, without a body.
    pub fn head(&mut self) -> Reply {
        self.receive_until("a reply's head", |bytes| end_of_head(bytes).is_some());
        let end = end_of_head(&self.unread).unwrap_or(0);
        let head = String::from_utf8(self.unread.drain(..end).collect()).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Reply { status: status.expect("a reply has a status"), head, body: Vec::new() }
    }

    /// A reply with its body.
    pub fn reply(&mut self) -> Reply {
        let mut reply = self.head();
        assert_ne!(reply.field("content-type"), Some("video/mp2t"), "a stream comes, and has no end");
        if let Some(length) = reply.field("content-length") {
            let length: usize = length.parse().expect("a length is a number");
            self.receive_until("a reply's body", |bytes| bytes.len() >= length);
            reply.body = self.unread.drain(..length).collect();
        } else if reply.field("transfer-encoding").is_some() {
            while self.chunk(&mut reply.body) {}
        } else {
            reply.body = self.receive_all();
        }
        reply
    }

    /// Takes one chunk. False for the last.
    pub fn chunk(&mut self, body: &mut Vec<u8>) -> bool {
        let line = |bytes: &[u8]| bytes.windows(2).position(|w| w == b"\r\n");
        self.receive_until("a chunk's size", |bytes| line(bytes).is_some());
        let size: Vec<u8> = self.unread.drain(..line(&self.unread).unwrap_or(0) + 2).collect();
        let size = String::from_utf8_lossy(&size).trim().to_owned();
        let size = usize::from_str_radix(&size, 16).expect("a chunk has a size");
        self.receive_until("a chunk", |bytes| bytes.len() >= size + 2);
        body.extend(self.unread.drain(..size));
        assert_eq!(self.unread.drain(..2).collect::<Vec<_>>(), b"\r\n", "a chunk ends with its line");
        size > 0
    }

    fn why_not(&self) -> String {
        let ended = if self.ended { "the box closed" } else { "the deadline has passed" };
        format!("{ended} after {} bytes", self.unread.len())
    }
}

/// One request with these fields, and its reply.
pub fn request(method: &str, url: &str, fields: &str) -> Reply {
    request_by(Client::connect(split(url).0), method, url, fields)
}

/// The same by a connection that was made to where the URL's host is forwarded to.
pub fn request_by(mut client: Client, method: &str, url: &str, fields: &str) -> Reply {
    let (address, path) = split(url);
    client.send(
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n")
            .as_bytes(),
    );
    if method == "HEAD" {
        let mut reply = client.head();
        reply.body = client.receive_all();
        return reply;
    }
    client.reply()
}

pub fn get(url: &str) -> Reply {
    request("GET", url, "")
}

/// Somebody who watches.
pub struct Viewer {
    pub client: Client,
    pub reply: Reply,
}

impl Viewer {
    /// Asks for a stream and reads the head of the answer.
    pub fn open(url: &str) -> Self {
        let viewer = Self::ask(url, "");
        assert_eq!(viewer.reply.status, 200, "{url}: {}", viewer.reply.head);
        viewer
    }

    /// The same by a socket that holds little.
    pub fn open_with_buffer(url: &str, bytes: usize) -> Self {
        let viewer = Self::ask_by(Client::connect_with_buffer(split(url).0, bytes), url, "");
        assert_eq!(viewer.reply.status, 200, "{url}: {}", viewer.reply.head);
        viewer
    }

    /// The same with more header fields, and whatever the answer is.
    pub fn ask(url: &str, fields: &str) -> Self {
        Self::ask_by(Client::connect(split(url).0), url, fields)
    }

    /// The same by a connection that was made to where the URL's host is forwarded to.
    pub fn ask_by(mut client: Client, url: &str, fields: &str) -> Self {
        let (address, path) = split(url);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n").as_bytes());
        let reply = client.head();
        Self { client, reply }
    }

    /// All that was received so far.
    pub fn bytes(&self) -> &[u8] {
        &self.client.unread
    }

    /// Watches until so many bytes came, counted from the beginning.
    pub fn watch(&mut self, bytes: usize) -> &[u8] {
        self.client.receive_until("a stream", |got| got.len() >= bytes);
        self.bytes()
    }

    /// Watches that many bytes more.
    pub fn watch_on(&mut self, bytes: usize) -> &[u8] {
        self.watch(self.bytes().len() + bytes)
    }

    /// Watches until such a packet came, as far as whole packets came since this was last asked.
    pub fn watch_until(&mut self, what: &str, is_last: impl Fn(&[u8; 188]) -> bool) -> &[u8] {
        let from = std::cell::Cell::new(0);
        self.client.receive_until(what, |got| {
            let packets = got.as_chunks().0;
            let found = packets[from.get()..].iter().any(&is_last);
            from.set(packets.len());
            found
        });
        self.bytes()
    }

    /// Watches until the stream ends.
    pub fn watch_all(&mut self) -> Vec<u8> {
        self.client.receive_all()
    }

    /// Takes what has come by now, without waiting for more than a moment.
    pub fn is_connected(&mut self) -> bool {
        self.client.receive(Instant::now() + SLICE);
        !self.client.ended
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

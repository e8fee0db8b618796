//! One connection: requests in, replies out, with a limit on every wait.

use std::fmt::Write as _;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use nix::sys::socket::{setsockopt, sockopt};

use super::{Body, Method, Request, RequestError, Status};
use crate::board;
use crate::reactor::Reactor;

/// A head comes in this time, or its connection ends.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// A kept connection waits so long for its next request.
const IDLE_TIME: Duration = Duration::from_secs(15);
/// A peer takes some bytes of a reply in this time, or its connection ends.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// The bytes of a request head.
pub type HeadBuffer = heapless::Vec<u8, { board::HEAD_BYTES }>;

/// A byte stream with a reactor's clock beside it.
pub struct Connection<S> {
    stream: S,
    reactor: Rc<Reactor>,
}

impl<S: Read<Error = io::Error> + Write<Error = io::Error>> Connection<S> {
    /// Serves `stream`.
    pub fn new(stream: S, reactor: &Rc<Reactor>) -> Self {
        Self { stream, reactor: Rc::clone(reactor) }
    }

    /// Gives the stream back.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Reads more of the head that `buffer` begins with, and that began to come at `begun`. `Ok(false)` at the peer's
    /// end between two requests.
    pub async fn read_more(
        &mut self,
        buffer: &mut HeadBuffer,
        begun: &mut Option<Duration>,
    ) -> io::Result<Result<bool, RequestError>> {
        if buffer.is_full() {
            return Ok(Err(RequestError::HeadTooLong));
        }
        let patience = if buffer.is_empty() {
            IDLE_TIME
        } else {
            let now = crate::sys::clock::boot();
            let passed = now.saturating_sub(*begun.get_or_insert(now));
            HEAD_TIME.saturating_sub(passed).max(Duration::from_millis(1))
        };
        let mut chunk = [0; 512];
        let room = (buffer.capacity() - buffer.len()).min(chunk.len());
        let n = match self.reactor.within(patience, self.stream.read(&mut chunk[..room])).await {
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                return Ok(if buffer.is_empty() { Ok(false) } else { Err(RequestError::Slow) });
            }
            other => other?,
        };
        let _fits = buffer.extend_from_slice(&chunk[..n]);
        Ok(match n {
            0 if buffer.is_empty() => Ok(false),
            0 => Err(RequestError::Syntax),
            _ => Ok(true),
        })
    }

    /// Before the end: takes what the peer still sends, for a moment. Closing over unread bytes would reset the last
    /// reply away (RFC 9112 §9.6).
    pub async fn linger(mut self)
    where
        S: std::os::fd::AsFd,
    {
        if nix::sys::socket::shutdown(self.stream.as_fd().as_raw_fd(), nix::sys::socket::Shutdown::Write)
            .is_err()
        {
            return; // the peer is gone already
        }
        let mut waste = [0; 2048];
        for _ in 0..32 {
            match self.reactor.within(Duration::from_secs(1), self.stream.read(&mut waste)).await {
                Ok(1..) => {}
                _ => return,
            }
        }
    }

    /// Waits for the end of what the peer sends, where nothing more is expected of it. Gives why it is over.
    pub async fn ended(&mut self) -> io::Error {
        let mut unexpected = [0; 64];
        match self.stream.read(&mut unexpected).await {
            Ok(0) => io::ErrorKind::ConnectionAborted.into(),
            Ok(_) => io::ErrorKind::InvalidData.into(),
            Err(e) => e,
        }
    }

    /// Ends the connection once its peer acknowledged nothing of what was sent for so long.
    pub fn give_up_after(&self, time: Duration) -> io::Result<()>
    where
        S: std::os::fd::AsFd,
    {
        let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        Ok(setsockopt(&self.stream, sockopt::TcpUserTimeout, &millis)?)
    }

    /// Writes all of `bytes`, each part in its time.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = self.reactor.within(WRITE_TIME, self.stream.write(bytes)).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[n..];
        }
        Ok(())
    }
}

/// What an exchange needs to know of its request, once the head's buffer is needed no more.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// HEAD: the reply has no body.
    pub head_only: bool,
    /// HTTP/1.1.
    pub is_1_1: bool,
    /// The connection is kept afterwards.
    pub keep_alive: bool,
}

impl Asked {
    /// Of `request`.
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        Self {
            head_only: request.method == Method::Head,
            is_1_1: request.is_1_1,
            keep_alive: request.keep_alive,
        }
    }

    /// Of a head that is no request: the least that can be assumed.
    pub const NOTHING: Self = Self { head_only: false, is_1_1: true, keep_alive: false };
}

/// How long a browser may keep a page (RFC 9111 §5.2, RFC 8246).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// As long as it likes, if it asks each time whether it is still good.
    Asking,
    /// A year, without asking: under this path there is never another.
    ForGood,
}

impl Keep {
    const fn directives(self) -> &'static str {
        match self {
            Self::Asking => "no-cache",
            Self::ForGood => "public, max-age=31536000, immutable",
        }
    }
}

/// What stays the same while this program runs.
pub struct Page<'p> {
    /// Its media type.
    pub content_type: &'p str,
    /// What it may load and do: a content security policy.
    pub policy: &'p str,
    /// How long it may be kept.
    pub keep: Keep,
    /// Its strong entity tag, quotes included.
    pub etag: &'p str,
    /// `body` is compressed. There is no other: whoever asks understands gzip, or asked for no coding in particular.
    pub is_gzip: bool,
    /// Its bytes.
    pub body: &'p [u8],
}

/// One request's turn on a connection: exactly one reply can be made of it.
pub struct Exchange<'c, S> {
    connection: &'c mut Connection<S>,
    asked: Asked,
    /// Fields for the reply beside those that every reply has.
    fields: String,
}

impl<'c, S: Read<Error = io::Error> + Write<Error = io::Error>> Exchange<'c, S> {
    /// The turn of what was `asked`.
    pub fn new(connection: &'c mut Connection<S>, asked: Asked) -> Self {
        Self { connection, asked, fields: String::new() }
    }

    /// Adds a field to the reply. Its value is the box's own words: no text from outside.
    pub fn add(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        let written = writeln!(self.fields, "{name}: {value}\r").is_ok();
        debug_assert!(written, "a String takes all");
    }

    /// A short reply, whole. Says whether the connection goes on.
    pub async fn reply(self, status: Status, content_type: &str, body: &[u8]) -> io::Result<bool> {
        let mut head = Head::new(status, content_type);
        head.line(format_args!("Content-Length: {}", body.len()));
        head.line(format_args!("Connection: {}", if self.asked.keep_alive { "keep-alive" } else { "close" }));
        head.raw(&self.fields);
        self.connection.write_all(head.finish()).await?;
        if !self.asked.head_only {
            self.connection.write_all(body).await?;
        }
        Ok(self.asked.keep_alive)
    }

    /// A page, or word that what the client has of it is good (304). Says whether the connection goes on.
    pub async fn page(self, page: &Page<'_>, is_known: bool) -> io::Result<bool> {
        let status = if is_known { Status::NotModified } else { Status::Ok };
        let mut head = Head::with(status, page.content_type, page.keep.directives(), page.policy);
        head.line(format_args!("ETag: {}", page.etag));
        if page.is_gzip {
            head.line(format_args!("Content-Encoding: gzip"));
        }
        head.line(format_args!("Content-Length: {}", page.body.len()));
        head.line(format_args!("Connection: {}", if self.asked.keep_alive { "keep-alive" } else { "close" }));
        self.connection.write_all(head.finish()).await?;
        if !self.asked.head_only && !is_known {
            self.connection.write_all(page.body).await?;
        }
        Ok(self.asked.keep_alive)
    }

    /// An error, as a JSON object with one sentence. Says whether the connection goes on.
    pub async fn refuse(self, status: Status, sentence: &str) -> io::Result<bool> {
        self.refuse_as(status, None, sentence).await
    }

    /// The same with a word for programs beside the sentence, where there is one.
    pub async fn refuse_as(
        self,
        status: Status,
        code: Option<&'static str>,
        sentence: &str,
    ) -> io::Result<bool> {
        #[derive(serde::Serialize)]
        struct Refusal<'a> {
            error: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<&'static str>,
        }
        let mut body = vec![0; 1024]; // in no future, where every connection would have it
        let length = serde_json_core::to_slice(&Refusal { error: sentence, code }, &mut body).unwrap_or(0);
        self.reply(status, "application/json", &body[..length]).await
    }

    /// A reply whose length is not known before: chunked, or up to the end of the connection for HTTP/1.0.
    pub async fn stream(self, content_type: &str) -> io::Result<Body<'c, S>> {
        let keep_alive = self.asked.keep_alive && self.asked.is_1_1;
        let mut head = Head::new(Status::Ok, content_type);
        if self.asked.is_1_1 {
            head.line(format_args!("Transfer-Encoding: chunked"));
        }
        head.line(format_args!("Connection: {}", if keep_alive { "keep-alive" } else { "close" }));
        head.raw(&self.fields);
        self.connection.write_all(head.finish()).await?;
        Ok(Body::new(self.connection, self.asked, keep_alive))
    }

    /// The head of a live stream: identity, until the connection ends. Says whether a body follows.
    pub async fn live(self, content_type: &str) -> io::Result<bool> {
        let mut head = Head::new(Status::Ok, content_type);
        head.line(format_args!("Accept-Ranges: none"));
        head.line(format_args!("Connection: close"));
        self.connection.write_all(head.finish()).await?;
        Ok(!self.asked.head_only)
    }

    /// The head of a body of `length` bytes that something else sends, with which the connection ends. Says whether it
    /// follows.
    pub async fn announce(self, content_type: &str, length: u64) -> io::Result<bool> {
        let mut head = Head::new(Status::Ok, content_type);
        head.line(format_args!("Content-Length: {length}"));
        head.line(format_args!("Accept-Ranges: none"));
        head.line(format_args!("Connection: close"));
        self.connection.write_all(head.finish()).await?;
        Ok(!self.asked.head_only)
    }
}

/// A reply head under way.
pub(super) struct Head(heapless::String<1024>);

impl Head {
    /// With what every reply says: never cached, never guessed at, no link in a Referer, and nothing in it runs or is
    /// framed by another site's page.
    pub(super) fn new(status: Status, content_type: &str) -> Self {
        Self::with(status, content_type, "no-store", "default-src 'none'; frame-ancestors 'none'")
    }

    /// With other words on being kept and on what may run.
    fn with(status: Status, content_type: &str, cache: &str, policy: &str) -> Self {
        let mut head = Self(heapless::String::new());
        head.line(format_args!("HTTP/1.1 {} {}", status.code(), status.phrase()));
        head.line(format_args!("Content-Type: {content_type}"));
        head.line(format_args!("Cache-Control: {cache}"));
        head.line(format_args!("X-Content-Type-Options: nosniff"));
        head.line(format_args!("Referrer-Policy: no-referrer"));
        head.line(format_args!("Content-Security-Policy: {policy}"));
        head.line(format_args!("Cross-Origin-Resource-Policy: same-origin"));
        head
    }

    pub(super) fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let written = writeln!(self.0, "{line}\r").is_ok();
        debug_assert!(written, "all our heads are below 1024 bytes");
    }

    fn raw(&mut self, lines: &str) {
        let written = self.0.push_str(lines).is_ok();
        debug_assert!(written, "all our heads are below 1024 bytes");
    }

    pub(super) fn finish(&mut self) -> &[u8] {
        self.line(format_args!(""));
        self.0.as_bytes()
    }
}

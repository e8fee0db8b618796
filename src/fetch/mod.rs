//! One HTTP/1.1 request of the box, and its bounded answer (RFC 9112).
//!
//! A connection each, closed after the answer. Follows no redirect, for credentials would go along. Errors are sentences
//! that name the server and never what was sent to it. Knows nothing of who asks.

use std::cell::OnceCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use embedded_io_async::{Read, Write};

use crate::reactor::{Io, Reactor};
use crate::resolver;
use crate::tls::{Connector, RootsError, TlsError, TrustedTime};

mod answer;
mod url;

pub use answer::Answer;
use answer::{Malformed, Parser};
pub use url::{HttpUrl, UrlError};

/// All of a request and its answer has this long.
const PATIENCE: Duration = Duration::from_secs(15);
/// One address has this long to be connected to.
const REACH: Duration = Duration::from_secs(4);
/// Bytes read at one time.
const CHUNK: usize = 2048;

/// How this program calls itself; servers of dynamic DNS insist on a name that stays.
const USER_AGENT: &str = concat!("stbcast/", env!("CARGO_PKG_VERSION"));

/// Why there is no answer, and of whom.
#[derive(Debug)]
pub struct FetchError {
    /// The server: scheme, host and port.
    pub origin: String,
    /// What went wrong.
    pub cause: Cause,
}

/// What went wrong with a request.
#[derive(Debug)]
pub enum Cause {
    /// The name of the host leads to no address. The error says so with the name.
    Unknown(io::Error),
    /// No connection.
    Unreachable(io::Error),
    /// There are no roots to judge a certificate by.
    Roots(String),
    /// TLS failed.
    Tls(TlsError<io::Error>),
    /// The connection broke.
    Broken(io::Error),
    /// The server hung up before the end of its answer.
    HungUp,
    /// The answer is no HTTP/1.
    NotHttp,
    /// Bytes of the longest head, or body, that is taken.
    TooLong(usize),
    /// Status 3xx: the server points to this origin.
    Redirect(u16, String),
    /// Not all was said in time.
    Late,
    /// A header of ours holds what no header may.
    Header(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        match &self.cause {
            Cause::Unknown(why) => why.fmt(f),
            Cause::Unreachable(why) => write!(f, "cannot be reached: {why}"),
            Cause::Roots(why) => f.write_str(why),
            Cause::Tls(why) => why.fmt(f),
            Cause::Broken(why) => write!(f, "the connection broke: {why}"),
            Cause::HungUp => f.write_str("the server hung up before its answer was whole"),
            Cause::NotHttp => f.write_str("the answer is no HTTP"),
            Cause::TooLong(most) => write!(f, "the answer is longer than {most} bytes"),
            Cause::Redirect(status, to) => {
                write!(f, "status {status} points to {to}, which is not followed: set that address instead")
            }
            Cause::Late => write!(f, "no whole answer within {} s", PATIENCE.as_secs()),
            Cause::Header(name) => write!(f, "header {name}: a byte that no header may hold"),
        }
    }
}

impl std::error::Error for FetchError {}

/// What all requests share: whom the box trusts, and at what time.
pub struct Client {
    ca_file: PathBuf,
    time: TrustedTime,
    /// Made by the first request that needs it.
    connector: OnceCell<Connector>,
}

impl Client {
    /// Trusts the roots in `ca_file` at `time`. The file is not read before something needs it.
    #[must_use]
    pub fn new(ca_file: &Path, time: TrustedTime) -> Self {
        Self { ca_file: ca_file.into(), time, connector: OnceCell::new() }
    }

    /// What a request to `url` needs is there, so that an owner can be told at the start. Reads the roots.
    pub fn check(&self, url: &HttpUrl) -> Result<(), FetchError> {
        if !url.is_https() {
            return Ok(());
        }
        let ready = self.connector().map(drop);
        ready.map_err(|why| FetchError { origin: url.to_string(), cause: Cause::Roots(why.to_string()) })
    }

    /// A file that was missing may be there the next time.
    fn connector(&self) -> Result<&Connector, RootsError> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector);
        }
        let connector = Connector::new(&self.ca_file, self.time.clone())?;
        Ok(self.connector.get_or_init(|| connector))
    }
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// GET or POST.
    pub method: &'static str,
    /// Of what.
    pub url: &'r HttpUrl,
    /// More headers, without Host, Accept, Connection and Content-Length; a User-Agent takes the place of ours.
    pub headers: &'r [(&'r str, &'r str)],
    /// May be empty.
    pub body: &'r [u8],
}

impl Request<'_> {
    /// As it goes to the server.
    fn bytes(&self) -> Result<Vec<u8>, Cause> {
        let Self { method, url, headers, body } = self;
        let mut head = format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nConnection: close\r\n",
            url.target(),
            url.authority()
        );
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            head += &format!("User-Agent: {USER_AGENT}\r\n");
        }
        for (name, value) in *headers {
            // RFC 9110 §5.5; a line break would be another header.
            if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
                return Err(Cause::Header((*name).into()));
            }
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || *method == "POST" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        Ok([head.as_bytes(), body].concat())
    }
}

/// Asks and waits for the whole answer, 15 s at most. Any status but a redirect is an answer.
pub async fn fetch(
    reactor: &Rc<Reactor>,
    client: &Client,
    request: Request<'_>,
) -> Result<Answer, FetchError> {
    let asking = Box::pin(async { Ok(ask(reactor, client, request).await) });
    let outcome = reactor.within(PATIENCE, asking).await.unwrap_or(Err(Cause::Late));
    let (answer, location) =
        outcome.map_err(|cause| FetchError { origin: request.url.to_string(), cause })?;
    if let 300..=399 = answer.status {
        let to = location.map_or_else(|| "nowhere".into(), |to| request.url.origin_of(&to));
        let cause = Cause::Redirect(answer.status, to);
        return Err(FetchError { origin: request.url.to_string(), cause });
    }
    Ok(answer)
}

/// The answer, and where it points.
async fn ask(
    reactor: &Rc<Reactor>,
    client: &Client,
    request: Request<'_>,
) -> Result<(Answer, Option<String>), Cause> {
    let url = request.url;
    let bytes = request.bytes()?;
    if !url.is_https() {
        let io = connect(reactor, url).await?;
        return converse(io, &bytes, Cause::Broken).await;
    }
    let connector = client.connector().map_err(|why| Cause::Roots(why.to_string()))?;
    let io = connect(reactor, url).await?;
    let stream = connector.connect(url.host(), io).await.map_err(Cause::Tls)?;
    converse(stream, &bytes, Cause::Tls).await
}

/// Tries every address of the host, each for its time.
async fn connect(reactor: &Rc<Reactor>, url: &HttpUrl) -> Result<Io, Cause> {
    let mut why = io::Error::from(io::ErrorKind::NotFound);
    for ip in resolver::resolve(reactor, url.host()).await.map_err(Cause::Unknown)? {
        let address = SocketAddr::new(ip, url.port());
        match reactor.within(REACH, Io::connect_tcp(reactor, address)).await {
            Ok(io) => return Ok(io),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                why = io::Error::new(e.kind(), format!("{ip} does not answer"));
            }
            Err(e) => why = io::Error::new(e.kind(), format!("{ip}: {e}")),
        }
    }
    Err(Cause::Unreachable(why))
}

async fn converse<S: Read + Write>(
    mut stream: S,
    request: &[u8],
    broken: impl Fn(S::Error) -> Cause,
) -> Result<(Answer, Option<String>), Cause> {
    // A server may answer and hang up before it has read all: what it said counts.
    let written = stream.write_all(request).await;
    let mut parser = Parser::default();
    let mut chunk = [0; CHUNK];
    loop {
        let size = match stream.read(&mut chunk).await {
            Ok(size) => size,
            Err(why) => return Err(broken(written.err().unwrap_or(why))),
        };
        let whole = if size == 0 { parser.end() } else { parser.feed(&chunk[..size]) };
        match whole {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) if size == 0 => return Err(Cause::HungUp),
            Ok(None) => {}
            Err(Malformed::NotHttp) => return Err(Cause::NotHttp),
            Err(Malformed::TooLong(most)) => return Err(Cause::TooLong(most)),
        }
    }
}

#[cfg(test)]
#[cfg(feature = "tls")]
mod tests;

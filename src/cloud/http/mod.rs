//! The service's HTTP: connections, limits, requests read whole, answers.
//!
//! hyper parses; what is here bounds it: connections in all and per network, time for a head, for a body and in all,
//! bytes of a body. Knows no route.

mod door;
mod listener;
mod tls;

pub(super) use door::Doors;
pub(super) use listener::{Listening, accept_all};
pub(super) use tls::acceptor;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use async_io::Timer;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use smol::future::FutureExt;
use smol::io::{AsyncRead, AsyncWrite};
use smol_hyper::rt::{FuturesIo, SmolTimer};

/// Bytes of the longest body: a claim has 700.
const BODY_MAX: usize = 4096;
/// Bytes of the longest head.
const HEAD_MAX: usize = 16 * 1024;
/// A head comes within this, or the connection ends; also between two requests.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// A body comes within this.
const BODY_TIME: Duration = Duration::from_secs(10);
/// No connection lives longer.
const LIFE: Duration = Duration::from_secs(120);

/// A request, read whole.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    /// The `Authorization` field.
    pub(super) authorization: Option<String>,
    pub(super) body: Bytes,
    /// Who asks: the peer, or whom a trusted proxy speaks for.
    pub(super) from: SocketAddr,
    /// Nobody between could read it.
    pub(super) is_private: bool,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    kind: &'static str,
    body: Vec<u8>,
    extra: Option<(hyper::header::HeaderName, HeaderValue)>,
}

impl Reply {
    /// JSON.
    pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default(); // no value here has keys that are no strings
        Self { status, kind: "application/json", body, extra: None }
    }

    /// Plain text.
    pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: text.into().into_bytes(), extra: None }
    }

    /// A packet.
    pub(super) fn packet(bytes: &[u8]) -> Self {
        Self { status: StatusCode::OK, kind: "application/octet-stream", body: bytes.into(), extra: None }
    }

    /// Nothing to say.
    pub(super) const fn silence() -> Self {
        Self { status: StatusCode::NO_CONTENT, kind: "", body: Vec::new(), extra: None }
    }

    /// What is wrong, as a word for programs and a sentence for people.
    pub(super) fn error(status: StatusCode, error: &str, message: &str) -> Self {
        #[derive(serde::Serialize)]
        struct Said<'a> {
            error: &'a str,
            message: &'a str,
        }
        Self::json(status, &Said { error, message })
    }

    /// The path is there, with other methods.
    pub(super) fn not_allowed(methods: &'static str) -> Self {
        let reply =
            Self::error(StatusCode::METHOD_NOT_ALLOWED, "method", &format!("this path takes {methods}"));
        Self { extra: Some((ALLOW, HeaderValue::from_static(methods))), ..reply }
    }

    /// Who asks shall say who they are.
    pub(super) fn who_are_you(text: &str) -> Self {
        let challenge = HeaderValue::from_static("Basic realm=\"update\", charset=\"UTF-8\"");
        let reply = Self::text(StatusCode::UNAUTHORIZED, text);
        Self { extra: Some((WWW_AUTHENTICATE, challenge)), ..reply }
    }

    /// The same, not before some seconds passed.
    pub(super) fn after(self, seconds: u64) -> Self {
        Self { extra: Some((RETRY_AFTER, seconds.into())), ..self }
    }

    fn into_hyper(self) -> hyper::Response<Full<Bytes>> {
        let mut response = hyper::Response::new(Full::new(self.body.into()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !self.kind.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = self.extra {
            headers.insert(name, value);
        }
        response
    }
}

/// Where a connection comes from, and what of it is to be believed.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// It is TLS.
    pub(super) is_private: bool,
    /// It is a proxy of the operator's: the last address of `X-Forwarded-For` asks, by TLS where it says so.
    pub(super) is_proxy: bool,
}

/// Serves one connection until it ends.
pub(super) async fn serve<A, F>(stream: impl AsyncRead + AsyncWrite + Unpin, peer: Peer, answer: Rc<A>)
where
    A: Fn(Request) -> F + 'static,
    F: Future<Output = Reply>,
{
    let answering = service_fn(move |request| {
        let answer = Rc::clone(&answer);
        async move {
            let reply = match whole(request, peer).await {
                Ok(request) => answer(request).await,
                Err(reply) => reply,
            };
            Ok::<_, Infallible>(reply.into_hyper())
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_MAX)
        .serve_connection(FuturesIo::new(stream), answering);
    let late = async {
        Timer::after(LIFE).await;
        Ok(())
    };
    // What a stranger's connection ends by is nobody's business.
    let _ended = connection.or(late).await;
}

/// Reads what is left of a request.
async fn whole(request: hyper::Request<Incoming>, peer: Peer) -> Result<Request, Reply> {
    let (head, body) = request.into_parts();
    let read = async { Some(Limited::new(body, BODY_MAX).collect().await) };
    let late = async {
        Timer::after(BODY_TIME).await;
        None
    };
    let body = match read.or(late).await {
        Some(Ok(body)) => body.to_bytes(),
        Some(Err(_)) => {
            let why = format!("a body has at most {BODY_MAX} bytes, and comes whole");
            return Err(Reply::error(StatusCode::PAYLOAD_TOO_LARGE, "body", &why));
        }
        None => {
            return Err(Reply::error(StatusCode::REQUEST_TIMEOUT, "slow", "the body did not come in time"));
        }
    };
    let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let (from, is_private) = if peer.is_proxy {
        let last =
            field("x-forwarded-for").and_then(|all| all.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
        let ip = last.unwrap_or_else(|| peer.address.ip());
        (SocketAddr::new(ip.to_canonical(), 0), field("x-forwarded-proto") == Some("https"))
    } else {
        (peer.address, peer.is_private)
    };
    Ok(Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: field("authorization").map(ToOwned::to_owned),
        body,
        from,
        is_private,
    })
}

/// The fields of a query, decoded; `+` is a space.
pub(super) fn fields(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).take(32);
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// RFC 3986 §2.1; what is no escape stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after.first_chunk::<2>().filter(|_| *first == b'%');
        let value = escape.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match value {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_taken_apart_whatever_it_is() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            fields("hostname=a%2Eb&&myip=1.2.3.4&x&y=%zz%4&z=a+b%"),
            [
                pair("hostname", "a.b"),
                pair("myip", "1.2.3.4"),
                pair("x", ""),
                pair("y", "%zz%4"),
                pair("z", "a b%")
            ]
        );
        assert_eq!(fields(&"a&".repeat(100)).len(), 32);
    }
}

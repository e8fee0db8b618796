//! A request head, parsed once.

use std::net::IpAddr;

use heapless::String;

use super::Status;
use super::fields::{Fields, Said};

/// Header fields of a request at most; browsers send about 15.
const FIELDS: usize = 48;
/// Bytes of the longest request target.
const TARGET: usize = 2048;
/// Bytes of the longest body.
pub const BODY: usize = 1024;

/// What a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The resource.
    Get,
    /// What GET would say, without the body.
    Head,
    /// Do something.
    Post,
    /// Change it.
    Patch,
    /// Remove it.
    Delete,
    /// Anything else: no route has it.
    Other,
}

impl Method {
    /// Its name (RFC 9110 §9, RFC 5789).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Other => "another method",
        }
    }

    fn of(name: Option<&str>) -> Self {
        let all = [Self::Get, Self::Head, Self::Post, Self::Patch, Self::Delete];
        all.into_iter().find(|method| name == Some(method.name())).unwrap_or(Self::Other)
    }

    /// It changes nothing (RFC 9110 §9.2.1).
    #[must_use]
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// A request. Holding one proves: an origin-form target, one `Host` where the version needs one, a body that is whole
/// and short, and framing that no proxy can read in another way.
#[derive(Debug)]
pub struct Request<'b> {
    /// GET, HEAD or another.
    pub method: Method,
    /// The path, as sent: still percent-encoded.
    pub path: &'b str,
    /// What follows `?`, as sent.
    pub query: &'b str,
    /// The authority the client believes to speak to.
    pub host: Option<&'b str>,
    /// The connection is to be kept after the reply.
    pub keep_alive: bool,
    /// HTTP/1.1, so chunked replies are understood.
    pub is_1_1: bool,
    /// What its fields say.
    pub said: Said<'b>,
    /// The body.
    pub body: &'b [u8],
}

/// Why a head is no request. The connection cannot go on: its framing is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// It does not parse.
    Syntax,
    /// More bytes than a head may have.
    HeadTooLong,
    /// More fields than a head may have.
    TooManyFields,
    /// The target is longer than any of ours.
    TargetTooLong,
    /// The target is no path.
    Target,
    /// `Host` is missing, doubled or no authority.
    Host,
    /// `Content-Length` is no number, doubled, or beside `Transfer-Encoding`.
    Framing,
    /// It announces a body that is longer than any route takes, or one where the method has none.
    Body,
    /// A transfer coding.
    TransferCoding,
    /// Not HTTP/1.x.
    Version,
    /// It did not come in time.
    Slow,
}

impl RequestError {
    /// What the client is told.
    #[must_use]
    pub const fn answer(self) -> (Status, &'static str) {
        match self {
            Self::Syntax => (Status::BadRequest, "the request does not parse"),
            Self::HeadTooLong => (Status::HeaderTooLarge, "the request head is too long"),
            Self::TooManyFields => (Status::HeaderTooLarge, "the request has too many header fields"),
            Self::TargetTooLong => (Status::UriTooLong, "the request target is too long"),
            Self::Target => (Status::BadRequest, "the request target is not a path"),
            Self::Host => (Status::BadRequest, "the request needs exactly one valid Host field"),
            Self::Framing => (Status::BadRequest, "the request's length is ambiguous"),
            Self::Body => {
                (Status::ContentTooLarge, "the request has a body that is too long, or not to be there")
            }
            Self::TransferCoding => (Status::NotImplemented, "transfer codings are not understood here"),
            Self::Version => (Status::VersionNotSupported, "this is an HTTP/1.1 server"),
            Self::Slow => (Status::RequestTimeout, "the request did not come in time"),
        }
    }
}

impl<'b> Request<'b> {
    /// Parses the request at the start of `bytes`. Gives it with its length, its body included, or `None` while it is
    /// not all there.
    pub fn parse(bytes: &'b [u8]) -> Result<Option<(Self, usize)>, RequestError> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut head = httparse::Request::new(&mut fields);
        let length = match head.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(RequestError::TooManyFields),
            Err(httparse::Error::Version) => return Err(RequestError::Version),
            Err(_) => return Err(RequestError::Syntax),
        };
        let is_1_1 = head.version == Some(1);
        let target = head.path.ok_or(RequestError::Syntax)?;
        if target.len() > TARGET {
            return Err(RequestError::TargetTooLong);
        }
        if !target.starts_with('/') {
            return Err(RequestError::Target);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let fields = Fields(head.headers);
        let method = Method::of(head.method);
        let takes_a_body = matches!(method, Method::Post | Method::Patch);
        let body_length = fields.body_length(if takes_a_body { BODY } else { 0 })?;
        let host = fields.host(is_1_1)?;
        let keep_alive = fields.keeps_alive(is_1_1);
        let Some(body) = bytes[length..].get(..body_length) else { return Ok(None) };
        let said = fields.said();
        Ok(Some((Self { method, path, query, host, keep_alive, is_1_1, said, body }, length + body_length)))
    }

    /// The value of a query parameter, percent-decoded, when it is there once, is UTF-8 and fits.
    #[must_use]
    pub fn parameter<const N: usize>(&self, name: &str) -> Option<String<N>> {
        let mut values = self
            .query
            .split('&')
            .filter_map(|p| p.split_once('=').or(Some((p, ""))))
            .filter(|(n, _)| *n == name);
        let (_, value) = values.next()?;
        if values.next().is_some() { None } else { decode(value) }
    }

    /// A query parameter of that name is there, whatever its value.
    #[must_use]
    pub fn has_parameter(&self, name: &str) -> bool {
        self.query.split('&').any(|p| p.split('=').next() == Some(name))
    }
}

/// An authority without its port: the name or address that was asked for.
#[must_use]
pub fn host_of(authority: &str) -> &str {
    let end = match authority.strip_prefix('[') {
        Some(rest) => return rest.split(']').next().unwrap_or(rest),
        None => authority.rfind(':').unwrap_or(authority.len()),
    };
    &authority[..end]
}

/// The address an authority names, where it is one.
#[must_use]
pub fn address_of(authority: &str) -> Option<IpAddr> {
    host_of(authority).split('%').next()?.parse().ok()
}

/// Percent-decoding (RFC 3986 §2.1). `None` for a broken escape, bytes that are no UTF-8, or text that does not fit.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<String<N>> {
    let mut bytes = heapless::Vec::<u8, N>::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16);
            u8::try_from(digit(rest.next())? << 4 | digit(rest.next())?).ok()?
        } else {
            byte
        };
        bytes.push(byte).ok()?;
    }
    String::from_utf8(bytes).ok()
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
pub fn encode(text: &str, mut out: impl FnMut(char)) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out(char::from(byte));
        } else {
            let digit = |d: u8| char::from(b"0123456789ABCDEF"[usize::from(d & 0x0f)]);
            ['%', digit(byte >> 4), digit(byte)].into_iter().for_each(&mut out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(head: &str) -> Option<RequestError> {
        Request::parse(head.as_bytes()).err()
    }

    #[test]
    fn a_request_is_read() {
        let head =
            "GET /live/1.ts?name=CCTV%201&t=ab HTTP/1.1\r\nHost: box:8800\r\nRange: bytes=0-\r\n\r\nrest";
        let (request, length) = Request::parse(head.as_bytes()).unwrap().unwrap();
        assert_eq!((request.method, request.path, length), (Method::Get, "/live/1.ts", head.len() - 4));
        assert_eq!(request.parameter::<16>("name").as_deref(), Some("CCTV 1"));
        assert_eq!(request.parameter::<4>("name"), None);
        assert_eq!((request.host, request.keep_alive, request.is_1_1), (Some("box:8800"), true, true));
        for end in 0..head.len() - 4 {
            assert!(Request::parse(&head.as_bytes()[..end]).unwrap().is_none(), "{end}");
        }
    }

    #[test]
    fn a_body_is_waited_for_and_is_part_of_the_request() {
        let text = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET ";
        let whole = text.len() - 4;
        let (request, length) = Request::parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!((request.method, request.body, length), (Method::Post, &b"body"[..], whole));
        for end in 0..whole {
            assert!(Request::parse(&text.as_bytes()[..end]).unwrap().is_none(), "{end}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let with = |fields: &str| error(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        assert_eq!(with("Content-Length: 0"), None);
        assert_eq!(with("Content-Length: 5"), Some(RequestError::Body));
        let post = |fields: &str| error(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        assert_eq!(
            [post("Content-Length: 1024"), post("Content-Length: 1025")],
            [None, Some(RequestError::Body)]
        );
        assert_eq!(post("Content-Length: 99999999999999999999999"), Some(RequestError::Body));
        assert_eq!(with("Content-Length: 5\r\nContent-Length: 5"), Some(RequestError::Framing));
        assert_eq!(with("Content-Length: +5"), Some(RequestError::Framing));
        assert_eq!(with("Content-Length: 5\r\nTransfer-Encoding: chunked"), Some(RequestError::Framing));
        assert_eq!(with("Transfer-Encoding: chunked"), Some(RequestError::TransferCoding));
        assert_eq!(with("Host: b"), Some(RequestError::Host));
        assert_eq!(with("X: a\r\n b"), Some(RequestError::Syntax));
        assert_eq!(with("X : a"), Some(RequestError::Syntax));
        assert_eq!(error("GET / HTTP/1.1\r\n\r\n"), Some(RequestError::Host));
        assert_eq!(error("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), Some(RequestError::Host));
        assert_eq!(error("GET / HTTP/1.0\r\n\r\n"), None);
        assert_eq!(error("GET / HTTP/2.0\r\n\r\n"), Some(RequestError::Version));
        assert_eq!(error("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), Some(RequestError::Target));
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(TARGET));
        assert_eq!(error(&long), Some(RequestError::TargetTooLong));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(FIELDS));
        assert_eq!(error(&many), Some(RequestError::TooManyFields));
    }

    #[test]
    fn hosts_lose_their_port() {
        for (authority, host) in
            [("a:80", "a"), ("a", "a"), ("[::1]:80", "::1"), ("[fe80::1%25eth0]", "fe80::1%25eth0")]
        {
            assert_eq!(host_of(authority), host);
        }
        assert_eq!(address_of("[::1]:80"), Some("::1".parse().unwrap()));
        assert_eq!(address_of("a:80"), None);
    }

    #[test]
    fn text_survives_percent_encoding() {
        let mut encoded = std::string::String::new();
        encode("a b/中?%", |c| encoded.push(c));
        assert_eq!(encoded, "a%20b%2F%E4%B8%AD%3F%25");
        assert_eq!(decode::<32>(&encoded).as_deref(), Some("a b/中?%"));
        assert_eq!(decode::<32>("%4"), None);
        assert_eq!(decode::<32>("%ff"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            if let Ok(Some((request, length))) = Request::parse(&bytes) {
                assert!(length <= bytes.len() && request.path.starts_with('/'));
            }
        }
    }
}

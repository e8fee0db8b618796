//! Where to ask: an absolute `http://` or `https://` URL (RFC 9110 §4.2), parsed once.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// Bytes of the longest URL.
const URL_MAX: usize = 1024;
/// Bytes of the longest name of a host (RFC 1035 §2.3.4).
const HOST_MAX: usize = 253;

/// A URL that can be asked. Its path and its query may hold a secret: what is shown of it is the origin alone.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    https: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// Path and query, with the leading `/`.
    target: String,
}

/// Why a text is no such URL. None repeats the text, for it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// Neither `http://` nor `https://`.
    Scheme,
    /// There is a user or a password in it.
    UserInfo,
    /// The host is no name and no address.
    Host,
    /// The port is no number from 1 to 65535.
    Port,
    /// A byte that has to be written as %XX.
    Byte(u8),
    /// It is longer than this.
    Long(usize),
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("a URL begins with https:// or http://"),
            Self::UserInfo => f.write_str("user and password do not belong into the URL"),
            Self::Host => f.write_str("there is no host between // and the next /"),
            Self::Port => f.write_str("the port is a number from 1 to 65535"),
            Self::Byte(byte) => write!(f, "byte 0x{byte:02x} is to be written as %{byte:02X}"),
            Self::Long(most) => write!(f, "a URL has at most {most} bytes"),
        }
    }
}

impl HttpUrl {
    /// Of `http[s]://host[:port][/path][?query]`; a fragment is left out.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_MAX {
            return Err(UrlError::Long(URL_MAX));
        }
        if let Some(byte) = text.bytes().find(|b| !b.is_ascii_graphic()) {
            return Err(UrlError::Byte(byte));
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let https = match scheme {
            s if s.eq_ignore_ascii_case("https") => true,
            s if s.eq_ignore_ascii_case("http") => false,
            _ => return Err(UrlError::Scheme),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (host, port) = split(authority)?;
        let default = if https { 443 } else { 80 };
        let port = match port {
            None | Some("") => default,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0).ok_or(UrlError::Port)?
            }
            Some(_) => return Err(UrlError::Port),
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self { https, host: host.to_ascii_lowercase(), port, target: format!("{slash}{target}") })
    }

    /// By TLS.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// A name or an address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as they go to the server.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The same server with `path` behind the path of this URL: `/v1/claim` of a service at `https://host/stb`.
    pub fn join(&self, path: &str) -> Result<Self, UrlError> {
        let base = self.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        Self::parse(&format!("{self}{base}/{}", path.trim_start_matches('/')))
    }

    /// What `Host` says: the port only where it is not the scheme's.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.https { 443 } else { 80 } {
            return host;
        }
        format!("{host}:{}", self.port)
    }

    /// The origin that `location`, of a redirect, leads to.
    pub(super) fn origin_of(&self, location: &str) -> String {
        if let Some(rest) = location.strip_prefix("//") {
            return self.origin_of(&format!("{}://{rest}", self.scheme()));
        }
        match Self::parse(location) {
            Ok(url) => url.to_string(),
            Err(UrlError::Scheme) if !location.contains("://") => "another path there".into(),
            Err(_) => "what is no URL".into(),
        }
    }

    const fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

impl FromStr for HttpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

/// The origin alone.
impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

/// The origin alone.
impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Host and port.
fn split(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
        return match port {
            "" => Ok((host, None)),
            port => Ok((host, Some(port.strip_prefix(':').ok_or(UrlError::Port)?))),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if host.is_empty() || host.len() > HOST_MAX || !host.bytes().all(letters) {
        return Err(UrlError::Host);
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> HttpUrl {
        HttpUrl::parse(text).unwrap()
    }

    #[test]
    fn parts_are_told_apart() {
        let parts = |text| {
            let url = url(text);
            (url.is_https(), url.host().to_owned(), url.port(), url.target().to_owned(), url.authority())
        };
        let all = |https, host: &str, port, target: &str, authority: &str| {
            (https, host.to_owned(), port, target.to_owned(), authority.to_owned())
        };
        assert_eq!(parts("https://A.example"), all(true, "a.example", 443, "/", "a.example"));
        assert_eq!(parts("http://a:8/b?c=/d#e"), all(false, "a", 8, "/b?c=/d", "a:8"));
        assert_eq!(
            parts("HTTPS://[2001:db8::1]:443?x"),
            all(true, "2001:db8::1", 443, "/?x", "[2001:db8::1]")
        );
        assert_eq!(parts("http://[::1]:443/").4, "[::1]:443");
        assert_eq!(url("https://a.example/stb/?x").join("/v1/claim").unwrap().target(), "/stb/v1/claim");
        assert_eq!(url("http://a:8").join("v1/time?nonce=x").unwrap().target(), "/v1/time?nonce=x");
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        let why = |text: &str| HttpUrl::parse(text).unwrap_err();
        assert_eq!(why("a.example/x"), UrlError::Scheme);
        assert_eq!(why("ftp://a.example/x"), UrlError::Scheme);
        assert_eq!(why("https://u:secret@a.example/"), UrlError::UserInfo);
        for host in ["https://", "https:///x", "http://[::1", "http://[x]", "http://a,b", "https://:80"] {
            assert_eq!(why(host), UrlError::Host, "{host}");
        }
        for port in ["http://a:0", "http://a:65536", "http://a:+1", "http://a:x", "http://[::1]80"] {
            assert_eq!(why(port), UrlError::Port, "{port}");
        }
        assert_eq!(why("http://a/b c"), UrlError::Byte(b' '));
        assert_eq!(why("http://a/\r\nX: y"), UrlError::Byte(b'\r'));
        assert_eq!(why("http://ä/"), UrlError::Byte(0xc3));
        assert_eq!(why(&format!("http://a/{}", "x".repeat(URL_MAX))), UrlError::Long(URL_MAX));
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let url = url("https://a.example:8443/update?token=secret");
        assert_eq!(format!("{url} {url:?}"), "https://a.example:8443 https://a.example:8443");
        assert_eq!(url.origin_of("http://b.example/x?token=secret"), "http://b.example");
        assert_eq!(url.origin_of("//b.example/x"), "https://b.example");
        assert_eq!(url.origin_of("/x?token=secret"), "another path there");
        assert_eq!(url.origin_of("gopher://x"), "what is no URL");
    }
}

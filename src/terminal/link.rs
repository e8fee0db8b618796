//! Links as `stbcastd link` prints them: the box's address and a token.
//!
//! Owns the token. Nothing here, errors and `Debug` included, prints it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Where a box is and by what right we ask. Holding one proves that all of it may stand in a request head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    host: Host,
    port: u16,
    token: Token,
    /// The channel it is for, where it is for one: number, and name as it was encoded.
    channel: Option<(u16, String)>,
}

/// The box's name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name to look up.
    Name(String),
}

#[derive(PartialEq, Eq)]
struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why a text is no link. Never holds the text: a token may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkError {
    /// Not `http://`.
    Scheme,
    /// `https://`.
    Https,
    /// No host, or one with characters no host has.
    Host,
    /// The port is not 1 to 65535.
    Port,
    /// No parameter `t`.
    NoToken,
    /// The parameter `t` has characters no token has, or too many.
    Token,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the link does not begin with http://",
            Self::Https => "https links cannot be used yet: make an http link on the box, for use at home",
            Self::Host => "the link names no host",
            Self::Port => "the link's port is not a number from 1 to 65535",
            Self::NoToken => "the link has no token (?t=...): copy all of it, in quotes",
            Self::Token => "the link's token is damaged: copy all of it, in quotes",
        })
    }
}

impl Link {
    /// Reads `http://host[:port]/path?..t=TOKEN..`; of the path and its other parameters, only a channel matters.
    pub(super) fn parse(text: &str) -> Result<Self, LinkError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(LinkError::Scheme)?;
        if scheme.eq_ignore_ascii_case("https") {
            return Err(LinkError::Https);
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(LinkError::Scheme);
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = split_authority(authority)?;
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let token = query.split('&').find_map(|pair| pair.strip_prefix("t=")).ok_or(LinkError::NoToken)?;
        Ok(Self { host, port, token: Token::parse(token)?, channel: channel_of(path) })
    }

    /// Whom to ask.
    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// On which port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The path of channel `number`, its name with it, where the link is for that channel.
    pub(super) fn stream_path(&self, number: u16) -> Option<String> {
        let (_, name) = self.channel.as_ref().filter(|(known, _)| *known == number)?;
        Some(format!("/live/{number}.ts?name={name}"))
    }

    /// The head of a GET of `path`, the token in it. For the socket only. HTTP/1.0, whose answers are never chunked.
    pub(super) fn request_head(&self, path: &str) -> String {
        let Self { host, port, token: Token(token), .. } = self;
        let joint = if path.contains('?') { '&' } else { '?' };
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "GET {path}{joint}t={token} HTTP/1.0\r\nHost: {host}:{port}\r\nUser-Agent: stbcast/{version}\r\n\
             Accept: */*\r\nConnection: close\r\n\r\n"
        )
    }

    /// `text` without the token, should the box have repeated it.
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(&self.token.0, "...")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Number and encoded name of `/live/<number>.ts?..name=NAME..`.
fn channel_of(path: &str) -> Option<(u16, String)> {
    let (path, query) = path.split_once('?')?;
    let number = path.strip_prefix("/live/")?.strip_suffix(".ts")?.parse().ok()?;
    let name = query.split('&').find_map(|pair| pair.strip_prefix("name="))?;
    let encoded = |b: u8| b.is_ascii_alphanumeric() || b"%-._~+".contains(&b);
    name.bytes().all(encoded).then(|| (number, name.to_owned()))
}

impl Token {
    /// Base64url without padding. The box writes 43 characters; other lengths are its business.
    fn parse(text: &str) -> Result<Self, LinkError> {
        let sound = (16..=256).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if sound { Ok(Self(text.to_owned())) } else { Err(LinkError::Token) }
    }
}

fn split_authority(authority: &str) -> Result<(Host, u16), LinkError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']').ok_or(LinkError::Host)?;
            (Host::Ip(ip.parse::<Ipv6Addr>().map_err(|_| LinkError::Host)?.into()), port)
        }
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            (parse_name(host)?, port)
        }
    };
    Ok((host, parse_port(port)?))
}

fn parse_name(host: &str) -> Result<Host, LinkError> {
    let sound = (1..=253).contains(&host.len())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    match host.parse() {
        Ok(ip) => Ok(Host::Ip(IpAddr::V4(ip))),
        Err(_) if sound => Ok(Host::Name(host.to_owned())),
        Err(_) => Err(LinkError::Host),
    }
}

/// `:8800`, or nothing for the port of HTTP.
fn parse_port(text: &str) -> Result<u16, LinkError> {
    let Some(digits) = text.strip_prefix(':') else {
        return if text.is_empty() { Ok(80) } else { Err(LinkError::Host) };
    };
    match digits.parse() {
        Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(LinkError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE";

    fn link(prefix: &str) -> Result<Link, LinkError> {
        Link::parse(&format!("{prefix}{TOKEN}"))
    }

    #[test]
    fn reads_what_the_box_prints() {
        for (text, host, port) in [
            ("http://192.168.1.20:8800/live/1.ts?t=", "192.168.1.20", 8800),
            ("HTTP://[fd00::1]:8800/playlist.m3u?t=", "[fd00::1]", 8800),
            ("http://alice.box.example/live/1.ts?name=%E4%B8%AD&t=", "alice.box.example", 80),
            ("http://box:1?t=", "box", 1),
        ] {
            let link = link(text).unwrap();
            assert_eq!((link.host().to_string().as_str(), link.port()), (host, port));
            let head = link.request_head("/api/v1/channels");
            assert!(
                head.starts_with(&format!(
                    "GET /api/v1/channels?t={TOKEN} HTTP/1.0\r\nHost: {host}:{port}\r\n"
                ))
            );
        }
    }

    #[test]
    fn refuses_what_is_no_link() {
        for (text, why) in [
            ("https://box/?t=", LinkError::Https),
            ("ftp://box/?t=", LinkError::Scheme),
            ("box/?t=", LinkError::Scheme),
            ("http:///?t=", LinkError::Host),
            ("http://user@box/?t=", LinkError::Host),
            ("http://bo\r\nx/?t=", LinkError::Host),
            ("http://[fd00::1/?t=", LinkError::Host),
            ("http://[::1]8/?t=", LinkError::Host),
            ("http://box:0/?t=", LinkError::Port),
            ("http://box:+80/?t=", LinkError::Port),
            ("http://box:65536/?t=", LinkError::Port),
            ("http://box/?u=", LinkError::NoToken),
            ("http://box/#?t=", LinkError::NoToken),
            ("http://box/?t=%0d", LinkError::Token),
        ] {
            assert_eq!(link(text), Err(why), "{text}");
        }
    }

    #[test]
    fn the_token_is_not_shown() {
        let link = link("http://box/?t=").unwrap();
        assert!(!format!("{link:?}").contains(TOKEN));
        assert_eq!(link.redact(&format!("no {TOKEN} here")), "no ... here");
    }

    #[test]
    fn the_channel_of_a_link_is_asked_for_by_number_and_name() {
        let link = |path: &str| Link::parse(&format!("http://box{path}t={TOKEN}")).unwrap();
        let named = link("/live/12.ts?name=%E4%B8%AD%20One&");
        assert_eq!(named.stream_path(12).as_deref(), Some("/live/12.ts?name=%E4%B8%AD%20One"));
        assert_eq!(named.stream_path(1), None);
        assert_eq!(link("/live/12.ts?name=a b&").stream_path(12), None);
        assert_eq!(link("/playlist.m3u?").stream_path(12), None);
        assert!(
            named
                .request_head("/live/12.ts?name=x")
                .starts_with(&format!("GET /live/12.ts?name=x&t={TOKEN} "))
        );
    }
}

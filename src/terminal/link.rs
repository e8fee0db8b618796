//! Links as `stbcastd link` prints them: the box's address and a token.
//!
//! Owns the token. Nothing here, errors and `Debug` included, prints it.

use std::fmt;

use super::authority::{Authority, AuthorityError};

/// Where a box is and by what right we ask. Holding one proves that all of it may stand in a request head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    authority: Authority,
    token: Token,
    /// The channel it is for, where it is for one: number, and name as it was encoded.
    channel: Option<(u16, String)>,
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

impl From<AuthorityError> for LinkError {
    fn from(e: AuthorityError) -> Self {
        match e {
            AuthorityError::Host => Self::Host,
            AuthorityError::Port => Self::Port,
        }
    }
}

impl Link {
    /// Reads `http://host[:port]/path?..t=TOKEN..`; of the path and its other parameters, only a channel matters.
    pub(super) fn parse(text: &str) -> Result<Self, LinkError> {
        let (authority, path) = split(text)?;
        let path = path.split('#').next().unwrap_or_default();
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let token = query.split('&').find_map(|pair| pair.strip_prefix("t=")).ok_or(LinkError::NoToken)?;
        Ok(Self { authority, token: Token::parse(token)?, channel: channel_of(path) })
    }

    /// Where the box is.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The path of channel `number`, its name with it, where the link is for that channel.
    pub(super) fn stream_path(&self, number: u16) -> Option<String> {
        let (_, name) = self.channel.as_ref().filter(|(known, _)| *known == number)?;
        Some(format!("/live/{number}.ts?name={name}"))
    }

    /// `path` with the token. For the socket only.
    pub(super) fn with_token(&self, path: &str) -> String {
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{path}{joint}t={}", self.token.0)
    }

    /// `text` without the token, should the box have repeated it.
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(&self.token.0, "...")
    }
}

/// Where the box of an `http` URL is, and what stands behind that.
pub(super) fn split(url: &str) -> Result<(Authority, &str), LinkError> {
    let (scheme, rest) = url.trim().split_once("://").ok_or(LinkError::Scheme)?;
    if scheme.eq_ignore_ascii_case("https") {
        return Err(LinkError::Https);
    }
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(LinkError::Scheme);
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    Ok((Authority::parse(authority, HTTP_PORT)?, path))
}

/// Of a URL without a port (RFC 9110 §4.2.1).
const HTTP_PORT: u16 = 80;

/// Number and encoded name of `/live/<number>.ts?..name=NAME..`.
pub(super) fn channel_of(path: &str) -> Option<(u16, String)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE";

    fn link(prefix: &str) -> Result<Link, LinkError> {
        Link::parse(&format!("{prefix}{TOKEN}"))
    }

    #[test]
    fn reads_what_the_box_prints() {
        for (text, authority) in [
            ("http://192.168.1.20:8800/live/1.ts?t=", "192.168.1.20:8800"),
            ("HTTP://[fd00::1]:8800/playlist.m3u?t=", "[fd00::1]:8800"),
            ("http://alice.box.example/live/1.ts?name=%E4%B8%AD&t=", "alice.box.example:80"),
            ("http://box:1?t=", "box:1"),
        ] {
            let link = link(text).unwrap();
            assert_eq!(link.authority().to_string(), authority);
            assert_eq!(link.with_token("/api/v1/channels"), format!("/api/v1/channels?t={TOKEN}"));
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
        assert_eq!(named.with_token("/live/12.ts?name=x"), format!("/live/12.ts?name=x&t={TOKEN}"));
    }
}

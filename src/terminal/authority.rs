//! Where a box is: `host[:port]` (RFC 3986 §3.2), as it may stand in a request head.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A box's host and port. Holding one proves that it may stand in a request head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    host: Host,
    port: u16,
}

/// The box's name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name to look up.
    Name(String),
}

/// Why a text is no authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthorityError {
    /// No host, or one with characters no host has.
    Host,
    /// The port is not 1 to 65535.
    Port,
}

impl Authority {
    /// Reads `host[:port]`; `port` is the one of a text without.
    pub(super) fn parse(text: &str, port: u16) -> Result<Self, AuthorityError> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(rest) => {
                let (ip, rest) = rest.split_once(']').ok_or(AuthorityError::Host)?;
                (Host::Ip(ip.parse::<Ipv6Addr>().map_err(|_| AuthorityError::Host)?.into()), rest)
            }
            None => {
                let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                (Host::parse(host)?, rest)
            }
        };
        Ok(Self { host, port: if rest.is_empty() { port } else { parse_port(rest)? } })
    }

    /// Whom to ask.
    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// On which port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, AuthorityError> {
        let sound = (1..=253).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        match text.parse() {
            Ok(ip) => Ok(Self::Ip(IpAddr::V4(ip))),
            Err(_) if sound => Ok(Self::Name(text.to_owned())),
            Err(_) => Err(AuthorityError::Host),
        }
    }
}

/// `:8800`.
fn parse_port(text: &str) -> Result<u16, AuthorityError> {
    let digits = text.strip_prefix(':').ok_or(AuthorityError::Host)?;
    match digits.parse() {
        Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(AuthorityError::Port),
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.host {
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}:{port}"),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{port}"),
            Host::Name(name) => write!(f, "{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_alike() {
        for (text, written) in [
            ("192.168.1.20:8800", "192.168.1.20:8800"),
            ("192.168.1.20", "192.168.1.20:80"),
            ("[fd00::1]", "[fd00::1]:80"),
            ("[fd00::1]:8800", "[fd00::1]:8800"),
            ("stb_1.lan:1", "stb_1.lan:1"),
        ] {
            assert_eq!(Authority::parse(text, 80).unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, why) in [
            ("", AuthorityError::Host),
            ("user@box", AuthorityError::Host),
            ("bo\r\nx", AuthorityError::Host),
            ("[fd00::1", AuthorityError::Host),
            ("[::1]8", AuthorityError::Host),
            ("fd00::1", AuthorityError::Port),
            ("box:", AuthorityError::Port),
            ("box:0", AuthorityError::Port),
            ("box:+80", AuthorityError::Port),
            ("box:65536", AuthorityError::Port),
        ] {
            assert_eq!(Authority::parse(text, 80), Err(why), "{text}");
        }
    }
}

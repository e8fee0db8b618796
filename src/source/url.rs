//! Source URLs: `udp://[source@]group:port[?iface=…]`, `rtp://` likewise, `file:PATH[?loop][&speed=N]`,
//! `v4l:PATH[?io=read|mmap]`, and `dvb:ADAPTER[.FRONTEND]`, which is no mux but a tuner for many.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::speed::Speed;
use crate::delivery::{Device, DeviceError};

/// A source, proven well-formed.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceUrl {
    /// `udp://`.
    Udp(Group),
    /// `rtp://`.
    Rtp(Group),
    /// `file:`.
    File(FileSpec),
    /// `v4l:`.
    Video(VideoSpec),
    /// `dvb:`.
    Dvb(Device),
}

/// A UDP stream: a multicast group, or one of our own addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Group and port.
    pub address: SocketAddr,
    /// The only sender listened to (source-specific multicast, RFC 4607).
    pub sender: Option<IpAddr>,
    /// Name of the interface to join on; the kernel's choice where it is not given.
    pub interface: Option<String>,
}

/// A file and how to play it.
#[derive(Clone, Debug, PartialEq)]
pub struct FileSpec {
    /// The file.
    pub path: PathBuf,
    /// Begin again at its end, for ever.
    pub repeat: bool,
    /// Stream seconds per second, above 0 and at most 1000.
    pub speed: Speed,
}

/// A video node that gives a transport stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoSpec {
    /// The node: `/dev/video0`.
    pub path: PathBuf,
    /// How it is read; the node's own way where it is not given.
    pub io: Option<VideoIo>,
}

/// How a video node is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoIo {
    /// By `read()`.
    Read,
    /// By buffers of the kernel's that are mapped.
    Map,
}

/// Why a text is no source.
#[derive(Debug, PartialEq, Eq)]
pub enum UrlError {
    /// None of `udp://`, `rtp://`, `file:`, `v4l:` and `dvb:`.
    Scheme,
    /// `group:port` does not parse.
    Address(String),
    /// The sender before `@` is no address, or is of the other family.
    Sender(String),
    /// A parameter this scheme does not have.
    Parameter(String),
    /// `speed` is no number above 0 and up to 1000.
    Speed(String),
    /// No path behind `file:` or `v4l:`.
    NoPath,
    /// What stands behind `dvb:` is no tuner.
    Device(DeviceError),
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("a source begins with udp://, rtp://, file:, v4l: or dvb:"),
            Self::Address(text) => write!(f, "'{text}' is not group:port (IPv6 as [group]:port)"),
            Self::Sender(text) => write!(f, "'{text}' is not an address of the group's family"),
            Self::Parameter(text) => {
                write!(
                    f,
                    "unknown parameter '{text}' (udp, rtp: iface=; file: loop, speed=; v4l: io=read, io=mmap)"
                )
            }
            Self::Speed(text) => {
                write!(f, "speed '{text}' is not a number above 0 and up to 1000, with at most six places")
            }
            Self::NoPath => f.write_str("file: and v4l: need a path"),
            Self::Device(why) => write!(f, "dvb: {why}"),
        }
    }
}

impl FromStr for SourceUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if let Some(device) = text.strip_prefix("dvb:") {
            return device.parse().map(Self::Dvb).map_err(UrlError::Device);
        }
        let (body, query) = text.split_once('?').unwrap_or((text, ""));
        let parameters = query.split('&').filter(|p| !p.is_empty());
        if let Some(rest) = body.strip_prefix("udp://") {
            parse_group(rest, parameters).map(Self::Udp)
        } else if let Some(rest) = body.strip_prefix("rtp://") {
            parse_group(rest, parameters).map(Self::Rtp)
        } else if let Some(path) = body.strip_prefix("file:") {
            parse_file(path, parameters).map(Self::File)
        } else if let Some(path) = body.strip_prefix("v4l:") {
            parse_video(path, parameters).map(Self::Video)
        } else {
            Err(UrlError::Scheme)
        }
    }
}

impl SourceUrl {
    /// Whether `text` names the same stream, be it on another interface. Kernels name their interfaces anew.
    #[must_use]
    pub fn is_stream_of(&self, text: &str) -> bool {
        match (self, &text.parse()) {
            (Self::Udp(one), Ok(Self::Udp(other))) | (Self::Rtp(one), Ok(Self::Rtp(other))) => {
                (one.address, one.sender) == (other.address, other.sender)
            }
            _ => false,
        }
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(group) => write!(f, "udp://{group}"),
            Self::Rtp(group) => write!(f, "rtp://{group}"),
            Self::Dvb(device) => write!(f, "dvb:{device}"),
            Self::Video(VideoSpec { path, io }) => {
                write!(f, "v4l:{}", path.display())?;
                io.iter().try_for_each(|io| write!(f, "?io={}", io.name()))
            }
            Self::File(FileSpec { path, repeat, speed }) => {
                let path = path.display().to_string();
                // Reading takes two slashes away.
                write!(f, "file:{}{path}", if path.starts_with("//") { "//" } else { "" })?;
                let speed = (*speed != Speed::OWN).then(|| format!("speed={speed}"));
                let parameters: Vec<_> = repeat.then(|| "loop".into()).into_iter().chain(speed).collect();
                if parameters.is_empty() { Ok(()) } else { write!(f, "?{}", parameters.join("&")) }
            }
        }
    }
}

impl VideoIo {
    /// Its name in a URL.
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Map => "mmap",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sender.iter().try_for_each(|s| write!(f, "{s}@"))?;
        write!(f, "{}", self.address)?;
        self.interface.iter().try_for_each(|i| write!(f, "?iface={i}"))
    }
}

fn parse_group<'a>(rest: &str, parameters: impl Iterator<Item = &'a str>) -> Result<Group, UrlError> {
    let (sender, address) = match rest.split_once('@') {
        Some((sender, address)) => (Some(sender), address),
        None => (None, rest),
    };
    // `udp://@239.1.1.1:5000` is how VLC writes "listen"; an empty sender is no sender.
    let sender = sender.filter(|s| !s.is_empty());
    let bare =
        |s: &'_ str| s.strip_prefix('[').and_then(|s| s.strip_suffix(']')).unwrap_or(s).parse::<IpAddr>();
    let address: SocketAddr = address.parse().map_err(|_| UrlError::Address(address.into()))?;
    if address.port() == 0 {
        return Err(UrlError::Address(address.to_string()));
    }
    let sender = match sender.map(|s| (s, bare(s))) {
        None => None,
        Some((_, Ok(ip))) if ip.is_ipv4() == address.is_ipv4() => Some(ip),
        Some((text, _)) => return Err(UrlError::Sender(text.into())),
    };
    let mut group = Group { address, sender, interface: None };
    for parameter in parameters {
        match parameter.split_once('=') {
            Some(("iface", name)) if !name.is_empty() => group.interface = Some(name.into()),
            _ => return Err(UrlError::Parameter(parameter.into())),
        }
    }
    Ok(group)
}

fn parse_file<'a>(path: &str, parameters: impl Iterator<Item = &'a str>) -> Result<FileSpec, UrlError> {
    let path = path.strip_prefix("//").unwrap_or(path); // file:///abs and file:rel alike
    if path.is_empty() {
        return Err(UrlError::NoPath);
    }
    let mut spec = FileSpec { path: path.into(), repeat: false, speed: Speed::OWN };
    for parameter in parameters {
        match parameter.split_once('=') {
            None if parameter == "loop" => spec.repeat = true,
            Some(("speed", n)) => {
                spec.speed = Speed::new(n).ok_or_else(|| UrlError::Speed(n.into()))?;
            }
            _ => return Err(UrlError::Parameter(parameter.into())),
        }
    }
    Ok(spec)
}

fn parse_video<'a>(path: &str, parameters: impl Iterator<Item = &'a str>) -> Result<VideoSpec, UrlError> {
    if path.is_empty() {
        return Err(UrlError::NoPath);
    }
    let mut spec = VideoSpec { path: path.into(), io: None };
    for parameter in parameters {
        let io = [VideoIo::Read, VideoIo::Map]
            .into_iter()
            .find(|io| parameter.strip_prefix("io=") == Some(io.name()));
        spec.io = Some(io.ok_or_else(|| UrlError::Parameter(parameter.into()))?);
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        for text in [
            "udp://239.1.2.3:5000",
            "udp://192.0.2.9@232.1.2.3:5000?iface=eth0.10",
            "udp://[ff15::101]:1234?iface=lo",
            "rtp://239.1.2.3:5004",
            "rtp://2001:db8::9@[ff35::101]:5004?iface=eth0",
            "file:/srv/a b.ts",
            "file:demo.ts?loop&speed=2.5",
            "dvb:1.2?demux=0",
            "v4l:/dev/video0",
            "v4l:/dev/video1?io=mmap",
        ] {
            assert_eq!(text.parse::<SourceUrl>().map(|u| u.to_string()), Ok(text.into()));
        }
        assert_eq!("udp://@239.1.2.3:5000".parse::<SourceUrl>().unwrap().to_string(), "udp://239.1.2.3:5000");
        let (bracketed, bare) = ("rtp://[2001:db8::9]@[ff35::1]:5004", "rtp://2001:db8::9@[ff35::1]:5004");
        assert_eq!(bracketed.parse::<SourceUrl>(), bare.parse());
        assert_eq!("file:///a.ts".parse::<SourceUrl>().unwrap().to_string(), "file:/a.ts");
        let slashes = "file:////srv/a.ts".parse::<SourceUrl>().unwrap();
        assert_eq!(slashes.to_string().parse(), Ok(slashes));
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        for (text, why) in [
            ("http://a/b", UrlError::Scheme),
            ("udp://239.1.2.3", UrlError::Address("239.1.2.3".into())),
            ("udp://239.1.2.3:0", UrlError::Address("239.1.2.3:0".into())),
            ("udp://fe80::1@239.1.2.3:1", UrlError::Sender("fe80::1".into())),
            ("rtp://239.1.2.3", UrlError::Address("239.1.2.3".into())),
            ("rtp://[ff15::101]:5004?loop", UrlError::Parameter("loop".into())),
            ("udp://239.1.2.3:1?if=a", UrlError::Parameter("if=a".into())),
            ("file:?loop", UrlError::NoPath),
            ("v4l:", UrlError::NoPath),
            ("v4l:/dev/video0?io=dma", UrlError::Parameter("io=dma".into())),
            ("file:a?speed=0", UrlError::Speed("0".into())),
            ("file:a?speed=nan", UrlError::Speed("nan".into())),
        ] {
            assert_eq!(text.parse::<SourceUrl>(), Err(why));
        }
    }
}

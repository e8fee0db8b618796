//! Where a mux comes from: multicast, plain or in RTP, tuners, files, and video nodes.
//!
//! Owns reading a mux into a buffer the caller brings, at the pace of the stream. Knows nothing of services, rings
//! or viewers.

use std::path::PathBuf;
use std::time::Duration;

pub mod dvb;
pub mod file;
mod reorder;
mod rtp;
pub mod speed;
pub mod udp;
pub mod url;
#[cfg(feature = "v4l")]
pub mod v4l;

pub use url::{SourceUrl, UrlError};

/// An open mux.
pub enum Input {
    /// Multicast or unicast UDP, plain or in RTP.
    Udp(udp::UdpInput),
    /// A recording, played at its own pace.
    File(Box<file::FileInput>),
    /// What a tuner has.
    Dvb(Box<dvb::DvbInput>),
    /// A video node.
    #[cfg(feature = "v4l")]
    Video(Box<v4l::VideoInput>),
}

/// What one read is told of the world.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// `CLOCK_BOOTTIME`.
    pub boot: Duration,
    /// Time of day, since 1970-01-01 UTC. For display only: a box may live in 1970.
    pub utc: Duration,
}

/// Damage met while reading, since the input was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Bytes skipped to find the sync byte again, or that were no whole packet.
    pub skipped_bytes: u64,
    /// Times the sync byte was lost.
    pub sync_losses: u64,
    /// Datagrams the kernel dropped because its buffer was full (`SO_RXQ_OVFL`).
    pub dropped_datagrams: u64,
    /// Datagrams that never came, or came too late, by their RTP sequence numbers. What a jump left out is not counted.
    pub lost_datagrams: u64,
    /// Datagrams that came behind a later one and were put back in their place.
    pub reordered: u64,
    /// Datagrams that came when they were given up as lost already.
    pub late: u64,
    /// Datagrams beside the stream: FEC (SMPTE 2022-1), RTCP, whatever holds no transport packets.
    pub foreign_datagrams: u64,
    /// Times the RTP sender or its sequence numbers changed.
    pub restarts: u64,
    /// Times a buffer of the kernel's demultiplexer was full and was emptied.
    pub overflows: u64,
}

impl std::ops::Add for SourceCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            skipped_bytes: self.skipped_bytes + other.skipped_bytes,
            sync_losses: self.sync_losses + other.sync_losses,
            dropped_datagrams: self.dropped_datagrams + other.dropped_datagrams,
            lost_datagrams: self.lost_datagrams + other.lost_datagrams,
            reordered: self.reordered + other.reordered,
            late: self.late + other.late,
            foreign_datagrams: self.foreign_datagrams + other.foreign_datagrams,
            restarts: self.restarts + other.restarts,
            overflows: self.overflows + other.overflows,
        }
    }
}

/// Why an input gives no more.
#[derive(Debug)]
pub enum SourceError {
    /// The file cannot be opened or read.
    File(PathBuf, std::io::Error),
    /// The file holds no transport stream: no run of sync bytes in its first mebibyte.
    NoTransportStream(PathBuf),
    /// The file holds no programme clock, so nothing can pace it.
    NoClock(PathBuf),
    /// The file is played to its end, and is not repeated.
    End,
    /// The socket cannot be made, bound or joined.
    Socket(String, std::io::Error),
    /// The interface of the URL does not exist here.
    NoInterface(String),
    /// The file is not what it was when it was opened: it was written over, cut off, or another one has its name.
    Changed(PathBuf),
    /// Nothing came for so long.
    Silent(Duration),
    /// The video node cannot be opened or read, or gives no transport stream; a sentence.
    Video(PathBuf, String),
    /// The video node was unplugged, or its driver left.
    Unplugged(PathBuf),
    /// The program was built without what reads it: the feature's name, and what it is for.
    NotBuilt(&'static str, &'static str),
    /// It names a tuner, which receives many muxes.
    NoMux(String),
    /// The demultiplexer cannot be opened, or has no filter left.
    Demux(PathBuf, std::io::Error),
    /// The tuner was unplugged, or its driver left.
    Gone,
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, why) | Self::Demux(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Gone => f.write_str("the tuner is gone"),
            Self::NoTransportStream(path) => write!(f, "{}: not a transport stream", path.display()),
            Self::NoClock(path) => {
                write!(f, "{}: no programme clock reference to pace it by", path.display())
            }
            Self::End => f.write_str("the file is at its end"),
            Self::Socket(what, why) => write!(f, "{what}: {why}"),
            Self::NoMux(device) => write!(f, "dvb:{device} is a tuner and no mux"),
            Self::NoInterface(name) => write!(f, "there is no network interface '{name}'"),
            Self::Video(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Unplugged(path) => write!(f, "{}: the device is gone", path.display()),
            Self::NotBuilt(feature, what) => {
                write!(f, "this program was built without {what} (cargo feature '{feature}')")
            }
            Self::Changed(path) => write!(f, "{}: the file has changed", path.display()),
            Self::Silent(time) => write!(f, "nothing came for {} s", time.as_secs()),
        }
    }
}

impl Input {
    /// Opens what `url` names.
    pub fn open(url: &SourceUrl, buffer_bytes: usize) -> Result<Self, SourceError> {
        Ok(match url {
            SourceUrl::Udp(group) => {
                Self::Udp(udp::UdpInput::open(group, buffer_bytes, udp::Framing::Plain)?)
            }
            SourceUrl::Rtp(group) => Self::Udp(udp::UdpInput::open(group, buffer_bytes, udp::Framing::Rtp)?),
            SourceUrl::File(spec) => Self::File(Box::new(file::FileInput::open(spec)?)),
            #[cfg(feature = "v4l")]
            SourceUrl::Video(spec) => Self::Video(Box::new(v4l::VideoInput::open(spec)?)),
            #[cfg(not(feature = "v4l"))]
            SourceUrl::Video(_) => return Err(SourceError::NotBuilt("v4l", "video devices")),
            SourceUrl::Dvb(device) => return Err(SourceError::NoMux(device.to_string())),
        })
    }

    /// Reads what is due into `buffer`, whose length is a multiple of 188. Gives the bytes written: whole packets
    /// one behind the other, the first at 0. Never waits; 0 when nothing is due.
    pub fn read(&mut self, now: Now, buffer: &mut [u8]) -> Result<usize, SourceError> {
        match self {
            Self::Udp(input) => input.read(now.boot, buffer),
            Self::File(input) => input.read(now, buffer),
            Self::Dvb(input) => input.read(buffer),
            #[cfg(feature = "v4l")]
            Self::Video(input) => input.read(now, buffer),
        }
    }

    /// Damage so far.
    #[must_use]
    pub fn counts(&self) -> SourceCounts {
        match self {
            Self::Udp(input) => input.counts(),
            Self::File(input) => input.counts(),
            Self::Dvb(input) => input.counts(),
            #[cfg(feature = "v4l")]
            Self::Video(input) => input.counts(),
        }
    }
}

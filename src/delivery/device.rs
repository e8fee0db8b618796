//! `dvb:ADAPTER[.FRONTEND]`: a tuner of this machine.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A tuner of this machine, by its numbers below `/dev/dvb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `adapterN`.
    pub adapter: u8,
    /// `frontendN`.
    pub frontend: u8,
    /// `demuxN`: the same number as the frontend's unless it is said.
    pub demux: u8,
}

/// Why a text is no tuner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceError {
    /// The numbers do not parse.
    Numbers(String),
    /// A parameter that is none, or whose value cannot be.
    Parameter(String),
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers(text) => write!(f, "'{text}' is not adapter or adapter.frontend, each 0 to 255"),
            Self::Parameter(text) => write!(f, "parameter '{text}' is none of demux or cannot be"),
        }
    }
}

impl Device {
    /// The node of one kind: `frontend`, `demux` or `dvr`. Android's kernels name them without directories.
    #[must_use]
    pub fn node(&self, kind: &str) -> PathBuf {
        let Self { adapter, frontend, demux } = self;
        let number = if kind == "frontend" { frontend } else { demux };
        let flat = PathBuf::from(format!("/dev/dvb{adapter}.{kind}{number}"));
        if flat.exists() { flat } else { format!("/dev/dvb/adapter{adapter}/{kind}{number}").into() }
    }
}

impl FromStr for Device {
    type Err = DeviceError;

    /// What stands behind `dvb:`.
    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let (numbers, parameters) = text.split_once('?').unwrap_or((text, ""));
        let number = |s: &str| s.parse::<u8>().ok().filter(|_| s.bytes().all(|b| b.is_ascii_digit()));
        let (adapter, frontend) = numbers.split_once('.').unwrap_or((numbers, "0"));
        let both = number(adapter).zip(number(frontend));
        let (adapter, frontend) = both.ok_or_else(|| DeviceError::Numbers(numbers.into()))?;
        let mut device = Self { adapter, frontend, demux: frontend };
        for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
            match parameter.split_once('=').map(|(key, value)| (key, number(value))) {
                Some(("demux", Some(n))) => device.demux = n,
                _ => return Err(DeviceError::Parameter(parameter.into())),
            }
        }
        Ok(device)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.adapter, self.frontend)?;
        if self.demux == self.frontend { Ok(()) } else { write!(f, "?demux={}", self.demux) }
    }
}

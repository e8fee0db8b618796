//! `dvb:ADAPTER[.FRONTEND]`: a tuner of this machine, and what dish it is at.
//!
//! | parameter | means |
//! |---|---|
//! | `demux` | number of its demultiplexer, where that is not the frontend's |
//! | `sat` | the satellites at the ports of its DiSEqC switch, such as `19.2E,13.0E` |
//! | `lnb` | `universal` (without this), `enhanced`, `dbs`, `bs`, `c`, `c-stacked`; or oscillators in MHz: one, `LOW/HIGH/SWITCH` or `VERTICAL/HORIZONTAL` |
//! | `unicable` | one cable for several tuners: `en50494:SLOT:MHZ` or `en50607:SLOT:MHZ` |
//! | `lnb-power` | `off`: it is behind another receiver, which feeds and switches the LNB |

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::digits;
use super::dish::Dish;

/// A tuner of this machine, by its numbers below `/dev/dvb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `adapterN`.
    pub adapter: u8,
    /// `frontendN`.
    pub frontend: u8,
    /// `demuxN`: the same number as the frontend's unless it is said.
    pub demux: u8,
    /// What is between it and satellites.
    pub dish: Dish,
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
            Self::Parameter(text) => {
                write!(f, "parameter '{text}' is none of demux, sat, lnb, unicable, lnb-power or cannot be")
            }
        }
    }
}

impl Device {
    /// The node of one kind: `frontend`, `demux` or `dvr`. Android's kernels name them without directories.
    #[must_use]
    pub fn node(&self, kind: &str) -> PathBuf {
        let Self { adapter, frontend, demux, .. } = self;
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
        let (adapter, frontend) = numbers.split_once('.').unwrap_or((numbers, "0"));
        let both = digits(adapter).zip(digits(frontend));
        let (adapter, frontend) = both.ok_or_else(|| DeviceError::Numbers(numbers.into()))?;
        let mut device = Self { adapter, frontend, demux: frontend, dish: Dish::default() };
        for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let set = match key {
                "demux" => digits(value).map(|n| device.demux = n),
                _ => device.dish.set(key, value),
            };
            set.filter(|()| !device.dish.is_overfull())
                .ok_or_else(|| DeviceError::Parameter(parameter.into()))?;
        }
        Ok(device)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.adapter, self.frontend)?;
        let demux = (self.demux != self.frontend).then(|| format!("demux={}", self.demux));
        let parameters: Vec<_> = demux.into_iter().chain(self.dish.parameters()).collect();
        if parameters.is_empty() { Ok(()) } else { write!(f, "?{}", parameters.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        for text in [
            "0.0",
            "1.2?demux=0",
            "0.0?sat=19.2E,13.0E",
            "0.1?demux=0&sat=19.2E,28.2E,5.0W&lnb=9750/10600/11800",
            "0.0?sat=19.2E&unicable=en50494:3:1680",
            "3.0?lnb=c&lnb-power=off",
        ] {
            assert_eq!(text.parse::<Device>().map(|d| d.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("2".parse::<Device>().map(|d| d.to_string()).as_deref(), Ok("2.0"));
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        let parameter = |text: &str| DeviceError::Parameter(text.into());
        for (text, why) in [
            ("x", DeviceError::Numbers("x".into())),
            ("256", DeviceError::Numbers("256".into())),
            ("0?demux=x", parameter("demux=x")),
            ("0?sat=19.2E,19.2E", parameter("sat=19.2E,19.2E")),
            ("0?sat=", parameter("sat=")),
            ("0?lnb=ku", parameter("lnb=ku")),
            ("0?lnb-power=on", parameter("lnb-power=on")),
            ("0?dish", parameter("dish")),
            ("0?sat=1.0E,2.0E,3.0E&unicable=en50494:0:1210", parameter("unicable=en50494:0:1210")),
        ] {
            assert_eq!(text.parse::<Device>(), Err(why));
        }
    }
}

//! Who asks, as far as attempts and work are counted.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An IPv4 address, or the first 64 bits of an IPv6 one, since a terminal has all the addresses behind them.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// An IPv4 address, or one mapped into IPv6.
    V4([u8; 4]),
    /// A network of IPv6.
    V6([u8; 8]),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// Says that there is one: addresses are for no log.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_one_source_whatever_address_it_takes() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("192.0.2.7"), source("::ffff:192.0.2.7"));
        assert_ne!(source("192.0.2.7"), source("192.0.2.8"));
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(format!("{:?}", source("192.0.2.7")), "Source(..)");
    }
}

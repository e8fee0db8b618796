//! Addresses that may be published.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// One of each family at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// What an A record says.
    pub v4: Option<Ipv4Addr>,
    /// What an AAAA record says.
    pub v6: Option<Ipv6Addr>,
}

impl Addresses {
    /// `ip` in place of what was there of its family.
    pub fn put(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(v4) => self.v4 = Some(v4),
            IpAddr::V6(v6) => self.v6 = Some(v6),
        }
    }

    /// There is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.v4.is_none() && self.v6.is_none()
    }

    /// Without those that may not be published.
    #[must_use]
    pub fn global(self) -> Self {
        Self {
            v4: self.v4.filter(|ip| is_global((*ip).into())),
            v6: self.v6.filter(|ip| is_global((*ip).into())),
        }
    }

    /// What there is here, else what there is of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { v4: self.v4.or(other.v4), v6: self.v6.or(other.v6) }
    }

    /// The first of `ips` of each family.
    pub fn first_of(ips: impl Iterator<Item = IpAddr>) -> Self {
        let mut found = Self::default();
        for ip in ips {
            let mut one = Self::default();
            one.put(ip);
            found = found.or(one);
        }
        found
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.v4, self.v6) {
            (Some(v4), Some(v6)) => write!(f, "{v4} and {v6}"),
            (Some(v4), None) => v4.fmt(f),
            (None, Some(v6)) => v6.fmt(f),
            (None, None) => f.write_str("no address"),
        }
    }
}

/// A unicast address that the whole Internet may use: not of IANA's special-purpose registries (RFC 6890).
#[must_use]
pub fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(matches!(a, 0 | 10 | 127 | 224..=255)
                || (a == 100 && b & 0xc0 == 64) // RFC 6598: carriers' NAT
                || (a == 169 && b == 254)
                || (a == 172 && b & 0xf0 == 16)
                || (a == 192 && b == 168)
                || (a == 192 && b == 0 && matches!(c, 0 | 2))
                || (a == 192 && b == 88 && c == 99) // RFC 7526: was 6to4
                || (a == 198 && b & 0xfe == 18) // RFC 2544
                || (a == 198 && b == 51 && c == 100)
                || (a == 203 && b == 0 && c == 113))
        }
        // RFC 4291 §2.4: 2000::/3; of it not 2001::/23 (Teredo, ORCHID …), documentation, 6to4.
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            a & 0xe000 == 0x2000
                && !(a == 0x2001 && b < 0x200)
                && !(a == 0x2001 && b == 0xdb8)
                && a != 0x2002
                && !(a == 0x3fff && b < 0x1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_internet_routes_is_global() {
        let good = [
            "1.1.1.1",
            "100.63.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "223.255.255.254",
            "2a00::1",
            "2001:4860::8",
        ];
        for ip in good {
            assert!(is_global(ip.parse().unwrap()), "{ip}");
        }
        let bad = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.9.9",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
        ];
        for ip in bad {
            assert!(!is_global(ip.parse().unwrap()), "{ip}");
        }
        let mixed = Addresses { v4: Some([10, 0, 0, 1].into()), v6: "2a00::1".parse().ok() };
        assert_eq!(mixed.global(), Addresses { v4: None, ..mixed });
    }
}

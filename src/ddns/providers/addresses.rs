//! Addresses that may be published.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::network::is_global;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_global_is_left_out() {
        let mixed = Addresses { v4: Some([10, 0, 0, 1].into()), v6: "2a00::1".parse().ok() };
        assert_eq!(mixed.global(), Addresses { v4: None, ..mixed });
    }
}

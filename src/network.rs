//! What an address of the internet says of who has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Global unicast, as the IANA special-purpose registries have it (RFC 6890): what the whole internet can reach.
#[must_use]
pub fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

fn is_global_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)   // this network, private, loopback, multicast and reserved
            | (100, 64..=127, _)           // shared by carriers, RFC 6598
            | (169, 254, _)                // link-local
            | (172, 16..=31, _) | (192, 168, _)
            | (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113)   // protocol assignments, documentation
            | (192, 88, 99)                // 6to4 relays, withdrawn
            | (198, 18..=19, _) // benchmarks
    );
    !special
}

fn is_global_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    let documentation = (s[0] == 0x2001 && s[1] == 0xdb8) || (s[0] == 0x3fff && s[1] < 0x1000);
    let protocol = s[0] == 0x2001 && s[1] < 0x200; // 2001::/23: Teredo, ORCHID, benchmarks
    s[0] & 0xe000 == 0x2000 && !documentation && !protocol && s[0] != 0x2002
}

/// The network that one subscriber has: a /24 of IPv4, a /56 of IPv6. Limits count by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subscriber(u64);

impl From<IpAddr> for Subscriber {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(u64::from(ip.to_bits() >> 8)),
            IpAddr::V6(ip) => Self(u64::try_from(ip.to_bits() >> 72).unwrap_or(0) | 1 << 63),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_global_unicast_is_global() {
        for yes in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2a00::1",
            "2606:4700::1111",
        ] {
            assert!(is_global(yes.parse().unwrap()), "{yes}");
        }
        for no in [
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.31.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:1.1.1.1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:a00:1::1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(!is_global(no.parse().unwrap()), "{no}");
        }
    }

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
    }

    #[test]
    fn a_subscriber_has_all_of_a_network() {
        let v6 = |ip: &str| Subscriber::from(ip.parse::<IpAddr>().unwrap());
        assert_eq!(v6("2001:db8:0:12::1"), v6("2001:db8:0:ff::2"));
        assert!(v6("2001:db8:0:12::1") != v6("2001:db8:0:112::1"));
        assert_eq!(v6("::ffff:192.0.1.7"), Subscriber::from(IpAddr::from([192, 0, 1, 9])));
    }
}

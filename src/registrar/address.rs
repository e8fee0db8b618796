//! Which addresses may be published.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Global unicast, as the IANA special-purpose registries have it (RFC 6890): what the whole internet can reach.
#[must_use]
pub fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

/// What may be published where `--publish-private` was asked for: anything that one host can have.
pub(super) fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.octets()[0] == 0 || v4.is_multicast() || v4.octets()[0] >= 240),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast() || v6.to_ipv4_mapped().is_some()),
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

/// The IPv4 address that a dual-stack socket shows as `::ffff:a.b.c.d`, plain.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
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
        assert!(is_host("192.168.1.1".parse().unwrap()) && !is_host("224.0.0.1".parse().unwrap()));
        assert!(is_host("::1".parse().unwrap()) && !is_host("::".parse().unwrap()));
    }
}

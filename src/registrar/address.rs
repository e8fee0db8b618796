//! Which addresses may be published.

use std::net::IpAddr;

/// What may be published where `--publish-private` was asked for: anything that one host can have.
pub(super) fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.octets()[0] == 0 || v4.is_multicast() || v4.octets()[0] >= 240),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast() || v6.to_ipv4_mapped().is_some()),
    }
}

/// The IPv4 address that a dual-stack socket shows as `::ffff:a.b.c.d`, plain.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_no_network_s_address() {
        assert!(is_host("192.168.1.1".parse().unwrap()) && !is_host("224.0.0.1".parse().unwrap()));
        assert!(is_host("::1".parse().unwrap()) && !is_host("::".parse().unwrap()));
    }
}

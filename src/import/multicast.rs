//! The multicast groups that a list from outside may name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Culprit, Framing, ImportedSource, Refusal};
use crate::source::SourceUrl;

/// The source `url` names, bound to `interface`: `udp://[sender@]group:port[?iface=…]`, or the same as `rtp://`.
pub(super) fn source(url: &str, interface: Option<&str>) -> Result<ImportedSource, Refusal> {
    let culprit = || Culprit::new(url);
    let (scheme, rest) = url.split_once("://").ok_or_else(|| Refusal::Scheme(culprit()))?;
    let framing = match scheme.to_ascii_lowercase().as_str() {
        "udp" => Framing::Packets,
        "rtp" => Framing::Rtp,
        _ => return Err(Refusal::Scheme(culprit())),
    };
    let Ok(SourceUrl::Udp(mut group)) = format!("udp://{}", rest.trim_end_matches('/')).parse() else {
        return Err(Refusal::Address(culprit()));
    };
    check_group(group.address)?;
    if let Some(sender) = group.sender.filter(|ip| !is_host(*ip)) {
        return Err(Refusal::Sender(sender));
    }
    if let Some(other) = group.interface.as_deref().filter(|name| Some(*name) != interface) {
        return Err(Refusal::Interface(Culprit::new(other)));
    }
    group.interface = interface.map(Into::into);
    Ok(ImportedSource::Multicast { group, framing })
}

fn check_group(address: SocketAddr) -> Result<(), Refusal> {
    let ip = address.ip();
    if !ip.is_multicast() {
        Err(Refusal::Unicast(ip))
    } else if is_control(ip) {
        Err(Refusal::ControlGroup(ip))
    } else {
        match address {
            // `%2` in an IPv6 address names an interface, too.
            SocketAddr::V6(v6) if v6.scope_id() != 0 => {
                Err(Refusal::Interface(Culprit::new(&format!("%{}", v6.scope_id()))))
            }
            _ => Ok(()),
        }
    }
}

/// Groups that carry the network's own talk: routing, discovery of names and of devices.
fn is_control(ip: IpAddr) -> bool {
    match ip {
        // RFC 5771 §4: the local network control block. SSDP alone stands outside of it.
        IpAddr::V4(ip) => ip.octets().starts_with(&[224, 0, 0]) || ip == Ipv4Addr::new(239, 255, 255, 250),
        // RFC 4291 §2.7: the scopes of one host and of one link; then SSDP and mDNS, which are in every scope.
        IpAddr::V6(ip) => {
            let [first, middle @ .., last] = ip.segments();
            let everywhere = middle == [0; 6] && (last == 0x0c || last == 0xfb);
            matches!(first, 0xff00..=0xff02) || (first & 0xfff0 == 0xff00 && everywhere)
        }
    }
}

fn is_host(ip: IpAddr) -> bool {
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    !ip.is_multicast() && !ip.is_unspecified() && !broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_on_the_boards_interface() {
        for (url, read, is) in [
            ("udp://@239.1.2.3:5000", "udp://239.1.2.3:5000?iface=tv0", Framing::Packets),
            ("rtp://239.1.2.3:5000/", "udp://239.1.2.3:5000?iface=tv0", Framing::Rtp),
            (
                "RTP://192.0.2.9@232.1.2.3:5000?iface=tv0",
                "udp://192.0.2.9@232.1.2.3:5000?iface=tv0",
                Framing::Rtp,
            ),
            ("udp://[ff15::101]:1234", "udp://[ff15::101]:1234?iface=tv0", Framing::Packets),
        ] {
            let Ok(ImportedSource::Multicast { group, framing }) = source(url, Some("tv0")) else { panic!() };
            assert_eq!((SourceUrl::Udp(group).to_string(), framing), (read.into(), is));
        }
        let Ok(ImportedSource::Multicast { group, .. }) = source("udp://239.1.2.3:5000", None) else {
            panic!()
        };
        assert_eq!(group.interface, None);
    }

    #[test]
    fn whatever_else_a_list_names_is_refused() {
        let culprit = |text| Culprit::new(text);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (url, why) in [
            ("file:/etc/shadow", Refusal::Scheme(culprit("file:/etc/shadow"))),
            ("file:///etc/shadow", Refusal::Scheme(culprit("file:///etc/shadow"))),
            ("http://h:1/udp/239.1.1.1:5000", Refusal::Scheme(culprit("http://h:1/udp/239.1.1.1:5000"))),
            ("https://h/", Refusal::Scheme(culprit("https://h/"))),
            ("239.1.1.1:5000", Refusal::Scheme(culprit("239.1.1.1:5000"))),
            ("udp://host:5000", Refusal::Address(culprit("udp://host:5000"))),
            ("udp://239.1.1.1:0", Refusal::Address(culprit("udp://239.1.1.1:0"))),
            ("udp://239.1.1.1:1?speed=2", Refusal::Address(culprit("udp://239.1.1.1:1?speed=2"))),
            ("udp://127.0.0.1:5000", Refusal::Unicast(ip("127.0.0.1"))),
            ("udp://[::ffff:239.1.1.1]:5000", Refusal::Unicast(ip("::ffff:239.1.1.1"))),
            ("udp://224.0.0.251:5353", Refusal::ControlGroup(ip("224.0.0.251"))),
            ("udp://239.255.255.250:1900", Refusal::ControlGroup(ip("239.255.255.250"))),
            ("udp://[ff01::1]:1", Refusal::ControlGroup(ip("ff01::1"))),
            ("udp://[ff02::1:2]:1", Refusal::ControlGroup(ip("ff02::1:2"))),
            ("udp://[ff05::c]:1900", Refusal::ControlGroup(ip("ff05::c"))),
            ("udp://[ff15::1%2]:1", Refusal::Interface(culprit("%2"))),
            ("udp://239.1.1.1:1?iface=eth0", Refusal::Interface(culprit("eth0"))),
            ("udp://239.1.1.2@239.1.1.1:1", Refusal::Sender(ip("239.1.1.2"))),
            ("udp://0.0.0.0@239.1.1.1:1", Refusal::Sender(ip("0.0.0.0"))),
        ] {
            assert_eq!(source(url, Some("tv0")), Err(why), "{url}");
        }
        assert!(source("udp://239.1.1.1:1?iface=tv0", None).is_err());
    }
}

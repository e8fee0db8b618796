//! The wall of the plain listener: in comes who is on a network of the house, and nobody else.
//!
//! Being at home is decided by how a connection came, never by what its address looks like: routers translate sources,
//! and global IPv6 addresses are at home, too. So the source has to be on the link itself, and the address it came to
//! has to be that of an interface of the LAN.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::time::Duration;

use crate::sys::clock;
use crate::sys::socket::{Network, networks};

/// The networks are looked up no oftener than this; each look asks the kernel.
const LOOK: Duration = Duration::from_secs(1);

/// Says who may come in.
pub struct Wall {
    /// The interfaces of the LAN; none named: all.
    interfaces: Vec<String>,
    networks: RefCell<Vec<Network>>,
    looked: Cell<Option<Duration>>,
}

impl Wall {
    /// A wall with doors on `interfaces`; none named: on all.
    #[must_use]
    pub fn new(interfaces: Vec<String>) -> Self {
        Self { interfaces, networks: RefCell::default(), looked: Cell::default() }
    }

    /// Whether a connection from `peer` to `local` may come in. Networks that changed are seen within [`LOOK`].
    #[must_use]
    pub fn admits(&self, peer: IpAddr, local: IpAddr) -> bool {
        let now = clock::boot();
        if self.looked.get().is_none_or(|looked| now >= looked + LOOK) {
            *self.networks.borrow_mut() = networks();
            self.looked.set(Some(now));
        }
        self.judge(&self.networks.borrow(), peer.to_canonical(), local.to_canonical())
    }

    fn judge(&self, networks: &[Network], peer: IpAddr, local: IpAddr) -> bool {
        let named = |n: &&Network| self.interfaces.is_empty() || self.interfaces.contains(&n.interface);
        let of_lan = || networks.iter().filter(named);
        of_lan().any(|n| n.address == local) && of_lan().any(|n| n.holds(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(interface: &str, address: &str, mask: &str) -> Network {
        let [address, mask] = [address, mask].map(|text| text.parse().unwrap());
        Network { interface: interface.into(), address, mask }
    }

    #[test]
    fn only_who_is_on_a_link_of_the_lan_comes_in() {
        let networks = [
            network("lo", "127.0.0.1", "255.0.0.0"),
            network("br-lan", "192.168.1.20", "255.255.255.0"),
            network("br-lan", "2001:db8:1:2::20", "ffff:ffff:ffff:ffff::"),
            network("br-lan", "fe80::20", "ffff:ffff:ffff:ffff::"),
            network("wan", "198.51.100.7", "255.255.240.0"),
        ];
        let admits = |interfaces: &[&str], peer: &str, local: &str| {
            let wall = Wall::new(interfaces.iter().map(|&name| name.into()).collect());
            wall.judge(&networks, peer.parse().unwrap(), local.parse().unwrap())
        };
        let lan = ["br-lan", "lo"];
        for (peer, local) in [
            ("192.168.1.77", "192.168.1.20"),
            ("2001:db8:1:2:abcd::1", "2001:db8:1:2::20"),
            ("fe80::77", "fe80::20"),
            ("127.0.0.5", "127.0.0.1"),
            ("192.168.1.20", "192.168.1.20"),
        ] {
            assert!(admits(&lan, peer, local) && admits(&[], peer, local), "{peer} → {local}");
        }
        for (peer, local) in [
            ("192.168.2.77", "192.168.1.20"),
            ("10.0.0.1", "192.168.1.20"),
            ("2001:db8:1:3::1", "2001:db8:1:2::20"),
            ("203.0.113.9", "198.51.100.7"),
            ("192.168.1.77", "192.168.1.21"),
        ] {
            assert!(!admits(&lan, peer, local) && !admits(&[], peer, local), "{peer} → {local}");
        }
        assert!(!admits(&lan, "198.51.100.8", "198.51.100.7"), "a neighbour at the provider");
        assert!(!admits(&lan, "192.168.1.77", "198.51.100.7"), "not the LAN's door");
        assert!(admits(&[], "198.51.100.8", "198.51.100.7"));
    }
}

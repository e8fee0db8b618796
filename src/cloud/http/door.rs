//! How many connections there are, in all and from one network.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

/// Connections at one time.
const ALL: usize = 1024;
/// Connections of one network at one time.
const EACH: usize = 32;

/// A network as limits count it: a /24 of IPv4, a /56 of IPv6, which is what one customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::cloud) struct Network(u64);

impl From<IpAddr> for Network {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(u64::from(ip.to_bits() >> 8)),
            IpAddr::V6(ip) => Self(u64::try_from(ip.to_bits() >> 72).unwrap_or(0) | 1 << 63),
        }
    }
}

/// Counts who is in.
#[derive(Default)]
pub(in crate::cloud) struct Doors {
    inside: RefCell<HashMap<Network, usize>>,
}

/// A place inside; dropped when its connection ends.
pub(in crate::cloud) struct Place {
    doors: Rc<Doors>,
    network: Network,
}

impl Doors {
    /// A place for a connection from there, while there is one.
    pub(in crate::cloud) fn enter(self: &Rc<Self>, from: IpAddr) -> Option<Place> {
        let network = from.into();
        let mut inside = self.inside.borrow_mut();
        if inside.values().sum::<usize>() >= ALL {
            return None;
        }
        let count = inside.entry(network).or_insert(0);
        // Loopback is where proxies and operators are.
        if *count >= EACH && !from.to_canonical().is_loopback() {
            return None;
        }
        *count += 1;
        Some(Place { doors: Rc::clone(self), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.doors.inside.borrow_mut();
        if let Some(count) = inside.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_cannot_take_all_places() {
        let doors = Rc::new(Doors::default());
        let from = |last: u8| IpAddr::from([192, 0, 1, last]);
        let mut inside: Vec<_> = (0..32).map(|i| doors.enter(from(i)).unwrap()).collect();
        assert!(doors.enter(from(200)).is_none());
        assert!(doors.enter(IpAddr::from([192, 0, 2, 1])).is_some());
        inside.pop();
        assert!(doors.enter(from(200)).is_some());
        let v6 = |ip: &str| Network::from(ip.parse::<IpAddr>().unwrap());
        assert_eq!(v6("2001:db8:0:12::1"), v6("2001:db8:0:ff::2"));
        assert!(v6("2001:db8:0:12::1") != v6("2001:db8:0:112::1"));
        assert_eq!(v6("::ffff:192.0.1.7"), Network::from(from(9)));
    }
}

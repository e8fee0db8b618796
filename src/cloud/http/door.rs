//! How many connections there are, in all and from one network.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use crate::network::Subscriber;

/// Connections at one time.
const ALL: usize = 1024;
/// Connections of one network at one time.
const EACH: usize = 32;

/// Counts who is in.
#[derive(Default)]
pub(in crate::cloud) struct Doors {
    inside: RefCell<HashMap<Subscriber, usize>>,
}

/// A place inside; dropped when its connection ends.
pub(in crate::cloud) struct Place {
    doors: Rc<Doors>,
    network: Subscriber,
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
    }
}

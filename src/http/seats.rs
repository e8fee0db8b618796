//! How many may be connected: in all, and from one address.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

/// The connections that are open.
pub struct Seats {
    most: usize,
    most_per_source: usize,
    /// One entry per connection's source, with how many it has.
    taken: RefCell<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    sources: Vec<(IpAddr, usize)>,
}

/// The right to be connected; dropping it makes room.
pub struct Seat {
    seats: Rc<Seats>,
    /// Whom it counts for; nobody once its holder has proven who it is.
    source: Cell<Option<IpAddr>>,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSeat {
    /// All are taken.
    Full(usize),
    /// This source has as many as one may have.
    SourceFull(usize),
}

impl Seats {
    /// `most` seats, `most_per_source` of them for one address.
    #[must_use]
    pub fn new(most: usize, most_per_source: usize) -> Rc<Self> {
        Rc::new(Self { most, most_per_source, taken: RefCell::default() })
    }

    /// A seat for a connection from `source`.
    pub fn take(self: &Rc<Self>, source: IpAddr) -> Result<Seat, NoSeat> {
        let mut taken = self.taken.borrow_mut();
        if taken.all >= self.most {
            return Err(NoSeat::Full(self.most));
        }
        match taken.sources.iter_mut().find(|(ip, _)| *ip == source) {
            Some((_, n)) if *n >= self.most_per_source => {
                return Err(NoSeat::SourceFull(self.most_per_source));
            }
            Some((_, n)) => *n += 1,
            None => taken.sources.push((source, 1)), // at most one per seat
        }
        taken.all += 1;
        Ok(Seat { seats: Rc::clone(self), source: Cell::new(Some(source)) })
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.borrow().all
    }
}

impl Seat {
    /// Whoever sits here has proven who it is: it counts no more for its address, which a household can share.
    pub fn vouch(&self) {
        let Some(source) = self.source.take() else { return };
        let sources = &mut self.seats.taken.borrow_mut().sources;
        if let Some(i) = sources.iter().position(|(ip, _)| *ip == source) {
            sources[i].1 -= 1;
            if sources[i].1 == 0 {
                sources.swap_remove(i);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.vouch();
        self.seats.taken.borrow_mut().all -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_share_and_dropping_makes_room() {
        let seats = Seats::new(3, 2);
        let [a, b] = ["192.0.2.1", "::1"].map(|ip| ip.parse().unwrap());
        let first = seats.take(a).ok().unwrap();
        let _second = seats.take(a).ok().unwrap();
        assert_eq!(seats.take(a).err(), Some(NoSeat::SourceFull(2)));
        let _third = seats.take(b).ok().unwrap();
        assert_eq!(seats.take(b).err(), Some(NoSeat::Full(3)));
        drop(first);
        assert!(seats.take(a).is_ok());
        assert_eq!(seats.taken(), 2);
    }

    #[test]
    fn who_has_proven_itself_counts_no_more_for_its_address() {
        let seats = Seats::new(5, 1);
        let address = "192.0.2.1".parse().unwrap();
        let known = seats.take(address).ok().unwrap();
        known.vouch();
        known.vouch();
        let stranger = seats.take(address).ok().unwrap();
        assert_eq!(seats.take(address).err(), Some(NoSeat::SourceFull(1)));
        drop(known);
        assert_eq!(seats.taken(), 1);
        assert_eq!(seats.take(address).err(), Some(NoSeat::SourceFull(1)), "the stranger is still there");
        drop(stranger);
        assert!(seats.take(address).is_ok());
    }
}

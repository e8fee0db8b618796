//! Where a key's entry is: open addressing over entry numbers, of fixed size, so that it never has to be built again.

/// Entry numbers by hash. Holds no keys: whoever asks compares with the entry itself.
pub(super) struct Index {
    /// Entry number + 1; 0 is free.
    places: Box<[u32]>,
}

impl Index {
    /// Room for `capacity` entries; at most two of three places are ever taken.
    pub(super) fn new(capacity: usize) -> Self {
        Self { places: vec![0; capacity + capacity / 2 + 8].into_boxed_slice() }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.places.len() * size_of::<u32>()
    }

    /// The entry under `hash` of which `is_it` holds.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        while let Some(entry) = self.places[at].checked_sub(1) {
            if is_it(entry) {
                return Some(entry);
            }
            at = self.next(at);
        }
        None
    }

    /// Adds `entry`, which must not be in it; the table has at most `capacity` of them.
    pub(super) fn insert(&mut self, hash: u64, entry: u32) {
        let mut at = self.home(hash);
        while self.places[at] != 0 {
            at = self.next(at);
        }
        self.places[at] = entry + 1;
    }

    /// Takes `entry` out and closes the gap; `hash_of` says where each other one belongs.
    pub(super) fn remove(&mut self, hash: u64, entry: u32, hash_of: impl Fn(u32) -> u64) {
        let mut gap = self.home(hash);
        loop {
            match self.places[gap].checked_sub(1) {
                Some(found) if found == entry => break,
                Some(_) => gap = self.next(gap),
                None => return,
            }
        }
        let mut at = self.next(gap);
        while let Some(other) = self.places[at].checked_sub(1) {
            let home = self.home(hash_of(other));
            // it may move back to the gap when its home is not behind the gap
            let (from_home, from_gap) = (self.distance(home, at), self.distance(gap, at));
            if from_home >= from_gap {
                self.places[gap] = other + 1;
                gap = at;
            }
            at = self.next(at);
        }
        self.places[gap] = 0;
    }

    fn home(&self, hash: u64) -> usize {
        let place = (u128::from(hash) * self.places.len() as u128) >> 64;
        usize::try_from(place).unwrap_or(0) // below the length
    }

    fn next(&self, at: usize) -> usize {
        if at + 1 == self.places.len() { 0 } else { at + 1 }
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.places.len() - from }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a map, with hashes that collide and wrap round the end.
        #[test]
        fn finds_what_is_in_it(steps in prop::collection::vec((0u8..2, 0u32..24), 0..300)) {
            let hash_of = |entry: u32| if entry.is_multiple_of(3) { u64::MAX } else { u64::from(entry % 5) << 60 };
            let (mut index, mut model) = (Index::new(24), BTreeMap::new());
            for (what, entry) in steps {
                match what {
                    0 if !model.contains_key(&entry) => {
                        index.insert(hash_of(entry), entry);
                        model.insert(entry, ());
                    }
                    1 => {
                        index.remove(hash_of(entry), entry, hash_of);
                        model.remove(&entry);
                    }
                    _ => {}
                }
                for entry in 0..24 {
                    let found = index.find(hash_of(entry), |other| other == entry);
                    prop_assert_eq!(found.is_some(), model.contains_key(&entry));
                }
            }
        }
    }
}

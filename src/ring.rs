//! A ring of bytes: one writer, any number of readers, each with a position of its own.
//!
//! ```text
//!   0            oldest                                   head
//!   |  overwritten  |  readable: at most the capacity      |  not yet written
//! ```
//!
//! Positions count bytes since the ring was made and never wrap (at 100 Mbit/s a `u64` lasts 46 000 years). The
//! ring knows no reader: one that fell behind is told so by [`Overrun`] when it asks.

use std::io;

use crate::sys::mirror::Mirror;

/// Bytes in a ring, counted since it was made.
pub type Position = u64;

/// The reader's position is no longer in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// Bytes between the position and the oldest that is left.
    pub lost: u64,
}

/// Owns the memory and the head.
pub struct Ring {
    memory: Mirror,
    /// Where the next byte goes. `oldest() <= head`.
    head: Position,
    /// Bytes before this were never written, or belong to an earlier use.
    floor: Position,
}

impl Ring {
    /// A ring of `capacity` bytes, a multiple of the page size.
    pub fn new(capacity: usize) -> io::Result<Self> {
        Ok(Self { memory: Mirror::new(capacity)?, head: 0, floor: 0 })
    }

    /// Bytes it holds at most.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.memory.len() as u64
    }

    /// Where the next byte goes.
    #[must_use]
    pub fn head(&self) -> Position {
        self.head
    }

    /// The oldest byte that is left.
    #[must_use]
    pub fn oldest(&self) -> Position {
        self.floor.max(self.head.saturating_sub(self.capacity()))
    }

    /// Where the present use began.
    #[must_use]
    pub fn floor(&self) -> Position {
        self.floor
    }

    /// The bytes from `position` to the head, at most `max`, as one slice. Empty at the head.
    pub fn window(&self, position: Position, max: usize) -> Result<&[u8], Overrun> {
        if position < self.oldest() {
            return Err(Overrun { lost: self.oldest() - position });
        }
        let ready = usize::try_from(self.head.saturating_sub(position)).unwrap_or(usize::MAX);
        Ok(self.memory.window(self.place(position), ready.min(max)))
    }

    /// Room of at most `max` bytes at the head. Writing it destroys the oldest bytes, committed or not.
    pub fn room(&mut self, max: usize) -> &mut [u8] {
        let start = self.place(self.head);
        self.memory.window_mut(start, max)
    }

    /// The first `len` bytes of the room become readable.
    pub fn commit(&mut self, len: usize) {
        self.head += len.min(self.memory.len()) as u64;
    }

    /// Writes `bytes` at the head; they are shorter than the ring.
    pub fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.room(rest.len());
            let n = room.len();
            room.copy_from_slice(&rest[..n]);
            self.commit(n);
            rest = &rest[n..];
        }
    }

    /// Everything readable is forgotten; positions go on.
    pub fn clear(&mut self) {
        self.floor = self.head;
    }

    #[allow(clippy::cast_possible_truncation, reason = "the remainder is below the capacity, a usize")]
    fn place(&self, position: Position) -> usize {
        (position % self.capacity()) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const CAPACITY: usize = 47 * 4096;

    #[test]
    fn a_reader_that_is_late_is_told_how_much_it_lost() {
        let mut ring = Ring::new(CAPACITY).unwrap();
        ring.write(&vec![7; CAPACITY]);
        assert_eq!(ring.window(0, usize::MAX).unwrap().len(), CAPACITY);
        ring.write(&[8; 100]);
        assert_eq!(ring.window(0, 1), Err(Overrun { lost: 100 }));
        assert_eq!(ring.window(ring.head() - 100, 1000), Ok(&[8; 100][..]));
        assert_eq!(ring.window(ring.head(), 1000), Ok(&[][..]));
        ring.clear();
        assert_eq!(ring.window(ring.head() - 1, 1), Err(Overrun { lost: 1 }));
    }

    proptest! {
        /// Against a naive twin: a queue that drops from its front.
        #[test]
        fn it_is_a_queue_that_forgets(writes in prop::collection::vec((0..CAPACITY / 3, any::<u8>()), 1..12)) {
            let mut ring = Ring::new(CAPACITY).unwrap();
            let mut twin = VecDeque::new();
            for (len, seed) in writes {
                let bytes: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect();
                ring.write(&bytes);
                twin.extend(bytes);
                let surplus = twin.len().saturating_sub(CAPACITY);
                twin.drain(..surplus);
                prop_assert_eq!(ring.head() - ring.oldest(), twin.len() as u64);
                let window = ring.window(ring.oldest(), usize::MAX).unwrap();
                prop_assert!(window.iter().eq(twin.iter()));
            }
        }
    }
}

//! The viewer ids of streams. A stream takes the first that is free: so the next one takes over the id of one that ended
//! here while the box does not know yet, and the box ends that ghost; two that run never have one id.

use std::sync::{Mutex, PoisonError};

/// Ids for `N` streams.
pub(super) struct Places<const N: usize> {
    viewers: [String; N],
    taken: Mutex<[bool; N]>,
}

/// A stream's id, until this goes.
pub(super) struct Place<'p, const N: usize> {
    places: &'p Places<N>,
    number: usize,
}

impl<const N: usize> Places<N> {
    /// Ids that begin with `prefix`, which no other process has.
    pub(super) fn new(prefix: &str) -> Self {
        let viewers = std::array::from_fn(|number| format!("{prefix}-{number}"));
        Self { viewers, taken: Mutex::new([false; N]) }
    }

    /// The first that is free; `None` where none is.
    pub(super) fn take(&self) -> Option<Place<'_, N>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let number = taken.iter().position(|taken| !taken)?;
        taken[number] = true;
        Some(Place { places: self, number })
    }
}

impl<const N: usize> Place<'_, N> {
    pub(super) fn viewer(&self) -> &str {
        &self.places.viewers[self.number]
    }
}

impl<const N: usize> Drop for Place<'_, N> {
    fn drop(&mut self) {
        self.places.taken.lock().unwrap_or_else(PoisonError::into_inner)[self.number] = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_stream_takes_over_the_id_of_one_that_ended_and_of_no_other() {
        let places = Places::<3>::new("x");
        let (first, second) = (places.take().unwrap(), places.take().unwrap());
        assert_eq!((first.viewer(), second.viewer()), ("x-0", "x-1"));
        drop(first);
        let third = places.take().unwrap();
        assert_eq!(third.viewer(), "x-0");
        let _fourth = places.take().unwrap();
        assert!(places.take().is_none(), "full");
        drop(second);
        assert!(places.take().is_some());
    }
}

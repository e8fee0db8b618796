//! Who granted which tuner to the box: a conversation at the local socket, and with it the grant ends.
//!
//! Owns the book, and touches no tuner.

use crate::board;
use crate::local::server::Number;

/// The conversation that granted a tuner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grant {
    by: Number,
    /// The question it was allowed by; `None` where nobody had asked.
    asked: Option<u32>,
}

/// All grants: for each tuner one at most.
#[derive(Debug, Default)]
pub(super) struct Grants([Option<Grant>; board::INPUTS]);

impl Grants {
    /// Conversation `by` grants a tuner, by its answer to question `asked` or by itself. `false`: it cannot, since
    /// another one has, or there is no such tuner.
    pub(super) fn enter(&mut self, tuner: usize, by: Number, asked: Option<u32>) -> bool {
        let Some(place) = self.0.get_mut(tuner) else { return false };
        match place {
            Some(held) if held.by != by => false,
            // What was granted without a question stays so.
            Some(Grant { asked: None, .. }) => true,
            _ => {
                *place = Some(Grant { by, asked });
                true
            }
        }
    }

    /// Conversation `by` takes a tuner back; `false` where it had not granted it.
    pub(super) fn withdraw(&mut self, tuner: usize, by: Number) -> bool {
        self.end(tuner, |held| held.by == by)
    }

    /// Nobody came for what was allowed by question `asked`; `false` where that grant is over, or is more than that.
    pub(super) fn lapse(&mut self, tuner: usize, asked: u32) -> bool {
        self.end(tuner, |held| held.asked == Some(asked))
    }

    /// Conversation `by` is over: one of the tuners that it granted, until there is none left.
    pub(super) fn end_one_of(&mut self, by: Number) -> Option<usize> {
        let tuner = self.0.iter().position(|held| held.is_some_and(|held| held.by == by))?;
        self.0[tuner] = None;
        Some(tuner)
    }

    /// Somebody has granted the tuner.
    pub(super) fn is_granted(&self, tuner: usize) -> bool {
        self.0.get(tuner).is_some_and(Option::is_some)
    }

    /// Conversation `by` has granted something.
    pub(super) fn has_any_of(&self, by: Number) -> bool {
        self.0.iter().flatten().any(|held| held.by == by)
    }

    fn end(&mut self, tuner: usize, is_meant: impl Fn(&Grant) -> bool) -> bool {
        self.0.get_mut(tuner).and_then(|held| held.take_if(|held| is_meant(held))).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_grant_is_the_conversations_that_gave_it() {
        let mut grants = Grants::default();
        assert!(grants.enter(0, 1, None) && grants.enter(0, 1, None) && !grants.enter(0, 2, None));
        assert!(!grants.enter(board::INPUTS, 1, None), "there is no such tuner");
        assert!(!grants.withdraw(0, 2) && !grants.withdraw(board::INPUTS, 1));
        assert!(!grants.lapse(0, 7), "it was not for a question");
        assert!(grants.enter(0, 1, Some(7)) && !grants.lapse(0, 7), "and does not become one");
        assert!(grants.withdraw(0, 1) && !grants.withdraw(0, 1) && !grants.has_any_of(1));
        assert!(grants.enter(0, 2, Some(7)) && !grants.lapse(0, 6) && grants.lapse(0, 7));
    }

    proptest! {
        /// A tuner is granted by one conversation at most, and by none that is over.
        #[test]
        fn no_grant_outlives_its_conversation(
            steps in proptest::collection::vec((0..5_u8, 0..board::INPUTS, 0..4_u32), 0..60),
        ) {
            let mut grants = Grants::default();
            let mut model = [None; board::INPUTS];
            for (what, tuner, by) in steps {
                match what {
                    0 | 1 => {
                        let asked = (what == 1).then_some(by);
                        let free = model[tuner].is_none_or(|held| held == by);
                        prop_assert_eq!(grants.enter(tuner, by, asked), free);
                        if free { model[tuner] = Some(by); }
                    }
                    2 => {
                        prop_assert_eq!(grants.withdraw(tuner, by), model[tuner] == Some(by));
                        model[tuner] = model[tuner].filter(|held| *held != by);
                    }
                    3 => if grants.lapse(tuner, by) { model[tuner] = None; },
                    _ => {
                        let mut ended = 0;
                        while grants.end_one_of(by).is_some() { ended += 1; }
                        prop_assert_eq!(ended, model.iter().filter(|held| **held == Some(by)).count());
                        model.iter_mut().for_each(|held| *held = held.filter(|held| *held != by));
                    }
                }
                for by in 0..4 {
                    prop_assert_eq!(grants.has_any_of(by), model.contains(&Some(by)));
                }
            }
        }
    }
}

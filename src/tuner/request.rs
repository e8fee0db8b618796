//! The wish for a tuner that somebody else has to allow: a question, its answer, and the tuner kept for who asked.
//!
//! Owns the rule: one question at a time, no answer is a no, a no is followed by quiet, and a yes is good for a moment
//! and for who asked. Knows no clock, no screen and no people: who asks is a value that can be compared.

use std::time::Duration;

/// A question that nobody answered for so long is refused.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// After a refusal nobody is asked anything for so long: several phones could pester as well as one.
pub const QUIET: Duration = Duration::from_secs(60);
/// Who was allowed has so long to open the stream; then the tuner goes back.
pub const KEPT: Duration = Duration::from_secs(10);
/// The ids of these questions have this bit; those of other questions have it clear.
pub const ID: u32 = 1 << 31;

/// Why there is no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// Another one waits, or its tuner is kept for who asked it.
    Busy,
    /// One was refused lately; there is quiet for so long.
    Quiet(Duration),
}

/// A tuner that was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Which.
    pub receiver: usize,
    /// The question it was.
    pub id: u32,
}

/// What stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stand<W> {
    Nothing,
    /// A question waits for its answer.
    Asked {
        id: u32,
        receiver: usize,
        who: W,
        until: Duration,
    },
    /// The tuner is kept for who asked.
    Kept {
        id: u32,
        receiver: usize,
        who: W,
        until: Duration,
    },
}

/// Wishes of `W`s, at most one at a time.
#[derive(Debug)]
pub struct Requests<W> {
    stand: Stand<W>,
    quiet_until: Duration,
    last: u32,
}

impl<W> Default for Requests<W> {
    fn default() -> Self {
        Self { stand: Stand::Nothing, quiet_until: Duration::ZERO, last: 0 }
    }
}

impl<W: PartialEq> Requests<W> {
    /// `who` asks for tuner `receiver`. Gives the question's id.
    pub fn ask(&mut self, who: W, receiver: usize, now: Duration) -> Result<u32, Unasked> {
        self.settle(now);
        if !matches!(self.stand, Stand::Nothing) {
            return Err(Unasked::Busy);
        }
        let quiet = self.quiet_until.saturating_sub(now);
        if !quiet.is_zero() {
            return Err(Unasked::Quiet(quiet));
        }
        self.last = self.last.wrapping_add(1);
        let id = ID | self.last;
        self.stand = Stand::Asked { id, receiver, who, until: now + PATIENCE };
        Ok(id)
    }

    /// The answer to question `id`; `None` when it does not wait for one any more. A tuner that is allowed is kept.
    pub fn answer(&mut self, id: u32, allow: bool, now: Duration) -> Option<Option<Allowed>> {
        self.settle(now);
        if !self.waits(id) {
            return None;
        }
        match std::mem::replace(&mut self.stand, Stand::Nothing) {
            Stand::Asked { id, receiver, who, .. } if allow => {
                self.stand = Stand::Kept { id, receiver, who, until: now + KEPT };
                Some(Some(Allowed { receiver, id }))
            }
            _ => {
                self.quiet_until = now + QUIET;
                Some(None)
            }
        }
    }

    /// Question `id` was not heard by anybody: as if it had not been asked.
    pub fn unheard(&mut self, id: u32) {
        if self.waits(id) {
            self.stand = Stand::Nothing;
        }
    }

    /// Who asked question `id` does not wait any more: that is as good as refused. `false` where it did not wait.
    pub fn give_up(&mut self, id: u32, now: Duration) -> bool {
        self.answer(id, false, now).is_some()
    }

    /// Question `id` waits for its answer.
    #[must_use]
    pub fn waits(&self, id: u32) -> bool {
        matches!(self.stand, Stand::Asked { id: asked, .. } if asked == id)
    }

    /// The tuner that is kept, and whether it is for `who`.
    #[must_use]
    pub fn kept(&self, who: &W, now: Duration) -> Option<(usize, bool)> {
        match &self.stand {
            Stand::Kept { receiver, who: asker, until, .. } if now < *until => {
                Some((*receiver, asker == who))
            }
            _ => None,
        }
    }

    /// `who` has opened its stream: nothing is kept for it any more.
    pub fn opened(&mut self, who: &W) {
        if matches!(&self.stand, Stand::Kept { who: asker, .. } if asker == who) {
            self.stand = Stand::Nothing;
        }
    }

    /// The tuner is not to be had any more: who allowed it took it back, or left.
    pub fn taken_back(&mut self, receiver: usize) {
        if matches!(&self.stand, Stand::Kept { receiver: kept, .. } if *kept == receiver) {
            self.stand = Stand::Nothing;
        }
    }

    /// A tuner that was kept for somebody who did not come, once.
    pub fn lapsed(&mut self, now: Duration) -> Option<Allowed> {
        match &self.stand {
            Stand::Kept { id, receiver, until, .. } if now >= *until => {
                let allowed = Allowed { receiver: *receiver, id: *id };
                self.stand = Stand::Nothing;
                Some(allowed)
            }
            _ => None,
        }
    }

    /// When [`Requests::lapsed`] has something, unless something else happens before.
    #[must_use]
    pub fn lapses_at(&self) -> Option<Duration> {
        match &self.stand {
            Stand::Kept { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// A question whose time is over was refused then.
    fn settle(&mut self, now: Duration) {
        if let Stand::Asked { until, .. } = &self.stand
            && now >= *until
        {
            self.quiet_until = *until + QUIET;
            self.stand = Stand::Nothing;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_yes_keeps_the_tuner_for_who_asked_and_not_for_long() {
        let mut requests = Requests::default();
        let id = requests.ask('a', 1, T(100)).unwrap();
        assert_eq!(requests.ask('b', 1, T(101)), Err(Unasked::Busy));
        assert_eq!(requests.answer(id ^ 1, true, T(102)), None, "another question");
        assert_eq!(requests.answer(id, true, T(110)), Some(Some(Allowed { receiver: 1, id })));
        assert_eq!(requests.answer(id, true, T(110)), None, "answered once");
        assert_eq!(requests.kept(&'a', T(119)), Some((1, true)));
        assert_eq!(requests.kept(&'b', T(119)), Some((1, false)));
        assert_eq!(requests.ask('b', 1, T(119)), Err(Unasked::Busy));
        assert_eq!((requests.lapsed(T(119)), requests.lapses_at()), (None, Some(T(120))));
        assert_eq!(requests.kept(&'a', T(120)), None);
        assert_eq!(requests.lapsed(T(120)), Some(Allowed { receiver: 1, id }));
        assert_eq!(requests.lapsed(T(120)), None);
        assert!(requests.ask('b', 1, T(120)).is_ok(), "a yes is followed by no quiet");
    }

    #[test]
    fn a_no_and_no_answer_are_followed_by_quiet_for_everybody() {
        let mut requests = Requests::default();
        let id = requests.ask('a', 0, T(100)).unwrap();
        assert_eq!(requests.answer(id, false, T(110)), Some(None));
        for who in ['a', 'b'] {
            assert_eq!(requests.ask(who, 0, T(120)), Err(Unasked::Quiet(T(50))), "{who}");
        }
        let id = requests.ask('b', 0, T(170)).unwrap();
        assert_eq!(requests.answer(id, true, T(200)), None, "30 s are over");
        assert_eq!(requests.ask('b', 0, T(210)), Err(Unasked::Quiet(T(50))), "from when they were over");
        let id = requests.ask('b', 0, T(260)).unwrap();
        assert!(requests.give_up(id, T(261)) && !requests.give_up(id, T(261)));
        assert_eq!(requests.ask('a', 0, T(261)), Err(Unasked::Quiet(QUIET)), "who hangs up pesters, too");
        let id = requests.ask('a', 0, T(321)).unwrap();
        requests.unheard(id);
        assert!(requests.ask('a', 0, T(321)).is_ok(), "who was not heard did not pester");
    }

    proptest! {
        /// Whatever happens in whatever order: at most one question waits, each is answered at most once, a tuner is
        /// kept for nobody but who asked for it, and once time has passed neither question nor tuner is left.
        #[test]
        fn nothing_is_left_behind(steps in proptest::collection::vec((0..8_u8, 0..3_u8, 0..20_u64), 0..80)) {
            let mut requests = Requests::default();
            let (mut now, mut asked, mut refused_at) = (T(100), None, None::<Duration>);
            for (what, who, wait) in steps {
                now += T(wait);
                match what {
                    0..=2 => match requests.ask(who, usize::from(who), now) {
                        Ok(id) => {
                            prop_assert!(id & ID != 0 && requests.waits(id));
                            prop_assert!(refused_at.is_none_or(|at| now >= at + QUIET), "it is quiet");
                            asked = Some((id, who, now));
                        }
                        Err(Unasked::Quiet(left)) => prop_assert!(left <= QUIET && !left.is_zero()),
                        Err(Unasked::Busy) => prop_assert!(asked.is_some()),
                    },
                    3 | 4 => if let Some((id, asker, at)) = asked {
                        let allow = what == 3;
                        if let Some(allowed) = requests.answer(id, allow, now) {
                            prop_assert!(now < at + PATIENCE && requests.answer(id, true, now).is_none());
                            prop_assert_eq!(allowed.is_some(), allow);
                            prop_assert_eq!(requests.kept(&asker, now).is_some(), allow);
                            if !allow { refused_at = Some(now); }
                        }
                    },
                    5 => if let Some((id, ..)) = asked && requests.give_up(id, now) { refused_at = Some(now); },
                    6 => requests.opened(&who),
                    _ => requests.taken_back(usize::from(who)),
                }
                if let Some((receiver, mine)) = requests.kept(&who, now) {
                    let asker = asked.map(|(_, asker, _)| asker);
                    prop_assert_eq!((Some(receiver), mine), (asker.map(usize::from), asker == Some(who)));
                }
            }
            now += PATIENCE + QUIET;
            let _given_back = requests.lapsed(now);
            prop_assert!(requests.ask(9, 0, now).is_ok());
        }
    }
}

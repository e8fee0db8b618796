//! Who gets a tuner: living room, recordings, viewers, scans, in that order.
//!
//! Owns the rule, and nothing else: no device, no clock.

use super::MuxId;

/// How much somebody's wish for a tuner weighs. Higher goes before lower; equals wait or ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(pub i8);

impl Priority {
    /// Who sits before the television.
    pub const LIVING_ROOM: Self = Self(100);
    /// A recording.
    pub const RECORDING: Self = Self(50);
    /// Who watches by phone, and was allowed to take the tuner from others who do.
    pub const ALLOWED: Self = Self(1);
    /// Who watches by phone.
    pub const VIEWER: Self = Self(0);
    /// A scan that somebody asked for.
    pub const SCAN: Self = Self(-50);
    /// A look at a mux for its guide, which nobody asked for.
    pub const SURVEY: Self = Self(-100);

    /// The word for who wishes: `television`, `recording`, `viewers`, `scan` or `guide`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self(100..) => "television",
            Self(50..) => "recording",
            Self(0..) => "viewers",
            Self(-99..) => "scan",
            _ => "guide",
        }
    }
}

const _: () = assert!(
    Priority::LIVING_ROOM.0 == 100
        && Priority::RECORDING.0 == 50
        && Priority::VIEWER.0 == 0
        && Priority::SCAN.0 > -100
        && Priority::SURVEY.0 == -100
);

/// Whose the tuners are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The program that draws the television's screen: the box tunes under its grant alone.
    Ui,
    /// The box.
    Box,
}

impl Owner {
    /// By its name in settings: `ui` or `box`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ui" => Some(Self::Ui),
            "box" => Some(Self::Box),
            _ => None,
        }
    }
}

/// A tuner, as far as the rule needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// It can receive the mux: its systems, its range, its dish; and it did not fail.
    pub can: bool,
    /// The box may tune it: it is the box's, or its owner granted it.
    pub ours: bool,
    /// What it is tuned to, by the box or by the television.
    pub mux: Option<MuxId>,
    /// The most important of those who use what it is tuned to.
    pub users: Option<Priority>,
}

/// What a wish for a mux leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This tuner is tuned to it: it is shared.
    Share(usize),
    /// This tuner is free.
    Tune(usize),
    /// This tuner is used for something that matters less.
    Take(usize),
    /// This tuner can be had if who sits before the television allows it.
    Ask(usize),
    /// None can be had.
    No,
}

/// Who gets which tuner. `can_ask`: somebody is there who can answer for the television.
#[must_use]
pub fn choose(tuners: &[View], mux: MuxId, wish: Priority, can_ask: bool) -> Choice {
    let all = || tuners.iter().enumerate();
    if let Some((i, _)) = all().find(|(_, t)| t.mux == Some(mux)) {
        return Choice::Share(i);
    }
    let ours = || all().filter(|(_, t)| t.can && t.ours);
    // One that is closed, before one that lingers on another mux.
    let free = ours().filter(|(_, t)| t.users.is_none()).min_by_key(|(_, t)| t.mux.is_some());
    if let Some((i, _)) = free {
        return Choice::Tune(i);
    }
    let least = ours().filter(|(_, t)| t.users < Some(wish)).min_by_key(|(_, t)| t.users);
    if let Some((i, _)) = least {
        return Choice::Take(i);
    }
    let asked = all().filter(|(_, t)| t.can && can_ask).min_by_key(|(_, t)| (t.users, t.ours));
    asked.map_or(Choice::No, |(i, _)| Choice::Ask(i))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MuxId = MuxId(0);
    const B: MuxId = MuxId(1);
    const FREE: View = View { can: true, ours: true, mux: None, users: None };

    fn on(mux: MuxId, users: Option<Priority>) -> View {
        View { mux: Some(mux), users, ..FREE }
    }

    #[test]
    fn a_mux_is_shared_before_a_tuner_is_taken() {
        let viewer = Some(Priority::VIEWER);
        assert_eq!(choose(&[FREE, on(A, viewer)], A, Priority::VIEWER, true), Choice::Share(1));
        let passenger = View { ours: false, ..on(A, Some(Priority::LIVING_ROOM)) };
        assert_eq!(choose(&[passenger], A, Priority::SURVEY, false), Choice::Share(0));
        assert_eq!(
            choose(&[on(B, None), FREE], A, Priority::VIEWER, true),
            Choice::Tune(1),
            "the closed one"
        );
        assert_eq!(choose(&[on(B, None)], A, Priority::VIEWER, true), Choice::Tune(0));
    }

    #[test]
    fn who_matters_less_makes_way_and_equals_are_asked_for() {
        let scan = on(B, Some(Priority::SCAN));
        let viewer = on(B, Some(Priority::VIEWER));
        assert_eq!(choose(&[viewer, scan], A, Priority::VIEWER, true), Choice::Take(1));
        assert_eq!(choose(&[viewer], A, Priority::RECORDING, false), Choice::Take(0));
        assert_eq!(choose(&[viewer], A, Priority::VIEWER, true), Choice::Ask(0));
        assert_eq!(choose(&[viewer], A, Priority::VIEWER, false), Choice::No);
        assert_eq!(choose(&[viewer], A, Priority::SCAN, false), Choice::No);
    }

    #[test]
    fn the_television_s_tuner_is_not_touched() {
        let tv = View { ours: false, ..on(B, Some(Priority::LIVING_ROOM)) };
        let off = View { ours: false, ..FREE };
        for t in [tv, off] {
            assert_eq!(choose(&[t], A, Priority::RECORDING, false), Choice::No);
            assert_eq!(choose(&[t], A, Priority::VIEWER, true), Choice::Ask(0));
        }
        assert_eq!(choose(&[View { can: false, ..FREE }], A, Priority::VIEWER, true), Choice::No);
    }
}

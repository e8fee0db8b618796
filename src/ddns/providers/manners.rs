//! When a provider is told something, and when it is left in peace. No I/O, no clock, no randomness of its own.
//!
//! Only a change is told, and all of it again after 25 days; at least 60 s apart. Who is refused for good stops; who is
//! asked to wait waits; anything else is tried again after a time that grows to 30 min and is not the same for any two
//! boxes.

use std::time::Duration;

use super::{Addresses, ProviderState};
use crate::sys::clock;
use crate::tls::TrustedTime;

/// Between two updates, whatever happens.
const APART: Duration = Duration::from_secs(60);
/// What has not changed is told again after this: providers drop names that are silent for 30 days.
const REFRESH: Duration = Duration::from_secs(25 * 86_400);
/// The first and the longest wait after a failure.
const RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1800));
/// An address is gone when it was not there for so long; what comes back sooner was a cable.
const GONE: Duration = Duration::from_secs(600);

/// A point in time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// Of the clock that nobody sets.
    pub(super) boot: Duration,
    /// Since 1970, where it is known.
    pub(super) utc: Option<Duration>,
}

impl Moment {
    pub(super) fn now(time: &TrustedTime) -> Self {
        Self { boot: clock::boot(), utc: time.now() }
    }
}

/// What a protocol can tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub(super) v4: bool,
    pub(super) v6: bool,
    /// It can say that there is no address any more.
    pub(super) withdraws: bool,
}

/// What the provider took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) addresses: Addresses,
    /// Since 1970, where it was known.
    pub(super) utc: Option<Duration>,
}

/// How an update went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The provider has it.
    Done,
    /// It will never have it, unless the owner sets something right.
    Stop(String),
    /// It wants to be left in peace for half an hour.
    Later(String),
    /// It may go well the next time.
    Failed(String),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Tell this now.
    Update(Addresses),
    /// Nothing before this time, if ever, unless addresses change.
    Wait(Option<Duration>),
}

/// One provider's.
pub(super) struct Manners {
    habits: Habits,
    /// What is to be told.
    wanted: Addresses,
    /// Since when an address of `wanted` is not there: IPv4, IPv6.
    missing: [Option<Duration>; 2],
    settled: Option<Settled>,
    /// When that was; the start of this program for what was before.
    settled_at: Duration,
    /// It was in this boot.
    is_fresh: bool,
    attempted: Option<Duration>,
    hold: Hold,
    /// The wait after the last failure.
    pause: Duration,
    why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Free,
    /// Until then; `firm`: whatever changes.
    Until {
        at: Duration,
        firm: bool,
    },
    Stopped,
}

impl Manners {
    /// Begins at `boot` with what the provider took before.
    pub(super) fn new(habits: Habits, settled: Option<Settled>, boot: Duration) -> Self {
        Self {
            habits,
            wanted: Addresses::default(),
            missing: [None; 2],
            settled,
            settled_at: boot,
            is_fresh: false,
            attempted: None,
            hold: Hold::Free,
            pause: RETRY.0,
            why: None,
        }
    }

    /// These are the global addresses now.
    pub(super) fn observe(&mut self, now: Moment, found: Addresses) {
        let [missing4, missing6] = &mut self.missing;
        let wanted = Addresses {
            v4: keep(now.boot, self.wanted.v4, found.v4.filter(|_| self.habits.v4), missing4),
            v6: keep(now.boot, self.wanted.v6, found.v6.filter(|_| self.habits.v6), missing6),
        };
        if wanted != self.wanted && matches!(self.hold, Hold::Until { firm: false, .. }) {
            self.hold = Hold::Free; // another address may be another way
            self.pause = RETRY.0;
        }
        self.wanted = wanted;
    }

    /// What is to be done now.
    pub(super) fn next(&self, now: Moment) -> Step {
        let vanishes = self.missing.iter().flatten().map(|since| *since + GONE).min();
        if self.wanted.is_empty() || self.hold == Hold::Stopped {
            return Step::Wait(vanishes);
        }
        let due = self.due(now);
        let held = if let Hold::Until { at, .. } = self.hold { at } else { Duration::ZERO };
        let apart = self.attempted.map_or(Duration::ZERO, |at| at + APART);
        match due.max(held).max(apart) {
            at if at <= now.boot => Step::Update(self.wanted),
            at => Step::Wait(Some(vanishes.map_or(at, |v| v.min(at)))),
        }
    }

    /// When something is to be told; zero for at once.
    fn due(&self, now: Moment) -> Duration {
        let Some(settled) = self.settled else { return Duration::ZERO };
        let withdraws = self.habits.withdraws;
        let v4 = differs(self.wanted.v4, settled.addresses.v4, withdraws);
        let v6 = differs(self.wanted.v6, settled.addresses.v6, withdraws);
        if v4 || v6 {
            return Duration::ZERO;
        }
        now.boot + REFRESH.saturating_sub(self.age(now).unwrap_or_else(|| now.boot - self.settled_at))
    }

    /// An update with `told` went so. `random` spreads what follows.
    pub(super) fn went(&mut self, now: Moment, told: Addresses, outcome: Outcome, random: u32) {
        self.attempted = Some(now.boot);
        match outcome {
            Outcome::Done => {
                // What could not be withdrawn is still there.
                let before = self.settled.filter(|_| !self.habits.withdraws).map(|s| s.addresses);
                let addresses = told.or(before.unwrap_or_default());
                self.settled = Some(Settled { addresses, utc: now.utc });
                self.settled_at = now.boot;
                self.is_fresh = true;
                self.hold = Hold::Free;
                self.pause = RETRY.0;
                self.why = None;
            }
            Outcome::Stop(why) => {
                self.hold = Hold::Stopped;
                self.why = Some(why);
            }
            Outcome::Later(why) => {
                self.hold = Hold::Until { at: now.boot + RETRY.1, firm: true };
                self.why = Some(why);
            }
            Outcome::Failed(why) => {
                // Decorrelated jitter: from the first wait to three times the last one.
                let span = (self.pause * 3).min(RETRY.1) - RETRY.0;
                self.pause = RETRY.0 + span.mul_f64(f64::from(random) / f64::from(u32::MAX));
                self.hold = Hold::Until { at: now.boot + self.pause, firm: false };
                self.why = Some(why);
            }
        }
    }

    /// What the provider took last.
    pub(super) fn settled(&self) -> Option<Settled> {
        self.settled
    }

    pub(super) fn published(&self) -> Addresses {
        self.settled.map(|s| s.addresses).unwrap_or_default()
    }

    /// How long ago the provider took it, where that is known.
    pub(super) fn age(&self, now: Moment) -> Option<Duration> {
        let settled = self.settled?;
        if self.is_fresh {
            return Some(now.boot.saturating_sub(self.settled_at));
        }
        now.utc?.checked_sub(settled.utc?)
    }

    pub(super) fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    pub(super) fn state(&self, now: Moment) -> ProviderState {
        match self.hold {
            Hold::Stopped => ProviderState::Stopped,
            Hold::Until { at, .. } => ProviderState::Retrying(at.saturating_sub(now.boot)),
            Hold::Free if self.wanted.is_empty() => ProviderState::NoAddress,
            Hold::Free if self.due(now) <= now.boot => ProviderState::Updating,
            Hold::Free => ProviderState::Current,
        }
    }
}

/// What is wanted of one family: what is there, or what was there until it is gone for good.
fn keep<T>(now: Duration, wanted: Option<T>, found: Option<T>, missing: &mut Option<Duration>) -> Option<T> {
    if found.is_some() || wanted.is_none() {
        *missing = None;
        return found;
    }
    let since = *missing.get_or_insert(now);
    if now >= since + GONE {
        *missing = None;
        return None;
    }
    wanted
}

/// What is wanted is not what the provider has.
fn differs<T: PartialEq>(wanted: Option<T>, settled: Option<T>, withdraws: bool) -> bool {
    (wanted.is_some() || withdraws) && wanted != settled
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Habits = Habits { v4: true, v6: true, withdraws: false };
    const START: Duration = Duration::from_secs(1000);

    /// A provider on a clock of ours.
    struct Script {
        manners: Manners,
        now: Moment,
    }

    fn ip(last: u8) -> Addresses {
        Addresses { v4: Some([1, 1, 1, last].into()), v6: None }
    }

    fn six(last: u16) -> Addresses {
        Addresses { v4: None, v6: Some([0x2a00, 0, 0, 0, 0, 0, 0, last].into()) }
    }

    impl Script {
        fn new(habits: Habits, settled: Option<Settled>) -> Self {
            let now = Moment { boot: START, utc: None };
            Self { manners: Manners::new(habits, settled, now.boot), now }
        }

        fn found(&mut self, found: Addresses) -> Step {
            self.manners.observe(self.now, found);
            self.manners.next(self.now)
        }

        fn pass(&mut self, seconds: u64) -> Step {
            let time = Duration::from_secs(seconds);
            self.now.boot += time;
            self.now.utc = self.now.utc.map(|utc| utc + time);
            self.manners.next(self.now)
        }

        fn went(&mut self, told: Addresses, outcome: Outcome, random: u32) -> Step {
            self.manners.went(self.now, told, outcome, random);
            self.manners.next(self.now)
        }

        /// Seconds until the next step.
        fn wait(&self) -> Option<u64> {
            match self.manners.next(self.now) {
                Step::Wait(at) => at.map(|at| (at - self.now.boot).as_secs()),
                Step::Update(_) => Some(0),
            }
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed("x".into())
    }

    #[test]
    fn only_a_change_is_told_a_minute_apart_and_all_again_after_25_days() {
        let mut s = Script::new(BOTH, None);
        assert_eq!(s.found(Addresses::default()), Step::Wait(None));
        assert_eq!(s.manners.state(s.now), ProviderState::NoAddress);
        assert_eq!(s.found(ip(1)), Step::Update(ip(1)));
        s.went(ip(1), Outcome::Done, 0);
        assert_eq!((s.wait(), s.manners.state(s.now)), (Some(25 * 86_400), ProviderState::Current));
        s.pass(10);
        s.found(ip(2));
        assert_eq!((s.wait(), s.manners.state(s.now)), (Some(50), ProviderState::Updating));
        assert_eq!(s.pass(50), Step::Update(ip(2)));
        s.went(ip(2), Outcome::Done, 0);
        assert_eq!(s.pass(25 * 86_400 - 1), Step::Wait(Some(s.now.boot + Duration::from_secs(1))));
        assert_eq!(s.pass(1), Step::Update(ip(2)));
    }

    #[test]
    fn a_reboot_tells_nothing_that_is_known() {
        let utc = Duration::from_secs(1_800_000_000);
        let settled = Settled { addresses: ip(1), utc: Some(utc) };
        let mut s = Script::new(BOTH, Some(settled));
        s.found(ip(1));
        assert_eq!(s.wait(), Some(25 * 86_400), "without a clock the days count from the start");
        assert_eq!(s.manners.age(s.now), None);
        s.now.utc = Some(utc + Duration::from_secs(20 * 86_400));
        assert_eq!(s.wait(), Some(5 * 86_400));
        s.now.utc = Some(utc - Duration::from_secs(1));
        assert_eq!(s.wait(), Some(25 * 86_400), "a record of the future says nothing");
        assert_eq!(s.found(ip(2)), Step::Update(ip(2)));
    }

    #[test]
    fn who_is_refused_stops_and_who_is_sent_away_stays_away() {
        let mut s = Script::new(BOTH, None);
        s.found(ip(1));
        s.went(ip(1), Outcome::Later("911".into()), 0);
        s.pass(1799);
        assert_ne!(s.found(ip(2)), Step::Update(ip(2)), "whatever changes");
        assert_eq!(s.pass(1), Step::Update(ip(2)));
        s.went(ip(2), Outcome::Stop("badauth".into()), 0);
        assert_eq!(s.pass(100 * 86_400), Step::Wait(None));
        assert_eq!(s.found(ip(3)), Step::Wait(None));
        assert_eq!((s.manners.state(s.now), s.manners.why()), (ProviderState::Stopped, Some("badauth")));
    }

    #[test]
    fn failures_are_repeated_ever_more_seldom_and_by_chance() {
        let mut s = Script::new(BOTH, None);
        s.found(ip(1));
        let mut waits = Vec::new();
        for _ in 0..6 {
            s.went(ip(1), failed(), u32::MAX);
            let wait = s.wait().unwrap();
            waits.push(wait);
            assert_eq!(s.pass(wait), Step::Update(ip(1)));
        }
        assert_eq!(waits, [90, 270, 810, 1800, 1800, 1800]);
        s.went(ip(1), failed(), 0);
        assert_eq!(s.wait(), Some(60), "30 s by chance, a minute by manners");
        s.went(ip(1), failed(), u32::MAX / 2);
        assert_eq!(s.wait(), Some(60), "30 s to 90 s from there");
        for _ in 0..4 {
            s.went(ip(1), failed(), u32::MAX);
        }
        assert_eq!(s.wait(), Some(1800));
        s.found(ip(2));
        assert_eq!(s.wait(), Some(60), "another address is another attempt");
    }

    #[test]
    fn an_address_that_is_gone_is_withdrawn_where_that_can_be_said() {
        let both = ip(1).or(six(1));
        let mut s = Script::new(Habits { withdraws: true, ..BOTH }, None);
        assert_eq!(s.found(both), Step::Update(both));
        s.went(both, Outcome::Done, 0);
        s.pass(100);
        s.found(six(1));
        assert_eq!(s.wait(), Some(600), "it may come back");
        s.pass(599);
        s.found(six(1));
        assert_eq!(s.wait(), Some(1));
        s.pass(1);
        assert_eq!(s.found(six(1)), Step::Update(six(1)));
        s.went(six(1), Outcome::Done, 0);
        assert_eq!(s.manners.published(), six(1));

        let mut s = Script::new(BOTH, None);
        s.found(both);
        s.went(both, Outcome::Done, 0);
        s.found(six(1));
        s.pass(700);
        assert_ne!(s.found(six(1)), Step::Update(six(1)));
        assert_eq!(s.found(six(2)), Step::Update(six(2)));
        s.went(six(2), Outcome::Done, 0);
        assert_eq!(s.manners.published(), ip(1).or(six(2)));
    }

    #[test]
    fn a_family_that_is_not_told_changes_nothing() {
        let mut s = Script::new(Habits { v6: false, ..BOTH }, None);
        assert_eq!(s.found(six(1)), Step::Wait(None));
        assert_eq!(s.found(ip(1).or(six(1))), Step::Update(ip(1)));
    }
}

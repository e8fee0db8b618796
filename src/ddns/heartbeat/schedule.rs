//! When a beat is due, and by which way.

use std::time::Duration;

use super::Start;

/// The interval until the service says another.
const INTERVAL: Duration = Duration::from_secs(60);
/// What the service may say, in seconds.
const INTERVAL_S: std::ops::RangeInclusive<u16> = 60..=3600;
/// The waits before the repetitions of a beat.
const AGAIN: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// The wait after the last repetition before HTTPS is tried, where nothing came back since the network changed.
const LAST: Duration = Duration::from_secs(16);
/// After so many rounds without an answer UDP is taken not to come through.
const MISSED: u32 = 3;
/// While HTTPS works, every so many rounds UDP is tried.
const PROBE: u32 = 10;
/// Cookies that are sent back in a round.
const ECHOES: u8 = 2;
/// The longest interval while nothing comes through.
const INTERVAL_MOST: Duration = Duration::from_secs(300);
/// The waits between tries by HTTPS while it fails.
const HTTPS_LEAST: Duration = Duration::from_secs(60);
const HTTPS_MOST: Duration = Duration::from_secs(1800);
/// Changes of the network are told after this, so that several are one.
const DEBOUNCE: Duration = Duration::from_secs(3);
/// The same while changes do not end.
const DEBOUNCE_MOST: Duration = Duration::from_secs(60);
/// Without a change for so long, the next is told quickly again.
const CALM: Duration = Duration::from_secs(120);

/// Where jitter comes from (SplitMix64): no secret depends on it.
pub(super) struct Jitter(pub(super) u64);

impl Jitter {
    /// Evenly from zero to `most`.
    fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        most.mul_f64(((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// `time`, up to a tenth more or less.
    fn around(&mut self, time: Duration) -> Duration {
        time * 9 / 10 + self.up_to(time / 5)
    }
}

/// What is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// A new round begins.
    pub(super) begins: bool,
    /// A beat by UDP.
    pub(super) send: bool,
    /// A beat by HTTPS.
    pub(super) post: bool,
    /// The service's next address is to be tried.
    pub(super) other_address: bool,
    /// UDP is taken not to come through.
    pub(super) gives_up: bool,
}

/// The rounds, and what came back.
pub(super) struct Rounds {
    jitter: Jitter,
    interval: Duration,
    /// The next round.
    next: Duration,
    /// The next repetition in this round.
    again: Option<Duration>,
    tries: usize,
    echoes: u8,
    /// The round's beat was answered, or there was none.
    answered: bool,
    /// Rounds in a row without an answer by UDP.
    missed: u32,
    /// Something came back by UDP since the network changed.
    heard: bool,
    count: u32,
    https: Https,
    /// When the last change of the network is told.
    change: Option<Duration>,
    changed: Option<Duration>,
    debounce: Duration,
}

#[derive(Default)]
struct Https {
    works: bool,
    /// No sooner.
    after: Duration,
    wait: Duration,
}

impl Rounds {
    pub(super) fn new(start: Start, mut jitter: Jitter, now: Duration) -> Self {
        let next = match start {
            Start::New => now,
            Start::Again => now + jitter.up_to(INTERVAL),
        };
        Self {
            jitter,
            interval: INTERVAL,
            next,
            again: None,
            tries: 0,
            echoes: 0,
            answered: true,
            missed: 0,
            heard: false,
            count: 0,
            https: Https::default(),
            change: None,
            changed: None,
            debounce: DEBOUNCE,
        }
    }

    /// When something is due.
    pub(super) fn wake_at(&self) -> Duration {
        [self.again, self.change].into_iter().flatten().fold(self.next, Duration::min)
    }

    /// What is due, once.
    pub(super) fn take_due(&mut self, now: Duration) -> Due {
        let change = self.change.take_if(|at| *at <= now).is_some();
        if change || self.next <= now {
            return self.begin(now, change);
        }
        if self.again.take_if(|at| *at <= now).is_some() { self.repeat(now) } else { Due::default() }
    }

    /// A round begins.
    fn begin(&mut self, now: Duration, change: bool) -> Due {
        let unanswered = !self.answered && !change;
        if unanswered {
            self.missed = self.missed.saturating_add(1);
        }
        self.count = self.count.wrapping_add(1);
        (self.tries, self.echoes, self.answered) = (0, 0, false);
        let is_cut = self.missed >= MISSED;
        let send = !is_cut || !self.https.works || self.count.is_multiple_of(PROBE);
        self.again = (!is_cut).then(|| now + AGAIN[0]);
        let waits = if is_cut && !self.https.works { self.missed - MISSED } else { 0 };
        let most = self.interval.max(INTERVAL_MOST);
        let interval = self.interval.saturating_mul(1 << waits.min(8)).min(most);
        self.next = now + self.jitter.around(interval);
        let post = is_cut && self.https.after <= now;
        Due { begins: true, send, post, other_address: unanswered, gives_up: is_cut }
    }

    /// Nothing came back yet in this round.
    fn repeat(&mut self, now: Duration) -> Due {
        self.tries += 1;
        if let Some(wait) = AGAIN.get(self.tries) {
            self.again = Some(now + *wait);
        } else if self.tries == AGAIN.len() {
            self.again = (!self.heard).then_some(now + LAST);
        } else {
            // In a network that UDP never came through, nobody waits for three intervals.
            self.missed = MISSED;
            let post = self.https.after <= now;
            return Due { post, gives_up: true, ..Due::default() };
        }
        Due { send: true, other_address: self.tries == 2, ..Due::default() }
    }

    /// A cookie may be sent back now.
    pub(super) fn may_echo(&mut self, now: Duration) -> bool {
        if self.echoes >= ECHOES {
            return false;
        }
        self.echoes += 1;
        if self.again.is_some() {
            (self.tries, self.again) = (0, Some(now + AGAIN[0]));
        }
        true
    }

    pub(super) fn answered_by_udp(&mut self, now: Duration, next_s: u16) {
        (self.missed, self.heard, self.https) = (0, true, Https::default());
        self.answered(now, next_s);
    }

    pub(super) fn answered_by_https(&mut self, now: Duration, next_s: u16) {
        self.https = Https { works: true, ..Https::default() };
        self.answered(now, next_s);
    }

    fn answered(&mut self, now: Duration, next_s: u16) {
        (self.answered, self.again) = (true, None);
        let seconds = next_s.clamp(*INTERVAL_S.start(), *INTERVAL_S.end());
        self.interval = Duration::from_secs(seconds.into());
        self.next = now + self.jitter.around(self.interval);
    }

    /// Tries come ever more seldom (decorrelated jitter).
    pub(super) fn https_failed(&mut self, now: Duration) {
        let before = self.https.wait.max(HTTPS_LEAST);
        let wait = HTTPS_LEAST + self.jitter.up_to((before * 3).saturating_sub(HTTPS_LEAST));
        let wait = wait.min(HTTPS_MOST);
        self.https = Https { works: false, after: now + wait, wait };
    }

    pub(super) fn https_works(&self) -> bool {
        self.https.works
    }

    /// UDP comes through, as far as is known.
    pub(super) fn udp_works(&self) -> bool {
        self.heard && self.missed < MISSED
    }

    /// What was known of the ways to the service is no more.
    pub(super) fn network_changed(&mut self, now: Duration) {
        let is_calm = self.changed.is_none_or(|at| now >= at + CALM);
        self.debounce = if is_calm { DEBOUNCE } else { (self.debounce * 2).min(DEBOUNCE_MOST) };
        self.changed = Some(now);
        self.change.get_or_insert(now + self.debounce);
        (self.missed, self.heard, self.https) = (0, false, Https::default());
    }
}

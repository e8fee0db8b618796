//! The parental lock: above which age what is on asks for a PIN, and which terminals said it lately.
//!
//! On flash (record `parental`, sealed like keys): `format u8 = 1 | age Option<u8> | pin Option<(salt 16 bytes, hash 32
//! bytes)> | count u8 | (slot u8, generation u16, wrong u8, seconds left u16) each`. Of a pause what is left is kept,
//! so that neither a restart nor a boot clock that starts anew shortens it. What was unlocked is not kept.

use std::num::NonZeroU32;
use std::time::Duration;

use heapless::Vec;
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};

use super::{Access, Caller, Holder, Record, SLOTS};
use crate::sys::random;

/// How long a terminal that said the PIN is let see everything.
pub const UNLOCKED: Duration = Duration::from_secs(4 * 3600);
/// The ages that broadcasts name: a value of 1 to 15 and three (EN 300 468 §6.2.28).
const AGES: std::ops::RangeInclusive<u8> = 3..=18;
/// Digits of a PIN.
const DIGITS: std::ops::RangeInclusive<usize> = 4..=8;
/// Wrong PINs of a terminal in a row without a pause.
const TRIES: u8 = 5;
/// Behind each further one. Four digits take a child at one terminal 52 days on average.
const PAUSE: Duration = Duration::from_secs(15 * 60);
/// Of the hash. A PIN has too few digits for any number to keep who has the record from trying all; what keeps the
/// record from others is its seal, so this is for show alone and costs a millisecond.
const ROUNDS: NonZeroU32 = NonZeroU32::new(1000).unwrap();

/// What this program writes and reads.
const FORMAT: u8 = 1;
/// The oldest format that is read, and the newest.
pub const PARENTAL_FORMATS: (u8, u8) = (FORMAT, FORMAT);
/// Bytes of the longest record: what stands before, and at most eight for each slot.
const RECORD_MAX: usize = 64 + SLOTS * 8;

/// A salt and the hash of a PIN.
type Hashed = ([u8; 16], [u8; 32]);

/// The lock. It knows no clock: `now` is of one that never goes back while the process lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parental {
    age: Option<u8>,
    pin: Option<Hashed>,
    /// Terminals that said a wrong PIN last.
    wrong: Vec<Wrong, SLOTS>,
    /// Terminals that said the right one: slot, generation, until when.
    unlocked: Vec<(u8, u16, Duration), SLOTS>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    slot: u8,
    generation: u16,
    /// How often in a row.
    times: u8,
    /// It is not heard before.
    until: Duration,
}

/// Why a lock is not set so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLock {
    /// The age is none that broadcasts name.
    Age,
    /// The PIN is not of four to eight digits.
    Pin,
    /// A lock needs a PIN, and there is none.
    Needed,
    /// The kernel has no randomness for a salt.
    NoRandomness,
}

/// Why a PIN unlocks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// It is another one.
    Wrong,
    /// It was guessed too often: it is not heard for so long.
    Pause(Duration),
}

/// What a terminal is told of the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockState {
    /// What is rated above this age is locked; `None`: nothing is.
    pub age: Option<u8>,
    /// There is a PIN.
    pub has_pin: bool,
    /// How long the terminal that asks may still see everything.
    pub unlocked: Duration,
}

impl Parental {
    fn set(&mut self, age: Option<u8>, pin: Option<&str>) -> Result<(), NoLock> {
        if age.is_some_and(|age| !AGES.contains(&age)) {
            return Err(NoLock::Age);
        }
        let pin = match pin {
            Some(pin) if !is_pin(pin) => return Err(NoLock::Pin),
            Some(pin) => Some(hashed(pin)?),
            None => self.pin,
        };
        if age.is_some() && pin.is_none() {
            return Err(NoLock::Needed);
        }
        *self = Self { age, pin, ..Self::default() };
        Ok(())
    }

    /// Takes a PIN of a terminal.
    fn unlock(&mut self, (slot, generation): (u8, u16), pin: &str, now: Duration) -> Result<(), Locked> {
        let of = |w: &Wrong| w.slot == slot && w.generation == generation;
        let before = self.wrong.iter().find(|w| of(w));
        if let Some(left) = before.map(|w| w.until.saturating_sub(now)).filter(|left| !left.is_zero()) {
            return Err(Locked::Pause(left));
        }
        let times = before.map_or(0, |w| w.times);
        // An earlier terminal of the same slot makes room, too.
        self.wrong.retain(|w| w.slot != slot);
        self.unlocked.retain(|(s, ..)| *s != slot);
        let right = self.pin.is_some_and(|(salt, hash)| {
            pbkdf2::verify(PBKDF2_HMAC_SHA256, ROUNDS, &salt, pin.as_bytes(), &hash).is_ok()
        });
        if right {
            let _room = self.unlocked.push((slot, generation, now + UNLOCKED));
            return Ok(());
        }
        let times = times.saturating_add(1);
        let until = if times >= TRIES { now + PAUSE } else { now };
        let _room = self.wrong.push(Wrong { slot, generation, times, until });
        Err(Locked::Wrong)
    }

    /// How long that terminal may still see everything.
    fn unlocked(&self, slot: u8, generation: u16, now: Duration) -> Duration {
        let of = |(s, g, _): &&(u8, u16, Duration)| *s == slot && *g == generation;
        self.unlocked.iter().find(of).map_or(Duration::ZERO, |(.., until)| until.saturating_sub(now))
    }

    /// As bytes.
    fn record(&self, now: Duration) -> std::vec::Vec<u8> {
        let left = |w: &Wrong| {
            let left = w.until.saturating_sub(now);
            // Rounded up, so that saving and loading shortens nothing.
            u16::try_from(left.as_secs() + u64::from(left.subsec_nanos() > 0)).unwrap_or(u16::MAX)
        };
        let wrong: Vec<Line, SLOTS> =
            self.wrong.iter().map(|w| (w.slot, w.generation, w.times, left(w))).collect();
        let mut bytes = vec![0; RECORD_MAX];
        let length =
            postcard::to_slice(&(FORMAT, self.age, self.pin, wrong), &mut bytes).map_or(0, |b| b.len());
        bytes.truncate(length);
        bytes
    }

    /// From a record; `Err` with the format where it is of a newer program, or with 0 where it is damaged.
    pub(super) fn read(record: &[u8], now: Duration) -> Result<Self, u8> {
        let format = record.first().copied().unwrap_or(0);
        if format > FORMAT {
            return Err(format);
        }
        let whole = postcard::take_from_bytes::<(u8, Option<u8>, Option<Hashed>, Vec<Line, SLOTS>)>(record);
        let ((_, age, pin, lines), rest) = whole.map_err(|_| 0)?;
        let mut wrong: Vec<Wrong, SLOTS> = Vec::new();
        for (slot, generation, times, left) in lines {
            let until = now + Duration::from_secs(left.into());
            let known = wrong.iter().any(|w| w.slot == slot);
            if known || usize::from(slot) >= SLOTS || until > now + PAUSE {
                return Err(0);
            }
            let _room = wrong.push(Wrong { slot, generation, times, until });
        }
        let sound = age.is_none_or(|age| AGES.contains(&age) && pin.is_some());
        let lock = Self { age, pin, wrong, unlocked: Vec::new() };
        if rest.is_empty() && format == FORMAT && sound { Ok(lock) } else { Err(0) }
    }
}

/// Slot, generation, wrong ones in a row, seconds left of a pause.
type Line = (u8, u16, u8, u16);

fn is_pin(pin: &str) -> bool {
    DIGITS.contains(&pin.len()) && pin.bytes().all(|b| b.is_ascii_digit())
}

fn hashed(pin: &str) -> Result<Hashed, NoLock> {
    let (mut salt, mut hash) = ([0; 16], [0; 32]);
    random::fill(&mut salt).map_err(|_| NoLock::NoRandomness)?;
    pbkdf2::derive(PBKDF2_HMAC_SHA256, ROUNDS, &salt, pin.as_bytes(), &mut hash);
    Ok((salt, hash))
}

impl Access {
    /// What `caller` is told of the lock.
    #[must_use]
    pub fn lock_state(&self, caller: &Caller, now: Duration) -> LockState {
        let lock = self.parental.borrow();
        let unlocked = lock.unlocked(caller.slot, caller.generation, now);
        LockState { age: lock.age, has_pin: lock.pin.is_some(), unlocked }
    }

    /// What is rated above `age` is locked from now on for everybody; a `pin` takes the place of the one before. It is
    /// on flash when this returns. The inner error is for who asked.
    pub async fn set_lock(
        &self,
        age: Option<u8>,
        pin: Option<&str>,
        now: Duration,
    ) -> std::io::Result<Result<(), NoLock>> {
        let set = self.parental.borrow_mut().set(age, pin);
        if set.is_ok() {
            self.save_lock(now).await?;
        }
        Ok(set)
    }

    /// Lets the caller's terminal, and the links that it hands out, see everything for a while. A wrong PIN is counted
    /// on flash before it is answered.
    pub async fn unlock(&self, caller: &Caller, pin: &str, now: Duration) -> Result<(), Locked> {
        let tried = self.parental.borrow_mut().unlock((caller.slot, caller.generation), pin, now);
        if tried == Err(Locked::Wrong)
            && let Err(e) = self.save_lock(now).await
        {
            log::warn!("parental lock: {e}"); // it is counted as long as the box runs
        }
        tried
    }

    /// What is rated for `age` is locked for `holder`.
    #[must_use]
    pub fn is_locked(&self, holder: Holder, age: Option<u8>, now: Duration) -> bool {
        let lock = self.parental.borrow();
        let above = lock.age.zip(age).is_some_and(|(most, age)| age > most);
        above && lock.unlocked(holder.slot, holder.generation, now).is_zero()
    }

    /// There is a lock.
    #[must_use]
    pub fn has_lock(&self) -> bool {
        self.parental.borrow().age.is_some()
    }

    async fn save_lock(&self, now: Duration) -> std::io::Result<()> {
        let sealed = self.keys.borrow().seal(self.parental.borrow().record(now))?;
        self.flash.saved(Record::Parental, sealed).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(u64) -> Duration = Duration::from_secs;
    const CHILD: (u8, u16) = (3, 7);

    fn set() -> Parental {
        let mut lock = Parental::default();
        lock.set(Some(12), Some("2468")).unwrap();
        lock
    }

    #[test]
    fn a_lock_has_an_age_and_a_pin() {
        let mut lock = Parental::default();
        assert_eq!(lock.set(Some(12), None), Err(NoLock::Needed));
        for bad in ["", "123", "123456789", "12e4", "１２３４"] {
            assert_eq!(lock.set(Some(12), Some(bad)), Err(NoLock::Pin), "{bad}");
        }
        for bad in [0, 2, 19, 255] {
            assert_eq!(lock.set(Some(bad), Some("1234")), Err(NoLock::Age), "{bad}");
        }
        assert_eq!(lock, Parental::default(), "and nothing is set by halves");
        let (first, second) = (set(), set());
        assert!(first.pin != second.pin, "salted");
        let mut lock = first.clone();
        assert_eq!(lock.unlock(CHILD, "2468", T(0)), Ok(()));
        assert_eq!(lock.set(None, None), Ok(()));
        assert_eq!((lock.pin, lock.age, lock.unlocked(3, 7, T(1)).is_zero()), (first.pin, None, true));
    }

    #[test]
    fn the_pin_unlocks_one_terminal_for_a_while() {
        let mut lock = set();
        assert_eq!(lock.unlock(CHILD, "2468", T(10)), Ok(()));
        assert_eq!(lock.unlocked(3, 7, T(10)), UNLOCKED);
        assert_eq!(lock.unlocked(3, 7, T(10) + UNLOCKED), Duration::ZERO);
        assert!(lock.unlocked(4, 7, T(10)).is_zero() && lock.unlocked(3, 8, T(10)).is_zero());
        assert_eq!(Parental::default().unlock(CHILD, "", T(0)), Err(Locked::Wrong), "there is none");
    }

    #[test]
    fn five_guesses_then_one_in_each_quarter_of_an_hour_also_across_restarts() {
        let mut lock = set();
        for n in 0..5 {
            assert_eq!(lock.unlock(CHILD, "0000", T(n)), Err(Locked::Wrong));
        }
        assert_eq!(
            lock.unlock(CHILD, "2468", T(5)),
            Err(Locked::Pause(PAUSE - T(1))),
            "not even the right one"
        );
        assert_eq!(lock.unlock((4, 1), "2468", T(5)), Ok(()), "another terminal");
        // The boot clock begins anew.
        let mut lock = Parental::read(&lock.record(T(104)), T(0)).unwrap();
        assert_eq!(lock.unlock(CHILD, "2468", T(799)), Err(Locked::Pause(T(1))));
        assert_eq!(lock.unlock(CHILD, "0001", T(800)), Err(Locked::Wrong));
        assert_eq!(lock.unlock(CHILD, "2468", T(801)), Err(Locked::Pause(PAUSE - T(1))));
        assert_eq!(lock.unlock((3, 8), "0000", T(801)), Err(Locked::Wrong), "who was let in there later");
        let mut lock = Parental::read(&set().record(T(0)), T(0)).unwrap();
        (0..4).for_each(|_| assert_eq!(lock.unlock(CHILD, "0000", T(0)), Err(Locked::Wrong)));
        assert_eq!(lock.unlock(CHILD, "2468", T(0)), Ok(()));
        assert_eq!(lock.unlock(CHILD, "0000", T(0)), Err(Locked::Wrong), "they are counted anew");
        assert!(lock.unlocked(3, 7, T(0)).is_zero(), "and who says a wrong one has locked itself out");
    }

    #[test]
    fn a_record_is_read_or_refused() {
        let mut lock = set();
        for slot in 0..32 {
            (0..5).for_each(|_| _ = lock.unlock((slot, u16::MAX), "0000", T(9)));
        }
        let record = lock.record(T(9));
        assert!(record.len() > 200 && record.len() <= RECORD_MAX, "{}", record.len());
        assert_eq!(Parental::read(&record, T(9)), Ok(lock));
        for end in 0..record.len() {
            assert_eq!(Parental::read(&record[..end], T(0)), Err(0), "{end}");
        }
        assert_eq!(Parental::read(&[&record[..], &[0]].concat(), T(0)), Err(0));
        assert_eq!(Parental::read(&[2, 0, 0, 0], T(0)), Err(2));
        assert_eq!(Parental::read(&[1, 1, 12, 0, 0], T(0)), Err(0), "a lock without a PIN");
        assert_eq!(Parental::read(&[1, 0, 0, 0], T(0)), Ok(Parental::default()));
        assert_eq!(Parental::read(&[1, 0, 0, 1, 3, 7, 5, 0x85, 7], T(0)), Err(0), "901 s left");
        assert!(Parental::read(&[1, 0, 0, 1, 3, 7, 5, 0x84, 7], T(0)).is_ok());
        assert_eq!(Parental::read(&[1, 0, 0, 1, 32, 7, 5, 0, 0], T(0)), Err(0), "no such slot");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(rest in proptest::collection::vec(proptest::num::u8::ANY, 0..90)) {
            let record = [&[1][..], &rest].concat();
            if let Ok(lock) = Parental::read(&record, T(5)) {
                proptest::prop_assert_eq!(Parental::read(&lock.record(T(5)), T(5)), Ok(lock));
            }
        }
    }
}

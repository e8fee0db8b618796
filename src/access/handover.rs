//! One-use codes that take a terminal's slot to another browser, origin or home-screen app.

use std::time::Duration;

use subtle::ConstantTimeEq;

use crate::sys::random;

/// Bytes of a code.
pub const CODE: usize = 16;
/// A code lives so long.
pub const CODE_TTL: Duration = Duration::from_secs(600);
/// Codes that wait at one time.
const CODES: usize = 16;
/// Codes of one slot that wait at one time; a new one replaces the oldest.
const CODES_OF_SLOT: usize = 2;

struct Waiting {
    code: [u8; CODE],
    slot: u8,
    generation: u16,
    until: Duration,
}

/// The codes that wait to be redeemed.
#[derive(Default)]
pub(super) struct Handovers(heapless::Vec<Waiting, CODES>);

/// Why there is no code.
#[derive(Debug)]
pub enum NoCode {
    /// Too many wait already.
    Full(usize),
    /// The kernel has no randomness yet.
    NoEntropy(std::io::Error),
}

impl Handovers {
    /// A new code for `slot` at `generation`.
    pub(super) fn make(&mut self, slot: u8, generation: u16, now: Duration) -> Result<[u8; CODE], NoCode> {
        self.0.retain(|w| now < w.until);
        let mut of_slot = self.0.iter().enumerate().filter(|(_, w)| w.slot == slot).map(|(i, _)| i);
        if let (Some(oldest), CODES_OF_SLOT..) = (of_slot.next(), 1 + of_slot.count()) {
            self.0.remove(oldest);
        }
        let mut code = [0; CODE];
        random::fill(&mut code).map_err(NoCode::NoEntropy)?;
        let waiting = Waiting { code, slot, generation, until: now + CODE_TTL };
        self.0.push(waiting).map_err(|_| NoCode::Full(CODES))?;
        Ok(code)
    }

    /// The slot and generation that `code` is for; it is spent. Every waiting code is compared, whole.
    pub(super) fn redeem(&mut self, code: &[u8; CODE], now: Duration) -> Option<(u8, u16)> {
        let mut found = None;
        for (i, waiting) in self.0.iter().enumerate() {
            if bool::from(waiting.code.ct_eq(code)) {
                found = Some(i);
            }
        }
        let waiting = self.0.remove(found?);
        (now < waiting.until).then_some((waiting.slot, waiting.generation))
    }

    /// Forgets all codes of a slot, or all.
    pub(super) fn forget(&mut self, slot: Option<u8>) {
        self.0.retain(|w| slot.is_some_and(|slot| w.slot != slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_code_is_for_one_use_and_ten_minutes() {
        let mut codes = Handovers::default();
        let code = codes.make(3, 9, T(0)).unwrap();
        assert_eq!(codes.redeem(&[0; CODE], T(1)), None);
        assert_eq!(codes.redeem(&code, T(599)), Some((3, 9)));
        assert_eq!(codes.redeem(&code, T(599)), None, "spent");
        let code = codes.make(3, 9, T(0)).unwrap();
        assert_eq!(codes.redeem(&code, T(600)), None, "late");
    }

    #[test]
    fn a_slot_has_two_codes_and_all_slots_have_sixteen() {
        let mut codes = Handovers::default();
        let [first, second, third] = [0, 1, 2].map(|t| codes.make(1, 1, T(t)).unwrap());
        assert_eq!(codes.redeem(&first, T(3)), None);
        assert_eq!(codes.redeem(&second, T(3)), Some((1, 1)));
        for slot in 2..17 {
            codes.make(slot, 1, T(3)).unwrap();
        }
        assert!(matches!(codes.make(20, 1, T(4)), Err(NoCode::Full(16))));
        assert!(codes.make(20, 1, T(700)).is_ok(), "the old ones are over");
        codes.forget(Some(1));
        assert_eq!(codes.redeem(&third, T(5)), None);
    }
}

//! What ends with time: leases, moves, rests, claims. A few entries at each tick, so that no answer waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::record::{Key, Record};
use super::table::flag;
use super::{Now, Registrar, Slot};
use crate::registration::BoxId;

/// Seconds without a beat after which a name leads nowhere.
const LEASE_S: u32 = 600;
/// Likewise of a name that another front end hears, which writes it down once a day.
const LEASE_ELSEWHERE_S: u32 = 2 * DAY_S;
/// Seconds without a beat after which a claim ends.
const CLAIM_S: u32 = 400 * DAY_S;
/// How long one walk over all entries takes.
const ROUND: Duration = Duration::from_secs(8);
/// Entries of which one tick reads the time at most: some 100 µs.
const STEPS_MAX: usize = 65_536;
/// Entries at which one tick looks closely at most.
const LOOKS_MAX: usize = 256;
const DAY_S: u32 = 86_400;
/// The service can have been off this long before its clock is doubted.
const OFF_MAX_S: u32 = 60 * DAY_S;

/// Where the walk is, and how long leases are.
pub(super) struct Sweep {
    at: usize,
    last: Duration,
    next_s: u16,
    /// The former `next_s`, which boxes still keep until the second behind it.
    slower: (u16, u32),
    newest_used: u32,
    pub(super) is_clock_doubted: bool,
    pub(super) former: BinaryHeap<Reverse<(u32, u64)>>,
}

impl Sweep {
    pub(super) fn new(next_s: u16) -> Self {
        Self {
            at: 0,
            last: Duration::ZERO,
            next_s: next_s.clamp(60, 3600),
            slower: (0, 0),
            newest_used: 0,
            is_clock_doubted: false,
            former: BinaryHeap::new(),
        }
    }

    pub(super) const fn next_s(&self) -> u16 {
        self.next_s
    }

    /// Seconds without a beat after which a name leads nowhere: three beats, too.
    pub(super) fn lease_s(&self, second: u32) -> u32 {
        let slower = if second < self.slower.1 { self.slower.0 } else { 0 };
        LEASE_S.max(3 * u32::from(self.next_s.max(slower)))
    }

    pub(super) fn loaded(&mut self, used: u32) {
        self.newest_used = self.newest_used.max(used);
    }

    /// The clock is doubted when it is far from the newest record. Then no claim ends.
    pub(super) fn judge_clock(&mut self, now: Now) -> bool {
        self.is_clock_doubted = self.newest_used != 0 && now.utc_s().abs_diff(self.newest_used) > OFF_MAX_S;
        !self.is_clock_doubted
    }
}

impl Registrar {
    /// Ends what is over. To be called some ten times a second; each call does little.
    pub fn tick(&mut self, now: Now) {
        let elapsed = now.monotonic.saturating_sub(self.sweep.last).min(ROUND);
        self.sweep.last = now.monotonic;
        self.now = now;
        let slots = self.table.slots();
        let share = slots as u128 * elapsed.as_millis() / ROUND.as_millis();
        let steps = usize::try_from(share).unwrap_or(slots).saturating_add(1).min(STEPS_MAX).min(slots);
        let (second, mut looks) = (now.second(), 0);
        for _ in 0..steps {
            let at = if self.sweep.at < slots { self.sweep.at } else { 0 };
            self.sweep.at = at + 1;
            let Ok(slot) = Slot::try_from(at) else { break };
            if self.table.due[at] <= second && self.table.is_taken(slot) {
                self.look(now, slot);
                looks += 1;
                if looks == LOOKS_MAX {
                    break;
                }
            }
        }
        self.forget_former(now);
    }

    /// Seconds between beats from now on: 60 to 3600. Boxes learn of it at their next beat, and leases wait for them.
    pub fn set_next_s(&mut self, now: Now, next_s: u16) {
        let old = self.sweep.next_s;
        self.sweep.next_s = next_s.clamp(60, 3600);
        if old > self.sweep.next_s {
            self.sweep.slower = (old, now.second().saturating_add(4 * u32::from(old)));
        }
    }

    /// The operator says that the clock is right: claims end again.
    pub const fn trust_clock(&mut self) {
        self.sweep.is_clock_doubted = false;
    }

    fn look(&mut self, now: Now, slot: Slot) {
        let (hot, second) = (self.table.hot(slot), now.second());
        let again = if hot.is(flag::STAGED) {
            second.saturating_add(10)
        } else if hot.is(flag::RESTING) {
            let left = self.table.cold(slot).used.saturating_sub(now.utc_s());
            self.end_rest(now, slot);
            second.saturating_add(left.clamp(10, 3600))
        } else if self.is_leased(slot) {
            self.look_at_lease(now, slot)
        } else {
            self.end_claim(now, slot);
            second.saturating_add(DAY_S / 4)
        };
        self.table.due[slot as usize] = again;
    }

    /// An address of it lasts as long as beats come.
    fn is_leased(&self, slot: Slot) -> bool {
        let hot = self.table.hot(slot);
        let v4 = hot.is(flag::V4) && !hot.is(flag::FIXED4);
        hot.is(flag::BOX) && (v4 || (hot.is(flag::V6) && !hot.is(flag::FIXED6)))
    }

    fn look_at_lease(&mut self, now: Now, slot: Slot) -> u32 {
        let (hot, second) = (self.table.hot(slot), now.second());
        let is_ours = !hot.is(flag::ELSEWHERE);
        let lease = if is_ours { self.sweep.lease_s(second) } else { LEASE_ELSEWHERE_S };
        let ends = hot.heard().saturating_add(lease);
        if ends <= second {
            let is_done = self.go_off(slot);
            self.counters.expired += u64::from(is_done);
            return second.saturating_add(if is_done { 60 } else { 10 });
        }
        let is_new_day = now.utc_s().saturating_sub(self.table.cold(slot).used) > DAY_S;
        if is_ours && is_new_day && !self.sweep.is_clock_doubted {
            let mut owned = self.owned(slot);
            owned.used = now.utc_s();
            let _ = self.stage_owned(slot, owned); // or at the next look
        }
        ends
    }

    fn end_rest(&mut self, now: Now, slot: Slot) {
        if now.utc_s() >= self.table.cold(slot).used && !self.sweep.is_clock_doubted {
            let _ = self.key_of(slot).map(|key| self.stage(vec![(key, None)])); // or at the next look
        }
    }

    /// A claim that no box used for 400 days ends. A name without a box was added by the operator, and stays.
    fn end_claim(&mut self, now: Now, slot: Slot) {
        let is_boxless = self.table.cold(slot).key == [0; 32];
        let unused = now.utc_s().saturating_sub(self.table.cold(slot).used);
        let is_heard = now.second().saturating_sub(self.table.hot(slot).heard()) < DAY_S;
        if !is_boxless && !is_heard && unused > CLAIM_S && !self.sweep.is_clock_doubted {
            let _ = self.rest(now, slot, false, true); // or at the next look
        }
    }

    /// Old keys are forgotten after 90 days.
    fn forget_former(&mut self, now: Now) {
        for _ in 0..LOOKS_MAX {
            let Some(Reverse((until, id))) = self.sweep.former.peek().copied() else { return };
            if until > now.utc_s() || self.sweep.is_clock_doubted {
                return;
            }
            let key = Key::Former(BoxId(id.to_be_bytes()));
            let is_known = self.former.contains_key(&id);
            if is_known && self.stage(vec![(key, None::<Record>)]).is_err() {
                return;
            }
            self.sweep.former.pop();
        }
    }
}

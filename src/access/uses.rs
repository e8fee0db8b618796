//! Who is connected by what: connections of a link, streams of a terminal, and the viewer ids that tell a player's new
//! stream from its old one.

use std::cell::RefCell;
use std::rc::Rc;

use super::Refusal;
use super::token::BOX_SLOT;

/// Characters of the longest viewer id.
pub const VIEWER_ID_MAX: usize = 32;

/// What a player calls itself, so that its new stream ends its old one: up to 32 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerId(heapless::String<VIEWER_ID_MAX>);

impl ViewerId {
    /// Of `text`; `None` where it is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let fits = !text.is_empty() && text.bytes().all(letters);
        heapless::String::try_from(text).ok().filter(|_| fits).map(Self)
    }
}

/// Who comes by a credential: a terminal as it was let in at one time, or who has one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    pub(super) slot: u8,
    pub(super) generation: u16,
    /// The link's id; 0 where a terminal comes by itself.
    link: u32,
}

impl Holder {
    /// A terminal's, in tests.
    #[cfg(test)]
    pub(crate) const fn sample(slot: u8) -> Self {
        Self { slot, generation: 1, link: 0 }
    }

    /// The terminal's slot, or that of the one who made the link; `None` for a link that the box made.
    #[must_use]
    pub fn slot(&self) -> Option<u8> {
        (self.slot != BOX_SLOT).then_some(self.slot)
    }
}

/// On whose account a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) slot: u8,
    pub(super) generation: u16,
    /// The link's id; 0 where a terminal comes by itself.
    pub(super) link: u32,
    /// Streams by this link at one time.
    pub(super) link_most: Option<u16>,
    /// Streams by this slot at one time.
    pub(super) slot_most: u16,
}

impl Account {
    pub(super) const fn holder(&self) -> Holder {
        let Self { slot, generation, link, .. } = *self;
        Holder { slot, generation, link }
    }
}

struct Use {
    number: u32,
    account: Account,
    viewer: Option<ViewerId>,
    /// It is to end: its terminal was revoked, or its viewer has a newer stream.
    over: bool,
}

/// All uses, in a table of fixed size.
pub(super) struct Uses {
    table: Vec<Use>,
    capacity: usize,
    next: u32,
    /// Some are over and nobody was told yet.
    some_over: bool,
}

/// One connection; dropping it makes room for another.
pub struct LinkUse {
    uses: Rc<RefCell<Uses>>,
    number: u32,
}

impl Uses {
    pub(super) fn new(capacity: usize) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            table: Vec::with_capacity(capacity),
            capacity,
            next: 0,
            some_over: false,
        }))
    }

    /// Counts one more. A player may open one more than the link is for, since it probes and opens again before it
    /// closes. A use by the same account and viewer is over from now on.
    pub(super) fn begin(
        uses: &Rc<RefCell<Self>>,
        account: Account,
        viewer: Option<ViewerId>,
    ) -> Result<LinkUse, Refusal> {
        const GRACE: u16 = 1;
        let mut all = uses.borrow_mut();
        let same = |u: &Use| u.account.slot == account.slot && u.account.generation == account.generation;
        if viewer.is_some() {
            all.end_those(|u| same(u) && u.viewer == viewer);
        }
        let alive = all.table.iter().filter(|u| !u.over && same(u));
        let (mut by_slot, mut by_link) = (0_u16, 0_u16);
        for u in alive {
            by_slot += 1;
            by_link += u16::from(u.account.link == account.link);
        }
        if let Some(most) = account.link_most.filter(|most| by_link >= most.saturating_add(GRACE)) {
            return Err(Refusal::LinkBusy(most));
        }
        if by_slot >= account.slot_most {
            return Err(Refusal::TerminalBusy(account.slot_most));
        }
        if all.table.len() >= all.capacity {
            return Err(Refusal::Full(all.capacity));
        }
        all.next = all.next.wrapping_add(1);
        let number = all.next;
        all.table.push(Use { number, account, viewer, over: false });
        drop(all);
        Ok(LinkUse { uses: Rc::clone(uses), number })
    }

    /// Ends those of accounts that `is_over` names.
    pub(super) fn end(&mut self, is_over: impl Fn(&Account) -> bool) {
        self.end_those(|u| is_over(&u.account));
    }

    fn end_those(&mut self, is_over: impl Fn(&Use) -> bool) {
        for u in self.table.iter_mut().filter(|u| !u.over) {
            u.over = is_over(u);
            self.some_over |= u.over;
        }
    }

    /// Some uses were ended since this was last asked.
    pub(super) fn take_over(&mut self) -> bool {
        std::mem::take(&mut self.some_over)
    }
}

impl LinkUse {
    /// Who watches, and what it calls itself.
    #[must_use]
    pub fn viewer(&self) -> Option<(Holder, Option<ViewerId>)> {
        let uses = self.uses.borrow();
        let this = uses.table.iter().find(|u| u.number == self.number)?;
        Some((this.account.holder(), this.viewer.clone()))
    }

    /// It was ended: whoever holds it hangs up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.uses.borrow().table.iter().any(|u| u.number == self.number && u.over)
    }
}

impl Drop for LinkUse {
    fn drop(&mut self) {
        let table = &mut self.uses.borrow_mut().table;
        if let Some(i) = table.iter().position(|u| u.number == self.number) {
            table.swap_remove(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_LINK: Account =
        Account { slot: 1, generation: 1, link: 7, link_most: Some(1), slot_most: u16::MAX };

    fn begin(uses: &Rc<RefCell<Uses>>, account: Account, viewer: &str) -> Result<LinkUse, Refusal> {
        Uses::begin(uses, account, ViewerId::new(viewer))
    }

    #[test]
    fn a_link_has_its_connections_and_one_more() {
        let uses = Uses::new(102);
        let first = begin(&uses, BY_LINK, "").ok().unwrap();
        let _second = begin(&uses, BY_LINK, "").ok().unwrap();
        assert_eq!(begin(&uses, BY_LINK, "").err(), Some(Refusal::LinkBusy(1)));
        drop(first);
        let _again = begin(&uses, BY_LINK, "").ok().unwrap();
        let many = Account { slot: 2, link_most: None, ..BY_LINK };
        let _all: Vec<_> = (0..100).map(|_| begin(&uses, many, "").ok().unwrap()).collect();
        assert_eq!(begin(&uses, many, "").err(), Some(Refusal::Full(102)));
    }

    #[test]
    fn a_terminal_has_its_streams_whatever_the_links() {
        let uses = Uses::new(10);
        let by = |link| Account { link, link_most: None, slot_most: 2, ..BY_LINK };
        let _a = begin(&uses, by(1), "").ok().unwrap();
        let _b = begin(&uses, by(2), "").ok().unwrap();
        assert_eq!(begin(&uses, by(3), "").err(), Some(Refusal::TerminalBusy(2)));
    }

    #[test]
    fn a_viewers_new_stream_ends_its_old_one_and_no_other() {
        let uses = Uses::new(10);
        let account = Account { link_most: None, slot_most: 2, ..BY_LINK };
        let old = begin(&uses, account, "tab-1").ok().unwrap();
        let other = begin(&uses, account, "tab-2").ok().unwrap();
        assert!(!uses.borrow_mut().take_over());
        let new = begin(&uses, account, "tab-1").ok().unwrap();
        assert!(uses.borrow_mut().take_over() && !uses.borrow_mut().take_over());
        assert_eq!([old.is_over(), other.is_over(), new.is_over()], [true, false, false]);
        let stranger = Account { slot: 9, ..account };
        let _theirs = begin(&uses, stranger, "tab-1").ok().unwrap();
        assert!(!new.is_over(), "another terminal's viewer of the same name");
        uses.borrow_mut().end(|a| a.slot == 1);
        assert_eq!([new.is_over(), other.is_over()], [true, true]);
    }

    #[test]
    fn viewer_ids_are_short_and_plain() {
        for good in ["a", "Tab-1_x", &"a".repeat(32)] {
            assert!(ViewerId::new(good).is_some(), "{good}");
        }
        for bad in ["", "a b", "é", "a/b", &"a".repeat(33)] {
            assert!(ViewerId::new(bad).is_none(), "{bad}");
        }
    }
}

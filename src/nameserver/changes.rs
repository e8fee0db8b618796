//! What changed in a zone: its serial, the recent changes that IXFR tells, and what a transfer under way must not see.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};

use super::{Change, Directory, Nameserver, Snapshot, Taken};

/// Changes that are kept for IXFR, in all batches: about 200 bytes each. Older ones cost a whole transfer.
const HISTORY_MAX: usize = 50_000;
/// Changes that happen during one transfer at most; with more it is broken off, and the secondary comes again.
const MEANWHILE_MAX: usize = 200_000;

/// What changed from one serial to the next.
pub(super) struct Batch {
    /// The serial before; the one after is the next number.
    pub(super) from: u32,
    pub(super) changes: Vec<Changed>,
}

/// A name, what it was and what it is; `None`: it does not exist.
pub(super) struct Changed {
    pub(super) label: Box<[u8]>,
    pub(super) before: Option<Snapshot>,
    pub(super) after: Option<Snapshot>,
}

/// What a zone was when a transfer began, for names that changed since.
#[derive(Default)]
pub(super) struct Meanwhile {
    pub(super) names: HashMap<Box<[u8]>, Kept>,
    /// Too much changed.
    pub(super) is_lost: bool,
}

/// A name as it was.
pub(super) struct Kept {
    pub(super) before: Option<Snapshot>,
    /// The transfer told it.
    pub(super) is_told: bool,
}

impl Meanwhile {
    fn note(&mut self, label: &[u8], before: Option<&Snapshot>) {
        if self.names.contains_key(label) {
            return;
        }
        if self.names.len() >= MEANWHILE_MAX {
            self.is_lost = true;
            return;
        }
        self.names.insert(label.into(), Kept { before: before.cloned(), is_told: false });
    }
}

/// A zone's serial with the changes around it.
pub(super) struct Changes {
    serial: u32,
    /// Oldest first; each begins where the one before ends, the last one ends at `serial`.
    history: VecDeque<Rc<Batch>>,
    kept: usize,
    /// Changes that have no serial yet, with what was before the first of them.
    pending: HashMap<Box<[u8]>, Option<Snapshot>>,
    /// Anything may have changed.
    is_lost: bool,
    transfers: Vec<Weak<RefCell<Meanwhile>>>,
}

impl Changes {
    pub(super) fn new(serial: u32) -> Self {
        Self {
            serial,
            history: VecDeque::new(),
            kept: 0,
            pending: HashMap::new(),
            is_lost: false,
            transfers: Vec::new(),
        }
    }

    pub(super) const fn serial(&self) -> u32 {
        self.serial
    }

    /// The batches from `serial` to now, oldest first; `None`: the history does not go back that far, or there never
    /// was such a serial.
    pub(super) fn since(&self, serial: u32) -> Option<Vec<Rc<Batch>>> {
        if serial == self.serial {
            return Some(Vec::new());
        }
        let first = self.history.iter().position(|batch| batch.from == serial)?;
        Some(self.history.range(first..).cloned().collect())
    }

    /// What keeps the zone as it is at this serial for a transfer; it lasts as long as that holds it.
    pub(super) fn watch(&mut self) -> Rc<RefCell<Meanwhile>> {
        let mut meanwhile = Meanwhile { is_lost: self.is_lost, ..Meanwhile::default() };
        // Those are not of this serial yet.
        self.pending.iter().for_each(|(label, before)| meanwhile.note(label, before.as_ref()));
        let meanwhile = Rc::new(RefCell::new(meanwhile));
        self.transfers.retain(|transfer| transfer.strong_count() > 0);
        self.transfers.push(Rc::downgrade(&meanwhile));
        meanwhile
    }

    fn note(&mut self, change: Change) {
        for transfer in self.transfers.iter().filter_map(Weak::upgrade) {
            transfer.borrow_mut().note(&change.label, change.before.as_ref());
        }
        self.pending.entry(change.label).or_insert(change.before);
    }

    fn lose(&mut self) {
        self.is_lost = true;
        self.pending.clear();
        self.transfers
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|transfer| transfer.borrow_mut().is_lost = true);
    }

    /// Gives what is pending the next serial; `false`: nothing was.
    fn commit(&mut self, find: impl Fn(&[u8]) -> Option<Snapshot>) -> bool {
        if std::mem::take(&mut self.is_lost) {
            self.history.clear();
            self.kept = 0;
            self.serial = self.serial.wrapping_add(1);
            return true;
        }
        let changes: Vec<Changed> = self
            .pending
            .drain()
            .map(|(label, before)| Changed { after: find(&label), label, before })
            .filter(|changed| changed.before != changed.after)
            .collect();
        if changes.is_empty() {
            return false;
        }
        self.kept += changes.len();
        self.history.push_back(Rc::new(Batch { from: self.serial, changes }));
        self.serial = self.serial.wrapping_add(1);
        while self.kept > HISTORY_MAX {
            let Some(oldest) = self.history.pop_front() else { break };
            self.kept -= oldest.changes.len();
        }
        true
    }
}

/// A zone that has a new serial.
pub struct Committed {
    /// Its number.
    pub zone: usize,
    /// What changed; `None`: anything may have.
    pub(super) batch: Option<Rc<Batch>>,
}

impl Committed {
    /// How many names changed; `None`: anything may have.
    #[must_use]
    pub fn names(&self) -> Option<usize> {
        self.batch.as_ref().map(|batch| batch.changes.len())
    }
}

impl Nameserver {
    /// The serial of a zone, to be kept: the next start must not begin below it.
    #[must_use]
    pub fn serial(&self, zone: usize) -> Option<u32> {
        self.zones.get(zone).map(|served| served.changes.serial())
    }

    /// To be called once a second: gives all that changed meanwhile one new serial. Returns the zones that have one, so
    /// that secondaries and publishers can be told.
    pub fn commit<D: Directory>(&mut self, directory: &mut D) -> Vec<Committed> {
        self.collect(directory);
        let directory = &*directory;
        let mut changed = Vec::new();
        for (number, served) in self.zones.iter_mut().enumerate() {
            let was_lost = served.changes.is_lost;
            let find = |label: &[u8]| directory.find(number, label).entry().map(|found| found.to_snapshot());
            if served.changes.commit(find) {
                let batch = served.changes.history.back().filter(|_| !was_lost).cloned();
                changed.push(Committed { zone: number, batch });
            }
        }
        changed
    }

    /// Takes what changed, so that no transfer tells it as what was before.
    pub(super) fn collect<D: Directory>(&mut self, directory: &mut D) {
        let mut changes = Vec::new();
        let taken = directory.take_changes(&mut changes);
        for change in changes {
            if let Some(served) = self.zones.get_mut(change.zone) {
                served.changes.note(change);
            }
        }
        if taken == Taken::Lost {
            self.zones.iter_mut().for_each(|served| served.changes.lose());
        }
    }
}

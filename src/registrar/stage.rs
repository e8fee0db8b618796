//! What waits for the store: nothing of it is so before it is on disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::record::{Key, Record};
use super::table::flag;
use super::{Now, Refusal, Registrar, Slot};
use crate::nameserver::Ticket;

/// Writes that may wait for the store; more are refused as busy.
const STAGED_MAX: usize = 65_536;

/// What goes to the store together, or not at all.
#[derive(Debug)]
pub struct Write {
    /// Who waits for it.
    pub ticket: Ticket,
    /// What others wrote was heard up to this number when it was decided.
    pub seen: u64,
    /// Each record as it is to be; `None`: it goes.
    pub puts: Vec<(Key, Option<Record>)>,
}

/// What became of writes.
#[derive(Clone, Debug)]
pub struct Done {
    /// All up to this one that had no answer yet.
    pub up_to: Ticket,
    /// They are on disk, or why they are not.
    pub result: Result<(), String>,
    /// These are not, though the others are: another front end was first.
    pub conflicts: Vec<Ticket>,
}

/// The writes that are not on disk yet.
#[derive(Default)]
pub(super) struct Stage {
    last: u64,
    /// Each with whether it was not in the table.
    names: HashMap<Key, bool>,
    queue: Vec<Arc<Write>>,
    flying: BTreeMap<Ticket, Arc<Write>>,
    /// What others wrote was heard up to this number.
    pub(super) seen: u64,
    /// Names among them that are not in the table.
    pub(super) new_names: usize,
    /// Why the store did not take the last ones; `None` when it did.
    pub(super) failure: Option<String>,
}

impl Stage {
    /// Writes of which the store has not said what became of them.
    pub(super) fn len(&self) -> usize {
        self.flying.len()
    }

    /// A write of `key` is on its way.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.names.contains_key(key)
    }
}

impl Registrar {
    /// What the store shall take now, in this order; `None`: nothing.
    pub fn take_writes(&mut self) -> Option<Vec<Arc<Write>>> {
        (!self.stage.queue.is_empty()).then(|| std::mem::take(&mut self.stage.queue))
    }

    /// The store answered: what is on disk becomes so, what failed is as if it had never been asked for.
    pub fn committed(&mut self, now: Now, done: &Done) {
        let later = self.stage.flying.split_off(&Ticket(done.up_to.0 + 1));
        let finished = std::mem::replace(&mut self.stage.flying, later);
        self.stage.failure = done.result.as_ref().err().cloned();
        for (ticket, write) in finished {
            let is_kept = done.result.is_ok() && !done.conflicts.contains(&ticket);
            self.counters.failed_writes += u64::from(!is_kept);
            for (key, record) in &write.puts {
                self.unstage(key);
                if is_kept {
                    // room was made sure of when it was staged
                    let _ = self.apply(now, key, record.as_ref(), true);
                }
            }
        }
    }

    /// Stages `puts`, which then go to the store together; refused while one of the names is staged already.
    pub(super) fn stage(&mut self, puts: Vec<(Key, Option<Record>)>) -> Result<Ticket, Refusal> {
        if let Some((key, _)) = puts.iter().find(|(key, _)| self.stage.has(key)) {
            return Err(Refusal::Busy(key.to_string()));
        }
        if self.stage.len() >= STAGED_MAX {
            return Err(Refusal::Busy(puts.first().map(|(key, _)| key.to_string()).unwrap_or_default()));
        }
        self.stage.last += 1;
        let ticket = Ticket(self.stage.last);
        for (key, _) in &puts {
            let slot = self.slot_of(key);
            let is_new = slot.is_none() && matches!(key, Key::Name { .. });
            self.stage.new_names += usize::from(is_new);
            self.stage.names.insert(key.clone(), is_new);
            if let Some(slot) = slot {
                self.table.hot_mut(slot).set(flag::STAGED, true);
            }
        }
        let write = Arc::new(Write { ticket, seen: self.stage.seen, puts });
        self.stage.queue.push(Arc::clone(&write));
        self.stage.flying.insert(ticket, write);
        Ok(ticket)
    }

    fn unstage(&mut self, key: &Key) {
        let was_new = self.stage.names.remove(key).unwrap_or(false);
        self.stage.new_names -= usize::from(was_new);
        if let Some(slot) = self.slot_of(key) {
            self.table.hot_mut(slot).set(flag::STAGED, false);
        }
    }

    /// The entry of a record's name, if it is in the table.
    pub(super) fn slot_of(&self, key: &Key) -> Option<Slot> {
        match key {
            Key::Name { zone, label } => {
                self.table.by_name(self.zone_number(zone)?, label.as_str().as_bytes())
            }
            Key::Former(_) => None,
        }
    }
}

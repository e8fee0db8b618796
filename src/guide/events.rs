//! Memory for events: slots of one size, chained by service in the order of their times.

use super::texts::{Chain, Texts};
use crate::text::CleanText;
use crate::ts::eit::{EXTENDED, Facts, SHORT, TITLE};

/// No slot.
const NONE: u32 = u32::MAX;

/// Where in the tables an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Of a schedule 0 to 15, or [`PRESENT_FOLLOWING`].
    pub(super) table: u8,
    /// `section_number`.
    pub(super) section: u8,
    /// Counts the versions of its table.
    pub(super) generation: u8,
}

/// The table of the present and the following event.
pub(super) const PRESENT_FOLLOWING: u8 = 16;

/// An event that is kept.
pub(super) struct Slot {
    pub(super) facts: Facts,
    pub(super) place: Place,
    title: u16,
    short: u16,
    text: Chain,
    next: u32,
}

/// The texts of an event.
pub(super) struct TextsOf {
    pub(super) title: CleanText<TITLE>,
    pub(super) short: CleanText<SHORT>,
    pub(super) extended: CleanText<EXTENDED>,
}

/// The events of one service, in the order of their times.
#[derive(Clone, Copy)]
pub(super) struct List {
    first: u32,
    /// The one inserted last: the events of a section come in order, and so the next one need not look far.
    hint: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { first: NONE, hint: NONE };
}

/// All events.
pub(super) struct Events {
    /// Grows up to its capacity: memory that is not needed is not touched.
    slots: Vec<Option<Slot>>,
    capacity: usize,
    /// Slots that were used and are free.
    free: Vec<u32>,
    texts: Texts,
}

impl Events {
    /// Room for `count` events with `text_bytes` of texts.
    pub(super) fn new(count: usize, text_bytes: usize) -> Self {
        let capacity = count.min(NONE as usize);
        let (slots, free) = (Vec::with_capacity(capacity), Vec::with_capacity(capacity));
        Self { slots, capacity, free, texts: Texts::new(text_bytes) }
    }

    /// Events held, and events that can be.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.slots.len() - self.free.len(), self.capacity)
    }

    /// Bytes of texts, used and in all.
    pub(super) fn texts(&self) -> (usize, usize) {
        self.texts.filled()
    }

    /// The events of `list`.
    pub(super) fn iter(&self, list: List) -> impl Iterator<Item = &Slot> {
        let mut at = list.first;
        std::iter::from_fn(move || {
            let slot = self.slot(at)?;
            at = slot.next;
            Some(slot)
        })
    }

    /// Keeps an event in `list`; false where there is no room.
    pub(super) fn insert(&mut self, list: &mut List, place: Place, facts: &Facts, texts: &TextsOf) -> bool {
        let parts = [texts.title.as_str(), texts.short.as_str(), texts.extended.as_str()];
        if self.free.is_empty() && self.slots.len() == self.capacity {
            return false;
        }
        let Some(text) = self.texts.keep(&parts) else { return false };
        let free = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE) // the capacity is below
        });
        let before = self.last_before(*list, (facts.start, facts.id));
        let next = before.map_or(list.first, |slot| slot.1);
        match before.and_then(|(at, _)| self.slots.get_mut(at as usize)?.as_mut()) {
            Some(slot) => slot.next = free,
            None => list.first = free,
        }
        let length = |part: &str| u16::try_from(part.len()).unwrap_or(0); // TITLE and SHORT are far below
        let slot = Slot {
            facts: facts.clone(),
            place,
            title: length(parts[0]),
            short: length(parts[1]),
            text,
            next,
        };
        self.slots[free as usize] = Some(slot);
        list.hint = free;
        true
    }

    /// Drops the events of `list` that are not to stay.
    pub(super) fn retain(&mut self, list: &mut List, mut stays: impl FnMut(&Slot) -> bool) {
        let (mut at, mut before) = (list.first, NONE);
        list.hint = NONE;
        while let Some(slot) = self.slot(at) {
            let next = slot.next;
            if stays(slot) {
                (before, at) = (at, next);
                continue;
            }
            self.texts.free(slot.text);
            self.slots[at as usize] = None;
            self.free.push(at);
            match self.slots.get_mut(before as usize).and_then(Option::as_mut) {
                Some(slot) => slot.next = next,
                None => list.first = next,
            }
            at = next;
        }
    }

    /// The title of an event.
    pub(super) fn title(&self, slot: &Slot) -> CleanText<TITLE> {
        self.text(slot, 0, slot.title.into())
    }

    /// Its short text.
    pub(super) fn short(&self, slot: &Slot) -> CleanText<SHORT> {
        self.text(slot, slot.title.into(), slot.short.into())
    }

    /// Its extended text.
    pub(super) fn extended(&self, slot: &Slot) -> CleanText<EXTENDED> {
        self.text(slot, usize::from(slot.title) + usize::from(slot.short), usize::MAX)
    }

    fn text<const N: usize>(&self, slot: &Slot, from: usize, length: usize) -> CleanText<N> {
        let mut bytes = heapless::Vec::<u8, N>::new();
        bytes.extend(self.texts.read(slot.text).skip(from).take(length.min(N)));
        CleanText::new(std::str::from_utf8(&bytes).unwrap_or_default()) // each part was kept whole
    }

    /// The last event of `list` that begins before `key`, with the slot behind it.
    fn last_before(&self, list: List, key: (u32, u16)) -> Option<(u32, u32)> {
        let is_before = |slot: &&Slot| (slot.facts.start, slot.facts.id) <= key;
        let hinted = self.slot(list.hint).filter(is_before).is_some();
        let (mut at, mut found) = (if hinted { list.hint } else { list.first }, None);
        while let Some(slot) = self.slot(at).filter(is_before) {
            found = Some((at, slot.next));
            at = slot.next;
        }
        found
    }

    fn slot(&self, at: u32) -> Option<&Slot> {
        self.slots.get(at as usize)?.as_ref()
    }
}

/// Bytes of one event beside its texts, for the arithmetic of boards.
const _: () = assert!(size_of::<Option<Slot>>() <= 64);

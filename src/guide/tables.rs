//! What was taken of each table of each service, so that a repetition is passed by and a new version is noticed.

use std::time::Duration;

use crate::ts::eit::EitHead;

/// A table that was not heard for so long is read again: 32 versions may have gone by.
pub(super) const FORGET: Duration = Duration::from_secs(30 * 60);
/// Sections of a segment, and segments of a table (EN 300 468 §5.2.4, TR 101 211 §4.1.4).
const SEGMENT: usize = 8;
const SEGMENTS: usize = 32;

/// A set of section numbers.
#[derive(Clone, Copy, Default)]
struct Sections([u64; 4]);

impl Sections {
    const fn has(self, n: u8) -> bool {
        self.0[n as usize / 64] >> (n % 64) & 1 == 1
    }

    const fn add(&mut self, n: u8) {
        self.0[n as usize / 64] |= 1 << (n % 64);
    }
}

/// One table of a service's schedule.
struct Table {
    /// Whose, and which.
    key: (u16, u8),
    /// It comes from the service's own mux.
    actual: bool,
    version: u8,
    /// Counts versions, so that events of the one before can be told from those of this one.
    generation: u8,
    last_section: u8,
    heard: Duration,
    taken: Sections,
    /// Sections of which something found no room.
    cut: Sections,
    /// The last section used of each segment; that of a segment nothing came of is not known.
    segment_last: [u8; SEGMENTS],
}

impl Table {
    fn is_complete(&self) -> bool {
        let segments = self.segment_last.iter().zip((0u8..).step_by(SEGMENT));
        let mut used = segments.take_while(|(_, first)| *first <= self.last_section);
        // The first of a segment is always used, and with it the segment's last is known.
        used.all(|(last, first)| (first..=first.max(*last)).all(|n| self.taken.has(n)))
    }
}

/// What a section is, next to those that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was taken.
    Known,
    /// It says something new.
    News,
    /// The service's own mux tells the same, and knows better.
    Overruled,
    /// There is no room for its table.
    NoRoom,
}

/// All tables, ordered by service.
pub(super) struct Tables {
    all: Vec<Table>,
    capacity: usize,
}

impl Tables {
    pub(super) fn new(capacity: usize) -> Self {
        Self { all: Vec::with_capacity(capacity), capacity }
    }

    /// How a section stands that came at `now`, of table `n` of `service`. What is known is noted to be heard.
    pub(super) fn standing(&mut self, service: u16, n: u8, head: &EitHead, now: Duration) -> Standing {
        let Ok(at) = self.find(service, n) else {
            return if self.all.len() < self.capacity { Standing::News } else { Standing::NoRoom };
        };
        let table = &mut self.all[at];
        let fresh = now.saturating_sub(table.heard) < FORGET;
        if fresh && table.actual && !head.actual {
            return Standing::Overruled;
        }
        if !fresh || !table.continues(head) || !table.taken.has(head.section) {
            return Standing::News;
        }
        table.heard = now;
        Standing::Known
    }

    /// The section is being taken. Gives the generation of its table, and whether that begins with it.
    pub(super) fn take(&mut self, service: u16, n: u8, head: &EitHead, now: Duration) -> (u8, bool) {
        let at = self.find(service, n).unwrap_or_else(|at| {
            self.all.insert(at, Table::new((service, n), head, now));
            at
        });
        let table = &mut self.all[at];
        let begins = now.saturating_sub(table.heard) >= FORGET || !table.continues(head);
        if begins {
            let generation = table.generation.wrapping_add(1);
            *table = Table { generation, ..Table::new(table.key, head, now) };
        }
        table.heard = now;
        table.taken.add(head.section);
        table.segment_last[usize::from(head.section) / SEGMENT] = head.segment_last;
        (table.generation, begins)
    }

    /// All of table `n` was taken, in the generation it is in.
    pub(super) fn is_complete(&self, service: u16, n: u8) -> bool {
        self.find(service, n).is_ok_and(|at| self.all[at].is_complete())
    }

    /// All of table `n` was taken, and it was heard at or after `since`.
    pub(super) fn is_confirmed(&self, service: u16, n: u8, since: Duration) -> bool {
        self.find(service, n).is_ok_and(|at| self.all[at].heard >= since && self.all[at].is_complete())
    }

    /// Something of a section was left out for want of room.
    pub(super) fn note_cut(&mut self, service: u16, n: u8, section: u8) {
        if let Ok(at) = self.find(service, n) {
            self.all[at].cut.add(section);
        }
    }

    /// There is room again: what was cut is to be read once more.
    pub(super) fn forget_cut(&mut self) {
        for table in &mut self.all {
            let cut = std::mem::take(&mut table.cut);
            table.taken.0.iter_mut().zip(cut.0).for_each(|(taken, cut)| *taken &= !cut);
        }
    }

    /// Drops the tables of `service` behind table `last`.
    pub(super) fn drop_behind(&mut self, service: u16, last: u8) {
        self.all.retain(|table| table.key.0 != service || table.key.1 <= last);
    }

    /// Drops all tables of `service`.
    pub(super) fn drop_all(&mut self, service: u16) {
        self.all.retain(|table| table.key.0 != service);
    }

    fn find(&self, service: u16, n: u8) -> Result<usize, usize> {
        self.all.binary_search_by_key(&(service, n), |table| table.key)
    }
}

impl Table {
    fn new(key: (u16, u8), head: &EitHead, now: Duration) -> Self {
        Self {
            key,
            actual: head.actual,
            version: head.version,
            generation: 0,
            last_section: head.last_section,
            heard: now,
            taken: Sections::default(),
            cut: Sections::default(),
            segment_last: [0; SEGMENTS],
        }
    }

    /// The section is of the version that is being taken.
    fn continues(&self, head: &EitHead) -> bool {
        (self.actual, self.version, self.last_section) == (head.actual, head.version, head.last_section)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::eit::EitTable;
    use crate::ts::service_info::ServiceTriple;

    fn head(version: u8, section: u8, segment_last: u8, last_section: u8) -> EitHead {
        EitHead {
            service: ServiceTriple { original_network_id: 1, transport_stream_id: 1, service_id: 1 },
            table: EitTable::Schedule(0),
            actual: true,
            version,
            section,
            last_section,
            segment_last,
            last_table: 0,
        }
    }

    const NOW: Duration = Duration::from_secs(1000);

    #[test]
    fn a_table_is_complete_with_the_used_sections_of_all_segments() {
        let mut tables = Tables::new(1);
        // Segment 0 uses 0 to 2, segment 1 only 8, segment 2 uses 16 and 17.
        let used = [(0, 2), (1, 2), (2, 2), (8, 8), (16, 17), (17, 17)];
        for left_out in 0..used.len() {
            tables.drop_all(0);
            for (i, (section, segment_last)) in used.into_iter().enumerate() {
                assert!(!tables.is_complete(0, 0));
                if i != left_out {
                    tables.take(0, 0, &head(1, section, segment_last, 17), NOW);
                }
            }
            assert!(!tables.is_complete(0, 0), "without {:?}", used[left_out]);
            tables.take(0, 0, &head(1, used[left_out].0, used[left_out].1, 17), NOW);
            assert!(tables.is_complete(0, 0));
        }
        assert!(tables.is_confirmed(0, 0, NOW) && !tables.is_confirmed(0, 0, NOW * 2));
        // Another version begins again.
        assert_eq!(tables.take(0, 0, &head(2, 0, 0, 0), NOW), (1, true));
        assert!(tables.is_complete(0, 0));
        let full = (0..=255).map(|n| head(3, n, n | 7, 255));
        for head in full {
            tables.take(0, 0, &head, NOW);
        }
        assert!(tables.is_complete(0, 0));
    }

    #[test]
    fn a_repetition_is_known_and_the_own_mux_knows_better() {
        let mut tables = Tables::new(1);
        let own = head(1, 0, 0, 0);
        let other = EitHead { actual: false, ..own };
        let standing = |tables: &mut Tables, head: &EitHead, now| tables.standing(5, 2, head, now);
        assert_eq!(standing(&mut tables, &other, NOW), Standing::News);
        tables.take(5, 2, &other, NOW);
        assert_eq!(standing(&mut tables, &other, NOW), Standing::Known);
        assert_eq!(standing(&mut tables, &own, NOW), Standing::News);
        assert_eq!(tables.take(5, 2, &own, NOW), (1, true));
        assert_eq!(standing(&mut tables, &other, NOW), Standing::Overruled);
        assert_eq!(standing(&mut tables, &own, NOW + FORGET), Standing::News, "it may be another version");
        assert_eq!(standing(&mut tables, &other, NOW + FORGET), Standing::News);
        assert_eq!(tables.standing(6, 2, &own, NOW), Standing::NoRoom);
        tables.note_cut(5, 2, 0);
        assert_eq!(standing(&mut tables, &own, NOW), Standing::Known);
        tables.forget_cut();
        assert_eq!(standing(&mut tables, &own, NOW), Standing::News);
        tables.drop_behind(5, 1);
        assert_eq!(tables.standing(6, 2, &own, NOW), Standing::News);
    }
}

//! The guide as anybody would write it, without a thought of memory or time: the judge of the real one.

use std::collections::HashMap;

use super::tests::{Sent, Shown};

/// Events by section.
type Sections = HashMap<u8, Vec<Shown>>;

/// By service and table: its last version, and what that says.
#[derive(Default)]
pub(super) struct Naive(HashMap<(u16, u8), (u8, Sections)>);

impl Naive {
    /// Takes a section of a schedule that nothing was wrong with.
    pub(super) fn take(&mut self, sent: &Sent) {
        let mut tables: Vec<_> =
            self.0.iter_mut().filter(|((service, _), _)| *service == sent.service).collect();
        for (_, (_, sections)) in &mut tables {
            for events in sections.values_mut() {
                events.retain(|event| !sent.events.iter().any(|new| new.id == event.id));
            }
        }
        let table = self.0.entry((sent.service, sent.table)).or_default();
        if table.0 != sent.version {
            *table = (sent.version, HashMap::new());
        }
        table.1.insert(sent.section, sent.events.clone());
    }

    /// The events of a service, in the order of their times.
    pub(super) fn events(&self, service: u16) -> Vec<Shown> {
        let tables = self.0.iter().filter(|((of, _), _)| *of == service);
        let mut all: Vec<Shown> =
            tables.flat_map(|(_, (_, sections))| sections.values().flatten().cloned()).collect();
        all.sort_by_key(|event| (event.start, event.id));
        all
    }
}

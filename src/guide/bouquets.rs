//! The bouquets that the muxes tell of, and which services are in them.

use crate::text::Unmarked;
use crate::ts::bouquet::Bat;
use crate::ts::section::{Section, Taken};
use crate::ts::service_info::{Name, ServiceTriple};

/// Bouquets that one service can be in.
const MEMBERSHIPS: usize = 8;
/// Sections of one bouquet's table that are remembered.
const SECTIONS: usize = 32;

/// The bouquets of a service: the place of each, and the generation that said so.
pub(super) type Memberships = heapless::Vec<(u8, u8), MEMBERSHIPS, u8>;

struct Bouquet {
    id: u16,
    name: Name,
    version: u8,
    /// Counts versions.
    generation: u8,
    taken: Taken<SECTIONS>,
}

/// All bouquets.
pub(super) struct Bouquets {
    all: Vec<Bouquet>,
    capacity: usize,
    /// Memberships and bouquets that found no room.
    pub(super) dropped: u64,
}

impl Bouquets {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.min(usize::from(u8::MAX));
        Self { all: Vec::with_capacity(capacity), capacity, dropped: 0 }
    }

    /// A section of a BAT was not taken yet.
    pub(super) fn is_news(&self, section: Section<'_>) -> bool {
        let known = self.all.iter().find(|b| b.id == section.extension());
        match known {
            Some(bouquet) => bouquet.taken.is_news(section),
            None => section.is_current() && self.all.len() < self.capacity,
        }
    }

    /// Takes a section that is `bat`; `found` gets a service that is in the bouquet, to note it by [`enter`]. Gives the place and the
    /// generation of a bouquet of which all is known now.
    pub(super) fn take(
        &mut self,
        section: Section<'_>,
        bat: &Bat<'_>,
        unmarked: Unmarked,
        mut found: impl FnMut(ServiceTriple, (u8, u8)) -> bool,
    ) -> Option<(u8, u8)> {
        let at = self.all.iter().position(|b| b.id == bat.id()).or_else(|| {
            let taken = Taken::default();
            let new =
                Bouquet { id: bat.id(), name: Name::default(), version: bat.version(), generation: 0, taken };
            (self.all.len() < self.capacity).then(|| self.all.push(new))?;
            Some(self.all.len() - 1)
        })?;
        let bouquet = &mut self.all[at];
        if bouquet.version != bat.version() {
            bouquet.taken.forget();
            (bouquet.version, bouquet.generation) = (bat.version(), bouquet.generation.wrapping_add(1));
        }
        bouquet.taken.note(section);
        bouquet.name = bat.name(unmarked).unwrap_or_else(|| bouquet.name.clone());
        let membership = (u8::try_from(at).ok()?, bouquet.generation);
        let refused = bat.services().filter(|service| !found(*service, membership)).count();
        self.dropped += refused as u64;
        bouquet.taken.is_complete().then_some(membership)
    }

    /// Services are new: all tables are to be read again.
    pub(super) fn forget(&mut self) {
        self.all.iter_mut().for_each(|bouquet| bouquet.taken.forget());
    }

    /// No bouquet that was heard of is only half known.
    pub(super) fn are_complete(&self) -> bool {
        self.all.iter().all(|bouquet| bouquet.taken.is_complete())
    }

    /// The names of a service's bouquets, those without one left out.
    pub(super) fn names(&self, of: &Memberships) -> impl Iterator<Item = &Name> {
        let bouquets = of.iter().filter_map(|(at, _)| self.all.get(usize::from(*at)));
        bouquets.map(|bouquet| &bouquet.name).filter(|name| !name.is_empty())
    }
}

/// Notes that a service is in a bouquet; false where it is in too many.
pub(super) fn enter(memberships: &mut Memberships, (at, generation): (u8, u8)) -> bool {
    match memberships.iter_mut().find(|(known, _)| *known == at) {
        Some(known) => {
            known.1 = generation;
            true
        }
        None => memberships.push((at, generation)).is_ok(),
    }
}

/// Drops what an earlier generation said of a bouquet.
pub(super) fn leave_old(memberships: &mut Memberships, (at, generation): (u8, u8)) {
    memberships.retain(|known| known.0 != at || known.1 == generation);
}

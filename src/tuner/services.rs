//! What the tables of one mux say of its services, kept current as versions change.

use heapless::Vec;

use crate::board;
use crate::text::Unmarked;
use crate::ts::Pid;
use crate::ts::psi::{Pat, Programme};
use crate::ts::section::Section;
use crate::ts::service_info::{SDT_ACTUAL, Sdt, ServiceInfo};

/// One service.
pub struct Service {
    /// `program_number`, which is the `service_id`.
    pub id: u16,
    /// Where its PMT is.
    pub pmt_pid: Pid,
    /// What its PMT says; `None` until it came.
    pub programme: Option<Programme>,
    /// What the SDT says; `None` until it came.
    pub info: Option<ServiceInfo>,
    /// Of the PMT section taken last.
    fingerprint: u32,
    /// The PMT changed since this was last asked.
    changed: bool,
}

/// All services of a mux.
#[derive(Default)]
pub struct Services {
    /// `transport_stream_id`.
    pub transport_stream_id: u16,
    /// `original_network_id`; 0 until the SDT came.
    pub original_network_id: u16,
    /// In the PAT's order.
    pub all: Vec<Service, { board::SERVICES_PER_MUX }>,
    pat: Option<u32>,
    /// Fingerprints of the SDT's sections, by number.
    sdt: Vec<(u8, u32), 8>,
    sdt_sections: Option<u8>,
}

/// What a section changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing that is not known.
    None,
    /// The set of services.
    Services,
    /// One or more programmes.
    Programmes,
    /// Names.
    Names,
}

impl Services {
    /// Takes a PAT section.
    pub(super) fn take_pat(&mut self, section: Section<'_>) -> Change {
        let news =
            section.table_id() == 0x00 && section.is_current() && self.pat != Some(section.fingerprint());
        let Some(pat) = news.then(|| Pat::parse(section)).flatten() else { return Change::None };
        self.pat = Some(section.fingerprint());
        self.transport_stream_id = pat.transport_stream_id;
        self.all.retain(|s| pat.programmes.iter().any(|(id, _)| *id == s.id));
        for (id, pmt_pid) in pat.programmes {
            match self.all.iter_mut().find(|s| s.id == id) {
                Some(known) if known.pmt_pid == pmt_pid => {}
                Some(known) => (known.pmt_pid, known.fingerprint) = (pmt_pid, 0),
                None => {
                    let new =
                        Service { id, pmt_pid, programme: None, info: None, fingerprint: 0, changed: false };
                    if self.all.push(new).is_err() {
                        log::warn!("service {id} is left out: the board keeps {} a mux", self.all.capacity());
                    }
                }
            }
        }
        self.sdt.clear(); // names of services that are new here must be read again
        Change::Services
    }

    /// Takes a PMT section that came on `pid`.
    pub(super) fn take_pmt(&mut self, pid: Pid, section: Section<'_>) -> Change {
        if section.table_id() != 0x02 || !section.is_current() {
            return Change::None;
        }
        let of = |s: &&mut Service| s.id == section.extension() && s.pmt_pid == pid;
        let Some(service) = self.all.iter_mut().find(of) else { return Change::None };
        if service.programme.is_some() && service.fingerprint == section.fingerprint() {
            return Change::None;
        }
        let Some(programme) = Programme::parse(section) else { return Change::None };
        service.fingerprint = section.fingerprint();
        if service.programme.as_ref() == Some(&programme) {
            return Change::None;
        }
        service.programme = Some(programme);
        service.changed = true;
        Change::Programmes
    }

    /// Takes a section of the SDT's PID.
    pub(super) fn take_sdt(&mut self, section: Section<'_>) -> Change {
        let (number, last) = section.number();
        let known = self.sdt.iter().position(|(n, _)| *n == number);
        let same = known.is_some_and(|i| self.sdt[i].1 == section.fingerprint());
        if section.table_id() != SDT_ACTUAL || !section.is_current() || same {
            return Change::None;
        }
        let Some(sdt) = Sdt::parse(section, unmarked()) else { return Change::None };
        match known {
            Some(i) => self.sdt[i].1 = section.fingerprint(),
            None => {
                // A ninth section is read again each time it comes: slower, not wrong.
                let _room = self.sdt.push((number, section.fingerprint()));
            }
        }
        self.sdt_sections = Some(last.saturating_add(1));
        self.original_network_id = sdt.original_network_id;
        for info in sdt.services {
            if let Some(service) = self.all.iter_mut().find(|s| s.id == info.service_id) {
                service.info = Some(info);
            }
        }
        Change::Names
    }

    /// PAT, every PMT and the whole SDT came.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let sdt =
            self.sdt_sections.is_some_and(|n| self.sdt.len() >= usize::from(n).min(self.sdt.capacity()));
        self.has_programmes() && sdt
    }

    /// PAT and every PMT came.
    #[must_use]
    pub fn has_programmes(&self) -> bool {
        self.pat.is_some() && self.all.iter().all(|s| s.programme.is_some())
    }

    /// The service of that id.
    #[must_use]
    pub fn find(&self, id: u16) -> Option<&Service> {
        self.all.iter().find(|s| s.id == id)
    }

    /// Whether the programme of `id` changed since this was last asked.
    pub(super) fn take_changed(&mut self, id: u16) -> bool {
        let service = self.all.iter_mut().find(|s| s.id == id);
        service.is_some_and(|s| std::mem::take(&mut s.changed))
    }
}

/// The character table of this board's broadcasts where they name none.
fn unmarked() -> Unmarked {
    Unmarked::named(board::CHARSET_OVERRIDE)
}

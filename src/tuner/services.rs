//! What the tables of one mux say of its services, kept current as versions change.

use std::time::Duration;

use heapless::Vec;

use crate::board;
use crate::text::Unmarked;
use crate::ts::Pid;
use crate::ts::bouquet::Bat;
use crate::ts::event::{Event, Guide};
use crate::ts::network::{Lcn, LcnKind, NIT_ACTUAL, NIT_OTHER, NetworkMux, Numbers, muxes};
use crate::ts::psi::{Pat, Programme};
use crate::ts::section::{Section, Taken};
use crate::ts::service_info::{SDT_ACTUAL, Sdt, ServiceInfo};
use crate::ts::time::StreamTime;

/// A table that did not come within this time of the programmes is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(4);
/// The same where the PAT says that there is a NIT. That comes every 10 s at least (TR 101 211 §4.4); on air it was
/// seen every 4.5 s. It must be over before a survey is (`board::SCAN_TIMEOUT_MS`), or that would end without channels.
const PATIENCE_NETWORK: Duration = Duration::from_millis(board::SCAN_TIMEOUT_MS - 1000);

/// Sections of all bouquets together whose numbers are looked at.
const BAT_SECTIONS: usize = 64;

/// Muxes of the network that are kept, each as often as there are ways to receive it.
const NETWORK: usize = 2 * board::MUXES;
/// Sections of NITs of other networks that are looked at.
const OTHER_SECTIONS: usize = 64;

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
    /// What the NIT says: its number, and the one it has in place of its SD twin.
    lcn: Option<Lcn>,
    hd_lcn: Option<Lcn>,
    /// The same of the BAT, by the lowest `bouquet_id` that has a number for it.
    bouquet_lcns: [Option<(u16, Lcn)>; 2],
    /// What the EIT says of the present and the following event.
    events: [Told; 2],
    /// Of the PMT section taken last.
    fingerprint: u32,
    /// The PMT changed since changes were last followed.
    changed: bool,
}

/// What a section of the EIT said.
struct Told {
    /// Of the section; `None` until one came.
    fingerprint: Option<u32>,
    /// `None` where it says that there is none.
    event: Option<Event>,
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
    sdt: Taken<8>,
    nit: Taken<256>,
    /// What the NIT says of muxes; of this one, too.
    network: Vec<NetworkMux, NETWORK>,
    /// What NITs of other networks say of muxes, and the sections that said so.
    others: Vec<NetworkMux, NETWORK>,
    other_sections: Vec<u32, OTHER_SECTIONS>,
    /// Sections of the BAT that were taken: bouquet, section, last section, fingerprint.
    bat: Vec<(u16, u8, u8, u32), BAT_SECTIONS>,
    /// What the TDT said last.
    time: Option<StreamTime>,
    /// The PAT says that there is a NIT.
    names_network: bool,
    /// Since when the tables of this PAT are waited for, and since when all programmes are known.
    since: Option<Duration>,
    known_since: Option<Duration>,
    /// What is missing was waited for long enough.
    late: bool,
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
    /// What lists show, and streams do not.
    Lists,
}

impl Services {
    /// It is `now`. Answers whether a table that is missing is late from now on.
    pub(super) fn tell_time(&mut self, now: Duration) -> bool {
        if self.late {
            return false;
        }
        let since = *self.since.get_or_insert(now);
        if !self.has_programmes() {
            self.known_since = None;
            return false;
        }
        let known_since = *self.known_since.get_or_insert(now);
        let patience = if self.names_network { PATIENCE_NETWORK } else { PATIENCE };
        self.late = now >= (known_since + patience).min(since + PATIENCE_NETWORK);
        self.late
    }

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
                    if self.all.push(Service::new(id, pmt_pid)).is_err() {
                        log::warn!("service {id} is left out: the board keeps {} a mux", self.all.capacity());
                    }
                }
            }
        }
        // Names and numbers of services that are new here must be read again.
        self.sdt.forget();
        self.nit.forget();
        self.network.clear();
        self.others.clear();
        self.other_sections.clear();
        self.bat.clear();
        self.names_network = pat.names_network;
        (self.since, self.known_since, self.late) = (None, None, false);
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
        if section.table_id() != SDT_ACTUAL || !self.sdt.is_news(section) {
            return Change::None;
        }
        let Some(sdt) = Sdt::parse(section, unmarked()) else { return Change::None };
        self.sdt.note(section);
        self.original_network_id = sdt.original_network_id;
        for info in sdt.services {
            if let Some(service) = self.all.iter_mut().find(|s| s.id == info.service_id) {
                service.info = Some(info);
            }
        }
        Change::Names
    }

    /// Takes a section of the NIT's PID. Before the PAT came it is not known which part of it is ours.
    pub(super) fn take_nit(&mut self, section: Section<'_>) -> Change {
        if section.table_id() == NIT_OTHER {
            return self.take_other_nit(section);
        }
        if section.table_id() != NIT_ACTUAL || self.pat.is_none() || !self.nit.is_news(section) {
            return Change::None;
        }
        let Some(numbers) = Numbers::parse(section, self.transport_stream_id) else { return Change::None };
        self.nit.note(section);
        muxes(section, |mux| note_mux(&mut self.network, mux));
        for service in &mut self.all {
            service.lcn = numbers.find(service.id, LcnKind::Plain).or(service.lcn);
            service.hd_lcn = numbers.find(service.id, LcnKind::HdSimulcast).or(service.hd_lcn);
        }
        Change::Lists
    }

    /// Takes a section of another network's NIT. Nobody waits for those: they may never come.
    fn take_other_nit(&mut self, section: Section<'_>) -> Change {
        let fingerprint = section.fingerprint();
        let is_news = section.is_current() && !self.other_sections.contains(&fingerprint);
        if is_news && self.pat.is_some() && self.other_sections.push(fingerprint).is_ok() {
            muxes(section, |mux| note_mux(&mut self.others, mux));
        }
        Change::None
    }

    /// What the network says of its muxes, of this one, too, each as often as there are ways to receive it.
    pub fn network(&self) -> impl Iterator<Item = &NetworkMux> {
        self.network.iter()
    }

    /// What is said of other networks' muxes, as far as it may serve who receives this one: towers of others stand
    /// beside, and several networks share a satellite. Other cables do not reach here.
    pub fn other_networks(&self) -> impl Iterator<Item = &NetworkMux> {
        let position = self.network.iter().find_map(|mux| mux.tuning.position);
        self.others.iter().filter(move |mux| match mux.tuning.system {
            system if system.is_satellite() => position.is_some() && mux.tuning.position == position,
            system => !system.is_cable(),
        })
    }

    /// Takes a section of a BAT, where some networks have their numbers. Which of several bouquets with numbers is the
    /// viewer's, nobody says: the lowest id is always the same choice.
    pub(super) fn take_bat(&mut self, section: Section<'_>) -> Change {
        let (number, last) = section.number();
        let told = (section.extension(), number, last, section.fingerprint());
        if self.pat.is_none() || !section.is_current() || self.bat.contains(&told) {
            return Change::None;
        }
        self.bat.retain(|known| (known.0, known.1) != (told.0, told.1));
        if self.bat.push(told).is_err() {
            return Change::None;
        }
        let Some(bat) = Bat::parse(section) else { return Change::None };
        let numbers = bat.numbers(self.transport_stream_id);
        for service in &mut self.all {
            for (kind, known) in
                [LcnKind::Plain, LcnKind::HdSimulcast].into_iter().zip(&mut service.bouquet_lcns)
            {
                let found =
                    numbers.find(service.id, kind).filter(|_| known.is_none_or(|(id, _)| bat.id() <= id));
                *known = found.map(|lcn| (bat.id(), lcn)).or(*known);
            }
        }
        Change::Lists
    }

    /// All of each bouquet that was begun came.
    fn has_bouquets(&self) -> bool {
        let came = |id: u16| self.bat.iter().filter(|known| known.0 == id).count();
        self.bat.is_full() || self.bat.iter().all(|(id, _, last, _)| came(*id) > usize::from(*last))
    }

    /// The number that the network gives to a service of this mux: an HD service with a number for receivers of HD has
    /// that one, and its SD twin has its other one (EACEM: each of the two keeps a place in the list).
    #[must_use]
    pub fn lcn(&self, service: &Service) -> Option<Lcn> {
        let taken_by = |number| self.all.iter().find(|s| s.hd_lcn().is_some_and(|hd| hd.number == number));
        service.hd_lcn().or_else(|| {
            let lcn = service.plain_lcn()?;
            taken_by(lcn.number).map_or(Some(lcn), Service::plain_lcn)
        })
    }

    /// All was read that the network says of numbers: a service without one has none.
    #[must_use]
    pub fn has_network(&self) -> bool {
        self.nit.is_complete()
    }

    /// The numbers that the network gives to services of this mux are known, or nothing came of it.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        self.has_network() && self.has_bouquets() || self.late
    }

    /// Takes a section of present/following events.
    pub(super) fn take_event(&mut self, section: Section<'_>) -> Change {
        let service = self.all.iter_mut().find(|s| s.id == section.extension());
        let told = service.and_then(|s| s.events.get_mut(usize::from(section.number().0)));
        let fingerprint = Some(section.fingerprint());
        let Some(told) = told.filter(|told| section.is_current() && told.fingerprint != fingerprint) else {
            return Change::None;
        };
        *told = Told { fingerprint, event: Event::first(section, unmarked()) };
        Change::Lists
    }

    /// Takes a TDT or TOT that came at `now`.
    pub(super) fn take_time(&mut self, section: Section<'_>, now: Duration) {
        self.time = StreamTime::parse(section, now).or(self.time);
    }

    /// Brings `guide` up to what was heard of a service. What was not heard yet stays as it was.
    pub fn tell(&self, service: &Service, guide: &mut Guide) {
        for (known, told) in guide.events.iter_mut().zip(&service.events) {
            if told.fingerprint.is_some() && *known != told.event {
                known.clone_from(&told.event);
            }
        }
        guide.time = self.time.or(guide.time);
    }

    /// Every service whose events the mux promises told both.
    fn has_events(&self) -> bool {
        let promised = |s: &&Service| s.info.as_ref().is_some_and(|info| info.has_events);
        let told = |s: &Service| s.events.iter().all(|told| told.fingerprint.is_some());
        self.all.iter().filter(promised).all(told)
    }

    /// PAT, every PMT and the whole SDT came, and what else there is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.has_programmes()
            && self.sdt.is_complete()
            && self.is_numbered()
            && (self.late || self.has_events())
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

    /// Whether the programme of `id` changed since changes were last followed.
    pub(super) fn has_changed(&self, id: u16) -> bool {
        self.find(id).is_some_and(|s| s.changed)
    }

    /// All rings follow what changed.
    pub(super) fn follow_changes(&mut self) {
        self.all.iter_mut().for_each(|s| s.changed = false);
    }
}

/// No section came.
const NOTHING_TOLD: Told = Told { fingerprint: None, event: None };

impl Service {
    const fn new(id: u16, pmt_pid: Pid) -> Self {
        Self {
            id,
            pmt_pid,
            programme: None,
            info: None,
            lcn: None,
            hd_lcn: None,
            bouquet_lcns: [None; 2],
            events: [NOTHING_TOLD; 2],
            fingerprint: 0,
            changed: false,
        }
    }

    /// Its number: the NIT's, else a bouquet's.
    fn plain_lcn(&self) -> Option<Lcn> {
        self.lcn.or_else(|| self.bouquet_lcns[0].map(|(_, lcn)| lcn))
    }

    fn hd_lcn(&self) -> Option<Lcn> {
        self.hd_lcn.or_else(|| self.bouquet_lcns[1].map(|(_, lcn)| lcn))
    }
}

/// Keeps a mux, once.
fn note_mux<const N: usize>(known: &mut Vec<NetworkMux, N>, mux: NetworkMux) {
    if !known.contains(&mux) {
        let _full = known.push(mux);
    }
}

/// The character table of this board's broadcasts where they name none.
fn unmarked() -> Unmarked {
    Unmarked::named(board::CHARSET_OVERRIDE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::section::with_body;

    const TSID: u16 = 1;

    /// Services 1 to 3 by a PAT, behind `network`.
    fn services(network: &[u8]) -> Services {
        let mut services = Services::default();
        let pat = with_body(0x00, &[network, &[0, 1, 0xe1, 1, 0, 2, 0xe1, 2, 0, 3, 0xe1, 3]].concat());
        assert_eq!(services.take_pat(Section::new(&pat).unwrap()), Change::Services);
        services
    }

    fn nit(descriptors: &[u8]) -> Vec<u8, 256> {
        let loops = [descriptors.len() as u8 + 6, 0, TSID as u8, 0, 1, 0xf0, descriptors.len() as u8];
        let body = [&[0xf0, 0, 0xf0][..], &loops, descriptors].concat();
        with_body(NIT_ACTUAL, &body).into_iter().collect()
    }

    fn numbers(services: &Services) -> [Option<u16>; 3] {
        [1, 2, 3].map(|id| services.lcn(services.find(id).unwrap()).map(|lcn| lcn.number))
    }

    #[test]
    fn an_hd_service_and_its_twin_change_places() {
        let nit = nit(&[0x83, 8, 0, 1, 0xfc, 7, 0, 2, 0xfc, 57, 0x88, 4, 0, 2, 0xfc, 7]);
        let section = Section::new(&nit).unwrap();
        assert_eq!(Services::default().take_nit(section), Change::None, "whose numbers, the PAT says");
        let mut services = services(&[]);
        assert!(!services.is_numbered());
        assert_eq!(services.take_nit(section), Change::Lists);
        assert!(services.is_numbered());
        assert_eq!(numbers(&services), [Some(57), Some(7), None]);
        assert_eq!(services.take_nit(section), Change::None, "each content is read once");
    }

    #[test]
    fn muxes_of_the_network_are_kept_and_others_as_far_as_they_reach() {
        let tower = |mhz: u8| [0x5a, 11, 2, 0xd3, 0x44, 0x40 + mhz, 0x1f, 0x82, 0x6a, 0xff, 0xff, 0xff, 0xff];
        let satellite = |tenths: u8| [0x43, 11, 1, 0x17, 0x57, 0x25, 0, tenths, 0xa1, 2, 0x74, 0x50, 4];
        let cable = [0x44, 11, 3, 0x46, 0, 0, 0xff, 0xf2, 5, 0, 0x69, 0, 0x0f];
        let of = |table: u8, descriptors: &[u8]| {
            let mut bytes = nit(descriptors);
            let end = bytes.len() - 4;
            bytes[0] = table;
            let crc = crate::ts::section::CRC.checksum(&bytes[..end]);
            bytes[end..].copy_from_slice(&crc.to_be_bytes());
            bytes
        };
        let mut services = services(&[]);
        let mut take = |table, descriptors: &[u8]| {
            for _twice in 0..2 {
                services.take_nit(Section::new(&of(table, descriptors)).unwrap());
            }
            (services.network().count(), services.other_networks().count())
        };
        assert_eq!(take(NIT_OTHER, &tower(0)), (0, 1));
        assert_eq!(take(NIT_OTHER, &[tower(1), tower(2)].concat()), (0, 2), "the first of each kind counts");
        assert_eq!(take(NIT_OTHER, &cable), (0, 2));
        assert_eq!(take(NIT_OTHER, &satellite(0x50)), (0, 2), "which satellite is it?");
        assert_eq!(take(NIT_ACTUAL, &satellite(0x50)), (1, 3));
        assert_eq!(take(NIT_OTHER, &satellite(0x51)), (1, 3));
    }

    /// Whether something is late from then on, and whether it was, at these seconds; the programmes come at 100.5.
    fn lateness<const N: usize>(network: &[u8], seconds: [u64; N]) -> [(bool, bool); N] {
        let mut services = services(network);
        let at = Duration::from_secs;
        assert!(!services.tell_time(at(100)), "the programmes are not known");
        for (id, pid) in [(1, 0x101), (2, 0x102), (3, 0x103)] {
            let mut pmt = with_body(0x02, &[0xe1, 1, 0xf0, 0]);
            pmt.truncate(pmt.len() - 4);
            pmt[4] = id;
            pmt.extend(crate::ts::section::CRC.checksum(&pmt).to_be_bytes());
            assert_eq!(services.take_pmt(Pid::new(pid), Section::new(&pmt).unwrap()), Change::Programmes);
        }
        assert!(!services.tell_time(at(100) + at(1) / 2));
        seconds.map(|seconds| (services.tell_time(at(seconds)), services.is_numbered()))
    }

    #[test]
    fn numbers_of_a_bouquet_serve_where_the_network_has_none() {
        let bat = |id: u8, numbers: [u8; 4]| {
            let entries: std::vec::Vec<u8> =
                (1..).zip(numbers).filter(|(_, n)| *n > 0).flat_map(|(s, n)| [0, s, 0xfc, n]).collect();
            let descriptors = [&[0x83, entries.len() as u8][..], &entries].concat();
            let length = descriptors.len() as u8;
            let muxes = [&[0, TSID as u8, 0, 1, 0xf0, length][..], &descriptors].concat();
            let mut bytes = with_body(0x4a, &[&[0xf0, 0, 0xf0, length + 6][..], &muxes].concat());
            let end = bytes.len() - 4;
            bytes[4] = id;
            let crc = crate::ts::section::CRC.checksum(&bytes[..end]);
            bytes[end..].copy_from_slice(&crc.to_be_bytes());
            bytes
        };
        let mut services = services(&[]);
        for bytes in [bat(9, [90, 91, 0, 0]), bat(3, [30, 0, 0, 0]), bat(4, [40, 41, 42, 0])] {
            assert_eq!(services.take_bat(Section::new(&bytes).unwrap()), Change::Lists);
            assert_eq!(services.take_bat(Section::new(&bytes).unwrap()), Change::None);
        }
        assert_eq!(numbers(&services), [Some(30), Some(41), Some(42)]);
        services.take_nit(Section::new(&nit(&[0x83, 4, 0, 2, 0xfc, 7])).unwrap());
        assert_eq!(numbers(&services), [Some(30), Some(7), Some(42)]);
        assert!(services.is_numbered());
        // A bouquet of which the second section is missing.
        let mut begun = bat(5, [1, 0, 0, 0]);
        let end = begun.len() - 4;
        begun[7] = 1;
        let crc = crate::ts::section::CRC.checksum(&begun[..end]);
        begun[end..].copy_from_slice(&crc.to_be_bytes());
        services.take_bat(Section::new(&begun).unwrap());
        assert!(!services.is_numbered());
    }

    #[test]
    fn what_does_not_come_is_late_once() {
        let (not_yet, late, was_late) = ((false, false), (true, true), (false, true));
        assert_eq!(lateness(&[], [104, 105, 106]), [not_yet, late, was_late]);
        assert_eq!(lateness(&[0, 0, 0xe0, 0x10], [105, 108, 109]), [not_yet, not_yet, late]);
    }
}

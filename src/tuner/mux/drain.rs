//! What a tick does with an open mux: reads what came, follows the tables, fills the rings.

use std::time::Duration;

use heapless::Vec;

use super::{OpenMux, Outlet, PAT_EVERY, Progress, READS, shown, watchers};
use crate::guide::Epg;
use crate::service::{Feed, READ_MAX};
use crate::source::dvb::Read;
use crate::source::{Now, SourceError};
use crate::ts::bouquet::BAT;
use crate::ts::event::EIT_PF_ACTUAL;
use crate::ts::section::{Section, section_length};
use crate::ts::{PACKET, Pid};
use crate::tuner::services::{Change, Services};

/// What sections of one read changed.
struct News<'g> {
    /// What is told of events and bouquets goes there.
    epg: &'g mut Epg,
    services: bool,
    programmes: bool,
    names: bool,
    lists: bool,
    /// A PAT came.
    pat: bool,
    /// When it is.
    now: Duration,
}

impl<'g> News<'g> {
    fn none(epg: &'g mut Epg, now: Duration) -> Self {
        Self { epg, services: false, programmes: false, names: false, lists: false, pat: false, now }
    }
}

impl OpenMux {
    /// Reads what is due and brings it to the rings. `staging` holds one read.
    pub(in crate::tuner) fn drain(
        &mut self,
        now: Now,
        tick: Duration,
        staging: &mut [u8],
        epg: &mut Epg,
    ) -> Result<Progress, SourceError> {
        let mut progress = Progress { changed: self.services.tell_time(now.boot), ..Progress::default() };
        let mux = (!self.services.all.is_empty()).then_some(self.services.transport_stream_id);
        self.begin(now.boot, tick);
        let mut pat = false;
        if self.line.filters().is_some() {
            let mut news = News::none(epg, now.boot);
            progress.bytes = self.read_sections(&mut news)?;
            progress.changed |= self.apply(&news, now.boot);
            pat = news.pat;
            progress.bytes += self.read_taps(now.boot, staging)?;
        } else {
            for _ in 0..READS {
                let mut news = News::none(epg, now.boot);
                let read = match self.only_outlet() {
                    Some(feed) => self.read_into(&feed, now, &mut news)?,
                    None => self.read_through(staging, now, &mut news)?,
                };
                progress.changed |= self.apply(&news, now.boot);
                progress.bytes += read;
                pat |= news.pat;
                if read < READ_MAX / 2 {
                    break;
                }
            }
        }
        if progress.bytes > 0 {
            self.heard = true;
            self.expect_pat(now.boot, pat);
        }
        progress.moved = mux.is_some_and(|id| id != self.services.transport_stream_id);
        self.line.listen(now.boot, progress.bytes)?;
        Ok(progress)
    }

    /// Before a tick's reads.
    fn begin(&mut self, now: Duration, tick: Duration) {
        let broken = self.line.take_break();
        let filtered = self.line.filters().is_some();
        let in_place = self.only_outlet().is_some();
        for outlet in self.outlets.iter_mut() {
            let mut ring = outlet.feed.ring().borrow_mut();
            if broken {
                ring.expect_break();
            }
            if in_place || filtered && outlet.is_whole() && !ring.expects_break() {
                ring.begin_in_place(now, tick);
            } else {
                ring.begin(now);
            }
            drop(ring);
            let idle = watchers(&outlet.feed) == 0;
            outlet.warm &= idle;
            outlet.idle_since = idle.then(|| outlet.idle_since.unwrap_or(now));
        }
    }

    /// Takes the sections that the demultiplexer of a tuner filtered.
    fn read_sections(&mut self, news: &mut News<'_>) -> Result<usize, SourceError> {
        let Self { line, services, outlets, .. } = self;
        let Some(input) = line.filters() else { return Ok(0) };
        input.read_sections(|pid, bytes| {
            if let Some(section) = Section::new(bytes) {
                take(services, outlets, (pid, section), news);
            }
        })
    }

    /// Reads the packets of each service that the demultiplexer of a tuner filtered, into its ring.
    fn read_taps(&mut self, now: Duration, staging: &mut [u8]) -> Result<usize, SourceError> {
        let Self { line, filters, outlets, .. } = self;
        let Some(input) = line.filters() else { return Ok(0) };
        let mut bytes = 0;
        for (place, outlet) in outlets.iter_mut().enumerate() {
            let whole = outlet.is_whole();
            let Outlet { feed, tap, .. } = outlet;
            let mut ring = feed.ring().borrow_mut();
            for _ in 0..READS {
                // A break is announced between packets, and a clock alone is made of one; else they stay where they
                // were read to.
                let in_place = whole && !ring.expects_break();
                let read = input.read_tap(tap, if in_place { ring.room() } else { &mut *staging })?;
                let Read::Bytes(read) = read else {
                    ring.expect_break();
                    break;
                };
                if in_place {
                    ring.settle(read, now, |slot| filters.take(slot, place).is_some());
                } else {
                    let slots = staging[..read].as_chunks::<PACKET>().0;
                    slots
                        .iter()
                        .filter_map(|slot| filters.take(slot, place))
                        .for_each(|packet| ring.push(packet, now));
                }
                bytes += read;
                if read < READ_MAX / 2 {
                    break;
                }
            }
        }
        Ok(bytes)
    }

    /// The ring of a mux of one service: it is read into without a copy. Not where a break is to be announced, which
    /// goes between the packets, and not where parts of the service are left out.
    fn only_outlet(&self) -> Option<Feed> {
        let [outlet] = &self.outlets[..] else { return None };
        let whole =
            self.services.all.len() == 1 && outlet.is_whole() && !outlet.feed.ring().borrow().expects_break();
        whole.then(|| outlet.feed.clone())
    }

    /// Reads straight into a ring, where the packets stay.
    fn read_into(&mut self, feed: &Feed, now: Now, news: &mut News<'_>) -> Result<usize, SourceError> {
        let mut ring = feed.ring().borrow_mut();
        let read = self.line.read(now, ring.room())?;
        // Sections that are passed on cannot be written while the read is being settled: they wait in `passed`.
        let mut passed: Vec<u8, READ_PASSED> = Vec::new();
        let Self { filters, services, outlets, .. } = self;
        ring.settle(read, now.boot, |slot| {
            filters
                .push(slot, |pid, section| {
                    let due = sort(services, pid, section, news).filter(|of| of.includes(&outlets[0]));
                    if due.is_some() && passed.len() + section.bytes().len() <= READ_PASSED {
                        let _room = passed.extend_from_slice(section.bytes());
                    }
                })
                .is_some()
        });
        let mut rest = &passed[..];
        while let Some(length) = section_length(rest) {
            let Some((bytes, later)) = rest.split_at_checked(length) else { break };
            if let Some(section) = Section::new(bytes) {
                ring.write_section(pid_of(section), section);
            }
            rest = later;
        }
        Ok(read)
    }

    /// Reads into `staging` and copies each packet to the rings that want it.
    fn read_through(
        &mut self,
        staging: &mut [u8],
        now: Now,
        news: &mut News<'_>,
    ) -> Result<usize, SourceError> {
        let read = self.line.read(now, staging)?;
        let Self { filters, services, outlets, .. } = self;
        for slot in staging[..read].as_chunks::<PACKET>().0 {
            let routed = filters.push(slot, |pid, section| take(services, outlets, (pid, section), news));
            let Some((packet, mut mask)) = routed else { continue };
            while mask != 0 {
                let ring = mask.trailing_zeros() as usize;
                mask &= mask - 1;
                if let Some(outlet) = outlets.get(ring) {
                    outlet.feed.ring().borrow_mut().push(packet, now.boot);
                }
            }
        }
        Ok(read)
    }

    /// Follows what the tables say now.
    fn apply(&mut self, news: &News<'_>, now: Duration) -> bool {
        if news.services {
            let pmts = self.services.all.iter().map(|s| s.pmt_pid);
            self.filters.watch_pmts(pmts.clone());
            if self.line.filters().is_some_and(|input| !input.watch_pmts(pmts)) {
                self.tap_whole();
            }
        }
        if news.programmes || news.names {
            let mut rerouted = false;
            for i in 0..self.outlets.len() {
                let service = self.outlets[i].service;
                let changed = self.services.has_changed(service) || news.names;
                let identity = self.identity(&self.outlets[i]);
                let programme = shown(&self.services, service);
                if let Some(programme) = programme.filter(|_| changed) {
                    self.outlets[i].feed.ring().borrow_mut().update(programme, &identity, now);
                    rerouted = true;
                }
            }
            self.services.follow_changes();
            if rerouted {
                self.route();
            }
        }
        news.services || news.programmes || news.names || news.lists
    }

    /// Packets came, a PAT among them or not: notices when it is missing. Behind a pause there is nothing to judge by.
    fn expect_pat(&mut self, now: Duration, came: bool) {
        if came || now.saturating_sub(self.line.last_packet()) >= PAT_EVERY {
            (self.pat_at, self.pat_missed) = (now, self.pat_missed && !came);
        } else if !self.pat_missed && now.saturating_sub(self.pat_at) >= PAT_EVERY {
            self.pat_missed = true;
            self.pat_errors += 1;
        }
    }
}

/// Bytes of sections passed on in one read straight into a ring.
const READ_PASSED: usize = 8192;

/// Whom a section is passed on to.
#[derive(Clone, Copy)]
enum PassTo {
    Service(u16),
    All,
}

impl PassTo {
    fn includes(self, outlet: &Outlet) -> bool {
        match self {
            Self::Service(id) => outlet.service == id,
            Self::All => true,
        }
    }
}

/// Takes what a section says, and passes it on to the rings that want it as it is.
fn take(
    services: &mut Services,
    outlets: &[Outlet],
    (pid, section): (Pid, Section<'_>),
    news: &mut News<'_>,
) {
    if let Some(of) = sort(services, pid, section, news) {
        for outlet in outlets.iter().filter(|o| of.includes(o)) {
            outlet.feed.ring().borrow_mut().write_section(pid, section);
        }
    }
}

/// Takes what a section says; where it is to be passed on as it is, says to whom.
fn sort(services: &mut Services, pid: Pid, section: Section<'_>, news: &mut News<'_>) -> Option<PassTo> {
    match pid {
        Pid::EIT => news.epg.take_eit(section, news.now),
        Pid::TDT => news.epg.take_time(section, news.now),
        Pid::SDT if section.table_id() == BAT => news.epg.take_bat(section),
        _ => {}
    }
    let (change, to) = match pid {
        Pid::PAT => {
            news.pat |= section.table_id() == 0x00;
            (services.take_pat(section), None)
        }
        Pid::NIT => (services.take_nit(section), None),
        Pid::SDT if section.table_id() == BAT => (services.take_bat(section), None),
        Pid::SDT => (services.take_sdt(section), None),
        Pid::EIT if section.table_id() == EIT_PF_ACTUAL => {
            (services.take_event(section), Some(PassTo::Service(section.extension())))
        }
        Pid::EIT => return None,
        Pid::TDT => {
            services.take_time(section, news.now);
            (Change::None, Some(PassTo::All))
        }
        _ => (services.take_pmt(pid, section), None),
    };
    match change {
        Change::None => {}
        Change::Services => news.services = true,
        Change::Programmes => news.programmes = true,
        Change::Names => news.names = true,
        Change::Lists => news.lists = true,
    }
    to
}

/// The PID of a section that is passed on, by its table.
fn pid_of(section: Section<'_>) -> Pid {
    if section.table_id() == EIT_PF_ACTUAL { Pid::EIT } else { Pid::TDT }
}

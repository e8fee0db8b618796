//! Programme lists, read at start: each multicast channel becomes a source with a number and a name, each channel of a
//! tuner a service of a mux with the same.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::config::Settings;
use crate::board;
use crate::channel::Claim;
use crate::import::{Authority, Framing, Import, Imported, ImportedSource, LIST_MAX, Rules};
use crate::source::SourceUrl;
use crate::source::url::Group;
use crate::tuner::Tuners;

/// What lists bring.
pub(super) struct Lists {
    /// Sources that are to be opened.
    pub(super) sources: Vec<SourceUrl>,
    /// Numbers and names of their channels.
    pub(super) claims: Vec<Claim>,
}

/// Reads the vendor's lists, then the imported ones, each in their order. What a list may not have is logged with its
/// line; a list that cannot be read at all is an error, since whoever configured it counts on it.
pub(super) fn read(settings: &Settings) -> Result<Lists, String> {
    let mut lists = Lists { sources: Vec::new(), claims: Vec::new() };
    let interface = settings.iptv_interface().map_err(|e| e.to_string())?;
    let rules = Rules { interface: interface.map(Into::into), capacity: board::CHANNELS };
    lists.read(Authority::Vendor, &settings.vendor_imports, &rules)?;
    lists.read(Authority::Import, &settings.imports, &rules)?;
    Ok(lists)
}

impl Lists {
    /// Reads the lists of `by`, whose numbers are his own.
    fn read(&mut self, by: Authority, paths: &[PathBuf], rules: &Rules) -> Result<(), String> {
        let mut import = Import::new(rules.clone());
        for path in paths {
            let named = |why: &dyn std::fmt::Display| format!("import {}: {why}", path.display());
            let bytes = bytes_of(path).map_err(|e| named(&e))?;
            let refusals = import.read(&bytes).map_err(|e| named(&e))?;
            for (line, why) in refusals.kept() {
                log::warn!("{}:{line}: {why}", path.display());
            }
            if refusals.count() > refusals.kept().len() {
                log::warn!("{}: {} lines were refused in all", path.display(), refusals.count());
            }
        }
        for entry in import.into_entries() {
            let Imported { number, name, provider, kind, group, .. } = entry;
            let (source, service) = match &entry.source {
                ImportedSource::Dvb(dvb) => (dvb.tuning.to_string(), Some(dvb.service)),
                ImportedSource::Multicast { group, framing } => {
                    let source = url(group, *framing);
                    self.sources.push(source.clone());
                    (source.to_string(), None)
                }
            };
            self.claims.push(Claim { by, source, service, number, name, provider, kind, group });
        }
        Ok(())
    }

    /// Makes the muxes of tuners known that the lists name. Their channels come from those, as they are known.
    pub(super) fn name_muxes(&mut self, tuners: &mut Tuners) {
        let has_tuner = tuners.receivers().next().is_some();
        let (mut tunerless, mut left_out) = (0, 0);
        for claim in self.claims.iter_mut().filter(|claim| claim.service.is_some()) {
            let Ok(tuning) = claim.source.parse() else { continue };
            if !has_tuner {
                tunerless += 1;
                continue;
            }
            match tuners.add_mux(tuning).and_then(|id| tuners.mux(id)) {
                Some(mux) => claim.source = mux.origin.to_string(),
                None => left_out += 1,
            }
        }
        if tunerless > 0 {
            log::warn!(
                "{tunerless} imported channels need a tuner, and none is configured (--source dvb:ADAPTER)"
            );
        }
        if left_out > 0 {
            log::warn!("{left_out} imported channels are left out: this board knows {} muxes", board::MUXES);
        }
    }
}

/// One byte more than a list may have is enough to refuse it.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LIST_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A group as a source.
fn url(group: &Group, framing: Framing) -> SourceUrl {
    match framing {
        Framing::Packets => SourceUrl::Udp(group.clone()),
        Framing::Rtp => SourceUrl::Rtp(group.clone()),
    }
}

//! Programme lists, read at start: each multicast channel becomes a source with a number and a name.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::config::Settings;
use crate::board;
use crate::channel::Claim;
use crate::import::{Authority, Framing, Import, Imported, ImportedSource, LIST_MAX, Rules};
use crate::source::SourceUrl;

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
        let mut tuned = 0;
        for entry in import.into_entries() {
            let Some(source) = source(&entry.source) else {
                tuned += 1;
                continue;
            };
            let Imported { number, name, provider, kind, group, .. } = entry;
            self.claims.push(Claim { by, source: source.to_string(), number, name, provider, kind, group });
            self.sources.push(source);
        }
        if tuned > 0 {
            log::warn!("{tuned} imported channels need a tuner, and this box has none yet");
        }
        Ok(())
    }
}

/// One byte more than a list may have is enough to refuse it.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LIST_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The source of an entry, where it is a group.
fn source(source: &ImportedSource) -> Option<SourceUrl> {
    match source {
        ImportedSource::Multicast { group, framing: Framing::Packets } => Some(SourceUrl::Udp(group.clone())),
        ImportedSource::Multicast { group, framing: Framing::Rtp } => Some(SourceUrl::Rtp(group.clone())),
        ImportedSource::Dvb(_) => None,
    }
}
